-- What was remembered since candidates were read: in `fresh`, or filed already (postings.py has the same rules).

-- Entries of tickets from `first` on that are not filed yet: feature -> {ticket, replaced, beside}*, oldest first.
local function read_fresh(window, first)
  if window.fresh[first] then return window.fresh[first] end
  local entries_of, fresh, at = {}, window.current.fresh(), 1
  while at <= #fresh do
    local ticket, features = u32(fresh, at), string.byte(fresh, at + 12)
    if ticket >= first then
      local entry = {ticket, u32(fresh, at + 4), u32(fresh, at + 8)}
      for place = at + 13, at + 9 + 4 * features, 4 do
        local feature = string.sub(fresh, place, place + 3)
        local entries = entries_of[feature] or {}
        entries[#entries + 1], entries_of[feature] = entry, entries
      end
    end
    at = at + 13 + 4 * features
  end
  window.fresh[first] = entries_of
  return entries_of
end

local function add_ticket(tickets, ticket, replaced, beside)
  local out = #tickets >= EVERYWHERE and 1
  for i, known in ipairs(tickets) do
    if known == ticket or known == beside then return end
    if known == replaced then out = i end
  end
  if out then table.remove(tickets, out) end
  tickets[#tickets + 1] = ticket
end

-- What is filed under a feature, and will be by entries of tickets from `first` on.
local function tickets_of(window, feature, first)
  local postings = window.current.postings
  local tickets = tickets_under(postings.get(postings.bucket(feature_number(feature))) or '', string.sub(feature, 3))
  for _, entry in ipairs(read_fresh(window, first)[feature] or {}) do add_ticket(tickets, unpack(entry)) end
  return tickets
end

local function came_in(window, a)
  local current, seen = window.current, window.seen
  if seen >= current.begin then return false end
  local between, some_filed = read_fresh(window, seen), seen < current.filed
  for at = 1, #a.features, 4 do
    local feature = string.sub(a.features, at, at + 3)
    local tickets = (some_filed or between[feature]) and tickets_of(window, feature, seen) or {}
    -- Copies that need no place beside an older fresh entry make a feature look as if it were everywhere.
    if #tickets >= EVERYWHERE then tickets = tickets_of(window, feature, 0) end
    for _, ticket in ipairs(#tickets < EVERYWHERE and tickets or {}) do
      if ticket >= seen then return true end
    end
  end
  return false
end

-- Was an article that shares a feature with this one remembered since its candidates were read?
local function came_between(a)
  for _, window in ipairs(memory.windows) do
    if came_in(window, a) then return true end
  end
  return false
end
