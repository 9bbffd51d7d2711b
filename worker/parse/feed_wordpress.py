"""A WordPress export (WXR, an RSS feed): what is published in it, and its texts as WordPress would show them.

Sources: wp-admin/includes/export.php (the elements), wpautop and the shortcodes of WordPress' own media.
"""

from __future__ import annotations

import re
from typing import Any

from worker.clean.html import html_to_text
from worker.errors import Rejected

_PARTS = frozenset(
    [
        *("attachment", "revision", "nav_menu_item", "custom_css", "customize_changeset", "oembed_cache"),
        *("user_request", "wp_block", "wp_template", "wp_template_part", "wp_global_styles", "wp_navigation"),
    ]
)
"""Types of WordPress that are no texts of their own (https://developer.wordpress.org/plugins/post-types/)."""
_AUTHOR = re.compile(r"<wp:author>(.{1,4000}?)</wp:author>", re.DOTALL)
_SHORTCODES = re.compile(
    r"\[(?P<name>caption|wp_caption)\b[^\]]{0,1000}\].{0,5000}?\[/(?P=name)\]|"
    r"\[/?(?:gallery|audio|video|embed|playlist)\b[^\]]{0,1000}\]",
    re.DOTALL,
)
_BLOCK = re.compile(r"<(?:p|div|h[1-6]|ul|ol|table|blockquote|section|figure)\b", re.IGNORECASE)
_BLANK_LINES = re.compile(r"\n\s*\n")


def refuse_unpublished(entry: dict[str, Any]) -> None:
    """Raises Rejected `no_article` for what an export holds besides published texts that everybody may read."""
    status, kind = entry.get("wp_status") or "publish", entry.get("wp_post_type")
    if kind in _PARTS:
        raise Rejected("no_article", f"WordPress: {kind}, no text")
    if status != "publish":
        raise Rejected("no_article", f"WordPress: not published ({str(status)[:40]})")
    if entry.get("wp_post_password"):
        raise Rejected("no_article", "WordPress: not published (needs a password)")


def as_shown(entry: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    """An entry of an export as a feed of the site would have it; any other entry as it is.

    `names` are those that logins are shown by (`display_names`).
    """
    if not entry.get("wp_post_type"):
        return entry
    shown = dict(entry)
    shown["content"] = [
        {**part, "value": _with_paragraphs(part.get("value") or "")} for part in entry.get("content", ())
    ]
    if excerpt := str(entry.get("excerpt_encoded") or ""):
        shown["summary"] = excerpt
    if login := entry.get("author"):
        shown["author"] = names.get(login, login)
        shown["authors"] = [{"name": shown["author"]}]
    changed = str(entry.get("wp_post_modified_gmt") or "")
    if changed and not entry.get("updated"):
        shown["updated"] = f"{changed} GMT"
    return shown


def display_names(text: str) -> dict[str, str]:
    """The text of an export -> the name that each author's login is shown by."""
    named = ((_field(part, "author_login"), _field(part, "author_display_name")) for part in _AUTHOR.findall(text))
    return {login: name for login, name in named if login and name}


def _field(part: str, name: str) -> str:
    inside = part.partition(f"<wp:{name}>")[2].partition(f"</wp:{name}>")[0].strip()
    return html_to_text(inside.removeprefix("<![CDATA[").removesuffix("]]>"))


def _with_paragraphs(content: str) -> str:
    """Content without shortcodes of pictures and players; where it has no blocks, blank lines part its paragraphs."""
    content = _SHORTCODES.sub("", content.replace("\r\n", "\n"))
    if _BLOCK.search(content):
        return content
    return "".join(f"<p>{part}</p>" for part in _BLANK_LINES.split(content) if part.strip())
