"""What a result says of where it was made: the machine, the software, other load on the machine, and the command."""

from __future__ import annotations

import os
import platform
import re
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

__all__ = ["OtherLoad", "describe_machine", "without_passwords"]

_PROC = Path("/proc")
_IDLE = (3, 4)
"""The places of idle time and of waiting for a disk among the times of a processor in ``/proc/stat``."""

_PARENT, _TIMES = 1, slice(11, 15)
"""The places of a process's parent and of its times, with its ended children's, behind the name in its ``stat``."""


def describe_machine() -> dict[str, object]:
    """The machine and the software, for a result's environment."""
    return {
        "chatsim": version("chatsim"),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "system": f"{platform.system()} {platform.release()}",
        "cores": os.cpu_count(),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
    }


class OtherLoad:
    """What other processes do on this machine, from its making on. Servers that chatsim has started are no others."""

    def __init__(self) -> None:
        self._begun = time.monotonic()
        self._before = _others()

    def cores(self) -> float | None:
        """How many cores they have kept busy, on average; None if the system does not tell."""
        now, took = _others(), time.monotonic() - self._begun
        if self._before is None or now is None or took <= 0:
            return None
        return round(max(now - self._before, 0.0) / took, 2)


def _others() -> float | None:
    """Seconds of processor time of all other processes since the machine was started."""
    try:
        times = [int(word) for word in (_PROC / "stat").read_text().split("\n", 1)[0].split()[1:9]]
        total = sum(each for place, each in enumerate(times) if place not in _IDLE)
        return (total - _own()) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError):
        return None


def _own() -> int:
    """Ticks of this process and of all that it has started, directly or not."""
    parents, ticks = {}, {}
    for each in _PROC.iterdir():
        if each.name.isdecimal():
            try:
                words = (each / "stat").read_text().rpartition(")")[2].split()
            except OSError:  # it has ended meanwhile
                continue
            parents[int(each.name)], ticks[int(each.name)] = int(words[_PARENT]), sum(map(int, words[_TIMES]))
    ours = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in ours} - ours:
        ours |= more
    return sum(ticks.get(pid, 0) for pid in ours)


def without_passwords(command: str) -> str:
    """A command without the passwords in its URLs."""
    return re.sub(r"(://[^\s:/@]*):[^\s@]*@", r"\1:…@", command)
