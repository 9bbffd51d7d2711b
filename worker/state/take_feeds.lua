-- Feeds that are due, each leased and held by who asks. KEYS: feeds calls sources; ARGV: limit lease_seconds
local now = now_seconds()
local ids = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, ARGV[1])
local found = {}
for _, id in ipairs(ids) do
  redis.call('ZADD', KEYS[1], now + ARGV[2], id)
  redis.call('HSET', KEYS[2], id, 'held')
  found[#found + 1] = id
  found[#found + 1] = redis.call('HGET', KEYS[3], id)
end
return found
