"""What a poll left to do: pages of the archive, sitemaps of an index, pages of articles. One fetch is one step.

Each step is remembered in the same atomic step as what it brought, and the feed itself is not asked again before its
time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import msgspec

from worker.intake import archives, fulltext, sitemaps
from worker.intake.archives import Walk
from worker.intake.fulltext import PageTask
from worker.intake.poll_state import PollState


@dataclass(frozen=True, slots=True)
class Steps:
    """The steps that are left; `pages` are tasks by their poll-state field, None for one that has ended.

    `changed` names the pages that are not as they were recalled.
    """

    walk: Walk | None = None
    maps: tuple[str, ...] = ()
    pages: Mapping[str, PageTask | None] = field(default_factory=dict)
    changed: frozenset[str] = frozenset()

    @property
    def tasks(self) -> dict[str, PageTask]:
        """The pages that are still to be fetched."""
        return {name: task for name, task in self.pages.items() if task is not None}

    def url(self, now: float) -> str | None:
        """The address of the next step; None where there is none, or all wait."""
        if self.walk is not None:
            return self.walk.url
        if self.maps:
            return self.maps[0]
        found = fulltext.next_task(self.tasks, now)
        return found[1].url if found else None

    def left(self) -> bool:
        """Whether anything is left to do, now or later."""
        return self.walk is not None or bool(self.maps) or bool(self.tasks)

    def due_seconds(self, feed_due_at: float, now: float) -> float:
        """Until the next step, or the feed itself, is due."""
        if self.url(now) is not None:
            return 0.0
        due_at = min([feed_due_at, *(task.due_at for task in self.tasks.values())])
        return max(0.0, due_at - now)

    def fields(self) -> dict[str, str]:
        """What has changed as fields of the poll state; an empty value ends a step."""
        return {
            archives.FIELD: "" if self.walk is None else msgspec.json.encode(self.walk).decode(),
            sitemaps.FIELD: sitemaps.remembered(self.maps),
            **fulltext.remembered({name: self.pages[name] for name in self.changed}),
        }

    def with_page(self, name: str, task: PageTask | None) -> Steps:
        """These steps with one page's task changed or ended."""
        return replace(self, pages={**self.pages, name: task}, changed=self.changed | {name})


def recalled_steps(state: Mapping[str, str]) -> Steps:
    """The steps in a poll state."""
    return Steps(
        archives.recalled_walk(state.get(archives.FIELD, "")), sitemaps.recalled(state), fulltext.recalled_tasks(state)
    )


def next_step(steps: Steps, memory: PollState, now: float) -> str | None:
    """The address of the next step; None where the feed itself is due, or no step is."""
    return None if now >= memory.due_at else steps.url(now)
