"""The definitions of columns and indexes (MySQL manual, "CREATE TABLE Statement")."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

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
        default: its default value; a function if it is the current time.
        has_default: whether it has a default. A nullable column always has one.
        on_update: its new value when another column of the row changes.
        auto_increment: whether it is AUTO_INCREMENT.
    """

    name: str
    type: ColumnType
    nullable: bool
    default: Value | Callable[[], Value] = None
    has_default: bool = True
    on_update: Callable[[], Value] | None = None
    auto_increment: bool = False


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
    """

    name: str
    columns: tuple[int, ...]
    unique: bool
    clustered: bool
    place: tuple[int, ...]
    table: str = ""
    hidden: int | None = None
