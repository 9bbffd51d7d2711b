-- Candidates for near copies: what shares features with each article, most shared first.
-- KEYS: state postings exact cards earlier of the current generation, the same of the one before
-- ARGV: (features)*, four bytes a feature
-- Answer: {tickets given so far in the current generation, (list of candidates)*}; a candidate is one letter for its
-- generation (c or b), ticket (4 bytes), version (3 bytes) and sketch
local current = open_generation({unpack(KEYS, 1, 5)})
local before = open_generation({unpack(KEYS, 6, 10)})

local function vote(generation, letter, features, votes)
  if generation.begin == 0 then return end
  local buckets, blobs, of = generation.postings.load(features), generation.postings.values, {}
  for i = 1, #buckets do
    local blob, print = blobs[buckets[i]], features.prints[i]
    local tickets = blob and string.find(blob, print, 1, true) and tickets_under(blob, print)
    if tickets and #tickets < EVERYWHERE then
      for _, ticket in ipairs(tickets) do
        local known = of[ticket]
        if known then
          known.count = known.count + 1
        else
          known = {generation = generation, letter = letter, ticket = ticket, count = 1}
          of[ticket], votes[#votes + 1] = known, known
        end
      end
    end
  end
end

-- Most shared features first, then the newest.
local function is_better(one, other)
  if one.count ~= other.count then return one.count > other.count end
  if one.letter ~= other.letter then return one.letter > other.letter end
  return one.ticket > other.ticket
end

local function candidates(features)
  local votes, found, seen = {}, {}, {}
  vote(current, 'c', features, votes)
  vote(before, 'b', features, votes)
  if #votes > MOST_CANDIDATES then table.sort(votes, is_better) end
  for i = 1, math.min(#votes, MOST_CANDIDATES) do
    local place, ticket, card = follow(votes[i].generation, votes[i].ticket, current)
    local letter = place == current and 'c' or 'b'
    if card and not seen[letter .. ticket] then
      seen[letter .. ticket] = true
      found[#found + 1] = letter .. struct.pack('>I4I3', ticket, card.version) .. card.sketch
    end
  end
  return found
end

local answer = {current.begin}
for i = 1, #ARGV do answer[i + 1] = candidates(read_features(ARGV[i])) end
return answer
