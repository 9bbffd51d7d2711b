-- Decide, remember, append to the stream, count and settle: one step for a run of articles of a leased batch.
-- KEYS: batch waiting due total day rate in_flight spool receipts stream, then the memory's (cards.lua)
-- ARGV: batch_id token lane source first n day_ttl receipt_ttl windows home policy head (cards.lua)
--       then seven for each article: the four of copies.lua, receipt (field of 8 bytes, evidence) sighting_tail record
-- Answer: 'lost' (lease gone), 'generation' (memory moved on), or {progress, settled, freed refs, verdicts, filing
-- is due}; it ends before an article whose candidates must be read again
local batch, waiting, due, total, day_key, rate, in_flight, spool, receipts, stream = unpack(KEYS, 1, 10)
local id, token, lane, source, first, n, day_ttl, receipt_ttl = unpack(ARGV, 1, 8)
first, n, day_ttl = tonumber(first), tonumber(n), tonumber(day_ttl)
local now = now_seconds()
if redis.call('HGET', batch, 'token') ~= token or redis.call('HGET', batch, 'stage') ~= 'parsed' then return 'lost' end
local progress, size = tonumber(redis.call('HGET', batch, 'progress') or '0'), tonumber(redis.call('HGET', batch, 'size'))
if progress ~= first then return {progress, 0, {}, {}, 0} end
if not open_memory(11, ARGV[9], ARGV[10], ARGV[11], ARGV[12]) then return 'generation' end

local function quoted(text) return text and '"' .. text .. '"' or 'null' end

local function record_head(record_id, version, event, family_id, relation, similarity, matched)
  local supersedes = version > 1 and record_id .. ':' .. (version - 1)
  return '{"id":"' .. record_id .. '","version":' .. version .. ',"event":"' .. event .. '","supersedes":' ..
    quoted(supersedes) .. ',"family_id":"' .. family_id .. '","relation":' .. quoted(relation) ..
    ',"similarity":' .. (similarity or 'null') .. ',"matched_id":' .. quoted(matched) .. ','
end

-- Records arrive as if their article was new (records.py).
local ANY_ID = string.rep('0', 32)
local ARRIVED_HEAD_BYTES = #record_head(ANY_ID, 1, 'create', ANY_ID)

local function head_of_record(outcome, record_id, version, event)
  local _, root_card = root_of(outcome.ticket)
  return record_head(record_id, version, event, hex(root_card.id), RELATIONS[outcome.relation], outcome.similarity,
    outcome.matched and hex(outcome.matched))
end

local function append(a, outcome, at)
  local record = ARGV[at + 6]
  if outcome.published then
    local record_id = hex(memory.current.card(outcome.ticket).id)
    local event = a.withdrawn and 'withdraw' or (outcome.version > 1 and 'update' or 'create')
    local head = head_of_record(outcome, record_id, outcome.version, event)
    if string.sub(record, 1, ARRIVED_HEAD_BYTES) ~= head then
      record = head .. string.sub(record, ARRIVED_HEAD_BYTES + 1)
    end
    redis.call('XADD', stream, '*', 'event', event, 'id', record_id, 'version', outcome.version, 'record', record)
  end
  if outcome.sighted then
    local head, name, copy, rest, comma = hex(memory.current.card(outcome.sighted).id), '', '', '', ''
    if outcome.near and not outcome.published then
      name, copy, comma = '"copy":', head_of_record(outcome, hex(a.id), 1, 'create'), ','
      rest = string.sub(record, ARRIVED_HEAD_BYTES + 1)
    end
    redis.call('XADD', stream, '*', 'event', 'seen', 'id', head, 'sighting',
      '{"id":"' .. head .. '",' .. name .. copy .. rest .. comma .. ARGV[at + 5])
  end
end

local receipt_fields, second = {}, string.format('%.0f', now)
local function receipt(outcome, at)
  local parts = {outcome.verdict, hex(memory.current.card(outcome.host or outcome.ticket).id), outcome.version, second}
  if outcome.matched then
    parts[5], parts[6], parts[7] = RELATIONS[outcome.relation], outcome.similarity, hex(outcome.matched)
    parts[8] = outcome.relation == EXACT and '' or string.sub(ARGV[at + 4], 9)
  end
  receipt_fields[#receipt_fields + 1] = string.sub(ARGV[at + 4], 1, 8)
  receipt_fields[#receipt_fields + 1] = table.concat(parts, '|')
end

local verdicts, counts, articles = {}, {}, read_articles(13, n, 7)
local function count(counter) counts[counter] = (counts[counter] or 0) + 1 end
for i = 0, n - 1 do
  local at = 13 + 7 * i
  local a = articles[i]
  local outcome = settle_article(a)
  if not outcome then break end
  memory.outcomes[i] = outcome
  append(a, outcome, at)
  receipt(outcome, at)
  local dropped_or_stored = outcome.published and 'stored' or 'duplicate'
  count(outcome.verdict == 'near_duplicate' and dropped_or_stored or outcome.verdict)
  if outcome.near then count('near_duplicate') end
  verdicts[#verdicts + 1] = outcome.verdict
end
local done = #verdicts
if done == 0 and n > 0 then return {first, 0, {}, {}, 0} end
local filing = flush_memory()
for counter, many in pairs(counts) do book(total, day_key, rate, day_ttl, source, counter, many) end
redis.call('HSET', receipts, unpack(receipt_fields))
redis.call('EXPIRE', receipts, receipt_ttl)
redis.call('HINCRBY', in_flight, 'parsed|' .. lane, -done)
redis.call('HSET', batch, 'progress', first + done)
if first + done < size then return {first + done, 0, {}, verdicts, filing} end
return {first + done, 1, settle(batch, waiting, due, spool, in_flight, id), verdicts, filing}
