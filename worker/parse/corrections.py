"""Notices in which a text says that it was corrected.

    Correction: ...          This article was amended on 3 May 2025 to ...       In einer früheren Version hieß es ...
    (Corrects spelling ...)  Editor's note: An earlier version of this story ...

A notice is a paragraph of its own that begins like one of these, or a whole sentence of one, near the beginning or the
end of a text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import msgspec

from worker.clean.text import clean_line

_NOTICE_CHARACTERS = 1_500
"""A longer paragraph is a part of the story."""
_FIRST, _LAST = 3, 8
"""How many paragraphs from either end may hold notices."""

_DAY = r"\d{1,2}\.? ?[^\W\d]{3,12}\.? \d{4}|[^\W\d]{3,12}\.? \d{1,2},? \d{4}|\d{4}-\d{2}-\d{2}|\d{1,2}\.\d{1,2}\.\d{4}"
_DATED = re.compile(
    rf"(?:amended|corrected|updated|revised|korrigiert|berichtigt|corrigée?|corregid[oa]|corrett[oa]|corrigid[oa])"
    rf",? (?:on |am |le |el |il |em |den )(?P<day>{_DAY})|^[^:.]{{3,40}}?[ ,(](?P<label>{_DAY})\)?\s?[:：]",
    re.IGNORECASE,
)
_PREFIX = (
    r"[\s(\[*†•–—-]{0,6}(?:(?:editor['’]?s['’]? note|publisher['’]?s note|note|update|updated|"
    r"anm(?:erkung|\.) d(?:er|\.) red(?:aktion|\.)|"
    r"note de la rédaction|nota del? (?:editor|redactor|redacción))[^:：\w]{0,3}[:：]\s*)?"
)
_LABELS = (
    r"(?:corrections?(?: (?:and|&) clarifications?)?|clarification|corrected|erratum|korrektur|berichtigung|"
    r"richtigstellung|correctif|rectificatif|rectification|corrección|rectificación|fe de err(?:ores|atas)|correzione|"
    r"rettifica|errata(?: corrige)?|correção|erramos|correctie|rectificatie|rettelse|rättelse|oikaisu|sprostowanie|"
    r"oprava|исправление|поправка|訂正|更正|정정)(?: notice| appended)?"
    r"(?:[ ,(]{1,2}[^:：]{0,12}\d[^:：]{0,20})?\s?[:：]"
)
_WORK = r"(?:article|story|post|report|piece|page|column|headline|interview|review|caption|newsletter|version|dispatch)"
_ELSEWHERE = r"{0,40}\b(?:published|appeared|ran|posted)\b"
_OWN_SENTENCES = (
    rf"this {_WORK},? .{{0,60}}?\b(?:was|has been|have been) (?:since )?(?:amended|corrected)\b",
    rf"this {_WORK} (?:was|has been) (?:updated|revised|changed) (?:on .{{4,30}}? )?to (?:correct|clarify|fix)\b",
    rf"this {_WORK} corrects\b",
    rf"(?:in )?(?:an|the|our|a) (?:earlier|previous|initial|original) version of this {_WORK}\b(?!.{_ELSEWHERE})",
    rf"the (?:headline|caption|summary) (?:of|on|to|in) this {_WORK} (?:was|has been)\b",
    r"in einer (?:früheren|ersten|vorherigen) (?:version|fassung) (?:dieses|des) (?:artikels|textes|beitrags)\b",
    r"diese[rs]? (?:artikel|text|beitrag|bericht|meldung) wurde .{0,80}?(?:korrigiert|berichtigt)\b",
    r"cet article a été (?:corrigé|rectifié|modifié)\b",
    r"est[ea] (?:artículo|noticia|información|nota) (?:ha sido|fue) (?:corregid[oa]|rectificad[oa])\b",
    r"quest[oa] (?:articolo|notizia) è stat[oa] (?:corrett[oa]|rettificat[oa])\b",
    r"est[ea] (?:texto|artigo|reportagem|notícia|matéria) foi (?:corrigid[oa]|retificad[oa])\b",
    r"(?:in )?een eerdere versie van dit (?:artikel|bericht|stuk)\b",
)
"""Sentences that can be about nothing but the text they stand in."""
_SENTENCES = (
    *_OWN_SENTENCES,
    r"(?:in [^()]{3,30}? (?:story|item), )?corrects [^()]{8,}\)$",
    r"in einer (?:früheren|ersten|vorherigen|älteren|ursprünglichen) (?:version|fassung)\b",
    r"wir haben (?:das|dies|den fehler|die (?:stelle|angabe)) .{0,60}?(?:korrigiert|berichtigt)\b",
    r"(?:dans )?une (?:première|précédente) version de (?:cet|cette)\b",
    r"(?:dans )?une version (?:précédente|antérieure|initiale) de (?:cet|cette)\b",
    r"(?:en )?una versión (?:anterior|previa) de est[ea]\b",
    r"(?:in )?una (?:precedente versione|versione precedente) di quest[oa]\b",
    r"(?:em |n)?uma versão anterior dest[ea]\b",
    r"i en (?:tidligere|tidigare) (?:versjon|version) av\b",
)
_WITHIN = re.compile(
    rf"(?:[.!?…][\"'”’»)\]]{{0,2}}\s+|(?P<open>\())(?P<notice>{'|'.join(_OWN_SENTENCES)})", re.IGNORECASE
)
"""A sentence about its own text after others, or in brackets."""
_NOTICE = re.compile(rf"{_PREFIX}(?:{_LABELS}\s*\S|{'|'.join(_SENTENCES)})", re.IGNORECASE)


class Notice(msgspec.Struct, frozen=True):
    """What a notice says, and when it says that the text was corrected (as written)."""

    text: str
    day: str | None = None


def read_notice(paragraph: str) -> Notice | None:
    """A paragraph that is a correction notice -> the notice; else None."""
    if len(paragraph) > _NOTICE_CHARACTERS or _NOTICE.match(paragraph) is None:
        return None
    return _dated(paragraph)


def _sentence_in(paragraph: str) -> Notice | None:
    """A paragraph that ends in the sentences of a notice -> the notice; else None."""
    found = _WITHIN.search(paragraph)
    if found is None:
        return None
    text = paragraph[found.start("notice") :][:_NOTICE_CHARACTERS]
    return _dated(text.partition(")")[0] if found["open"] else text)


def _dated(text: str) -> Notice:
    dated = _DATED.search(text)
    return Notice(clean_line(text), (dated["day"] or dated["label"]) if dated else None)


def find_notices(paragraphs: Sequence[str]) -> Iterator[Notice]:
    """The correction notices near either end of a text, in order."""
    count = len(paragraphs)
    for index, paragraph in enumerate(paragraphs):
        if index < _FIRST or index >= count - _LAST:
            notice = read_notice(paragraph) or _sentence_in(paragraph)
            if notice is not None:
                yield notice
