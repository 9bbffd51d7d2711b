"""The headline of a page, chosen among what the page says: heading elements, og:title, JSON-LD, title element.

The title element and og:title are written for search engines or for sharing as often as not. What readers
see decides, unless the visible heading is the search engines' one too: then og:title is the editors'.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher

import msgspec

from worker.clean.text import clean_line
from worker.parse.html_headings import Heading, words_of

_SEPARATOR = re.compile(
    r"\s+(?:[|\-–—·•»«›:/~❘ǀ▷⋆★*]|::|--|<|>|\|\|)\s+|\s*[|｜»│┃]\s*|(?<=[\u3040-\u9fff])--(?=[\u3040-\u9fff]+$)|"
    r"(?<=\w)_(?=[^\W_]+$)|(?<=[\u3040-\u9fff！？])[-_](?=[\u3040-\u9fff]{2,8}$)"
)
_DANGLING = re.compile(r"(?:\s+[|\-–—·•»:]+)+\s*$|^[|\-–—·•«»:]+\s+")
"""A separator whose other side is empty, as where a template had nothing to fill in."""
_COLON = re.compile(r"\s*[:：]\s*(?P<site>[^:：]+)$")
_NAME_AFTER = re.compile(r"(?:\s*[(\[]|,\s+)(?P<site>[^,()\[\]]{3,40})[)\]]?$")
_BAR = re.compile(r"\s+[|｜│┃❘]\s+")
_SHORT = 12
"""Letters up to which a text is too short to be told apart from a section's or a site's name."""
_FEW = 3
"""Words below which a heading is more likely a section's name."""
_ELLIPSIS = ("...", "…")


class Said(msgspec.Struct, frozen=True):
    """What a page's head says: title element, `shared` (og:title, twitter:title), `data` (JSON-LD), site names."""

    title: str = ""
    shared: tuple[str, ...] = ()
    data: tuple[str, ...] = ()
    sites: tuple[str, ...] = ()


def choose_headline(said: Said, headings: Iterable[Heading]) -> tuple[str, str] | None:
    """What the page says -> (headline, origin: h1, heading, og, json-ld or title); None where it says nothing."""
    found = list(headings)
    sites = [*_site_names(said), *(heading.text for heading in found if heading.home)]
    headings = [heading for heading in found if not heading.home]
    title = strip_site(said.title, sites, headings)
    shared = next((strip_site(text, sites, headings) for text in said.shared if text), "")
    data = next((strip_site(text, sites, headings) for text in said.data if text), "")
    references = [text for text in (title, shared, data) if text and not _is_site(text, sites)]
    heading = _visible(headings, references, sites)
    if heading is not None:
        confirmed = heading.crumb or _is_confirmed(shared, said, headings, sites)
        if _is_plain(shared, sites) and _prefer_shared(heading, title, shared, data, confirmed=confirmed):
            return shared, "og"
        others = {_key(shared), _key(heading.text)}
        if _is_plain(data, sites) and alike(data, title) and shared and len(others - {_key(data)}) > 1:
            # The visible heading and og:title have each been rewritten; what two others say still stands.
            return data, "json-ld"
        return _shown(heading, references, sites)
    for text, origin in ((shared, "og"), (data, "json-ld"), (title, "title")):
        if _is_plain(text, sites):
            return text, origin
    rest = [(text, origin) for text, origin in ((title, "title"), (shared, "og"), (data, "json-ld")) if text]
    first = next((one for one in headings if one.level == 1), None)
    return next(iter(rest), None) or ((first.text, "h1") if first else None)


def _prefer_shared(heading: Heading, title: str, shared: str, data: str, *, confirmed: bool) -> bool:
    """Whether og:title is the editors' headline.

    It is where the visible heading only repeats what is made for search engines, the title element and
    JSON-LD, and more than og:title alone says otherwise; and where it is the heading with its kicker.
    """
    shown = heading.text
    if alike(shared, shown):
        return False
    if alike(shared, heading.whole):
        return True
    if alike(shared, data) and ":" in shared and alike(shared.partition(":")[2], shown):
        return True
    for_search = (bool(data) and confirmed) or len(words_of(shown)) < _FEW
    return for_search and not alike(shared, title) and _key(title).startswith(_key(shown))


def _is_confirmed(shared: str, said: Said, headings: list[Heading], sites: list[str]) -> bool:
    """Whether a second title for sharing repeats og:title, or a heading ends with it."""
    key = _key(shared)
    repeated = sum(_key(strip_site(text, sites, headings)) == key for text in said.shared) > 1
    return repeated or any(_key(heading.whole or heading.text).endswith(key) for heading in headings)


def _shown(heading: Heading, references: list[str], sites: list[str]) -> tuple[str, str]:
    """The heading and its origin, without what runs into it and is no part of it."""
    origin = "h1" if heading.level == 1 else "heading"
    said = {_key(reference) for reference in references}
    if _key(heading.text) not in said:
        runs = (heading.parts[:end] for end in range(len(heading.parts) - 1, 0, -1))
        heads = [" ".join(run) for run in runs]
        heads += [" ".join(heading.parts[start:]) for start in range(1, len(heading.parts))]
        heads += [heading.text[: cut.start()] for cut in _SEPARATOR.finditer(heading.text)]
        for head in heads:
            if len(_key(head)) > _SHORT and _key(head) in said:
                return head, origin
    return _without_kicker(strip_name(heading.text, sites), references), origin


def _without_kicker(heading: str, references: list[str]) -> str:
    """The heading without a kicker that runs into it: what two others say, where the heading ends with just that."""
    shown = _key(heading)
    repeated = any(shown == _key(reference) for reference in references)
    for reference in references:
        said = _key(reference)
        if repeated and said != shown:
            continue
        agreed = sum(said == _key(other) for other in references) > 1
        if (
            agreed
            and len(said) > _SHORT
            and (shown.endswith(said) and (shown != said or reference.count(":") > heading.count(":")))
        ):
            return reference
    return heading


def _is_plain(text: str, sites: list[str]) -> bool:
    """Whether a text is a headline by its look: there, not cut, not the site's name."""
    return bool(text) and not text.rstrip().endswith(_ELLIPSIS) and not _is_site(text, sites)


def strip_site(text: str, sites: Iterable[str], headings: Iterable[Heading] = ()) -> str:
    """A title without the site's name at either end.

    Evidence, strongest first: a heading equals what stands before or after the separator; the part is a
    site name; the separator is a bar and the part the shorter one.
    """
    text, sites = _DANGLING.sub("", clean_line(text)), list(sites)
    colon = _COLON.search(text)
    if colon is not None and _is_site(colon["site"], sites):
        text = text[: colon.start()].rstrip(" :")
    text = _without_name_beside(text, sites)
    separators = list(_SEPARATOR.finditer(text))
    if not separators:
        return text
    shown = part_shown(text, (heading.text for heading in headings), sites)
    if shown != text:
        return shown
    named = strip_name(text, sites)
    if named != text:
        return named
    if _is_path_after(text):
        return text[: separators[0].start()]
    cut = separators[-1]
    head, tail = text[: cut.start()], text[cut.end() :]
    bar = "|" in cut.group() or "｜" in cut.group() or cut.group() in ("-", "--")
    return head if bar and len(tail) < len(head) else text


def part_shown(title: str, lines: Iterable[str], sites: Sequence[str] = ()) -> str:
    """The part of a title beside a separator that is one of these lines and no site's name; else all of it."""
    shown = {_key(line) for line in lines if len(line) > _SHORT}
    parts = (part for cut in _SEPARATOR.finditer(title) for part in (title[: cut.start()], title[cut.end() :]))
    return next((part for part in parts if _key(part) in shown and not _is_site(part, sites)), title)


def _without_name_beside(text: str, sites: list[str]) -> str:
    """A title without the site's name in brackets or after a comma at its end."""
    found = _NAME_AFTER.search(text)
    if found is None or _key(found["site"]) not in set(map(_key, sites)):
        return text
    rest = text[: found.start()]
    return rest if len(words_of(rest)) >= _FEW else text


def _is_path_after(text: str) -> bool:
    """Whether bars part a long text from two or more short ones: `Headline | News | Site`."""
    first, *rest = (words_of(part) for part in _BAR.split(text))
    return len(rest) > 1 and len(first) > _FEW and all(0 < len(part) <= _FEW for part in rest)


def strip_name(text: str, sites: Iterable[str]) -> str:
    """A title without what stands before or after a separator and is the site's name."""
    sites = list(sites)
    parts = [(text[: cut.start()], text[cut.end() :]) for cut in _SEPARATOR.finditer(text)]
    for head, tail in parts:
        if _is_site(tail, sites):
            return head
    for head, tail in reversed(parts):
        if _is_site(head, sites):
            return tail
    return text


def alike(left: str, right: str) -> bool:
    """Whether two texts are equal but for case, marks and spaces."""
    return _key(left) == _key(right)


def _visible(headings: list[Heading], references: list[str], sites: list[str]) -> Heading | None:
    """The heading that is the article's: an h1 that others speak for, or a lower one they name word for word."""
    usable = [heading for heading in headings if not _is_site(heading.text, sites)]
    first = [heading for heading in usable if heading.level == 1]
    if not references:
        named = [heading for heading in usable if heading.named]
        return first[0] if len(first) == 1 else named[0] if len(named) == 1 else None
    called = _called_headline(usable)
    if called is not None:
        return called
    best = max(first, key=lambda one: (_support(one, references), one.named), default=None)
    if best is not None and _support(best, references) >= 0.35:
        return best
    exact = [heading for heading in usable if any(_same(heading.text, one) for one in references)]
    if exact:
        return exact[0]
    lower = max(usable, key=lambda one: (_support(one, references), one.named, -one.level), default=None)
    if (
        lower is not None
        and lower.level > 1
        and (_support(lower, references) >= 0.75 and len(words_of(lower.text)) > 2)
    ):
        return lower
    return best if best is not None and len(first) == 1 and len(words_of(best.text)) > 3 else None


def _called_headline(headings: list[Heading]) -> Heading | None:
    """The heading below h1 that microdata call the headline, where they call only one so and it leads nowhere else."""
    items = {heading.text: heading for heading in headings if heading.item}
    only = next(iter(items.values())) if len(items) == 1 else None
    return only if only is not None and only.level > 1 and not only.linked else None


def _support(heading: Heading, references: list[str]) -> float:
    """0 to 1: how many of the heading's words the most similar reference shares, and the other way round."""
    return max((_overlap(words_of(heading.text), words_of(reference)) for reference in references), default=0.0)


def _overlap(left: list[str], right: list[str]) -> float:
    if not left or not right:
        return 0.0
    return 2 * len(set(left) & set(right)) / (len(set(left)) + len(set(right)))


def _site_names(said: Said) -> list[str]:
    return [name for name in map(clean_line, said.sites) if name]


def _is_site(text: str, sites: Iterable[str]) -> bool:
    """Whether a text is the site's name, or nearly (`News - Site`, `Site.com`)."""
    key = _key(text)
    return any(
        key and (key == name or (len(name) > 3 and key.endswith(name) and len(key) < len(name) + 12)
                 or (len(key) > 3 and name.startswith(key) and len(key) > len(name) * 0.4))
        for name in map(_key, sites)
    )  # fmt: skip


def _same(left: str, right: str) -> bool:
    """Equal, or one a little longer than the other at its end."""
    one, other = _key(left), _key(right)
    return bool(one and other) and (
        one == other or (min(len(one), len(other)) > 12 and SequenceMatcher(None, one, other).ratio() > 0.93)
    )


def _key(text: str) -> str:
    return "".join(words_of(text))
