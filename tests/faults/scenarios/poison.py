"""F2 and F8: a pool child that is killed or runs out of memory, and documents that crash, hang or devour."""

from __future__ import annotations

import time
from pathlib import Path

import psutil

from tests.faults.articles import article, expected_ids, write_file
from tests.faults.flags import Flags
from tests.faults.report import Report
from tests.faults.system import System, system_on, wait_for

SLOWER, SLACK_SECONDS = 3.0, 10.0
"""After the poison as many articles may take this many times as long as before, and so much more."""
POISONS = ("CRASH-THE-PARSER", "HANG-THE-PARSER", "DEVOUR-ALL-MEMORY")


def kill_children(
    directory: Path, *, documents: int, kills: int, seconds_between: float = 0.8, server: str = "valkey"
) -> Report:
    """F2: single children of the parse pool are killed while they work; their neighbours go on."""
    with system_on(server, directory) as system:
        system.feed(20)
        wait_for(system.stored, 60)
        started = time.monotonic()
        killed = 0
        for step in range(kills):
            system.feed(max(0, documents * (step + 1) // kills - system.fed))
            time.sleep(system.random.uniform(0.3, 1.7) * seconds_between)
            pool = system.children().get("parse")
            children = pool.children() if pool else []
            if children:
                try:
                    system.random.choice(children).kill()
                    killed += 1
                except psutil.NoSuchProcess:
                    pass
        return system.report("F2", faults=killed, under_fire=time.monotonic() - started)


def poison(directory: Path, *, documents: int, poisons: int, server: str = "valkey") -> Report:
    """F8: documents that crash the parser, hang it inside C code, or devour memory, among sound ones."""
    flags = Flags(directory / "flags")
    settings: dict[str, dict[str, object]] = {
        "limits": {"parse_seconds": 8, "parse_memory_bytes": 1_500_000_000},
        "workers": {"task_seconds": 40},
    }
    with system_on(server, directory, settings=settings, environment=flags.environment) as system:
        started = time.monotonic()
        system.feed(20)
        wait_for(lambda: system.stored() >= system.fed, 60)
        before = _seconds_for(system, documents // 3)
        system.feed(documents // 3)
        for number in range(poisons):
            bad = article(10_000_000 + number) | {"guid": f"poison-{number}"}
            bad["body_text"] += f"\n\n{POISONS[number % len(POISONS)]}"
            write_file(system.inbox / f"poison-{number}.jsonl", [bad])
        buried = wait_for(lambda: sum(system.status().get("letters", {}).values()) >= poisons, 240)
        after = _seconds_for(system, documents - system.fed)
        slow = after > SLOWER * before + SLACK_SECONDS
        return system.report(
            "F8",
            faults=poisons,
            under_fire=time.monotonic() - started,
            wanted=expected_ids(documents),
            expected_buried=poisons,
            notes={
                "seconds_until_all_were_buried": round(buried, 1),
                "seconds_for_a_third_before_and_after": [round(before, 1), round(after, 1)],
            },
            failures=("throughput did not recover",) if slow else (),
        )


def _seconds_for(system: System, count: int) -> float:
    """How long so many articles take until they are stored."""
    wanted = system.stored() + count
    system.feed(count)
    return wait_for(lambda: system.stored() >= wanted, 120)
