"""What identifies an article, as short digests.

Three questions, three digests:
- *Is it the same article of this source?* The identity ladder: guid, then canonical URL; where an article
  has neither, its text.
- *Did its text change?* The content digest of headline and body.
- *Is it an exact copy of another source's article?* The copy digest of the body alone, so that a copy under
  another headline is found; short bodies count together with their headline, and what is too short to
  judge has none.

Digests are BLAKE2b of normalised text: compatibility-folded (NFKC), casefolded, runs of white space and
punctuation as one space, so that quotes, dashes and line breaks never make a difference. Digits and letters
do.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime

from worker.dedupe.corrected import says_corrected
from worker.model import Article

LONG_BODY_WORDS = 50
"""From this length on an equal body is a copy whatever the headline says (a shorter one may be a notice)."""
SHORTEST_COPY_WORDS = 10
"""Below this length nothing is called a copy across sources: too short to judge."""
_VARIATION_SELECTORS = range(0xFE00, 0xFE10)
_MARKS = "".join(
    chr(point)
    for point in range(0x0300, 0x10000)
    if unicodedata.category(chr(point)).startswith("M") and point not in _VARIATION_SELECTORS
)
"""Accents and vowel signs: `\\w` leaves them out, but in Hindi or Thai they tell one word from another."""
_GAPS = re.compile(rf"[^\w{_MARKS}]+")
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]")
UNSPACED_CHARACTERS_PER_WORD = 2
"""Chinese and Japanese words are about two characters long; good enough to tell short from long."""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """The digests of one article.

    `identities` are 16-byte digests in the order of the ladder: the ids a record would get by each of them. `copy` is
    empty where the text is too short to judge; times are milliseconds since 1970, 0 where unknown.
    """

    identities: tuple[bytes, ...]
    copy: bytes
    content: bytes
    updated_milliseconds: int
    received_milliseconds: int

    @property
    def record_id(self) -> bytes:
        """The id a new record gets (16 raw bytes).

        Derived from source and strongest identity, so that a replay after a loss finds the same row again.
        """
        return self.identities[0]


def normalise(text: str) -> str:
    """Text with everything folded that never tells two articles apart. Idempotent."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return _GAPS.sub(" ", folded.replace("_", " ")).strip()


def count_words(text: str) -> int:
    """Words of a text in any script: runs of letters and digits, or pairs of characters where no spaces are written."""
    unspaced = len(_UNSPACED.findall(text))
    spaced = sum(1 for word in _UNSPACED.sub(" ", text).split() if any(c.isalnum() for c in word))
    return spaced + unspaced // UNSPACED_CHARACTERS_PER_WORD


def content_hash(article: Article) -> str:
    """Hex SHA-256 of the normalised headline and text (with corrections): the record's `content_hash`."""
    return hashlib.sha256(_content(article).encode("utf-8", "surrogatepass")).hexdigest()


def fingerprint(source_id: str, article: Article, received_at: datetime) -> Fingerprint:
    """The digests of an article of a source."""
    content = _digest("content", _content(article))
    ladder = _ladder(article) or [("text", content.hex())]
    return Fingerprint(
        identities=tuple(_digest("record", _digest(source_id, kind, value).hex()) for kind, value in ladder),
        copy=_copy_digest(article),
        content=content,
        updated_milliseconds=_milliseconds(article.updated_at),
        received_milliseconds=_milliseconds(received_at),
    )


def _ladder(article: Article) -> list[tuple[str, str]]:
    steps = []
    if article.guid and article.identity_guid:
        steps.append(("guid", _without_scheme(article.guid.strip())))
    url = article.canonical_url or article.url
    if url and article.identity_url:
        steps.append(("url", _without_scheme(url)))
    return steps


def _without_scheme(name: str) -> str:
    """An address is the same under http and https: a site that changes over brings no news by that."""
    return name.removeprefix("https://") if name.startswith("https://") else name.removeprefix("http://")


def _text(article: Article) -> str:
    return article.body_text or article.abstract or ""


def _content(article: Article) -> str:
    # The notice that takes an article back may repeat its text: it is a change all the same.
    withdrawn = "\nwithdrawn" if article.withdrawn else ""
    # A correction that only the metadata tell of is a change too.
    told = (correction.text for correction in article.corrections if correction.text not in article.body_text)
    corrected = "".join(f"\n{normalise(text)}" for text in told)
    return f"{normalise(article.headline or '')}\n{normalise(_text(article))}{corrected}{withdrawn}"


def _copy_digest(article: Article) -> bytes:
    body = "" if article.withdrawn else article.body_text
    words = count_words(body)
    if words < SHORTEST_COPY_WORDS:
        return b""
    if words < LONG_BODY_WORDS:
        return _digest("copy", normalise(article.headline or ""), normalise(body))
    # What was corrected may be the headline alone.
    corrected = ["corrected"] if says_corrected(article.headline or "") else []
    return _digest("copy", *corrected, normalise(body))


def _digest(*parts: str) -> bytes:
    joined = "\x00".join(parts).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(joined, digest_size=16).digest()


def _milliseconds(moment: datetime | None) -> int:
    return int(moment.timestamp() * 1000) if moment else 0
