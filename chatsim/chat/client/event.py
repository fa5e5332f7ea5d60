"""What a messenger tells its user interface: that something has changed."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Event"]


@dataclass(frozen=True)
class Event:
    """Something has changed in one thread; or, if that is None, in the status, the friends or the thread list."""

    thread_id: int | None = None
