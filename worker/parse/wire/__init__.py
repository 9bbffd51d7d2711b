"""News wires: the exchange formats of agencies, one module each."""
