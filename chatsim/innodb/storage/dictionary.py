"""The definitions of columns and indexes (MySQL manual, "CREATE TABLE Statement")."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from chatsim.innodb.storage.column_types import ColumnType
from chatsim.innodb.storage.values import Value

__all__ = ["Column", "IndexDefinition"]


@dataclass(frozen=True)
class Column:
    """A column.

    Attributes:
        name: its name.
        type: its type.
        nullable: whether it may be NULL.
        default: its default value; a function of the session if it is the current time or another expression.
        has_default: whether it has a default. A nullable column always has one.
        on_update: its new value when another column of the row changes, a function of the session.
        auto_increment: whether it is AUTO_INCREMENT.
        generated: gives its value for a row; None if it is not a generated column.
        sources: the columns in the expression of a generated column.
        virtual: whether it is a generated column that rows are not stored with.
        visible: whether ``SELECT *`` shows it.
        hidden: whether no statement can name it: a row id, or the expression of a functional key part.
    """

    name: str
    type: ColumnType
    nullable: bool
    default: Value | Callable[[Any], Value] = None
    has_default: bool = True
    on_update: Callable[[Any], Value] | None = None
    auto_increment: bool = False
    generated: Callable[[Sequence[Value]], Value] | None = None
    sources: frozenset[int] = frozenset()
    virtual: bool = False
    visible: bool = True
    hidden: bool = False


@dataclass(frozen=True)
class IndexDefinition:
    """An index.

    Attributes:
        name: its name; ``PRIMARY`` is the primary key.
        columns: the numbers of its columns, without the appended columns of the primary key.
        unique: whether no two rows may have the same values in all of them, except NULL.
        clustered: whether it is the table itself.
        place: the numbers of the columns of a record; a secondary entry has those of the primary key at the end.
        table: the name of its table.
        hidden: the number of the table's hidden key column, if it has one.
        lengths: for each column of a record, how many characters or bytes of it the index has; 0 for all. Empty if it
            has all of all.
        descending: the columns that are in descending order.
        visible: whether the optimizer may use it.
        array: the number of its column whose values are arrays, if there is one: a multi-valued index, which has an
            entry of a row for each element.
    """

    name: str
    columns: tuple[int, ...]
    unique: bool
    clustered: bool
    place: tuple[int, ...]
    table: str = ""
    hidden: int | None = None
    lengths: tuple[int, ...] = ()
    descending: frozenset[int] = frozenset()
    visible: bool = True
    array: int | None = None

    @cached_property
    def whole(self) -> tuple[int, ...]:
        """The columns of a record that the index has whole, in their order."""
        return (
            tuple(at for at, length in zip(self.place, self.lengths, strict=True) if not length)
            if self.lengths
            else self.place
        )

    def has(self, columns: Collection[int]) -> bool:
        """Whether it has these columns whole."""
        return not self.lengths or set(columns) <= set(self.whole)

    def length(self, part: int) -> int:
        """How many characters or bytes of a column it has; 0 for all."""
        return self.lengths[part] if self.lengths else 0
