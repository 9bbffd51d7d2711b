-- Shared by the scripts that know copies: postings, exact digests and cards of the generations (see index.py).
local COPY, NONE = 2147483648, 4294967295
local WITHDRAWN, MOVED, MOVED_ON, PURGED, ROOT, UNPUBLISHED, MOVED_ACROSS, UNFILED = 1, 2, 4, 8, 16, 32, 64, 128
local FACTS_FORMAT = 'c8I4I4I4c4c' .. SKETCH_BYTES
local CARD_FORMAT = '>c16I4I4I3BB' .. FACTS_FORMAT

-- What open_memory (cards.lua) opens: `windows`, each with two generations; `generations`, all of them, newest first;
-- `current`, the generation in which the article's family lives (see use_window).
local memory = {windows = {}, generations = {}, outcomes = {}}

local function has(flags, flag) return flags % (2 * flag) >= flag end
local function with(flags, flag, is_set) return flags + (is_set and flag or 0) - (has(flags, flag) and flag or 0) end
local function has_moved(flags) return has(flags, MOVED) or has(flags, MOVED_ON) or has(flags, MOVED_ACROSS) end
local function u32(text, at)
  local a, b, c, d = string.byte(text, at, at + 3)
  return ((a * 256 + b) * 256 + c) * 256 + d
end

-- A hash each field of which is read at most once, and written at the end of the script.
local function open_hash(key)
  local values, dirty = {}, {}
  local hash = {key = key, values = values, dirty = dirty}
  function hash.load(fields)
    for first = 1, #fields, 1000 do
      local last = math.min(first + 999, #fields)
      local found = redis.call('HMGET', key, unpack(fields, first, last))
      for i = first, last do values[fields[i]] = found[i - first + 1] end
    end
  end
  function hash.get(field)
    local value = values[field]
    if value == nil then
      value = redis.call('HGET', key, field)
      values[field] = value
    end
    return value
  end
  function hash.set(field, value) values[field], dirty[field] = value, true end
  function hash.flush()
    local set, n = {}, 0
    for field in pairs(dirty) do
      set[n + 1], set[n + 2] = field, values[field]
      n = n + 2
      if n == 1000 then
        redis.call('HSET', key, unpack(set))
        set, n = {}, 0
      end
    end
    if n > 0 then redis.call('HSET', key, unpack(set, 1, n)) end
  end
  return hash
end

local numbers = {}
-- The number by which a digest is filed.
local function number_of(digest)
  local number = numbers[digest]
  if not number then
    number = u32(digest, 1)
    numbers[digest] = number
  end
  return number
end

-- Linear hashing (Litwin, 1980): bucket after bucket is split as entries come, so no insertion ever pays for all.
-- `first`: buckets to begin with; an entry has `width` bytes and begins with its number.
local function open_table(key, first, fill, width, entries, splits)
  local buckets, low = open_hash(key), first
  while low * 2 <= first + splits do low = low * 2 end
  local split = first + splits - low
  local t, known = {get = buckets.get, set = buckets.set}, {}
  function t.bucket(number)
    local b = known[number]
    if not b then
      b = number % low
      if b < split then b = number % (2 * low) end
      known[number] = b
    end
    return b
  end
  -- To be called before anything is set.
  function t.load(numbers)
    local wanted, asked = {}, {}
    for _, number in ipairs(numbers) do
      local b = t.bucket(number)
      if not asked[b] then asked[b], wanted[#wanted + 1] = true, b end
    end
    buckets.load(wanted)
  end
  function t.count(n) entries = entries + n end
  local function split_one()
    local from, to = split, split + low
    local blob = buckets.get(from)
    if blob and blob ~= '' then
      local stay, go = {}, {}
      local begin, goes = 1, u32(blob, 1) % (2 * low) >= low
      for at = 1 + width, #blob + 1, width do
        local next_goes = not goes
        if at <= #blob then next_goes = u32(blob, at) % (2 * low) >= low end
        if next_goes ~= goes then
          local side = goes and go or stay
          side[#side + 1] = string.sub(blob, begin, at - 1)
          begin, goes = at, next_goes
        end
      end
      if #go > 0 then
        buckets.set(from, table.concat(stay))
        buckets.set(to, table.concat(go))
      end
    end
    splits, split, known = splits + 1, split + 1, {}
    if split == low then low, split = 2 * low, 0 end
  end
  function t.flush()
    while entries > (first + splits) * fill do split_one() end
    buckets.flush()
    return entries, splits
  end
  return t
end

local function unpack_card(chunk, at)
  local id, owner, following, version, flags, relation, content, updated, received, published, source, sketch =
    struct.unpack(CARD_FORMAT, chunk, at)
  return {id = id, owner = owner, following = following, version = version, flags = flags, relation = relation,
    content = content, updated = updated, received = received, published = published, source = source, sketch = sketch}
end

local function pack_card(c)
  return struct.pack(CARD_FORMAT, c.id, c.owner, c.following, c.version, c.flags, c.relation, c.content, c.updated,
    c.received, c.published, c.source, c.sketch)
end

local STATE = {'tickets', 'exact', 'exact_splits', 'posting_splits', 'filed'}

-- One generation. keys: state postings exact cards earlier fresh
local function open_generation(keys)
  local state = redis.call('HMGET', keys[1], unpack(STATE))
  for i = 1, #STATE do state[i] = tonumber(state[i] or 0) end
  local chunks = open_hash(keys[4])
  local g = {begin = state[1], tickets = state[1], earlier = open_hash(keys[5]), filed = state[5]}
  local fresh = {}
  g.exact = open_table(keys[3], FIRST_EXACT, EXACT_FILL, 12, state[2], state[3])
  -- To be read only: workers file what is fresh (postings.py).
  g.postings = open_table(keys[2], FIRST_POSTINGS, nil, 6, nil, state[4])
  function g.fresh() return redis.call('GET', keys[6]) or '' end
  function g.post(entry) fresh[#fresh + 1] = entry end
  local parsed, changed = {}, {}
  function g.card(ticket)
    local card = parsed[ticket]
    if card then return card end
    local chunk, at = chunks.get(math.floor(ticket / CHUNK_CARDS)), ticket % CHUNK_CARDS * CARD_BYTES
    if not chunk or #chunk < at + CARD_BYTES then return nil end
    card = unpack_card(chunk, at + 1)
    parsed[ticket] = card
    return card
  end
  function g.write(ticket, card)
    local number = math.floor(ticket / CHUNK_CARDS)
    parsed[ticket], changed[number] = card, changed[number] or {}
    changed[number][ticket] = card
  end
  function g.add(card)
    local ticket = g.tickets
    g.tickets = ticket + 1
    g.write(ticket, card)
    return ticket
  end
  -- Each run of cards that stay as they are is one string: what a script costs is mostly the strings it makes.
  local function write_chunks()
    for number, cards in pairs(changed) do
      local chunk, parts, begin = chunks.get(number) or '', {}, 1
      for at = 0, CHUNK_CARDS - 1 do
        local card = cards[number * CHUNK_CARDS + at]
        if card then
          if begin <= at * CARD_BYTES then parts[#parts + 1] = string.sub(chunk, begin, at * CARD_BYTES) end
          parts[#parts + 1] = pack_card(card)
          begin = (at + 1) * CARD_BYTES + 1
        end
      end
      if begin <= #chunk then parts[#parts + 1] = string.sub(chunk, begin) end
      chunks.set(number, table.concat(parts))
    end
    chunks.flush()
  end
  function g.find_digest(digest)
    if g.tickets == 0 then return nil end
    local blob = g.exact.get(g.exact.bucket(number_of(digest)))
    if not blob then return nil end
    local at = string.find(blob, digest, 1, true)
    while at and at % 12 ~= 1 do at = string.find(blob, digest, at + 1, true) end
    return at and u32(blob, at + 8), at
  end
  function g.put_digest(digest, value)
    local bucket = g.exact.bucket(number_of(digest))
    local known, at = g.find_digest(digest)
    if known == value then return end
    local blob, packed = g.exact.get(bucket) or '', struct.pack('>I4', value)
    if known then
      g.exact.set(bucket, string.sub(blob, 1, at + 7) .. packed .. string.sub(blob, at + 12))
    else
      g.exact.set(bucket, blob .. digest .. packed)
      g.exact.count(1)
    end
  end
  function g.drop_digest(digest)
    local _, at = g.find_digest(digest)
    local bucket = g.exact.bucket(number_of(digest))
    local blob = g.exact.get(bucket)
    g.exact.set(bucket, string.sub(blob, 1, at - 1) .. string.sub(blob, at + 12))
    g.exact.count(-1)
  end
  -- True where so much is fresh now that it should be filed. `ttl`: only for a generation that takes cards.
  function g.flush(ttl)
    local exact, exact_splits = g.exact.flush()
    write_chunks()
    g.earlier.flush()
    if not ttl or (g.tickets == g.begin and exact == state[2] and not next(g.earlier.dirty)) then return false end
    local added = table.concat(fresh)
    local bytes = #added > 0 and redis.call('APPEND', keys[6], added) or 0
    redis.call('HSET', keys[1], 'tickets', g.tickets, 'exact', exact, 'exact_splits', exact_splits)
    -- The postings' time is set where they are written: a change of that key is how filings notice each other.
    for i, key in ipairs(keys) do
      if i ~= 2 then redis.call('EXPIRE', key, ttl) end
    end
    return math.floor(bytes / FILED_FROM_BYTES) > math.floor((bytes - #added) / FILED_FROM_BYTES)
  end
  return g
end

-- Features come as four bytes each: two name the first bucket, two are kept in the entry (and split it further).
local function feature_number(feature)
  local a, b, c, d = string.byte(feature, 1, 4)
  return a * 256 + b + FIRST_POSTINGS * (c * 256 + d)
end

-- Tickets filed under a feature, oldest first.
local function tickets_under(blob, print)
  local tickets, n, at = {}, 0, string.find(blob, print, 1, true)
  while at do
    if at % 6 == 1 then
      n, tickets[n + 1] = n + 1, u32(blob, at + 2)
      at = at + 5
    end
    at = string.find(blob, print, at + 1, true)
  end
  return tickets
end
