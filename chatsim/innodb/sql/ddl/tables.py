"""Statements that define tables: CREATE TABLE, CREATE INDEX, ALTER TABLE … ADD COLUMN, DROP TABLE, TRUNCATE TABLE."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping, Sequence
from typing import TypeAlias

from sqlglot import exp

from chatsim.db.mysql import database_error
from chatsim.innodb.sql.ddl.declarations import KeyDeclaration, TableDeclaration, column_name, declare, not_null
from chatsim.innodb.sql.ddl.keys import (
    add_foreign_key,
    check_column_names,
    check_key_columns,
    check_keys,
    complete_keys,
    index_definition,
)
from chatsim.innodb.sql.expressions import Context, Env, Scope, is_true, unsupported
from chatsim.innodb.storage.column_types import Integer
from chatsim.innodb.storage.dictionary import Column
from chatsim.innodb.storage.rows import DuplicateError
from chatsim.innodb.storage.structures import Index
from chatsim.innodb.storage.tables import Table
from chatsim.innodb.storage.values import NULL, Value

__all__ = ["Change", "add_columns", "create_index", "create_table", "drop_tables", "truncate"]

Change: TypeAlias = "Callable[[], None]"
"""A change of definitions that has been checked; calling it makes the change."""


_HARMLESS_PROPERTIES = (
    *(exp.CollateProperty, exp.AutoIncrementProperty, exp.EngineProperty),
    *(exp.CharacterSetProperty, exp.SchemaCommentProperty, exp.RowFormatProperty),
)


def create_table(node: exp.Create, tables: MutableMapping[str, Table], context: Context) -> Change:
    """CREATE TABLE.

    Args:
        node: the statement.
        tables: all tables, by their names in lower case.
        context: the session, for defaults.

    Raises:
        NotImplementedError: the model does not have what it declares.
        DatabaseError: the declaration is invalid.
    """
    schema = node.this
    if not isinstance(schema, exp.Schema):
        raise unsupported(node)
    name = schema.this.name
    if name.lower() in tables:
        raise database_error(1050, f"Table '{name}' already exists")
    collation, start = _properties(node)
    declared = TableDeclaration()
    for item in schema.expressions:
        declare(declared, item, collation, context)
    table = _table(name, declared)
    table.next_number = start
    for number, reference in enumerate(declared.references, start=1):
        add_foreign_key(table, reference, tables, f"{name}_ibfk_{number}")
    for number, (called, condition) in enumerate(declared.checks, start=1):
        holds = Scope([(name, table)]).compile(condition)
        table.checks[called or f"{name}_chk_{number}"] = _check(holds, context)

    def change() -> None:
        tables[name.lower()] = table
        for constraint in table.parents:
            constraint.parent.children.append(constraint)

    return change


def _properties(node: exp.Create) -> tuple[str, int]:
    """The collation of a table, and the first number of its AUTO_INCREMENT column."""
    collation, start = "utf8mb4_0900_ai_ci", 1
    for each in node.args["properties"].expressions if node.args.get("properties") else ():
        if isinstance(each, exp.CollateProperty):
            collation = each.this.name
        elif isinstance(each, exp.AutoIncrementProperty):
            start = int(each.this.name)
        elif isinstance(each, exp.EngineProperty) and each.this.name.lower() != "innodb":
            raise unsupported(f"engine {each.this.name}")
        elif not isinstance(each, _HARMLESS_PROPERTIES):
            raise unsupported(each)
    return collation, start


def create_index(table: Table, node: exp.Create) -> Change:
    """CREATE INDEX, with entries for the existing rows."""
    index = node.this
    columns = [column_name(each) for each in index.args["params"].args["columns"]]
    key = KeyDeclaration(index.name, columns, unique=bool(node.args.get("unique")))
    if any(each.definition.name.lower() == key.name.lower() for each in table.indexes):
        raise database_error(1061, f"Duplicate key name '{key.name}'")
    check_key_columns(key, table.columns)
    definition = index_definition(table, key)

    def change() -> None:
        made = Index(definition, table.columns)
        for record in table.clustered:
            if not record.deleted:
                _enter(table, made, record.row)
        at = next(
            (at for at, each in enumerate(table.indexes) if at and definition.unique and not each.definition.unique),
            len(table.indexes),
        )
        table.indexes.insert(at, made)

    return change


def _enter(table: Table, index: Index, row: Sequence[Value]) -> None:
    """Insert a row's entry into an index. Raises `DatabaseError` (1062)."""
    key, width = index.key_of(row), len(index.definition.columns)
    if index.definition.unique and NULL not in key[:width]:
        other = index.at_or_after(key[:width])
        if other.key[:width] == key[:width]:
            values = [row[at] for at in index.definition.columns]
            raise database_error(1062, str(DuplicateError(table, index, key[:width], values)))
    index.insert(key, index.entry_of(row), None)


def add_columns(table: Table, node: exp.Alter, context: Context) -> Change:
    """ALTER TABLE … ADD COLUMN, at the end. Existing rows get the default."""
    declared = TableDeclaration()
    for each in node.args["actions"]:
        if not isinstance(each, exp.ColumnDef) or each.args.get("position"):
            raise unsupported(node)
        declare(declared, each, "utf8mb4_0900_ai_ci", context)
    if declared.keys or declared.references or declared.checks or table.hidden is not None:
        raise unsupported(node, "with a key")
    if any(each.auto_increment for each in declared.columns):
        raise unsupported(node, "with AUTO_INCREMENT")
    check_column_names([*table.columns, *declared.columns])

    def change() -> None:
        values = tuple(_given_at_once(each) for each in declared.columns)
        table.columns += declared.columns
        table.numbers = {each.name.lower(): at for at, each in enumerate(table.columns)}
        for record in table.clustered:
            record.row = (*record.row, *values)

    return change


def _given_at_once(column: Column) -> Value:
    """The value of an existing row in a new column."""
    if not column.has_default:
        return column.type.zero
    return column.default() if callable(column.default) else column.default


def drop_tables(names: Sequence[str], tables: MutableMapping[str, Table], *, exists: bool) -> Change:
    """DROP TABLE, all of them or none; with ``exists``, those that exist."""
    unknown = [name for name in names if name.lower() not in tables]
    if unknown and not exists:
        raise database_error(1051, f"Unknown table '{','.join(unknown)}'")
    found = [tables[name.lower()] for name in names if name.lower() in tables]
    for table in found:
        for constraint in table.children:
            if constraint.child not in found:
                by = f"foreign key constraint '{constraint.name}' on table '{constraint.child.name}'"
                raise database_error(3730, f"Cannot drop table '{table.name}' referenced by a {by}.")

    def change() -> None:
        for table in found:
            for constraint in table.parents:
                constraint.parent.children.remove(constraint)
            del tables[table.name.lower()]

    return change


def truncate(table: Table) -> Change:
    """TRUNCATE TABLE."""
    for constraint in table.children:
        if constraint.child is not table:
            by = f"(`{constraint.child.name}`, CONSTRAINT `{constraint.name}`)"
            raise database_error(1701, f"Cannot truncate a table referenced in a foreign key constraint {by}")
    return table.empty


def _check(holds: Callable[[Env], object], context: Context) -> Callable[[Sequence[Value]], bool]:
    def check(row: Sequence[Value]) -> bool:
        found = holds(Env(context, (), [row]))
        return found is None or is_true(found)

    return check


def _table(name: str, declared: TableDeclaration) -> Table:
    columns, keys = declared.columns, declared.keys
    numbers = {column.name.lower(): at for at, column in enumerate(columns)}
    check_column_names(columns)
    check_keys(declared)
    for each in (each for key in keys if key.primary for each in key.columns):
        columns[numbers[each.lower()]] = not_null(columns[numbers[each.lower()]])
    complete_keys(declared)
    solid = {id(key): all(not columns[numbers[each.lower()]].nullable for each in key.columns) for key in keys}
    keys.sort(key=lambda key: (not key.primary, not (key.unique and solid[id(key)]), not key.unique))
    hidden = None
    if not keys or not (keys[0].primary or (keys[0].unique and solid[id(keys[0])])):
        hidden = len(columns)
        columns.append(Column("DB_ROW_ID", Integer(6, 0, (1 << 48) - 1), nullable=False))
        keys.insert(0, KeyDeclaration("GEN_CLUST_INDEX", ["DB_ROW_ID"], unique=True, primary=True))
    table = Table(name, columns, [], hidden=hidden)
    if hidden is not None:
        table.numbers = numbers
    for key in keys:
        table.indexes.append(Index(index_definition(table, key), table.columns))
    return table
