"""The environment of an expression, and the error for a construct that the model does not know."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, TypeAlias

from sqlglot import exp

from chatsim.db.mysql import database_error
from chatsim.innodb.storage.values import Value

__all__ = ["Context", "Env", "Function", "Unsupported", "complain", "unsupported"]

Unsupported: TypeAlias = NotImplementedError
"""The error for a construct that the model does not know. The message names the construct."""


class Context(Protocol):
    """What an expression may ask of its session.

    Attributes:
        variables: its ``@variables``.
        last_insert_id: what LAST_INSERT_ID() gives.
        named_insert_id: what the statement has said it is to give.
        connection_id: its number.
        row_count: what ROW_COUNT() gives.
        strict: whether a value that does not fit is an error (``sql_mode``).
    """

    variables: dict[str, Value]
    last_insert_id: int
    named_insert_id: int | None
    connection_id: int
    row_count: int
    strict: bool

    def now(self, digits: int = 0) -> datetime:
        """The moment at which the statement began, with some digits of a second."""
        ...

    @property
    def warns_of_zero_divisors(self) -> bool:
        """Whether a division by 0 is a warning, and in a strict mode an error (``sql_mode``)."""
        ...

    def random(self) -> float:
        """A number drawn at random, from 0 to below 1."""
        ...

    def note(self, errno: int, message: str) -> None:
        """Note a warning of the statement."""
        ...

    def note_once(self, errno: int, message: str, cause: object) -> None:
        """Note a warning of the statement, if the same cause has not given it yet."""
        ...

    def found_rows(self) -> int:
        """FOUND_ROWS(): how many rows the latest SELECT has given."""
        ...

    def system_variable(self, name: str) -> Value:
        """The value of ``@@name``."""
        ...

    def advisory(self, function: str, arguments: Sequence[Value]) -> Value:
        """The result of a function about advisory locks that does not wait."""
        ...


@dataclass(slots=True)
class Env:
    """The environment of an expression.

    Attributes:
        session: the session.
        args: the values of the placeholders.
        rows: the current row of each table of the statement.
        inserted: the row that an INSERT has tried to insert: ``VALUES(column)``.
        found: what was computed before: values of aggregates and locks, by their nodes, and the rows of subqueries.
        outer: the environment of the query around this one.
    """

    session: Context
    args: Sequence[Any]
    rows: list[Sequence[Value]] = field(default_factory=list)
    inserted: Sequence[Value] = ()
    found: dict[Any, Any] = field(default_factory=dict)
    outer: Env | None = None


Function: TypeAlias = Callable[[Env], Any]


def present(parts: Sequence[Function], env: Env) -> list[Value] | None:
    """The values of several expressions; None as soon as one is NULL, since those behind it are not evaluated then."""
    found: list[Value] = []
    for part in parts:
        value: Value = part(env)
        if value is None:
            return None
        found.append(value)
    return found


def complain(env: Env, errno: int, message: str, *, strict: bool, cause: object = None) -> None:
    """Note a warning; raise a `DatabaseError` in a statement that changes rows (``strict``), if the mode is strict.

    With a ``cause``, the warning is noted once for it.
    """
    if strict and env.session.strict:
        raise database_error(errno, message)
    if cause is None:
        env.session.note(errno, message)
    else:
        env.session.note_once(errno, message, cause)


def _text_of(node: exp.Expr) -> str:
    """The text of a tree; that of the whole statement if it is one of the model's own kind."""
    try:
        return node.sql("mysql")
    except ValueError:
        return str(node.meta.get("text", ""))


def unsupported(node: exp.Expr | str, why: str = "") -> NotImplementedError:
    """The refusal of a construct, by name."""
    shown = node if isinstance(node, str) else f"{type(node).__name__}: {_text_of(node)}"
    return NotImplementedError(f"the model's SQL has no {shown}{why and f' ({why})'}")
