"""Look for the feeds of a site: one request after the other, through the same door and the same leases as polls."""

from __future__ import annotations

import asyncio
from urllib.parse import urljoin

from worker.config import Settings
from worker.errors import FetchError
from worker.intake.discovery import Candidate, Found, candidates, declared, guesses, judged, sitemaps
from worker.intake.glance import glance
from worker.intake.http import FetchAnswer, FetchRequest, HttpClient, parse_target
from worker.state.hosts import HostLease, Hosts

OK = 200
LONGEST_WAIT_SECONDS = 60.0
"""So long a request waits for its host, which others may be asking."""


class Asker:
    """Fetches single addresses for a person who waits for the answer; hosts are leased and rested as for polls."""

    def __init__(self, client: HttpClient, hosts: Hosts, settings: Settings, allowed_hosts: frozenset[str]) -> None:
        self._client = client
        self._hosts = hosts
        self._feeds = settings.feeds
        self._allowed = allowed_hosts

    async def fetch(self, url: str) -> FetchAnswer:
        """The final answer; raises FetchError, also "timeout" where the host stays busy."""
        leases: dict[str, HostLease] = {}

        async def admit(host: str) -> None:
            if host not in leases:
                leases[host] = await self._lease(host)

        request = FetchRequest(
            url=url,
            allowed_hosts=self._allowed,
            most_bytes=self._feeds.document_bytes,
            connect_seconds=self._feeds.connect_seconds,
            first_byte_seconds=self._feeds.first_byte_seconds,
            deadline_seconds=self._feeds.timeout_seconds + LONGEST_WAIT_SECONDS,
        )
        try:
            return await self._client.fetch(request, admit)
        finally:
            for lease in leases.values():
                self._hosts.free(lease)

    async def _lease(self, host: str) -> HostLease:
        end = asyncio.get_running_loop().time() + LONGEST_WAIT_SECONDS
        while True:
            answer = self._hosts.take([host])[host]
            if isinstance(answer, HostLease):
                return answer
            if asyncio.get_running_loop().time() + answer > end:
                raise FetchError("timeout", f"{host} is asked by others and stays busy")
            await asyncio.sleep(answer)


async def discover(url: str, asker: Asker) -> list[Found]:
    """The feeds and sitemaps of the site at `url`, best first; raises FetchError where that itself cannot be had.

    Usual places are tried only where the site declares and links to no feed.
    """
    answer = await asker.fetch(url)
    if answer.status != OK:
        raise FetchError("http_status", f"HTTP {answer.status} {answer.reason}".strip(), answer.status)
    itself = _judge(Candidate(answer.url, "itself"), answer)
    if itself is not None:
        return [itself]
    named = declared(answer.content, answer.headers, answer.url)
    found = await _look_at(candidates(named), asker)
    if not found:
        found = await _look_at(candidates(guesses(answer.url)), asker)
    return _distinct([*found, *await _look_at(candidates(await _of_robots(answer.url, asker)), asker)])


async def _of_robots(url: str, asker: Asker) -> list[Candidate]:
    target = parse_target(url)
    place = urljoin(target.url, "/robots.txt")
    try:
        answer = await asker.fetch(place)
    except FetchError:
        return []
    return sitemaps(answer.content.decode("utf-8", "replace"), place) if answer.status == OK else []


async def _look_at(wanted: list[Candidate], asker: Asker) -> list[Found]:
    found = []
    for candidate in wanted:
        try:
            answer = await asker.fetch(candidate.url)
        except FetchError:
            continue
        judgement = _judge(candidate, answer) if answer.status == OK else None
        if judgement is not None:
            found.append(judgement)
    return found


def _judge(candidate: Candidate, answer: FetchAnswer) -> Found | None:
    return judged(candidate, answer.url, glance(answer.content, answer.header("content-type"), answer.url))


def _distinct(found: list[Found]) -> list[Found]:
    return list({each.url: each for each in reversed(found)}.values())[::-1]
