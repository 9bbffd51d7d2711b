-- A request has ended: its lease goes, and the host rests for so many seconds. KEYS: host asking; ARGV: token seconds
local host, asking = unpack(KEYS)
redis.call('ZREM', asking, ARGV[1])
if redis.call('HDEL', host, ARGV[1]) == 0 then return 0 end
local rest = now_seconds() + tonumber(ARGV[2])
if rest > tonumber(redis.call('HGET', host, 'free') or '0') then
  redis.call('HSET', host, 'free', tostring(rest))
end
redis.call('EXPIRE', host, math.max(math.ceil(tonumber(ARGV[2])) + 1, redis.call('TTL', host)))
return 1
