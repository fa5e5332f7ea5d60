"""The columns of drawn tables: their types, the values that rows have, and those that conditions look for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from hypothesis import strategies as st

__all__ = [
    "AMOUNT",
    "AUTO_INCREMENT",
    "BINARY_TEXT",
    "DAY",
    "DOCUMENT",
    "FIXED_TEXT",
    "LABEL",
    "LONG_TEXT",
    "MANY_NUMBERS",
    "MOMENT",
    "NUMBER",
    "TEXT",
    "ColumnType",
    "Draw",
    "DrawnColumn",
    "draw_value",
    "one_in",
    "pick",
]

T = TypeVar("T")
Draw = Callable[[st.SearchStrategy[T]], T]
"""Hypothesis' ``draw``."""

AUTO_INCREMENT = "AUTO_INCREMENT"


@dataclass(frozen=True)
class ColumnType:
    """A type of columns, with few values, so that rows collide.

    Attributes:
        sql: the type in a CREATE TABLE.
        values: the literals that rows have.
        sought: the literals that conditions compare with, from the lowest to the highest.
        counts: whether a number can be added.
    """

    sql: str
    values: tuple[str, ...]
    sought: tuple[str, ...]
    counts: bool = False


def _numbers(*values: int) -> tuple[str, ...]:
    return tuple(map(str, values))


_TEXTS = ("'a'", "'B'", "'b'", "'A'", "'ab'", "'Ab'", "'c'", "'D'")
_ORDERED_TEXTS = ("'a'", "'A'", "'ab'", "'Ab'", "'b'", "'B'", "'c'", "'D'")

NUMBER = ColumnType("INT", _numbers(*range(1, 10)), _numbers(*range(11)), counts=True)
MANY_NUMBERS = ColumnType("INT", _numbers(*range(1, 100)), _numbers(*range(101)), counts=True)
TEXT = ColumnType("VARCHAR(8)", _TEXTS, _ORDERED_TEXTS)
BINARY_TEXT = ColumnType("VARCHAR(8) COLLATE utf8mb4_bin", _TEXTS, tuple(sorted(_TEXTS)))
FIXED_TEXT = ColumnType("CHAR(4) COLLATE utf8mb4_general_ci", _TEXTS, (*_ORDERED_TEXTS, "'d '"))
LABEL = ColumnType("ENUM('c', 'a', 'b')", ("'a'", "'b'", "'c'"), ("'a'", "'b'", "'c'", "'d'"))
AMOUNT = ColumnType(
    "DECIMAL(5,2)", ("1.00", "1.50", "2.00", "9.99", "-1.25"), ("-2", "-1.25", "0", "1", "1.5", "1.75", "2.00", "9.99")
)
DAY = ColumnType(
    "DATE",
    ("'2026-01-01'", "'2026-01-02'", "'2026-02-01'", "'2026-12-31'"),
    ("'2025-12-31'", "'2026-01-01'", "'2026-01-02'", "'2026-01-31'", "'2026-02-01'", "'2026-12-31'"),
)
MOMENT = ColumnType(
    "DATETIME(3)",
    ("'2026-01-01 00:00:00'", "'2026-01-01 00:00:00.500'", "'2026-01-02 12:00:00'", "'2026-02-01 23:59:59.999'"),
    ("'2026-01-01'", "'2026-01-01 00:00:00.500'", "'2026-01-02'", "'2026-01-02 12:00:00'", "'2026-02-02'"),
)
DOCUMENT = ColumnType("JSON", ("'{\"a\": 1}'", "'{\"a\": 2}'", '\'{"a": 3, "b": []}\'', "'{}'"), ())
LONG_TEXT = ColumnType(
    "VARCHAR(2000)", ("REPEAT('x', 700)", "REPEAT('y', 300)", "REPEAT('z', 1500)", "''"), ("''", "'x'", "'z'")
)


@dataclass(frozen=True)
class DrawnColumn:
    """A column of a table, or an expression that an index has in place of a column.

    Attributes:
        name: the column's name. In an expression, ``{0}`` stands before each column's name.
        type: its type.
        nullable: whether it may be NULL.
        auto: whether it is an AUTO_INCREMENT column.
        generated: what a generated column is computed by, and whether it is stored; or nothing.
    """

    name: str
    type: ColumnType = NUMBER
    nullable: bool = True
    auto: bool = False
    generated: str = ""

    @property
    def sql(self) -> str:
        """Its definition in a CREATE TABLE."""
        words = [self.name, self.type.sql]
        if self.generated:
            words.append(f"AS {self.generated}")
        if not self.nullable:
            words.append("NOT NULL")
        if self.auto:
            words.append(AUTO_INCREMENT)
        return " ".join(words)

    @property
    def is_expression(self) -> bool:
        """Whether it is an expression."""
        return "{0}" in self.name

    def of(self, table: str) -> str:
        """The column in an expression, of a table of that name, or without a name if that is empty."""
        prefix = f"{table}." if table else ""
        return self.name.format(prefix) if self.is_expression else prefix + self.name


def one_in(draw: Draw[Any], times: int) -> bool:
    """True once in a given number of times. False is the simpler value, to which Hypothesis shrinks."""
    return bool(draw(st.integers(0, times - 1)) == times - 1)


def pick(draw: Draw[Any], *choices: T) -> T:
    """One of the choices. The first is the simplest."""
    return draw(st.sampled_from(choices))  # type: ignore[no-any-return]


def draw_value(draw: Draw[Any], column: DrawnColumn, *, nulls: int = 8) -> str:
    """A literal for a column. One in ``nulls`` is NULL, if the column allows it."""
    if (column.nullable or column.auto) and one_in(draw, nulls):
        return "NULL"
    return pick(draw, *column.type.values)
