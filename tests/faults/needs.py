"""What a scenario needs of its host beyond Python: root, a server, a program."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable

from tests.faults.servers import binary_of
from tests.rabbit import SERVER as RABBITMQ

NEEDS: dict[str, tuple[Callable[[], object], str]] = {
    "root": (lambda: hasattr(os, "geteuid") and os.geteuid() == 0, "run as root: it mounts or makes namespaces"),
    "state broker": (lambda: False, "leave --broker out: bells are not what it is about"),
    "rabbitmq": (lambda: RABBITMQ.exists() and shutil.which("epmd"), "apt-get install rabbitmq-server"),
    "redis": (lambda: binary_of("redis"), "apt-get install redis-server"),
    "linux": (lambda: sys.platform == "linux" and sys.maxsize > 2**32, "run on 64-bit Linux"),
    "cc": (lambda: shutil.which("cc"), "apt-get install gcc libc6-dev"),
    "ip": (lambda: shutil.which("ip"), "apt-get install iproute2"),
    "mount": (lambda: shutil.which("mount"), "apt-get install mount"),
}
"""Name -> whether it is there, and what to do where it is not."""


def missing(needs: tuple[str, ...]) -> list[str]:
    """What is not there, each with its remedy."""
    return [f"{name} ({NEEDS[name][1]})" for name in needs if not NEEDS[name][0]()]
