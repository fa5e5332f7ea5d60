"""An asyncio event loop whose time is a SimPy environment's.

Ordinary asyncio code runs on it unchanged, beside SimPy processes, and a virtual hour takes no time at all:

    async def main() -> float:
        await asyncio.sleep(3600)
        return asyncio.get_running_loop().time()

    run(main())    # 3600.0, at once

All ready callbacks run in one SimPy event, until none is ready; only then does time move on. Only the earliest timer
has a SimPy timeout, because SimPy can't cancel one, and an `asyncio.timeout` is nearly always cancelled. Nothing
depends on the order of a set or on the garbage collector, so a run repeats itself exactly.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import math
import sys
from asyncio.events import _get_running_loop, _set_running_loop
from collections import deque
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, Any, Never, TypeVar, TypeVarTuple, cast
from weakref import WeakValueDictionary

from simpy.core import EmptySchedule, Environment

from chatsim.simulation.handles import Handle, Task, Timer
from chatsim.simulation.interpreter import rare_collections, running_loop_set_aside
from chatsim.simulation.suspension import StalledError, described, suspended_at

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator, Iterable
    from contextvars import Context

    from simpy.events import Event
    from tqdm import tqdm

    _ExceptionHandler = Callable[[asyncio.AbstractEventLoop, dict[str, Any]], object]

__all__ = ["SimPyEventLoop", "current_loop", "run"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_FEW_TIMERS = 64  # not worth a search for cancelled ones

_log = logging.getLogger(__name__)


def run(
    main: Coroutine[Any, Any, T],
    *,
    env: Environment | None = None,
    bar: tqdm[Never] | None = None,
    trace: Callable[[float, str], None] | None = None,
) -> T:
    """Run ``main`` in virtual time, to its end, and return its result. It is the simulation's `asyncio.run`.

    Tasks that are pending at the end are cancelled, oldest first. It may be called in any thread, also in one whose
    event loop is running (as in a notebook); that loop is blocked meanwhile.

    Args:
        main: the coroutine to run.
        env: the SimPy environment to run in; None makes a new one that starts at 0 seconds.
        bar: a progress bar in virtual seconds.
        trace: called with the time and a description of each callback that is about to run.

    Raises:
        StalledError: ``main`` waits for something that can't happen any more.
    """
    loop = SimPyEventLoop(env, bar=bar, trace=trace)  # type: ignore[abstract]  # the rest of its methods is filled in below
    with running_loop_set_aside(), rare_collections(), asyncio.Runner(loop_factory=lambda: loop) as runner:
        try:
            return runner.run(main)
        finally:
            loop.cancel_all()


def current_loop() -> SimPyEventLoop:
    """The simulated loop in which this code runs. Raises `RuntimeError` outside of one."""
    loop = asyncio.get_running_loop()
    if not isinstance(loop, SimPyEventLoop):
        raise RuntimeError(f"not in virtual time: the running loop is {loop!r}")  # noqa: TRY004 - a state, not a type
    return loop


class SimPyEventLoop(asyncio.AbstractEventLoop):
    """The event loop of a SimPy environment.

    Methods that need the real world (threads, sockets, signals, processes) raise `NotImplementedError` with their name.

    Attributes:
        env: the environment; its unit of time is the second.
    """

    def __init__(
        self,
        env: Environment | None = None,
        *,
        bar: tqdm[Never] | None = None,
        trace: Callable[[float, str], None] | None = None,
    ) -> None:
        self.env = Environment(0.0) if env is None else env
        self._bar = bar
        self._trace = trace
        self._ready: deque[asyncio.Handle] = deque()
        self._awake = False  # a SimPy event that drains the ready ones is under way
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._many_timers = _FEW_TIMERS
        self._alarms = [math.inf]  # the times of SimPy timeouts under way, the next one last
        self._tasks: set[Task[Any]] = set()  # asyncio's are weak: the garbage collector would have a say
        self._asyncgens: WeakValueDictionary[int, AsyncGenerator[Any, Any]] = WeakValueDictionary()
        self._task_serial = itertools.count(1)
        self._serial = itertools.count(1)
        self._exception_handler: _ExceptionHandler | None = None
        self._running = self._stopping = self._closed = False

    # Time and callbacks

    def time(self) -> float:
        """The virtual time in seconds."""
        return self.env.now

    def call_soon(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        """Run ``callback`` at the present time, after all callbacks that are ready already."""
        if self._closed:
            raise _closed()
        handle = Handle(callback, args, self, context)
        self._ready.append(handle)
        if not self._awake:
            self._wake()
        return handle

    def call_soon_threadsafe(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        """`call_soon` for a signal handler or a thread that stops the run. The virtual time of the call is random."""
        return self.call_soon(callback, *args, context=context)

    def call_later(
        self, delay: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Run ``callback`` after ``delay`` seconds."""
        return self._call_at(self.env.now + delay, callback, args, context)

    def call_at(
        self, when: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Run ``callback`` at ``when`` seconds. Callbacks of the same time run in the order of these calls."""
        return self._call_at(when, callback, args, context)

    def _call_at(
        self, when: float, callback: Callable[..., object], args: tuple[object, ...], context: Context | None
    ) -> asyncio.TimerHandle:
        if self._closed:
            raise _closed()
        timer = Timer(when, callback, args, self, context)
        if len(self._timers) >= self._many_timers:
            self._forget_cancelled_timers()
        heappush(self._timers, (when, next(self._serial), timer))
        if when < self._alarms[-1]:
            self._set_alarm()
        return timer

    def _wake(self) -> None:
        self._awake = True
        _append(self.env.event().succeed(), self._drain)

    def _drain(self, _: Event) -> None:
        """Run all ready callbacks, and those that become ready meanwhile, until none is left or the loop is stopped."""
        ready, trace = self._ready, self._trace
        self._awake = True
        try:
            while ready and not self._stopping:
                if trace is not None and not ready[0].cancelled():
                    trace(self.time(), described(ready[0]))
                handle = ready.popleft()
                if not handle._cancelled:  # noqa: SLF001 - a call less, and it is the innermost loop
                    try:
                        handle._context.run(handle._callback, *handle._args)  # type: ignore[attr-defined]  # noqa: SLF001
                    except (SystemExit, KeyboardInterrupt):
                        raise
                    except BaseException as error:  # noqa: BLE001 - asyncio's way
                        message = f"Exception in callback {described(handle)}"
                        self.call_exception_handler({"message": message, "exception": error, "handle": handle})
                del handle  # else a traceback through here would keep its task from being forgotten
        finally:
            self._awake = False
            if ready:
                self._wake()

    def _set_alarm(self) -> None:
        """Make sure that there is a SimPy timeout for the earliest timer."""
        if self._timers and self._timers[0][0] < self._alarms[-1]:
            when = self._timers[0][0]
            self._alarms.append(when)
            _append(self.env.timeout(max(0.0, when - self.time())), self._ring)

    def _ring(self, event: Event) -> None:
        """Make the timers that are due ready. A cancelled timer is dropped when it is the earliest one."""
        self._alarms.pop()
        timers, now = self._timers, self.time()
        if self._bar is not None:
            self._bar.update(now - self._bar.n)
        while timers and (timers[0][0] <= now or timers[0][2].cancelled()):
            self._ready.append(heappop(timers)[2])
        self._set_alarm()
        self._drain(event)

    def _forget_cancelled_timers(self) -> None:
        self._timers = [timer for timer in self._timers if not timer[2].cancelled()]
        heapify(self._timers)
        self._many_timers = max(_FEW_TIMERS, 2 * len(self._timers))

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Note that a timer was cancelled. It is dropped later."""

    # Futures and tasks

    def create_future(self) -> asyncio.Future[Any]:
        """Create a future of this loop."""
        return asyncio.Future(loop=self)

    def create_task(
        self,
        coro: Generator[Any, None, T] | Coroutine[Any, Any, T],
        *,
        name: object = None,
        context: Context | None = None,
    ) -> asyncio.Task[T]:
        """Start ``coro`` as a task. If ``name`` is None, its name has a number that the loop counts."""
        self._check_open()
        serial = next(self._task_serial)
        task = Task(coro, serial, loop=self, name=f"Task-{serial}" if name is None else str(name), context=context)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def cancel_all(self) -> None:
        """Cancel all tasks, oldest first, and run until they have ended.

        Raises `KeyboardInterrupt` or `SystemExit` at the end, if a task has raised it meanwhile.
        """
        interrupt: BaseException | None = None
        while tasks := self._by_age():
            for task in tasks:
                task.cancel()
            try:
                self.run_until_complete(asyncio.wait(tasks))
            except (KeyboardInterrupt, SystemExit) as error:
                interrupt = error
            self._report(tasks)
        if interrupt is not None:
            raise interrupt

    def _report(self, tasks: Iterable[Task[Any]]) -> None:
        """Report the errors with which cancelled tasks have ended. An interrupt is raised by the loop itself."""
        for task in tasks:
            if task.done() and not task.cancelled() and isinstance(error := task.exception(), Exception):
                message = "Exception in a task that was cancelled at the end of the run"
                self.call_exception_handler({"message": message, "exception": error, "task": task})

    def _by_age(self) -> list[Task[Any]]:
        return sorted(self._tasks, key=hash)

    # SimPy's events

    async def wait(self, event: Event) -> Any:
        """Wait for a SimPy event or process and return its value, or raise what it failed with.

        A request to a resource is withdrawn by its ``with`` block only: ``with store.get() as got: ...wait(got)``.
        """
        if event.processed:
            return _result(event)
        happened: asyncio.Future[None] = self.create_future()

        def wake(event: Event) -> None:
            if not happened.done():
                event.defused = True  # the waiter gets the exception
                happened.set_result(None)

        _append(event, wake)
        try:
            await happened
        finally:
            if not event.processed:
                event.callbacks.remove(wake)
        return _result(event)

    def event(self, awaitable: Awaitable[T]) -> Event:
        """The SimPy event of a task, future or coroutine: in a process, ``yield loop.event(task)`` waits."""
        event = self.env.event()

        def settle(future: asyncio.Future[T]) -> None:
            if future.cancelled():
                event.fail(asyncio.CancelledError())  # type: ignore[arg-type]  # SimPy takes any BaseException
            elif (error := future.exception()) is not None:
                event.fail(error)  # type: ignore[arg-type]
            else:
                event.succeed(future.result())

        asyncio.ensure_future(awaitable, loop=self).add_done_callback(settle)
        return event

    # Running

    def run_forever(self) -> None:
        """Run until `stop`. Raises `StalledError` if no event is left before."""
        self._check_open()
        if _get_running_loop() is not None:
            raise RuntimeError("an event loop is running in this thread already")
        hooks = sys.get_asyncgen_hooks()
        sys.set_asyncgen_hooks(self._asyncgen_begins, self._asyncgen_is_dropped)
        _set_running_loop(self)
        self._running = True
        try:
            while not self._stopping:
                self.env.step()
        except EmptySchedule:
            waiting = [(task.get_name(), suspended_at(task)) for task in self._by_age()]
            raise StalledError(self.time(), waiting) from None
        finally:
            self._running = self._stopping = False
            _set_running_loop(None)
            sys.set_asyncgen_hooks(*hooks)

    def run_until_complete(self, future: Generator[Any, None, T] | Awaitable[T]) -> T:
        """Run until ``future`` is done, and return its result. Raises `StalledError` if no event is left before."""
        task = asyncio.ensure_future(cast("Awaitable[T]", future), loop=self)
        ended = False

        def stop(_: asyncio.Future[T]) -> None:
            if not ended:  # else this comes late: the task has ended the run itself, by a KeyboardInterrupt
                self.stop()

        task.add_done_callback(stop)
        try:
            self.run_forever()
        finally:
            ended = True
        if not task.done():
            raise RuntimeError("the event loop was stopped before its main task had ended")
        return task.result()

    def stop(self) -> None:
        """End `run_forever` after the running callback."""
        self._stopping = True

    def is_running(self) -> bool:
        """Whether the loop is running."""
        return self._running

    def is_closed(self) -> bool:
        """Whether the loop was closed."""
        return self._closed

    def close(self) -> None:
        """Drop all callbacks. The environment can still be used."""
        if self._running:
            raise RuntimeError("a running event loop can't be closed")
        self._closed = True
        self._ready.clear()
        self._timers.clear()

    def _check_open(self) -> None:
        if self._closed:
            raise _closed()

    def get_debug(self) -> bool:
        """False: the debug mode would measure real time."""
        return False

    # Async generators; the executor there isn't

    def _asyncgen_begins(self, agen: AsyncGenerator[Any, Any]) -> None:
        self._asyncgens[next(self._serial)] = agen

    def _asyncgen_is_dropped(self, agen: AsyncGenerator[Any, Any]) -> None:
        if not self._closed:
            self.call_soon(self.create_task, agen.aclose())

    async def shutdown_asyncgens(self) -> None:
        """Close the unfinished async generators, oldest first."""
        for agen in list(self._asyncgens.values()):
            try:
                await agen.aclose()
            except asyncio.CancelledError:
                pass
            except Exception as error:  # noqa: BLE001 - reported, and the others are closed too
                message = f"closing the async generator {agen!r} failed"
                self.call_exception_handler({"message": message, "exception": error, "asyncgen": agen})

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        """Nothing to do: there are no threads."""

    # Exceptions nobody waits for

    def get_exception_handler(self) -> _ExceptionHandler | None:
        """The handler set, or None."""
        return self._exception_handler

    def set_exception_handler(self, handler: _ExceptionHandler | None) -> None:
        """Set ``handler(loop, context)`` in place of the default one, which logs."""
        self._exception_handler = handler

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Report an exception that no code waits for. An error in the handler ends the run."""
        if self._exception_handler is None:
            self.default_exception_handler(context)
        else:
            self._exception_handler(self, context)

    def default_exception_handler(self, context: dict[str, Any]) -> None:
        """Log the exception."""
        error = context.get("exception")
        details = {key: value for key, value in context.items() if key not in {"message", "exception"}}
        _log.error("%s %r", context["message"], details, exc_info=error)


def _absent(name: str) -> Callable[..., object]:
    def method(*_: object, **__: object) -> object:
        raise NotImplementedError(f"{name} does not exist in virtual time: use a port")

    return method


# Whatever else asyncio asks of a loop, in this version of Python or a later one, needs the real world.
for _name in vars(asyncio.AbstractEventLoop).keys() - vars(SimPyEventLoop).keys():
    if not _name.startswith("_"):
        setattr(SimPyEventLoop, _name, _absent(_name))


def _closed() -> RuntimeError:
    return RuntimeError("the event loop is closed")


def _append(event: Event, callback: Callable[[Event], None]) -> None:
    event.callbacks.append(callback)


def _result(event: Event) -> Any:
    if not event.ok:
        raise cast("BaseException", event.value)
    return event.value
