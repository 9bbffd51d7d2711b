"""Everything that lives in Valkey: ledger, memory of articles, storage queue, sources, dead letters."""
