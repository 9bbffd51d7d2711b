"""From the storage queue into a store: the writer loop, one module per sink, and reading back."""
