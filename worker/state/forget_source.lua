-- Take the fingerprints of a source out of the memory, some chunks of cards at a time.
-- KEYS: the memory's; ARGV: windows (cards.lua for both) source first_chunk chunks
-- Answer: 'generation' (memory moved on), or {cards forgotten, 1 if there is more}
if not open_memory(1, ARGV[1], 1, 'drop', '') then return 'generation' end
local first, last = ARGV[3] * CHUNK_CARDS, (ARGV[3] + ARGV[4]) * CHUNK_CARDS - 1
local forgotten, most = 0, 0
for _, generation in ipairs(memory.generations) do
  most = math.max(most, generation.begin)
  for ticket = first, math.min(last, generation.begin - 1) do
    local card = generation.card(ticket)
    if card and card.source == ARGV[2] and not has(card.flags, PURGED) then
      card.flags, card.sketch, card.content = card.flags + PURGED, string.rep('\0', SKETCH_BYTES), string.rep('\0', 8)
      generation.write(ticket, card)
      redis.call('HDEL', generation.earlier.key, card.id)
      if not has_moved(card.flags) then forgotten = forgotten + 1 end
    end
  end
end
flush_memory()
return {forgotten, last < most - 1 and 1 or 0}
