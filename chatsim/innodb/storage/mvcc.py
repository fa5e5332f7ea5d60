"""Choosing the version of a row that is read (InnoDB's row0vers).

The newest version of a row is in the clustered index. Older versions are linked from it, newest first, for as long as a
read view may need them (MySQL manual, "InnoDB Multi-Versioning").
"""

from __future__ import annotations

from collections.abc import Sequence

from chatsim.innodb.storage.structures import ReadView, Record, Version
from chatsim.innodb.storage.values import Value

__all__ = ["has_version_with_entry", "last_committed", "visible"]


def visible(record: Record, view: ReadView | None) -> Sequence[Value] | None:
    """The row of a clustered record as ``view`` sees it, or None if it sees none. Without a view, the newest row."""
    if view is None or view.sees(record.writer):
        return None if record.deleted else record.row
    version = record.older
    while version is not None:
        if view.sees(version.writer):
            return None if version.deleted else version.row
        version = version.older
    return None


def last_committed(record: Record) -> Record | Version | None:
    """The newest committed version of a row, for a semi-consistent read."""
    version: Record | Version | None = record
    while version is not None and version.writer is not None and version.writer.active:
        version = version.older
    return version


def has_version_with_entry(record: Record, entry: Record, *, current: bool) -> bool:
    """Whether a version of a row that is not deleted has an entry in a secondary index.

    Args:
        record: the row's clustered record.
        entry: the entry.
        current: whether the newest version counts, too.
    """
    index, key = entry.index, entry.key
    if current and not record.gone and not record.deleted and index.part_at(key, record.row) is not None:
        return True
    version = record.older
    while version is not None:
        if not version.deleted and index.part_at(key, version.row) is not None:
            return True
        version = version.older
    return False
