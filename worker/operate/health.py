"""Health of this host's processes (`live`) and of the system for them (`ready`), for containers and people.

Live is about progress: the loop turns, and of the work that waits something is taken. A server that is away makes
nobody unhealthy: a restart would not bring it back.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence

from redis import Redis
from redis.exceptions import RedisError

from worker.config import Settings
from worker.desk import Bells, state_url_of
from worker.errors import CopydeskError
from worker.state.connection import connect
from worker.state.keys import Keys
from worker.state.pauses import PAUSE_STAGES, Pauses
from worker.state.preflight import require_safe
from worker.state.pressure import Pressure
from worker.state.pulses import Listener, Pulse, living_here, pulses_here
from worker.watchdog import STAGE_TASKS, Watch, bells_waiting, judge_all

ANSWER_SECONDS = 3.0
"""How long a probe waits for the server."""
NOBODY = "no process of copydesk has given a sign of life on this host"
SECOND_LOOK_SECONDS = 3.0
"""Between the two looks at a worker that has taken nothing for long: one that is well takes a bell in between."""


def live(settings: Settings, open_bells: Callable[[], Bells]) -> list[str]:
    """Why this host's processes are not alive, in words; empty where they are. Takes `SECOND_LOOK_SECONDS` on doubt.

    `open_bells` is called only where some process has taken nothing for long: on a busy host the probe costs little.
    """
    redis = connect(state_url_of(settings), ANSWER_SECONDS, patient=False)
    try:
        redis.ping()
        return _live(settings, redis, open_bells)
    except (RedisError, OSError):
        return [] if pulses_here(settings) else [NOBODY]
    finally:
        redis.close()


def _live(settings: Settings, redis: Redis, open_bells: Callable[[], Bells]) -> list[str]:
    pulses = living_here(settings, redis)
    if not pulses:
        return [NOBODY]
    stalled, task_seconds = settings.supervision.stalled_seconds, float(settings.workers.task_seconds)
    now = time.monotonic()
    idle = [
        pulse for pulse in pulses if now - pulse.answered_monotonic > stalled + (task_seconds if pulse.busy else 0.0)
    ]
    waiting: set[str] = set()
    if any(set(STAGE_TASKS) & set(pulse.serves) for pulse in idle):
        depths = bells_waiting(open_bells(), Pauses(redis, Keys(settings.state.namespace)))
        waiting = {task for task, depth in depths.items() if depth}
    silent = _silent(Watch(stalled, task_seconds), pulses, now)
    late = [pulse for pulse in idle if waiting & set(pulse.serves)]
    if silent or not late:
        return silent
    time.sleep(SECOND_LOOK_SECONDS)
    answered = {(pulse.name, pulse.pid): pulse.answered for pulse in living_here(settings, redis)}
    return [
        f"{pulse.name}: work waits, and it takes none"
        for pulse in late
        if answered.get((pulse.name, pulse.pid)) == pulse.answered
    ]


def ready(settings: Settings) -> list[str]:
    """Why the system is not ready for work, in words; empty where it is."""
    redis = connect(state_url_of(settings), ANSWER_SECONDS, patient=False)
    keys = Keys(settings.state.namespace)
    try:
        require_safe(redis, settings.state.durability)
        missing = unserved([pulse.serves for pulse in Listener(redis, settings).everywhere()])
        alerts = [f"{pause.scope} is paused: {pause.reason}" for pause in Pauses(redis, keys).all() if pause.alert]
        pressure = Pressure(redis, settings).paused()
    except (CopydeskError, RedisError, OSError) as error:
        return [f"the state server: {error}"]
    finally:
        redis.close()
    return [*alerts, *missing, *([f"pulling is paused: {pressure}"] if pressure else [])]


def unserved(serves: Iterable[Sequence[str]]) -> list[str]:
    """What nobody does, in words, by what each process that gives signs of life serves."""
    served = {stage for stages in serves for stage in stages}
    return [f"nobody serves {stage}" for stage in (*PAUSE_STAGES, "beat") if stage not in served]


def _silent(watch: Watch, pulses: list[Pulse], now: float) -> list[str]:
    names = {pulse.pid: pulse.name for pulse in pulses}
    verdicts = judge_all(watch, pulses, {}, now, since=float("-inf"))
    return [f"{names[pid]}: {reason}" for pid, reason in verdicts]
