-- Shared by the scripts that decide: one article after the other against the memory, and what is remembered of it.
-- The script that uses this calls open_memory. A family lives in one window, the longest of those by whose lanes its
-- articles came: while an article is settled, `memory.current` is that window's generation, into which all it meets is brought.
-- A card that is ROOT names its family by its id, and in `owner` the family's head; any other names its root there.
-- `following` chains the members behind their root.
local LONGEST_WALK, NO_COPY = 10000, string.rep('\0', 8)

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

-- The ticket of a record in the current generation: what is found in another moves there, with its root and head.
-- The features are those of the article that found it: the sketch does not hold its own.
local bring

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
  local new = current.tickets
  if root then
    link(root, card, new)
    card.owner = root
    if current.card(root).owner == ticket and not moved_on then set_head(root, new) end
  elseif not is_root then -- its root has expired with the other window
    card.flags, card.owner, card.relation = card.flags + ROOT, new, 0
  elseif head == ticket then
    card.owner = new
  end
  current.add(card)
  old.owner = new
  if not moved_on then
    old.flags = old.flags + MOVED
  elseif generation.window == current.window then
    old.flags = old.flags + MOVED_ON
  else
    old.flags, old.received = old.flags + MOVED_ACROSS, memory.windows[current.window].number
  end
  generation.write(ticket, old)
  if is_root and moved_on and head ~= ticket and head ~= NONE then
    set_head(new, bring(generation, head, features) or NONE)
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
  return place == memory.current and at or recard(place, at, features)
end

local function root_of(ticket)
  local card = memory.current.card(ticket)
  if has(card.flags, ROOT) then return ticket, card end
  local _, root, root_card = follow(memory.current, card.owner, true)
  return root, root_card
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

-- A family whose head is gone gets another, or none where no other member was published.
local function promote(root)
  local head, digest = first_member(memory.current, root), string.sub(memory.current.card(root).id, 1, 8)
  for _, generation in ipairs(memory.generations) do
    local old_root = not head and generation ~= memory.current and generation.find_digest(digest)
    local old_head = old_root and old_root < COPY and first_member(generation, old_root)
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

local function each_identity(a, visit)
  for at = 1, #a.identities, 16 do visit(string.sub(a.identities, at, at + 7)) end
end

local function identify(a)
  for at = 1, #a.identities, 16 do
    local found, is_copy = find_digest(string.sub(a.identities, at, at + 7))
    if found then return found, is_copy end
  end
end

-- What leads to the record from now on. Its own article adds identities, and takes none away from another record.
local function remember_identities(a, ticket, flag, is_own)
  each_identity(a, function(digest)
    local known = is_own and find_digest(digest)
    if not known or known[3].id == memory.current.card(ticket).id then
      put_digest(digest, ticket, flag)
    end
  end)
end

local function remember_copy_digest(a, ticket)
  if a.copy ~= '' and not find_digest(a.copy) then put_digest(a.copy, ticket, 0) end
end

local function earlier_texts(card)
  if card.version < 2 then return '' end
  for _, generation in ipairs(memory.generations) do
    local texts = generation.earlier.get(card.id)
    if texts then
      if generation ~= memory.current then memory.current.earlier.set(card.id, texts) end
      return texts
    end
  end
  return ''
end

local function is_older(a, card)
  if a.updated > 0 and card.updated > 0 then return a.updated < card.updated end
  return a.received < card.received
end

-- A text the record had before is a file read again and no new version, unless its own times say it is newer.
local function is_read_again(a, card)
  if a.updated > 0 and card.updated > 0 and a.updated > card.updated then return false end
  local texts = earlier_texts(card)
  for at = 1, #texts, 8 do
    if string.sub(texts, at, at + 7) == a.content then return true end
  end
  return false
end

local function settle_own(a, found)
  local generation, ticket, card = unpack(found)
  if card.content == a.content or is_older(a, card) or is_read_again(a, card) then
    ticket = bring(generation, ticket, a.features)
    remember_identities(a, ticket, 0, true)
    return {verdict = 'duplicate', ticket = ticket, version = card.version}
  end
  -- Texts the record had: enough to know a directory again, and a bound on what a live blog costs.
  memory.current.earlier.set(card.id, string.sub(earlier_texts(card) .. card.content, -MOST_EARLIER * 8))
  local change = {version = math.min(card.version + 1, 16777215), content = a.content, updated = a.updated,
    received = a.received, flags = card.flags, sketch = card.sketch, published = card.published}
  local was_withdrawn = has(card.flags, WITHDRAWN)
  if a.withdrawn ~= was_withdrawn then change.flags = change.flags + (a.withdrawn and WITHDRAWN or -WITHDRAWN) end
  if not a.withdrawn then change.sketch, change.published = a.sketch, a.published end
  ticket = recard(generation, ticket, a.features, change)
  local root, root_card = root_of(ticket)
  if not head_of(root, root_card) and not a.withdrawn then set_head(root, ticket) end
  remember_identities(a, ticket, 0, true)
  if not a.withdrawn then remember_copy_digest(a, ticket) end
  return {verdict = 'updated', ticket = ticket, version = change.version, published = true, relation = card.relation}
end

-- A card for an article; without `root` it begins a family of its own.
local function add_card(a, flags, version, relation, root, beside)
  local current = memory.current
  local ticket = current.tickets
  if a.withdrawn then flags = flags + WITHDRAWN end
  local card = {id = a.id, owner = root or (a.withdrawn and NONE or ticket), following = NONE, version = version,
    flags = flags + (root and 0 or ROOT), relation = relation, content = a.content, updated = a.updated,
    received = a.received, published = a.published, source = a.source, sketch = a.sketch}
  if root then link(root, card, ticket) end
  current.add(card)
  post(a.features, ticket, nil, beside)
  return ticket
end

local function publish_card(a, relation, root, beside)
  local ticket = add_card(a, 0, 1, relation, root, beside)
  remember_identities(a, ticket, 0, false)
  remember_copy_digest(a, ticket)
  return ticket
end

-- The record that takes a sighting of a copy of this ticket: the family's head, but a revision stands for itself.
local function host_of(ticket, root, root_card)
  local card = memory.current.card(ticket)
  if card.relation ~= REVISED or has(card.flags, UNPUBLISHED) then return head_of(root, root_card) end
  if is_live(card) then return ticket, card end
end

local function comes_first(a, card)
  return memory.earliest and a.published > 0 and card.published > 0 and a.published < card.published
end

-- A copy of `target` (a ticket). `known` is what the article's identity led to: a place that was seen before.
local function settle_copy(a, target, relation, similarity, known)
  local current = memory.current
  local root, root_card = root_of(target)
  local host, host_card = host_of(target, root, root_card)
  local head = head_of(root, root_card)
  local matched = current.card(target).id
  local outcome = {relation = relation, similarity = similarity, matched = matched, near = relation ~= EXACT}
  if not host or (host == head and comes_first(a, host_card)) then
    outcome.verdict, outcome.version, outcome.published, outcome.near = 'stored', 1, true, false
    outcome.ticket = publish_card(a, relation, root, target)
    if not head or host == head then set_head(root, outcome.ticket) end
    return outcome
  end
  if matched == a.id then outcome.matched = host_card.id end
  outcome.verdict = relation == EXACT and 'duplicate' or 'near_duplicate'
  local is_new_place = not known or known[3].id ~= host_card.id
  if relation == EXACT or memory.policy == 'drop' then
    outcome.version, outcome.ticket, outcome.sighted = 0, target, is_new_place and host
    if relation ~= EXACT then
      outcome.ticket = add_card(a, UNPUBLISHED, 0, relation, root, target)
      remember_copy_digest(a, outcome.ticket)
    end
    outcome.host = host
    remember_identities(a, host, COPY, false)
    return outcome
  end
  outcome.version, outcome.published = 1, true
  outcome.ticket = publish_card(a, relation, root, target)
  outcome.sighted = memory.policy == 'link' and is_new_place and host
  return outcome
end

-- The generation and ticket an article was judged against; nil where that record has changed or gone since its
-- candidates were read.
local function find_target(a)
  local kind = string.byte(a.target, 1)
  if kind == THIS_RUN then
    local earlier = memory.outcomes[u32(a.target, 2)]
    return follow(earlier.generation, earlier.ticket)
  end
  local window = memory.windows[math.floor(kind / 2) + 1]
  local ticket, version = struct.unpack('>I4I3', a.target, 2)
  local place, at, card = follow(kind % 2 == 0 and window.current or window.before, ticket)
  if card and card.version == version then return place, at end
end

-- The ticket of what was found, where the article and it live from now on.
local function join(a, place, ticket)
  use_window(longest(memory.current.window, window_of(place, place.card(ticket))))
  return bring(place, ticket, a.features)
end

local function decide(a)
  use_window(memory.home)
  local known, is_copy = identify(a)
  if known and not is_copy then
    use_window(longest(memory.home, window_of(known[1], known[3])))
    return settle_own(a, known)
  end
  local exact = a.copy ~= '' and find_digest(a.copy)
  if exact then return settle_copy(a, join(a, exact[1], exact[2]), EXACT, '1.0', known) end
  local target
  if a.target ~= '' then
    local place, ticket = find_target(a)
    if not place then return nil end
    target = join(a, place, ticket)
  end
  if target and a.relation ~= REVISED then return settle_copy(a, target, a.relation, a.similarity, known) end
  if came_between(a) then return nil end
  if not target then
    return {verdict = 'stored', ticket = publish_card(a, 0), version = 1, published = true}
  end
  local root, root_card = root_of(target)
  local ticket = publish_card(a, REVISED, root)
  if not head_of(root, root_card) then set_head(root, ticket) end
  return {verdict = 'updated', ticket = ticket, version = 1, published = true, relation = REVISED,
    similarity = a.similarity, matched = memory.current.card(target).id}
end

-- The verdict of an article, remembered; nil where the candidates must be read again first.
-- {verdict, ticket, version, published, relation, similarity, matched (raw id), near, sighted and host (tickets),
-- generation in which the tickets are: `memory.current` until the next article is settled}
local function settle_article(a)
  local outcome = decide(a)
  if outcome then outcome.generation = memory.current end
  return outcome
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

-- ARGV from `at` on, four for each article:
-- digests   of the text that makes a copy (8 bytes, zeros where it has none), then 16 of each identity, strongest first
-- facts     as a card has them: content, times, source, sketch
-- features  four bytes each
-- decision  relation, 1 where it is a withdrawal, then, where it was judged: similarity (6 digits), target (8 bytes)
local function read_article(at)
  local digests, decision = ARGV[at], ARGV[at + 3]
  local a = {copy = string.sub(digests, 1, 8), identities = string.sub(digests, 9), id = string.sub(digests, 9, 24),
    features = ARGV[at + 2], relation = string.byte(decision, 1), withdrawn = string.byte(decision, 2) == 1,
    similarity = string.sub(decision, 3, 8), target = string.sub(decision, 9)}
  a.content, a.updated, a.received, a.published, a.source, a.sketch = struct.unpack('>' .. FACTS_FORMAT, ARGV[at + 1])
  if a.copy == NO_COPY then a.copy = '' end
  return a
end

-- `n` articles, numbered from 0, `stride` arguments each; their digests are looked up all at once.
local function read_articles(first, n, stride)
  local articles, numbers = {}, {}
  for i = 0, n - 1 do
    local a = read_article(first + stride * i)
    articles[i] = a
    if a.copy ~= '' then numbers[#numbers + 1] = u32(a.copy, 1) end
    for at = 1, #a.identities, 16 do numbers[#numbers + 1] = u32(a.identities, at) end
  end
  for _, generation in ipairs(memory.generations) do
    if generation.tickets > 0 or generation == memory.current then generation.exact.load(numbers) end
  end
  return articles
end

local known_hex = {}
local function hex(raw)
  local text = known_hex[raw]
  if not text then
    text = string.format('%08x%08x%08x%08x', struct.unpack('>I4I4I4I4', raw))
    known_hex[raw] = text
  end
  return text
end
