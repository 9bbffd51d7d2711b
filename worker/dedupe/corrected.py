"""Headlines by which an agency says that a text corrects an earlier one.

    CORRECTED - Mill to close      (CORRECTED)-Mill to close      UPDATE 2-CORRECTED-Mill to close
    KORREKTUR: Werk schließt       【訂正】工場を閉鎖

Such a text repeats all of the earlier one but for a word, and just that word is the news. A word like these within a
headline ("Correction agency drops plans") says nothing.
"""

from __future__ import annotations

import re

_LABELS = (
    r"corrected|corrections?|erratum|korrektur|korrigiert|berichtigung|berichtigt|richtigstellung|correctif|corrigé"
    r"|rectificatif|rectification|corrección|corregid[oa]|rectificación|correzione|errata corrige|rettifica|correção"
    r"|corrigid[oa]|correctie|rectificatie|rettelse|rättelse|oikaisu|sprostowanie|oprava|düzeltme|исправление|исправлено"
    r"|поправка|تصحيح|訂正|更正|정정"
)
_CORRECTED = re.compile(
    rf"\s*(?:[^\W\d_]{{3,10}} ?\d{{0,2}} ?[-:/] ?)?[(\[【（*<]{{0,3}}(?:(?i:{_LABELS})"
    rf"(?: ?[:：)\]】）*>/]|\s+[-–—])|(?-i:[A-Z]*CORRECT(?:ED|ION))[-–—])"
)
"""A hyphen at once is a slug's only in capitals: "Correction-fluid sales rise" is about fluid."""


def says_corrected(headline: str) -> bool:
    """Does this headline begin by saying that the text corrects an earlier one?"""
    return _CORRECTED.match(headline) is not None
