"""Every Valkey key copydesk uses, with how long it lives. Nothing else builds a key.

All keys share one hash tag, so that a script may touch any of them together. `PERMANENT` keys are bounded by
the work in flight or by what an operator keeps; all other keys carry a TTL from the moment they are written
(tests/test_keys.py checks both).
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Literal, NamedTuple

from worker.model import Lane

Stage = Literal["received", "parsed"]
RECEIVED: Stage = "received"
PARSED: Stage = "parsed"
STAGES: tuple[Stage, ...] = (RECEIVED, PARSED)

PERMANENT = {
    "batch": "hash; one batch not yet settled: stage, lease, deliveries, documents, articles",
    "waiting": "zset per stage and lane; batch id -> when it entered the stage (depth and age)",
    "due": "zset per stage and lane; batch id -> when the sweeper may ring for it again",
    "in_flight": "hash; stage|lane -> documents not yet settled; bytes|lane -> their bytes",
    "counts:total": "hash; source|counter -> documents since the beginning",
    "spool": "hash; spool reference -> how many batches and letters hold it",
    "articles": "stream; the storage queue",
    "letters": "zset per verdict (rejected, dead); dead letter id -> when it was written",
    "letter": "string; one dead letter (the sweeper purges rejected ones after memory.rejected_days)",
    "sources": "hash; source id -> its definition",
    "polls": "zset; source id -> when it is due (all kinds but feeds)",
    "feeds": "zset; source id of a feed -> when it is due",
    "asking": "zset; leases on hosts -> when they lapse (at most feeds.at_once_everywhere)",
    "calls": "hash; source id -> rung (a bell waits) or held (it is being pulled); gone when the pull has ended",
    "poll": "hash per source; what the last poll left: validators, result, failures, seen files",
    "events": "hash; counters of the ledger's own work: rescued, redelivered, split, replayed, durable_waits, and "
    "stream_deleted_unacknowledged, which must stay 0",
    "clock": "string; what the server's clock said last",
    "paused": "hash; lane -> why pulling pauses (back-pressure)",
    "pauses": "hash; scope -> a pause by an operator or by the limit on burials",
    "pulses": "set; names of processes that give signs of life (readers drop those that ended)",
}
EXPIRING = {
    "host:<host>": "hash; when the host may be asked again, and who asks it now (the longest lease or rest)",
    "pulse:<process>": "string; the last sign of life of a process (15 seconds)",
    "counts:<day>": "hash; source|counter -> documents booked on that day (memory.counter_days)",
    "rate:<minute>": "hash; counter -> documents in that minute (3 hours)",
    "index:<generation>": "hash; sizes of the five below, see index.py (twice its window; a generation is a number, "
    "after `backfill:` where that lane has a window of its own)",
    "postings:<generation>": "hash; features -> tickets of articles that have them (twice its window)",
    "exact:<generation>": "hash; digests of identities and texts -> tickets (twice its window)",
    "cards:<generation>": "hash; tickets -> what is remembered of an article (twice its window)",
    "earlier:<generation>": "hash; record id -> digests of its earlier texts (twice its window)",
    "fresh:<generation>": "string; postings that are not filed yet (twice its window)",
    "furniture:<source>": "string; paragraphs a source prints again and again (twice its window)",
    "received:<batch>": "string; this batch was received, and settled perhaps (15 minutes: a repeated receive is none)",
    "probe": "string; written to see whether the server waits for its disk (a minute)",
    "receipts:<day>": "hash; digest of an origin -> its verdict (memory.receipt_days)",
    "robots:<url>": "string; a host's robots.txt, by its address (a day)",
    "forgotten:<source>": "hash; what the polls of a removed feed left, should it come back (30 days)",
}


class Generation(NamedTuple):
    """A generation of the memory: of which window (see windows.py), and its number since 1970."""

    window: str
    number: int

    @property
    def before(self) -> Generation:
        return Generation(self.window, self.number - 1)


@dataclass(frozen=True, slots=True)
class Keys:
    """Key names under one namespace."""

    namespace: str = "copydesk"

    def name(self, *parts: str) -> str:
        """The key `{namespace}:part:part`."""
        return ":".join((f"{{{self.namespace}}}", *parts))

    def batch(self, batch_id: str) -> str:
        return self.name("batch", batch_id)

    def waiting(self, stage: str, lane: Lane) -> str:
        return self.name("waiting", stage, lane)

    def due(self, stage: str, lane: Lane) -> str:
        return self.name("due", stage, lane)

    def day(self, kind: str, day: str) -> str:
        return self.name(kind, day)

    def minute(self, minutes_ago: int = 0) -> str:
        """Counters of one minute by this host's clock (only rates shown to people read them)."""
        return self.name("rate", str(int(time.time() // 60) - minutes_ago))

    def generation(self, kind: str, generation: Generation) -> str:
        window, number = generation
        return self.name(kind, *([window] if window else []), f"g{number}")

    def furniture(self, source_id: str) -> str:
        return self.name("furniture", source_id)

    def letter(self, letter_id: str) -> str:
        return self.name("letter", letter_id)

    def host(self, host: str) -> str:
        return self.name("host", host)

    def poll(self, source_id: str) -> str:
        return self.name("poll", source_id)

    def robots(self, url: str) -> str:
        return self.name("robots", url)

    def forgotten(self, source_id: str) -> str:
        return self.name("forgotten", source_id)

    @property
    def stream(self) -> str:
        """The storage queue, which consumers read: `{copydesk}:articles`."""
        return self.name("articles")

    @property
    def events(self) -> str:
        """Counters of the ledger's own work."""
        return self.name("events")
