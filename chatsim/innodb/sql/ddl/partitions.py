"""PARTITION BY: which rows are in which partition (manual, "Partitioning Types")."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Any, cast

from sqlglot import exp

from chatsim.db.mysql import database_error
from chatsim.innodb.sql.expressions import Context, Env, Scope, unsupported
from chatsim.innodb.sql.syntax import PartitioningSyntax, PartitionSyntax
from chatsim.innodb.storage.column_types import Binary, ColumnType, Integer, Moment, Text
from chatsim.innodb.storage.partitions import Partitioning
from chatsim.innodb.storage.tables import Table
from chatsim.innodb.storage.values import Value, as_text

__all__ = ["partition"]

_MONOTONIC = ("YEAR", "TO_DAYS", "TO_SECONDS", "UNIX_TIMESTAMP")
"""Functions that grow with their argument."""

_NumberOf = Callable[[Sequence[Value]], int]
_Compute = Callable[[Sequence[Value]], Value]


def partition(table: Table, said: PartitioningSyntax, context: Context) -> None:
    """Divide a new table into partitions.

    Args:
        table: the table.
        said: PARTITION BY.
        context: the session, for expressions.

    Raises:
        NotImplementedError: the model does not have it.
        DatabaseError: it is not valid.
    """
    if said.kind in ("RANGE", "LIST") and len(said.columns) > 1:
        raise unsupported(f"PARTITION BY {said.kind} COLUMNS of several columns")
    columns, compute = _source(table, said, context)
    _check_keys(table, columns)
    kinds = [table.columns[at].type for at in columns]
    bare = said.expression is None or isinstance(said.expression.unnest(), exp.Column)
    names = [each.name for each in said.partitions] or [f"p{at}" for at in range(said.count or 1)]
    if said.count and said.partitions and said.count != len(said.partitions):
        raise database_error(1064, "Wrong number of partitions defined, mismatch with previous setting")
    number_of: _NumberOf
    listed: list[Value] = []
    bounds: list[Any] = []
    match said.kind:
        case "HASH":
            number_of = lambda values: abs(int(cast("int", compute(values) or 0))) % len(names)  # noqa: E731
        case "KEY":
            number_of = _by_key(kinds, len(names))
        case "RANGE":
            bounds, number_of = _by_range(said.partitions, compute, context, kinds[0] if said.columns else None)
        case _:
            listed, number_of = _by_list(said.partitions, compute, context, kinds[0] if said.columns else None)
    ordered = len(kinds) == 1 and (isinstance(kinds[0], Integer) or getattr(kinds[0], "digits", 0) is None)
    partitioning = Partitioning(said.kind, columns, number_of, listed=listed, bounds=bounds if bare else ())
    partitioning.strictly = bare and ordered
    partitioning.monotonic = said.kind == "RANGE" and (bare or _grows(said.expression))
    table.divide(partitioning, names)


def _source(
    table: Table, said: PartitioningSyntax, context: Context
) -> tuple[tuple[int, ...], Callable[[Sequence[Value]], Value]]:
    """The columns of PARTITION BY, and what is computed of their values."""
    if said.expression is None:
        names = said.columns
        if not names:  # KEY (): the primary key
            columns = table.clustered.definition.columns
        else:
            for name in names:
                if name.lower() not in table.numbers:
                    raise database_error(1488, "Field in list of fields for partition function not found in table")
            columns = tuple(table.numbers[name.lower()] for name in names)
        return columns, lambda values: values[0]
    scope = Scope([(table.name, table)])
    compiled = scope.compile(said.expression)
    columns = tuple(sorted(column for _, column in scope.read))

    def compute(values: Sequence[Value]) -> Value:
        row: list[Value] = [None] * len(table.columns)
        for at, value in zip(columns, values, strict=True):
            row[at] = value
        return cast("Value", compiled(Env(context, (), [row])))

    return columns, compute


def _check_keys(table: Table, columns: Sequence[int]) -> None:
    """Refuse a unique key without a column of the partitioning function, foreign keys, and a hidden key."""
    for index in table.indexes:
        definition = index.definition
        if definition.unique and table.hidden not in definition.columns and not {*columns} <= {*definition.columns}:
            kind = "PRIMARY KEY" if definition.name == "PRIMARY" else "UNIQUE INDEX"
            message = f"A {kind} must include all columns in the table's partitioning function"
            raise database_error(1503, f"{message} (prefixed columns are not considered).")
    if table.parents or table.orphaned:
        raise database_error(1506, "Foreign keys are not yet supported in conjunction with partitioning")


def _grows(node: exp.Expr | None) -> bool:
    """Whether an expression is a function that grows with a column."""
    call = node.unnest() if node is not None else None
    if not isinstance(call, exp.Func):
        return False
    name = call.name.upper() if isinstance(call, exp.Anonymous) else call.sql_name()
    return name in _MONOTONIC


def _by_range(
    partitions: Sequence[PartitionSyntax],
    compute: Callable[[Sequence[Value]], Value],
    context: Context,
    kind: ColumnType | None,
) -> tuple[list[Any], _NumberOf]:
    bounds: list[Any] = []
    for each in partitions:
        (bound,) = each.less_than
        if bound is None:
            break
        value = _constant(bound, context, kind)
        if bounds and value <= bounds[-1]:
            message = "VALUES LESS THAN value must be strictly increasing for each partition"
            raise database_error(1493, message)
        bounds.append(value)
    unlimited = len(bounds) < len(partitions)

    def number_of(values: Sequence[Value]) -> int:
        value = compute(values)
        if value is None:
            return 0
        number: int = bisect_right(bounds, kind.order(value) if kind is not None else value)
        if number == len(bounds) and not unlimited:
            raise _no_partition(value)
        return number

    return bounds, number_of


def _by_list(
    partitions: Sequence[PartitionSyntax],
    compute: Callable[[Sequence[Value]], Value],
    context: Context,
    kind: ColumnType | None,
) -> tuple[list[Value], _NumberOf]:
    numbers: dict[object, int] = {}
    for at, each in enumerate(partitions):
        for (node,) in each.values:
            value = None if isinstance(node, exp.Null) else _constant(node, context, kind)
            if value in numbers:
                raise database_error(1495, "Multiple definition of same constant in list partitioning")
            numbers[value] = at

    def number_of(values: Sequence[Value]) -> int:
        value = compute(values)
        number = numbers.get(kind.order(value) if kind is not None and value is not None else value)
        if number is None:
            raise _no_partition(value)
        return number

    return [cast("Value", each) for each in numbers], number_of


def _constant(node: exp.Expr, context: Context, kind: ColumnType | None) -> Any:
    value = cast("Value", Scope().compile(node)(Env(context, ())))
    if kind is None:
        return value
    return kind.order(kind.store(value))


def _no_partition(value: Value) -> Exception:
    shown = "NULL" if value is None else as_text(value)
    return database_error(1526, f"Table has no partition for value {shown}")


# -- KEY


def _by_key(kinds: Sequence[ColumnType], count: int) -> _NumberOf:
    """The partition by a hash of the values, as the server computes it."""
    for kind in kinds:
        fixed = isinstance(kind, Integer | Moment | Binary)
        if not fixed and not (isinstance(kind, Text) and kind.collation.binary):
            raise unsupported(f"PARTITION BY KEY of a column of type {type(kind).__name__} with its collation")

    def number_of(values: Sequence[Value]) -> int:
        first, second = 1, 4
        for kind, value in zip(kinds, values, strict=True):
            if value is None:
                first = (first ^ (first << 1 | 1)) & _MASK
                continue
            for byte in _bytes(kind, value):
                first ^= ((((first & 63) + second) * byte) + (first << 8)) & _MASK
                second = (second + 3) & _MASK
        return (first & 0xFFFFFFFF) % count

    return number_of


_MASK = (1 << 64) - 1


_ACCENTED = b"AAAA\\[\\CEEEEIIIIDNOOOO]\xd7\xd8UUUYY\xde"
_LATIN1 = bytes.maketrans(
    bytes(range(97, 123)) + bytes(range(192, 223)) + bytes(range(224, 255)),
    bytes(range(65, 91)) + _ACCENTED + _ACCENTED.replace(b"\xd7", b"\xf7"),
)
"""The order of latin1_swedish_ci, which the server has for the bytes of numbers and times."""


def _sorted(data: bytes) -> bytes:
    """The bytes of a number or a time as texts in latin1 are sorted: without spaces at the end."""
    return data.rstrip(b" ").translate(_LATIN1)


def _bytes(kind: ColumnType, value: Value) -> bytes:
    """A value as it is in the server's row buffer."""
    match kind, value:
        case Integer(), int():
            return _sorted((value % (1 << 8 * kind.size)).to_bytes(kind.size, "little"))
        case Moment(digits=None), date():
            return _sorted((value.year << 9 | value.month << 5 | value.day).to_bytes(3, "little"))
        case Moment(), datetime():
            return _sorted(bytes.fromhex(kind.shown(value)[2:]))
        case Text(), str():
            return (value.rstrip(" ") if kind.collation.padded else value).encode()
        case Binary(), bytes():
            return value
    raise unsupported(f"PARTITION BY KEY of {value!r}")
