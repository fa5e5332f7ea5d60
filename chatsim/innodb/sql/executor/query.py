"""Queries: SELECT, VALUES, and UNION, INTERSECT and EXCEPT of two, with the derived tables of WITH."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeAlias

from sqlglot import exp

from chatsim.innodb.sql.executor.derived import with_queries
from chatsim.innodb.sql.executor.execution import Find
from chatsim.innodb.sql.executor.names import Names
from chatsim.innodb.sql.executor.recursive import recursive_table
from chatsim.innodb.sql.executor.select import Select
from chatsim.innodb.sql.executor.union import UnionQuery, result_nullable
from chatsim.innodb.sql.executor.values_query import ValuesQuery
from chatsim.innodb.sql.expressions import unsupported

__all__ = ["outermost_query", "query"]


def query(
    node: exp.Expr, find: Find, *, strict: bool = False, outer: Names | None = None
) -> Select | UnionQuery | ValuesQuery:
    """Prepare a query; with ``strict``, the query of an INSERT. Raises as `prepare` does."""
    if node.args.get("with_"):
        find = with_queries(node.args["with_"], find, query, recursive_table)
    if isinstance(node, exp.Subquery) and not node.alias:
        return query(node.this, find, strict=strict, outer=outer)
    if isinstance(node, exp.SetOperation):
        side = partial(query, find=find, strict=strict, outer=outer)
        first, second = side(node.left), side(node.right)
        if not isinstance(node, exp.Union):
            nullable = result_nullable(node, first, second)
            first, second = (_without_nulls(each, nullable, side) for each in (first, second))
        return UnionQuery(node, first, second)
    if isinstance(node, exp.Select):
        return Select(node, find, query, strict=strict, outer=outer)
    if isinstance(node, exp.Values):
        return ValuesQuery(node)
    raise unsupported(node)


_AnyQuery: TypeAlias = Select | UnionQuery | ValuesQuery


def outermost_query(node: exp.Expr, find: Find, *, strict: bool = False) -> _AnyQuery:
    """Prepare the query of a statement, around which there is no other; see `query`."""
    found = query(node, find, strict=strict)
    if isinstance(found, Select):
        found.be_outermost()
    return found


def _without_nulls(side: _AnyQuery, nullable: Sequence[bool], prepare: Callable[[exp.Expr], _AnyQuery]) -> _AnyQuery:
    """A side of INTERSECT or EXCEPT without rows that are NULL in a column that is not in the result: none counts.

    In the server a condition is added for each such column (``Query_term_set_op``), so that the rows are not locked.
    """
    if not isinstance(side, Select) or side.limit is not None or side.windows:
        return side
    listed = side.stars_expanded()
    columns = [each.unalias() for at, each in enumerate(listed) if side.nullable[at] and not nullable[at]]
    if not columns:
        return side
    node = side.node.copy()
    for each in columns:
        value = each if isinstance(each, exp.Column) else exp.paren(each)
        condition = exp.Not(this=exp.Is(this=value, expression=exp.Null()))
        clause, kind = ("having", exp.Having) if side.grouped else ("where", exp.Where)
        before = node.args.get(clause)
        node.set(clause, kind(this=exp.and_(before.this, condition) if before else condition))
    return prepare(node)
