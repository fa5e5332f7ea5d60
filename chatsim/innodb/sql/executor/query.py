"""Queries: SELECT, VALUES, and UNION, INTERSECT and EXCEPT of two, with the derived tables of WITH."""

from __future__ import annotations

from sqlglot import exp

from chatsim.innodb.sql.executor.derived import with_queries
from chatsim.innodb.sql.executor.execution import Find
from chatsim.innodb.sql.executor.names import Names
from chatsim.innodb.sql.executor.recursive import recursive_table
from chatsim.innodb.sql.executor.select import Select
from chatsim.innodb.sql.executor.union import UnionQuery
from chatsim.innodb.sql.executor.values_query import ValuesQuery
from chatsim.innodb.sql.expressions import unsupported

__all__ = ["query"]


def query(
    node: exp.Expr, find: Find, *, strict: bool = False, outer: Names | None = None
) -> Select | UnionQuery | ValuesQuery:
    """Prepare a query; with ``strict``, the query of an INSERT. Raises as `prepare` does."""
    if node.args.get("with_"):
        find = with_queries(node.args["with_"], find, query, recursive_table)
    if isinstance(node, exp.Subquery) and not node.alias:
        return query(node.this, find, strict=strict, outer=outer)
    if isinstance(node, exp.SetOperation):
        return UnionQuery(node, find, query, strict=strict, outer=outer)
    if isinstance(node, exp.Select):
        return Select(node, find, query, strict=strict, outer=outer)
    if isinstance(node, exp.Values):
        return ValuesQuery(node)
    raise unsupported(node)
