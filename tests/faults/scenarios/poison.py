"""F2 and F8: a pool child that is killed or runs out of memory, and documents that crash, hang or devour."""

from __future__ import annotations

import time
from pathlib import Path

import psutil

from tests.faults.articles import article, expected_ids, write_file
from tests.faults.flags import Flags
from tests.faults.report import Report
from tests.faults.system import LOOK_SECONDS, WORK_SECONDS, System, system_on, wait_for

SLOWER, SLACK_SECONDS = 3.0, 10.0
"""After the poison as many articles may take this many times as long as before, and so much more."""
POISONS = ("CRASH-THE-PARSER", "HANG-THE-PARSER", "DEVOUR-ALL-MEMORY")


def kill_children(directory: Path, *, documents: int, kills: int, server: str = "valkey", broker: str = "") -> Report:
    """F2: single children of the parse pool are killed while they work; their neighbours go on."""
    flags = Flags(directory / "flags")
    flags.raise_flag("parse_slow", WORK_SECONDS)
    with system_on(server, directory, broker=broker, environment=flags.environment) as system:
        started = time.monotonic()
        at_work = 0
        for step in range(kills):
            before = system.stored()
            system.feed(max(20, documents * (step + 1) // kills - system.fed))
            at_work += system.wait_busy(before)
            _kill_child(system)
        # What is still to be done after the last fault need not take long.
        flags.lower_flag("parse_slow")
        notes = {"server": server, "broker": broker, "kills_while_at_work": at_work}
        return system.report("F2", faults=kills, under_fire=time.monotonic() - started, notes=notes)


def _kill_child(system: System) -> None:
    """SIGKILL of one process of the parse pool; waits until there is one."""
    while True:
        try:
            system.random.choice(system.child("parse").children()).kill()
        except (IndexError, psutil.NoSuchProcess):
            time.sleep(LOOK_SECONDS)
        else:
            return


def poison(directory: Path, *, documents: int, poisons: int, server: str = "valkey") -> Report:
    """F8: documents that crash the parser, hang it inside C code, or devour memory, among sound ones."""
    flags = Flags(directory / "flags")
    settings: dict[str, dict[str, object]] = {
        "limits": {"parse_seconds": 2, "parse_memory_bytes": 1_500_000_000},
        "workers": {"task_seconds": 40},
    }
    with system_on(server, directory, settings=settings, environment=flags.environment) as system:
        started = time.monotonic()
        system.feed(20)
        wait_for(lambda: system.stored() >= system.fed)
        before = _seconds_for(system, documents // 3)
        system.feed(documents // 3)
        for number in range(poisons):
            bad = article(10_000_000 + number) | {"guid": f"poison-{number}"}
            bad["body_text"] += f"\n\n{POISONS[number % len(POISONS)]}"
            write_file(system.inbox / f"poison-{number}.jsonl", [bad])
        buried = wait_for(lambda: sum(system.status().get("letters", {}).values()) >= poisons)
        after = _seconds_for(system, documents - system.fed)
        return system.report(
            "F8",
            faults=poisons,
            under_fire=time.monotonic() - started,
            wanted=expected_ids(documents),
            expected_buried=poisons,
            notes={
                "server": server,
                "seconds_until_all_were_buried": round(buried, 1),
                "seconds_for_a_third_before": round(before, 1),
            },
            goals={"seconds_for_a_third_after": (round(after, 1), round(SLOWER * before + SLACK_SECONDS, 1))},
        )


def _seconds_for(system: System, count: int) -> float:
    """How long so many articles take until they are stored."""
    wanted = system.stored() + count
    system.feed(count)
    return wait_for(lambda: system.stored() >= wanted)
