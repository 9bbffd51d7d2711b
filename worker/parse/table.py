"""Which parser reads which media type. A new format is one module and one line here.

A parser takes the bytes and the document they came in (`media_type` is the detected one), and gives
articles and refusals in document order. It may raise `Rejected`; anything else it raises is a bug that
costs this document only. It does no I/O. A document it gives (what is attached to a mail) is parsed in turn,
and kept if it is an article with a headline.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from worker.model import Article, Document, Refusal
from worker.parse import detect
from worker.parse.feed import parse_feed
from worker.parse.html import parse_html
from worker.parse.json_article import parse_json
from worker.parse.json_feed import parse_json_feed
from worker.parse.mail import parse_mail
from worker.parse.markdown import parse_markdown
from worker.parse.mhtml import parse_mhtml
from worker.parse.plain_text import parse_plain_text
from worker.parse.sitemap import parse_sitemap
from worker.parse.wire.line_text import parse_line_text
from worker.parse.wire.reuters_sgml import parse_reuters_sgml
from worker.parse.wire.xml_items import parse_xml

Parser = Callable[[bytes, Document], Iterable[Article | Refusal | Document]]

PARSERS: dict[str, Parser] = {
    detect.TEXT: parse_plain_text,
    detect.HTML: parse_html,
    detect.FEED: parse_feed,
    detect.SITEMAP: parse_sitemap,
    detect.JSON: parse_json,
    detect.JSON_FEED: parse_json_feed,
    detect.XML: parse_xml,
    detect.SGML: parse_reuters_sgml,
    detect.WIRE_TEXT: parse_line_text,
    detect.MARKDOWN: parse_markdown,
    detect.MAIL: parse_mail,
    detect.MHTML: parse_mhtml,
}
