-- A leased batch gets its articles (and goes on) and its refusals (which become letters), in one step.
-- KEYS: batch waiting due waiting_parsed due_parsed total day rate in_flight spool receipts
--       letters_rejected letters_dead events letter*
-- ARGV: batch_id token stage lane source articles n_articles ring_after day_ttl receipt_ttl n_refusals
--       (counter letter_id letter_blob spool_ref receipt_field receipt_value)*
local batch, waiting, due, waiting_parsed, due_parsed, total, day_key, rate, in_flight, spool, receipts = unpack(KEYS, 1, 11)
local letters = {rejected = KEYS[12], dead = KEYS[13]}
local id, token, stage, lane, source, articles, n_articles, ring_after, day_ttl, receipt_ttl, n_refusals = unpack(ARGV, 1, 11)
n_articles, n_refusals, day_ttl = tonumber(n_articles), tonumber(n_refusals), tonumber(day_ttl)
if redis.call('HGET', batch, 'token') ~= token or redis.call('HGET', batch, 'stage') ~= stage then return nil end
local now = now_seconds()
local size = tonumber(redis.call('HGET', batch, 'size')) - tonumber(redis.call('HGET', batch, 'progress') or '0')

book(total, day_key, rate, day_ttl, source, 'members', n_articles + n_refusals - size)
if stage == 'received' then book(total, day_key, rate, day_ttl, source, 'parsed', n_articles) end
redis.call('HINCRBY', in_flight, stage .. '|' .. lane, -size)
for i = 0, n_refusals - 1 do
  local counter, letter_id, blob, ref, receipt_field, receipt = unpack(ARGV, 12 + 6 * i, 17 + 6 * i)
  book(total, day_key, rate, day_ttl, source, counter, 1)
  redis.call('SET', KEYS[15 + i], blob)
  redis.call('ZADD', letters[counter], now, letter_id)
  if counter == 'dead' then redis.call('HINCRBY', KEYS[14], 'buried', 1) end
  if ref ~= '' then redis.call('HINCRBY', spool, ref, 1) end
  redis.call('HSET', receipts, receipt_field, receipt)
end
if n_refusals > 0 then redis.call('EXPIRE', receipts, receipt_ttl) end

if n_articles == 0 then return settle(batch, waiting, due, spool, in_flight, id) end
redis.call('HDEL', batch, 'lease_until', 'token')
redis.call('HSET', batch, 'stage', 'parsed', 'articles', articles, 'size', n_articles, 'progress', 0, 'deliveries', 0)
redis.call('HINCRBY', in_flight, 'parsed|' .. lane, n_articles)
redis.call('ZREM', waiting, id)
redis.call('ZREM', due, id)
redis.call('ZADD', waiting_parsed, now, id)
redis.call('ZADD', due_parsed, now + ring_after, id)
return {}
