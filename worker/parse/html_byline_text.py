"""The names in the text of a byline: its lines, labels and joins, and what follows a name in them."""

from __future__ import annotations

import re
from collections.abc import Iterable

import lxml.html
from lxml import etree

from worker.clean.byline_words import names_alone
from worker.clean.people import BYLINE_PREFIX, is_agency, parse_byline
from worker.clean.text import clean_line

LABEL = re.compile(
    r"(?:by|(?:this )?article (?:was )?written by|written by|reported by|posted by|published by|words(?: by)?|"
    r"story by|text(?: by| von)?|authors?|"
    r"about the authors?|contributors?(?=\s*[:：])|redaktion(?=\s*[:：])|vo[nm]|verfasst von|"
    r"geschrieben von|erstellt von|veröffentlicht von|ein (?:gast)?(?:artikel|beitrag|bericht|kommentar) von|"
    r"autor(?:in|en|innen|es|a)?|par|"
    r"écrit par|publié par|auteurs?|por|escrito por|publicado por|di|scritto da|da|a cura di|autore|door|"
    r"geschreven door|af|av|skrevet av|tekst|от|автор|yazan|oleh|penulis|"
    r"投稿者|著者|作者|文|责任编辑|责编|编辑|记者|撰文)"
    r"(?:\s*[:：]\s*|\s+|$|(?-i:(?<=y|n|r)(?=[A-ZÀ-Þ])))",
    re.IGNORECASE,
)
_JOINS = re.compile(r"(?:and|und|et|y|e|og|och|en|&|,|;|/)", re.IGNORECASE)
DATE = (
    r"(?:\d{1,4}[./-]\d{1,2}[./-]\d{2,4}|\d{1,2}\.? [^\W\d_]{3,10}\.? \d{4}|"
    r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.? \d{1,2},? \d{4})"
)
# What follows a name in a byline: dates, times, reading times, counts, calls to follow, where or for whom.
_TAIL = re.compile(
    r"\s*(?:[|·•▪–—\n]|\s-\s|\b\d{1,4}[./:-]\d|\b\d{1,2}\.? [^\W\d_]{3,10}\.? \d{4}|"
    r"\b(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|mär|mai|okt|dez)[a-z]*\.? \d|"
    r"\b(?:published|updated|posted|last|follow|veröffentlicht|aktualisiert|stand|publié|mis à jour|publicado|"
    r"actualizado|pubblicato|hace|il y a|tiempo|read(?:ing)? time|min read|subscribe|see full bio|reviewed by|"
    r"medically|fact|edited by|read more|(?:in|for|on|am|um|le|el|vom)(?=\s+\S)|"
    r"(?-i:in|on|am|um|le|el|vom)$|illustration|fotos?|photos?|editor|责任编辑|责编|编辑|来源|发布时间)\b|"
    r"\s@\s).*",
    re.IGNORECASE | re.DOTALL,
)
_BEFORE = re.compile(
    r"^(?:about(?: the authors?)?|über|view all posts by|see all (?:articles|posts) by|"
    r"(?:zeige )?alle (?:beiträge|artikel) von|"
    r"this (?:post|article|story|piece|guide) (?:was |is )?(?:originally )?(?:written|published|posted|authored) by|"
    r"read more about|more (?:from|by)|posts? by|articles? by|insights from|author posted by)\s*:?\s*|"
    rf"^(?:posted|published|veröffentlicht|erstellt|publié|publicado)(?: on| am| le| el)?:? {DATE}[\d:., ]*"
    r"(?=(?:by|von|par|por) )|^[\s|·•–-]+",
    re.IGNORECASE,
)
_NO_DATE_AFTER = re.compile(r"\s+(?:in|for|le|el)\s", re.IGNORECASE)
"""What follows a whole name, but stands inside titles: `Human in the Loop`."""
_IN_BRACKETS = re.compile(r"\s*\([^()\s]+\s[^()]*\)")
_NAME_WORD = re.compile(
    r"(?:[^\W\d_a-zß-öø-ÿ][^\W\d_]*[.'’-]?)+|(?:[A-Z]\.)+|d[’'][A-Z]\w+|"
    r"(?:van|von|der|den|de|del|della|da|di|do|dos|du|la|le|el|al|bin|ben|ibn|zu|zur|af|av|y|e|ter|ten|st)\.?"
)
_TEAM = re.compile(
    r"(?:.* )?(?:team|staff|staff (?:writers?|reporters?|reports?)|desk|editors|editorial (?:board|staff)|newsroom|"
    r"\w*redaktion|redaktionsteam|redacción|rédaction|redazione|redação|redactie|redakcja|redaksi|редакция|"
    r"συντακτικ[ήη] ομ[άα]δα)|"
    r"(?:die )?(?:redaktion|redacción|rédaction|redazione|redação|redactie|redakcja|redaksi) .*",
    re.IGNORECASE,
)
"""A team that signs as such, in the languages of most feeds."""
_OUTLET = re.compile(r"(?:[A-Z][\w.'’-]* ){1,3}(?:News|TV|Online|Magazine|Radio|Weekly)(?: [A-Z][\w.'’-]*)?")
"""What signs as an outlet, where the line says `By`."""
_BESIDE = re.compile(r"\s+[/|·•–—-]\s+|\s*[|]\s*|\s*,\s+")
LONGEST = 160
_LONGEST_TEAM, _MOST_TEAM_WORDS = 60, 6
_MOST_LINES = 6
_MOST_WORDS = 5
_MOST_LETTERS = 3
_MOST_BESIDE = 12
"""Characters beside a single word in a line up to which it may be a name."""
_UNREAD = frozenset(["script", "style", "noscript", "svg", "button", "template", "select"])
_INLINE = frozenset(["a", "b", "strong", "em", "i", "span", "font", "u", "small", "bdi", "cite", "abbr", "mark"])


def look_like_names(names: Iterable[str]) -> bool:
    """Whether all names look like names: two to five words, each with a capital or a particle."""
    return all(map(looks_like_name, names))


def lines_of(root: lxml.html.HtmlElement) -> str:
    """An element's text; what stands in elements of its own starts a line, glued inline elements too."""
    pieces: list[str] = []
    skipping: object = None
    for event, node in etree.iterwalk(root, events=("start", "end")):
        if event == "start":
            if skipping is None and node.tag in _UNREAD:
                skipping = node
            if skipping is None:
                _add(pieces, node.text, "" if node.tag in _INLINE else "\n")
        else:
            if skipping is node:
                skipping = None
            if skipping is None and node is not root:
                _add(pieces, node.tail, "" if node.tag in _INLINE else "\n")
        if sum(map(len, pieces)) > 4 * LONGEST:
            break
    return "".join(pieces)


def _add(pieces: list[str], text: str | None, before: str) -> None:
    """Adds a piece of text; a capital right after a small letter of another element starts a line."""
    text = re.sub(r"\s+", " ", text or "")
    last = pieces[-1][-1:] if pieces else ""
    glued = bool(text) and last.islower() and (text[0].isupper() or bool(LABEL.fullmatch(pieces[-1].strip())))
    if text or before:
        pieces.append("\n" + text if before or glued else text)


def people_in(text: str, *, strict: bool) -> list[str]:
    """The names of the first line that holds any; a label or a conjunction alone in a line joins its neighbours."""
    joined = ""
    for line in filter(None, map(clean_line, text.split("\n"))):
        open_end = joined.endswith(",") or bool(LABEL.fullmatch(joined)) or _JOINS.fullmatch(joined.rpartition(" ")[2])
        starts = _JOINS.fullmatch(line) or line.startswith(("and ", "und ", ", ", "& ", "et "))
        joined = f"{joined} {line}" if joined and (open_end or starts) else f"{joined}\n{line}" if joined else line
    for line in joined.split("\n")[:_MOST_LINES]:
        names = _names_in_line(line[: 2 * LONGEST])
        if names and all(looks_like_name(name) if strict else _could_be_name(name) for name in names):
            return names
    return []


def organisation_in(text: str, sites: Iterable[str]) -> str | None:
    """The team, the agency or the site itself that a byline names; None where it names none of them."""
    known = {key for site in map(key_of, sites) for key in (site, site.partition(".")[0]) if key}
    for line in [line for line in map(clean_line, text.split("\n")) if line][:_MOST_LINES]:
        plain = _unlabelled(line[: 2 * LONGEST])
        name = _BESIDE.split(_TAIL.sub("", plain))[0].strip(" .:")
        if not 1 < len(name) <= _LONGEST_TEAM or len(name.split()) > _MOST_TEAM_WORDS:
            continue
        if (
            _TEAM.fullmatch(name)
            or is_agency(name)
            or key_of(name) in known
            or (plain != line and _OUTLET.fullmatch(name))
        ):
            return name
    return None


def key_of(name: str) -> str:
    """A name's letters and figures, to compare by; an address keeps its dots."""
    return "".join(re.findall(r"[^\W_]+|(?<=\w)\.(?=\w)", name.casefold()))


def _unlabelled(line: str) -> str:
    line = _BEFORE.sub("", line)
    for _ in range(2):
        line = LABEL.sub("", line, count=1) if LABEL.match(line) else line
    return BYLINE_PREFIX.sub("", line)


def _names_in_line(line: str) -> list[str]:
    line = names_alone(_IN_BRACKETS.sub("", _unlabelled(line)))
    kept = _TAIL.sub("", line)
    if not 2 <= len(kept) <= LONGEST or (" " not in kept and _NO_DATE_AFTER.match(line, len(kept))):
        return []
    people = parse_byline(kept).people
    likely = [person.name for person in people if len(person.name.split()) <= _MOST_WORDS]
    if len(likely) == 1 and " " not in likely[0] and len(kept) > _MOST_BESIDE + len(likely[0]):
        return []
    return likely if len(likely) == len(people) else []


def looks_like_name(name: str) -> bool:
    """Two to five words, each with a capital or a particle."""
    words = name.split()
    return 2 <= len(words) <= _MOST_WORDS and words[0][:1].isupper() and all(map(_NAME_WORD.fullmatch, words))


def _could_be_name(name: str) -> bool:
    """As a name looks, or a single word that is no abbreviation, or a script without capitals."""
    if " " not in name:
        return not name.isupper() or len(name) > _MOST_LETTERS
    return not any(map(str.isupper, name.upper())) or looks_like_name(name)
