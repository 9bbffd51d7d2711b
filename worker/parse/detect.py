"""What kind of document these bytes are: the bytes first, then the declared type, then the name.

The answer is a media type; `worker/parse/table.py` says which parser reads it, and a type that is not
there is refused as `unsupported_format` rather than read as something else.
"""

from __future__ import annotations

import codecs
import re

from worker.clean.encoding import ZERO_BYTE_IN
from worker.errors import Rejected
from worker.model import Document
from worker.parse.field_map import USUAL_NAMES
from worker.parse.signatures import binary_type

HTML, XML, FEED, TEXT = (
    "text/html",
    "application/xml",
    "application/feed+xml",
    "text/plain",
)
JSON, JSON_LINES, JSON_FEED = (
    "application/json",
    "application/x-ndjson",
    "application/feed+json",
)
MARKDOWN = "text/markdown"
MAIL, MBOX, MHTML = "message/rfc822", "application/mbox", "multipart/related"
WIRE_TEXT, CSV, SGML, BINARY = (
    "text/x-iptc7901",
    "text/csv",
    "text/sgml",
    "application/octet-stream",
)

SITEMAP = "application/sitemap+xml"

_HEAD_BYTES = 16_384
"""How much is looked at; prologues, comments and mail headers are shorter."""

_BY_NAME = {
    "html": HTML,
    "htm": HTML,
    "xhtml": HTML,
    "json": JSON,
    "jsonl": JSON_LINES,
    "ndjson": JSON_LINES,
    "csv": CSV,
    "tsv": CSV,
    "md": MARKDOWN,
    "markdown": MARKDOWN,
    "eml": MAIL,
    "mbox": MBOX,
    "mhtml": MHTML,
    "mht": MHTML,
    "xml": XML,
    "sgm": SGML,
}
_BY_DECLARATION = {
    "text/html": HTML,
    "application/xhtml+xml": HTML,
    "text/xml": XML,
    "application/xml": XML,
    "application/json": JSON,
    "text/json": JSON,
    "application/ld+json": JSON,
    "application/x-ndjson": JSON_LINES,
    "application/jsonl": JSON_LINES,
    "application/feed+json": JSON_FEED,
    "text/csv": CSV,
    "text/tab-separated-values": CSV,
    "text/markdown": MARKDOWN,
    "message/rfc822": MAIL,
    "application/mbox": MBOX,
    "multipart/related": MHTML,
}
_SKIPPED = re.compile(
    r"\s+|<\?.*?\?>|<!--.*?-->|<!DOCTYPE(?:[^\[>]*\[.*?\]\s*>|[^>]*>)",
    re.DOTALL | re.IGNORECASE,
)
_ENTITY = re.compile(rb"<!ENTITY", re.IGNORECASE)
_EXTERNAL_DTD = re.compile(rb"<!ENTITY\s+%\s+[\w.-]+\s+(?:SYSTEM|PUBLIC)\s[^<>]{1,500}>", re.IGNORECASE)
# The named characters of XHTML, which RSS 0.91 declared: a set every reader knows, and none fetches.
_W3C_CHARACTERS = re.compile(
    rb"<!ENTITY\s+%\s+[\w.-]+\s+PUBLIC\s+\"-//W3C//ENTITIES [^\"<>]*\"\s+\"https?://www\.w3\.org/[^\"<>]*\"\s*>"
)
_DOCTYPE = re.compile(r"<!DOCTYPE\s+([a-zA-Z]+)", re.IGNORECASE)
_ELEMENT = re.compile(r"<(?:[\w.-]+:)?([A-Za-z][\w.-]*)")
_ATOM = "http://www.w3.org/2005/Atom"
_JSON_FEED_VERSION = re.compile(rb'"version"\s*:\s*"https?:\\?/\\?/(?:www\.)?jsonfeed\.org\\?/version')
_TAIL_BYTES = 2_048
"""Keys in alphabetical order put a JSON Feed's version at its end."""

_SITEMAP_ROOTS = frozenset(("urlset", "sitemapindex"))
_FEED_ROOTS = frozenset(("rss", "feed", "rdf", "channel"))
_FEED_LATE = re.compile(r"<(?:rss|feed|rdf:RDF)[\s>]")
_HTML_ELEMENTS = frozenset(
    [
        "html",
        "head",
        "body",
        "title",
        "meta",
        "link",
        "script",
        "style",
        "div",
        "p",
        "span",
        "h1",
        "h2",
        "h3",
        "h4",
        "article",
        "section",
        "main",
        "header",
        "nav",
        "table",
        "ul",
        "ol",
        "a",
        "b",
        "i",
        "em",
        "strong",
        "br",
        "img",
        "center",
        "font",
        "base",
        "noscript",
        "form",
        "blockquote",
        "figure",
    ]
)
_MAIL_HEADER = re.compile(r"([A-Za-z][A-Za-z0-9-]*):(?:[ \t]|$)")
_MAIL_NAMES = frozenset(
    [
        "from",
        "to",
        "subject",
        "date",
        "received",
        "return-path",
        "mime-version",
        "message-id",
        "delivered-to",
        "content-type",
        "reply-to",
        "sender",
        "cc",
        "x-mailer",
        "content-transfer-encoding",
        "dkim-signature",
        "resent-from",
        "in-reply-to",
    ]
)
_FRONT_MATTER = re.compile(
    r"(?:---[ \t]*\r?\n[A-Za-z_][\w-]*[ \t]*:[^\0]*?\n---|\+\+\+[ \t]*\r?\n\w+[ \t]*=[^\0]*?\n\+\+\+)[ \t]*\r?\n"
)
_COMPRESSED = re.compile(r"\.(?:gz|bz2|xz|zstd?)$", re.IGNORECASE)
_HEADLINES = frozenset(name.replace("_", "") for name in USUAL_NAMES["headline"])
_BODIES = frozenset(
    name.replace("_", "") for field in ("body_text", "body_html", "url", "abstract") for name in USUAL_NAMES[field]
)
_COLUMN = re.compile(r"[\w .:-]{0,40}")
_HEADER_CHARACTERS = 4_000
_WIRE_CONTROLS = re.compile(rb"[\x01\x02\x03\x16\x11\x12\x13]")
# The header of an IPTC 7901 message whose control characters were lost: source, priority, category, words.
_WIRE_HEADER = re.compile(r"[a-z]{3}\d{3,6} [1-9] [a-z]{1,3} {1,4}\d{1,5}\b[^\n]{0,60}\n")


def refuse_entities(content: bytes, *, external_dtd: bool = False) -> None:
    """Raises Rejected `entity_declaration` where XML declares an entity, before any parser reads it.

    Zero bytes are passed over, so that UTF-16 hides nothing. The W3C's own sets of named characters are no
    reason: no parser here fetches them. `external_dtd` lets pass what only names
    one more external DTD (the standards for wires ask for it); its parser must cut out the document type.
    """
    readable = content.replace(b"\x00", b"") if b"\x00" in content else content
    if _ENTITY.search(readable) is None:
        return
    if _ENTITY.search((_EXTERNAL_DTD if external_dtd else _W3C_CHARACTERS).sub(b"", readable)):
        raise Rejected("entity_declaration")


def detect_media_type(content: bytes, declared: str | None = None, name: str | None = None) -> str:
    """Bytes, the type HTTP declared and a file name or URL -> media type, in lower case.

    Never fails: what is nothing known is `text/plain` or `application/octet-stream`.
    """
    binary = binary_type(content)
    if binary is not None:
        return binary
    head = _readable_head(content)
    said = _BY_DECLARATION.get((declared or "").partition(";")[0].strip().lower())
    named = _BY_NAME.get(_suffix(name))
    found = _structured(head, content, said, named)
    if found is not None:
        return found
    if _is_binary(content):
        return BINARY
    for hint in (said, named):
        if hint in (HTML, JSON, JSON_LINES, CSV, MARKDOWN):
            return hint
    return TEXT


def _structured(head: str, content: bytes, said: str | None, named: str | None) -> str | None:
    start = head.lstrip("\ufeff \t\r\n\x00")
    if start.startswith("<"):
        return _markup_type(start, said or named)
    if start.startswith(("{", "[")):
        late = _JSON_FEED_VERSION.search(content[-_TAIL_BYTES:])
        return JSON_FEED if late else _json_type(start, said, named)
    mail = _mail_type(start, least_names=1 if {MAIL, MHTML} & {said, named} else 2)
    if mail is not None:
        return MHTML if mail == MAIL and MHTML in (said, named) else mail
    return _line_type(start, head, content)


def _line_type(start: str, head: str, content: bytes) -> str | None:
    """What shows by its first lines alone; None for plain text. `start` is `head` without what stands before it."""
    if _FRONT_MATTER.match(start):
        return MARKDOWN
    if _is_table(start):
        return CSV
    if _FEED_LATE.search(head[:4096]):
        return FEED
    framed = _WIRE_CONTROLS.search(content[:200]) and b"\x00" not in content[:200]
    return WIRE_TEXT if framed or _WIRE_HEADER.match(start) else None


def _readable_head(content: bytes) -> str:
    """The first bytes as text in which ASCII can be recognised, whatever the encoding."""
    head = content[:_HEAD_BYTES]
    for mark, encoding in (
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
    ):
        if head.startswith(mark):
            return head[len(mark) :].decode(encoding, "replace")
    if head[:2] in (b"<\x00", b"{\x00", b"[\x00") or head[:4] in (
        b"\x00<\x00?",
        b"\x00\x00\x00<",
    ):
        return head.replace(b"\x00", b"").decode("latin-1")
    return head.decode("latin-1")


def _markup_type(start: str, hint: str | None) -> str:
    doctype, root = _root(start)
    if doctype == "html" or root in ("html", "xhtml"):
        return HTML
    if root in _SITEMAP_ROOTS:
        return SITEMAP
    if root == "entry" and _ATOM in start:
        return FEED
    if root in _FEED_ROOTS or doctype in ("rss", "rdf"):
        return FEED
    return _doubtful_markup(start, doctype, root, hint)


def _doubtful_markup(start: str, doctype: str | None, root: str | None, hint: str | None) -> str:
    """Markup whose first element is no page's, feed's or sitemap's own."""
    if start.startswith("<?xml") or (root == "article" and hint == XML):
        return XML
    if root in _HTML_ELEMENTS or hint == HTML:
        return HTML
    if _FEED_LATE.search(start[:4096]):
        return FEED
    return _other_markup(doctype, root, hint)


def _other_markup(doctype: str | None, root: str | None, hint: str | None) -> str:
    if (doctype and doctype != root) or root == "reuters":
        return SGML
    return XML if root else hint or TEXT


def _root(start: str) -> tuple[str | None, str | None]:
    """Names in lower case, without prefix: what DOCTYPE says, and the first element."""
    position = 0
    while found := _SKIPPED.match(start, position):
        position = found.end()
    doctype = _DOCTYPE.search(start[:position])
    element = _ELEMENT.match(start, position)
    return doctype[1].lower() if doctype else None, element[1].lower() if element else None


def _json_type(start: str, said: str | None, named: str | None) -> str | None:
    if said in (JSON, JSON_FEED):
        return JSON_FEED if '"https://jsonfeed.org/version/' in start.replace("\\/", "/") else JSON
    if JSON_LINES in (said, named):
        return JSON_LINES
    if re.match(r'[{\[]\s*(?:["{\[\]}\d]|true|false|null|-)', start) is None:
        return JSON if named == JSON else None
    if "jsonfeed.org/version/" in start[:4096].replace("\\/", "/"):
        return JSON_FEED
    lines = [line for line in start.split("\n")[:-1] if line.strip()][:5]
    if len(lines) >= 2 and all(line.startswith("{") and line.rstrip().endswith("}") for line in lines):
        return JSON_LINES
    return JSON


def _is_table(start: str) -> bool:
    """Whether the first line is a table's header that names a headline and a body or address by their usual names."""
    header, more, _ = start.partition("\n")
    for separator in ",;\t":
        cells = [cell.strip(' "\r') for cell in header[:_HEADER_CHARACTERS].split(separator)]
        names = {cell.lower().replace("_", "") for cell in cells}
        if more and not names.isdisjoint(_HEADLINES) and not names.isdisjoint(_BODIES):
            return all(map(_COLUMN.fullmatch, cells))
    return False


def _mail_type(start: str, least_names: int) -> str | None:
    """Header lines up to the first blank one, so many of them known to mail; mbox begins with a line of its own."""
    if start.startswith("From ") and _MAIL_HEADER.match(start.partition("\n")[2]):
        return MBOX
    lines = start.splitlines()
    if lines and lines[0].strip().isdigit():
        # Apple's .emlx puts the length of the mail on a line of its own before it.
        lines = lines[1:]
    names: set[str] = set()
    for line in lines:
        if not line.strip():
            break
        if line[0] in " \t" and names:
            continue
        found = _MAIL_HEADER.match(line)
        if found is None:
            return None
        names.add(found[1].lower())
    if len(names & _MAIL_NAMES) < least_names:
        return None
    return MHTML if "snapshot-content-location" in names else MAIL


def _is_binary(content: bytes) -> bool:
    """Whether bytes are no text in any encoding: control characters that no text has."""
    sample = content[:_HEAD_BYTES]
    if b"\x00" in sample:
        return not _looks_wide(sample)
    controls = sum(byte < 9 or 13 < byte < 27 or 27 < byte < 32 for byte in sample)
    return controls > max(3, len(sample) // 50)


def _looks_wide(sample: bytes) -> bool:
    """Zero bytes in every second (UTF-16) or at most three of four places (UTF-32), and marks."""
    if sample.startswith(
        (
            codecs.BOM_UTF16_LE,
            codecs.BOM_UTF16_BE,
            codecs.BOM_UTF32_LE,
            codecs.BOM_UTF32_BE,
        )
    ):
        return True
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    most = len(sample) * 0.35
    # Other alphabets than ASCII's leave zero bytes for spaces only, but those on one side (encoding.py looks closer).
    return max(even, odd) >= most or (not min(even, odd) and max(even, odd) * ZERO_BYTE_IN >= len(sample))


def document_name(document: Document) -> str | None:
    """The name that speaks for a document: its path in a container, else the path or URL it came from.

    Lines of a file and entries of a feed have none of their own.
    """
    if document.member is None:
        return document.origin
    return document.member if isinstance(document.member, str) else None


def _suffix(name: str | None) -> str:
    """Extension of a path or URL in lower case, without query and compression; empty where there is none."""
    last = re.split(r"[?#]", name or "")[0].rpartition("/")[2]
    last = _COMPRESSED.sub("", last)
    return last.rpartition(".")[2].lower() if "." in last else ""
