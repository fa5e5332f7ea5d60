"""An event loop in which nothing happens by itself: whoever explores says whose callbacks run next.

Each task belongs to a caller, by a context variable. Time stands still, and a timer runs only if it is told to: so a
wait for a lock times out when that is what is to be explored.
"""

from __future__ import annotations

import asyncio
from asyncio.events import _get_running_loop, _set_running_loop
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar, copy_context
from typing import Any, TypeVar

__all__ = ["SteppedLoop"]

T = TypeVar("T")

_CALLER: ContextVar[int | None] = ContextVar("caller", default=None)


class SteppedLoop(asyncio.AbstractEventLoop):
    """The event loop of an execution.

    Attributes:
        failure: the first error of a callback that nobody has handled.
    """

    def __init__(self) -> None:
        self.failure: BaseException | None = None
        self._ready: list[tuple[int | None, asyncio.Handle]] = []
        self._timers: list[tuple[int | None, asyncio.TimerHandle]] = []

    # -- for whoever explores

    def start(self, caller: int | None, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Make a task that belongs to a caller."""
        context = copy_context()
        context.run(_CALLER.set, caller)
        return asyncio.Task(work, loop=self, context=context)

    @property
    def ready(self) -> list[int]:
        """The callers that could go on now, in the order in which they were woken."""
        self._run(None)
        return list(dict.fromkeys(caller for caller, _ in self._ready if caller is not None))

    @property
    def caller(self) -> int | None:
        """The caller whose callback runs."""
        return _CALLER.get()

    def run(self, caller: int) -> None:
        """Let a caller go on until it waits."""
        self._run(caller)

    def complete(self, work: Coroutine[Any, Any, T]) -> T:
        """Run work that belongs to no caller, and that waits for nobody, to its end."""
        task = self.start(None, work)
        self._run(None)
        return task.result()

    def waits_in_time(self, caller: int) -> bool:
        """Whether a caller waits for something that may take too long."""
        return any(each == caller and not timer.cancelled() for each, timer in self._timers)

    def time_out(self, caller: int) -> None:
        """Let the first wait of a caller take too long."""
        at = next(at for at, (each, timer) in enumerate(self._timers) if each == caller and not timer.cancelled())
        self._ready.append(self._timers.pop(at))

    def _run(self, caller: int | None) -> None:
        before = _get_running_loop()
        _set_running_loop(self)
        try:
            while (at := next((at for at, (each, _) in enumerate(self._ready) if each == caller), None)) is not None:
                _, handle = self._ready.pop(at)
                if not handle.cancelled():
                    handle._run()  # noqa: SLF001 - as every event loop does
        finally:
            _set_running_loop(before)
        if self.failure is not None:
            failure, self.failure = self.failure, None
            raise failure

    # -- for asyncio

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        """Have a callback run when its caller goes on."""
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append((_owner(context), handle))
        return handle

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Have a callback run if its caller waits too long."""
        return self.call_at(delay, callback, *args, context=context)

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Have a callback run if its caller waits too long."""
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        self._timers = [each for each in self._timers if not each[1].cancelled()]
        self._timers.append((_owner(context), timer))
        return timer

    def time(self) -> float:
        """It stands still."""
        return 0.0

    def create_future(self) -> asyncio.Future[Any]:
        """A future of this loop."""
        return asyncio.Future(loop=self)

    def create_task(self, coro: Coroutine[Any, Any, T], **options: Any) -> asyncio.Task[T]:  # type: ignore[override]
        """A task of the caller that makes it."""
        return asyncio.Task(coro, loop=self, **options)

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Keep the first error, for whoever explores."""
        error = context.get("exception")
        self.failure = self.failure or error or RuntimeError(context["message"])

    def get_debug(self) -> bool:
        """No."""
        return False

    def is_running(self) -> bool:
        """Whether a callback runs."""
        return _get_running_loop() is self

    def is_closed(self) -> bool:
        """No."""
        return False

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Nothing has to be done at once: cancelled ones are passed over."""


def _owner(context: Context | None) -> int | None:
    return _CALLER.get() if context is None else context.get(_CALLER)
