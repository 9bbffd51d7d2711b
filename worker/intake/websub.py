"""WebSub (https://www.w3.org/TR/websub/): feeds whose hub tells us when something is new. Pure; the clock is passed in.

    poll finds a hub ──► asked ──hub verifies the intent──► active ──lease runs out──► asked again
                                                              └─► contents arrive, signed with our secret

A hub that is silent costs nothing: the feed is still polled, only more slowly while a subscription is active.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Literal
from urllib.parse import urlencode

import msgspec

from worker.intake.poll_state import PollState

FIELD = "websub"
"""Field of the poll state."""
LEASE_SECONDS = 10 * 86_400
"""What is asked for; hubs decide."""
LONGEST_LEASE_SECONDS = 60 * 86_400
ASK_AGAIN_SECONDS = 86_400.0
"""How soon a hub that did not answer, or refused, is asked again."""
RENEW_SHARE = 0.8
"""A subscription is renewed when so much of its lease is over."""
METHODS = {"sha1": hashlib.sha1, "sha256": hashlib.sha256, "sha384": hashlib.sha384, "sha512": hashlib.sha512}
"""Signatures that section 7.1 knows."""


class Subscription(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is remembered of a subscription; moments are Unix seconds.

    `token` is the last part of the callback's path: the source's id, a colon and a random text.
    """

    hub: str
    topic: str
    token: str
    secret: str
    state: Literal["asked", "active", "denied"] = "asked"
    asked_at: float = 0.0
    active_since: float = 0.0
    lease_ends_at: float = 0.0
    pushed_at: float = 0.0
    reason: str = ""

    def is_active(self, now: float) -> bool:
        """Whether the hub has promised to tell what is new."""
        return self.lease_ends_at > now


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """How to answer a hub that asks whether we meant it: status, body, and the subscription from now on."""

    status: int
    body: str = ""
    subscription: Subscription


def recalled(state: Mapping[str, str]) -> Subscription | None:
    """The subscription in a poll state, or None."""
    try:
        text = state.get(FIELD, "")
        return msgspec.json.decode(text, type=Subscription) if text else None
    except msgspec.DecodeError:
        return None


def remembered(subscription: Subscription) -> dict[str, str]:
    """The subscription as a field of the poll state."""
    return {FIELD: msgspec.json.encode(subscription).decode()}


def wanted(memory: PollState, known: Subscription | None, now: float, token: str, secret: str) -> Subscription | None:
    """The subscription to ask a feed's hub for now; None where there is no hub or nothing is to be done.

    `token` and `secret` are fresh random texts, used where there was no subscription to this topic before.
    """
    if not memory.hubs or memory.gone_at:
        return None
    hub, topic = memory.hubs[0], memory.self_url or memory.adopted_url or memory.url
    if known is None or (known.hub, known.topic) != (hub, topic):
        return Subscription(hub=hub, topic=topic, token=token, secret=secret, asked_at=now)
    renew_at = known.active_since + RENEW_SHARE * (known.lease_ends_at - known.active_since)
    if known.is_active(now) and now < renew_at:
        return None
    patience = (
        min(ASK_AGAIN_SECONDS, (known.lease_ends_at - renew_at) / 2) if known.is_active(now) else ASK_AGAIN_SECONDS
    )
    if now < known.asked_at + patience:
        return None
    return msgspec.structs.replace(known, asked_at=now)


def request_body(subscription: Subscription, callback: str) -> bytes:
    """The form that asks a hub to subscribe; `callback` is the public address of our server, without the token."""
    form = {
        "hub.mode": "subscribe",
        "hub.topic": subscription.topic,
        "hub.callback": f"{callback.rstrip('/')}/{subscription.token}",
        "hub.secret": subscription.secret,
        "hub.lease_seconds": str(LEASE_SECONDS),
    }
    return urlencode(form).encode()


def verify(subscription: Subscription, query: Mapping[str, str], now: float) -> Verified:
    """A hub's GET (section 5.3): we confirm what we asked for, for as long as the hub says; nothing else."""
    mode, topic = query.get("hub.mode", ""), query.get("hub.topic", "")
    if topic != subscription.topic:
        return Verified(status=404, subscription=subscription)
    if mode == "denied":
        reason = query.get("hub.reason", "")[:200]
        return Verified(status=200, subscription=msgspec.structs.replace(subscription, state="denied", reason=reason))
    lease = query.get("hub.lease_seconds", "")
    if mode != "subscribe" or "hub.challenge" not in query or not lease.isdecimal():
        return Verified(status=404, subscription=subscription)
    active = msgspec.structs.replace(
        subscription,
        state="active",
        active_since=now,
        lease_ends_at=now + min(int(lease[:10]), LONGEST_LEASE_SECONDS),
        reason="",
    )
    return Verified(status=200, body=query["hub.challenge"], subscription=active)


def is_authentic(subscription: Subscription, signature: str, body: bytes) -> bool:
    """Whether `X-Hub-Signature` (method=hex) is of this body under our secret."""
    name, _, given = signature.strip().partition("=")
    method = METHODS.get(name.lower())
    if method is None:
        return False
    right = hmac.new(subscription.secret.encode(), body, method).hexdigest()
    return hmac.compare_digest(right.encode(), given.strip().lower().encode("utf-8", "replace"))
