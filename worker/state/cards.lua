-- Shared by the scripts that know copies: how cards are found, moved to where their family lives, and held together in it.
-- A family lives in one window, the longest of those by whose lanes its articles came: while an article is settled,
-- `memory.current` is that window's generation, into which all it meets is brought.
-- A card that is ROOT names its family by its id, and in `owner` the family's head; any other names its root there.
-- `following` chains the members behind their root. A card that was brought without features is UNFILED until some come.

-- Where a card went that lives in the other window now: `received` is the number of the generation there.
local function across(generation, card)
  local window = memory.windows[3 - generation.window]
  if not window then return nil end
  if card.received == window.number then return window.current end
  if card.received == window.number - 1 then return window.before end
end

-- The newest card of what a ticket once stood for: its generation, its ticket there, itself; nil where it was purged
-- (unless that is of no matter) or has expired.
local function follow(generation, ticket, even_purged)
  while true do
    local card = generation and generation.card(ticket)
    if not card or (has(card.flags, PURGED) and not even_purged) then return nil end
    if has(card.flags, MOVED_ACROSS) then
      generation, ticket = across(generation, card), card.owner
    elseif has(card.flags, MOVED_ON) then
      -- Where the clock was stepped back, the next generation is not known yet.
      local current = memory.windows[generation.window].current
      generation, ticket = current ~= generation and current, card.owner
    elseif has(card.flags, MOVED) then
      ticket = card.owner
    else
      return generation, ticket, card
    end
  end
end

local LONGEST_WALK = 10000

local function in_family(flags) return not (has(flags, PURGED) or has_moved(flags)) end
local function is_live(card)
  return in_family(card.flags) and not has(card.flags, WITHDRAWN) and not has(card.flags, UNPUBLISHED)
end

-- File a ticket under features: in the place of `replaced`, not where `beside` is filed already (a copy needs only the
-- features that the text it copies has not). A worker does it, later: `add_ticket` in postings.py.
local function post(features, ticket, replaced, beside)
  if features == '' then return end
  memory.current.post(struct.pack('>I4I4I4B', ticket, replaced or NONE, beside or NONE, #features / 4) .. features)
end

local function use_window(at) memory.current = memory.windows[at].current end

local function longest(at, other)
  return (not other or memory.windows[at].seconds >= memory.windows[other].seconds) and at or other
end

-- The window in which the family of a card lives: others that came before its root went across may be left here.
local function window_of(place, card)
  local root_place = not has(card.flags, ROOT) and follow(place, card.owner, true)
  return longest(place.window, root_place and root_place.window)
end

-- A digest leads to one record only: what the other window says of another is forgotten.
local function put_digest(digest, ticket, flag)
  local current = memory.current
  current.put_digest(digest, ticket + flag)
  if #memory.windows == 1 then return end
  local id = current.card(ticket).id
  for _, generation in ipairs(memory.generations) do
    local value = generation.window ~= current.window and generation.find_digest(digest)
    if value then
      local _, _, card = follow(generation, value % COPY)
      if not card or card.id ~= id or (value >= COPY) ~= (flag == COPY) then generation.drop_digest(digest) end
    end
  end
end

local function set_head(root, ticket)
  local root_card = memory.current.card(root)
  root_card.owner = ticket
  memory.current.write(root, root_card)
end

local function link(root, card, ticket)
  local current = memory.current
  local root_card = current.card(root)
  card.following, root_card.following = root_card.following, ticket
  current.write(root, root_card)
end

-- The root of a card's family: its ticket and card.
local function root_of(ticket)
  local card = memory.current.card(ticket)
  if has(card.flags, ROOT) then return ticket, card end
  local _, root = follow(memory.current, card.owner, true)
  -- What was its root may be a member of another's family since two were merged.
  if root then return root_of(root) end
  -- It went to a window that is configured no more, or of another length.
  card.flags, card.owner, card.following, card.relation = card.flags + ROOT, ticket, NONE, 0
  memory.current.write(ticket, card)
  return ticket, card
end

-- The old card leads to the new one, a ticket in the current generation.
local function lead_on(generation, ticket, old, new)
  local current = memory.current
  old.owner = new
  if generation == current then
    old.flags = old.flags + MOVED
  elseif generation.window == current.window then
    old.flags = old.flags + MOVED_ON
  else
    old.flags, old.received = old.flags + MOVED_ACROSS, memory.windows[current.window].number
  end
  generation.write(ticket, old)
end

-- The ticket of a record in the current generation: what is found in another moves there, with its root and head.
-- The features are those of the article that found it: the sketch does not hold its own.
local bring, promote

local function recard(generation, ticket, features, change)
  local current, old, card = memory.current, generation.card(ticket), {}
  local moved_on, is_root, head = generation ~= current, has(old.flags, ROOT), old.owner
  local root = not is_root and bring(generation, old.owner, features, true)
  if moved_on and has_moved(old.flags) then -- the root has brought its head along
    return change and recard(current, old.owner, features, change) or old.owner
  end
  for name, value in pairs(old) do card[name] = value end
  for name, value in pairs(change or {}) do card[name] = value end
  if moved_on then card.following = NONE end
  if moved_on or features ~= '' then card.flags = with(card.flags, UNFILED, features == '') end
  local new = current.tickets
  if root then
    root = root_of(root)
    link(root, card, new)
    card.owner = root
    if current.card(root).owner == ticket and not moved_on then set_head(root, new) end
  elseif not is_root then -- its root has expired with the other window
    card.flags, card.owner, card.relation = card.flags + ROOT, new, 0
  elseif head == ticket then
    card.owner = new
  end
  current.add(card)
  -- It was left behind when the family lost its head.
  if root and is_live(card) and current.card(root).owner == NONE then set_head(root, new) end
  lead_on(generation, ticket, old, new)
  if is_root and moved_on and head ~= ticket and head ~= NONE then
    local brought = bring(generation, head, features)
    if brought then set_head(new, brought) else promote(new) end
  end
  if not has(card.flags, PURGED) then
    if not has(card.flags, UNPUBLISHED) then put_digest(string.sub(card.id, 1, 8), new, 0) end
    post(features, new, not moved_on and ticket or nil)
  end
  return new
end

bring = function(generation, ticket, features, even_purged)
  local place, at, card = follow(generation, ticket, even_purged)
  if not card then return nil end
  if place ~= memory.current then return recard(place, at, features) end
  -- Who corrects a family, or looks at it, has no features.
  if has(card.flags, UNFILED) and not has(card.flags, PURGED) and features ~= '' then
    card.flags = card.flags - UNFILED
    place.write(at, card)
    post(features, at)
  end
  return at
end

local function each_member(generation, root, visit)
  local ticket, steps = root, 0
  while ticket ~= NONE and steps < LONGEST_WALK do
    local card = generation.card(ticket)
    if not card then return end
    if in_family(card.flags) then visit(ticket, card) end
    ticket, steps = card.following, steps + 1
  end
end

-- The first published member of a family (the earliest, where the policy says so): its ticket, or nil.
local function first_member(generation, root)
  local best, best_card
  each_member(generation, root, function(ticket, card)
    if not is_live(card) then return end
    local is_later = memory.earliest and best and best_card.published > 0 and
      (card.published == 0 or card.published >= best_card.published)
    if best ~= root and not is_later then best, best_card = ticket, card end
  end)
  return best
end

-- What the root of a family was in another generation: members may have been left behind it there.
local function old_root_of(generation, root)
  if generation == memory.current then return nil end
  local value = generation.find_digest(string.sub(memory.current.card(root).id, 1, 8))
  if not value or value >= COPY then return nil end
  local place, ticket = follow(generation, value, true)
  return place == memory.current and ticket == root and value or nil
end

-- A family whose head is gone gets another, or none where no other member was published.
promote = function(root)
  local head = first_member(memory.current, root)
  for _, generation in ipairs(memory.generations) do
    local old_root = not head and old_root_of(generation, root)
    local old_head = old_root and first_member(generation, old_root)
    head = head or (old_head and bring(generation, old_head, ''))
  end
  set_head(root, head or NONE)
end

-- The head of a family: its ticket and card, or nil where no member is published.
local function head_of(root, root_card)
  local function head()
    if root_card.owner == NONE then return nil end
    local _, ticket, card = follow(memory.current, root_card.owner)
    if card and is_live(card) then return ticket, card end
  end
  local ticket, card = head()
  if not card and root_card.owner ~= NONE then
    promote(root)
    ticket, card = head()
  end
  return ticket, card
end

-- The record by one of its digests: {generation, ticket, card}, and whether the digest was that of a copy of it.
local function find_digest(digest)
  for _, generation in ipairs(memory.generations) do
    local value = generation.find_digest(digest)
    if value then
      local place, ticket, card = follow(generation, value % COPY)
      if card then return {place, ticket, card}, value >= COPY end
    end
  end
end

local function open_window(first_key, at, number, seconds, seen)
  local window = {number = tonumber(number), seconds = tonumber(seconds), seen = tonumber(seen), fresh = {}}
  window.current = open_generation({unpack(KEYS, first_key, first_key + 5)})
  window.before = open_generation({unpack(KEYS, first_key + 6, first_key + 11)})
  window.current.window, window.before.window = at, at
  memory.windows[at] = window
end

-- KEYS from `first_key` on, for each window: state postings exact cards earlier fresh of the current generation and of the
-- one before. `windows`: number of the current generation, how long one is, and tickets that were given when the
-- candidates were read, for each; `home`: the window of the article's lane; `policy`: drop, tag or link; `head`: which
-- member stands for a family. False where the memory moved on to another generation.
local function open_memory(first_key, windows, home, policy, head)
  local now = now_seconds()
  for number, seconds, seen in string.gmatch(windows, '(%d+):(%d+):(%d+)') do
    if math.floor(now / seconds) ~= tonumber(number) then return false end
    local opened = #memory.windows
    open_window(first_key + 12 * opened, opened + 1, number, seconds, seen)
  end
  for _, window in ipairs(memory.windows) do memory.generations[#memory.generations + 1] = window.current end
  for _, window in ipairs(memory.windows) do memory.generations[#memory.generations + 1] = window.before end
  memory.home, memory.policy, memory.earliest = tonumber(home), policy, head == 'earliest_published'
  use_window(memory.home)
  return true
end

-- The windows in which so much is fresh that it should be filed: 1 for the first, 2 for the second, 3 for both.
local function flush_memory()
  local due = 0
  for at, window in ipairs(memory.windows) do
    window.before.flush()
    if window.current.flush(2 * window.seconds) then due = due + at end
  end
  return due
end
