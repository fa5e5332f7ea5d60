"""Checking that a run repeats itself: it is run twice, and stopped at the first callback that differs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from chatsim.simulation.loop import run

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

__all__ = ["DivergenceError", "run_twice"]

T = TypeVar("T")


class DivergenceError(Exception):
    """Two runs of the same coroutine differ.

    Attributes:
        number: the number of the first callback that differs, from 1.
        first: its time in virtual seconds and its description in the first run; None if this run had ended.
        second: the same for the second run.
    """

    def __init__(self, number: int, first: tuple[float, str] | None, second: tuple[float, str] | None) -> None:
        super().__init__(number, first, second)
        self.number = number
        self.first = first
        self.second = second

    def __str__(self) -> str:
        first, second = _in_words(self.first), _in_words(self.second)
        return f"event {self.number:,} was {first} in the first run, and {second} in the second"


def run_twice(main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run the coroutine that ``main`` makes twice, in virtual time. Returns the result of the second run.

    Raises:
        DivergenceError: the runs differ. The second run is stopped at that point.
    """
    events: list[tuple[float, str]] = []
    run(main(), trace=lambda time, what: events.append((time, what)))
    expected = iter(events)
    number = 0
    divergence: DivergenceError | None = None

    def compare(time: float, what: str) -> None:
        nonlocal number, divergence
        if divergence is not None:
            return  # the rest is clean-up
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
    """Ends a run from within. It is a BaseException, so that the code that runs does not catch it."""


def _in_words(event: tuple[float, str] | None) -> str:
    return "past the end" if event is None else f"{event[1]} at {event[0]:g} s"
