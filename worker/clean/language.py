"""The language of a text, by py3langid, weighed against what was declared. Tags are BCP 47."""

from __future__ import annotations

import re
from functools import cache

import msgspec
from py3langid.langid import MODEL_FILE, LanguageIdentifier

_TEXT_CHARACTERS = 1000
"""How much text is looked at: accuracy no longer grows beyond, cost does."""

_FIRST_CHARACTERS = 300
"""How much is looked at first; only where that leaves a doubt, or speaks against a declaration, all of the sample."""
_CERTAIN = 0.99

_SURE_CHARACTERS = 60
"""Below this length the declaration is believed, for detection on a line or two is a guess."""

_SURE = 0.9
"""Confidence above which detection overrules a declaration."""

_GUESS = 0.2
"""Confidence below which a language is a guess among hundreds, and none is given."""

_TAG = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z]{4})?(?:-(?:[A-Za-z]{2}|\d{3}))?(?![A-Za-z\d])")
_NO_LANGUAGE = {"und", "mul", "zxx", "mis"}
# Codes that were withdrawn from ISO 639-1, and countries that are written for languages and name none.
_MEANT = {"iw": "he", "in": "id", "ji": "yi", "jp": "ja", "cz": "cs", "gr": "el", "dk": "da", "ua": "uk", "cn": "zh"}
# Written so much alike that a detector cannot overrule a declaration.
_ALIKE = (
    frozenset(("no", "nb", "nn", "da")),
    frozenset(("sr", "hr", "bs", "sh", "cnr")),
    frozenset(("id", "ms")),
    frozenset(("fil", "tl")),
    frozenset(("gl", "pt")),
    frozenset(("zh", "yue", "wuu")),
    frozenset(("ur", "pnb")),
    frozenset(("fa", "prs")),
)


class Language(msgspec.Struct, frozen=True):
    """A BCP 47 tag (None: unknown), confidence 0 to 1, where it comes from, and doubts as warning codes."""

    tag: str | None
    confidence: float | None = None
    origin: str = "detected"
    warnings: tuple[str, ...] = ()


def normalize_tag(tag: str | None) -> str | None:
    """`EN_us` -> `en-US`; None for what is no language tag."""
    found = _TAG.match((tag or "").strip().replace("_", "-"))
    if not found:
        return None
    primary, *rest = found.group().split("-")
    if primary.lower() in _NO_LANGUAGE:
        return None
    return "-".join(
        [
            _MEANT.get(primary.lower(), primary.lower()),
            *(part.title() if len(part) == 4 else part.upper() for part in rest),
        ]
    )


def identify(text: str, expected: str | None = None) -> tuple[str | None, float]:
    """Text -> (ISO 639-1 code, confidence 0 to 1); (None, 0) without any letter.

    `expected` is the code it is thought to be in: a finding against that is not made on the beginning alone.
    """
    found, confidence = _classify(text[:_FIRST_CHARACTERS])
    if len(text) > _FIRST_CHARACTERS and (confidence < _CERTAIN or expected not in (None, found)):
        return _classify(text[:_TEXT_CHARACTERS])
    return found, confidence


def _classify(sample: str) -> tuple[str | None, float]:
    if not any(character.isalpha() for character in sample):
        return None, 0.0
    code, confidence = _identifier().classify(sample)
    return str(code), round(float(confidence), 3)


def choose_language(declared: str | None, text: str) -> Language:
    """The declared tag where the text does not clearly speak against it, else the identified one."""
    tag = normalize_tag(declared)
    if tag is not None and len(text) < _SURE_CHARACTERS:
        return Language(tag, None, "declared")
    found, confidence = identify(text, tag.split("-")[0] if tag else None)
    if tag is None:
        known = normalize_tag(found) if confidence >= _GUESS else None
        return Language(
            known,
            confidence if known else None,
            warnings=() if known else ("language_uncertain",),
        )
    if found is None:
        return Language(tag, None, "declared")
    said = tag.split("-")[0]
    if said == found or any({said, found} <= group for group in _ALIKE):
        return Language(tag, confidence, "declared")
    if confidence >= _SURE:
        return Language(found, confidence, "detected", ("language_declared_wrong",))
    return Language(tag, None, "declared", ("language_uncertain",))


@cache
def _identifier() -> LanguageIdentifier:
    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
