"""The statements of drawn schedules: what they look for, in which order, and what they do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from chatsim.conformance.generation.tables import (
    TEXTS,
    VALUES,
    Draw,
    DrawnColumn,
    DrawnKey,
    DrawnTable,
    draw_value,
    literal,
    one_in,
)

__all__ = ["STATEMENTS", "DrawnStatement"]

_OPERATORS = ("=", "=", "=", ">=", ">", "<=", "<", "BETWEEN", "IN", "IS", "<>", "NOT IN", "OR")


def _sought_value(draw: Draw[Any], column: DrawnColumn) -> str:
    """A value to compare with; 0 and 10 are outside of what rows have."""
    return literal(draw(st.sampled_from(TEXTS) if column.text else st.integers(0, 10)))


def _comparison(draw: Draw[Any], column: DrawnColumn) -> str:
    operator = draw(st.sampled_from(_OPERATORS))
    match operator:
        case "BETWEEN":
            ends = [_sought_value(draw, column), _sought_value(draw, column)]
            low, high = ends if one_in(draw, 8) else sorted(ends, key=lambda end: (len(end), end.lower()))
            return f"{column.name} BETWEEN {low} AND {high}"
        case "IN" | "NOT IN":
            count = draw(st.integers(2, 3))
            return f"{column.name} {operator} ({', '.join(_sought_value(draw, column) for _ in range(count))})"
        case "OR":
            low, high = (
                f"{column.name} {sign} {_sought_value(draw, column)}" for sign in ("<", draw(st.sampled_from("=>")))
            )
            return f"({low} OR {high})"
        case "IS":
            return f"{column.name} IS NULL" if column.nullable else f"{column.name} = {_sought_value(draw, column)}"
    return f"{column.name} {operator} {_sought_value(draw, column)}"


@dataclass(frozen=True)
class _Condition:
    """The condition of a statement, and the index that it is on."""

    key: DrawnKey
    forced: bool
    where: str

    @property
    def hint(self) -> str:
        return f" FORCE INDEX ({self.key.index_name})" if self.forced else ""


def _condition(draw: Draw[Any], table: DrawnTable, *, forced: bool) -> _Condition:
    """A condition on an index, perhaps joined with one on another column."""
    key = draw(st.sampled_from(table.shape.keys))
    conjuncts = [_comparison(draw, table.column(key.columns[0]))]
    if len(key.columns) > 1 and draw(st.booleans()):
        conjuncts.append(_comparison(draw, table.column(key.columns[1])))
    if one_in(draw, 5):
        conjuncts.append(_comparison(draw, table.shape.columns[-1]))
    predicate = " AND ".join(conjuncts)
    if one_in(draw, 4):
        other = _comparison(draw, table.column(draw(st.sampled_from(table.shape.keys)).columns[0]))
        predicate = f"{predicate} AND {other}" if draw(st.booleans()) else f"({predicate} OR {other})"
    where = "" if one_in(draw, 10) else f" WHERE {predicate}"
    return _Condition(key, forced, where)


def _order(draw: Draw[Any], table: DrawnTable, condition: _Condition) -> str:
    """An order without ties, or that of the forced index: LIMIT has only one meaning then."""
    if one_in(draw, 4):
        key = condition.key if condition.forced else table.shape.keys[0]
        if key.name or condition.forced:
            down = draw(st.sampled_from(("", " DESC")))
            limit = draw(st.sampled_from(("", " LIMIT 1", " LIMIT 2")))
            return f" ORDER BY {', '.join(f'{name}{down}' for name in key.columns)}{limit}"
    return ""


_LOCKING = ("FOR UPDATE", "FOR SHARE", "", "FOR UPDATE NOWAIT", "FOR UPDATE SKIP LOCKED", "FOR SHARE SKIP LOCKED")


def _mostly_forced(draw: Draw[Any]) -> bool:
    return not one_in(draw, 3)


def _select(draw: Draw[Any], tables: Sequence[DrawnTable]) -> str:
    table = draw(st.sampled_from(tables))
    condition = _condition(draw, table, forced=_mostly_forced(draw))
    columns = draw(st.sampled_from(("*", ", ".join(condition.key.columns))))
    locking = draw(st.sampled_from(_LOCKING))
    sql = f"SELECT {columns} FROM {table.name}{condition.hint}{condition.where}{_order(draw, table, condition)}"  # noqa: S608
    return f"{sql} {locking}".strip()


def _row(draw: Draw[Any], table: DrawnTable) -> tuple[int | str | None, ...]:
    return tuple(draw_value(draw, each, nulls=2 if each.auto else 8) for each in table.shape.columns)


def _rows(draw: Draw[Any], table: DrawnTable) -> str:
    count = draw(st.sampled_from((1, 1, 1, 2, 3)))
    rows = [_row(draw, table) for _ in range(count)]
    return ", ".join(f"({', '.join(map(literal, row))})" for row in rows)


def _insert(draw: Draw[Any], tables: Sequence[DrawnTable]) -> str:
    table = draw(st.sampled_from(tables))
    verb = draw(st.sampled_from(("INSERT", "INSERT", "INSERT", "INSERT IGNORE", "REPLACE", "UPSERT")))
    more = f" ON DUPLICATE KEY UPDATE {_assignments(draw, table)}" if verb == "UPSERT" else ""
    verb = "INSERT" if verb == "UPSERT" else verb
    if one_in(draw, 8):
        source = draw(st.sampled_from(tables))
        return f"{verb} INTO {table.name} ({table.column_list}) {_select_for_insert(draw, table, source)}"
    return f"{verb} INTO {table.name} ({table.column_list}) VALUES {_rows(draw, table)}{more}"


def _select_for_insert(draw: Draw[Any], table: DrawnTable, source: DrawnTable) -> str:
    """The SELECT of an INSERT ... SELECT into ``table``."""
    condition = _condition(draw, source, forced=True)
    columns = ", ".join(_expression(draw, each, source) for each in table.shape.columns)
    return f"SELECT {columns} FROM {source.name}{condition.hint}{condition.where}"  # noqa: S608


def _expression(draw: Draw[Any], column: DrawnColumn, source: DrawnTable) -> str:
    """What an INSERT ... SELECT writes into a column."""
    if column.auto:
        return "NULL"
    compatible = [
        each for each in source.shape.columns if each.text == column.text and not (each.nullable > column.nullable)
    ]
    if not compatible or draw(st.booleans()):
        return literal(draw_value(draw, column))
    name = draw(st.sampled_from(compatible)).name
    more = 0 if column.text else draw(st.integers(0, 5))
    return f"{name} + {more}" if more else str(name)


def _assignments(draw: Draw[Any], table: DrawnTable) -> str:
    columns = draw(
        st.lists(st.sampled_from(table.shape.columns[::-1]), min_size=1, max_size=2, unique_by=lambda each: each.name)
    )
    return ", ".join(_assignment(draw, each) for each in columns)


def _assignment(draw: Draw[Any], column: DrawnColumn) -> str:
    if not column.text and one_in(draw, 4):
        return f"{column.name} = {column.name} + {draw(st.integers(0, 3))}"
    if column.auto:
        return f"{column.name} = {draw(VALUES)}"
    return f"{column.name} = {literal(draw_value(draw, column))}"


def _update(draw: Draw[Any], tables: Sequence[DrawnTable]) -> str:
    table = draw(st.sampled_from(tables))
    condition = _condition(draw, table, forced=_mostly_forced(draw))
    order = _order(draw, table, condition)
    return f"UPDATE {table.name}{condition.hint} SET {_assignments(draw, table)}{condition.where}{order}"  # noqa: S608


def _delete(draw: Draw[Any], tables: Sequence[DrawnTable]) -> str:
    table = draw(st.sampled_from(tables))
    condition = _condition(draw, table, forced=False)  # DELETE has no index hints
    return f"DELETE FROM {table.name}{condition.where}{_order(draw, table, condition)}"  # noqa: S608


DrawnStatement = Callable[[Draw[Any], Sequence[DrawnTable]], str]
"""Draws a statement over some tables."""


def _fixed(sql: str) -> DrawnStatement:
    return lambda _, __: sql


STATEMENTS: tuple[DrawnStatement, ...] = (
    *([_select] * 5),
    *([_insert] * 6),
    *([_update] * 4),
    *([_delete] * 2),
    *([_fixed("COMMIT")] * 2),
    _fixed("ROLLBACK"),
    _fixed("SAVEPOINT one"),
    _fixed("ROLLBACK TO one"),
)
"""Each kind of statement, as often as its weight."""
