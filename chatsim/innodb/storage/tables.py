"""Tables and their foreign keys (MySQL manual, "Clustered and Secondary Indexes")."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from chatsim.innodb.storage.column_types import Doubles
from chatsim.innodb.storage.dictionary import Column, IndexDefinition
from chatsim.innodb.storage.partitions import Partition, PartitionedIndex, Partitioning
from chatsim.innodb.storage.statistics import Statistics
from chatsim.innodb.storage.structures import Index, Record, TableLocks, Transaction
from chatsim.innodb.storage.values import NULL, Value

__all__ = ["ForeignKey", "OrphanedKey", "Table"]


@dataclass(frozen=True)
class ForeignKey:
    """A constraint: a row of ``child`` that is not NULL in ``columns`` needs a row of ``parent``.

    Attributes:
        name: its name, for messages.
        child: the table that refers to another one.
        columns: the numbers of its referring columns.
        index: the child's index that begins with them.
        parent: the table that is referred to.
        parent_columns: the numbers of its columns.
        parent_index: the parent's index that begins with them.
        on_delete: what happens to the child's rows when the parent's row is deleted.
        on_update: what happens to them when the parent's key changes.
    """

    name: str
    child: Table
    columns: tuple[int, ...]
    index: Index
    parent: Table
    parent_columns: tuple[int, ...]
    parent_index: Index
    on_delete: Literal["RESTRICT", "CASCADE", "SET NULL"]
    on_update: Literal["RESTRICT", "CASCADE", "SET NULL"]


@dataclass(frozen=True)
class OrphanedKey:
    """A foreign key whose parent does not exist, as it may be without ``foreign_key_checks``.

    Attributes:
        name: its name, for messages.
        columns: the numbers of the referring columns.
        parent: the name of the parent.
        parent_columns: the names of the parent's columns; none for those of its primary key.
        on_delete: what happens to the child's rows when a parent's row is deleted.
        on_update: what happens to them when a parent's key changes.
    """

    name: str
    columns: tuple[int, ...]
    parent: str
    parent_columns: tuple[str, ...]
    on_delete: Literal["RESTRICT", "CASCADE", "SET NULL"]
    on_update: Literal["RESTRICT", "CASCADE", "SET NULL"]


@dataclass(eq=False)
class Table:
    """A table with its indexes.

    Attributes:
        name: its name.
        columns: its columns, in order. A table without a key has a hidden one at the end.
        indexes: the clustered index, then the others, unique ones first.
        parents: its foreign keys whose parents exist.
        orphaned: its other foreign keys.
        children: the foreign keys of other tables that refer to it.
        checks: its CHECK constraints, by name: functions that tell whether a row is valid. NULL counts as valid.
        next_number: the next AUTO_INCREMENT value.
        logged_number: the greatest AUTO_INCREMENT value that the redo log has.
        next_row_id: the next value of a hidden key.
        hidden: the number of a hidden key column, if it has one.
        statistics: what the optimizer assumes about it.
        locks: the locks on it.
        altered: the transaction that changed its columns: older read views can't read it; None if there is none.
        expressions: the generated columns, also the hidden ones of functional key parts, by their expressions.
        arrays: the hidden columns of multi-valued key parts, by the expressions of the documents.
        partitioning: how it is divided into partitions; None if it is not.
        triggers: its triggers, in the order in which they were made.
        temporary: whether it is a temporary table, which only its session has.
        transactional: whether its changes are undone by ROLLBACK: not those of a table in memory.
        declared: what it was declared as, for statements that change it or make another one like it.
    """

    name: str
    columns: list[Column]
    indexes: list[Index]
    parents: list[ForeignKey] = field(default_factory=list)
    orphaned: list[OrphanedKey] = field(default_factory=list)
    children: list[ForeignKey] = field(default_factory=list)
    checks: dict[str, Callable[[Sequence[Value]], Any]] = field(default_factory=dict)
    next_number: int = 1
    logged_number: int = 0
    next_row_id: int = 1
    hidden: int | None = None
    statistics: Statistics = field(default_factory=Statistics)
    altered: Transaction | None = None
    expressions: dict[str, int] = field(default_factory=dict)
    arrays: dict[str, int] = field(default_factory=dict)
    partitioning: Partitioning | None = None
    triggers: list[Any] = field(default_factory=list)
    temporary: bool = False
    transactional: bool = True
    declared: Any = None

    def __post_init__(self) -> None:
        self.locks = TableLocks(self.name)
        self.renumber()

    def renumber(self) -> None:
        """Note the numbers of its columns, which have changed."""
        self.numbers: Mapping[str, int] = {
            column.name.lower(): at for at, column in enumerate(self.columns) if not column.hidden
        }
        self.auto: int | None = next((at for at, each in enumerate(self.columns) if each.auto_increment), None)
        self.has_singles = any(
            isinstance(each.type, Doubles) and each.type.size == Doubles.SINGLE for each in self.columns
        )
        self.generated = [at for at, each in enumerate(self.columns) if each.generated is not None]

    def rename(self, name: str) -> None:
        """Give it another name, also in its indexes, its locks, and the names that its constraints have from it."""
        old, self.name = self.name, name
        self.locks.table = name
        for index in self.indexes:
            index.definition = replace(index.definition, table=name)
        for at, constraint in enumerate(self.parents):
            if constraint.name.startswith(f"{old}_ibfk_"):
                new = replace(constraint, name=f"{name}{constraint.name.removeprefix(old)}")
                self.parents[at] = new
                constraint.parent.children[constraint.parent.children.index(constraint)] = new
        self.orphaned = [
            replace(each, name=f"{name}{each.name.removeprefix(old)}") if each.name.startswith(f"{old}_ibfk_") else each
            for each in self.orphaned
        ]
        self.checks = {
            f"{name}{each.removeprefix(old)}" if each.startswith(f"{old}_chk_") else each: holds
            for each, holds in self.checks.items()
        }

    @property
    def shown(self) -> list[int]:
        """The columns that ``SELECT *`` shows."""
        return [at for at, each in enumerate(self.columns) if each.visible and not each.hidden]

    @property
    def stored(self) -> Sequence[Index]:
        """The indexes that records are in: its own, or those of its partitions."""
        if self.partitioning is None:
            return self.indexes
        return [index for partition in self.partitioning.partitions for index in partition.indexes]

    @property
    def clustered(self) -> Index:
        """The rows, in the order of the primary key."""
        return self.indexes[0]

    @property
    def secondary(self) -> Sequence[Index]:
        """The other indexes."""
        return self.indexes[1:]

    def generate(self, row: list[Value]) -> None:
        """Give the generated columns of a row their values. Raises `BadValueError` for one that can't be stored."""
        for at in self.generated:
            value = self.columns[at].generated(row)  # type: ignore[misc]
            row[at] = None if value is None else self.columns[at].type.store(value)

    def changed_with(self, columns: set[int]) -> set[int]:
        """Columns, and the generated ones whose values depend on them."""
        found = set(columns)
        for at in self.generated:
            if self.columns[at].sources & found:
                found.add(at)
        return found

    def home(self, row: Sequence[Value]) -> Table | Partition:
        """Where the indexes are in which a row is: its partition, or the table. Raises a `DatabaseError` (1526)."""
        return self if self.partitioning is None else self.partitioning.home(row)

    def numbered(self, number: int) -> None:
        """Note the AUTO_INCREMENT value of a row: the next ones are greater."""
        self.next_number = max(self.next_number, number + 1)

    def logged(self, row: Sequence[Value]) -> None:
        """Note that a row is about to be written: its AUTO_INCREMENT value goes into the redo log in any case."""
        if self.auto is not None and isinstance(number := row[self.auto], int):
            self.logged_number = max(self.logged_number, number)

    def opened(self, session: int, times: int = 1) -> None:
        """Note that a statement of a session uses the table ``times`` times.

        The session that opens it takes a counter that equals the logged one for one that was read from the log, and
        goes on behind it (`ha_innobase::open`).
        """
        if self.statistics.opened(session, times) and self.next_number == self.logged_number:
            self.next_number += 1

    @property
    def partitions(self) -> Sequence[Partition]:
        """The parts of its rows; none, if it is not divided."""
        return () if self.partitioning is None else self.partitioning.partitions

    def analyze(self) -> None:
        """Count rows and keys for the statistics."""
        self.statistics.analyze(self.indexes, self.partitions)

    def empty(self) -> None:
        """Remove all rows, and number new ones from 1 again."""
        if self.partitioning is not None:
            self.divide(self.partitioning, [each.name for each in self.partitioning.partitions])
            self.next_number, self.logged_number, self.statistics = 1, 0, Statistics()
            return
        fresh = {each: Index(each.definition, self.columns) for each in self.indexes}
        self.indexes[:] = fresh.values()
        for old in {*self.parents, *self.children}:
            new = replace(
                old,
                index=fresh.get(old.index, old.index),
                parent_index=fresh.get(old.parent_index, old.parent_index),
            )
            old.child.parents[old.child.parents.index(old)] = new
            old.parent.children[old.parent.children.index(old)] = new
        self.next_number = 1
        self.logged_number = 0
        self.statistics = Statistics()

    def divide(self, partitioning: Partitioning, names: Sequence[str]) -> None:
        """Give the table empty partitions of these names."""
        definitions = [each.definition for each in self.indexes]
        partitioning.partitions = [
            Partition(name, [Index(each, self.columns) for each in definitions], TableLocks(self.name))
            for name in names
        ]
        for partition in partitioning.partitions:
            for index in partition.indexes:
                index.home = partition
        parts = zip(*(partition.indexes for partition in partitioning.partitions), strict=True)
        self.indexes[:] = [
            PartitionedIndex(definition, self.columns, own) for definition, own in zip(definitions, parts, strict=True)
        ]
        columns = partitioning.columns
        own = IndexDefinition("", columns, unique=True, clustered=True, place=columns)
        partitioning.key = Index(own, self.columns)
        self.partitioning = partitioning

    def order(self, column: int, value: Value) -> object:
        """The sort key of a column's value."""
        return NULL if value is None else self.columns[column].type.order(value)

    def row_of(self, entry: Record) -> Record:
        """The clustered record of an entry of a secondary index."""
        definition = entry.index.definition
        if definition.clustered:
            return entry
        first = self.clustered.definition
        if definition.lengths or definition.descending or first.lengths or first.descending:
            row: list[Value] = [None] * len(self.columns)
            for column, value in zip(definition.place, entry.row, strict=True):
                row[column] = value
            key = self.clustered.key_of(row)
        else:
            key = tuple(entry.key[definition.place.index(column)] for column in first.columns)
        record = (entry.index.home or self).clustered.get(key)
        assert record is not None, f"{entry!r} has no row"
        return record
