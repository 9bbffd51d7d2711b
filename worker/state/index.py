"""The near-duplicate index: how the memory of articles lies in Valkey, and what the scripts are handed.

Each generation of the memory (windows.py) is five hashes and a string:

    index     how many cards, entries and buckets the others hold; `filed`: tickets below it left `fresh`
    postings  bucket -> entries of 6 bytes: 2 bytes of a feature's hash, 4 bytes ticket
    exact     bucket -> entries of 12 bytes: 8 bytes of a digest, 4 bytes ticket (highest bit: the digest is that
              of an unpublished copy of that record)
    cards     number of a chunk -> `CHUNK_CARDS` cards of `CARD_BYTES`; a ticket is the number of a card
    earlier   record id -> 8-byte digests of texts the record had before (only for records with several versions)
    fresh     string; entries that are not in `postings` yet (postings.py)

Both tables grow by linear hashing, so an article costs the same whether a thousand or ten million are remembered.
A ticket is given once: whatever was remembered after a lookup has a higher ticket than all the lookup saw, which is
how a verdict is validated (`came_between` in between.lua).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from worker.dedupe.fingerprint import Fingerprint
from worker.dedupe.judgement import Judgement
from worker.dedupe.records import Candidate
from worker.dedupe.sketch import SKETCH_BYTES, Sketch, source_print
from worker.model import Relation

HEADER = struct.Struct(">16sII3sBB8sIII4s")
"""A card before its sketch: record id, owner, following, version, flags, relation, content digest, then unix seconds
of the update and of receipt and unix minutes of publication (each 0 where unknown; see `_minutes`), source print."""
CARD_BYTES = HEADER.size + SKETCH_BYTES
CHUNK_CARDS = max(1, (2048 - 6) // CARD_BYTES)
"""As many cards as fill an allocation of 2,048 bytes, which the server's allocator has without waste."""
FIRST_POSTINGS, POSTINGS_FILL = 65_536, 32
FIRST_EXACT, EXACT_FILL = 1_024, 32
"""Buckets to begin with, and entries per bucket from which on one is split. Larger ones save memory and cost time."""
EVERYWHERE = 64
"""A feature of so many articles tells nothing: it is not looked up, and keeps only its newest entries."""
MOST_CANDIDATES = 24
MOST_EARLIER = 32
NOBODY = 0xFFFFFFFF
"""The ticket that stands for none."""
WITHDRAWN, MOVED, MOVED_ON, PURGED, ROOT, UNPUBLISHED, MOVED_ACROSS, UNFILED = 1, 2, 4, 8, 16, 32, 64, 128
"""Flags of a card; MOVED, MOVED_ON, MOVED_ACROSS: `owner` is the record's newer ticket, in this generation, in the
next, or in that of the other window whose number stands for the time of receipt; UNFILED: it moved on without features
to be filed under."""
THIS_RUN = 4
"""Where an article of the same run is, beside the places of `reference`."""
RELATIONS: tuple[Relation, ...] = ("exact", "syndicated", "excerpt", "rewrite", "revised")
"""A card's relation to its family is the number in this list, from 1; 0 is none."""
FRESH = struct.Struct(">IIIB")
"""An entry of `fresh` before its features: ticket, the one it replaces, the one beside it, how many features."""
FILED_FROM_BYTES = 20_000
"""At so many bytes (about 300 articles) of `fresh` its entries are filed; every lookup reads them."""
KINDS = ("index", "postings", "exact", "cards", "earlier", "fresh")
PRELUDE = (
    f"local SKETCH_BYTES, CARD_BYTES, CHUNK_CARDS = {SKETCH_BYTES}, {CARD_BYTES}, {CHUNK_CARDS}\n"
    f"local FIRST_POSTINGS = {FIRST_POSTINGS}\n"
    f"local FIRST_EXACT, EXACT_FILL = {FIRST_EXACT}, {EXACT_FILL}\n"
    f"local EVERYWHERE, MOST_EARLIER, FILED_FROM_BYTES = {EVERYWHERE}, {MOST_EARLIER}, {FILED_FROM_BYTES}\n"
    f"local THIS_RUN = {THIS_RUN}\n"
    f"local RELATIONS, EXACT, REVISED = {{{', '.join(repr(name) for name in RELATIONS)}}}, 1, {len(RELATIONS)}\n"
)
"""The same figures for the scripts."""
_MINUTES_BEFORE_1970 = 1_035_593_280
"""Minutes from year 1 to 1970, so that the oldest date of an archive is a number above 0."""


@dataclass(frozen=True, slots=True)
class Found:
    """A candidate: where its card is (`reference`, opaque), and its packed sketch."""

    reference: bytes
    sketch: bytes


@dataclass(frozen=True, slots=True)
class Card:
    """What is remembered of one article (its sketch left out)."""

    record_id: str
    owner: int
    following: int
    version: int
    flags: int
    relation: Relation | None
    received_at: datetime
    published_at: datetime | None
    source: bytes

    @property
    def is_current(self) -> bool:
        """False for what was purged, or has a newer card."""
        return not self.flags & (MOVED | MOVED_ON | MOVED_ACROSS | PURGED)


def feature_prints(sketch: Sketch) -> bytes:
    """The upper half of each feature, as the index files it."""
    return struct.pack(f">{len(sketch.features)}I", *[feature >> 32 for feature in sketch.features])


def reference(place: int, ticket: int, version: bytes) -> bytes:
    """Where a candidate's card is, as copies.lua takes it.

    `place`: 0 current generation, 1 the one before, 2 and 3 those of the other window, THIS_RUN an article of this run.
    """
    return struct.pack(">BI3s", place, ticket, version)


def in_run_candidates(sketches: Sequence[Sketch]) -> list[list[Found]]:
    """For each article of a run those before it that share a feature with it, most shared first."""
    holders: dict[int, list[int]] = {}
    lists: list[list[Found]] = []
    for index, sketch in enumerate(sketches):
        votes: dict[int, int] = {}
        for feature in sketch.features:
            filed = holders.setdefault(feature, [])
            for earlier in filed:
                votes[earlier] = votes.get(earlier, 0) + 1
            filed.append(index)
        best = sorted(votes, key=lambda earlier: (-votes[earlier], -earlier))[:MOST_CANDIDATES]
        lists.append([Found(reference(THIS_RUN, earlier, b""), sketches[earlier].packed) for earlier in best])
    return lists


def article_arguments(
    candidate: Candidate, sketch: Sketch, judgement: Judgement | None, found: Sequence[Found]
) -> tuple[bytes, bytes, bytes, bytes]:
    """The four arguments copies.lua takes for an article: digests, facts, features, decision."""
    digests = candidate.fingerprint
    source = source_print(candidate.source_id).to_bytes(4, "big")
    decision = bytes((RELATIONS.index(judgement.relation) + 1 if judgement else 0, candidate.withdrawn))
    if judgement:
        decision += f"{judgement.similarity:.4f}".encode() + found[judgement.candidate].reference
    return (
        digests.copy[:8].ljust(8, b"\0") + b"".join(digests.identities),
        digests.content[:8] + _times(digests, candidate.published_at) + source + sketch.packed,
        feature_prints(sketch),
        decision,
    )


def evidence_text(judgement: Judgement | None) -> str:
    """The features that decided, as `name=value name=value`."""
    return " ".join(f"{name}={value:g}" for name, value in judgement.evidence) if judgement else ""


def read_cards(chunk: bytes) -> Iterator[Card]:
    """The cards of a chunk, in order of their tickets."""
    for begin in range(0, len(chunk), CARD_BYTES):
        fields = HEADER.unpack_from(chunk, begin)
        record_id, owner, following, version, flags, relation, _, _, received, published, source = fields
        yield Card(
            record_id=record_id.hex(),
            owner=owner,
            following=following,
            version=int.from_bytes(version, "big"),
            flags=flags,
            relation=RELATIONS[relation - 1] if relation else None,
            received_at=datetime.fromtimestamp(received, UTC),
            published_at=moment_of(published),
            source=source,
        )


def _times(digests: Fingerprint, published_at: datetime | None) -> bytes:
    seconds = [_seconds(digests.updated_milliseconds), _seconds(digests.received_milliseconds)]
    return struct.pack(">III", *seconds, _minutes(published_at))


def _seconds(milliseconds: int) -> int:
    """Known times stay known: before 1970 they become its first second."""
    return min(max(milliseconds // 1000, 1), 0xFFFFFFFF) if milliseconds else 0


def _minutes(moment: datetime | None) -> int:
    return int(moment.timestamp() // 60) + _MINUTES_BEFORE_1970 + 1 if moment else 0


def moment_of(minutes: int) -> datetime | None:
    """The time of publication that a card holds."""
    if not minutes:
        return None
    return datetime.fromtimestamp((minutes - _MINUTES_BEFORE_1970 - 1) * 60, UTC)
