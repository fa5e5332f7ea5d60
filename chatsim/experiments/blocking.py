"""Strategies that block the event loop, as ``time.sleep`` does: while one of them runs, nobody else can go on.

All latencies would be wrong then, and in the model such a pause takes no virtual time at all. So it is an error.
"""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import Awaitable, Callable, Coroutine, Generator
from resource import RUSAGE_THREAD, getrusage
from time import perf_counter, thread_time
from typing import Any, TypeVar, cast

from chatsim.chat.strategies import StrategyError

__all__ = ["BLOCKED_S", "watched"]

T = TypeVar("T")

BLOCKED_S = 0.01
"""A strategy that runs for so many seconds without awaiting anything blocks the event loop."""

_CALLS = 5
_SHARE = 4
"""A strategy is blamed after five calls that have blocked, if they are a fourth of all: a busy machine, or the garbage
collector, makes a few calls slow."""


def watched(
    name: str, function: Callable[..., Awaitable[T]], allowed_s: float = BLOCKED_S
) -> Callable[..., Coroutine[Any, Any, T]]:
    """A strategy's function, which raises `StrategyError` when it turns out that it blocks the event loop.

    Args:
        name: the name of the strategy.
        function: its coroutine function.
        allowed_s: how many seconds it may run without awaiting anything.
    """
    calls = blocked = 0

    @functools.wraps(function)
    async def call(*args: object) -> T:
        nonlocal calls, blocked
        calls += 1
        running = _Watched(cast("types.CoroutineType[Any, Any, T]", function(*args)), allowed_s)
        found = await running
        if running.blocked_s:
            blocked += 1
            if blocked >= _CALLS and blocked * _SHARE >= calls:
                raise StrategyError(_blame(name, function, running))
        return found

    return call


def _blame(name: str, function: Callable[..., object], running: _Watched[Any]) -> str:
    code = inspect.unwrap(function).__code__
    lines = (line for start, end, line in code.co_lines() if start <= running.after < end)
    return (
        f"strategy {name!r} blocks everybody: it ran for {running.blocked_s * 1e3:,.0f} ms without awaiting anything,"
        f" as time.sleep does; use await asyncio.sleep ({code.co_filename}, after line"
        f" {next(lines, None) or code.co_firstlineno})"
    )


def _waits() -> int:
    """How often this thread has given up the processor by itself, as it does in ``time.sleep``."""
    return getrusage(RUSAGE_THREAD).ru_nvcsw


class _Watched(Generator[Any, Any, T]):
    """What a coroutine awaits, step by step, with a look at the clock.

    Attributes:
        wrapped: the coroutine.
        blocked_s: the length of its last step that has blocked, in seconds; 0 if none has.
        after: the instruction after which it has blocked.
    """

    __slots__ = ("_allowed_s", "_frame", "_send", "after", "blocked_s", "wrapped")

    def __init__(self, coroutine: types.CoroutineType[Any, Any, T], allowed_s: float) -> None:
        self.wrapped = coroutine
        self.blocked_s, self.after = 0.0, 0
        self._allowed_s = allowed_s
        assert coroutine.cr_frame is not None  # it has not begun
        self._frame, self._send = coroutine.cr_frame, coroutine.send

    def __await__(self) -> Generator[Any, Any, T]:
        return self

    def __next__(self) -> Any:  # ``await`` calls it, unless a value other than None is sent
        after, begun, computed, waits = self._frame.f_lasti, perf_counter(), thread_time(), _waits()
        try:
            return self._send(None)
        finally:
            seconds = perf_counter() - begun
            # without one of the two, another process had the processor meanwhile
            if seconds > self._allowed_s and (_waits() > waits or thread_time() - computed > self._allowed_s):
                self.blocked_s, self.after = seconds, after

    def send(self, value: object) -> Any:
        return self._send(value)

    def throw(self, *error: Any) -> Any:
        return self.wrapped.throw(*error)

    def close(self) -> None:
        self.wrapped.close()
