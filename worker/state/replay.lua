-- A dead letter becomes a batch of one document again, on the same day's account. Twice is once.
-- KEYS: letter letters batch waiting due total day rate in_flight events
-- ARGV: letter_id batch_id source lane day documents refs counter day_ttl bytes
local letter, letters, batch, waiting, due, total, day_key, rate, in_flight, events = unpack(KEYS, 1, 10)
local letter_id, id, source, lane, day, documents, refs, counter, day_ttl, bytes = unpack(ARGV, 1, 10)
if redis.call('DEL', letter) == 0 then return 0 end
redis.call('ZREM', letters, letter_id)
local now = now_seconds()
redis.call('HSET', batch, 'stage', 'received', 'source', source, 'lane', lane, 'day', day, 'size', 1,
  'documents', documents, 'deliveries', 0, 'refs', refs, 'bytes', bytes)
redis.call('ZADD', waiting, now, id)
redis.call('ZADD', due, now, id)
redis.call('HINCRBY', in_flight, 'received|' .. lane, 1)
redis.call('HINCRBY', in_flight, 'bytes|' .. lane, bytes)
book(total, day_key, rate, tonumber(day_ttl), source, counter, -1)
redis.call('HINCRBY', events, 'replayed', 1)
return 1
