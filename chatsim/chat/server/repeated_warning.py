"""A warning with a cause that a stranger can repeat as often as he likes."""

from __future__ import annotations

import asyncio
import logging

__all__ = ["RepeatedWarning"]

_SECONDS = 10.0


class RepeatedWarning:
    """Counts events, and logs at most one of them in an interval, with the count.

    Args:
        log: where it is logged.
        seconds: the interval.

    Attributes:
        count: the number of events so far.
    """

    def __init__(self, log: logging.Logger, seconds: float = _SECONDS) -> None:
        self.count = 0
        self._log = log
        self._seconds = seconds
        self._logged_at: float | None = None

    def __call__(self, message: str, *args: object) -> None:
        """Count an event. The message and its arguments are those of `logging.Logger.warning`."""
        self.count += 1
        now = asyncio.get_running_loop().time()
        if self._logged_at is None or now >= self._logged_at + self._seconds:
            self._logged_at = now
            self._log.warning(f"{message} (%d so far)", *args, self.count)
