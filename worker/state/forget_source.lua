-- Take the fingerprints of a source out of the memory, some chunks of cards at a time.
-- KEYS: the memory's twelve (copies.lua); ARGV: memory_ttl generation generation_seconds source first_chunk chunks
-- Answer: 'generation' (memory moved on), or {cards forgotten, 1 if there is more}
if math.floor(now_seconds() / ARGV[3]) ~= tonumber(ARGV[2]) then return 'generation' end
open_memory(1, 0, 'drop', '')
local first, last = ARGV[5] * CHUNK_CARDS, (ARGV[5] + ARGV[6]) * CHUNK_CARDS - 1
local forgotten = 0
for place, generation in ipairs({memory.current, memory.before}) do
  for ticket = first, math.min(last, generation.begin - 1) do
    local card = generation.card(ticket)
    if card and card.source == ARGV[4] and not has(card.flags, PURGED) then
      card.flags, card.sketch, card.content = card.flags + PURGED, string.rep('\0', SKETCH_BYTES), string.rep('\0', 8)
      generation.write(ticket, card)
      redis.call('HDEL', KEYS[6 * place - 1], card.id)
      if not has(card.flags, MOVED) and not has(card.flags, MOVED_ON) then forgotten = forgotten + 1 end
    end
  end
end
memory.before.flush()
memory.current.flush(ARGV[1])
return {forgotten, last < math.max(memory.current.begin, memory.before.begin) - 1 and 1 or 0}
