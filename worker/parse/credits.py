"""Lines that say where a text comes from: credit lines, syndication trailers."""

from __future__ import annotations

import re

import msgspec

from worker.clean.people import Byline, parse_byline

_LONGEST_CREDIT = 300
_LONGEST_TRAILER = 160
_SOURCE = r"(?P<source>[^\s.,;][^.;\n]{0,58}(?:\.[a-z]{2,10}(?:\.[a-z]{2})?)?)"
_END = r"\s*[.»)\]]*$"
_TRAILERS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        (
            r"(?:^|(?<=\s))[(\[]?(?:Click here to )?Read (?:the )?(?:full|original|complete|entire|rest|more)"
            rf"(?: of (?:the|this))?(?: (?:article|story|post|report|text))? (?:at|on|in|from) {_SOURCE}{_END}"
        ),
        (
            r"(?:^|(?<=\s))[(\[]?(?:This (?:article|story|post|report) (?:was |has been )?)?(?:first |originally )+"
            rf"(?:published|appeared|posted) (?:at|on|in|by) {_SOURCE}{_END}"
        ),
        rf"(?:^|(?<=\s))The post .{{1,200}} (?:first )?appeared (?:first )?on {_SOURCE}{_END}",
        rf"^[(\[]?(?:Source|Quelle|Fuente|Fonte|Bron|Источник)\s*:\s*{_SOURCE}{_END}",
        (
            rf"(?:^|(?<=\s))(?:Den (?:ganzen|vollständigen) Artikel (?:auf|bei) |Lire l['’]article complet sur |"
            rf"Leer (?:el )?artículo completo en ){_SOURCE}(?: lesen)?{_END}"
        ),
    )
)
_CREDITS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        (
            r"^[(\[]?(?P<names>.{3,150}?) (?:also )?contributed(?: reporting)?"
            r"(?: to (?:this|the) (?:report|story|article))?"
            r"(?: from [^,.;]{2,40})?(?: (?:for|of) (?P<source>[^.;]{2,60}?))?[.)\]]*$"
        ),
        (
            r"^[(\[]?(?:Additional )?reporting by (?P<names>[^;.]{3,150})"
            r"(?:[;.]\s*(?:additional reporting|writing|editing) by .*)?$"
        ),
        r"^(?:Mitarbeit|Mitwirkung)\s*:\s*(?P<names>.{3,150})$",
        r"^(?P<names>.{3,150}?) (?:a|ont) contribué à (?:cet article|ce reportage)(?: pour (?P<source>.{2,60}?))?\.?$",
        (
            r"^(?P<names>.{3,150}?) (?:contribuyó|contribuyeron) a (?:este|esta) (?:reportaje|informe|artículo|nota)"
            r"(?: para (?P<source>.{2,60}?))?\.?$"
        ),
    )
)
_PLACE_IN_NAMES = re.compile(r"\s+(?:in|from|aus|à|en)\s+[A-ZÀ-Þ][^,;&]*?(?=,|;|&| and | und | et | y |$)")


class Credit(msgspec.Struct, frozen=True):
    """Who contributed, and for whom."""

    byline: Byline
    source: str | None


def credit_line(paragraph: str) -> Credit | None:
    """A paragraph that is nothing but a credit line -> its people (role `contributor`); else None."""
    if len(paragraph) > _LONGEST_CREDIT:
        return None
    for pattern in _CREDITS:
        found = pattern.match(paragraph)
        if found is None:
            continue
        names = _PLACE_IN_NAMES.sub("", found["names"])
        byline = parse_byline(names, role="contributor")
        if byline.people and all(len(person.name.split()) <= 5 for person in byline.people):
            source = found.groupdict().get("source")
            return Credit(byline, source.strip() if source else None)
    return None


def split_trailer(paragraph: str) -> tuple[str, str | None]:
    """A paragraph -> (what precedes its syndication trailer, the site named there or None)."""
    for pattern in _TRAILERS:
        found = pattern.search(paragraph, max(0, len(paragraph) - _LONGEST_TRAILER - 260))
        if found is not None and _is_source(found["source"]):
            return paragraph[: found.start()].rstrip(), found["source"].strip()
    return paragraph, None


def _is_source(text: str) -> bool:
    """A site or a name: few words, and a capital letter or a domain somewhere."""
    return len(text.split()) <= 6 and (any(c.isupper() for c in text) or "." in text)
