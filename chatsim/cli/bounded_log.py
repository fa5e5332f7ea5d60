"""A log that strangers can't fill: of what they cause again and again, a bounded number of lines is written."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import click

__all__ = ["LINES_AT_ONCE", "LINES_PER_SECOND", "Bounded", "few_warnings"]

LINES_AT_ONCE = 1_000
LINES_PER_SECOND = 10.0


@dataclass
class _Place:
    """A place in the code that logs: the lines that it may still write, as of when, and how many were left out."""

    lines: float
    at: float
    left_out: int = 0


class Bounded(logging.Filter):
    """Lets each place in the code log 1,000 lines at once, and 10 per second in the long run, or as many as is said.

    The first line after others were left out says how many. Another place has lines of its own, so that a flood of one
    kind does not hide what else is logged.

    Args:
        clock: the time in seconds.
        at_once: how many lines of one place are written at once.
        per_second: how many in a second in the long run.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        *,
        at_once: int = LINES_AT_ONCE,
        per_second: float = LINES_PER_SECOND,
    ) -> None:
        super().__init__()
        self._clock = clock
        self._at_once = at_once
        self._per_second = per_second
        self._places: dict[tuple[str, int], _Place] = {}

    @property
    def left_out(self) -> int:
        """How many lines were left out since the last ones that were written."""
        return sum(each.left_out for each in self._places.values())

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line is written."""
        now = self._clock()
        place = self._places.setdefault((record.pathname, record.lineno), _Place(self._at_once, now))
        place.lines = min(self._at_once, place.lines + (now - place.at) * self._per_second)
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


@contextmanager
def few_warnings() -> Iterator[None]:
    """For the block, print few lines of each warning: a node warns of each request that it refuses, as in a service."""
    bound = Bounded(at_once=5, per_second=0.2)
    handler = logging.lastResort  # prints warnings where logging is not set up
    if handler is None:
        yield
        return
    handler.addFilter(bound)
    try:
        yield
    finally:
        handler.removeFilter(bound)
        if bound.left_out:
            click.echo(f"{bound.left_out:,} more warnings like these were not printed.", err=True)
