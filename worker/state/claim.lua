-- Take a batch for one delivery, unless it is settled, in another stage, or leased to somebody alive. Twice is once.
-- KEYS: batch due events; ARGV: batch_id stage lease_seconds token
local batch, due, events = unpack(KEYS)
local id, stage, lease_seconds, token = unpack(ARGV)
if redis.call('HGET', batch, 'stage') ~= stage then return nil end
local now = now_seconds()
local lease = redis.call('HGET', batch, 'lease_until')
-- The same token is the same claim, sent again because its answer was lost on the way.
if redis.call('HGET', batch, 'token') ~= token then
  if lease then
    -- No lease ends later than this, unless the clock was stepped back since.
    if tonumber(lease) > now and tonumber(lease) <= now + lease_seconds + 60 then return nil end
    redis.call('HINCRBY', events, 'redelivered', 1)
  end
  redis.call('HINCRBY', batch, 'deliveries', 1)
end
redis.call('HSET', batch, 'lease_until', string.format('%.3f', now + lease_seconds), 'token', token)
redis.call('ZADD', due, now + lease_seconds, id)
return redis.call('HMGET', batch, 'deliveries', 'source', 'lane', 'day', 'size', 'progress', 'documents', 'articles')
