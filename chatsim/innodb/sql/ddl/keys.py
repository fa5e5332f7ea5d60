"""Checking and creating the keys and foreign keys of a declared table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, cast

from chatsim.db.mysql import database_error
from chatsim.innodb.sql.ddl.declarations import KeyDeclaration, ReferenceDeclaration, TableDeclaration
from chatsim.innodb.sql.expressions import unsupported
from chatsim.innodb.storage.column_types import Binary, Text
from chatsim.innodb.storage.dictionary import Column, IndexDefinition
from chatsim.innodb.storage.tables import ForeignKey, Table

__all__ = [
    "add_foreign_key",
    "check_column_names",
    "check_key_columns",
    "check_keys",
    "complete_keys",
    "index_definition",
]


def check_column_names(columns: Sequence[Column]) -> None:
    """Refuse two columns with the same name."""
    seen: set[str] = set()
    for column in columns:
        if column.name.lower() in seen:
            raise database_error(1060, f"Duplicate column name '{column.name}'")
        seen.add(column.name.lower())


def check_keys(declared: TableDeclaration) -> None:
    """Refuse invalid keys, and an AUTO_INCREMENT column without a key."""
    if sum(key.primary for key in declared.keys) > 1:
        raise database_error(1068, "Multiple primary key defined")
    for key in declared.keys:
        check_key_columns(key, declared.columns)
    for reference in declared.references:
        check_key_columns(KeyDeclaration(reference.name, reference.columns), declared.columns)
    names = [key.name.lower() for key in declared.keys if key.name]
    for at, name in enumerate(names):
        if name in names[:at]:
            shown = [key.name for key in declared.keys if key.name][at]
            raise database_error(1061, f"Duplicate key name '{shown}'")
    numbered = [each.name.lower() for each in declared.columns if each.auto_increment]
    firsts = {key.columns[0].lower() for key in declared.keys}
    if len(numbered) > 1 or not firsts.issuperset(numbered):
        message = "there can be only one auto column and it must be defined as a key"
        raise database_error(1075, f"Incorrect table definition; {message}")


def check_key_columns(key: KeyDeclaration, columns: Sequence[Column]) -> None:
    """Refuse a key with a missing column, with a column twice, or with a column that is too long."""
    known = {column.name.lower(): column for column in columns}
    seen: set[str] = set()
    for name in key.columns:
        column = known.get(name.lower())
        if column is None:
            raise database_error(1072, f"Key column '{name}' doesn't exist in table")
        if name.lower() in seen:
            raise database_error(1060, f"Duplicate column name '{name}'")
        seen.add(name.lower())
        if isinstance(column.type, Text | Binary) and column.type.long:
            message = f"BLOB/TEXT column '{name}' used in key specification without a key length"
            raise database_error(1170, message)


def complete_keys(declared: TableDeclaration) -> None:
    """Give each foreign key an index, and each index a name."""
    keys = declared.keys
    for reference in declared.references:
        wanted = [each.lower() for each in reference.columns]
        if not any([each.lower() for each in key.columns[: len(wanted)]] == wanted for key in keys):
            keys.append(KeyDeclaration(reference.name, list(reference.columns)))
    taken = {key.name.lower() for key in keys if key.name}
    for key in keys:
        if not key.name:
            base, number = key.columns[0], 2
            key.name = base
            while key.name.lower() in taken:
                key.name, number = f"{base}_{number}", number + 1
            taken.add(key.name.lower())


def index_definition(table: Table, key: KeyDeclaration) -> IndexDefinition:
    """The index of a key. The first index of a table is the clustered one."""
    numbers = {column.name.lower(): at for at, column in enumerate(table.columns)}
    columns = tuple(numbers[each.lower()] for each in key.columns)
    if not table.indexes:
        return IndexDefinition(key.name, columns, key.unique, True, columns, table.name, table.hidden)  # noqa: FBT003
    rest = tuple(at for at in table.clustered.definition.columns if at not in columns)
    return IndexDefinition(key.name, columns, key.unique, False, (*columns, *rest), table.name, table.hidden)  # noqa: FBT003


def add_foreign_key(table: Table, reference: ReferenceDeclaration, tables: Mapping[str, Table], name: str) -> None:
    """Give a table a foreign key.

    Args:
        table: the referring table.
        reference: the declaration.
        tables: all tables, by their names in lower case.
        name: the name of the constraint, if the declaration has none.

    Raises:
        DatabaseError: there is no such table or column, or no index on them (1824, 3734, 1822).
        NotImplementedError: the model does not have the rule.
    """
    target = reference.node.this
    parent = table if target.this.name.lower() == table.name.lower() else tables.get(target.this.name.lower())
    if parent is None:
        raise database_error(1824, f"Failed to open the referenced table '{target.this.name}'")
    columns = tuple(table.numbers[each.lower()] for each in reference.columns)
    for each in target.expressions:
        if each.name.lower() not in parent.numbers:
            missing = f"Missing column '{each.name}' for constraint '{reference.name or name}'"
            where = f"in the referenced table '{parent.name}'"
            raise database_error(3734, f"Failed to add the foreign key constraint. {missing} {where}")
    parent_columns = tuple(parent.numbers[each.name.lower()] for each in target.expressions)
    called = reference.name or name
    parent_index = next(
        (each for each in parent.indexes if each.definition.place[: len(columns)] == parent_columns), None
    )
    if parent_index is None:
        missing = f"Missing index for constraint '{called}' in the referenced table '{parent.name}'"
        raise database_error(1822, f"Failed to add the foreign key constraint. {missing}")
    index = next(each for each in table.indexes if each.definition.columns[: len(columns)] == columns)
    rules = {"DELETE": "RESTRICT", "UPDATE": "RESTRICT"}
    for option in reference.node.args.get("options") or ():
        words = str(option).upper().split()
        if words[:1] == ["ON"]:
            rule = " ".join(words[2:])
            rules[words[1]] = "RESTRICT" if rule == "NO ACTION" else rule
    if unknown := set(rules.values()) - {"RESTRICT", "CASCADE", "SET NULL"}:
        raise unsupported(f"rule {unknown.pop()} of a foreign key")
    rule_names = cast("dict[str, Literal['RESTRICT', 'CASCADE', 'SET NULL']]", rules)
    constraint = ForeignKey(
        *(called, table, columns, index, parent, parent_columns, parent_index),
        on_delete=rule_names["DELETE"],
        on_update=rule_names["UPDATE"],
    )
    table.parents.append(constraint)
