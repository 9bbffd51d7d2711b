-- Decide and remember a run of articles; nothing is published, and no ledger knows of it.
-- KEYS: the memory's twelve (copies.lua); ARGV: memory_ttl generation generation_seconds seen policy head n, then the four
-- of copies.lua for each article
-- Answer: 'generation' (memory moved on), or whether filing is due, then for each article that
-- was settled {verdict, record, version, family, relation, matched, similarity}, ids raw
if math.floor(now_seconds() / ARGV[3]) ~= tonumber(ARGV[2]) then return 'generation' end
open_memory(1, ARGV[4], ARGV[5], ARGV[6])
local answers, articles = {0}, read_articles(8, tonumber(ARGV[7]), 4)
for i = 0, ARGV[7] - 1 do
  local outcome = settle_article(articles[i])
  if not outcome then break end
  memory.outcomes[i] = outcome
  local _, root_card = root_of(outcome.ticket)
  answers[i + 2] = {outcome.verdict, memory.current.card(outcome.host or outcome.ticket).id, outcome.version,
    root_card.id, RELATIONS[outcome.relation] or '', outcome.matched or '', outcome.similarity or ''}
end
memory.before.flush()
if memory.current.flush(ARGV[1]) then answers[1] = 1 end
return answers
