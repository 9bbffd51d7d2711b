-- A poll has ended: what it learned, and when the feed is due again; a feed that was removed meanwhile leaves nothing.
-- KEYS: feeds calls sources poll; ARGV: source_id seconds n (field value)*
local feeds, calls, sources, poll = unpack(KEYS)
local id, seconds, n = unpack(ARGV, 1, 3)
redis.call('HDEL', calls, id)
if redis.call('HEXISTS', sources, id) == 0 then
  redis.call('DEL', poll)
  return 0
end
for i = 4, 3 + 2 * tonumber(n), 2 do
  if ARGV[i + 1] == '' then redis.call('HDEL', poll, ARGV[i]) else redis.call('HSET', poll, ARGV[i], ARGV[i + 1]) end
end
redis.call('ZADD', feeds, 'XX', now_seconds() + seconds, id)
return 1
