"""What other extractors take for a page's article: second and third opinions to compare with one's own."""

from __future__ import annotations

from copy import deepcopy
from functools import cached_property
from typing import Any

import lxml.html
from resiliparse.extract.html2text import extract_plain_text
from trafilatura import bare_extraction

from worker.clean.text import clean_text


def resiliparse_text(markup: str) -> str:
    """Markup -> main text by resiliparse: fast, and made in another way than the others."""
    text: str = extract_plain_text(
        markup,
        main_content=True,
        alt_texts=False,
        links=False,
        form_fields=False,
        noscript=False,
        comments=False,
    )
    return clean_text(text)


def trafilatura_text(tree: lxml.html.HtmlElement, *, precise: bool = False) -> str:
    """A parsed page -> main text by trafilatura, each of its lines a paragraph; the tree is not changed."""
    copy = deepcopy(tree)
    for element in copy.xpath("//noscript"):
        # What is only for browsers without scripts is a notice or a second copy of an image.
        element.drop_tree()
    found: Any = bare_extraction(copy, include_comments=False, with_metadata=False, favor_precision=precise)
    return clean_text("\n\n".join((found.text or "").split("\n"))) if found is not None else ""


class Opinions:
    """What the other extractors say of one page; each is asked once, and only where its text is looked at."""

    def __init__(self, tree: lxml.html.HtmlElement, markup: str) -> None:
        self._tree = tree
        self._markup = markup

    @cached_property
    def fast(self) -> str:
        """Resiliparse's text."""
        return resiliparse_text(self._markup)

    @cached_property
    def full(self) -> str:
        """Trafilatura's text."""
        return trafilatura_text(self._tree)

    @cached_property
    def precise(self) -> str:
        """Trafilatura's text where it leaves out what it doubts."""
        return trafilatura_text(self._tree, precise=True)
