"""Subjects that name their vocabulary: nodes in JSON-LD, and IPTC codes in meta elements."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from worker.clean.text import clean_line
from worker.model import Subject
from worker.parse.json_ld import names_of, types_of

_IPTC = re.compile(r"\b(medtop|subj):(\d{8})\b")
_IPTC_ADDRESS = re.compile(r"cv\.iptc\.org/newscodes/(mediatopic|subjectcode)/(\d{8})")
_PREFIXES = {"mediatopic": "medtop", "subjectcode": "subj"}
_MOST = 50
_LONGEST = 200


def subjects_in_node(node: dict[str, Any]) -> Iterator[Subject]:
    """Named things an article node is `about`, or mentions with a code; with scheme and code where it says them."""
    for name in ("about", "mentions"):
        value = node.get(name)
        for item in (value if isinstance(value, list) else [value])[:_MOST]:
            if isinstance(item, dict) and (label := _label(item)):
                scheme, code = _identity(item)
                if name == "about" or code:
                    yield Subject(name=label, scheme=scheme, code=code)


def _label(node: dict[str, Any]) -> str:
    return clean_line(next(iter(names_of(node)), ""))[:_LONGEST]


def _identity(node: dict[str, Any]) -> tuple[str | None, str | None]:
    """(scheme, code): of a defined term its own, else those in the address of the thing."""
    if "DefinedTerm" in types_of(node) and isinstance(node.get("termCode"), str | int):
        within = node.get("inDefinedTermSet")
        within = within.get("url") or within.get("@id") or within.get("name") if isinstance(within, dict) else within
        return (str(within)[:_LONGEST] if within else None), str(node["termCode"])[:_LONGEST]
    same = node.get("sameAs")
    for address in (*(same if isinstance(same, list) else [same])[:5], node.get("@id")):
        if isinstance(address, str) and address.startswith(("http://", "https://")) and len(address) <= _LONGEST:
            return _split(address)
    return None, None


def _split(address: str) -> tuple[str | None, str | None]:
    """An address -> the vocabulary (as prefix for IPTC's) and the code in it: what stands behind the last / or #."""
    if known := _IPTC_ADDRESS.search(address):
        return _PREFIXES[known[1]], known[2]
    trimmed = address.rstrip("/#")
    at = max(trimmed.rfind("/"), trimmed.rfind("#")) + 1
    host_end = trimmed.find("/", 8)
    return (trimmed[:at], trimmed[at:]) if 0 < host_end < at < len(trimmed) else (None, None)


def subjects_in_terms(values: Iterable[str]) -> Iterator[Subject]:
    """IPTC codes (`medtop:20000190`, or their addresses) in the values of meta elements; the code is the name."""
    for value in values:
        for prefix, code in _IPTC.findall(value):
            yield Subject(name=code, scheme=prefix, code=code)
        for kind, code in _IPTC_ADDRESS.findall(value):
            yield Subject(name=code, scheme=_PREFIXES[kind], code=code)
