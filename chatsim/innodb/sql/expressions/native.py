"""The table of functions that are given by name (manual, "Built-In Function and Operator Reference").

The modules that are named for what their functions are about fill it. A function takes the environment and its
arguments, converted as its signature says; if one of them is NULL, so is its result.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal, TypeAlias

from sqlglot import exp

from chatsim.db.mysql import database_error
from chatsim.innodb.sql.expressions.arithmetic import to_integer
from chatsim.innodb.sql.expressions.environment import Env
from chatsim.innodb.storage.moments import as_moment
from chatsim.innodb.storage.values import Value, as_number, as_text

__all__ = ["NATIVE", "Native", "Result", "bad_moment", "moment", "native", "native_function"]

Result: TypeAlias = Literal["integer", "text", "moment", "number", "document"]
"""What kind of value a function gives."""

Convert: TypeAlias = Callable[[Env, Value], Any]


def moment(env: Env, value: Value) -> date | None:
    """A value as a date, or as a date with a time of day; None, with a warning, if it is none."""
    if isinstance(value, date):
        return value
    try:
        found = as_moment(value if isinstance(value, str | int | float | Decimal) else as_text(value))
    except ValueError:
        bad_moment(env, value)
        return None
    has_time = isinstance(value, str) and (":" in value or len(value.strip()) > len("2000-01-01"))
    return found if has_time or found.time() != datetime.min.time() else found.date()


def bad_moment(env: Env, value: Value) -> None:
    """Note that a value is no time."""
    env.session.note(1292, f"Incorrect datetime value: '{as_text(value)}'")


def _integer(_: Env, value: Value) -> int:
    return to_integer(value)


_CONVERT: Mapping[str, Convert] = {
    "t": lambda _, value: as_text(value),
    "i": _integer,
    "n": lambda _, value: as_number(value),
    "v": lambda _, value: value,
    "m": moment,
}
"""How an argument is converted: to a text, an integer, a number, not at all, to a time."""


@dataclass(frozen=True)
class Native:
    """A function.

    Attributes:
        name: its name.
        signature: a letter for each argument (see `native`).
        result: what it gives.
        function: what it does.
        takes_nulls: whether it looks at NULLs itself.
        undefined: number and text of the warning, or error, where it has no value for arguments that are not NULL.
    """

    name: str
    signature: str
    result: Result
    function: Callable[..., Value]
    takes_nulls: bool
    undefined: tuple[int, str] | None = None

    def check(self, count: int) -> None:
        """Raise a `DatabaseError` (1582) if a call has not as many arguments as it should."""
        needed = self.signature.partition("|")[0].rstrip("*")
        possible = self.signature.replace("|", "")
        if count < len(needed) or (count > len(possible) and not possible.endswith("*")):
            raise database_error(1582, f"Incorrect parameter count in the call to native function '{self.name}'")

    def letters(self, count: int) -> str:
        """The letter of each of a number of arguments."""
        letters = self.signature.replace("|", "")
        if letters.endswith("*"):
            letters = letters[:-1]
            letters += letters[-1] * (count - len(letters))
        return letters

    def call(self, env: Env, values: list[Value]) -> Value:
        """The value for some arguments."""
        if None in values and not self.takes_nulls:
            return None
        letters = self.letters(len(values))
        converted = [
            None if value is None else _CONVERT[letter](env, value)
            for letter, value in zip(letters, values, strict=False)
        ]
        if None in converted and not self.takes_nulls:
            return None
        return self.function(env, *converted)


NATIVE: dict[str, Native] = {}
"""All of them, by their names in capital letters."""


def native_function(node: exp.Expr) -> Native | None:
    """The function of a call, if it is one."""
    return NATIVE.get(node.name.upper()) if isinstance(node, exp.Anonymous) else None


def native(
    *names: str,
    signature: str,
    result: Result,
    takes_nulls: bool = False,
    undefined: tuple[int, str] | None = None,
) -> Callable[[Callable[..., Value]], Callable[..., Value]]:
    """Enter a function into the table.

    Args:
        names: its names.
        signature: a letter for each argument: t for a text, i for an integer, n for a number, m for a time, v for any
            value; those behind ``|`` may be left out, and with ``*`` at the end there may be more like the last.
        result: what it gives.
        takes_nulls: whether it looks at NULLs itself.
        undefined: what is said where it has no value for arguments that are not NULL.
    """

    def entered(function: Callable[..., Value]) -> Callable[..., Value]:
        for name in names:
            NATIVE[name] = Native(name, signature, result, function, takes_nulls, undefined)
        return function

    return entered
