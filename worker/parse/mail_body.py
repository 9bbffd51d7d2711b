"""What of a mail is the article: the part to read, the mail that was forwarded, the frame around the text."""

from __future__ import annotations

import re
from email.message import Message
from typing import Any

import msgspec

from worker.parse.mail_headers import said

_MOST_PARTS = 1_000
"""Parts of a mail that are looked at; the largest real ones have some dozens."""
_QUOTE = re.compile(r"^> ?", re.MULTILINE)
_SIGNATURE = re.compile(r"\n-- ?\n[^\x00]*\Z")
_FRAME = re.compile(
    r"unsubscri|manage (?:your )?(?:e-?mail )?(?:preferences|subscription)|e-?mail preferences|update your preferences|"
    r"(?:view|read|open|see) (?:this |it )?(?:e-?mail |newsletter |message |article )?"
    r"(?:online|in (?:your |a )?(?:web ?)?browser|on the web)|"
    r"you(?:'re| are)? receiv(?:e|ed|ing) this|sent to you because|all rights reserved|add us to your address book|"
    r"forward(?:ed)? (?:this )?(?:e-?mail )?to a friend|privacy (?:policy|notice)|"
    r"abmelden|abbestellen|abzubestellen|im browser (?:öffnen|ansehen|anzeigen|lesen)|"
    r"online(?:version| lesen| ansehen)|impressum|"
    r"désabonner|désinscri|se désinscrire|version en ligne|dans votre navigateur|"
    r"darse de baja|cancelar (?:la |su |tu )?suscripción|ver en (?:el|su|tu) navegador|"
    r"disiscri|annulla(?:re)? l['’]iscrizione|visualizza nel browser|"
    r"cancelar (?:a )?(?:inscrição|assinatura)|ver no navegador|"
    r"afmelden|uitschrijven|bekijk (?:online|in (?:je |uw )?browser)|"
    r"avsluta prenumeration|avregistrer|meld (?:deg|dig) av|afmeld|wypisz|отписаться|配信停止|退订|取消订阅",
    re.IGNORECASE,
)
_FRAME_CHARACTERS = 400
"""A longer paragraph is text, even if it speaks of subscriptions."""
_FRAME_WITHIN = 8
_FORWARD_WITHIN = 2_000
"""Lines in which a forwarded mail has to begin."""
_BARE_LINK = re.compile(r"^[\[<(]*https?://\S+$")
_RULE = re.compile(r"^[\W_]{3,}$")
_FORWARD_MARK = re.compile(
    r"^[ \t>*_-]*(?:forwarded message|begin forwarded message|original message|weitergeleitete nachricht|"
    r"ursprüngliche nachricht|anfang der weitergeleiteten|message (?:transféré|d'origine)|début du message|"
    r"mensaje (?:reenviado|original)|messaggio (?:inoltrato|originale)|mensagem (?:encaminhada|original)|"
    r"doorgestuurd bericht|oorspronkelijk bericht|vidarebefordrat|videresendt)[^\n]*$",
    re.IGNORECASE | re.MULTILINE,
)
_LABELS = {
    **dict.fromkeys(("from", "von", "de", "da", "van", "från", "fra", "od", "от", "差出人", "发件人"), "from"),
    **dict.fromkeys(
        ("date", "sent", "datum", "gesendet", "fecha", "enviado", "envoyé", "data", "inviato", "verzonden", "skickat"),
        "date",
    ),
    **dict.fromkeys(
        ("subject", "betreff", "objet", "asunto", "oggetto", "assunto", "onderwerp", "ämne", "emne", "temat", "тема"),
        "subject",
    ),
    **dict.fromkeys(("to", "an", "à", "para", "a", "aan", "till", "til", "cc", "reply-to", "kopie"), "other"),
}
_LABELLED = re.compile(r"^[ \t]*\*?([^\W\d_][\w-]{0,15})\*?[ \t]*:\*?[ \t]*(\S.*)$")


class Parts(msgspec.Struct, frozen=True):
    """A mail's parts by use: texts to read, pages to read, and what is attached."""

    texts: list[Message]
    pages: list[Message]
    attached: list[Message]


class Forwarded(msgspec.Struct, frozen=True):
    """The mail inside a forwarded one: `facts` of `from`, `date` and `subject` as they stand there, and its text."""

    facts: dict[str, str]
    text: str


def sort_parts(message: Message) -> Parts:
    """Every part of a mail where it belongs; a mail in a mail is attached as one."""
    parts = Parts([], [], [])
    waiting = [message]
    for _ in range(_MOST_PARTS):
        if not waiting:
            break
        part = waiting.pop()
        kind = part.get_content_type()
        if kind == "message/rfc822" and part is not message:
            parts.attached.append(part)
        elif part.is_multipart():
            # Only now: what else stands there would be decoded, and a damaged name of its encoding raise.
            payload: Any = part.get_payload()
            waiting.extend(inner for inner in reversed(payload) if isinstance(inner, Message))
        elif said(part.get_content_disposition) == "attachment" or said(part.get_filename):
            parts.attached.append(part)
        elif kind == "text/html":
            parts.pages.append(part)
        elif kind.startswith(("text/", "multipart/")) and kind != "text/calendar":
            parts.texts.append(part)
    return parts


def find_forwarded(text: str) -> Forwarded | None:
    """The forwarded mail in a text, by the block of header lines that every program puts above it."""
    lines = _QUOTE.sub("", text).split("\n", _FORWARD_WITHIN)
    for index, line in enumerate(lines):
        if not (found := _LABELLED.match(line)) or _LABELS.get(found[1].lower()) != "from":
            continue
        facts, end = _header_block(lines, index)
        if len(facts) >= 3 and "subject" in facts:
            return Forwarded(facts, "\n".join(lines[end:]))
    return None


def _header_block(lines: list[str], start: int) -> tuple[dict[str, str], int]:
    facts: dict[str, str] = {}
    end = start
    for end in range(start, min(start + 10, len(lines))):
        found = _LABELLED.match(lines[end])
        if found is None:
            if not lines[end].strip() or len(facts) >= 3:
                return facts, end
            continue
        label = _LABELS.get(found[1].lower())
        if label is not None:
            facts.setdefault(label, found[2].strip(" *"))
    return facts, end


def introduces_forward(text: str) -> bool:
    """Whether a text has a line that says a mail is forwarded below it."""
    return _FORWARD_MARK.search(text) is not None


def unflow(text: str, *, delsp: bool) -> str:
    """`format=flowed` (RFC 3676) -> paragraphs on lines of their own."""
    lines: list[str] = []
    joined = False
    for raw in text.replace("\r\n", "\n").split("\n"):
        line = raw.removeprefix(" ")
        flows = line.endswith(" ") and line != "-- "
        kept = line[:-1] if flows and delsp else line
        if joined:
            lines[-1] += kept
        else:
            lines.append(kept)
        joined = flows
    return "\n".join(lines)


def without_frame(text: str) -> str:
    """The text without the paragraphs that belong to the mailing: its links to a browser, its unsubscribing."""
    paragraphs = _SIGNATURE.sub("", text).split("\n\n")
    end = len(paragraphs)
    last = min((i for i in range(max(1, end - _FRAME_WITHIN), end) if _is_frame(paragraphs[i])), default=end)
    while last > 1 and _is_noise(paragraphs[last - 1]):
        last -= 1
    kept = paragraphs[:last]
    while len(kept) > 1 and (_is_frame(kept[0]) or _is_noise(kept[0])):
        del kept[0]
    return "\n\n".join(kept)


def _is_frame(paragraph: str) -> bool:
    return len(paragraph) <= _FRAME_CHARACTERS and _FRAME.search(paragraph) is not None


def _is_noise(paragraph: str) -> bool:
    stripped = paragraph.strip()
    return not stripped or bool(_BARE_LINK.match(stripped) or _RULE.match(stripped))
