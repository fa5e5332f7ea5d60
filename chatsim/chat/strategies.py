"""What strategies of every kind have in common: their errors, and the checks of a reader's own."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable

__all__ = ["StrategyError", "UnknownStrategyError", "no_strategy", "require_async", "require_parentheses"]


class UnknownStrategyError(ValueError):
    """No strategy has that name, or the value is no strategy."""


class StrategyError(Exception):
    """A strategy is broken: it raised an unexpected error, did not end its transaction, or returned something else."""


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
    if callable(value):
        return UnknownStrategyError(f"{_name(value)} is no strategy yet; put @chatsim.{decorator} above its function")
    return UnknownStrategyError(f"{value!r} is no strategy; there are: {', '.join(known)}")


def _name(function: object) -> str:
    return repr(getattr(function, "__name__", function))
