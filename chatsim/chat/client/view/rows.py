"""Rows for a user interface: a list that notifies its listeners of each change."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, overload

__all__ = ["Changed", "Inserted", "Removed", "Reset", "RowChange", "RowList"]

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Reset:
    """All rows have been replaced by these."""

    rows: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Inserted:
    """These rows have been inserted before the row that was at ``at``."""

    at: int
    rows: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Changed:
    """The row at ``at`` has been replaced by this one."""

    at: int
    row: Any


@dataclass(frozen=True, slots=True)
class Removed:
    """``count`` rows have been removed, from ``at`` on."""

    at: int
    count: int


RowChange = Reset | Inserted | Changed | Removed


class RowList(Sequence[R], Generic[R]):
    """A list of rows. After each change, all listeners are notified."""

    def __init__(self) -> None:
        self._rows: list[R] = []
        self._subscribers: list[Callable[[RowChange], None]] = []

    @overload
    def __getitem__(self, at: int) -> R: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[R]: ...
    def __getitem__(self, at: int | slice) -> R | Sequence[R]:
        return self._rows[at]

    def __len__(self) -> int:
        return len(self._rows)

    def subscribe(self, subscriber: Callable[[RowChange], None]) -> None:
        """Call ``subscriber`` with each change from now on. It must not block."""
        self._subscribers.append(subscriber)

    def reset(self, rows: Sequence[R]) -> None:
        """Replace all rows."""
        self._rows = list(rows)
        self._publish(Reset(tuple(rows)))

    def insert(self, at: int, rows: Sequence[R]) -> None:
        """Insert rows before the one at ``at``."""
        if rows:
            self._rows[at:at] = rows
            self._publish(Inserted(at, tuple(rows)))

    def change(self, at: int, row: R) -> None:
        """Replace the row at ``at``, if the new one differs."""
        if self._rows[at] != row:
            self._rows[at] = row
            self._publish(Changed(at, row))

    def remove(self, at: int, count: int) -> None:
        """Remove ``count`` rows from ``at`` on."""
        if count:
            del self._rows[at : at + count]
            self._publish(Removed(at, count))

    def replace(self, start: int, stop: int, rows: Sequence[R]) -> None:
        """Replace the rows from ``start`` up to ``stop``. Equal rows at either end cause no change."""
        old = self._rows[start:stop]
        shorter = min(len(old), len(rows))
        same = next((at for at in range(shorter) if old[at] != rows[at]), shorter)
        left = shorter - same
        tail = next((back for back in range(left) if old[-1 - back] != rows[-1 - back]), left)
        changed = left - tail
        for at in range(same, same + changed):
            self.change(start + at, rows[at])
        behind = same + changed
        self.remove(start + behind, len(old) - tail - behind)
        self.insert(start + behind, rows[behind : len(rows) - tail])

    def _publish(self, change: RowChange) -> None:
        for subscriber in self._subscribers:
            subscriber(change)
