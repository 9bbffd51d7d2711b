"""`python -m worker` is the command `copydesk`."""

from __future__ import annotations

from worker.cli import main

if __name__ == "__main__":
    main()
