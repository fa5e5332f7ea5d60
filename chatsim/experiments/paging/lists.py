"""Long lists: a user with many threads, a thread with many messages, and the changes that others make meanwhile.

All rows follow a rule, so that a schema with them can be kept and found again. The tables are the hardened ones, which
have the source's columns and keys, too.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Never

from chatsim.chat.server.store.threads import changed, written
from chatsim.db.session import Session
from chatsim.worlds.loading import add_users, insert

if TYPE_CHECKING:
    from tqdm.auto import tqdm

__all__ = ["SCHEMA", "Lists", "LongHistories", "ManyThreads", "lists"]

SCHEMA = "hardened"

_BATCH = 5_000
_BELOW, _OWNER, _ABOVE, _STRANGER, _NEWCOMER = 1, 1_000_001, 2_000_001, 3_000_001, 4_000_001
"""The first ids of users: partners below the owners, the owners, partners above them, strangers, future users."""

_SILENT = 10  # one of this number of threads has no message yet
_OTHERS = 4  # after this number of messages of a thread comes one of another thread
_TIES = 7  # messages with the same second
_BEGIN = datetime(2020, 1, 1)  # noqa: DTZ001 - a column has no zone

_Rows = tuple[str, int, Iterable[tuple[object, ...]]]
"""A table with its columns, the number of rows, and the rows."""


class Lists(ABC):
    """Lists of several lengths, each of another user or another thread.

    Args:
        sizes: the lengths.
    """

    what: str

    def __init__(self, sizes: Iterable[int]) -> None:
        self.sizes = tuple(sizes)

    @property
    def contents(self) -> str:
        """A description of the rows in one line. It changes when the rule changes."""
        return f"{self.what} {self.sizes}, version 1"

    @abstractmethod
    def of(self, size: int) -> int:
        """The id of the user or the thread with the list of that length."""

    def reader(self, size: int) -> int:
        """A user who may read the list."""
        return _OWNER + self.sizes.index(size)

    @abstractmethod
    def ids(self, size: int, order: str) -> list[int]:
        """The ids in a list, in an order of `ORDERS`."""

    @abstractmethod
    def _rows(self) -> Iterator[_Rows]:
        """All rows, parents first."""

    async def load(self, admin: Session, *, bar: Callable[[int], tqdm[Never]]) -> None:
        """Insert all rows into empty tables. ``bar`` makes a progress bar for a number of rows."""
        tables = list(self._rows())
        with bar(sum(count for _, count, _ in tables)) as shown:
            for into, _, rows in tables:
                source = iter(rows)
                while batch := list(islice(source, _BATCH)):
                    await insert(admin, into, batch)
                    shown.update(len(batch))
        await admin.execute(f"ANALYZE TABLE {', '.join(dict.fromkeys(into.split(' ')[0] for into, _, _ in tables))}")

    @abstractmethod
    async def now(self, admin: Session, size: int) -> set[int]:
        """The ids that are in the list now."""

    # -- changes during a reading

    @abstractmethod
    async def come(self, admin: Session, size: int, chance: int) -> None:
        """Insert entries. ``chance`` is a number that is used only once."""

    @abstractmethod
    async def go(self, admin: Session, entry: int, size: int) -> None:
        """Delete an entry."""

    @abstractmethod
    async def touch(self, admin: Session, entry: int, size: int) -> None:
        """Change an entry."""


class ManyThreads(Lists):
    """Users with many threads.

    Every second thread is private, with a partner whose id is below or above the user's in turn; the others are groups.
    Between any two lies a thread of the same kind that does not belong to the user.
    """

    what = "threads"

    def of(self, size: int) -> int:
        """The user."""
        return self.reader(size)

    def ids(self, size: int, order: str) -> list[int]:
        """The threads."""
        first = self._first(size)
        rising = range(first, first + 2 * size, 2)
        if order == "activity":
            active = _activity(size)
            return [rising[at] for at in sorted(range(size), key=lambda at: (-active[at], at))]
        return [*rising] if order == "id" else [*reversed(rising)]

    def _first(self, size: int) -> int:
        return 1 + 2 * sum(self.sizes[: self.sizes.index(size)])

    def _rows(self) -> Iterator[_Rows]:
        partners = [_partner(at) for at in range(0, max(self.sizes), 2)]
        yield _users([*partners, *(first + k for first in (_OWNER, _STRANGER) for k in range(len(self.sizes)))])
        for size in self.sizes:
            yield from self._of(size, self.reader(size))

    def _of(self, size: int, owner: int) -> Iterator[_Rows]:
        stranger = owner - _OWNER + _STRANGER
        own, active = self.ids(size, "id"), _activity(size)
        both = [
            (thread + more, at, user) for at, thread in enumerate(own) for more, user in ((0, owner), (1, stranger))
        ]
        pairs = [(thread, *sorted((user, _partner(at)))) for thread, at, user in both if at % 2 == 0]
        groups = [(thread, user, _partner(at)) for thread, at, user in both if at % 2]
        spoken = [(thread, at) for at, thread in enumerate(own) if active[at]]
        said = {thread for thread, _ in spoken}
        yield (
            "chat_thread (id, type, last_seq, last_message_id)",
            len(both),
            (
                (thread, ("private", "group")[at % 2], int(thread in said), thread if thread in said else 0)
                for thread, at, _ in both
            ),
        )
        yield "private_chat (thread_id, user1_id, user2_id)", len(pairs), pairs
        yield "group_chat (thread_id)", len(groups), ((thread,) for thread, *_ in groups)
        members = [(thread, user) for thread, *users in groups for user in sorted(users)]
        yield "group_chat_member (thread_id, user_id)", len(members), members
        yield (
            "chat_message (message_id, thread_id, seq, sender_id, content, created_at)",
            len(spoken),
            ((thread, thread, 1, owner, _text(thread), _time(thread)) for thread, _ in spoken),
        )
        yield "user_version (user_id, version)", 1, [(owner, size)]
        yield (
            "user_thread (user_id, thread_id, version, activity)",
            size,
            ((owner, thread, active[at], active[at]) for at, thread in enumerate(own)),
        )

    async def now(self, admin: Session, size: int) -> set[int]:
        """The threads of the user."""
        user = self.of(size)
        rows = await admin.execute(
            "SELECT thread_id FROM private_chat WHERE user1_id = ? UNION"
            " SELECT thread_id FROM private_chat WHERE user2_id = ? UNION"
            " SELECT thread_id FROM group_chat_member WHERE user_id = ?",
            (user, user, user),
        )
        return {int(str(thread)) for (thread,) in rows.rows}

    async def come(self, admin: Session, size: int, chance: int) -> None:
        """A new user writes to the user; and the user joins an old group."""
        user, newcomer = self.of(size), _NEWCOMER + chance
        await add_users(admin, [newcomer])
        thread = (await admin.execute("INSERT INTO chat_thread (type) VALUES ('private')")).last_id
        await admin.execute(
            "INSERT INTO private_chat (thread_id, user1_id, user2_id) VALUES (?, ?, ?)", (thread, user, newcomer)
        )
        await _note(admin, *changed(thread, [user, newcomer]))
        older = self._first(size) + 2 * (chance % size // 2 * 2 + 1) + 1  # a stranger's
        joined = await admin.execute(
            "INSERT IGNORE INTO group_chat_member (thread_id, user_id) SELECT thread_id, ? FROM group_chat"
            " WHERE thread_id = ?",
            (user, older),
        )
        if joined.affected:
            await _note(admin, *changed(older, [user]))

    async def go(self, admin: Session, entry: int, size: int) -> None:
        """The user leaves a group, or a private chat is deleted."""
        user = self.of(size)
        await admin.execute("DELETE FROM private_chat WHERE thread_id = ?", (entry,))
        await admin.execute("DELETE FROM group_chat_member WHERE thread_id = ? AND user_id = ?", (entry, user))
        await admin.execute("DELETE FROM user_thread WHERE user_id = ? AND thread_id = ?", (user, entry))

    async def touch(self, admin: Session, entry: int, size: int) -> None:
        """A partner writes into it."""
        partner, user = _partner(0), self.of(size)
        last = (await admin.execute("SELECT last_seq FROM chat_thread WHERE id = ?", (entry,))).scalar() or 0
        message = await admin.execute(
            "INSERT INTO chat_message (thread_id, seq, sender_id, content) VALUES (?, ?, ?, 'again')",
            (entry, last + 1, partner),
        )
        await admin.execute(
            "UPDATE chat_thread SET last_seq = ?, last_message_id = ? WHERE id = ?", (last + 1, message.last_id, entry)
        )
        await _note(admin, *written(entry, sorted((user, partner)), partner, 1))


class LongHistories(Lists):
    """Threads with many messages, seven in each second; after every four comes one of another thread."""

    what = "history"

    def of(self, size: int) -> int:
        """The thread."""
        return 2 * self.sizes.index(size) + 1

    def ids(self, size: int, order: str) -> list[int]:
        """The messages."""
        rising = [number for number, own in self._numbers(size) if own]
        return rising[::-1] if order == "newest" else rising

    def _numbers(self, size: int) -> Iterator[tuple[int, bool]]:
        """The numbers of the messages of the list and of those in between, and whether each belongs to the list."""
        before = sum(_with_others(each) for each in self.sizes[: self.sizes.index(size)])
        for at in range(1, _with_others(size) + 1):
            yield before + at, at % (_OTHERS + 1) != 0

    def _rows(self) -> Iterator[_Rows]:
        numbers = range(len(self.sizes))
        yield _users([first + k for first in (_BELOW, _OWNER, _ABOVE) for k in numbers])
        pairs = [(2 * k + at + 1, first + k, _ABOVE + k) for k in numbers for at, first in enumerate((_OWNER, _BELOW))]
        yield "chat_thread (id, type)", len(pairs), ((thread, "private") for thread, *_ in pairs)
        yield "private_chat (thread_id, user1_id, user2_id)", len(pairs), pairs
        for size in self.sizes:
            yield (
                "chat_message (message_id, thread_id, seq, sender_id, recv_id, content, created_at)",
                _with_others(size),
                self._messages(size),
            )

    def _messages(self, size: int) -> Iterator[tuple[object, ...]]:
        thread, user = self.of(size), self.reader(size)
        partner, other = user - _OWNER + _ABOVE, user - _OWNER + _BELOW
        seqs = {thread: 0, thread + 1: 0}
        for number, own in self._numbers(size):
            here = thread if own else thread + 1
            seqs[here] += 1
            pair = (user if own else other, partner)
            yield number, here, seqs[here], *(pair if number % 3 else pair[::-1]), _text(number), _time(number)

    async def now(self, admin: Session, size: int) -> set[int]:
        """The messages of the thread."""
        rows = await admin.execute("SELECT message_id FROM chat_message WHERE thread_id = ?", (self.of(size),))
        return {int(str(number)) for (number,) in rows.rows}

    async def come(self, admin: Session, size: int, chance: int) -> None:  # noqa: ARG002 - all come at the end
        """A message is written."""
        thread, user = self.of(size), self.reader(size)
        await admin.execute(
            "INSERT INTO chat_message (thread_id, seq, sender_id, recv_id, content)"
            " SELECT ?, MAX(seq) + 1, ?, ?, 'new' FROM chat_message WHERE thread_id = ?",
            (thread, user, user - _OWNER + _ABOVE, thread),
        )

    async def go(self, admin: Session, entry: int, size: int) -> None:  # noqa: ARG002 - ids of messages are enough
        """A message is deleted."""
        await admin.execute("DELETE FROM chat_message WHERE message_id = ?", (entry,))

    async def touch(self, admin: Session, entry: int, size: int) -> None:  # noqa: ARG002
        """A message is recalled."""
        await admin.execute("UPDATE chat_message SET status = 2 WHERE message_id = ?", (entry,))


def lists(what: str, sizes: Iterable[int]) -> Lists:
    """Lists of threads, or of messages."""
    return {"threads": ManyThreads, "history": LongHistories}[what](sizes)


def _partner(at: int) -> int:
    """The partner in the ``at``-th thread and in the one after it."""
    pair = at // 2
    return (_ABOVE if pair % 2 else _BELOW) + pair


def _activity(size: int) -> list[int]:
    """The activity of each thread: numbers from 1, in a mixed order; 0 without a message."""
    import numpy as np

    order = np.random.default_rng(size).permutation(size) + 1
    return [0 if at % _SILENT == _SILENT - 1 else int(number) for at, number in enumerate(order)]


def _with_others(size: int) -> int:
    return size + (size - 1) // _OTHERS


def _users(uids: list[int]) -> _Rows:
    return "user (uid, name, email)", len(uids), ((uid, f"user{uid}", f"{uid}@example.org") for uid in uids)


def _text(number: int) -> str:
    return f"message {number} " + "." * (number * 37 % 60)


def _time(number: int) -> str:
    return str(_BEGIN + timedelta(seconds=number // _TIES))


async def _note(admin: Session, sql: str, args: list[object]) -> None:
    await admin.script(f"BEGIN; {sql}; COMMIT", args)
