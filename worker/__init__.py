"""copydesk: pull article files and feeds, parse, recognise copies, store each record once.

Read `worker/pipeline.py` first: it is the straight line that everything else serves.
"""

__version__ = "0.1.0"
