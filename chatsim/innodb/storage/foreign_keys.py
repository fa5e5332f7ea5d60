"""Foreign keys: a row needs its parents; a parent that is deleted or changed needs a decision about its children.

A statement checks them before it writes a row: the parents of a new row, the children of a row that is to be deleted or
changed. MySQL 9.7 does so in its SQL layer, by ordinary locking reads of one index each; in older servers the storage
engine did it, between one index entry and the next.

Source: MySQL manual, "FOREIGN KEY Constraints"; docs/fidelity.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TypeAlias

from chatsim.db.deadlock import Mode
from chatsim.db.errors import DatabaseError
from chatsim.db.mysql import database_error
from chatsim.innodb.storage.rows import DuplicateError, RowOperations
from chatsim.innodb.storage.scan import AccessPath, Hit, Range, Reading, Scan
from chatsim.innodb.storage.structures import Index, Record
from chatsim.innodb.storage.tables import ForeignKey, OrphanedKey, Table
from chatsim.innodb.storage.values import Key, Value, as_text

__all__ = ["apply_to_children", "check_parents"]

_DEEPEST = 15
"""The number of steps from which a cascade is refused."""


async def check_parents(
    rows: RowOperations,
    table: Table,
    row: Sequence[Value],
    before: Sequence[Value] | None = None,
    *,
    except_for: ForeignKey | None = None,
) -> None:
    """Check that a new row has its parents, and lock them.

    Args:
        rows: what the transaction locks with.
        table: the table of the row.
        row: the new row.
        before: the row as it is now; None if it is inserted.
        except_for: a constraint that is not checked: its parent's new key, which the row has, is yet to be written.

    Raises:
        DatabaseError: there is no such parent (1452), or the wait for it failed.
    """
    if not rows.checks_foreign_keys:
        return
    for constraint in sorted(table.parents, key=lambda each: each.name):
        values = _of(row, constraint.columns)
        if (
            constraint is except_for
            or None in values
            or (before is not None and values == _of(before, constraint.columns))
        ):
            continue
        key = _key(constraint.parent, constraint.parent_columns, values)
        if before is None and constraint.parent is table and key == _key_of(table, constraint.parent_columns, row):
            continue  # a new row may be its own parent
        scan = await _search(rows, constraint.parent, constraint.parent_index, key, "S")
        if await scan.next() is None:
            raise _no_parent(_described(constraint))
    for orphan in table.orphaned:
        if None not in _of(row, orphan.columns):  # the server refuses every change of such a row
            raise _no_parent(_described_orphan(table, orphan))


async def apply_to_children(
    rows: RowOperations, table: Table, old: Sequence[Value], new: Sequence[Value] | None, *, deleted: bool = False
) -> bool:
    """Apply ON DELETE and ON UPDATE to the children of a row; or check that there are none (RESTRICT).

    In MySQL it is no error when a cascade waits too long for one of the row's own children: the row stays as it is,
    the statement goes on, and the children that the cascade changed before stay changed.

    Args:
        rows: what the transaction locks with.
        table: the table of the row.
        old: the row as it is.
        new: the row as it will be; None if it is deleted.
        deleted: it is deleted even though there is a ``new`` one, which replaces it.

    Returns:
        Whether the row is to be written.

    Raises:
        DatabaseError: there is a child and the rule is RESTRICT (1451), or a child can't be changed.
    """
    if not rows.checks_foreign_keys:
        return True
    try:
        await _Cascade(rows).apply(table, old, new, deleted=deleted or new is None)
    except _TimeoutError:
        return False
    return True


class _TimeoutError(Exception):
    """A cascade has waited too long for a child of its first row."""


class _Cascade:
    """The changes of children that the change of one row causes.

    Args:
        rows: what the transaction locks with.
    """

    def __init__(self, rows: RowOperations) -> None:
        self._rows = rows
        self._depth = 0

    async def apply(self, table: Table, old: Sequence[Value], new: Sequence[Value] | None, *, deleted: bool) -> None:
        """Apply the rules to the children of a row, in the order in which the constraints were made."""
        self._depth += 1
        for constraint in table.children:
            values = _of(old, constraint.parent_columns)
            after = None if new is None else _of(new, constraint.parent_columns)
            if None in values or values == after:
                continue
            rule = constraint.on_delete if deleted else constraint.on_update
            if rule == "RESTRICT":
                await self._refuse(constraint, values)
            else:
                await self._follow(constraint, values, after if rule == "CASCADE" else None, deleted=deleted)
        self._depth -= 1

    async def _refuse(self, constraint: ForeignKey, values: Sequence[Value]) -> None:
        key = _key(constraint.child, constraint.columns, values)
        scan = await _search(self._rows, constraint.child, constraint.index, key, "S")
        if await scan.next() is not None:
            raise _still_referred_to(constraint)

    async def _follow(
        self, constraint: ForeignKey, values: Sequence[Value], key: Sequence[Value] | None, *, deleted: bool
    ) -> None:
        """Change the children of a key, one by one: each is written first, then its own parents and children."""
        rows, child = self._rows, constraint.child
        scan = await _search(rows, child, constraint.index, _key(child, constraint.columns, values), "X")
        while (hit := await self._next(scan)) is not None:
            if self._depth == _DEEPEST:
                raise database_error(3008, f"Foreign key cascade delete/update exceeds max depth of {_DEEPEST}.")
            if deleted and constraint.on_delete == "CASCADE":
                with self._time_limit():
                    await rows.delete(child, hit.record)
                await self.apply(child, hit.row, None, deleted=True)
            elif not deleted and child is constraint.parent:
                raise _still_referred_to(constraint)  # an update does not cascade within a table
            else:
                await self._change(constraint, hit.record, hit.row, key)

    async def _next(self, scan: Scan) -> Hit | None:
        with self._time_limit():
            return await scan.next()

    @contextmanager
    def _time_limit(self) -> Iterator[None]:
        """A wait for the first row's own children, or for room to write them, that times out ends the cascade only."""
        try:
            yield
        except DatabaseError as error:
            if self._depth == 1 and error.errno == 1205:
                raise _TimeoutError from error
            raise

    async def _change(
        self, constraint: ForeignKey, record: Record, old: Sequence[Value], key: Sequence[Value] | None
    ) -> None:
        """Give a child another key, or NULL."""
        rows, child = self._rows, constraint.child
        row = list(old)
        for at, value in zip(constraint.columns, key or [None] * len(constraint.columns), strict=True):
            row[at] = value
        child.generate(row)
        try:
            with self._time_limit():
                await rows.update(child, record, tuple(row))
        except DuplicateError as duplicate:
            raise _duplicate(constraint, key or (), duplicate) from duplicate
        await check_parents(rows, child, row, old, except_for=constraint)
        await self.apply(child, old, row, deleted=False)


async def _search(rows: RowOperations, table: Table, index: Index, key: Key, mode: Mode) -> Scan:
    """A locking read of the records of an index that begin with a key."""
    await rows.lock_table(table, "IS" if mode == "S" else "IX")
    key = index.own_key(key)
    path = AccessPath(table, index, (Range(key, key, exact=True),), covering=True, access="ref")
    return Scan(rows, path, Reading(mode))


def _key(table: Table, columns: Sequence[int], values: Sequence[Value]) -> Key:
    return tuple(table.order(at, value) for at, value in zip(columns, values, strict=True))


def _key_of(table: Table, columns: Sequence[int], row: Sequence[Value]) -> Key:
    return _key(table, columns, _of(row, columns))


def _of(row: Sequence[Value], columns: Sequence[int]) -> list[Value]:
    return [row[at] for at in columns]


def _still_referred_to(constraint: ForeignKey) -> DatabaseError:
    return database_error(
        1451, f"Cannot delete or update a parent row: a foreign key constraint fails ({_described(constraint)})"
    )


def _duplicate(constraint: ForeignKey, values: Sequence[Value], duplicate: DuplicateError) -> DatabaseError:
    record = "-".join("NULL" if value is None else as_text(value) for value in values)
    return database_error(
        1761,
        f"Foreign key constraint for table '{constraint.parent.name}', record '{record}' would lead to a duplicate"
        f" entry in table '{duplicate.table.name}', key '{duplicate.index.definition.name}'",
    )


def _no_parent(described: str) -> DatabaseError:
    return database_error(1452, f"Cannot add or update a child row: a foreign key constraint fails ({described})")


def _described_orphan(table: Table, orphan: OrphanedKey) -> str:
    names = [table.columns[at].name for at in orphan.columns]
    return _declared((table.name, names), orphan.name, (orphan.parent, orphan.parent_columns), _rules(orphan))


def _described(constraint: ForeignKey) -> str:
    child, parent = constraint.child, constraint.parent
    own = [child.columns[at].name for at in constraint.columns]
    others = [parent.columns[at].name for at in constraint.parent_columns]
    return _declared((child.name, own), constraint.name, (parent.name, others), _rules(constraint))


def _rules(constraint: ForeignKey | OrphanedKey) -> dict[str, str]:
    return {"DELETE": constraint.on_delete, "UPDATE": constraint.on_update}


_Place: TypeAlias = "tuple[str, Sequence[str]]"
"""The name of a table, and those of some of its columns."""


def _declared(child: _Place, name: str, parent: _Place, rules: Mapping[str, str]) -> str:
    """A constraint as messages show it."""

    def quoted(names: Sequence[str]) -> str:
        return ", ".join(f"`{each}`" for each in names)

    return (
        f"`{child[0]}`, CONSTRAINT `{name}` FOREIGN KEY ({quoted(child[1])})"
        f" REFERENCES `{parent[0]}` ({quoted(parent[1])})"
        + "".join(f" ON {event} {rule}" for event, rule in rules.items() if rule != "RESTRICT")
    )
