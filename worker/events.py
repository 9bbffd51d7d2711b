"""What the storage queue carries beside records: where copies were seen, and which family records belong to now."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec

from worker.model import Author, Precision, Record, Relation, SeenIn


class CopyFacts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What a copy says of itself besides its text: enough to publish an exact copy, whose text is another record's.

    `identities` (hexadecimal, strongest first) are what it would be known by, the first of them its id as a record;
    `text` is the digest of the text that makes a copy, empty where that is too short to judge.
    """

    identities: Annotated[
        tuple[Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{32}$")], ...], msgspec.Meta(min_length=1)
    ]
    text: str = ""
    guid: str | None = None
    headline: str | None = None
    authors: tuple[Author, ...] = ()
    source_name: str | None = None
    published_at: datetime | None = None
    published_precision: Precision | None = None
    published_source: str | None = None


class Sighting(msgspec.Struct, frozen=True, kw_only=True):
    """A copy of a stored record was seen elsewhere: the head's `seen_in` grows by one.

    `copy` is the near copy itself, as it would have been published: kept beside its head, so that a wrong
    verdict can be taken back and a withdrawn head replaced. Exact copies carry none: their text is that of a record
    that is stored. `facts` is None in what copydesk sent before it had them.
    """

    id: str
    seen_in: SeenIn
    copy: Record | None = None
    facts: CopyFacts | None = None


class Member(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A record or kept copy of a family, and how it is related to it; None for who leads it, or joined it by hand."""

    id: str
    relation: Relation | None = None


class FamilyChange(msgspec.Struct, frozen=True, kw_only=True):
    """Members that belong to this family from now on, whatever their versions say.

    `head_id` is None where no member is published. A large family is told in several of these.
    """

    family_id: str
    head_id: str | None = None
    members: tuple[Member, ...]
