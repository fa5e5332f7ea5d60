"""The tables that drawn schedules use: their keys, their partitions and triggers, and the rows they start with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from chatsim.conformance.generation.columns import Draw, DrawnColumn, draw_value, one_in, pick

__all__ = ["DrawnKey", "DrawnTable", "TableShape", "draw_trigger", "filling"]

_FEW_ROWS = 8
_MANY_ROWS = (18, 36)


@dataclass(frozen=True)
class DrawnKey:
    """A key: the primary key has the name PRIMARY, a secondary index is called by its columns.

    Attributes:
        columns: what a condition on the key compares.
        unique: whether it is unique.
        name: PRIMARY, the name of an index on an expression, or empty.
        parts: the key's parts as they are declared, if they are not just the columns: prefixes, DESC, expressions.
    """

    columns: tuple[DrawnColumn, ...]
    unique: bool = False
    name: str = ""
    parts: tuple[str, ...] = ()

    @property
    def primary(self) -> bool:
        """Whether it is the primary key."""
        return self.name == "PRIMARY"

    @property
    def index_name(self) -> str:
        """As in FORCE INDEX."""
        return self.name or "_".join(("by", *(each.name for each in self.columns)))

    @property
    def sql(self) -> str:
        """Its definition in a CREATE TABLE."""
        parts = ", ".join(self.parts or (each.name for each in self.columns))
        if self.primary:
            return f"PRIMARY KEY ({parts})"
        return f"{'UNIQUE ' if self.unique else ''}KEY {self.index_name} ({parts})"


@dataclass(frozen=True)
class TableShape:
    """The columns and keys of a table.

    Attributes:
        columns: in their order. The last one is in no key.
        keys: the first is the primary key, if there is one.
        more: further definitions, such as a foreign key.
        partitions: the clause PARTITION BY, or nothing.
        long: whether the table has so many long rows that an index has several pages.
    """

    columns: tuple[DrawnColumn, ...]
    keys: tuple[DrawnKey, ...]
    more: tuple[str, ...] = ()
    partitions: str = ""
    long: bool = False


@dataclass(frozen=True)
class DrawnTable:
    """A table of one of the shapes.

    Attributes:
        name: of the table.
        shape: its columns and keys.
        fires: the events for which it has triggers, such as INSERT.
    """

    name: str
    shape: TableShape
    fires: tuple[str, ...] = ()

    @property
    def create(self) -> str:
        """The CREATE TABLE statement."""
        shape = self.shape
        parts = [*(each.sql for each in shape.columns), *(each.sql for each in shape.keys), *shape.more]
        return f"CREATE TABLE {self.name} ({', '.join(parts)}) ENGINE=InnoDB{shape.partitions}"

    @property
    def written(self) -> list[DrawnColumn]:
        """The columns that a statement gives values: all that are not generated."""
        return [each for each in self.shape.columns if not each.generated]

    @property
    def column_list(self) -> str:
        """The names of these columns, separated by commas."""
        return ", ".join(each.name for each in self.written)

    @property
    def searched(self) -> list[DrawnColumn]:
        """The columns that an index begins with."""
        return [each.columns[0] for each in self.shape.keys if not each.columns[0].is_expression]

    @property
    def primary(self) -> DrawnKey | None:
        """The primary key."""
        return next((each for each in self.shape.keys if each.primary), None)


def filling(draw: Draw[Any], table: DrawnTable) -> list[str]:
    """The INSERT of a table's first rows, if it gets any. Of rows with the same unique key only the first is kept."""
    if table.shape.long:
        return [_long_filling(draw, table)]
    rows: list[tuple[str, ...]] = []
    names = [each.name for each in table.written]
    for row in draw(st.lists(_first_row(table), max_size=_FEW_ROWS)):
        if not any(_collide(names, each, row, other) for each in table.shape.keys if each.unique for other in rows):
            rows.append(row)
    if not rows:
        return []
    values = ", ".join(f"({', '.join(row)})" for row in rows)
    return [f"INSERT INTO {table.name} ({', '.join(names)}) VALUES {values}"]


def _long_filling(draw: Draw[Any], table: DrawnTable) -> str:
    """Rows that fill several pages: each second or third number, with equal values in the second column."""
    count, step, same = draw(st.integers(*_MANY_ROWS)), pick(draw, 2, 3), pick(draw, 1, 2, 5)
    length = pick(draw, 700, 300, 1500)
    rows = ", ".join(
        f"({at * step}, {at // same * same}, REPEAT('x', {length}), {at % 9})"
        for at in range(1, min(count, 98 // step))
    )
    return f"INSERT INTO {table.name} ({table.column_list}) VALUES {rows}"


@st.composite
def _first_row(draw: Draw[Any], table: DrawnTable) -> tuple[str, ...]:
    """A row for the setup. Its AUTO_INCREMENT value is given, and a child row has no parent yet."""
    return tuple(
        pick(draw, *each.type.values) if each.auto else "NULL" if each.name == "p" else draw_value(draw, each)
        for each in table.written
    )


def _collide(names: Sequence[str], key: DrawnKey, row: Sequence[str], other: Sequence[str]) -> bool:
    """Whether two rows may have the same values in a key. Most collations ignore case."""
    places = [names.index(each.name) for each in key.columns]
    return all(row[at] != "NULL" and row[at].lower() == other[at].lower() for at in places)


def draw_trigger(draw: Draw[Any], table: DrawnTable, other: DrawnTable) -> tuple[str, str]:
    """A trigger that changes the new row or the other table: its event, and its CREATE TRIGGER."""
    event = pick(draw, "INSERT", "UPDATE", "DELETE")
    counted = other.shape.columns[-1].name
    row = "OLD" if event == "DELETE" else "NEW"
    own = table.shape.columns[-1].name
    changes = f"UPDATE {other.name} SET {counted} = {counted} + 1 WHERE {_same_key(draw, table, other, row)}"
    deletes = f"DELETE FROM {other.name} WHERE {_same_key(draw, table, other, row)}"
    sets = f"SET NEW.{own} = COALESCE(NEW.{own}, 0) + 1"
    body = deletes if one_in(draw, 4) else changes
    time = pick(draw, "AFTER", "BEFORE")
    if time == "BEFORE" and event != "DELETE" and draw(st.booleans()):
        body = sets
    return event, f"CREATE TRIGGER {table.name}_fires {time} {event} ON {table.name} FOR EACH ROW {body}"


def _same_key(draw: Draw[Any], table: DrawnTable, other: DrawnTable, row: str) -> str:
    """A condition of a trigger: a column of a key of the other table has the value of a column of the row."""
    column = pick(draw, *other.searched)
    same = [each for each in table.shape.columns if each.type == column.type]
    return f"{column.name} = {f'{row}.{pick(draw, *same).name}' if same else pick(draw, *column.type.values)}"
