-- Show or correct the family of a record. KEYS: stream, then the memory's (cards.lua)
-- ARGV: windows (cards.lua) operation (show, split, merge or promote) id other_id record (or '')
--       told_at_once, identities of the record (16 bytes each), and, to promote (other_id is the copy's), the four of
--       copies.lua for an exact copy, empty for a member
-- Answer: 'generation' (memory moved on), nil (not remembered), or
-- {family id, head id or '', {id, version, flags, relation, received, published}*}, ids raw
local operation, id, other, record, told_at_once, identities = unpack(ARGV, 2, 7)
told_at_once = tonumber(told_at_once)
if not open_memory(2, ARGV[1], 1, 'drop', '') then return 'generation' end
-- All that is met is brought to the longest of its windows.
local window
for _, named in ipairs({id, other}) do
  local found = named ~= '' and find_digest(string.sub(named, 1, 8))
  if found then window = longest(window_of(found[1], found[3]), window) end
end
if window then use_window(window) end
local current, no_features = memory.current, ''

-- The family's root in the current generation, with all members brought there.
local function gather(record_id)
  local found = find_digest(string.sub(record_id, 1, 8))
  if not found then return nil end
  local root = root_of(bring(found[1], found[2], no_features))
  for _, generation in ipairs(memory.generations) do
    local old_root = old_root_of(generation, root)
    if old_root then
      local left = {}
      each_member(generation, old_root, function(ticket) left[#left + 1] = ticket end)
      for _, ticket in ipairs(left) do bring(generation, ticket, no_features) end
    end
  end
  return root
end

-- Is it published, under its own name?
local function is_record(record_id)
  local known, is_copy = find_digest(string.sub(record_id, 1, 8))
  return known and not is_copy
end

local function members_of(root)
  local members = {}
  each_member(current, root, function(ticket, card) members[#members + 1] = {ticket, card} end)
  return members
end

-- Of a dropped copy that came with several texts the newest card; none where it was published later, for another text
-- or in the place of a withdrawn record.
local function known_members(root)
  local members, named = {}, {}
  for _, member in ipairs(members_of(root)) do
    local card = member[2]
    if not has(card.flags, UNPUBLISHED) or not (named[card.id] or is_record(card.id)) then
      members[#members + 1], named[card.id] = member, true
    end
  end
  return members
end

-- Chain cards behind a root in the order given; each belongs to it from now on.
local function chain(root, members)
  local before_it = root
  for _, member in ipairs(members) do
    local ticket, card = member[1], member[2]
    if ticket ~= root then
      if has(card.flags, ROOT) then card.flags = card.flags - ROOT end
      card.owner, current.card(before_it).following, before_it = root, ticket, ticket
    end
  end
  current.card(before_it).following = NONE
  current.write(root, current.card(root))
  for _, member in ipairs(members) do current.write(member[1], member[2]) end
end

local function make_root(ticket, head)
  local card = current.card(ticket)
  if not has(card.flags, ROOT) then card.flags = card.flags + ROOT end
  card.owner, card.relation = head, 0
end

-- The storage queue gets to know which records, and copies that are kept, belong to a family from now on.
local function tell(root, members)
  local _, head = head_of(root, current.card(root))
  local family = hex(current.card(root).id)
  local begin = '{"family_id":"' .. family .. '","head_id":' .. (head and '"' .. hex(head.id) .. '"' or 'null') .. ',"members":['
  for first = 1, #members, told_at_once do
    local told = {}
    for i = first, math.min(first + told_at_once - 1, #members) do
      local card = members[i][2]
      local relation = RELATIONS[card.relation]
      told[#told + 1] = '{"id":"' .. hex(card.id) .. '","relation":' .. (relation and '"' .. relation .. '"' or 'null') .. '}'
    end
    redis.call('XADD', KEYS[1], '*', 'event', 'family', 'id', family, 'family', begin .. table.concat(told, ',') .. ']}')
  end
end

local function publish(ticket, card)
  redis.call('XADD', KEYS[1], '*', 'event', 'create', 'id', hex(card.id), 'version', 1, 'record', record)
  put_digest(string.sub(card.id, 1, 8), ticket, 0)
  -- They led to the record it was a copy of; what is another record's by now stays so.
  for at = 1, #identities, 16 do
    local digest = string.sub(identities, at, at + 7)
    local known, is_copy = find_digest(digest)
    if not known or is_copy then put_digest(digest, ticket, 0) end
  end
end

local function publish_dropped(ticket, card)
  card.flags, card.version = card.flags - UNPUBLISHED, 1
  publish(ticket, card)
  current.write(ticket, card)
end

-- An exact copy has no card yet, and its identities lead to what it was seen to be a copy of.
local function publish_exact(root, beside)
  local ticket = add_card(read_article(8), 0, 1, EXACT, root, beside)
  publish(ticket, current.card(ticket))
  return ticket
end

-- A copy is published as the head of a family whose members are all withdrawn or dropped.
local function publish_copy(root)
  if head_of(root, current.card(root)) or is_record(other) then return root end
  local ticket, beside
  for _, member in ipairs(members_of(root)) do
    if member[2].id == other then ticket = ticket or member[1] end
    if member[2].id == id then beside = member[1] end
  end
  if ticket then
    publish_dropped(ticket, current.card(ticket))
  elseif (ARGV[8] or '') ~= '' then
    ticket = publish_exact(root, beside)
  end
  if not ticket then return root end
  promote(root)
  tell(root, {{ticket, current.card(ticket)}})
  return root
end

-- A dropped copy leads to the record it was dropped for; that may have left the family.
local function lead_dropped(members, root)
  local host = head_of(root, current.card(root)) or root
  for _, member in ipairs(members) do
    if has(member[2].flags, UNPUBLISHED) and not is_record(member[2].id) then put_digest(string.sub(member[2].id, 1, 8), host, COPY) end
  end
end

-- The member stands alone; the others keep together, under another root where it was theirs.
local function split(root)
  local alone, others, its_older = nil, {}, {}
  for _, member in ipairs(members_of(root)) do
    local card, side = member[2], member[2].id ~= id and others or its_older
    local is_older = alone or (has(card.flags, UNPUBLISHED) and is_record(id))
    if card.id == id and not is_older then alone = member else side[#side + 1] = member end
  end
  if not alone or #others == 0 then return root end
  local ticket, card = alone[1], alone[2]
  local is_dropped = has(card.flags, UNPUBLISHED)
  if is_dropped and record == '' then return root end
  if ticket == root then
    make_root(others[#others][1], NONE)
    root = others[#others][1]
  end
  chain(root, others)
  if is_dropped then publish_dropped(ticket, card) end
  make_root(ticket, ticket)
  chain(ticket, its_older)
  promote(root)
  lead_dropped(others, root)
  tell(ticket, {{ticket, current.card(ticket)}})
  tell(root, known_members(root))
  return ticket
end

local function merge(root)
  local joining = gather(other)
  if not joining or joining == root then return joining and root end
  local members = members_of(root)
  for _, member in ipairs(members_of(joining)) do members[#members + 1] = member end
  chain(root, members)
  local old_root = current.card(joining)
  if has(old_root.flags, PURGED) then -- it leads who was left behind it
    old_root.flags, old_root.owner = with(old_root.flags, MOVED, true), root
    current.write(joining, old_root)
  end
  if not head_of(root, current.card(root)) then promote(root) end
  tell(root, known_members(root))
  return root
end

local root = gather(id)
if root and operation == 'split' then root = split(root) end
if root and operation == 'promote' then root = publish_copy(root) end
if root and operation == 'merge' then root = merge(root) end
if not root then return nil end
local _, head = head_of(root, current.card(root))
local answer = {current.card(root).id, head and head.id or ''}
for _, member in ipairs(known_members(root)) do
  local card = member[2]
  answer[#answer + 1] = {card.id, card.version, card.flags, card.relation, card.received, card.published}
end
flush_memory()
return answer
