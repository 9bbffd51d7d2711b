"""The fault suite: a real `copydesk run` under every fault we know. `python -m tests.faults --help`."""
