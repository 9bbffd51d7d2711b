-- Sources that are due, each leased so that it is named once. KEYS: polls calls; ARGV: limit lease_seconds
local now = now_seconds()
local ids = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, ARGV[1])
for _, id in ipairs(ids) do
  redis.call('ZADD', KEYS[1], now + ARGV[2], id)
  redis.call('HSET', KEYS[2], id, 'rung')
end
return ids
