"""Blocks that were chosen for a text and are none of it: what only says what stands here, and menus at its edges."""

from __future__ import annotations

import re
from itertools import islice

from worker.parse.html_blocks import Block

_FILLER = re.compile(
    r"[-–—\s(\[]*(?:advert(?:isement|ising)?s?(?: \d+)?|anzeige|werbung|publicité|publicidad|publicidade|pubblicità|"
    r"advertentie|annonse?|reklama?|реклама|広告|广告|廣告|광고|sponsor(?:ed)? message|"
    r"(?:advertisement\W+)?(?:story|article) continues (?:below|after)(?: (?:this |the )?ad(?:vertisement)?)?|"
    r"(?:der )?artikel wird nach der (?:anzeige|werbung) fortgesetzt|"
    r"(?:la )?suite (?:de l['’]article )?après (?:la|cette) publicité|"
    r"continúa (?:después de|tras) la publicidad|continua (?:dopo la pubblicità|após a publicidade)|"
    r"(?:tekst|lees) (?:gaat )?verder (?:onder|na) de advertentie|loading(?: video)?)[-–—.:…\s)\]]*|"
    r"[\s|\u200c\u200d\ue000-\uf8ff]+",
    re.IGNORECASE,
)
"""Blocks that only say that an advertisement, or what is still to be loaded, stands here, or that hold marks alone."""
_HEADINGS = frozenset(["h1", "h2", "h3", "h4", "h5", "h6"])
_LABEL = re.compile(
    r"\W*(?:tags?|topics?|keywords?|categor(?:y|ies)|filed under|share(?: this)?(?: (?:article|story|post))?|comments?|"
    r"(?:see|read) (?:also|more)|more (?:news|stories)|related(?: (?:posts?|articles?|stories|content|topics|links))?|"
    r"themen|schlag(?:worte|wörter)|teilen|kommentare|mehr zum thema|lesen sie auch|temas|etiquetas|compartir|"
    r"comentarios|"
    r"assuntos|compartilh(?:e|ar)|mots[- ]clés|thèmes|partager|commentaires|lire aussi|argomenti|condividi|leggi anche|"
    r"onderwerpen|delen|tagi|udostępnij|etiketler|paylaş|теги|темы|поделиться|комментарии|terkait|bagikan|标签|"
    r"分享|タグ|関連記事|태그|공유|(?:\d[\d.,]*\s?[km]?\s*)?(?:shares?|comments?|views?|likes?|tweets?)|\d[\d.,]*\s?[km]?)\W*",
    re.IGNORECASE,
)
"""What stands over tags, links or buttons below a text, in the languages of most pages."""
_BUTTON_WORDS = 1.5
_FOR_LISTENERS = re.compile(r"visually-?hidden|hidden-?visually|sr-only|screen-?reader|offscreen", re.IGNORECASE)
_LONGEST, _LONGEST_HEARD = 80, 30
"""Characters up to which a block is a filler, and one that only screen readers read is a label."""


def fillers(chosen: list[int], blocks: list[Block], words: list[float]) -> set[int]:
    """The numbers of a page's chosen blocks -> those of them that no reader of the text would miss.

    `words` are the words of each block, as `count_words` counts them.
    """
    found = {index for index in chosen if _is_filler(blocks[index])}
    return found | _edges([index for index in chosen if index not in found], blocks, words)


def _edges(chosen: list[int], blocks: list[Block], words: list[float]) -> set[int]:
    """Of the chosen blocks those before the first and after the last that say something: menus, labels, headings."""
    button = [_is_button(blocks[index], words[index]) for index in chosen]
    parents = [blocks[index].element.getparent() for index in chosen]
    said = {parent for parent, is_button in zip(parents, button, strict=True) if not is_button}
    menu = [is_button and parent not in said for parent, is_button in zip(parents, button, strict=True)]
    says = [not is_menu and not _is_label(blocks[at]) for at, is_menu in zip(chosen, menu, strict=True)]
    first = says.index(True) if any(says) else 0
    last = len(chosen)
    while last > first + 1:
        end = next((at for at in range(last, first, -1) if not menu[at - 1]), first)
        # What stands in a list under a heading is the text's, however short.
        if end < last and not _is_heading(blocks[chosen[end - 1]]):
            last = end
        elif end == last and _leads_nowhere(blocks[chosen[end - 1]]):
            last -= 1
        else:
            break
    return {*chosen[:first], *chosen[last:]}


def _is_heading(block: Block) -> bool:
    return block.tag in _HEADINGS and not _is_label(block)


def _leads_nowhere(block: Block) -> bool:
    """Whether a block, as the last of a text, is a heading of what is not the text's, or a label of tags or links."""
    return block.tag in _HEADINGS or _is_label(block)


def _is_label(block: Block) -> bool:
    return len(block.text) <= _LONGEST and bool(_LABEL.fullmatch(block.text))


def _is_button(block: Block, words: float) -> bool:
    """Whether a block, as the first or last of a text, may be of a menu: one word in a list, or marks alone."""
    return not words or (block.tag == "li" and words <= _BUTTON_WORDS)


def _is_filler(block: Block) -> bool:
    """Whether a block is a label of an advertisement or of the page's parts, and no heading."""
    if len(block.text) > _LONGEST:
        return False
    if _FILLER.fullmatch(block.text):
        return True
    if len(block.text) > _LONGEST_HEARD or block.tag in _HEADINGS:
        return False
    around = (block.element, *islice(block.element.iterancestors(), 1))
    return any(_FOR_LISTENERS.search(one.get("class", "")) for one in around)
