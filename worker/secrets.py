"""Secrets stay where they belong: passwords in URLs, and keys in their query, are not for logs or dead letters.

Two nets: what has the form of a secret is masked wherever text goes out, and so is every secret the settings name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import unquote

MASK = "***"
SHORTEST = 4
"""A named secret shorter than this is not looked for as such: it would be found in every other word."""
_USERINFO = re.compile(r"(?<=://)([^\s/@:?#\"'\\]*):([^\s/@\"'\\]+)@")
_QUERY = re.compile(r"(?i)(?<=[?&])([\w.-]*(?:token|key|secret|signature|password|passwd|pwd|sig))=([^&\s\"'<>#\\]+)")

_named: set[str] = set()


def name_secret(secret: str) -> None:
    """Remember a secret for this process, so that it is masked wherever it turns up; `${NAME}` is none."""
    if len(secret) >= SHORTEST and not secret.startswith("${"):
        _named.add(secret)


def name_secrets(urls: Iterable[str]) -> None:
    """Remember the passwords of these URLs for this process, so that they are masked wherever they turn up."""
    for url in urls:
        for found in _USERINFO.finditer(url):
            name_secret(found[2])
            name_secret(unquote(found[2]))


def mask(text: str) -> str:
    """The text without secrets: `redis://user:***@host`, `?api_key=***`."""
    for secret in _named:
        if secret in text:
            text = text.replace(secret, MASK)
    if "@" in text:
        text = _USERINFO.sub(rf"\1:{MASK}@", text)
    return _QUERY.sub(rf"\1={MASK}", text) if "=" in text else text
