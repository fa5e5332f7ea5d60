"""Lateral derived tables: their queries may name the tables before them (manual, "Lateral Derived Tables")."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sqlglot import exp

from chatsim.db.mysql import database_error
from chatsim.innodb.sql.executor.derived import Derived, derived_table
from chatsim.innodb.sql.executor.names import Names
from chatsim.innodb.sql.expressions import Env, Scope

if TYPE_CHECKING:
    from chatsim.innodb.sql.executor.execution import Execution, Find, PrepareQuery
    from chatsim.innodb.sql.executor.from_clause import Operand
    from chatsim.innodb.sql.executor.subqueries import Subquery
    from chatsim.innodb.storage.tables import Table
    from chatsim.innodb.storage.values import Value

__all__ = ["Lateral", "lateral_table"]


class Lateral(Derived):
    """A derived table that has other rows for each row of the tables that it names.

    Args:
        node: its syntax tree.
        subquery: its query, and the values that this takes from the tables before it.
        find: finds the tables of its query.
        scope: names the tables before it.

    Attributes:
        needs: the numbers of the tables that it names.
        read_columns: their columns that it names, each with the number of its table.
    """

    def __init__(self, node: exp.Lateral, subquery: Subquery, find: Find, scope: Scope) -> None:
        names = [each.name for each in node.args["alias"].columns]
        super().__init__(node.alias, subquery.query, names, (node.this.this, find))
        self._subquery = subquery
        self.needs = frozenset(at for each in subquery.references for at in scope.tables_of(each))
        self.read_columns = set(scope.read)

    async def read(self, run: Execution, env: Env) -> list[tuple[Value, ...]]:
        """Its rows for the rows at hand."""
        return await self.query.read(run, outer=env)


def lateral_table(
    node: exp.Lateral,
    left: Operand,
    tables: Sequence[tuple[str, Table]],
    find: Find,
    query: PrepareQuery,
    *,
    outer: Names | None,
) -> Derived:
    """The derived table of LATERAL; one that names no table before it is like any other.

    Args:
        node: its syntax tree.
        left: the part of FROM before it.
        tables: the tables of FROM so far.
        find: finds a table by its name.
        query: prepares a query.
        outer: the names of the query around that of the FROM.

    Raises:
        DatabaseError, NotImplementedError: as `chatsim.innodb.sql.executor.statements.prepare`.
    """
    if not node.alias:
        raise database_error(1248, "Every derived table must have its own alias")
    scope = Scope(list(tables))
    subquery = Names(left, scope, find, query, outer).prepared(node.this.this.copy())
    if not subquery.outer:
        return derived_table(exp.Subquery(this=node.this.this, alias=node.args["alias"]), find, query)
    return Lateral(node, subquery, find, scope)
