"""The drawn queries: of one table, joins, derived tables, groups, windows, unions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from chatsim.conformance.generation.columns import Draw, one_in, pick
from chatsim.conformance.generation.conditions import (
    comparison,
    draw_condition,
    limit,
    order,
    predicate,
    same_type,
    subquery,
)
from chatsim.conformance.generation.tables import DrawnTable

__all__ = ["Join", "aggregate_query", "join_query", "mostly_forced", "nested_query", "table_query", "union_query"]

_LOCKING = ("FOR UPDATE", "FOR SHARE", "", "FOR UPDATE NOWAIT", "FOR UPDATE SKIP LOCKED", "FOR SHARE SKIP LOCKED")


def mostly_forced(draw: Draw[Any]) -> bool:
    """Whether an index is forced: two times in three."""
    return not one_in(draw, 3)


def table_query(draw: Draw[Any], tables: Sequence[DrawnTable]) -> str:
    """SELECT of one table."""
    table = pick(draw, *tables)
    condition = draw_condition(draw, table, forced=mostly_forced(draw), others=tables)
    columns = pick(draw, "*", ", ".join(each.of("") for each in condition.key.columns))
    sql = f"SELECT {columns} FROM {table.name}{condition.hint}{condition.where}{order(draw, table, condition)}"
    return f"{sql} {pick(draw, *_LOCKING)}".strip()


class Join:
    """Two tables, called x and y, that are joined by columns of one type.

    Attributes:
        first, second: the tables.
        sql: the joined tables, as they stand behind FROM.
        where: the clause WHERE, or nothing.
    """

    def __init__(self, draw: Draw[Any], tables: Sequence[DrawnTable], *, hints: bool = True) -> None:
        self.first, self.second = pick(draw, *tables), pick(draw, *tables[::-1])
        mine = pick(draw, *(each for each in self.first.shape.columns if same_type(self.second, each)))
        theirs = pick(draw, *same_type(self.second, mine))
        on = f"{mine.of('x')} = {theirs.of('y')}"
        if one_in(draw, 4):
            on += f" AND {predicate(draw, self.second, pick(draw, *self.second.shape.keys), 'y')}"
        word = pick(draw, " JOIN", " LEFT JOIN", ",", " STRAIGHT_JOIN")
        conditions = [on] if word == "," else []
        hint = _hint(draw, self.second) if hints and one_in(draw, 4) else ""
        self.sql = f"{self.first.name} AS x{word} {self.second.name} AS y{hint}"
        if word != ",":
            self.sql += f" ON {on}"
        for table, name in ((self.first, "x"), (self.second, "y")):
            if one_in(draw, 2 if name == "x" else 4):
                conditions.append(predicate(draw, table, pick(draw, *table.shape.keys), name))
        if one_in(draw, 8):
            conditions.append(subquery(draw, self.first, "x", pick(draw, *tables)))
        self.where = f" WHERE {' AND '.join(conditions)}" if conditions else ""


def _hint(draw: Draw[Any], table: DrawnTable) -> str:
    return f" FORCE INDEX ({pick(draw, *table.shape.keys).index_name})"


def join_query(draw: Draw[Any], tables: Sequence[DrawnTable]) -> str:
    """SELECT of two tables, which may lock one of them or both."""
    join = Join(draw, tables)
    ordered = ""
    if join.first.primary and join.second.primary and one_in(draw, 3):
        names = [
            each.of(name)
            for table, name in ((join.first, "x"), (join.second, "y"))
            for each in table.shape.keys[0].columns
        ]
        ordered = f" ORDER BY {', '.join(names)}{limit(draw)}"
    locking = pick(draw, *_LOCKING)
    if locking and one_in(draw, 3):
        strength, *rest = locking.split(" ", 2)[1:]
        locking = " ".join(("FOR", strength, "OF", pick(draw, "x", "y"), *rest))
    return f"SELECT x.*, y.* FROM {join.sql}{join.where}{ordered} {locking}".strip()


def nested_query(draw: Draw[Any], tables: Sequence[DrawnTable]) -> str:
    """SELECT from a derived table, or from a common table expression, beside a table or alone."""
    inner, outer = pick(draw, *tables), pick(draw, *tables)
    column = pick(draw, *inner.searched)
    condition = draw_condition(draw, inner, forced=False)
    body = f"SELECT {column.name} AS c FROM {inner.name}{condition.where}"
    groups = one_in(draw, 3)
    if groups:
        body = (
            f"SELECT {column.name} AS c, COUNT(*) AS rows_of FROM {inner.name}{condition.where} GROUP BY {column.name}"
        )
    elif one_in(draw, 3):
        body += " FOR UPDATE"
    same = same_type(outer, column)
    locking = pick(draw, *_LOCKING)
    condition_on_rows = not groups and one_in(draw, 3)  # the server would check it within the groups
    rest = f" WHERE {comparison(draw, replace(column, name='c'), 'd')}" if condition_on_rows else ""
    joins = same and not groups and draw(st.booleans())  # how many groups the server expects is not modelled
    beside = f" JOIN {outer.name} AS x ON {pick(draw, *same).of('x')} = d.c" if joins else ""
    columns = "d.c, x.*" if beside else "d.*"
    if draw(st.booleans()):
        return f"WITH d AS ({body}) SELECT {columns} FROM d{beside}{rest} {locking}".strip()
    return f"SELECT {columns} FROM ({body}) AS d{beside}{rest} {locking}".strip()


def aggregate_query(draw: Draw[Any], tables: Sequence[DrawnTable]) -> str:
    """SELECT with groups, aggregates or a window function."""
    table = pick(draw, *tables)
    kinds = ["all", "window" if table.primary else "all"]
    if not table.shape.long:  # the server may skip through an index for groups, which the model does not
        kinds += ["group", "distinct"]
    kind = pick(draw, *kinds)
    condition = draw_condition(draw, table, forced=kind in ("all", "window") and mostly_forced(draw))
    first, last = condition.key.columns[0].of(""), table.shape.columns[-1].name
    rows = f"FROM {table.name}{condition.hint}{condition.where}"
    locking = pick(draw, "FOR UPDATE", "FOR SHARE", "")
    match kind:
        case "all":
            columns = pick(draw, "COUNT(*)", f"SUM({last})", f"MIN({first})", f"MAX({first})")
            return f"SELECT {columns} {rows} {locking}".strip()
        case "group":
            having = pick(draw, "", " HAVING COUNT(*) > 1", f" HAVING MAX({last}) > 3")
            return f"SELECT {first}, COUNT(*), MAX({last}) {rows} GROUP BY {first}{having} {locking}".strip()
        case "distinct":
            return f"SELECT DISTINCT {first} {rows} {locking}".strip()
    keys = ", ".join(each.of("") for each in table.shape.keys[0].columns)
    partition = pick(draw, "", f"PARTITION BY {first} ")
    function = pick(draw, "ROW_NUMBER()", "RANK()", f"LAG({last})", f"SUM({last})")
    return f"SELECT {keys}, {function} OVER ({partition}ORDER BY {keys}) {rows} {locking}".strip()


def union_query(draw: Draw[Any], tables: Sequence[DrawnTable]) -> str:
    """Two queries of columns of one type, with UNION, UNION ALL, INTERSECT or EXCEPT."""
    parts = []
    first = pick(draw, *tables)
    column = first.shape.keys[0].columns[0]
    for table in (first, pick(draw, *tables)):
        same = same_type(table, column)
        condition = draw_condition(draw, table, forced=mostly_forced(draw))
        value = pick(draw, *same).name if same else pick(draw, *column.type.values)
        rows = f"FROM {table.name}{condition.hint}{condition.where}"
        parts.append(f"(SELECT {value} {rows}{pick(draw, '', ' FOR SHARE', ' FOR UPDATE')})")
    return f" {pick(draw, 'UNION ALL', 'UNION', 'EXCEPT', 'INTERSECT')} ".join(parts)
