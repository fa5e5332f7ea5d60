"""Does a run repeat itself? It is run twice, and stopped at the first callback that differs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from chatsim.simulation.loop import run

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

__all__ = ["DivergenceError", "run_twice"]

T = TypeVar("T")


class DivergenceError(Exception):
    """Two runs of the same went different ways.

    Attributes:
        number: which callback of the run it was, from 1.
        first: its time in virtual seconds and what it was in the first run, or None when that had ended.
        second: the same in the second run.
    """

    def __init__(self, number: int, first: tuple[float, str] | None, second: tuple[float, str] | None) -> None:
        super().__init__(number, first, second)
        self.number = number
        self.first = first
        self.second = second

    def __str__(self) -> str:
        return f"event {self.number:,} was {_told(self.first)} in the first run, and {_told(self.second)} in the second"


def run_twice(main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run what ``main`` makes, in virtual time, twice; returns what the second run returns.

    Raises:
        DivergenceError: the runs differ; the second is stopped there.
    """
    events: list[tuple[float, str]] = []
    run(main(), trace=lambda time, what: events.append((time, what)))
    expected = iter(events)
    number = 0
    divergence: DivergenceError | None = None

    def compare(time: float, what: str) -> None:
        nonlocal number, divergence
        if divergence is not None:
            return  # the rest is cleaning up
        number += 1
        if (first := next(expected, None)) != (time, what):
            divergence = DivergenceError(number, first, (time, what))
            raise _StopError

    try:
        result = run(main(), trace=compare)
    except _StopError:
        assert divergence is not None
        raise divergence from None
    if (left := next(expected, None)) is not None:
        raise DivergenceError(number + 1, left, None)
    return result


class _StopError(BaseException):
    """Ends a run from within, past whatever catches exceptions there."""


def _told(event: tuple[float, str] | None) -> str:
    return "past the end" if event is None else f"{event[1]} at {event[0]:g} s"
