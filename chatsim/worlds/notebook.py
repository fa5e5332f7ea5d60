"""What a notebook's cell shows of a run: a hint if ``await`` is missing, and one message if it fails or is interrupted.

IPython shows an exception by its method ``_render_traceback_`` if it has one.
"""

from __future__ import annotations

import asyncio
import functools
import re
import sys
import warnings
from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Generic, ParamSpec, TypeVar

__all__ = ["UnawaitedRun", "in_one_message", "starts_when_awaited"]

P = ParamSpec("P")
T = TypeVar("T")

_WAKE_S = 0.1

_CELL = re.compile(r"[^\s(]*ipykernel_\d+\S+\.py")
"""The name that IPython gives to a cell as a file."""


def starts_when_awaited(function: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, UnawaitedRun[T]]:
    """Make a public coroutine function return an `UnawaitedRun`, whose errors are shown in one message."""

    async def run(*args: P.args, **kwargs: P.kwargs) -> T:
        with in_one_message():
            async with _seeing_interrupts():
                return await function(*args, **kwargs)

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> UnawaitedRun[T]:
        return UnawaitedRun(function.__name__, functools.partial(run, *args, **kwargs))

    return call


class UnawaitedRun(Coroutine[Any, Any, T], Generic[T]):
    """A coroutine that says what is missing if it is not awaited. It can be given to `asyncio.run` and to tasks, too.

    Args:
        name: the name of the public function that has made it.
        begin: makes the coroutine when it is awaited.
    """

    def __init__(self, name: str, begin: Callable[[], Coroutine[Any, Any, T]]) -> None:
        self.name = name
        self._begin = begin
        self._coroutine: Coroutine[Any, Any, T] | None = None
        self._noticed = False

    def _begun(self) -> Coroutine[Any, Any, T]:
        if self._coroutine is None:
            self._coroutine = self._begin()
        return self._coroutine

    def __await__(self) -> Generator[Any, Any, T]:
        return self._begun().__await__()

    def send(self, value: Any) -> Any:
        """Run it up to where it waits, as for any coroutine."""
        return self._begun().send(value)

    def throw(self, *error: Any) -> Any:
        """Raise an error where it waits, as for any coroutine."""
        return self._begun().throw(*error)

    def close(self) -> None:
        """End it, as any coroutine."""
        self._noticed = True
        if self._coroutine is not None:
            self._coroutine.close()

    def _hint(self) -> str:
        return f"chatsim.{self.name} has not run yet; write: await chatsim.{self.name}(...)"

    def __repr__(self) -> str:
        self._noticed = True
        return self._hint() if self._coroutine is None else f"<a run of chatsim.{self.name}>"

    def __getattr__(self, attribute: str) -> Any:
        if attribute.startswith("_") or self._coroutine is not None:
            raise AttributeError(f"a run of chatsim.{self.name} has no attribute {attribute!r}")
        self._noticed = True
        with in_one_message(also=AttributeError):
            raise AttributeError(f"no {attribute!r} yet: {self._hint()}")

    def __del__(self) -> None:
        if self._coroutine is None and not self._noticed:
            warnings.warn(self._hint(), RuntimeWarning, stacklevel=2)


@asynccontextmanager
async def _seeing_interrupts() -> AsyncIterator[None]:
    """Wake the event loop of a notebook often, so that it sees an interrupt at once.

    ipykernel handles the signal by a callback of the loop (``IPythonKernel._cancel_on_sigint``), but does not wake it.
    """

    async def wake() -> None:
        while True:  # noqa: ASYNC110 - nothing is waited for
            await asyncio.sleep(_WAKE_S)

    if _shell() is None:
        yield
        return
    waking = asyncio.ensure_future(wake())
    try:
        yield
    finally:
        waking.cancel()


@contextmanager
def in_one_message(partial: Callable[[], object] = lambda: None, also: type[Exception] | None = None) -> Iterator[None]:
    """Let a cell that ends by an error of chatsim's, or by an interrupt, show one message and not a traceback.

    The exceptions stay what they are. Outside of IPython nothing changes.

    Args:
        partial: gives what is there of the result, or None. It is shown after an interrupt.
        also: another error whose message is enough.
    """
    try:
        yield
    except (asyncio.CancelledError, KeyboardInterrupt) as error:
        _render_as(error, lambda: _interrupted(partial()))
        raise
    except Exception as error:
        if isinstance(error, (*_explained(), also) if also else _explained()):
            message = f"{type(error).__name__}: {error}"
            _render_as(error, lambda: _with_cells(message))
        raise


def _explained() -> tuple[type[Exception], ...]:
    """The errors whose message is enough. They are imported only after an error."""
    from chatsim.chat.strategies import StrategyError, UnknownStrategyError
    from chatsim.db.errors import DatabaseError
    from chatsim.simulation.determinism import DivergenceError
    from chatsim.worlds.world import BadParameterError, WorldError

    return (BadParameterError, DatabaseError, DivergenceError, StrategyError, UnknownStrategyError, WorldError)


def _render_as(error: BaseException, text: Callable[[], str]) -> None:
    if not hasattr(error, "_render_traceback_"):  # an inner call knows better
        once = functools.cache(text)  # IPython may call it twice
        error._render_traceback_ = lambda: [once()]  # type: ignore[attr-defined]


def _interrupted(partial: object) -> str:
    if partial is None:
        return "Interrupted; nothing had finished."
    _shell().displayhook(partial)
    return "Interrupted; what had finished is above, and in the variable _."


def _with_cells(text: str) -> str:
    """A message in which the files that IPython makes of cells have the cells' names, such as ``In[3]``."""
    shell = _shell()

    def cell(found: re.Match[str]) -> str:
        name = shell.compile.format_code_name(found[0]) if shell else None
        return found[0] if name is None else str(name[1])

    return _CELL.sub(cell, text)


def _shell() -> Any:
    """IPython's shell; None outside of IPython."""
    ipython = sys.modules.get("IPython")
    return None if ipython is None else ipython.get_ipython()
