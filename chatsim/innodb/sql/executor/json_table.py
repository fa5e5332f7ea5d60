"""JSON_TABLE: a derived table of the parts of a document, which may be one of the tables before it.

Source: manual, "JSON Table Functions".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from chatsim.db.mysql import database_error
from chatsim.innodb.sql.executor.derived import Derived
from chatsim.innodb.sql.executor.names import Names
from chatsim.innodb.sql.expressions import Scope
from chatsim.innodb.sql.expressions.json_functions import as_document
from chatsim.innodb.sql.expressions.json_paths import found, parsed_path
from chatsim.innodb.sql.expressions.json_values import UnfitError, json_type, typed_value
from chatsim.innodb.sql.expressions.result_type import type_of_column
from chatsim.innodb.sql.json_parser import columns_of
from chatsim.innodb.sql.json_syntax import JsonColumn, NestedColumns, Otherwise
from chatsim.innodb.storage.column_types import ColumnType, Integer

if TYPE_CHECKING:
    from chatsim.innodb.sql.executor.execution import Execution, Find, PrepareQuery, ReadRest, Rows
    from chatsim.innodb.sql.executor.from_clause import Operand
    from chatsim.innodb.sql.executor.subqueries import Subquery
    from chatsim.innodb.sql.expressions import Env
    from chatsim.innodb.storage.tables import Table
    from chatsim.innodb.storage.values import Value

__all__ = ["JsonTable", "json_table"]

_EXPECTED = 2.0
"""How many rows the optimizer expects."""

_ORDINALITY = Integer(4, 0, (1 << 32) - 1)


class JsonRows:
    """The rows of JSON_TABLE as a query.

    Args:
        document: the query of the document.
        path: the path to the parts that are rows.
        columns: the columns.
    """

    def __init__(self, document: Subquery, path: str, columns: Sequence[JsonColumn | NestedColumns]) -> None:
        self._document = document.query
        self._parts = _Parts(path, columns)
        named = list(_flat(columns))
        self.names = [each.name for each in named]
        self.kinds: list[ColumnType | None] = [_kind(each) for each in named]
        self.results = [type_of_column(each) for each in self.kinds]
        self.nullable = [True] * len(named)

    @property
    def writes(self) -> bool:
        """Whether its document locks rows as if it changed them."""
        return self._document.writes

    @property
    def tables(self) -> Sequence[Table]:
        """The tables of the schema that its document reads."""
        return self._document.tables

    @property
    def direct_tables(self) -> Sequence[Table]:
        """Those of them that it reads itself."""
        return self._document.direct_tables

    async def read(self, run: Execution, *, outer: Env | None = None, most: int | None = None) -> Rows:
        """Its rows; see `Query`."""
        ((document,),) = await self._document.read(run, outer=outer)
        if document is None:
            return []
        return [tuple(row) for row in self._parts.rows(as_document(document, "json_table"))][:most]

    async def begin(self, run: Execution, *, outer: Env | None = None) -> ReadRest:
        """There is nothing to be planned; see `Query`."""
        return lambda: self.read(run, outer=outer)

    async def read_ahead(self, run: Execution, outer: Env) -> None:
        """Nothing is read; see `Query`."""

    def has_one_row(self, run: Execution) -> bool:  # noqa: ARG002 - as in other queries
        """Never: how many rows there are, is found out."""
        return False

    def estimate(self, run: Execution, outer: Env | None = None) -> tuple[float, float]:  # noqa: ARG002 - as above
        """What it costs, and how many rows it has; see `Query`."""
        return 0.0, _EXPECTED


class _Parts:
    """The columns at one path: a row for each part of the document there.

    Args:
        path: the path.
        columns: its columns, and those of paths within.

    Attributes:
        width: how many columns there are.
    """

    def __init__(self, path: str, columns: Sequence[JsonColumn | NestedColumns]) -> None:
        self._path = parsed_path(path)
        self._columns = columns
        nested = [each for each in columns if isinstance(each, NestedColumns)]
        self._nested = {id(each): _Parts(each.path, each.columns) for each in nested}
        own = [each for each in columns if isinstance(each, JsonColumn)]
        self._paths = {id(each): parsed_path(each.path) for each in own if each.path}
        self.width = sum(1 for _ in _flat(columns))

    def rows(self, document: Any) -> Iterator[list[Value]]:
        """The rows of a document: for each part those of the first path within, then those of the next."""
        for number, part in zip(count(1), found(document, self._path), strict=False):
            own = [self._value(each, part, number) for each in self._columns]
            inner = False
            for at, each in enumerate(self._columns):
                if isinstance(each, NestedColumns):
                    for row in self._nested[id(each)].rows(part):
                        inner = True
                        yield self._row(own, at, row)
            if not inner:
                yield self._row(own, None, [])

    def _row(self, own: list[Value], at: int | None, inner: list[Value]) -> list[Value]:
        """A row: the values of its own columns, and those of the nested ones at one place; the others are NULL."""
        row: list[Value] = []
        for place, each in enumerate(self._columns):
            if isinstance(each, NestedColumns):
                row += inner if place == at else [None] * self._nested[id(each)].width
            else:
                row.append(own[place])
        return row

    def _value(self, column: JsonColumn | NestedColumns, part: Any, number: int) -> Value:
        if isinstance(column, NestedColumns):
            return None
        if not column.path:
            return number
        parts = found(part, self._paths[id(column)])
        if column.exists:
            return int(bool(parts))
        if not parts:
            return _given(column, column.empty, 3665, f"Missing value for JSON_TABLE column '{column.name}'")
        try:
            return typed_value(parts if len(parts) > 1 else parts[0], json_type(column.type), whole=False)
        except UnfitError:
            message = f"Invalid JSON value for CAST to {column.type} from column {column.name}"
            return _given(column, column.error, 3156, message)


def _given(column: JsonColumn, otherwise: Otherwise, errno: int, message: str) -> Value:
    """What is given in place of a value."""
    if otherwise.fails:
        raise database_error(errno, message)
    if otherwise.default is None:
        return None
    return typed_value(as_document(otherwise.default, "json_table"), json_type(column.type), whole=False)


def _flat(columns: Sequence[JsonColumn | NestedColumns]) -> Iterator[JsonColumn]:
    for each in columns:
        if isinstance(each, NestedColumns):
            yield from _flat(each.columns)
        else:
            yield each


def _kind(column: JsonColumn) -> ColumnType:
    return _ORDINALITY if column.type is None else json_type(column.type)


class JsonTable(Derived):
    """The table of JSON_TABLE.

    Attributes:
        needs: the numbers of the tables that its document names.
        read_columns: their columns that it names, each with the number of its table.
    """

    def __init__(self, name: str, rows: JsonRows, subquery: Subquery, find: Find, scope: Scope) -> None:
        super().__init__(name, rows, [], (exp.Null(), find))
        self.needs = frozenset(at for each in subquery.references for at in scope.tables_of(each))
        self.read_columns = set(scope.read)
        self._varies = bool(subquery.outer)

    def estimated_rows(self, run: Execution) -> float:  # noqa: ARG002 - as in other derived tables
        """Always the same."""
        return _EXPECTED

    async def read(self, run: Execution, env: Env) -> list[tuple[Value, ...]]:
        """Its rows for the rows at hand."""
        if self._varies:
            return await self.query.read(run, outer=env)
        return await super().read(run, env)


def json_table(
    node: exp.Lateral,
    left: Operand,
    tables: Sequence[tuple[str, Table]],
    find: Find,
    query: PrepareQuery,
    *,
    outer: Names | None,
) -> JsonTable:
    """The table of JSON_TABLE, whose document may name the tables before it.

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
        raise database_error(3667, "Every table function must have an alias")
    (value, path), columns, scope = node.this.expressions, columns_of(node.this), Scope(list(tables))
    assert columns is not None
    document = Names(left, scope, find, query, outer).prepared(exp.select(value.copy()))
    return JsonTable(node.alias, JsonRows(document, path.name, columns), document, find, scope)
