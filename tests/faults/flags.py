"""Switches of misbehaviour inside real processes: see `interference/sitecustomize.py`."""

from __future__ import annotations

from pathlib import Path

INTERFERENCE = Path(__file__).parent / "interference"


class Flags:
    """A directory of flags, and the environment that makes processes look at it."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory

    @property
    def environment(self) -> dict[str, str]:
        """For `System(environment=...)`."""
        return {"PYTHONPATH": str(INTERFERENCE), "FAULT_FLAGS": str(self._directory)}

    def raise_flag(self, name: str, value: float = 1.0) -> None:
        """Switch a misbehaviour on."""
        (self._directory / name).write_text(str(value))

    def is_up(self, name: str) -> bool:
        """True where a flag is there, raised by us or by a process that tells us something."""
        return (self._directory / name).exists()

    def lower_flag(self, name: str) -> None:
        """Switch it off again."""
        (self._directory / name).unlink(missing_ok=True)
