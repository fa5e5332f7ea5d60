"""One MySQL kept running between commands: ``chatsim mysql start`` and ``stop``."""

from __future__ import annotations

import contextlib
import json
import time
from dataclasses import dataclass
from pathlib import Path

import filelock
import psutil

from chatsim.worlds.mysql.servers import debian, ladder, private
from chatsim.worlds.mysql.servers.mysqld import MySQL

__all__ = ["AlreadyRunningError", "Running", "running", "start", "stop"]


_STARTED: list[private.Instance] = []  # by this process; to forget a child that runs on would be a ResourceWarning


class AlreadyRunningError(Exception):
    """A server is already running in the background. The message has its URL."""


@dataclass(frozen=True)
class Running:
    """The server in the background.

    Attributes:
        url: its URL.
        pid: the process id of its supervisor.
        started: when that process was created; process ids are reused.
    """

    url: str
    pid: int
    started: float


def running() -> Running | None:
    """The server in the background, or None."""
    try:
        noted = Running(**json.loads(_note().read_text()))
        process = psutil.Process(noted.pid)
        # a zombie is a process that has ended and was not collected, as in a container without an init
        alive = process.create_time() == noted.started and process.status() != psutil.STATUS_ZOMBIE
    except (OSError, ValueError, TypeError, psutil.NoSuchProcess):
        return None
    return noted if alive else None


def start(service: MySQL, port: int | None = None) -> Running:
    """Start an installed or an unpacked server that outlives this process.

    Raises:
        AlreadyRunningError: there is one.
        ladder.NoServerError: neither rung gives one.
        private.StartError: the port is in use, or the server ended.
    """
    _note().parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(_note().with_suffix(".lock")):
        if there := running():
            raise AlreadyRunningError(f"a MySQL is running in the background already: {there.url}")
        instance = service.start(_program(service), port, keep=True)
        _STARTED.append(instance)
        noted = Running(instance.url, instance.pid, psutil.Process(instance.pid).create_time())
        _note().write_text(json.dumps(noted.__dict__))
    return noted


def stop() -> Running | None:
    """End the server in the background, and wait until it has ended. Returns it, or None if there was none."""
    there = running()
    if there:
        with contextlib.suppress(psutil.NoSuchProcess):
            psutil.Process(there.pid).terminate()
        while running():
            time.sleep(0.02)
    while _STARTED:
        _STARTED.pop().close()
    _note().unlink(missing_ok=True)
    return there


def _note() -> Path:
    return debian.cache() / "mysql-in-background.json"


def _program(service: MySQL) -> private.Program:
    reasons = []
    for rung in (ladder.OnPath(service), ladder.Unpacked(service)):
        try:
            return rung.program()
        except ladder.UnavailableError as error:
            reasons.append(f"{rung.name}: {error}")
    raise ladder.NoServerError(f"no mysqld can be had here ({'; '.join(reasons)})")
