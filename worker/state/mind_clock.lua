-- Where the clock was stepped back, all that is due moves back with it: else it would wait until the clock has caught up.
-- KEYS: clock, then schedules (zsets of due times); ARGV: least_seconds. Answers by how many seconds it was stepped back.
local now = now_seconds()
local back = tonumber(redis.call('GET', KEYS[1]) or now) - now
redis.call('SET', KEYS[1], string.format('%.3f', now))
if back < tonumber(ARGV[1]) then return '0' end
for i = 2, #KEYS do
  for _, member in ipairs(redis.call('ZRANGE', KEYS[i], 0, -1)) do
    redis.call('ZINCRBY', KEYS[i], -back, member)
  end
end
return tostring(back)
