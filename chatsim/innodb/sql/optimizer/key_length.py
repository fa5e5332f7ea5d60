"""The length of the used part of a key, in bytes: EXPLAIN's key_len."""

from __future__ import annotations

from collections.abc import Iterable

from chatsim.innodb.storage.tables import Table

__all__ = ["key_length"]


def key_length(table: Table, columns: Iterable[int]) -> int:
    """The bytes of some of a table's columns in a key."""
    return sum(table.columns[at].type.key_size + table.columns[at].nullable for at in columns)
