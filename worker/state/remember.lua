-- Decide and remember a run of articles; nothing is published, and no ledger knows of it.
-- KEYS: the memory's (cards.lua); ARGV: windows home policy head (cards.lua) n, then the four of copies.lua for each
-- article
-- Answer: 'generation' (memory moved on), or which windows are to be filed, then for each article that
-- was settled {verdict, record, version, family, relation, matched, similarity}, ids raw
if not open_memory(1, ARGV[1], ARGV[2], ARGV[3], ARGV[4]) then return 'generation' end
local answers, articles = {0}, read_articles(6, tonumber(ARGV[5]), 4)
for i = 0, ARGV[5] - 1 do
  local outcome = settle_article(articles[i])
  if not outcome then break end
  memory.outcomes[i] = outcome
  local _, root_card = root_of(outcome.ticket)
  answers[i + 2] = {outcome.verdict, memory.current.card(outcome.host or outcome.ticket).id, outcome.version,
    root_card.id, RELATIONS[outcome.relation] or '', outcome.matched or '', outcome.similarity or ''}
end
answers[1] = flush_memory()
return answers
