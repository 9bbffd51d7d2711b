-- Begin to pull a source, unless its bell is stale: pulled since it rang, or being pulled by somebody alive.
-- KEYS: polls calls; ARGV: source_id lease_seconds
local due = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not due then return 0 end
local now = now_seconds()
if redis.call('HGET', KEYS[2], ARGV[1]) ~= 'rung' and tonumber(due) > now then return 0 end
redis.call('HSET', KEYS[2], ARGV[1], 'held')
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
return 1
