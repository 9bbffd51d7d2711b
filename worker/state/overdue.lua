-- Batches whose bell may be lost or whose holder is dead; each is put off, so that it is named once an interval.
-- KEYS: due events; ARGV: limit put_off_seconds
local now = now_seconds()
local ids = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, ARGV[1])
for _, id in ipairs(ids) do redis.call('ZADD', KEYS[1], now + ARGV[2], id) end
if #ids > 0 then redis.call('HINCRBY', KEYS[2], 'rescued', #ids) end
return ids
