"""What is noted of the MySQL that is kept running in the background, and the rung of the ladder that uses it."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from pathlib import Path

import psutil

from chatsim.worlds.mysql.servers import debian, ladder
from chatsim.worlds.mysql.servers.urls import BadUrlError

__all__ = ["InBackground", "Running", "note", "running"]

_log = logging.getLogger(__name__)

_SILENT: dict[Running, str] = {}
"""Servers that did not answer this process, with the reason: they are not asked again, which takes long."""


@dataclass(frozen=True)
class Running:
    """The server in the background.

    Attributes:
        url: its URL.
        pid: the process id of its supervisor.
        started: when that process was created; process ids are reused.
        profile: how it is set up; empty if that was not noted.
    """

    url: str
    pid: int
    started: float
    profile: str = ""


def note() -> Path:
    """The file in which it is noted."""
    return debian.cache() / "mysql-in-background.json"


def running() -> Running | None:
    """The server in the background, or None."""
    try:
        noted = Running(**json.loads(note().read_text()))
        process = psutil.Process(noted.pid)
        # a zombie is a process that has ended and was not collected, as in a container without an init
        alive = process.create_time() == noted.started and process.status() != psutil.STATUS_ZOMBIE
    except (OSError, ValueError, TypeError, psutil.NoSuchProcess):
        return None
    return noted if alive else None


@dataclass(frozen=True)
class InBackground:
    """The server in the background, if one is running. It may be in use by others, so it is not changed."""

    service: ladder.Service
    name: str = "background"

    def probe(self) -> str:
        """Its URL, after it has answered there."""
        return self._there().url

    def open(self) -> ladder.Server:
        """The server, verified."""
        there = self._there()
        return ladder.Server(there.url, self.name, own=False, profile=there.profile or None)

    def _there(self) -> Running:
        there = running()
        if there is None:
            raise ladder.UnavailableError("none is running (`chatsim mysql start`)")
        if there not in _SILENT:
            try:
                self.service.verify(there.url)
            except (ladder.ServerError, BadUrlError) as error:
                _log.warning("The MySQL in the background is not used: %s", error)
                _SILENT[there] = str(error)
        if there in _SILENT:
            raise ladder.UnavailableError(_SILENT[there])
        return there
