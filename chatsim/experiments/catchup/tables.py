"""The tables to which a reader comes back: rows that are inserted before the experiment."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

from chatsim.db.session import Session
from chatsim.worlds.loading import add_users, insert
from chatsim.worlds.world import World

__all__ = ["READER", "SEEN", "Tables"]

READER = 1
"""The reader; the other users are numbered from 2."""

SEEN = 1
"""The number of seen messages in each thread, if it has no longer history."""

_SCREEN_THREADS, _SCREEN_TEXTS = 10, 20
"""The size of a client's first screen: threads and messages."""


class Tables:
    """The rows in the tables. Their numbers follow a rule, so each is known."""

    def __init__(self, threads: int, missed: int, quiet: int, history: int) -> None:
        self.active = range(1, threads + 1)
        self.quiet = range(threads + 1, threads + quiet + 1)
        self.all = range(1, threads + quiet + 1)
        self.history = history
        self.missed = missed
        self._seen = len(self.all) * history

    @property
    def missed_ids(self) -> range:
        """The ids of the missed messages."""
        return range(self._seen + 1, self._seen + len(self.active) * self.missed + 1)

    def seen(self, thread: int) -> int:
        """The id of the last message of a thread that the reader has seen."""
        return thread * self.history

    def screen(self) -> set[int]:
        """The ids of the newest messages of the most recent threads."""
        recent = self.active[-_SCREEN_THREADS:]
        newest = range(max(0, self.missed - _SCREEN_TEXTS), self.missed)
        return {self._missed_id(thread, turn) for thread in recent for turn in newest}

    def _missed_id(self, thread: int, turn: int) -> int:
        return self._seen + turn * len(self.active) + thread

    async def load(self, world: World, schema: str) -> None:
        """Create the tables of the schema, and fill them."""
        await world.install(schema)
        admin = world.admin
        await add_users(admin, [READER, *(READER + thread for thread in self.all)])
        last = {thread: self.history + (self.missed if thread in self.active else 0) for thread in self.all}
        numbered = schema == "hardened"
        threads: list[tuple[object, ...]] = [(thread, "private") for thread in self.all]
        if numbered:
            threads = [(*row, last[thread]) for row, thread in zip(threads, self.all, strict=True)]
        await insert(admin, f"chat_thread (id, type{', last_seq' if numbered else ''})", threads)
        chats = [(thread, READER, READER + thread) for thread in self.all]
        await insert(admin, "private_chat (thread_id, user1_id, user2_id)", chats)
        columns = "message_id, thread_id, sender_id, recv_id, content" + (", seq, unique_id" if numbered else "")
        rows = ((*row[:5], *(row[5:] if numbered else ())) for row in self._messages())
        for batch in _batches(rows):
            await insert(admin, f"chat_message ({columns})", batch)
        if numbered:
            await self._load_versions(admin)
        await admin.execute("ANALYZE TABLE chat_thread, private_chat, chat_message")

    def _messages(self) -> Iterable[tuple[object, ...]]:
        for thread in self.all:
            for seq in range(1, self.history + 1):
                yield self._message((thread - 1) * self.history + seq, thread, seq)
        for turn in range(self.missed):
            for thread in self.active:
                yield self._message(self._missed_id(thread, turn), thread, self.history + turn + 1)

    @staticmethod
    def _message(number: int, thread: int, seq: int) -> tuple[object, ...]:
        text = f"message {seq} of thread {thread}, as long as what people write to each other in the evening"
        return number, thread, READER + thread, READER, text, seq, f"u{number}"

    async def _load_versions(self, admin: Session) -> None:
        changed = len(self.all)  # what has happened while the reader was away has higher versions
        rows = [(READER, thread, thread + (changed if thread in self.active else 0)) for thread in self.all]
        await insert(admin, "user_thread (user_id, thread_id, version)", rows)
        await insert(
            admin, "user_thread (user_id, thread_id, version)", [(READER + each, each, 1) for each in self.all]
        )
        await insert(admin, "user_version (user_id, version)", [(READER + each, 1) for each in self.all])
        await insert(admin, "user_version (user_id, version)", [(READER, 2 * changed)])


def _batches(rows: Iterable[tuple[object, ...]]) -> Iterable[list[tuple[object, ...]]]:
    iterator = iter(rows)
    while batch := list(itertools.islice(iterator, 5_000)):
        yield batch
