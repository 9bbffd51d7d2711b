"""URLs: made absolute, and made canonical so that one page has one name.

Only http and https pass. `canonical_url` is idempotent.
"""

from __future__ import annotations

import re
from urllib.parse import urljoin, urlsplit, urlunsplit

import idna
from w3lib.url import canonicalize_url, safe_url_string, url_query_cleaner

_DEFAULT_PORTS = {"http": 80, "https": 443}
_TRACKING_PREFIXES = (
    "utm_",
    "mtm_",
    "pk_",
    "hsa_",
    "at_campaign",
    "at_medium",
    "at_custom",
    "at_link",
    "at_ptr",
)
# Click and campaign identifiers of advertising networks and mailers (as in the ClearURLs and AdGuard lists).
_TRACKING = frozenset(
    [
        "fbclid",
        "gclid",
        "gclsrc",
        "dclid",
        "gbraid",
        "wbraid",
        "msclkid",
        "twclid",
        "ttclid",
        "yclid",
        "igshid",
        "igsh",
        "mc_cid",
        "mc_eid",
        "_hsenc",
        "_hsmi",
        "mkt_tok",
        "oly_anon_id",
        "oly_enc_id",
        "vero_id",
        "wickedid",
        "_openstat",
        "xtor",
        "cmpid",
        "ns_campaign",
        "ns_mchannel",
        "ns_source",
        "ns_linkname",
        "ns_fee",
        "s_cid",
        "ito",
        "spm",
        "guccounter",
        "guce_referrer",
        "guce_referrer_sig",
        "__twitter_impression",
        *("_ga", "_gl", "_branch_match_id", "__s", "cmp", "li_fat_id", "ncid", "ocid", "ref_src", "ref_url"),
        *("s_kwcid", "smid", "sr_share", "srsltid", "wt.mc_id", "wt.mc_ev", "wt.tsrc", "yptr"),
    ]
)
# Copies of pages in AMP caches (https://developers.google.com/amp/cache/overview) and in search engines' viewers.
_AMP_CACHE = re.compile(
    r"https?://[\w.-]+\.cdn\.ampproject\.org/(?:[a-z]+/)?(s/)?([\w-]+\.[\w.-]+(?:[:/].*)?)$", re.IGNORECASE
)
_AMP_VIEWER = re.compile(
    r"https?://(?:www\.)?(?:google|bing)\.[a-z.]{2,6}/amp/(s/)?([\w-]+\.[\w.-]+(?:[:/].*)?)$", re.IGNORECASE
)
_WEB_ARCHIVE = re.compile(
    r"https?://web\.archive\.org/web/\d{1,14}(?:[a-z]{2}_)?/(?:http(s)?:/{1,2})?([\w-]+\.[\w.-]+(?:[:/].*)?)$",
    re.IGNORECASE,
)
"""A page in the Wayback Machine, which writes its own address into the page's links."""
_AMP_PATH = re.compile(r"(/[^/]*[\d-][^/]*)/amp/?$")
"""The AMP form of a page that has a name of its own: a slug or a number stands before it."""

_AMP_SUFFIX = re.compile(r"(/[^/]+?)(?:\.amp)+(\.html?)?$")
_AMP_QUERY = frozenset(("amp", "amp=1", "amp=true", "outputtype=amp"))
_SESSION = re.compile(r";jsessionid=[^/?#;]*", re.IGNORECASE)
_SETTLED = re.compile(r"https?://[a-z\d-]+(?:\.[a-z\d-]+)+(?:/(?!amp(?:/|$))[A-Za-z\d_-][\w.~-]*)+/?", re.ASCII)
"""An address of a host and plain path: nothing in it can be written another way. Most addresses are such."""
_SAFE = re.compile(
    r"https?://[a-z\d-]+(?:\.[a-z\d-]+)+/(?:[A-Za-z\d_-][\w.~-]*/)*(?:[A-Za-z\d_-][\w.~-]*)?(?:\?[\w.~=&+,-]+)?",
    re.ASCII,
)
"""An absolute address without anything to escape or resolve."""
_CACHE_HOST = re.compile(r"https?://[\w.-]*(?:ampproject\.org|(?:google|bing)\.|web\.archive\.org)", re.ASCII)

_ESCAPED = re.compile(r"&(?:(?:amp|#0*38|#x0*26);)+", re.IGNORECASE)
"""An ampersand that was escaped once too often, as publishing systems write it into data."""
_MAX_LENGTH = 8_192
"""Characters; longer ones are data in disguise (servers refuse them from about here on)."""


def absolute_url(url: str | None, base: str | None = None) -> str | None:
    """A link as found, and the address it stands on -> absolute http(s) URL, or None."""
    text = "".join((url or "").split("\n")).strip()
    if not text or len(text) > _MAX_LENGTH:
        return None
    if _SAFE.fullmatch(text):
        return text
    try:
        joined = safe_url_string(_with_ascii_host(urljoin(base or "", _ESCAPED.sub("&", text))))
        parts = urlsplit(joined)
        usable = parts.scheme.lower() in _DEFAULT_PORTS and bool(parts.hostname)
    except ValueError:
        return None
    return joined if usable else None


def _with_ascii_host(url: str) -> str:
    """International names as browsers write them (UTS 46, not transitional); Python's own codec makes ss of \u00df."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if host.isascii():
        return url
    try:
        name = idna.encode(host, uts46=True).decode("ascii")
    except idna.IDNAError:
        return url
    return urlunsplit(parts._replace(netloc=name if parts.port is None else f"{name}:{parts.port}"))


def canonical_url(url: str | None, base: str | None = None) -> str | None:
    """A link -> its canonical form; None for what is no http(s) URL.

    Host in lower case and without default port, no user, no fragment, no tracking parameters or session, the
    other parameters sorted; the page itself instead of its AMP form or a cached copy of it.
    """
    absolute = absolute_url(url, base)
    if absolute is None:
        return None
    if _is_settled(absolute):
        return absolute
    try:
        parts = urlsplit(canonicalize_url(_page_itself(absolute)))
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        return None
    if not host:
        return None
    host = f"[{host}]" if ":" in host else host
    netloc = host if port in (None, _DEFAULT_PORTS[parts.scheme]) else f"{host}:{port}"
    plain = urlunsplit((parts.scheme, netloc, parts.path or "/", parts.query, ""))
    return _settle(_without_tracking(plain))


def _page_itself(url: str) -> str:
    """Out of an AMP cache, a viewer or the Wayback Machine, without what asks for the AMP form, without a session."""
    for _ in range(3):
        found = _AMP_CACHE.match(url) or _AMP_VIEWER.match(url) or _WEB_ARCHIVE.match(url)
        if found is None:
            break
        url = f"http{'s' if found[1] else ''}://{found[2]}"
    parts = urlsplit(url)
    kept = [pair for pair in parts.query.split("&") if pair.lower() not in _AMP_QUERY]
    return urlunsplit(parts._replace(path=_page_path(_SESSION.sub("", parts.path)), query="&".join(kept)))


def _page_path(path: str) -> str:
    return _AMP_SUFFIX.sub(r"\1\2", _AMP_PATH.sub(r"\1", path))


def is_site_root(url: str) -> bool:
    """Whether a URL names a whole site and so no article."""
    parts = urlsplit(url)
    return parts.path in ("", "/") and not parts.query


def _without_tracking(url: str) -> str:
    names = {pair.partition("=")[0] for pair in urlsplit(url).query.split("&")}
    tracking = [name for name in names if name.lower() in _TRACKING or name.lower().startswith(_TRACKING_PREFIXES)]
    return url_query_cleaner(url, tracking, remove=True, unique=False) if tracking else url


def _is_settled(url: str) -> bool:
    """Whether an absolute address is canonical as it is, told by its look alone."""
    return _SETTLED.fullmatch(url) is not None and ".amp" not in url and _CACHE_HOST.match(url) is None


def _settle(url: str) -> str | None:
    """Repeat until nothing changes: escapes that decode to escapes take more than one pass."""
    if _is_settled(url):
        return url
    for _ in range(5):
        try:
            again = canonicalize_url(_page_itself(url))
        except ValueError:
            return None
        if again == url:
            return url
        url = again
    return None
