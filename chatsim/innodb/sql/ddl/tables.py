"""Statements that define tables: CREATE TABLE, CREATE INDEX, DROP TABLE, TRUNCATE TABLE."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, MutableMapping, Sequence
from dataclasses import replace
from typing import TypeAlias

from sqlglot import exp

from chatsim.db.mysql import database_error
from chatsim.innodb.sql.ddl.column_types import collation_of
from chatsim.innodb.sql.ddl.declarations import TableDeclaration, check_primary_key, declare, not_null, plain_key
from chatsim.innodb.sql.ddl.expression_types import expression_type
from chatsim.innodb.sql.ddl.foreign_keys import add_foreign_key, adopted, check_orphans, checks_foreign_keys, orphaned
from chatsim.innodb.sql.ddl.keys import (
    check_column_names,
    check_keys,
    complete_keys,
    index_definition,
    named_checks,
)
from chatsim.innodb.sql.ddl.partitions import partition
from chatsim.innodb.sql.expressions import Context, Env, Scope, expression_key, is_true, unsupported
from chatsim.innodb.sql.expressions.json_functions import as_document
from chatsim.innodb.sql.syntax import (
    CheckSyntax,
    ColumnSyntax,
    CreateTable,
    ForeignKeySyntax,
    Item,
    KeySyntax,
    TableSyntax,
)
from chatsim.innodb.storage.collations import DEFAULT
from chatsim.innodb.storage.column_types import Integer, TypedArray
from chatsim.innodb.storage.dictionary import Column
from chatsim.innodb.storage.rows import DuplicateError
from chatsim.innodb.storage.structures import Index
from chatsim.innodb.storage.tables import ForeignKey, OrphanedKey, Table
from chatsim.innodb.storage.values import Value, has_null

__all__ = ["Change", "create_table", "declared_table", "drop_tables", "enter", "rename_tables", "truncate"]

Change: TypeAlias = "Callable[[], None]"
"""A change of definitions that has been checked; calling it makes the change."""

_OBEYED = ("ENGINE", "COLLATE", "CHARSET", "AUTO_INCREMENT")
_REFUSED = ("ENCRYPTION", "TABLESPACE", "DATA", "INDEX", "CONNECTION", "UNION", "START")
_HARMLESS = (
    *("COMMENT", "ROW_FORMAT", "KEY_BLOCK_SIZE", "STATS_PERSISTENT", "STATS_AUTO_RECALC", "STATS_SAMPLE_PAGES"),
    *("MAX_ROWS", "MIN_ROWS", "AVG_ROW_LENGTH", "PACK_KEYS", "CHECKSUM", "DELAY_KEY_WRITE", "COMPRESSION"),
    *("INSERT_METHOD", "AUTOEXTEND_SIZE", "ENGINE_ATTRIBUTE", "SECONDARY_ENGINE_ATTRIBUTE", "PASSWORD", "TYPE"),
)
"""Options that change nothing in the model."""


def create_table(
    node: CreateTable, tables: MutableMapping[str, Table], known: Mapping[str, Table], context: Context
) -> Change:
    """CREATE TABLE, without a query.

    Args:
        node: the statement.
        tables: the tables beside which it is put: all that are not temporary, or the session's temporary ones.
        known: the tables that the session knows, by their names.
        context: the session, for defaults.

    Raises:
        NotImplementedError: the model does not have what it declares.
        DatabaseError: the declaration is invalid.
    """
    name, said = node.this.name, node.args["declared"]
    if name in tables:
        raise database_error(1050, f"Table '{name}' already exists")
    if said.like:
        said = _like(said, known)
    else:
        check_primary_key(said.items, (each for each in said.items if isinstance(each, ColumnSyntax)))
    table = declared_table(name, said, known, context)
    check_orphans(table, context)
    adopt = adopted(table, name, () if table.temporary else tables.values())

    def change() -> None:
        tables[name] = table
        adopt()
        for constraint in table.parents:
            constraint.parent.children.append(constraint)

    return change


def _like(said: TableSyntax, tables: Mapping[str, Table]) -> TableSyntax:
    """The declaration of a table that is like another one: with its keys, without its foreign keys and its number."""
    other = tables.get(said.like)
    if other is None:
        raise database_error(1146, f"Table '{said.like}' doesn't exist")
    declared: TableSyntax = other.declared
    options = {name: value for name, value in declared.options.items() if name != "AUTO_INCREMENT"}
    keys = tuple(each for each in declared.items if not isinstance(each, ForeignKeySyntax))
    items = tuple(
        replace(each, items=tuple(item for item in each.items if not isinstance(item, ForeignKeySyntax)))
        if isinstance(each, ColumnSyntax)
        else each
        for each in keys
    )
    checks = [replace(each, name="") for _, each in sorted(named_checks(said.like, items).items())]
    items = (*(each for each in items if not isinstance(each, CheckSyntax)), *checks)
    return replace(declared, items=items, options=options, temporary=said.temporary, exists=said.exists)


def declared_table(name: str, said: TableSyntax, tables: Mapping[str, Table], context: Context) -> Table:
    """A new table, with no rows. Raises as `create_table` does."""
    _check_options(said.options, temporary=said.temporary)
    collation = collation_of(said.options.get("CHARSET", ""), said.options.get("COLLATE", ""), DEFAULT)
    declared = declare(said.items, collation, context)
    table = _table(name, declared, context)
    table.declared = replace(said, items=_with_names(said.items, declared.keys))
    table.next_number = max(int(said.options.get("AUTO_INCREMENT", 1)), 1)
    known = {**tables, name: table}
    if said.temporary:
        _make_temporary(table, declared)
    for number, reference in enumerate(declared.references, start=1):
        add_foreign_key(table, reference, known, f"{name}_ibfk_{number}")
    if said.partitioning is not None:
        if table.arrays:
            raise unsupported("multi-valued index of a table with partitions")
        partition(table, said.partitioning, context)
    for called, check in named_checks(name, declared.checks).items():
        holds = Scope([(name, table)]).compile(check.condition)
        _check_columns(table, called, check)
        if check.enforced:
            table.checks[called] = _check(holds, context)
    return table


def _check_columns(table: Table, name: str, check: CheckSyntax) -> None:
    """Refuse a CHECK of a column that gets its number, or that a foreign key may change. Raises (3818, 3823)."""
    named = {each.name.lower() for each in check.condition.find_all(exp.Column)}
    if any(each.auto_increment and each.name.lower() in named for each in table.columns):
        raise database_error(3818, f"Check constraint '{name}' cannot refer to an auto-increment column.")
    keys: list[ForeignKey | OrphanedKey] = [*table.parents, *table.orphaned]
    for key in keys:
        changed = [*key.columns] if "SET NULL" in (key.on_delete, key.on_update) or key.on_update == "CASCADE" else []
        for column in (table.columns[at].name for at in changed):
            if column.lower() in named:
                raise database_error(
                    3823,
                    f"Column '{column}' cannot be used in a check constraint '{name}': needed in a foreign key"
                    f" constraint '{key.name}' referential action.",
                )


def _make_temporary(table: Table, declared: TableDeclaration) -> None:
    """Make a table one that only its session has. Raises a `DatabaseError` if it has foreign keys."""
    if declared.references:
        raise database_error(1215, "Cannot add foreign key constraint")
    table.temporary = True
    table.transactional = table.declared.options.get("ENGINE", "InnoDB").lower() == "innodb"
    for index in table.indexes:
        index.is_shared = False


def _with_names(items: Sequence[Item], keys: Sequence[KeySyntax]) -> tuple[Item, ...]:
    """The items of a declaration: columns, keys with the names that they have been given, constraints."""
    columns: list[Item] = []
    constraints: list[Item] = []
    for each in items:
        if isinstance(each, ColumnSyntax):
            columns.append(replace(each, key="", items=()))
            constraints += each.items
        elif not isinstance(each, KeySyntax):
            constraints.append(each)
    return (*columns, *keys, *constraints)


def _check_options(options: Mapping[str, str], *, temporary: bool) -> None:
    engines = ("innodb", "memory") if temporary else ("innodb",)
    if (engine := options.get("ENGINE", "InnoDB")).lower() not in engines:
        raise unsupported(f"engine {engine}")
    for name, value in options.items():
        if name in _REFUSED and not (name == "ENCRYPTION" and value.upper() == "N"):
            raise unsupported(f"table option {name}")
        if name not in (*_OBEYED, *_HARMLESS, *_REFUSED):
            raise database_error(1064, f"You have an error in your SQL syntax near '{name}'")


def _index_of(table: Table, key: KeySyntax) -> Index:
    """A new index of a key, without entries. The columns of functional key parts have to be there.

    Raises:
        DatabaseError: the key is not valid.
    """
    hidden = iter(_functional_columns(table, key))
    numbers = [table.numbers[part.column.lower()] if part.column else next(hidden) for part in key.parts]
    return Index(index_definition(table, key, numbers), table.columns)


def _functional_columns(table: Table, key: KeySyntax) -> list[int]:
    """The numbers of the hidden columns of a key's functional parts."""
    texts = [expression_key(part.expression) for part in key.parts if part.expression is not None]
    return [table.expressions[each] for each in texts]


def enter(table: Table, index: Index, row: Sequence[Value]) -> None:
    """Insert a row's entry into an index. Raises `DatabaseError` (1062)."""
    for part in index.parts_of(row):
        _enter(table, index, part, row)


def _enter(table: Table, index: Index, part: Sequence[Value], row: Sequence[Value]) -> None:
    """Insert one entry of a row. Raises as `enter` does."""
    key, width = index.key_of(part), len(index.definition.columns)
    if index.definition.unique and not has_null(key[:width]):
        other = index.first_at(key[:width])
        if other.key[:width] == key[:width]:
            duplicate = DuplicateError(table, index, key[:width], index.shown_duplicate(row))
            raise database_error(1062, str(duplicate))
    index.insert(key, index.entry_of(part), None)


def drop_tables(names: Sequence[str], tables: MutableMapping[str, Table], context: Context, *, exists: bool) -> Change:
    """DROP TABLE, all of them or none; with ``exists``, those that exist.

    Raises:
        DatabaseError: there is no such table, or one has children that stay, and foreign keys are checked (1051, 3730).
    """
    unknown = [name for name in names if name not in tables]
    if unknown and not exists:
        raise database_error(1051, f"Unknown table '{','.join(unknown)}'")
    found = [tables[name] for name in names if name in tables]
    lonely = [each for table in found for each in table.children if each.child not in found]
    if checks_foreign_keys(context):
        for constraint in lonely:
            by = f"foreign key constraint '{constraint.name}' on table '{constraint.child.name}'"
            raise database_error(3730, f"Cannot drop table '{constraint.parent.name}' referenced by a {by}.")

    def change() -> None:
        for constraint in lonely:
            orphaned(constraint)
        for table in found:
            for constraint in table.parents:
                constraint.parent.children.remove(constraint)
            del tables[table.name]

    return change


def rename_tables(pairs: Sequence[tuple[str, str]], tables: MutableMapping[str, Table]) -> Change:
    """RENAME TABLE, from left to right, all of them or none."""
    names = set(tables)
    for old, new in pairs:
        if old not in names:
            raise database_error(1146, f"Table '{old}' doesn't exist")
        if new in names:
            raise database_error(1050, f"Table '{new}' already exists")
        names = names - {old} | {new}

    def change() -> None:
        for old, new in pairs:
            table = tables.pop(old)
            table.rename(new)
            tables[new] = table
            adopted(table, new, tables.values())()

    return change


def truncate(table: Table, context: Context) -> Change:
    """TRUNCATE TABLE. Raises a `DatabaseError` if other tables refer to it, and foreign keys are checked (1701)."""
    for constraint in table.children:
        if constraint.child is not table and checks_foreign_keys(context):
            by = f"(`{constraint.child.name}`, CONSTRAINT `{constraint.name}`)"
            raise database_error(1701, f"Cannot truncate a table referenced in a foreign key constraint {by}")
    return table.empty


def _check(holds: Callable[[Env], object], context: Context) -> Callable[[Sequence[Value]], bool]:
    def check(row: Sequence[Value]) -> bool:
        found = holds(Env(context, (), [row]))
        return found is None or is_true(found)

    return check


def _table(name: str, declared: TableDeclaration, context: Context) -> Table:
    columns, keys = declared.columns, declared.keys
    if not columns:
        raise database_error(1113, "A table must have at least 1 column")
    numbers = {column.name.lower(): at for at, column in enumerate(columns)}
    check_column_names(columns)
    check_keys(declared)
    for part in (part for key in keys if key.kind == "PRIMARY" for part in key.parts):
        columns[numbers[part.column.lower()]] = not_null(columns[numbers[part.column.lower()]])
    complete_keys(declared)
    solid = {
        key.name: all(part.column and not columns[numbers[part.column.lower()]].nullable for part in key.parts)
        for key in keys
    }
    whole = {key.name: solid[key.name] and not any(part.length for part in key.parts) for key in keys}
    virtual = {
        key.name: any(not part.column or columns[numbers[part.column.lower()]].virtual for part in key.parts)
        for key in keys
    }
    keys.sort(  # as ``sort_keys`` in the server
        key=lambda key: (
            *(key.kind != "PRIMARY", not (key.kind == "UNIQUE" and solid[key.name]), key.kind != "UNIQUE"),
            *(key.kind == "UNIQUE" and any(part.length for part in key.parts), virtual[key.name]),
        )
    )
    table = Table(name, columns, [])
    for at, node in declared.generated.items():
        _generate(table, at, node, context, later={each for each in declared.generated if each >= at})
    for key in keys:
        for part in key.parts:
            if part.expression is not None:
                _add_functional_column(table, key, part.expression, context)
    clustered = next((key for key in keys if key.kind == "PRIMARY" or (key.kind == "UNIQUE" and whole[key.name])), None)
    if clustered is None:
        table.hidden = len(columns)
        columns.append(Column("DB_ROW_ID", Integer(6, 0, (1 << 48) - 1), nullable=False, hidden=True))
        made = plain_key("PRIMARY", "GEN_CLUST_INDEX", "DB_ROW_ID")
        table.indexes.append(Index(index_definition(table, made, [table.hidden]), columns))
    else:
        table.indexes.append(_index_of(table, clustered))
    table.indexes += [_index_of(table, key) for key in keys if key is not clustered and key.kind != "FULLTEXT"]
    return table


def _generate(
    table: Table,
    at: int,
    node: exp.Expr,
    context: Context,
    *,
    later: Collection[int] = (),
    array: TypedArray | None = None,
) -> None:
    """Give a column the function of its values.

    Args:
        table: the table.
        at: the number of the column.
        node: the expression.
        context: the session.
        later: the generated columns from itself on.
        array: the type of the array that is made of each value.
    """
    scope = Scope([(table.name, table)])
    compiled = scope.compile(node)
    sources = frozenset(column for _, column in scope.read)
    column = table.columns[at]
    _check_sources(table, at, sources, later)

    def generated(row: Sequence[Value]) -> Value:
        value: Value = compiled(Env(context, (), [row]))
        if array is None or value is None:
            return value
        return array.values_of(as_document(value, "cast_as_array"))

    table.columns[at] = replace(column, generated=generated, sources=sources)
    table.generated.append(at)
    if array is None:
        table.expressions.setdefault(expression_key(node), at)


def _check_sources(table: Table, at: int, sources: Iterable[int], later: Collection[int]) -> None:
    """Refuse an expression of columns that have no values yet when it is computed. Raises a `DatabaseError`."""
    column = table.columns[at]
    for source in sources:
        if table.columns[source].auto_increment and column.hidden:
            message = "Functional index 'functional_index' cannot refer to an auto-increment column."
            raise database_error(3754, message)
        if table.columns[source].auto_increment:
            raise database_error(3109, f"Generated column '{column.name}' cannot refer to auto-increment column.")
        if source in later:
            raise database_error(3107, "Generated column can refer only to generated columns defined prior to it.")


def _add_functional_column(table: Table, key: KeySyntax, node: exp.Expr, context: Context) -> None:
    """Give a table the hidden column of a functional key part, unless it has it."""
    if expression_key(node) in table.expressions:
        return
    kind = expression_type(node, Scope([(table.name, table)]), key.name)
    at = len(table.columns)
    table.columns.append(Column(f"!hidden!{at}", kind, nullable=True, hidden=True, virtual=True))
    if isinstance(kind, TypedArray):
        inner = node.unnest().this
        _generate(table, at, inner, context, array=kind)
        table.expressions[expression_key(node)] = at
        table.arrays.setdefault(expression_key(inner), at)
    else:
        _generate(table, at, node, context)
