"""The tables that drawn schedules use: their columns, their keys, the values in them and the rows they start with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from hypothesis import strategies as st

__all__ = [
    "AUTO_INCREMENT",
    "TEXTS",
    "VALUES",
    "Draw",
    "DrawnColumn",
    "DrawnKey",
    "DrawnTable",
    "draw_tables",
    "draw_value",
    "filling",
    "literal",
    "one_in",
]

T = TypeVar("T")
Draw = Callable[[st.SearchStrategy[T]], T]
"""Hypothesis' ``draw``."""

AUTO_INCREMENT = "AUTO_INCREMENT"
_MOST_ROWS = 8


@dataclass(frozen=True)
class DrawnColumn:
    """A column: a number, or a short text; it may be NULL, or an AUTO_INCREMENT number."""

    name: str
    text: bool = False
    nullable: bool = True
    auto: bool = False

    @property
    def sql(self) -> str:
        """Its definition in a CREATE TABLE."""
        kind = "VARCHAR(8)" if self.text else "INT"
        return f"{self.name} {kind}{'' if self.nullable else ' NOT NULL'}{f' {AUTO_INCREMENT}' if self.auto else ''}"


@dataclass(frozen=True)
class DrawnKey:
    """A key: the primary key has the name PRIMARY, a secondary index is called by its columns."""

    columns: tuple[str, ...]
    unique: bool = False
    name: str = ""

    @property
    def index_name(self) -> str:
        """As in FORCE INDEX."""
        return self.name or "_".join(("by", *self.columns))

    @property
    def sql(self) -> str:
        """Its definition in a CREATE TABLE."""
        columns = ", ".join(self.columns)
        if self.name:
            return f"PRIMARY KEY ({columns})"
        return f"{'UNIQUE ' if self.unique else ''}KEY {self.index_name} ({columns})"


@dataclass(frozen=True)
class TableShape:
    """The columns and keys of a table, and further definitions, such as a foreign key."""

    columns: tuple[DrawnColumn, ...]
    keys: tuple[DrawnKey, ...]
    more: tuple[str, ...] = ()


def _primary(*columns: str) -> DrawnKey:
    return DrawnKey(columns, unique=True, name="PRIMARY")


def _number(name: str) -> DrawnColumn:
    return DrawnColumn(name, nullable=False)


TABLE_SHAPES = (
    TableShape(
        (_number("id"), DrawnColumn("u"), DrawnColumn("k"), DrawnColumn("v")),
        (_primary("id"), DrawnKey(("u",), unique=True), DrawnKey(("k",))),
    ),
    TableShape(
        (_number("a"), _number("b"), DrawnColumn("c"), DrawnColumn("v")),
        (_primary("a", "b"), DrawnKey(("c", "b"))),
    ),
    TableShape(
        (_number("id"), _number("u"), DrawnColumn("w"), DrawnColumn("v")),
        (_primary("id"), DrawnKey(("u",), unique=True), DrawnKey(("w", "u"), unique=True)),
    ),
    TableShape(
        (DrawnColumn("k"), DrawnColumn("u"), DrawnColumn("v")), (DrawnKey(("k",)), DrawnKey(("u",), unique=True))
    ),
    TableShape(
        (_number("id"), DrawnColumn("k"), DrawnColumn("m"), DrawnColumn("v")),
        (_primary("id"), DrawnKey(("k",)), DrawnKey(("m",))),
    ),
    TableShape(
        (_number("id"), _number("k"), _number("n"), DrawnColumn("v")),
        (_primary("id"), DrawnKey(("k",)), DrawnKey(("k", "n"), unique=True)),
    ),
    TableShape(
        (DrawnColumn("id", nullable=False, auto=True), DrawnColumn("u"), DrawnColumn("v")),
        (_primary("id"), DrawnKey(("u",), unique=True)),
    ),
    TableShape(
        (DrawnColumn("n", text=True, nullable=False), DrawnColumn("m", text=True), DrawnColumn("u"), DrawnColumn("v")),
        (_primary("n"), DrawnKey(("m",)), DrawnKey(("u",), unique=True)),
    ),
)
_PARENT = TableShape((_number("id"), DrawnColumn("v")), (_primary("id"),))
_REFERENCE = "CONSTRAINT of_{name} FOREIGN KEY (p) REFERENCES {parent} (id){action}"
_ACTIONS = ("", " ON DELETE CASCADE", " ON DELETE SET NULL", " ON UPDATE CASCADE")


@dataclass(frozen=True)
class DrawnTable:
    """A table of one of the shapes."""

    name: str
    shape: TableShape

    @property
    def create(self) -> str:
        """The CREATE TABLE statement."""
        parts = [*(each.sql for each in self.shape.columns), *(each.sql for each in self.shape.keys), *self.shape.more]
        return f"CREATE TABLE {self.name} ({', '.join(parts)}) ENGINE=InnoDB"

    def column(self, name: str) -> DrawnColumn:
        """The column of that name."""
        return next(each for each in self.shape.columns if each.name == name)

    @property
    def column_list(self) -> str:
        """The names of all columns, separated by commas."""
        return ", ".join(each.name for each in self.shape.columns)


def draw_tables(draw: Draw[Any], *, foreign_keys: bool) -> list[DrawnTable]:
    """One or two tables; with ``foreign_keys`` a parent and its child."""
    if foreign_keys:
        more = _REFERENCE.format(name="s", parent="t", action=draw(st.sampled_from(_ACTIONS)))
        child = TableShape(
            (_number("id"), DrawnColumn("p"), DrawnColumn("v")), (_primary("id"), DrawnKey(("p",))), (more,)
        )
        return [DrawnTable("t", _PARENT), DrawnTable("s", child)]
    shapes = draw(st.lists(st.sampled_from(TABLE_SHAPES), min_size=1, max_size=2))
    return [DrawnTable(name, shape) for name, shape in zip("ts", shapes, strict=False)]


TEXTS = ("a", "B", "b", "A", "ab", "Ab", "c", "D")
VALUES = st.integers(1, 9)


def one_in(draw: Draw[Any], times: int) -> bool:
    """True once in a given number of times. False is the simpler value, to which Hypothesis shrinks."""
    return bool(draw(st.integers(0, times - 1)) == times - 1)


def draw_value(draw: Draw[Any], column: DrawnColumn, *, nulls: int = 8) -> int | str | None:
    """A value for a column. One in ``nulls`` is NULL, if the column allows it."""
    if (column.nullable or column.auto) and one_in(draw, nulls):
        return None
    return draw(st.sampled_from(TEXTS) if column.text else VALUES)  # type: ignore[no-any-return]


def literal(value: int | str | None) -> str:
    """The value as SQL."""
    return "NULL" if value is None else f"'{value}'" if isinstance(value, str) else str(value)


def filling(draw: Draw[Any], table: DrawnTable) -> list[str]:
    """The INSERT of a table's first rows, if it gets any. Of rows with the same unique key only the first is kept."""
    rows: list[tuple[int | str | None, ...]] = []
    names = [each.name for each in table.shape.columns]
    for row in draw(st.lists(_first_row(table), max_size=_MOST_ROWS)):
        if not any(_collide(names, each, row, other) for each in table.shape.keys if each.unique for other in rows):
            rows.append(row)
    if not rows:
        return []
    values = ", ".join(f"({', '.join(map(literal, row))})" for row in rows)
    return [f"INSERT INTO {table.name} ({', '.join(names)}) VALUES {values}"]  # noqa: S608


@st.composite
def _first_row(draw: Draw[Any], table: DrawnTable) -> tuple[int | str | None, ...]:
    """A row for the setup. Its AUTO_INCREMENT value is given, and a child row has no parent yet."""
    return tuple(
        draw(VALUES) if each.auto else None if each.name == "p" else draw_value(draw, each)
        for each in table.shape.columns
    )


def _collide(names: Sequence[str], key: DrawnKey, row: Sequence[object], other: Sequence[object]) -> bool:
    """Whether two rows have the same values in a key. The collation ignores case."""
    places = [names.index(each) for each in key.columns]
    return all(row[at] is not None and str(row[at]).lower() == str(other[at]).lower() for at in places)
