"""Rows that have to stay within the partitions that a statement names (manual, "Partition Selection")."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from chatsim.db.mysql import database_error

if TYPE_CHECKING:
    from chatsim.innodb.storage.tables import Table
    from chatsim.innodb.storage.values import Value

__all__ = ["check_home"]


def check_home(table: Table, row: Sequence[Value], chosen: Collection[int] | None) -> None:
    """Check that a row belongs to one of some partitions; None is all.

    Raises:
        DatabaseError: it belongs to another one (1748), or to none (1526).
    """
    if chosen is None:
        return
    partitioning = table.partitioning
    assert partitioning is not None
    if partitioning.number_of([row[at] for at in partitioning.columns]) not in chosen:
        raise database_error(1748, "Found a row not matching the given partition set")
