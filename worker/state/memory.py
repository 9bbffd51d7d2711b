"""The memory of articles, and the one step that decides, remembers and publishes (publish.lua).

Memory lives in generations of `memory.remember_days`: a lookup reads the current and the one before, and what
is found there moves into the current one, so an article that is still seen is never forgotten, and the rest
expires as whole keys.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from redis import Redis

from worker.config import Settings
from worker.dedupe.records import Candidate
from worker.errors import StateError
from worker.state.keys import PARSED, Keys
from worker.state.ledger import Claim
from worker.state.receipts import receipt_field, today
from worker.state.scripts import Scripts

RUN_ARTICLES = 100
"""Articles per call: long enough to spread the round trip, short enough to hold the server for few milliseconds."""


@dataclass(frozen=True, slots=True)
class Published:
    """What became of a batch: verdict per article in order, and spool references to delete when it is settled."""

    verdicts: tuple[str, ...]
    settled: bool
    freed: tuple[str, ...]


class Memory:
    """Publishes the articles of claimed batches."""

    def __init__(self, redis: Redis, settings: Settings) -> None:
        self._redis = redis
        self._settings = settings
        self._keys = Keys(settings.state.namespace)
        self._scripts = Scripts(redis)

    def publish(self, claim: Claim, candidates: Sequence[Candidate]) -> Published:
        """Give every article of the claimed batch its verdict, in runs of `RUN_ARTICLES`.

        `candidates` are the articles after `claim.progress`. Where the lease was lost on the way, the rest is left to
        its new holder and `settled` is False.
        """
        verdicts: list[str] = []
        done = 0
        while done < len(candidates):
            run = candidates[done : done + RUN_ARTICLES]
            answer = self._publish_run(claim, claim.progress + done, run)
            if answer == b"lost":
                return Published(tuple(verdicts), False, ())
            if answer == b"generation":
                continue
            progress, settled, freed, named = answer
            verdicts += [verdict.decode() for verdict in named]
            done = int(progress) - claim.progress
            if settled:
                return Published(tuple(verdicts), True, tuple(ref.decode() for ref in freed))
        raise StateError(f"batch {claim.batch.id} has more articles in the ledger than were published")

    def _publish_run(self, claim: Claim, first: int, run: Sequence[Candidate]) -> Any:
        batch, keys, days = claim.batch, self._keys, self._settings.memory
        generation_seconds = days.remember_days * 86_400
        generation = int(self._redis.time()[0]) // generation_seconds
        return self._scripts.run(
            "publish",
            [
                keys.batch(batch.id),
                keys.waiting(PARSED, batch.lane),
                keys.due(PARSED, batch.lane),
                keys.name("counts", "total"),
                keys.day("counts", batch.day),
                keys.minute(),
                keys.name("in_flight"),
                keys.name("spool"),
                keys.day("receipts", today()),
                keys.stream,
                *(
                    keys.generation(kind, number)
                    for kind in ("identity", "copies", "known")
                    for number in (generation, generation - 1)
                ),
            ],
            [
                batch.id,
                claim.token,
                batch.lane,
                batch.source_id,
                first,
                len(run),
                days.counter_days * 86_400,
                days.receipt_days * 86_400,
                2 * generation_seconds,
                generation,
                generation_seconds,
                *(part for candidate in run for part in _arguments(candidate)),
            ],
        )


def _arguments(candidate: Candidate) -> tuple[bytes | int, ...]:
    digests = candidate.fingerprint
    return (
        digests.record_id,
        b"".join(digests.identities),
        digests.copy,
        digests.content,
        digests.updated_milliseconds,
        digests.received_milliseconds,
        candidate.sighting_tail,
        receipt_field(candidate.origin, candidate.member),
        candidate.record_tail,
        b"withdraw" if candidate.withdrawn else b"",
    )
