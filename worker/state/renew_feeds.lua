-- Hold feeds for longer, but none that was settled meanwhile. KEYS: feeds calls; ARGV: lease_seconds source_id*
local lease_end = now_seconds() + ARGV[1]
for i = 2, #ARGV do
  if redis.call('HGET', KEYS[2], ARGV[i]) == 'held' then redis.call('ZADD', KEYS[1], 'XX', lease_end, ARGV[i]) end
end
return 1
