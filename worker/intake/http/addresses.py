"""Which addresses the public internet has, and which are nobody's business to ask: pure.

Refused by default are all that IANA's special-purpose registries do not call globally reachable unicast, and those
that are globally reachable by name only: addresses that carry another address inside (NAT64, 6to4, Teredo, mapped and
compatible IPv4), and the cloud metadata services that live on public numbers.

Sources: https://www.iana.org/assignments/iana-ipv4-special-registry, .../iana-ipv6-special-registry (RFC 6890),
RFC 6052 and 8215 (NAT64), RFC 3056 (6to4), RFC 4380 (Teredo).
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Address = IPv4Address | IPv6Address

_METADATA = {
    IPv4Address("169.254.169.254"),  # AWS, Azure, Google, DigitalOcean, OpenStack
    IPv4Address("169.254.170.2"),  # AWS containers
    IPv4Address("168.63.129.16"),  # Azure's host
    IPv4Address("100.100.100.200"),  # Alibaba
    IPv4Address("192.0.0.192"),  # Oracle
    IPv6Address("fd00:ec2::254"),  # AWS
    IPv6Address("fd20:ce::254"),  # Google
}
_SPECIAL_4 = [
    (IPv4Network(network), kind)
    for network, kind in (
        ("0.0.0.0/8", "unspecified"),
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "shared by a carrier (CGNAT)"),
        ("127.0.0.0/8", "loopback"),
        ("169.254.0.0/16", "link-local"),
        ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "reserved"),
        ("192.0.2.0/24", "documentation"),
        ("192.88.99.0/24", "6to4"),
        ("192.168.0.0/16", "private"),
        ("198.18.0.0/15", "benchmarking"),
        ("198.51.100.0/24", "documentation"),
        ("203.0.113.0/24", "documentation"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved"),
    )
]
_SPECIAL_6 = [
    (IPv6Network(network), kind)
    for network, kind in (
        ("::/128", "unspecified"),
        ("::1/128", "loopback"),
        ("::ffff:0:0/96", "mapped IPv4"),
        ("::/96", "compatible IPv4"),
        ("64:ff9b::/96", "NAT64"),
        ("64:ff9b:1::/48", "NAT64"),
        ("2001::/32", "Teredo"),
        ("2001::/23", "reserved"),
        ("2001:db8::/32", "documentation"),
        ("2002::/16", "6to4"),
        ("3fff::/20", "documentation"),
        ("fc00::/7", "private"),
        ("fe80::/10", "link-local"),
        ("ff00::/8", "multicast"),
    )
]
_GLOBAL_UNICAST_6 = IPv6Network("2000::/3")
"""All that IANA has given out for the internet so far."""


def parse_address(text: str) -> Address | None:
    """An address in its plain spelling, with or without brackets and zone; None for a name (or an odd spelling)."""
    try:
        return ip_address(text.strip("[]").partition("%")[0])
    except ValueError:
        return None


def why_refused(address: Address) -> str | None:
    """What kind of address this is, where it must not be asked unless its host is allowed; None where it may."""
    if address in _METADATA:
        return "cloud metadata"
    special = _SPECIAL_4 if isinstance(address, IPv4Address) else _SPECIAL_6
    for network, kind in special:
        if address in network:  # an address is in no network of the other family
            return kind
    if isinstance(address, IPv6Address) and address not in _GLOBAL_UNICAST_6:
        return "reserved"
    # The registry that Python carries knows what was added since.
    return None if address.is_global else "not global"
