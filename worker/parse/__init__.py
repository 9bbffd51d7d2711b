"""Bytes -> articles: `worker.parse.document` is the one way in, `worker.parse.table` lists the parsers.

Nothing is imported here: who reads a setting or one media type does not pay for every parser.
"""
