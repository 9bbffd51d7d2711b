-- Give a lease up without a verdict: the delivery does not count. KEYS: batch due; ARGV: batch_id token
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[2] then return 0 end
redis.call('HDEL', KEYS[1], 'lease_until', 'token')
redis.call('HINCRBY', KEYS[1], 'deliveries', -1)
redis.call('ZADD', KEYS[2], now_seconds(), ARGV[1])
return 1
