"""XML documents that are no feed: the dialect is told by the elements that are in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from worker.errors import Rejected
from worker.model import Article, Document, Refusal
from worker.parse.draft import Draft
from worker.parse.wire import appl, newsml1, newsml_g2, nitf, xml_article
from worker.parse.wire.members import Member, read_member
from worker.parse.wire.xml_tree import Element, name_of, read_tree

ReadItem = Callable[[Element, Draft, Member], Article]

# NewsML-G2 items that carry no text of their own.
_REFERENCES = frozenset(["packageItem", "conceptItem", "knowledgeItem", "planningItem", "catalogItem"])
_READERS: dict[str, ReadItem] = {
    "newsItem": newsml_g2.read_news_item,
    "NewsItem": newsml1.read_news_item,
    "nitf": nitf.read_nitf,
}


def parse_xml(content: bytes, document: Document) -> Iterator[Article | Refusal]:
    """XML bytes -> an article or refusal for each news item (member: index from 0 where there are several).

    Raises Rejected `malformed_xml`, `unsupported_format` for XML that holds no article, `no_article` for
    NewsML-G2 items that carry none.
    """
    root, decoded, repaired = read_tree(content, document)
    items = list(_items(root))
    if not items:
        _refuse(root)
    for index, (element, read) in enumerate(items):
        member = index if len(items) > 1 else None
        draft = Draft(document, document.media_type or "application/xml", decoded.encoding)
        draft.warn(*decoded.warnings, *(("xml_repaired",) if repaired else ()))
        yield read_member(partial(read, element, draft), document, member)


def _items(root: Element) -> Iterator[tuple[Element, ReadItem]]:
    """The items of the first standard found in the document; else the elements that look like articles."""
    if appl.is_publication(root):
        yield root, appl.read_publication
        return
    for name in ("newsItem", "NewsItem", "nitf"):
        found = [element for element in root.iter() if name_of(element) == name]
        if found:
            yield from ((element, _READERS[name]) for element in found)
            return
    if not any(name_of(element) in _REFERENCES for element in root.iter()):
        yield from ((element, xml_article.read_article) for element in xml_article.find_articles(root))


def _refuse(root: Element) -> None:
    kinds = {name_of(element) for element in root.iter()}
    reference = next(iter(sorted(kinds & _REFERENCES)), None)
    if reference is not None or name_of(root) in ("newsMessage", "NewsML"):
        raise Rejected("no_article", f"NewsML that holds no news item ({reference or 'empty'})")
    raise Rejected("unsupported_format", f"XML of an unknown kind: {name_of(root)[:60]}")
