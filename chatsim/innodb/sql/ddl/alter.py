"""ALTER TABLE, CREATE INDEX and DROP INDEX (manual, "ALTER TABLE Statement", "Online DDL Operations").

The changed declaration becomes a new table. Where the columns and the primary key stay as they are, indexes are added
to the old one or taken away from it; otherwise its rows are copied, in the order of the old primary key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from chatsim.db.mysql import database_error
from chatsim.innodb.sql.ddl import partition_changes  # noqa: F401 - it registers its action
from chatsim.innodb.sql.ddl.algorithms import TableChange, check_algorithm
from chatsim.innodb.sql.ddl.declaration_changes import Edited, edit
from chatsim.innodb.sql.ddl.foreign_keys import check_orphans, checks_foreign_keys
from chatsim.innodb.sql.ddl.tables import declared_table, enter
from chatsim.innodb.sql.expressions import Context
from chatsim.innodb.storage.column_types import BadValueError
from chatsim.innodb.storage.dictionary import Column
from chatsim.innodb.storage.pages import fill_pages
from chatsim.innodb.storage.statistics import Statistics
from chatsim.innodb.storage.structures import Index
from chatsim.innodb.storage.tables import ForeignKey, Table
from chatsim.innodb.storage.values import Value

__all__ = ["Alteration", "alter_table"]


@dataclass
class Alteration:
    """A change of a table that has been checked.

    Attributes:
        change: makes the change.
        copies: whether older read views can't read the table afterwards.
        affected: how many rows the server says it has copied.
        rename: the new name of the table, or "".
    """

    change: Callable[[], None]
    copies: bool
    affected: int = 0
    rename: str = ""


def alter_table(
    table: Table,
    actions: Sequence[object],
    options: Mapping[str, str],
    tables: Mapping[str, Table],
    context: Context,
) -> Alteration:
    """ALTER TABLE.

    Args:
        table: the table.
        actions: what to do, see `chatsim.innodb.sql.syntax`.
        options: its table options.
        tables: all tables, by their names.
        context: the session, for defaults.

    Raises:
        NotImplementedError: the model can't do it.
        DatabaseError: it is not possible.
    """
    edited = edit(table, actions, options)
    fresh = declared_table(table.name, edited.declared, tables, context)
    check_orphans(fresh, context, known={each.name for each in table.orphaned})
    fresh.next_number = table.next_number
    sources = _sources(table, fresh, edited)
    changed = TableChange(table, fresh, sources, edited, actions, options)
    found = changed.obstacle(strict=context.strict, checks_references=checks_foreign_keys(context))
    check_algorithm(changed, found)
    copies = options.get("ALGORITHM", "").upper() == "COPY"
    if (
        not copies
        and found is None
        and table.partitioning is fresh.partitioning is None
        and _same_rows(table, fresh, sources)
    ):
        indexes = _with_old_ones(table, fresh)
        affected = 0
    else:
        counts = copies or edited.counts_rows or found is not None
        _copy_rows(table, fresh, sources, context, edited.emptied, one_by_one=counts)
        indexes, copies = fresh.indexes, True
        fresh.next_number = max(fresh.next_number, _next_number(fresh, indexes[0]))
        affected = len(table.clustered) if counts else 0
    if edited.checks_rows:
        _check_rows(fresh, indexes[0])
    if (number := options.get("AUTO_INCREMENT")) is not None:
        fresh.next_number = max(int(number), _next_number(fresh, indexes[0]))
    others = [each for each in table.children if each.child is not table]
    children = [(each, _with_parent(each, table, fresh, indexes)) for each in others]

    def change() -> None:
        for old in table.parents:
            old.parent.children.remove(old)
        table.indexes[:] = indexes
        table.columns = fresh.columns
        table.hidden, table.declared = fresh.hidden, fresh.declared
        table.expressions, table.arrays = fresh.expressions, fresh.arrays
        table.partitioning = fresh.partitioning
        table.checks, table.next_number = fresh.checks, fresh.next_number
        table.renumber()
        if copies:
            table.statistics = Statistics()
            table.statistics.recount(indexes[0], fresh.partitions)
        own = [
            replace(
                each,
                child=table,
                parent=table if each.parent is fresh else each.parent,
                index=_same_index(indexes, each.index),
                parent_index=_same_index(indexes, each.parent_index) if each.parent is fresh else each.parent_index,
            )
            for each in fresh.parents
        ]
        table.parents, table.orphaned = own, fresh.orphaned
        for each in own:
            each.parent.children.append(each)
        for old, new in children:
            table.children[table.children.index(old)] = new
            new.child.parents[new.child.parents.index(old)] = new

    return Alteration(change, copies, affected, edited.rename)


def _sources(table: Table, fresh: Table, edited: Edited) -> list[int | None]:
    """For each new column the number of the old one; None for an added one."""
    found: list[int | None] = []
    for column in fresh.columns:
        if column.hidden:
            found.append(None)
        else:
            old = edited.sources.get(column.name.lower(), "")
            found.append(table.numbers.get(old))
    if fresh.hidden is not None:
        found[fresh.hidden] = table.hidden
    return found


def _same_rows(table: Table, fresh: Table, sources: Sequence[int | None]) -> bool:
    """Whether the rows stay as they are: the columns and the clustered index do."""
    if len(table.columns) != len(fresh.columns):
        return False
    kept = all(
        source == at or (fresh.columns[at].hidden and table.columns[at].hidden) for at, source in enumerate(sources)
    )
    alike = (
        old.type == new.type and old.nullable <= new.nullable and old.auto_increment == new.auto_increment
        for old, new in zip(table.columns, fresh.columns, strict=True)
    )
    return kept and all(alike) and _is_like(table.clustered, fresh.clustered)


def _is_like(one: Index, other: Index) -> bool:
    """Whether two indexes have the same entries."""
    names = {"name": "", "visible": True}
    return replace(one.definition, **names) == replace(other.definition, **names)  # type: ignore[arg-type]


def _with_old_ones(table: Table, fresh: Table) -> list[Index]:
    """The new table's indexes, with the entries that the old table's have; the others are filled."""
    found = [table.clustered]
    left = list(table.secondary)
    for new in fresh.secondary:
        old = next((each for each in left if _is_like(each, new)), None)
        if old is not None:
            left.remove(old)
            old.definition = new.definition
            found.append(old)
            continue
        for record in table.clustered:
            if not record.deleted:
                enter(table, new, record.row)
        fill_pages(new)
        found.append(new)
    return found


def _copy_rows(
    table: Table,
    fresh: Table,
    sources: Sequence[int | None],
    context: Context,
    emptied: frozenset[str],
    *,
    one_by_one: bool,
) -> None:
    """Fill a new table with the rows of the old one, but those of emptied partitions.

    ``one_by_one`` is how the server copies them: then it says which row has NULL where none is allowed.

    Raises:
        DatabaseError: a row does not fit.
    """
    number = 0
    for record in table.clustered:
        if record.deleted:
            continue
        if emptied and table.partitioning and table.partitioning.home(record.row).name.lower() in emptied:
            continue
        number += 1
        row = [_converted(fresh, at, source, record.row, number, context=context) for at, source in enumerate(sources)]
        _replace_nulls(fresh, row, number, context, one_by_one=one_by_one)
        fresh.generate(row)
        for index in fresh.home(row).indexes:
            enter(fresh, index, tuple(row))
    for home in fresh.partitioning.partitions if fresh.partitioning else [fresh]:
        for index in home.indexes:
            fill_pages(index)


def _replace_nulls(fresh: Table, row: list[Value], number: int, context: Context, *, one_by_one: bool) -> None:
    """Replace NULL in a row where the new table allows none. See `_copy_rows`.

    Raises:
        DatabaseError: the mode is strict, or the rows are not copied one by one.
    """
    for at, column in enumerate(fresh.columns):
        if row[at] is not None or column.nullable or column.generated is not None:
            continue
        if not one_by_one:
            raise database_error(1138, "Invalid use of NULL value")
        message = f"Data truncated for column '{column.name}' at row {number}"
        if context.strict:
            raise database_error(1265, message)
        context.note(1265, message)
        row[at] = column.type.zero


def _converted(
    fresh: Table, at: int, source: int | None, old: Sequence[Value], number: int, *, context: Context
) -> Value:
    """The value of a column of the new table, for the ``number``-th row of the old one."""
    column = fresh.columns[at]
    if at == fresh.hidden or (source is None and column.auto_increment):
        return _numbered(fresh, at)
    if column.generated is not None:
        return None
    if source is None:
        return _given_at_once(column, context)
    value = old[source]
    if value is None:
        return None
    try:
        return column.type.store(value)
    except BadValueError as error:
        if error.harmless:
            return error.kept
        raise database_error(error.errno, error.message(fresh.name, column.name, number)) from error


def _numbered(fresh: Table, at: int) -> int:
    """The next row id or the next AUTO_INCREMENT value."""
    if at == fresh.hidden:
        fresh.next_row_id += 1
        return fresh.next_row_id - 1
    fresh.next_number += 1
    return fresh.next_number - 1


def _given_at_once(column: Column, context: Context) -> Value:
    """The value of an existing row in a new column."""
    if not column.has_default:
        return column.type.zero
    return column.default(context) if callable(column.default) else column.default


def _check_rows(fresh: Table, clustered: Index) -> None:
    """Check that all rows satisfy the CHECK constraints. Raises a `DatabaseError` (3819)."""
    for record in clustered:
        for name, holds in fresh.checks.items():
            if not record.deleted and not holds(record.row):
                raise database_error(3819, f"Check constraint '{name}' is violated.")


def _next_number(fresh: Table, clustered: Index) -> int:
    """The least AUTO_INCREMENT value that is greater than all in the table."""
    if fresh.auto is None:
        return 1
    numbers = [record.row[fresh.auto] for record in clustered if not record.deleted]
    return max((each for each in numbers if isinstance(each, int)), default=0) + 1


def _same_index(indexes: Iterable[Index], wanted: Index) -> Index:
    return next(each for each in indexes if each.definition == wanted.definition)


def _with_parent(old: ForeignKey, table: Table, fresh: Table, indexes: Sequence[Index]) -> ForeignKey:
    """A foreign key of another table after the change of its parent. Raises a `DatabaseError` if it needs more."""
    names = [table.columns[at].name for at in old.parent_columns]
    if missing := [each for each in names if each.lower() not in fresh.numbers]:
        message = f"needed in a foreign key constraint '{old.name}' of table '{old.child.name}'"
        raise database_error(1829, f"Cannot drop column '{missing[0]}': {message}")
    columns = tuple(fresh.numbers[each.lower()] for each in names)
    index = next((each for each in indexes if each.definition.place[: len(columns)] == columns), None)
    if index is None or index.definition.array is not None:
        dropped = old.parent_index.definition.name
        raise database_error(1553, f"Cannot drop index '{dropped}': needed in a foreign key constraint")
    return replace(old, parent_columns=columns, parent_index=index)
