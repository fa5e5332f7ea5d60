"""ALGORITHM and LOCK: which change of a table can be made at once, which in place, and which needs a copy of it.

Sources: manual, "Online DDL Operations", "Online DDL Limitations"; in the server,
``ha_innobase::check_if_supported_inplace_alter``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chatsim.db.errors import DatabaseError
from chatsim.db.mysql import database_error
from chatsim.innodb.sql import syntax
from chatsim.innodb.sql.ddl.declaration_changes import Edited
from chatsim.innodb.storage.column_types import ColumnType, Enumeration, MemberSet, Text, TypedArray
from chatsim.innodb.storage.tables import Table

__all__ = ["Obstacle", "TableChange", "check_algorithm"]

_ALGORITHMS = ("DEFAULT", "COPY", "INPLACE", "INSTANT")
_LOCKS = ("DEFAULT", "NONE", "SHARED", "EXCLUSIVE")

_AT_ONCE = (
    *(syntax.AddColumn, syntax.ChangeColumn, syntax.DropColumn, syntax.RenameColumn, syntax.SetDefault),
    *(syntax.RenameTable, syntax.SetVisible, syntax.DropItem),
)
"""The actions that may change nothing but the definition."""


@dataclass(frozen=True)
class Obstacle:
    """Why a change needs a copy of the table.

    Attributes:
        reason: what the server says if it is to be made in place; "" if it says nothing.
        at_once: what it says if it is to be made at once.
    """

    reason: str = ""
    at_once: str = ""


_TYPE = Obstacle("Cannot change column type INPLACE", "Need to rebuild the table to change column type")
_NULLS = Obstacle(*["cannot silently convert NULL values, as required in this SQL_MODE"] * 2)
_NO_KEY = Obstacle(*["Dropping a primary key is not allowed without also adding a new primary key"] * 2)
_REFERENCE = Obstacle(*["Adding foreign keys needs foreign_key_checks=OFF"] * 2)


@dataclass(frozen=True)
class TableChange:
    """What an ALTER TABLE makes of a table.

    Attributes:
        table: the table.
        fresh: the table with the changed declaration.
        sources: for each new column the number of the old one; None for an added one.
        edited: the changed declaration.
        actions: what the statement does.
        options: its options.
    """

    table: Table
    fresh: Table
    sources: Sequence[int | None]
    edited: Edited
    actions: Sequence[object]
    options: Mapping[str, str]

    def obstacle(self, *, strict: bool, checks_references: bool) -> Obstacle | None:
        """Why it needs a copy of the table, row by row; None if it does not.

        Args:
            strict: whether the mode is strict.
            checks_references: whether the session checks foreign keys.
        """
        if self.edited.checks_rows or self._has_new_array:
            return Obstacle()
        for at, source in enumerate(self.sources):
            new = self.fresh.columns[at]
            if source is None or at == self.fresh.hidden:
                if not new.hidden and self.edited.is_computed(new.name):
                    return Obstacle()
                continue
            old = self.table.columns[source]
            if not _grows(old.type, new.type) or old.auto_increment != new.auto_increment:
                return _TYPE
            if old.nullable > new.nullable and not strict:
                return _NULLS
        if self.table.hidden is None and self.fresh.hidden is not None:
            return _NO_KEY
        return _REFERENCE if checks_references and self.edited.adds_reference else None

    @property
    def _has_new_array(self) -> bool:
        """Whether there is a multi-valued index with a new name."""
        old, new = (
            {each.type.index for each in of.columns if isinstance(each.type, TypedArray)}
            for of in (self.table, self.fresh)
        )
        return bool(new - old)

    def is_instant(self) -> bool:
        """Whether it changes nothing but the definition, if it needs no copy."""
        if not self.actions or set(self.options) - {"ALGORITHM", "LOCK"}:
            return False
        if not all(isinstance(each, _AT_ONCE) and _may_be_instant(each, self.table) for each in self.actions):
            return False
        return len(self.table.indexes) == len(self.fresh.indexes) and all(map(self._is_kept, range(len(self.sources))))

    def _is_kept(self, at: int) -> bool:
        """Whether the values of a column stay as they are, or are added without a number for each row."""
        source, new = self.sources[at], self.fresh.columns[at]
        if source is None:
            return not new.auto_increment
        old = self.table.columns[source]
        return old.nullable == new.nullable and (old.type == new.type or _has_more_members(old.type, new.type))


def check_algorithm(change: TableChange, found: Obstacle | None) -> None:
    """Check whether a change can be made by the ALGORITHM, and under the LOCK, that the statement names.

    Args:
        change: the change.
        found: why it needs a copy of the table.

    Raises:
        DatabaseError: it can't (1845, 1846), or they do not go together (1221), or are unknown (1800, 1801).
    """
    algorithm, lock = _named(change.options)
    if any(isinstance(each, syntax.ChangePartitions) for each in change.actions):
        return
    if algorithm == "INSTANT" and not (found is None and change.is_instant()):
        raise _refused("ALGORITHM=INSTANT", found.at_once if found else "", "ALGORITHM=COPY/INPLACE")
    if algorithm == "INPLACE" and found is not None:
        raise _refused("ALGORITHM=INPLACE", found.reason, "ALGORITHM=COPY")
    if lock == "NONE":
        _check_unlocked(change, found, copies=algorithm == "COPY" or change.edited.checks_rows)


def _named(options: Mapping[str, str]) -> tuple[str, str]:
    """The ALGORITHM and the LOCK that a statement names. Raises a `DatabaseError`."""
    algorithm, lock = (options.get(name, "DEFAULT").upper() for name in ("ALGORITHM", "LOCK"))
    if algorithm not in _ALGORITHMS:
        raise database_error(1800, f"Unknown ALGORITHM '{algorithm}'")
    if lock not in _LOCKS:
        raise database_error(1801, f"Unknown LOCK type '{lock}'")
    if algorithm == "INSTANT" and lock != "DEFAULT":
        raise database_error(1221, "Incorrect usage of ALGORITHM=INSTANT and LOCK=NONE/SHARED/EXCLUSIVE")
    return algorithm, lock


def _check_unlocked(change: TableChange, found: Obstacle | None, *, copies: bool) -> None:
    """Check whether others may write while a change is made. Raises a `DatabaseError`."""
    reason = _needs_lock(change.actions)
    if copies:
        reason = "COPY algorithm requires a lock"
    elif found is not None:
        reason = found.reason
    if reason is not None:
        raise _refused("LOCK=NONE", reason, "LOCK=SHARED")


def _refused(what: str, reason: str, other: str) -> DatabaseError:
    if reason:
        return database_error(1846, f"{what} is not supported. Reason: {reason}. Try {other}.")
    return database_error(1845, f"{what} is not supported for this operation. Try {other}.")


def _needs_lock(actions: Sequence[object]) -> str | None:
    """Why nobody may write while the table is changed in place; None if they may."""
    for each in actions:
        if isinstance(each, syntax.AddColumn) and each.column.auto_increment:
            return "Adding an auto-increment column requires a lock"
        if (
            isinstance(each, syntax.AddItem)
            and isinstance(each.item, syntax.KeySyntax)
            and each.item.kind == "FULLTEXT"
        ):
            return "Fulltext index creation requires a lock"
    return None


def _may_be_instant(action: object, table: Table) -> bool:
    match action:
        case syntax.ChangeColumn():
            return action.after is None
        case syntax.DropItem():
            return action.kind == "CHECK"
        case syntax.SetVisible():
            return action.kind == "COLUMN"
        case syntax.DropColumn():
            number = table.numbers[action.name.lower()]
            return all(number not in each.definition.columns for each in table.indexes)
    return True


def _grows(old: ColumnType, new: ColumnType) -> bool:
    """Whether values stay as they are: the type is the same, a longer VARCHAR, or an ENUM or SET with more members."""
    if isinstance(old, Text) and isinstance(new, Text) and not (old.trimmed or new.trimmed or old.long or new.long):
        bytes_alike = (old.key_size > 257) == (new.key_size > 257)
        return old.collation == new.collation and new.length >= old.length and bytes_alike
    return old == new or _has_more_members(old, new)


def _has_more_members(old: ColumnType, new: ColumnType) -> bool:
    """Whether an ENUM or SET has got more members at its end, and its values take as many bytes."""
    if not isinstance(old, Enumeration | MemberSet) or not isinstance(new, type(old)) or old.size != new.size:
        return False
    return old.collation == new.collation and new.members[: len(old.members)] == old.members
