"""What several kinds of statements have in common: one run of one, what it answers, values as columns keep them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cmp_to_key
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from sqlglot import exp

from chatsim.db.errors import DatabaseError
from chatsim.db.mysql import database_error
from chatsim.innodb.sql.expressions import Context, Env, Function, Scope, compare, is_true, unsupported
from chatsim.innodb.storage.values import BadValueError, Value

if TYPE_CHECKING:
    from chatsim.db.deadlock import Mode
    from chatsim.innodb.storage.dictionary import Column, Table
    from chatsim.innodb.storage.mvcc import ReadView
    from chatsim.innodb.storage.rows import Rows

__all__ = [
    "Answer",
    "Assignments",
    "Execution",
    "Find",
    "Session",
    "assigned",
    "assignments",
    "columns_of",
    "count",
    "hold_checks",
    "in_order",
    "number",
    "refuse",
    "store",
    "truth",
]

Find: TypeAlias = "Callable[[str], Table]"
"""Gives a table by its name, or raises a `DatabaseError`."""

Assignments: TypeAlias = list[tuple[int, Function]]
"""Columns and what they are set to."""


@dataclass
class Answer:
    """What a statement gives.

    Attributes:
        rows: what it read; None if it reads nothing.
        affected: how many rows it changed, as MySQL counts them.
        insert_id: the AUTO_INCREMENT value that it took, the first if several; 0 if none.
        warnings: number and text of each.
        examined: how many records it looked at.
    """

    rows: list[tuple[Value, ...]] | None = None
    affected: int = 0
    insert_id: int = 0
    warnings: list[tuple[int, str]] = field(default_factory=list)
    examined: int = 0


class Session(Context, Protocol):
    """What a statement needs of the session that runs it."""

    @property
    def reads_lock(self) -> bool:
        """Whether plain reads lock (SERIALIZABLE in a transaction)."""
        ...

    @property
    def reads_whole_rows(self) -> bool:
        """Whether a row that is written is read as a whole before (for a binary log)."""
        ...

    def view(self) -> ReadView | None:
        """What plain reads see; None for the newest."""
        ...

    @property
    def numbers_ahead(self) -> bool:
        """Whether AUTO_INCREMENT values are reserved before their rows are there."""
        ...

    async def get_lock(self, name: Value, seconds: Value) -> Value:
        """GET_LOCK. Raises a `DatabaseError` (3058)."""
        ...

    async def take_numbers(self, table: Table, *, bulk: bool) -> None:
        """Take the right to AUTO_INCREMENT values until the statement ends, where the mode asks for it."""
        ...


@dataclass
class Execution:
    """One run of a statement.

    Attributes:
        session: whose it is.
        rows: what it locks with.
        args: the values of the placeholders.
        answer: what comes of it.
        shares: its plain reads lock what they read.
        derived: the rows of the tables that its queries have made.
    """

    session: Session
    rows: Rows
    args: Sequence[Any]
    answer: Answer = field(default_factory=Answer)
    shares: bool = False
    derived: dict[Table, list[tuple[Value, ...]]] = field(default_factory=dict)

    @property
    def mode(self) -> Mode | None:
        """How plain reads lock; None: they don't."""
        return "S" if self.shares or self.session.reads_lock else None

    def env(self, tables: int = 0) -> Env:
        """An environment with room for the rows of so many tables."""
        return Env(self.session, self.args, [()] * tables)

    def warn(self, errno: int, message: str) -> None:
        """Note a warning."""
        self.answer.warnings.append((errno, message))


def refuse(node: exp.Expr, *parts: str) -> None:
    """Refuse a statement that has one of these parts. Raises `NotImplementedError`."""
    for part in parts:
        if node.args.get(part):
            raise unsupported(f"{type(node).__name__.upper()} with {part.strip('_').upper()}")


def count(node: exp.Expr | None, scope: Scope) -> Function | None:
    """The number of a LIMIT or OFFSET, as a function."""
    if node is None:
        return None
    wanted = node.expression
    if not isinstance(wanted, exp.Placeholder) and not (isinstance(wanted, exp.Literal) and wanted.name.isdigit()):
        raise _no_count(wanted.sql("mysql"))
    if isinstance(wanted, exp.Literal) and wanted.is_string:
        raise _no_count(wanted.sql("mysql"))
    return scope.compile(wanted)


def number(function: Function | None, env: Env) -> int | None:
    """Its value, None where there is none."""
    if function is None:
        return None
    found = function(env)
    if not isinstance(found, int) or found < 0:
        raise _no_count(repr(found))
    return found


def _no_count(shown: str) -> DatabaseError:
    return database_error(1064, f"You have an error in your SQL syntax: LIMIT or OFFSET is no number of rows: {shown}")


def truth(functions: Iterable[Function], env: Env) -> bool:
    """Whether all conditions hold."""
    return all(is_true(function(env)) for function in functions)


def in_order(rows: list[Any], directions: Sequence[bool], key: Callable[[Any], Sequence[Any]]) -> list[Any]:
    """Rows in order of keys, which `place` has made; NULL is less than anything."""

    def order(left: Any, right: Any) -> int:
        for down, a, b in zip(directions, key(left), key(right), strict=True):
            if a is None or b is None:
                sign = (a is not None) - (b is not None)
            else:
                sign = (a > b) - (a < b) if type(a) is type(b) else compare(a, b)
            if sign:
                return -sign if down else sign
        return 0

    return sorted(rows, key=cmp_to_key(order))


def columns_of(scope: Scope, nodes: Iterable[exp.Expr], directions: Iterable[bool]) -> list[tuple[int, bool]] | None:
    """The columns of the first table that an ORDER BY goes by; None if it goes by anything else."""
    found: list[tuple[int, bool]] = []
    for node, down in zip(nodes, directions, strict=True):
        if not isinstance(node, exp.Column):
            return None
        at, column = scope.column(node)
        if at != 0:
            return None
        found.append((column, down))
    return found


def store(
    column: Column, value: Value, number: int, complain: Callable[[int, str, Value], Value] | None = None
) -> Value:
    """What a column keeps of a value of the ``number``-th row.

    Raises:
        DatabaseError: it can't keep that, and there is no ``complain`` to say what it is to keep instead.
    """
    if value is None:
        if column.nullable:
            return None
        message = f"Column '{column.name}' cannot be null"
        if complain is None:
            raise database_error(1048, message)
        return complain(1048, message, column.type.zero)
    try:
        return column.type.store(value)
    except BadValueError as error:
        message = error.reason.format(column=column.name, row=number)
        if complain is None:
            raise database_error(error.errno, message) from error
        return complain(error.errno, message, error.kept)


def hold_checks(table: Table, row: Sequence[Value]) -> None:
    """Raise a `DatabaseError` unless the CHECK constraints of a table hold for a row."""
    for name, holds in table.checks.items():
        if not holds(row):
            raise database_error(3819, f"Check constraint '{name}' is violated.")


def assignments(scope: Scope, table: Table, nodes: Iterable[exp.Expr]) -> Assignments:
    """What ``SET column = value, …`` sets. Raises as `Scope.compile` does."""
    found = []
    for node in nodes:
        if not isinstance(node, exp.EQ) or not isinstance(node.this, exp.Column):
            raise unsupported(node)
        name = node.this.name
        if name.lower() not in table.numbers:
            raise database_error(1054, f"Unknown column '{name}' in 'field list'")
        found.append((table.numbers[name.lower()], scope.compile(node.expression)))
    return found


def assigned(assignments: Assignments, table: Table, env: Env, number: int) -> tuple[Value, ...]:
    """The current row with its assignments done, one after the other, each seeing those before it."""
    before = tuple(env.rows[0])
    row = list(before)
    env.rows[0] = row
    for at, function in assignments:
        row[at] = store(table.columns[at], function(env), number)
    env.rows[0] = before
    if tuple(row) != before:
        set_columns = {at for at, _ in assignments}
        for at, column in enumerate(table.columns):
            if column.on_update is not None and at not in set_columns:
                row[at] = column.on_update()
        hold_checks(table, row)
    return tuple(row)
