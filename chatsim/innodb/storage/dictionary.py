"""What DDL declares of columns and indexes (MySQL manual, "CREATE TABLE Statement")."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from chatsim.innodb.storage.values import ColumnType, Value

__all__ = ["Column", "IndexDefinition"]


@dataclass(frozen=True)
class Column:
    """A column.

    Attributes:
        name: as declared.
        type: what it keeps.
        nullable: it may be NULL.
        default: what it is when nothing is said; called, if it is the moment.
        has_default: there is one; a nullable column always has.
        on_update: what it becomes when another column of the row changes.
        auto_increment: it is numbered.
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
        name: ``PRIMARY`` is the primary key's.
        columns: the numbers of its columns; of a secondary index without the primary key's at the end.
        unique: no two rows are the same in all of them, NULL apart.
        clustered: it is the table itself.
        place: the numbers of a record's columns, those of the primary key at the end.
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
