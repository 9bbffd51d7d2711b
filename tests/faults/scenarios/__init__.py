"""One module per kind of fault; `tests/faults/table.py` lists them."""
