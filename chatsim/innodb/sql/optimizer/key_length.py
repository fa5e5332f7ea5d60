"""The length of a key, in bytes: EXPLAIN's key_len, and what the cost model counts with."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from chatsim.innodb.storage.dictionary import IndexDefinition
from chatsim.innodb.storage.tables import Table

__all__ = ["index_length", "key_length"]


def key_length(table: Table, columns: Iterable[int]) -> int:
    """The bytes of some of a table's columns in a key."""
    return sum(table.columns[at].type.key_size + table.columns[at].nullable for at in columns)


def index_length(table: Table, definition: IndexDefinition, parts: int | None = None) -> int:
    """The bytes of the first columns of an index in a key; of those that it is declared with, if no number is given."""
    total = 0
    for part, at in enumerate(definition.columns if parts is None else definition.place[:parts]):
        column = table.columns[at]
        length = definition.length(part)
        kind = replace(column.type, length=length) if length else column.type  # type: ignore[call-arg]
        total += kind.key_size + column.nullable
    return total
