"""Bytes in: files, inboxes, standard input and feeds become documents, and batches of the ledger.

source ──pull.pull_source──► inbox.py | directory.py ──► handover.py ──► Receiver (the ledger)
feeds that are due ──Polling──► http ──► feed.py (judge) ──► settled in groups
"""
