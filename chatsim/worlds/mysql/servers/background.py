"""One MySQL kept running between commands: ``chatsim mysql start`` and ``stop``."""

from __future__ import annotations

import contextlib
import json
import time

import filelock
import psutil

from chatsim.worlds.mysql.servers import ladder, private
from chatsim.worlds.mysql.servers.mysqld import MySQL
from chatsim.worlds.mysql.servers.noted import Running, note, running

__all__ = ["AlreadyRunningError", "Running", "running", "start", "stop"]


_STARTED: list[private.Instance] = []  # by this process; to forget a child that runs on would be a ResourceWarning


class AlreadyRunningError(Exception):
    """A server is already running in the background. The message has its URL."""


def start(service: MySQL, port: int | None = None) -> Running:
    """Start an installed or an unpacked server that outlives this process.

    Raises:
        AlreadyRunningError: there is one.
        ladder.NoServerError: neither rung gives one.
        private.StartError: the port is in use, or the server ended.
    """
    note().parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(note().with_suffix(".lock")):
        if there := running():
            raise AlreadyRunningError(f"a MySQL is running in the background already: {there.url}")
        instance = service.start(_program(service), port, keep=True)
        _STARTED.append(instance)
        noted = Running(instance.url, instance.pid, psutil.Process(instance.pid).create_time(), service.profile.value)
        note().write_text(json.dumps(noted.__dict__))
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
    note().unlink(missing_ok=True)
    return there


def _program(service: MySQL) -> private.Program:
    reasons = []
    for rung in (ladder.OnPath(service), ladder.Unpacked(service)):
        try:
            return rung.program()
        except ladder.UnavailableError as error:
            reasons.append(f"{rung.name}: {error}")
    raise ladder.NoServerError(f"no mysqld can be had here ({'; '.join(reasons)})")
