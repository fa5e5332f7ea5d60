"""The drawn statements that change rows: of one table and of several."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from chatsim.conformance.generation.columns import Draw, DrawnColumn, draw_value, one_in, pick
from chatsim.conformance.generation.conditions import draw_condition, order, predicate, same_type
from chatsim.conformance.generation.queries import Join, mostly_forced
from chatsim.conformance.generation.tables import DrawnTable

__all__ = ["delete", "delete_joined", "insert", "update", "update_joined"]


def insert(draw: Draw[Any], tables: Sequence[DrawnTable]) -> str:
    """INSERT, INSERT IGNORE, REPLACE, or ON DUPLICATE KEY UPDATE, of values or of a query."""
    table = pick(draw, *tables)
    verb = pick(draw, "INSERT", "INSERT", "INSERT", "INSERT IGNORE", "REPLACE", "UPSERT")
    more = f" ON DUPLICATE KEY UPDATE {_assignments(draw, table)}" if verb == "UPSERT" else ""
    verb = "INSERT" if verb == "UPSERT" else verb
    source = _query(draw, table, tables) if one_in(draw, 6) else f"VALUES {_rows(draw, table)}"
    return f"{verb} INTO {table.name} ({table.column_list}) {source}{more}"


def _rows(draw: Draw[Any], table: DrawnTable) -> str:
    rows = [
        ", ".join(draw_value(draw, each, nulls=2 if each.auto else 8) for each in table.written)
        for _ in range(pick(draw, 1, 1, 1, 2, 3))
    ]
    return ", ".join(f"({row})" for row in rows)


def _query(draw: Draw[Any], table: DrawnTable, tables: Sequence[DrawnTable]) -> str:
    """The SELECT of an INSERT ... SELECT into ``table``."""
    if one_in(draw, 3):
        join = Join(draw, tables)
        columns = ", ".join(_expression(draw, each, join.first, "x") for each in table.written)
        return f"SELECT {columns} FROM {join.sql}{join.where}"
    source = pick(draw, *tables)
    condition = draw_condition(draw, source, forced=True, others=tables)
    columns = ", ".join(_expression(draw, each, source, source.name) for each in table.written)
    ordered = order(draw, source, condition)
    return f"SELECT {columns} FROM {source.name}{condition.hint}{condition.where}{ordered}"


def _expression(draw: Draw[Any], column: DrawnColumn, source: DrawnTable, name: str) -> str:
    """What an INSERT ... SELECT writes into a column."""
    if column.auto:
        return "NULL"
    compatible = [each for each in same_type(source, column) if not each.nullable > column.nullable]
    if not compatible or draw(st.booleans()):
        return draw_value(draw, column)
    more = draw(st.integers(0, 5)) if column.type.counts else 0
    value = pick(draw, *compatible).of(name)
    return f"{value} + {more}" if more else value


def _assignments(draw: Draw[Any], table: DrawnTable, name: str = "", others: Sequence[DrawnTable] = ()) -> str:
    columns = draw(
        st.lists(st.sampled_from(table.written[::-1]), min_size=1, max_size=2, unique_by=lambda each: each.name)
    )
    return ", ".join(_assignment(draw, each, name, others) for each in columns)


def _assignment(draw: Draw[Any], column: DrawnColumn, name: str, others: Sequence[DrawnTable]) -> str:
    """One column and its new value: of itself, by a scalar subquery over another table, or a literal."""
    target = column.of(name)
    if column.type.counts and one_in(draw, 4):
        return f"{target} = {target} + {draw(st.integers(0, 3))}"
    if others and one_in(draw, 8):
        other = pick(draw, *others)
        if same := same_type(other, column):
            where = predicate(draw, other, pick(draw, *other.shape.keys), "q")
            value = (
                f"(SELECT {pick(draw, 'MAX', 'MIN')}({pick(draw, *same).of('q')}) FROM {other.name} AS q WHERE {where})"
            )
            return f"{target} = {value}"
    if column.auto:
        return f"{target} = {pick(draw, *column.type.values)}"
    return f"{target} = {draw_value(draw, column)}"


def _others(draw: Draw[Any], tables: Sequence[DrawnTable], table: DrawnTable) -> Sequence[DrawnTable]:
    """The tables that a subquery may read in a statement that changes one. That one gives error 1093."""
    return [each for each in tables if each is not table] or (tables if one_in(draw, 8) else [])


def update(draw: Draw[Any], tables: Sequence[DrawnTable]) -> str:
    """UPDATE of one table."""
    table = pick(draw, *tables)
    others = [] if "UPDATE" in table.fires else _others(draw, tables, table)
    condition = draw_condition(draw, table, forced=mostly_forced(draw), others=others)
    ignore = " IGNORE" if "UPDATE" not in table.fires and one_in(draw, 8) else ""
    assignments = _assignments(draw, table, others=others)
    return (
        f"UPDATE{ignore} {table.name}{condition.hint} SET {assignments}{condition.where}{order(draw, table, condition)}"
    )


def delete(draw: Draw[Any], tables: Sequence[DrawnTable]) -> str:
    """DELETE of one table."""
    table = pick(draw, *tables)
    condition = draw_condition(draw, table, forced=False, others=_others(draw, tables, table))  # it has no index hints
    return f"DELETE FROM {table.name}{condition.where}{order(draw, table, condition)}"


def update_joined(draw: Draw[Any], tables: Sequence[DrawnTable]) -> str:
    """UPDATE of several tables."""
    join = Join(draw, tables)
    if any("UPDATE" in each.fires for each in (join.first, join.second)):
        return update(draw, tables)
    names = {"x": join.first, "y": join.second}
    changed = pick(draw, ("x",), ("y",), ("x", "y"))
    assignments = ", ".join(_assignments(draw, names[name], name) for name in changed)
    return f"UPDATE {join.sql} SET {assignments}{join.where}"


def delete_joined(draw: Draw[Any], tables: Sequence[DrawnTable]) -> str:
    """DELETE of several tables, in both forms that it has."""
    join = Join(draw, tables, hints=False)
    changed = pick(draw, "x", "y", "x, y")
    if draw(st.booleans()):
        return f"DELETE FROM {changed} USING {join.sql}{join.where}"
    return f"DELETE {changed} FROM {join.sql}{join.where}"
