-- Replace a leased batch by smaller ones in the same stage.
-- KEYS: batch waiting due spool events in_flight child*
-- ARGV: batch_id token stage n_children (child_id size documents articles refs bytes)*
-- Answer: spool references that no child needs, or nil where the lease was lost.
local batch, waiting, due, spool, events, in_flight = unpack(KEYS, 1, 6)
local id, token, stage, n = unpack(ARGV, 1, 4)
if redis.call('HGET', batch, 'token') ~= token or redis.call('HGET', batch, 'stage') ~= stage then return nil end
local source, lane, day = unpack(redis.call('HMGET', batch, 'source', 'lane', 'day'))
local now = now_seconds()
local entered = redis.call('ZSCORE', waiting, id) or now
for i = 0, n - 1 do
  local child_id, size, documents, articles, refs, bytes = unpack(ARGV, 5 + 6 * i, 10 + 6 * i)
  local child = KEYS[7 + i]
  redis.call('HSET', child, 'stage', stage, 'source', source, 'lane', lane, 'day', day, 'size', size,
    'documents', documents, 'articles', articles, 'deliveries', 0, 'progress', 0, 'refs', refs, 'bytes', bytes)
  redis.call('HINCRBY', in_flight, 'bytes|' .. lane, bytes)
  redis.call('ZADD', waiting, entered, child_id)
  redis.call('ZADD', due, now, child_id)
  for ref in string.gmatch(refs, '%S+') do redis.call('HINCRBY', spool, ref, 1) end
end
redis.call('HINCRBY', events, 'split', 1)
return settle(batch, waiting, due, spool, in_flight, id)
