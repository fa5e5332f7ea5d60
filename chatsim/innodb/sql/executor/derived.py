"""Derived tables: tables that a query in WITH or FROM makes for one statement."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, TypeAlias

from sqlglot import exp

from chatsim.db.mysql import database_error
from chatsim.innodb.sql.executor.execution import Execution, Find, PrepareQuery, Query
from chatsim.innodb.sql.expressions.result_type import Computed
from chatsim.innodb.storage.dictionary import Column
from chatsim.innodb.storage.tables import Table
from chatsim.innodb.storage.values import Value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from chatsim.innodb.sql.expressions import Env

__all__ = ["Derived", "base_tables", "derived_table", "with_queries"]

Recursive: TypeAlias = "Callable[[exp.CTE, Find, PrepareQuery], Derived | None]"

_WIDTH = 8
"""The bytes of a value that comes from no column."""

_KEEPS = ("group", "having", "distinct", "limit", "offset", "order", "with_", "operation_modifiers", "into", "windows")
"""The clauses of a query that is not merged."""


class Derived(Table):
    """The result of a query as a table without an index.

    The query runs when the first row is read, and only once, however often the statement uses the name. Its locks
    depend on its own clauses, and not on those of the statement around it.

    Args:
        name: its name in the statement.
        query: the query.
        names: the names of its columns; if empty, those of the query.
        source: the syntax tree of the query, and what finds its tables.

    Raises:
        DatabaseError: the names don't match the query.

    Attributes:
        is_view: whether it is a view.
        needs: the numbers of the tables before it that its query names (LATERAL).
    """

    is_view: ClassVar[bool] = False
    needs: frozenset[int] = frozenset()

    def __init__(self, name: str, query: Query, names: Sequence[str], source: tuple[exp.Expr, Find]) -> None:
        if names and len(names) != len(query.names):
            raise database_error(
                1353,
                "In definition of view, derived table or common table expression, SELECT list"
                " and column names list have different column counts",
            )
        called = list(names or query.names)
        lowered = [each.lower() for each in called]
        if twice := next((each for at, each in enumerate(lowered) if each in lowered[:at]), None):
            raise database_error(1060, f"Duplicate column name '{twice}'")
        columns = [
            Column(each, kind or Computed(_WIDTH, result), nullable=nullable)
            for each, kind, result, nullable in zip(called, query.kinds, query.results, query.nullable, strict=True)
        ]
        super().__init__(name, columns, [])
        self.query = query
        self.source = source

    def is_merged(self, *, plain: bool) -> bool:
        """Whether its tables may become tables of the statement, since it only filters and renames.

        Args:
            plain: whether its values may be replaced by NULL, so that they must be columns.
        """
        select = self.source[0]
        if not isinstance(select, exp.Select) or select.args.get("from_") is None:
            return False
        if any(select.args.get(part) for part in _KEEPS):
            return False
        inner = [each.unalias() for each in select.expressions]
        if plain and not all(isinstance(each, exp.Column | exp.Star) for each in inner):
            return False
        kept = (exp.AggFunc, exp.Window, exp.Query, exp.Exists, exp.Parameter, exp.Anonymous)
        where = select.args.get("where")
        in_where = kept if plain else (exp.Window, exp.Parameter, exp.Anonymous)
        return not any(node.find(*kept) for node in inner) and (where is None or not where.find(*in_where))

    def estimated_rows(self, run: Execution) -> float:
        """How many rows the optimizer expects."""
        if self.query.has_one_row(run):
            return 1.0
        return 2.0 if self.needs else max(self.query.estimate(run)[1], 2.0)

    async def read(self, run: Execution, env: Env) -> list[tuple[Value, ...]]:  # noqa: ARG002 - for LATERAL
        """Its rows for those of the tables before it. The first call runs the query."""
        if self not in run.derived:
            run.answer.temporaries += 1
            run.derived[self] = await self.query.read(run)
        return run.derived[self]


def with_queries(node: exp.With, find: Find, query: PrepareQuery, recursive: Recursive) -> Find:
    """A function that finds tables by name, including the queries of a WITH.

    Args:
        node: the WITH.
        find: finds the other tables.
        query: prepares a query.
        recursive: makes the table of a query that names itself, in WITH RECURSIVE.

    Raises:
        DatabaseError: two queries have the same name, or one is invalid.
    """
    known: dict[str, Table] = {}

    def found(name: str) -> Table:
        return known.get(name) or find(name)

    for each in node.expressions:
        if each.alias in known:
            raise database_error(1066, f"Not unique table/alias: '{each.alias}'")
        own = recursive(each, found, query) if node.args.get("recursive") else None
        known[each.alias] = own or Derived(each.alias, query(each.this.copy(), found), _names(each), (each.this, found))
    return found


def derived_table(node: exp.Subquery, find: Find, query: PrepareQuery) -> Derived:
    """The derived table of a query in FROM. Raises as `with_queries` does."""
    if not node.alias:
        raise database_error(1248, "Every derived table must have its own alias")
    return Derived(node.alias, query(node.this.copy(), find), _names(node), (node.this, find))


def base_tables(tables: Iterable[Table]) -> list[Table]:
    """The tables of the schema among these, and those that the derived ones read."""
    found: list[Table] = []
    for each in tables:
        found += each.query.tables if isinstance(each, Derived) else [each]
    return found


def _names(node: exp.Subquery | exp.CTE) -> list[str]:
    return [each.name for each in node.args["alias"].columns]
