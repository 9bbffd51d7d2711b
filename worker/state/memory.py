"""The memory of articles, and the one step that decides, remembers and publishes (publish.lua).

    sketch ──► look up (lookup.py) ──► judge ──► decide, remember, publish (publish.lua)
      ▲                                               │ somebody remembered a relevant article meanwhile
      └───────────────── the rest of the run ◄────────┘

How long it reaches back: windows.py. How it lies in Valkey: index.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from redis import Redis

from worker.config import Settings
from worker.dedupe.furniture import Furniture
from worker.dedupe.judgement import THRESHOLDS, Judgement, judge
from worker.dedupe.records import Candidate
from worker.dedupe.sketch import SKETCH_BYTES, Sketch, sketch_articles, source_print
from worker.errors import StateError
from worker.model import DedupePolicy, DedupeThreshold, Lane, Source
from worker.state.index import (
    Found,
    article_arguments,
    evidence_text,
    feature_prints,
    in_run_candidates,
)
from worker.state.keys import PARSED, Generation, Keys
from worker.state.ledger import Claim
from worker.state.lookup import Lookup
from worker.state.postings import Postings
from worker.state.receipts import receipt_field, today
from worker.state.scripts import Scripts
from worker.state.windows import Windows

RUN_ARTICLES = 100
"""Articles per call: long enough to spread the round trip, short enough to hold the server for few milliseconds."""
FORGOTTEN_CHUNKS = 200
"""Chunks of cards looked at in one call when a source is forgotten: about a millisecond of the server's time."""
_NO_SKETCH = Sketch(bytes(SKETCH_BYTES), (), ())


@dataclass(frozen=True, slots=True)
class Rules:
    """How near copies of a source are treated; see `worker.config.Dedupe`."""

    enabled: bool
    policy: DedupePolicy
    threshold: DedupeThreshold
    head: str


@dataclass(frozen=True, slots=True)
class Published:
    """What became of a batch: verdict per article in order, and spool references to delete when it is settled."""

    verdicts: tuple[str, ...]
    settled: bool
    freed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The verdict of an article that was settled without a ledger; ids are hexadecimal.

    `record_id`: the record it is, or the one that stands for it where it was dropped (then `version` is 0).
    `matched_id` is the article it was recognised by: it may be a dropped copy, which has the id of the record it
    would have become.
    """

    verdict: str
    record_id: str
    version: int
    family_id: str
    relation: str | None
    matched_id: str | None
    similarity: float | None
    evidence: str


@dataclass(frozen=True, slots=True)
class Run:
    """Articles that were judged against what the memory held at one instant.

    `generations`: the current one of each window; `seen`: tickets given there.
    """

    candidates: Sequence[Candidate]
    sketches: Sequence[Sketch]
    found: Sequence[Sequence[Found]]
    judgements: Sequence[Judgement | None]
    generations: tuple[Generation, ...]
    seen: tuple[int, ...]


def rules_for(settings: Settings, source: Source | None) -> Rules:
    """The deployment's rules, with those the source sets for itself."""
    dedupe = settings.dedupe
    return Rules(
        enabled=dedupe.enabled,
        policy=(source and source.dedupe_policy) or dedupe.policy,
        threshold=(source and source.dedupe_threshold) or dedupe.threshold,
        head=dedupe.head,
    )


class Memory:
    """Publishes the articles of claimed batches."""

    def __init__(self, redis: Redis, settings: Settings) -> None:
        self._redis = redis
        self._settings = settings
        self._keys = Keys(settings.state.namespace)
        self._windows = Windows(settings, self._keys)
        self._scripts = Scripts(redis)
        self._postings = Postings(redis, self._keys, self._scripts)
        self._lookup = Lookup(redis, self._keys, self._postings)

    def publish(self, claim: Claim, candidates: Sequence[Candidate], rules: Rules) -> Published:
        """Give every article of the claimed batch its verdict, in runs of `RUN_ARTICLES`.

        `candidates` are the articles after `claim.progress`. Where the lease was lost on the way, the rest is left to
        its new holder and `settled` is False.
        """
        verdicts: list[str] = []
        done = 0
        while done < len(candidates):
            run = self.prepare(candidates[done : done + RUN_ARTICLES], rules)
            answer = self.commit(claim, claim.progress + done, run, rules)
            if answer == b"lost":
                return Published(tuple(verdicts), False, ())
            if answer == b"generation":
                continue
            progress, settled, freed, named, _ = answer
            verdicts += [verdict.decode() for verdict in named]
            done = int(progress) - claim.progress
            if settled:
                return Published(tuple(verdicts), True, tuple(ref.decode() for ref in freed))
        raise StateError(f"batch {claim.batch.id} has more articles in the ledger than were published")

    def settle(self, candidates: Sequence[Candidate], rules: Rules) -> list[Outcome]:
        """Decide and remember articles of one source, in order, without a ledger; nothing is published."""
        outcomes: list[Outcome] = []
        while len(outcomes) < len(candidates):
            run = self.prepare(candidates[len(outcomes) : len(outcomes) + RUN_ARTICLES], rules)
            answer = self.remember(run, rules)
            outcomes += [_outcome(row, judgement) for row, judgement in zip(answer, run.judgements, strict=False)]
        return outcomes

    def prepare(self, candidates: Sequence[Candidate], rules: Rules) -> Run:
        """Sketch a run of one source's articles, look up what may resemble them, and judge."""
        generations = self._windows.now(self._redis)
        if not rules.enabled:
            nothing: list[list[Found]] = [[] for _ in candidates]
            unsketched = [_NO_SKETCH] * len(candidates)
            return Run(candidates, unsketched, nothing, [None] * len(candidates), generations, (0,) * len(generations))
        packed: Any = self._redis.get(self._keys.furniture(candidates[0].source_id))
        sketches = sketch_articles([candidate.to_sketch for candidate in candidates], Furniture.unpack(packed))
        seen, remembered = self.look_up(generations, sketches)
        found = [there + here for there, here in zip(remembered, in_run_candidates(sketches), strict=True)]
        judgements = judge(sketches, [[one.sketch for one in row] for row in found], THRESHOLDS[rules.threshold])
        return Run(candidates, sketches, found, judgements, generations, seen)

    def look_up(
        self, generations: Sequence[Generation], sketches: Sequence[Sketch]
    ) -> tuple[tuple[int, ...], list[list[Found]]]:
        """Tickets given so far in each window, and for each sketch what shares features with it."""
        return self._lookup.candidates(generations, [feature_prints(sketch) for sketch in sketches])

    def commit(self, claim: Claim, first: int, run: Run, rules: Rules) -> Any:
        """Publish a run, the first of which is article `first` of the batch; the answer is publish.lua's."""
        batch, days = claim.batch, self._settings.memory
        articles = self._article_arguments(run)
        more = [
            (
                receipt_field(one.origin, one.member) + evidence_text(judgement).encode(),
                one.sighting_tail,
                one.record,
            )
            for one, judgement in zip(run.candidates, run.judgements, strict=True)
        ]
        answer = self._scripts.run(
            "publish",
            self._publish_keys(claim, run.generations),
            [
                batch.id,
                claim.token,
                batch.lane,
                batch.source_id,
                first,
                len(run.candidates),
                days.counter_days * 86_400,
                days.receipt_days * 86_400,
                *self._opening(run, rules, batch.lane),
                *(part for article, rest in zip(articles, more, strict=True) for part in (*article, *rest)),
            ],
        )
        if isinstance(answer, list):
            self._count_furniture(run, [verdict.decode() for verdict in answer[3]])
            self._file(answer[4], run.generations)
        return answer

    def file_fresh(self) -> None:
        """File what waits to be filed in the current generations, however little it is."""
        generations = self._windows.now(self._redis)
        self._file(2 ** len(generations) - 1, generations)

    def forget_source(self, source_id: str) -> int:
        """Take a source's fingerprints out of the memory; how many articles were forgotten.

        They keep their place in their families; what was published stays published. Digests that say where exact
        copies were seen name no source: they stay until they expire.
        """
        forgotten, first, more = 0, 0, 1
        print_ = source_print(source_id).to_bytes(4, "big")
        while more:
            generations = self._windows.now(self._redis)
            arguments = [self._windows.script_text(generations), print_, first, FORGOTTEN_CHUNKS]
            answer = self._scripts.run("forget_source", self._windows.script_keys(generations), arguments)
            if answer == b"generation":
                first = 0
                continue
            forgotten, more, first = forgotten + int(answer[0]), int(answer[1]), first + FORGOTTEN_CHUNKS
        self._redis.delete(self._keys.furniture(source_id))
        return forgotten

    def remember(self, run: Run, rules: Rules) -> list[list[Any]]:
        """Decide and remember a run without a ledger; remember.lua's row for each article that was settled."""
        answer = self._scripts.run(
            "remember",
            self._windows.script_keys(run.generations),
            [
                *self._opening(run, rules, "news"),
                len(run.candidates),
                *(part for article in self._article_arguments(run) for part in article),
            ],
        )
        if answer == b"generation":
            return []
        rows: list[list[Any]]
        filing, *rows = answer
        self._file(filing, run.generations)
        self._count_furniture(run, [row[0].decode() for row in rows])
        return rows

    def _opening(self, run: Run, rules: Rules, lane: Lane) -> tuple[str | int, ...]:
        """What open_memory in cards.lua takes after the keys."""
        windows = self._windows
        return (windows.script_text(run.generations, run.seen), windows.home(lane), rules.policy, rules.head)

    def _publish_keys(self, claim: Claim, generations: Sequence[Generation]) -> list[str]:
        batch, keys = claim.batch, self._keys
        return [
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
            *self._windows.script_keys(generations),
        ]

    def _article_arguments(self, run: Run) -> list[tuple[bytes, bytes, bytes, bytes]]:
        parts = zip(run.candidates, run.sketches, run.judgements, run.found, strict=True)
        return [article_arguments(*part) for part in parts]

    def _file(self, due: int, generations: Sequence[Generation]) -> None:
        """`due`: as flush_memory in cards.lua says it, 1 for the first window and 2 for the second."""
        for at, (window, generation) in enumerate(zip(self._windows.windows, generations, strict=True)):
            if due & 1 << at:
                self._postings.file(generation, 2 * window.seconds)

    def _count_furniture(self, run: Run, verdicts: Sequence[str]) -> None:
        """Only what is new counts: the paragraphs of a text with many copies are no furniture.

        Two workers that count at once may lose a few counts, which come again with the next articles.
        """
        new = [
            sketch.paragraphs for sketch, verdict in zip(run.sketches, verdicts, strict=False) if verdict == "stored"
        ]
        if not any(new):
            return
        key = self._keys.furniture(run.candidates[0].source_id)
        packed: Any = self._redis.get(key)
        furniture = Furniture.unpack(packed)
        for paragraphs in new:
            furniture.count(paragraphs)
        self._redis.set(key, furniture.pack(), ex=2 * self._windows.longest_seconds)


def _outcome(row: list[Any], judgement: Judgement | None) -> Outcome:
    verdict, record, version, family, relation, matched, similarity = row
    is_exact = relation == b"exact"
    return Outcome(
        verdict=verdict.decode(),
        record_id=record.hex(),
        version=int(version),
        family_id=family.hex(),
        relation=relation.decode() or None,
        matched_id=matched.hex() or None,
        similarity=float(similarity) if similarity else None,
        evidence="" if is_exact or not relation else evidence_text(judgement),
    )
