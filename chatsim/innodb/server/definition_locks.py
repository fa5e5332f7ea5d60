"""What LOCK TABLES forbids to statements that change definitions."""

from __future__ import annotations

from collections.abc import Sequence

from chatsim.db.mysql import database_error

__all__ = ["check_definition"]


def check_definition(locked: dict[str, bool], names: Sequence[str]) -> None:
    """Raise a `DatabaseError` unless tables whose definitions are to be changed are locked to be written."""
    for name in names:
        if name not in locked:
            raise database_error(1100, f"Table '{name}' was not locked with LOCK TABLES")
        if not locked[name]:
            raise database_error(1099, f"Table '{name}' was locked with a READ lock and can't be updated")
