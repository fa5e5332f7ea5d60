"""The thread list."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from chatsim.chat.client.cache import Head, LocalText
from chatsim.chat.client.view.rows import RowList

__all__ = ["ThreadList", "ThreadRow"]


@dataclass(frozen=True, slots=True)
class ThreadRow:
    """A row of the thread list.

    Attributes:
        thread_id: the thread.
        other: the other user; 0 in a group.
        title: the friend's name, the group's name, or a description of a group or of a user who has no name here.
        last: the preview: the last message, stored or still to be sent, if there is one.
        unread: how many messages the user has not read.
    """

    thread_id: int
    other: int
    title: str
    last: LocalText | None
    unread: int


class ThreadList(RowList[ThreadRow]):
    """The threads: the one with the newest message is first, those without messages are last."""

    def __init__(self) -> None:
        super().__init__()
        self._ranks: dict[int, tuple[int, ...]] = {}

    def place(self, heads: Iterable[Head], uid: int, names: Mapping[int, str], only: int | None = None) -> None:
        """Show these threads, each at its place.

        Args:
            heads: the threads.
            uid: the user.
            names: from the id of each friend to the name to show.
            only: the one thread that ``heads`` is about; None if it has all threads. A thread that it could have, and
                does not, is removed.
        """
        rows = [(_rank(head), _row(head, uid, names)) for head in heads]
        for gone in ({*self._ranks} if only is None else {only} & {*self._ranks}) - {row.thread_id for _, row in rows}:
            self._remove(gone)
        if self:
            for rank, row in rows:
                self._place(rank, row)
        elif rows:
            self._ranks = {row.thread_id: rank for rank, row in rows}
            self.reset([row for _, row in sorted(rows, key=lambda each: each[0])])

    def row(self, thread_id: int) -> ThreadRow | None:
        """The row of a thread, if it is there."""
        return self[self._at(self._ranks[thread_id])] if thread_id in self._ranks else None

    def _place(self, rank: tuple[int, ...], row: ThreadRow) -> None:
        before = self._ranks.get(row.thread_id)
        if before == rank:
            self.change(self._at(rank), row)
            return
        if before is not None:
            self._remove(row.thread_id)
        at = self._at(rank)
        self._ranks[row.thread_id] = rank
        self.insert(at, [row])

    def _remove(self, thread_id: int) -> None:
        at = self._at(self._ranks[thread_id])
        del self._ranks[thread_id]
        self.remove(at, 1)

    def _at(self, rank: tuple[int, ...]) -> int:
        return bisect_left(self, rank, key=lambda row: self._ranks[row.thread_id])


def _rank(head: Head) -> tuple[int, ...]:
    sent, message_id = head.active
    return -sent, -message_id, -head.thread.thread_id


def _row(head: Head, uid: int, names: Mapping[int, str]) -> ThreadRow:
    thread = head.thread
    other = thread.other(uid)
    title = names.get(other, f"user {other}") if other else thread.name or f"group {thread.thread_id}"
    return ThreadRow(thread.thread_id, other, title, head.last, head.unread)
