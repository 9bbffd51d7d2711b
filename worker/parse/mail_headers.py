"""Mail headers as text: encoded words (RFC 2047), raw bytes and folded lines, however broken they are."""

from __future__ import annotations

import base64
import binascii
import quopri
import re
from collections.abc import Callable
from email.message import Message
from email.utils import parseaddr

import msgspec

from worker.clean.encoding import decode
from worker.clean.people import is_agency, is_person_name
from worker.clean.text import clean_line
from worker.errors import Rejected

HEADER_CHARACTERS = 8_000
"""What of a header is read: RFC 5322 allows lines of 998, subjects and senders in use are below 1,000."""
HEADER_FAULTS = (TypeError, ValueError, LookupError, AttributeError)
"""What Python's mail parser raises for headers it cannot read."""
_ENCODED_WORD = re.compile(r"=\?([^?\s*]+)(?:\*[^?]*)?\?([bBqQ])\?([^?]*)\?=")
_FORWARDED = re.compile(r"^\s*(?:fwd?|wg|tr|rv|i|vs|enc|doorst|vb|pd|转发|轉寄|転送)\s*:\s*", re.IGNORECASE)
_ANSWERED = re.compile(r"^\s*(?:re|aw|sv|antw|odp|回复|回覆)\s*(?:\[\d+\])?\s*:\s*", re.IGNORECASE)
_LIST_TAG = re.compile(r"^\s*\[[^\][]{1,40}\]\s*")
# `Doe, Jane`, as many companies write their people.
_LAST_FIRST = re.compile(
    r"(?P<last>[^\W\d_][\w'’-]+(?: [^\W\d_][\w'’-]+)?), (?P<first>[^\W\d_][\w'’.-]*(?: [^\W\d_][\w'’.-]*)?)"
)
_PERSON_AT = re.compile(r"^(.{3,60}?)\s+(?:at|from|via|bei|von|de|para|da|,|\||\(|-|–|—)\s*(.+?)\)?$")


class Sender(msgspec.Struct, frozen=True):
    """Who a mail is from: a person, an agency, a publication, or what of these is named."""

    person: str | None = None
    publication: str | None = None
    provider: str | None = None


def header(message: Message, name: str) -> str:
    """The first header of a name as one clean line; empty where there is none."""
    raw = next((value for key, value in message.raw_items() if key.lower() == name.lower()), "")
    return clean_line(decode_words(str(raw)[:HEADER_CHARACTERS]))


def said(read: Callable[[], str | None]) -> str | None:
    """What a part says of itself (`part.get_filename`), None where Python cannot read the header it is in."""
    try:
        return read()
    except HEADER_FAULTS:
        return None


def parameter(part: Message, name: str) -> str:
    """A parameter of the Content-Type; empty where there is none."""
    return said(lambda: str(part.get_param(name, ""))) or ""


def decode_words(raw: str) -> str:
    """A header's value as parsed from bytes -> text: encoded words and undeclared 8-bit characters decoded."""
    text = re.sub(r"[\r\n]+[ \t]*", " ", _eight_bit(raw))
    pieces: list[str] = []
    pending, charset, end = b"", "", 0
    for found in _ENCODED_WORD.finditer(text):
        between = text[end : found.start()]
        # White space between two encoded words is no part of the text, and a character may span them.
        if between.strip() or found[1].lower() != charset:
            pieces.append(_decoded(pending, charset))
            pieces.append(between if between.strip() or not pending else "")
            pending = b""
        pending, charset, end = pending + _word(found), found[1].lower(), found.end()
    return "".join((*pieces, _decoded(pending, charset), text[end:]))


def split_subject(subject: str) -> tuple[str, bool]:
    """A subject -> (what it says without list tags and `Re:`, whether it was forwarded)."""
    forwarded = False
    while True:
        rest = _LIST_TAG.sub("", subject) if not subject.endswith("]") else subject
        shorter = _FORWARDED.sub("", rest)
        forwarded = forwarded or shorter != rest
        shorter = _ANSWERED.sub("", shorter)
        if shorter == subject or not shorter:
            return subject, forwarded
        subject = shorter


def read_sender(value: str) -> Sender:
    """A From header -> who is named. The address alone names nobody."""
    name, address = parseaddr(value)
    name = clean_line(name).strip("\"' ")
    if not name or "@" in name:
        return Sender()
    if is_agency(name):
        return Sender(provider=name)
    if (turned := _LAST_FIRST.fullmatch(name)) and is_person_name(f"{turned['first']} {turned['last']}"):
        name = f"{turned['first']} {turned['last']}"
    if (apart := _PERSON_AT.match(name)) and is_person_name(apart[1]) and " " in apart[1]:
        return Sender(person=apart[1], publication=apart[2])
    own = _names_its_domain(name, address)
    if " " not in name and name.isascii():
        # One word is a publication's name or a given name alone: nobody's byline.
        return Sender(publication=name) if own or "." in name else Sender()
    if is_person_name(name) and not own:
        return Sender(person=name)
    return Sender(publication=name)


def _names_its_domain(name: str, address: str) -> bool:
    """Whether a name is the domain's own (`Morning Post <news@morningpost.example>`), not a person's there."""
    local, _, domain = address.lower().rpartition("@")
    plain = re.sub(r"\W|_", "", name.casefold())
    label = max(domain.split(".")[:-1] or [domain], key=len).replace("-", "")
    if any(len(part) > 2 and part in local for part in name.casefold().split()):
        return False
    return bool(plain) and len(label) > 3 and (plain in label or label in plain)


def _eight_bit(raw: str) -> str:
    """Bytes that are no ASCII (the parser keeps them as surrogates) in the encoding they are likely to be in."""
    if raw.isascii():
        return raw
    return _decoded(raw.encode("utf-8", "surrogateescape"), "")


def _word(found: re.Match[str]) -> bytes:
    content = found[3].encode("utf-8", "replace")
    if found[2] in "qQ":
        return quopri.decodestring(content, header=True)
    try:
        return base64.b64decode(content + b"=" * (-len(content) % 4))
    except (binascii.Error, ValueError):
        return b""


def _decoded(content: bytes, charset: str) -> str:
    if not content:
        return ""
    if content.isspace():
        return " "
    try:
        return decode_bytes(content, charset)
    except Rejected:
        return ""


def decode_bytes(content: bytes, charset: str | None) -> str:
    """Bytes of a mail in the charset it names -> text; UTF-7 (RFC 2152) is mail's own. Raises Rejected."""
    if (charset or "").lower() in ("utf-7", "unicode-1-1-utf-7"):
        return content.decode("utf-7", "replace")
    return decode(content, charset or None).text
