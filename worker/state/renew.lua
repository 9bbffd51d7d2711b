-- Keep a lease while its holder works. KEYS: batch due; ARGV: batch_id token lease_seconds
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[2] then return 0 end
local lease_until = now_seconds() + ARGV[3]
redis.call('HSET', KEYS[1], 'lease_until', string.format('%.3f', lease_until))
redis.call('ZADD', KEYS[2], lease_until, ARGV[1])
return 1
