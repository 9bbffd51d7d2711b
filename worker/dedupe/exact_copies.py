"""An exact copy as a record of its own: what was seen of it, with the text of the record it is a copy of. Pure.

Only the text is shared. What a publisher says about it (abstract, keywords, media, rights, sections) is its own: of the
copy it is unknown, and stays unknown.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import msgspec

from worker.dedupe.records import Candidate, make_candidate, make_record
from worker.events import Sighting
from worker.model import Article, Document, Record

WARNING = "text_of_withdrawn_record"
"""The record's text is that of another publisher's record, of which this one was seen to be an exact copy."""
_OF_THE_TEXT = ("body_text", "dateline", "language", "language_confidence", "is_full_text")
"""Fields that go with the text, whoever prints it."""


class ExactCopy(msgspec.Struct, frozen=True):
    """An exact copy that can be published: its record, and what the memory is told of it."""

    record: Record
    candidate: Candidate


def exact_copy(sighting: Sighting, text: Record, processed_at: datetime) -> ExactCopy | None:
    """The record of a copy, if this is the record whose text it has; else None, also where that is not known.

    The record is in the family of `text`.
    """
    facts, seen = sighting.facts, sighting.seen_in
    if facts is None or not facts.text:
        return None
    article = Article(
        headline=facts.headline,
        authors=facts.authors,
        source_name=facts.source_name,
        guid=facts.guid,
        url=seen.url,
        published_at=facts.published_at,
        published_precision=facts.published_precision,
        published_source=facts.published_source,
        # What is only told beside the text was told by its own publisher.
        corrections=tuple(one for one in text.corrections if one.text in text.body_text),
        warnings=(WARNING,),
        provenance={name: f"record {text.id} version {text.version}" for name in _OF_THE_TEXT if getattr(text, name)},
        **{name: getattr(text, name) for name in _OF_THE_TEXT},
    )
    document = Document(source_id=seen.source_id, origin=seen.origin or "", received_at=seen.at)
    candidate = make_candidate(article, document, text.lane, processed_at)
    if candidate.fingerprint.copy.hex() != facts.text:
        return None
    identities = tuple(bytes.fromhex(identity) for identity in facts.identities)
    record = msgspec.structs.replace(
        make_record(article, document, text.lane, processed_at),
        id=facts.identities[0],
        family_id=text.family_id,
        relation="exact",
        similarity=1.0,
        matched_id=text.id,
        raw_ref=seen.origin,
    )
    digests = replace(candidate.fingerprint, identities=identities)
    return ExactCopy(record, msgspec.structs.replace(candidate, fingerprint=digests))
