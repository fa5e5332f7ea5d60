"""CREATE TABLE … SELECT: the columns that a query gives a table (manual, "CREATE TABLE ... SELECT Statement")."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from sqlglot import exp

from chatsim.db.mysql import database_error
from chatsim.innodb.sql.ddl.column_types import type_syntax
from chatsim.innodb.sql.ddl.expression_types import expression_type
from chatsim.innodb.sql.executor.query import query
from chatsim.innodb.sql.executor.select import Select
from chatsim.innodb.sql.expressions import Scope, unsupported
from chatsim.innodb.sql.syntax import ColumnSyntax, CreateTable, TypeSyntax
from chatsim.innodb.storage.column_types import ColumnType, Decimals, Integer
from chatsim.innodb.storage.tables import Table

__all__ = ["insert_of_query", "with_columns_of_query"]


def with_columns_of_query(node: CreateTable, find: Callable[[str], Table]) -> CreateTable:
    """The statement with the columns of its query declared, behind those that only the statement declares.

    Raises:
        NotImplementedError: the model does not know the type of a column.
        DatabaseError: the query is not valid.
    """
    said = node.args["declared"]
    selected = query(node.expression, find)
    if selected.writes and selected.direct_tables:
        message = f"Can't update table '{selected.direct_tables[0].name}' while '{node.this.name}' is being created."
        raise database_error(1746, message)
    declared = {each.name.lower(): each for each in said.items if isinstance(each, ColumnSyntax)}
    columns: list[ColumnSyntax] = []
    for at, name in enumerate(selected.names):
        own = declared.pop(name.lower(), None)
        columns.append(own or _column(selected, at, name))
    rest = [each for each in said.items if not isinstance(each, ColumnSyntax)]
    made = CreateTable(this=node.this, declared=replace(said, items=(*declared.values(), *columns, *rest)))
    made.set("expression", node.expression)
    made.args["names"] = [each.name for each in columns]
    return made


def _column(selected: object, at: int, name: str) -> ColumnSyntax:
    """The column for one of the query."""
    if not isinstance(selected, Select):
        raise unsupported("CREATE TABLE … SELECT of a UNION, without declared columns")
    node = selected.select_list[at]
    if isinstance(node, exp.Alias):
        node = node.this
    if isinstance(node, exp.Column):
        number, column = selected.scope.column(node)
        source = selected.scope.tables[number][1].columns[column]
        nullable = None if source.nullable else False
        return ColumnSyntax(name, type_syntax(source.type), nullable, default=_default(source.default))
    return ColumnSyntax(name, _type_of(node, selected.scope, selected.kinds[at]))


def _default(value: object) -> exp.Expr | None:
    if value is None or callable(value):
        return None
    return exp.Literal.string(str(value))


def _type_of(node: exp.Expr, scope: Scope, kind: ColumnType | None) -> TypeSyntax:
    """The type of an expression's values."""
    match node:
        case exp.Count():
            return TypeSyntax("BIGINT")
        case exp.Literal(is_string=True):
            return TypeSyntax("VARCHAR", (len(node.name),))
        case exp.Literal() if node.name.isdigit():
            return TypeSyntax("INT")
        case exp.Min() | exp.Max() if (of := kind or scope.kind(node.this)) is not None:
            return type_syntax(of)
        case exp.Sum() | exp.Avg():
            return _total_type(scope.kind(node.this), decimals=4 if isinstance(node, exp.Avg) else 0)
    return type_syntax(expression_type(node, scope))


def _total_type(kind: ColumnType | None, decimals: int) -> TypeSyntax:
    """The type of SUM() or AVG() of a column."""
    if isinstance(kind, Integer | Decimals):
        scale = kind.scale if isinstance(kind, Decimals) else 0
        return TypeSyntax("DECIMAL", (32, scale + decimals))
    return TypeSyntax("DOUBLE")


def insert_of_query(node: CreateTable) -> exp.Insert:
    """The INSERT of the rows of the query."""
    said = node.args["declared"]
    names = [exp.to_identifier(each, quoted=True) for each in node.args["names"]]
    target = exp.Schema(this=exp.Table(this=node.this.this.copy()), expressions=names)
    insert = exp.Insert(this=target, expression=node.expression)
    if said.duplicates == "IGNORE":
        insert.set("ignore", True)  # noqa: FBT003
    elif said.duplicates == "REPLACE":
        insert.set("replace", True)  # noqa: FBT003
    return insert
