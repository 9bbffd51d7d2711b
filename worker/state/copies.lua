-- Shared by the scripts that decide: one article after the other against the memory (cards.lua), and what is remembered
-- of it. The script that uses this calls open_memory.
local NO_COPY = string.rep('\0', 8)

local function identify(a)
  for _, digest in ipairs(a.identities) do
    local found, is_copy = find_digest(digest)
    if found then return found, is_copy end
  end
end

-- What leads to the record from now on. Its own article adds identities, and takes none away from another record; any
-- other takes only those of copies.
local function remember_identities(a, ticket, flag, is_own)
  local id = memory.current.card(ticket).id
  for _, digest in ipairs(a.identities) do
    local known, is_copy
    if a.is_known then known, is_copy = find_digest(digest) end
    local is_free = not known or is_copy
    if is_own then is_free = not known or known[3].id == id end
    if is_free then put_digest(digest, ticket, flag) end
  end
end

-- The first of those with a text stays the one it leads to, as long as it is met.
local function remember_copy_digest(a, ticket)
  if a.copy == '' then return end
  local known = find_digest(a.copy)
  if not known or known[3].id == memory.current.card(ticket).id then put_digest(a.copy, ticket, 0) end
end

-- What the window that a record left says of it is out of date.
local function earlier_texts(card)
  if card.version < 2 then return '' end
  local current = memory.current
  for _, at in ipairs({current.window, 3 - current.window}) do
    local window = memory.windows[at] or {}
    for _, generation in ipairs({window.current, window.before}) do
      local texts = generation.earlier.get(card.id)
      if texts then
        if generation ~= current then current.earlier.set(card.id, texts) end
        return texts
      end
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
    if card.content == a.content then remember_copy_digest(a, ticket) end
    return {verdict = 'duplicate', ticket = ticket, version = card.version}
  end
  -- Texts the record had: enough to know a directory again, and a bound on what a live blog costs.
  memory.current.earlier.set(card.id, string.sub(earlier_texts(card) .. card.content, -MOST_EARLIER * 8))
  local change = {version = math.min(card.version + 1, 16777215), content = a.content, updated = a.updated,
    received = a.received, flags = with(card.flags, WITHDRAWN, a.withdrawn), sketch = card.sketch, published = card.published}
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
    if relation ~= EXACT then outcome.ticket = add_card(a, UNPUBLISHED, 0, relation, root, target) end
    remember_copy_digest(a, outcome.ticket)
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
  a.is_known = known ~= nil
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

-- ARGV from `at` on, four for each article:
-- digests   of the text that makes a copy (8 bytes, zeros where it has none), then 16 of each identity, strongest first
-- facts     as a card has them: content, times, source, sketch
-- features  four bytes each
-- decision  relation, 1 where it is a withdrawal, then, where it was judged: similarity (6 digits), target (8 bytes)
local function read_article(at)
  local digests, decision = ARGV[at], ARGV[at + 3]
  local a = {copy = string.sub(digests, 1, 8), identities = {}, id = string.sub(digests, 9, 24),
    features = ARGV[at + 2], relation = string.byte(decision, 1), withdrawn = string.byte(decision, 2) == 1,
    similarity = string.sub(decision, 3, 8), target = string.sub(decision, 9)}
  a.content, a.updated, a.received, a.published, a.source, a.sketch = struct.unpack('>' .. FACTS_FORMAT, ARGV[at + 1])
  if a.copy == NO_COPY then a.copy = '' end
  for place = 9, #digests, 16 do a.identities[#a.identities + 1] = string.sub(digests, place, place + 7) end
  return a
end

-- `n` articles, numbered from 0, `stride` arguments each; their digests are looked up all at once.
local function read_articles(first, n, stride)
  local articles, wanted = {}, {}
  for i = 0, n - 1 do
    local a = read_article(first + stride * i)
    articles[i] = a
    if a.copy ~= '' then wanted[#wanted + 1] = number_of(a.copy) end
    for _, digest in ipairs(a.identities) do wanted[#wanted + 1] = number_of(digest) end
  end
  for _, generation in ipairs(memory.generations) do
    if generation.tickets > 0 or generation == memory.current then generation.exact.load(wanted) end
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
