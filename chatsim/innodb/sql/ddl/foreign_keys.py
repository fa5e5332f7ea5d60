"""Foreign keys of declared tables, also of those whose parents do not exist: manual, "FOREIGN KEY Constraints"."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from typing import Literal, TypeAlias, cast

from chatsim.db.errors import DatabaseError
from chatsim.db.mysql import database_error
from chatsim.innodb.sql.expressions import Context, unsupported
from chatsim.innodb.sql.syntax import ForeignKeySyntax
from chatsim.innodb.storage.column_types import ColumnType, Integer, Text
from chatsim.innodb.storage.structures import Index
from chatsim.innodb.storage.tables import ForeignKey, OrphanedKey, Table

__all__ = ["Rule", "add_foreign_key", "adopted", "check_orphans", "checks_foreign_keys", "orphaned"]

Rule: TypeAlias = "Literal['RESTRICT', 'CASCADE', 'SET NULL']"


def checks_foreign_keys(context: Context) -> bool:
    """Whether a session checks foreign keys (``foreign_key_checks``)."""
    return bool(context.system_variable("foreign_key_checks"))


def add_foreign_key(table: Table, reference: ForeignKeySyntax, tables: Mapping[str, Table], name: str) -> None:
    """Give a table a foreign key; an orphaned one, if the parent does not exist.

    Args:
        table: the referring table.
        reference: the declaration.
        tables: all tables, by their names.
        name: the name of the constraint, if the declaration has none.

    Raises:
        DatabaseError: the parent has no such column or no index on them, or they are of other types (3734, 1822, 3780).
        NotImplementedError: the model does not have the rule.
    """
    rules = ["RESTRICT" if each == "NO ACTION" else each for each in (reference.on_delete, reference.on_update)]
    if unknown := set(rules) - {"RESTRICT", "CASCADE", "SET NULL"}:
        raise unsupported(f"rule {unknown.pop()} of a foreign key")
    on_delete, on_update = cast("list[Rule]", rules)
    columns = tuple(table.numbers[each.lower()] for each in reference.columns)
    called, names = reference.name or name, tuple(reference.parent_columns)
    wanted = OrphanedKey(called, columns, reference.table, names, on_delete=on_delete, on_update=on_update)
    parent = table if reference.table == table.name else tables.get(reference.table)
    if parent is None:
        table.orphaned.append(wanted)
    else:
        table.parents.append(_with_parent(table, wanted, parent))


def _with_parent(table: Table, wanted: OrphanedKey, parent: Table) -> ForeignKey:
    """The foreign key with its parent. Raises as `add_foreign_key` does."""
    names = wanted.parent_columns or tuple(
        parent.columns[at].name for at in parent.clustered.definition.columns if at != parent.hidden
    )
    for each in names:
        if each.lower() not in parent.numbers:
            missing = f"Missing column '{each}' for constraint '{wanted.name}'"
            where = f"in the referenced table '{parent.name}'"
            raise database_error(3734, f"Failed to add the foreign key constraint. {missing} {where}")
    parent_columns = tuple(parent.numbers[each.lower()] for each in names)
    for at, of_parent in zip(wanted.columns, parent_columns, strict=True):
        own, other = table.columns[at], parent.columns[of_parent]
        if not _are_compatible(own.type, other.type):
            raise database_error(
                3780,
                f"Referencing column '{own.name}' and referenced column '{other.name}' in foreign key constraint"
                f" '{wanted.name}' are incompatible.",
            )
    parent_index = _index_on(parent.indexes, parent_columns)
    if parent_index is None:
        missing = f"Missing index for constraint '{wanted.name}' in the referenced table '{parent.name}'"
        raise database_error(1822, f"Failed to add the foreign key constraint. {missing}")
    index = _index_on(table.indexes, wanted.columns)
    assert index is not None
    return ForeignKey(
        *(wanted.name, table, wanted.columns, index, parent, parent_columns, parent_index),
        on_delete=wanted.on_delete,
        on_update=wanted.on_update,
    )


def _are_compatible(own: ColumnType, other: ColumnType) -> bool:
    """Whether a column may refer to another one: integers of the same size, texts of the same collation."""
    if isinstance(own, Text) and isinstance(other, Text):
        return own.collation == other.collation
    return own == other if isinstance(own, Integer) else type(own) is type(other)


def _index_on(indexes: Sequence[Index], columns: tuple[int, ...]) -> Index | None:
    """The first index that begins with whole columns."""
    return next(
        (each for each in indexes if each.definition.place[: len(columns)] == columns and _has(each, columns)),
        None,
    )


def _has(index: Index, columns: tuple[int, ...]) -> bool:
    """Whether an index has whole columns of each row."""
    return index.definition.has(columns) and index.definition.array is None


def check_orphans(table: Table, context: Context, *, known: Container[str] = ()) -> None:
    """Refuse a new foreign key without a parent, if the session checks them. Raises a `DatabaseError` (1824).

    Args:
        table: the new table.
        context: the session.
        known: the names of the foreign keys without parents that there were before.
    """
    missing = next((each for each in table.orphaned if each.name not in known), None)
    if missing is not None and checks_foreign_keys(context):
        raise database_error(1824, f"Failed to open the referenced table '{missing.parent}'")


def adopted(parent: Table, name: str, tables: Iterable[Table]) -> Callable[[], None]:
    """What gives a new table, or a new name of one, the children that wait for a parent of that name.

    Raises:
        DatabaseError: it can't be the parent of one of them (1215).
    """
    pairs = [(child, orphan) for child in tables for orphan in child.orphaned if orphan.parent == name]
    try:
        found = [_with_parent(child, orphan, parent) for child, orphan in pairs]
    except DatabaseError as error:
        raise database_error(1215, "Cannot add foreign key constraint") from error

    def adopt() -> None:
        for (child, orphan), constraint in zip(pairs, found, strict=True):
            child.orphaned.remove(orphan)
            child.parents.append(constraint)
            parent.children.append(constraint)

    return adopt


def orphaned(constraint: ForeignKey) -> None:
    """Take the parent of a foreign key away; the child keeps the declaration."""
    names = tuple(constraint.parent.columns[at].name for at in constraint.parent_columns)
    constraint.child.parents.remove(constraint)
    constraint.child.orphaned.append(
        OrphanedKey(
            *(constraint.name, constraint.columns, constraint.parent.name, names),
            on_delete=constraint.on_delete,
            on_update=constraint.on_update,
        )
    )
