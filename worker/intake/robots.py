"""robots.txt: which pages may be fetched, and how long a host wants to rest (RFC 9309). Pure.

Feeds themselves are asked for by their readers and are no crawling; the pages of articles are.
"""

from __future__ import annotations

from functools import lru_cache
from urllib.parse import urljoin

import msgspec
from protego import Protego

KEPT_SECONDS = 86_400
"""RFC 9309 2.4: no longer than a day."""
UNREACHABLE_SECONDS = 3_600
"""How soon a host is asked again that did not tell its rules."""
MOST_BYTES = 512_000
"""RFC 9309 2.5: at least 500 KiB are read."""
MOST_DELAY_SECONDS = 30.0


class Robots(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a host's robots.txt says. Where the host did not answer (`reachable` False), nothing may be fetched."""

    text: str = ""
    reachable: bool = True

    @property
    def kept_seconds(self) -> int:
        """How long this may be remembered."""
        return KEPT_SECONDS if self.reachable else UNREACHABLE_SECONDS

    def allows(self, url: str, user_agent: str) -> bool:
        """Whether this page may be fetched by who calls itself `user_agent` (its first word, without version)."""
        return self.reachable and bool(_rules(self.text).can_fetch(url, _token(user_agent)))

    def rest_seconds(self, user_agent: str) -> float:
        """Crawl-delay, at most 30 s; 0 where there is none."""
        return min(float(_rules(self.text).crawl_delay(_token(user_agent)) or 0.0), MOST_DELAY_SECONDS)


UNREACHABLE = Robots(reachable=False)


def robots_url(url: str) -> str:
    """Where the rules for a page lie."""
    return urljoin(url, "/robots.txt")


def robots_of(status: int, content: bytes) -> Robots:
    """The answer to a request for robots.txt -> rules: all is allowed where there is none, nothing where it failed."""
    if status == 200:
        return Robots(text=content[:MOST_BYTES].decode("utf-8", "replace"))
    return Robots() if 400 <= status < 500 and status != 429 else UNREACHABLE


@lru_cache(maxsize=256)
def _rules(text: str) -> Protego:
    return Protego.parse(text)


def _token(user_agent: str) -> str:
    return user_agent.partition("/")[0].strip()
