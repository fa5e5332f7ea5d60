"""Recursive common table expressions: manual, "WITH (Common Table Expressions)"."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from chatsim.db.mysql import database_error
from chatsim.innodb.sql.executor.clauses import compile_limit, limit_value
from chatsim.innodb.sql.executor.derived import Derived
from chatsim.innodb.sql.executor.union import distinct_rows
from chatsim.innodb.sql.expressions import Scope
from chatsim.innodb.sql.expressions.result_type import converted_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from chatsim.innodb.sql.executor.execution import Execution, Find, PrepareQuery, Query, ReadRest, Rows
    from chatsim.innodb.sql.expressions import Env
    from chatsim.innodb.storage.column_types import ColumnType
    from chatsim.innodb.storage.tables import Table

__all__ = ["RecursiveQuery", "recursive_table"]

_DEEPEST = 1000
"""cte_max_recursion_depth: so often the recursive part may run."""

_FOUND = 2
"""How many rows the optimizer expects of the recursive part."""


class RecursiveQuery:
    """A query that begins with some rows, and finds further ones by its latest ones until there are none.

    Args:
        name: its name.
        node: its syntax tree.
        names: the names of its columns; if empty, those of its first part.
        find: finds the other tables.
        query: prepares a query.

    Raises:
        NotImplementedError, DatabaseError: as `chatsim.innodb.sql.executor.statements.prepare`.
    """

    def __init__(
        self,
        name: str,
        node: exp.Union,
        names: Sequence[str],
        find: Callable[[Table | None], Find],
        query: PrepareQuery,
    ) -> None:
        if node.args.get("order"):
            what = "ORDER BY over UNION in recursive Common Table Expression"
            raise database_error(1235, f"This version of MySQL doesn't yet support '{what}'")
        self._limit = compile_limit(node.args.get("limit"), Scope())
        self._offset = compile_limit(node.args.get("offset"), Scope())
        self._distinct = bool(node.args.get("distinct"))
        self._first: Query = query(node.left.copy(), find(None))
        self.names = list(names or self._first.names)
        self.kinds: list[ColumnType | None] = self._first.kinds
        self.results = self._first.results
        self.nullable = [True] * len(self.names)
        self._latest = Derived(name, self._first, self.names, (exp.Null(), find(None)))
        self._next: Query = query(node.right.copy(), find(self._latest))
        if len(self._next.names) != len(self.names):
            raise database_error(1222, "The used SELECT statements have a different number of columns")

    @property
    def writes(self) -> bool:
        """Whether it locks rows as if it changed them."""
        return self._first.writes or self._next.writes

    @property
    def tables(self) -> Sequence[Table]:
        """The tables of the schema that it reads."""
        return [*self._first.tables, *self._next.tables]

    @property
    def direct_tables(self) -> Sequence[Table]:
        """Those of them that it reads itself, and not by way of a derived table."""
        return [*self._first.direct_tables, *self._next.direct_tables]

    async def read(self, run: Execution, *, outer: Env | None = None, most: int | None = None) -> Rows:
        """Its rows; see `Query`."""
        limit, offset = limit_value(self._limit, run.env()), limit_value(self._offset, run.env()) or 0
        if limit == 0:
            return []
        found = latest = await self._first.read(run, outer=outer)
        times = 0
        while latest and (limit is None or len(found) < limit + offset):
            times += 1
            if times > _DEEPEST:
                message = f"Recursive query aborted after {times} iterations."
                raise database_error(3636, f"{message} Try increasing @@cte_max_recursion_depth to a larger value.")
            run.derived[self._latest] = latest
            read = await self._next.read(run, outer=outer)
            latest = converted_rows(read, self._next.results, self.results, run.session)
            if self._distinct:
                known = len(found)
                found = distinct_rows([*found, *latest], self.kinds)
                latest = found[known:]
            else:
                found = [*found, *latest]
        return found[offset : None if limit is None else offset + limit][:most]

    async def begin(self, run: Execution, *, outer: Env | None = None) -> ReadRest:
        """Its first query is planned when it is read; see `Query`."""
        return lambda: self.read(run, outer=outer)

    async def read_ahead(self, run: Execution, outer: Env) -> None:
        """Read the constant tables of the first query; see `Query`."""
        await self._first.read_ahead(run, outer)

    def has_one_row(self, run: Execution) -> bool:  # noqa: ARG002 - as in other queries
        """Never: how many rows there are, is found out."""
        return False

    def estimate(self, run: Execution, outer: Env | None = None) -> tuple[float, float]:
        """What it costs, and how many rows it has; see `Query`."""
        cost, rows = self._first.estimate(run, outer)
        return cost, rows + _FOUND


def recursive_table(node: exp.CTE, find: Find, query: PrepareQuery) -> Derived | None:
    """The derived table of a query that names itself; None if it does not."""
    name = node.alias
    if all(each.name.lower() != name.lower() for each in node.this.find_all(exp.Table)):
        return None
    if not isinstance(node.this, exp.Union):
        raise database_error(3573, f"Recursive Common Table Expression '{name}' should contain a UNION")

    def finds(table: Table | None) -> Find:
        def found(wanted: str) -> Table:
            if wanted.lower() != name.lower():
                return find(wanted)
            if table is None:
                raise database_error(
                    3574,
                    f"Recursive Common Table Expression '{name}' should have one or more non-recursive query blocks"
                    " followed by one or more recursive ones",
                )
            return table

        return found

    names = [each.name for each in node.args["alias"].columns]
    prepared = RecursiveQuery(name, node.this, names, finds, query)
    return Derived(name, prepared, names, (exp.Null(), find))
