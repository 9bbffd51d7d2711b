-- Put a batch into the ledger, and what its source remembers beside it. Twice is once.
-- KEYS: batch waiting due total day rate in_flight spool poll received
-- ARGV: batch_id source lane day size blob ring_after day_ttl refs n_remember bytes run (field value)*
local batch, waiting, due, total, day_key, rate, in_flight, spool, poll, received = unpack(KEYS)
local id, source, lane, day, size, blob, ring_after, day_ttl, refs, n_remember, bytes, run = unpack(ARGV, 1, 12)
if redis.call('EXISTS', batch) == 1 then return 0 end
-- A server that was started again may have forgotten the batches before this one: nothing may be remembered behind them.
if run ~= '' and not string.find(redis.call('INFO', 'server'), 'run_id:' .. run, 1, true) then return -1 end
-- A client may send this again ten times state.socket_timeout_seconds later: by then the batch can be settled.
if tonumber(size) > 0 and not redis.call('SET', received, '', 'NX', 'EX', 900) then return 0 end
local now = now_seconds()
if tonumber(size) > 0 then
  redis.call('HSET', batch, 'stage', 'received', 'source', source, 'lane', lane, 'day', day, 'size', size,
    'documents', blob, 'deliveries', 0, 'refs', refs, 'bytes', bytes)
  redis.call('ZADD', waiting, now, id)
  redis.call('ZADD', due, now + ring_after, id)
  redis.call('HINCRBY', in_flight, 'received|' .. lane, size)
  redis.call('HINCRBY', in_flight, 'bytes|' .. lane, bytes)
  book(total, day_key, rate, day_ttl, source, 'received', tonumber(size))
  for ref in string.gmatch(refs, '%S+') do redis.call('HINCRBY', spool, ref, 1) end
end
for i = 13, 12 + 2 * tonumber(n_remember), 2 do
  if ARGV[i + 1] == '' then redis.call('HDEL', poll, ARGV[i]) else redis.call('HSET', poll, ARGV[i], ARGV[i + 1]) end
end
return 1
