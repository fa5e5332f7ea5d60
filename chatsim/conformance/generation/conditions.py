"""The conditions of drawn statements: comparisons of indexed columns, subqueries, index hints and orders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from chatsim.conformance.generation.columns import Draw, DrawnColumn, one_in, pick
from chatsim.conformance.generation.tables import DrawnKey, DrawnTable

__all__ = ["Condition", "comparison", "draw_condition", "limit", "order", "predicate", "same_type", "subquery"]

_OPERATORS = ("=", "=", "=", ">=", ">", "<=", "<", "BETWEEN", "IN", "IS", "<>", "NOT IN", "OR")


def comparison(draw: Draw[Any], column: DrawnColumn, table: str = "") -> str:
    """A comparison of a column with one or more values.

    Args:
        draw: given by Hypothesis.
        column: a column, or the expression of an index.
        table: the name to put before the column, or nothing.
    """
    name, sought = column.of(table), column.type.sought
    if not sought:
        return f"{name} IS NOT NULL"
    operator = pick(draw, *_OPERATORS)
    match operator:
        case "BETWEEN":
            ends = [draw(st.integers(0, len(sought) - 1)) for _ in range(2)]
            low, high = ends if one_in(draw, 8) else sorted(ends)
            return f"{name} BETWEEN {sought[low]} AND {sought[high]}"
        case "IN" | "NOT IN":
            count = draw(st.integers(2, 3))
            return f"{name} {operator} ({', '.join(pick(draw, *sought) for _ in range(count))})"
        case "OR":
            return f"({name} < {pick(draw, *sought)} OR {name} {pick(draw, '=', '>')} {pick(draw, *sought)})"
        case "IS":
            return f"{name} IS NULL" if column.nullable else f"{name} = {pick(draw, *sought)}"
    return f"{name} {operator} {pick(draw, *sought)}"


def predicate(draw: Draw[Any], table: DrawnTable, key: DrawnKey, name: str = "") -> str:
    """Comparisons of the columns of a key, and perhaps of another column, joined by AND or OR."""
    conjuncts = [comparison(draw, key.columns[0], name)]
    if len(key.columns) > 1 and draw(st.booleans()):
        conjuncts.append(comparison(draw, key.columns[1], name))
    if one_in(draw, 5):
        conjuncts.append(comparison(draw, table.shape.columns[-1], name))
    both = " AND ".join(conjuncts)
    if one_in(draw, 4):
        other = comparison(draw, pick(draw, *table.shape.keys).columns[0], name)
        return f"{both} AND {other}" if draw(st.booleans()) else f"({both} OR {other})"
    return both


def same_type(table: DrawnTable, column: DrawnColumn) -> list[DrawnColumn]:
    """The columns of a table that can be compared with a column without a conversion."""
    return [each for each in table.shape.columns if each.type == column.type]


def subquery(draw: Draw[Any], table: DrawnTable, name: str, inner: DrawnTable) -> str:
    """A condition on a row of a table (by the given name) with a subquery over another one, which is called ``q``."""
    column = pick(draw, *table.searched)
    same = same_type(inner, column)
    where = f" WHERE {predicate(draw, inner, pick(draw, *inner.shape.keys), 'q')}" if draw(st.booleans()) else ""
    rows = f"FROM {inner.name} AS q{where}"
    if not same:
        return f"{pick(draw, 'EXISTS', 'NOT EXISTS')} (SELECT 1 {rows})"
    other, outer = pick(draw, *same).of("q"), column.of(name)
    match pick(draw, "IN", "NOT IN", "EXISTS", "NOT EXISTS", "=", "<="):
        case "IN" | "NOT IN" as word:
            return f"{outer} {word} (SELECT {other} {rows})"
        case "EXISTS" | "NOT EXISTS" as word:
            return f"{word} (SELECT 1 {rows}{' AND' if where else ' WHERE'} {other} = {outer})"
        case operator:
            return f"{outer} {operator} (SELECT {pick(draw, 'MIN', 'MAX')}({other}) {rows})"


@dataclass(frozen=True)
class Condition:
    """The condition of a statement about one table, and the index that it is on.

    Attributes:
        key: the index.
        forced: whether the statement is to use it.
        where: the clause WHERE, or nothing.
    """

    key: DrawnKey
    forced: bool
    where: str

    @property
    def hint(self) -> str:
        """The index hint behind the table's name."""
        return f" FORCE INDEX ({self.key.index_name})" if self.forced else ""


def draw_condition(draw: Draw[Any], table: DrawnTable, *, forced: bool, others: Sequence[DrawnTable] = ()) -> Condition:
    """A condition on an index, perhaps joined with one on another column.

    Args:
        draw: given by Hypothesis.
        table: the table of the statement.
        forced: whether the statement is to use the index.
        others: the tables that a subquery may read. It has the outer table's own name for the outer row.
    """
    key = pick(draw, *table.shape.keys)
    where = predicate(draw, table, key)
    if others and one_in(draw, 5):
        nested = subquery(draw, table, table.name, pick(draw, *others))
        where = nested if draw(st.booleans()) else f"{where} AND {nested}"
    return Condition(key, forced, "" if one_in(draw, 10) else f" WHERE {where}")


def order(draw: Draw[Any], table: DrawnTable, condition: Condition) -> str:
    """An order without ties, or that of the forced index: LIMIT has only one meaning then."""
    if one_in(draw, 4) and not table.shape.partitions:
        key = condition.key if condition.forced else table.shape.keys[0]
        if key.primary or (condition.forced and not key.parts):
            down = pick(draw, "", " DESC")
            return f" ORDER BY {', '.join(each.name + down for each in key.columns)}{limit(draw)}"
    return ""


def limit(draw: Draw[Any]) -> str:
    """LIMIT, or nothing."""
    return pick(draw, "", " LIMIT 1", " LIMIT 2")
