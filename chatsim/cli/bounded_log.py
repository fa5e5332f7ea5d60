"""A log that strangers can't fill: of what they cause again and again, a bounded number of lines is written."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["LINES_AT_ONCE", "LINES_PER_SECOND", "Bounded"]

LINES_AT_ONCE = 1_000
LINES_PER_SECOND = 10.0


@dataclass
class _Place:
    """A place in the code that logs: the lines that it may still write, as of when, and how many were left out."""

    lines: float
    at: float
    left_out: int = 0


class Bounded(logging.Filter):
    """Lets each place in the code log 1,000 lines at once, and 10 per second in the long run.

    The first line after others were left out says how many. Another place has lines of its own, so that a flood of one
    kind does not hide what else is logged.

    Args:
        clock: the time in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._places: dict[tuple[str, int], _Place] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line is written."""
        now = self._clock()
        place = self._places.setdefault((record.pathname, record.lineno), _Place(LINES_AT_ONCE, now))
        place.lines = min(LINES_AT_ONCE, place.lines + (now - place.at) * LINES_PER_SECOND)
        place.at = now
        if place.lines < 1:
            place.left_out += 1
            return False
        place.lines -= 1
        if place.left_out:
            record.msg = f"{record.getMessage()} ({place.left_out:,} more like this one were not logged)"
            record.args = None
            place.left_out = 0
        return True
