-- Decide, remember, append to the stream, count and settle: one step for a run of articles of a leased batch.
-- KEYS: batch waiting due total day rate in_flight spool receipts stream
--       identity identity_before copies copies_before known known_before
-- ARGV: batch_id token lane source first n day_ttl receipt_ttl memory_ttl generation generation_seconds
--       (record_id identities copy content updated_ms received_ms sighting_tail receipt_field record_tail event)*
--       event is 'withdraw' or empty (the verdict says it); identities are 16-byte digests in a row, strongest first
-- Answer: 'lost' (lease gone), 'generation' (memory moved on), or {progress, settled, freed refs, verdicts}
local batch, waiting, due, total, day_key, rate, in_flight, spool, receipts, stream = unpack(KEYS, 1, 10)
local id, token, lane, source, first, n, day_ttl, receipt_ttl, memory_ttl, generation, generation_seconds = unpack(ARGV, 1, 11)
first, n, day_ttl = tonumber(first), tonumber(n), tonumber(day_ttl)
local now = now_seconds()
if redis.call('HGET', batch, 'token') ~= token or redis.call('HGET', batch, 'stage') ~= 'parsed' then return 'lost' end
if math.floor(now / generation_seconds) ~= tonumber(generation) then return 'generation' end
local progress, size = tonumber(redis.call('HGET', batch, 'progress') or '0'), tonumber(redis.call('HGET', batch, 'size'))
if progress ~= first then return {progress, 0, {}, {}} end

local function memory(current_key, before_key)
  local m = {}
  function m.get(field)
    local value = redis.call('HGET', current_key, field)
    if value then return value end
    value = redis.call('HGET', before_key, field)
    if value then redis.call('HSET', current_key, field, value) end
    return value
  end
  function m.set(field, value) redis.call('HSET', current_key, field, value) end
  return m
end
local identity, copies, known = memory(KEYS[11], KEYS[12]), memory(KEYS[13], KEYS[14]), memory(KEYS[15], KEYS[16])

local function hex(raw) return (string.gsub(raw, '.', function(c) return string.format('%02x', string.byte(c)) end)) end

local function each_digest(joined)
  local position = 1
  return function()
    if position > #joined then return nil end
    position = position + 16
    return string.sub(joined, position - 16, position - 1)
  end
end

-- The record this article belongs to by identity: its raw id and whether it is the source's own ('o') or a copy ('c').
local function identify(meta)
  for digest in each_digest(meta[2]) do
    local value = identity.get(digest)
    if value then return string.sub(value, 2), string.sub(value, 1, 1) end
  end
  if redis.call('HEXISTS', KEYS[15], meta[1]) == 1 or redis.call('HEXISTS', KEYS[16], meta[1]) == 1 then return meta[1], 'o' end
  return nil, nil
end

local function is_older(meta, state)
  if meta[5] > 0 and state[3] > 0 then return meta[5] < state[3] end
  return meta[6] < state[4]
end

-- A text the record had before is a file read again and no new version, unless its own times say it is newer.
local function is_read_again(meta, state)
  if meta[5] > 0 and state[3] > 0 and meta[5] > state[3] then return false end
  for digest in each_digest(state[5] or '') do
    if digest == meta[4] then return true end
  end
  return false
end

-- verdict, raw record id, version, flag for the identities, and whether the head was seen in a new place
local function decide(meta, record_id, kind)
  if kind == 'o' then
    local packed = known.get(record_id)
    if not packed then return 'stored', record_id, 1, 'o', false end
    local state = cmsgpack.unpack(packed)
    if state[2] == meta[4] or is_older(meta, state) or is_read_again(meta, state) then
      return 'duplicate', record_id, state[1], 'o', false
    end
    return 'updated', record_id, state[1] + 1, 'o', false
  end
  local head = meta[3] ~= '' and copies.get(meta[3])
  if head then return 'duplicate', head, 0, 'c', head ~= record_id end
  return 'stored', meta[1], 1, 'o', false
end

local function remember(meta, kind, verdict, record_id, version, flag)
  for digest in each_digest(meta[2]) do
    if kind ~= 'o' or not identity.get(digest) then identity.set(digest, flag .. record_id) end
  end
  if verdict == 'duplicate' then return end
  local before, earlier = known.get(record_id), ''
  if before then
    local state = cmsgpack.unpack(before)
    -- Digests of the last 32 texts: enough to know a directory again, and a bound on what a live blog costs.
    earlier = string.sub((state[5] or '') .. state[2], -32 * 16)
  end
  known.set(record_id, cmsgpack.pack({version, meta[4], meta[5], meta[6], earlier}))
  if meta[3] ~= '' and not copies.get(meta[3]) then copies.set(meta[3], record_id) end
end

local function append(meta, verdict, record_id, version)
  local name = hex(record_id)
  local event = meta[10] ~= '' and meta[10] or (verdict == 'updated' and 'update' or 'create')
  local supersedes = verdict == 'updated' and ('"' .. name .. ':' .. (version - 1) .. '"') or 'null'
  local head = '{"id":"' .. name .. '","version":' .. version .. ',"event":"' .. event .. '","supersedes":' .. supersedes ..
    ',"family_id":"' .. name .. '","relation":null,"similarity":null,"matched_id":null,'
  redis.call('XADD', stream, '*', 'event', event, 'id', name, 'version', version, 'record', head .. meta[9])
end

local verdicts = {}
for i = 0, n - 1 do
  local meta = {unpack(ARGV, 12 + 10 * i, 21 + 10 * i)}
  meta[5], meta[6] = tonumber(meta[5]), tonumber(meta[6])
  local found, kind = identify(meta)
  local verdict, record_id, version, flag, sighted = decide(meta, found, kind)
  remember(meta, kind, verdict, record_id, version, flag)
  if verdict ~= 'duplicate' then
    append(meta, verdict, record_id, version)
  elseif sighted then
    local name = hex(record_id)
    redis.call('XADD', stream, '*', 'event', 'seen', 'id', name, 'sighting', '{"id":"' .. name .. '",' .. meta[7])
  end
  book(total, day_key, rate, day_ttl, source, verdict, 1)
  redis.call('HSET', receipts, meta[8], table.concat({verdict, hex(record_id), version, string.format('%.0f', now)}, '|'))
  verdicts[#verdicts + 1] = verdict
end
redis.call('EXPIRE', receipts, receipt_ttl)
for _, key in ipairs({KEYS[11], KEYS[13], KEYS[15]}) do redis.call('EXPIRE', key, memory_ttl) end
redis.call('HINCRBY', in_flight, 'parsed|' .. lane, -n)
redis.call('HSET', batch, 'progress', first + n)
if first + n < size then return {first + n, 0, {}, verdicts} end
return {first + n, 1, settle(batch, waiting, due, spool, in_flight, id), verdicts}
