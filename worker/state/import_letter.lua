-- Take in a dead letter of another system (or one that was purged here), on this system's account. Twice is once.
-- KEYS: letter letters total day rate spool events; ARGV: letter_id source counter blob at_seconds spool_ref day_ttl booked
local letter, letters, total, day, rate, spool, events = unpack(KEYS, 1, 7)
local id, source, counter, blob, at, ref, day_ttl, booked = unpack(ARGV, 1, 8)
if redis.call('EXISTS', letter) == 1 then return 0 end
redis.call('SET', letter, blob)
redis.call('ZADD', letters, at, id)
if ref ~= '' then redis.call('HINCRBY', spool, ref, 1) end
if booked == '1' then
  book(total, day, rate, tonumber(day_ttl), source, 'received', 1)
  book(total, day, rate, tonumber(day_ttl), source, counter, 1)
end
redis.call('HINCRBY', events, 'imported', 1)
return 1
