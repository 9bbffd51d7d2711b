-- Forget a dead letter. KEYS: letter letters_rejected letters_dead spool; ARGV: letter_id spool_ref
-- Answer: {1 if it was there, the spool reference if nobody else holds it}
local there = redis.call('DEL', KEYS[1])
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('ZREM', KEYS[3], ARGV[1])
local freed = ''
if there == 1 and ARGV[2] ~= '' and redis.call('HINCRBY', KEYS[4], ARGV[2], -1) <= 0 then
  redis.call('HDEL', KEYS[4], ARGV[2])
  freed = ARGV[2]
end
return {there, freed}
