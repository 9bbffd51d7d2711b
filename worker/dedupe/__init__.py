"""Recognising copies: pure fingerprints here; the decision is taken inside `state/publish.lua`."""
