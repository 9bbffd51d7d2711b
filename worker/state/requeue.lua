-- A record the store had refused goes back into the storage queue. Twice is once.
-- KEYS: letter letters stream events; ARGV: letter_id (field value)*
if redis.call('DEL', KEYS[1]) == 0 then return 0 end
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('XADD', KEYS[3], '*', unpack(ARGV, 2))
redis.call('HINCRBY', KEYS[4], 'replayed', 1)
return 1
