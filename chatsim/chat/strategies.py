"""What strategies of every kind have in common: their errors, and the checks of a reader's own."""

from __future__ import annotations

import asyncio
import inspect
import linecache
import sys
import traceback
from collections.abc import Callable, Iterable
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TypeVar

from chatsim.db.errors import DatabaseError

__all__ = [
    "SILENT_ENDS",
    "StrategyError",
    "UnknownStrategyError",
    "broken",
    "from_file",
    "is_cancelled",
    "no_strategy",
    "require_async",
    "require_parentheses",
]

T = TypeVar("T")


SILENT_ENDS = (asyncio.CancelledError, KeyboardInterrupt, SystemExit)
"""What ends a caller, or all of a program, without a word if a strategy raises it."""


class UnknownStrategyError(ValueError):
    """No strategy has that name, or the value is no strategy."""


class StrategyError(Exception):
    """A strategy is broken: it raised an unexpected error, did not end its transaction, or returned something else."""


def broken(name: str, function: Callable[..., object], error: BaseException) -> StrategyError:
    """The error for a strategy out of which an error has come that is no refusal.

    Args:
        name: the strategy's name.
        function: its function.
        error: what has come out of it.
    """
    place = _place(function, error)
    where = f" ({place})" if place else ""
    if isinstance(error, DatabaseError):
        statement = f" in: {' '.join(error.statement.split())}" if error.statement else ""
        return StrategyError(f"strategy {name!r} has a wrong statement, error {error}{statement}{where}")
    message = f": {error}" if str(error) else ""
    return StrategyError(f"strategy {name!r} raised {type(error).__name__}{message}{where}")


def _place(function: Callable[..., object], error: BaseException) -> str:
    """The innermost line of a function's own file from which an error has come; or else the innermost of all lines."""
    frames = [(frame.f_code.co_filename, line) for frame, line in traceback.walk_tb(error.__traceback__)]
    own = inspect.unwrap(function).__code__.co_filename
    place = next((each for each in reversed(frames) if each[0] == own), frames[-1] if frames else None)
    if place is None:
        return ""
    code = linecache.getline(*place).strip()
    return f"{place[0]}, line {place[1]}{f': {code}' if code else ''}"


def is_cancelled() -> bool:
    """Whether somebody has cancelled the current task."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def require_parentheses(decorator: str, first: object) -> None:
    """Check that a decorator was not written without its parentheses: then its first argument is the function.

    Raises:
        TypeError: it was.
    """
    if inspect.isroutine(first):
        raise TypeError(f"write @chatsim.{decorator} above {_name(first)}, with the parentheses")


def require_async(kind: str, function: Callable[..., object]) -> None:
    """Check that a strategy's function is an ``async def``. Raises `TypeError`."""
    if not inspect.iscoroutinefunction(function):
        raise TypeError(f"a {kind} strategy is an 'async def'; {_name(function)} is not")


def no_strategy(value: object, decorator: str, known: Iterable[str]) -> UnknownStrategyError:
    """The error for a value that is neither a strategy nor the name of one."""
    if inspect.isroutine(value):
        return UnknownStrategyError(f"{_name(value)} is no strategy yet; put @chatsim.{decorator} above its function")
    return UnknownStrategyError(f"{value!r} is no strategy; there are: {', '.join(known)}")


def from_file(text: str, kind: type[T], decorator: str) -> T:
    """The strategy of a Python file, which is named as ``FILE.py:NAME``. The file is run.

    Args:
        text: the file, a colon, and the name that the strategy has in it.
        kind: the class of the strategy.
        decorator: the decorator that makes one, for the message of the error.

    Raises:
        UnknownStrategyError: the file can't be read, fails, or has no such strategy. The message names its strategies.
    """
    path, _, name = text.strip().rpartition(":")
    found = _names(Path(path))
    strategy = found.get(name)
    if isinstance(strategy, kind):
        return strategy
    if inspect.isroutine(strategy):
        raise no_strategy(strategy, decorator, ())
    there = ", ".join(each for each, value in found.items() if isinstance(value, kind)) or "none"
    raise UnknownStrategyError(f"{path} has no strategy {name!r}; it has: {there}")


def _names(path: Path) -> dict[str, object]:
    """What a Python file defines. It can import modules that are beside it."""
    spec = spec_from_file_location(f"chatsim strategies of {path}", path)
    if spec is None or spec.loader is None:
        raise UnknownStrategyError(f"{path} is no Python file: its name must end in .py")
    module = module_from_spec(spec)
    sys.modules[spec.name] = module  # as dataclasses need it
    if (beside := str(path.resolve().parent)) not in sys.path:
        sys.path.append(beside)
    try:
        spec.loader.exec_module(module)
    except FileNotFoundError as error:
        raise UnknownStrategyError(f"{path} can't be read: {error.strerror}") from error
    except Exception as error:
        frames = [each.lineno for each in traceback.extract_tb(error.__traceback__) if each.filename == str(path)]
        line = error.lineno if isinstance(error, SyntaxError) else frames[-1]
        raise UnknownStrategyError(f"{path}, line {line}: {type(error).__name__}: {error}") from error
    return vars(module)


def _name(function: object) -> str:
    return repr(getattr(function, "__name__", function))
