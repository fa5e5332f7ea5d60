"""Checking and creating the keys of a declared table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from sqlglot import exp

from chatsim.db.mysql import database_error
from chatsim.innodb.sql.ddl.declarations import TableDeclaration, plain_key
from chatsim.innodb.sql.syntax import CheckSyntax, Item, KeyPart, KeySyntax
from chatsim.innodb.storage.column_types import Binary, ColumnType, Json, Text, TypedArray
from chatsim.innodb.storage.dictionary import Column, IndexDefinition
from chatsim.innodb.storage.tables import Table

__all__ = [
    "check_column_names",
    "check_key_columns",
    "check_keys",
    "complete_keys",
    "index_definition",
    "named_checks",
]

_MOST_BYTES = 3072


def check_column_names(columns: Sequence[Column]) -> None:
    """Refuse two columns with the same name."""
    seen: set[str] = set()
    for column in columns:
        if column.name.lower() in seen:
            raise database_error(1060, f"Duplicate column name '{column.name}'")
        seen.add(column.name.lower())


def check_keys(declared: TableDeclaration) -> None:
    """Refuse invalid keys, and an AUTO_INCREMENT column without a key."""
    if sum(key.kind == "PRIMARY" for key in declared.keys) > 1:
        raise database_error(1068, "Multiple primary key defined")
    for key in declared.keys:
        check_key_columns(key, declared.columns)
    for reference in declared.references:
        check_key_columns(plain_key("INDEX", reference.name, *reference.columns), declared.columns)
    names = [key.name.lower() for key in declared.keys if key.name]
    for at, name in enumerate(names):
        if name in names[:at]:
            shown = [key.name for key in declared.keys if key.name][at]
            raise database_error(1061, f"Duplicate key name '{shown}'")
    numbered = [each.name.lower() for each in declared.columns if each.auto_increment]
    firsts = {key.parts[0].column.lower() for key in declared.keys}
    if len(numbered) > 1 or not firsts.issuperset(numbered):
        message = "there can be only one auto column and it must be defined as a key"
        raise database_error(1075, f"Incorrect table definition; {message}")


def check_key_columns(key: KeySyntax, columns: Sequence[Column]) -> None:
    """Refuse a key with a missing column, with a column twice, or with a column that is too long."""
    known = {column.name.lower(): column for column in columns if not column.hidden}
    seen: set[str] = set()
    total = 0
    _check_arrays(key)
    for part in key.parts:
        if part.expression is not None:
            if key.kind == "PRIMARY":
                raise database_error(3756, "The primary key cannot be a functional index")
            continue
        column = known.get(part.column.lower())
        if column is None:
            raise database_error(1072, f"Key column '{part.column}' doesn't exist in table")
        if part.column.lower() in seen:
            raise database_error(1060, f"Duplicate column name '{part.column}'")
        seen.add(part.column.lower())
        if key.kind != "FULLTEXT":
            total += _checked_size(part, column.type)
    if total > _MOST_BYTES:
        raise database_error(1071, f"Specified key was too long; max key length is {_MOST_BYTES} bytes")


def is_array(part: KeyPart) -> bool:
    """Whether a key part is multi-valued."""
    node = part.expression.unnest() if part.expression is not None else None
    return isinstance(node, exp.Cast) and node.to.this is exp.DataType.Type.ARRAY


def _check_arrays(key: KeySyntax) -> None:
    """Refuse a second multi-valued part of a key (1235), and one in descending order (1221)."""
    arrays = [part for part in key.parts if is_array(part)]
    if len(arrays) > 1:
        message = "This version of MySQL doesn't yet support 'more than one multi-valued key part per index'"
        raise database_error(1235, message)
    if any(part.descending for part in arrays):
        raise database_error(1221, "Incorrect usage of multi-valued index and explicit index order")


def _checked_size(part: KeyPart, kind: ColumnType) -> int:
    """The bytes of a key part. Raises a `DatabaseError` if it can't be one."""
    if isinstance(kind, Json):
        message = f"JSON column '{part.column}' supports indexing only via generated columns on a specified JSON path."
        raise database_error(3152, message)
    texts = isinstance(kind, Text | Binary)
    if part.length and (not texts or part.length > kind.length):  # type: ignore[attr-defined]
        message = "Incorrect prefix key; the used key part isn't a string, the used length is longer than the key part"
        raise database_error(1089, f"{message}, or the storage engine doesn't support unique prefix keys")
    if texts and kind.long and not part.length:  # type: ignore[attr-defined]
        message = f"BLOB/TEXT column '{part.column}' used in key specification without a key length"
        raise database_error(1170, message)
    if part.length:
        return replace(kind, length=part.length).key_size  # type: ignore[call-arg]
    return kind.key_size


def complete_keys(declared: TableDeclaration) -> None:
    """Give each foreign key an index, and each index a name."""
    keys = declared.keys
    made: list[KeySyntax] = []
    for reference in declared.references:
        wanted = [each.lower() for each in reference.columns]
        own = plain_key("INDEX", reference.name or reference.index, *reference.columns)
        if any(_begins_with(key, wanted) for key in keys):
            continue
        if any(_begins_with(key, wanted) and len(key.parts) > len(wanted) for key in made):
            continue
        made = [key for key in made if not _begins_with(own, [part.column.lower() for part in key.parts])] + [own]
    keys += made
    taken = {key.name.lower() for key in keys if key.name}
    for at, key in enumerate(keys):
        if not key.name:
            base, number = key.parts[0].column or "functional_index", 2
            name = base
            while name.lower() in taken or name.lower() == "primary":
                name, number = f"{base}_{number}", number + 1
            taken.add(name.lower())
            keys[at] = replace(key, name=name)


def _begins_with(key: KeySyntax, columns: Sequence[str]) -> bool:
    """Whether a key begins with whole columns."""
    parts = key.parts[: len(columns)]
    if any(map(is_array, key.parts)):
        return False
    return key.kind != "FULLTEXT" and [each.column.lower() for each in parts if not each.length] == list(columns)


def index_definition(table: Table, key: KeySyntax, numbers: Sequence[int]) -> IndexDefinition:
    """The index of a key, of the columns with these numbers. The first index of a table is the clustered one."""
    lengths = tuple(each.length for each in key.parts)
    unique = key.kind in ("PRIMARY", "UNIQUE")
    down = tuple(each.descending for each in key.parts)
    place = tuple(numbers)
    if table.indexes:
        first = table.clustered.definition
        for at, column in enumerate(first.columns):
            length = first.lengths[at] if first.lengths else 0
            if any(each == column and lengths[i] in (0, length) for i, each in enumerate(numbers)):
                continue
            place, lengths, down = (*place, column), (*lengths, length), (*down, column in first.descending)
    return IndexDefinition(
        *(key.name, tuple(numbers), unique, not table.indexes, place, table.name, table.hidden),
        lengths=lengths if any(lengths) else (),
        descending=frozenset(column for column, falls in zip(place, down, strict=True) if falls),
        visible=key.visible,
        array=next((each for each in numbers if isinstance(table.columns[each].type, TypedArray)), None),
    )


def named_checks(table: str, items: Iterable[Item]) -> dict[str, CheckSyntax]:
    """The CHECK constraints among the items of a table, by their names; the others are numbered."""
    found: dict[str, CheckSyntax] = {}
    numbers = 0
    for each in items:
        if isinstance(each, CheckSyntax):
            numbers += not each.name
            found[each.name or f"{table}_chk_{numbers}"] = each
    return found
