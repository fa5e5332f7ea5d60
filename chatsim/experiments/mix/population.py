"""The users of a mixed load, the chats that they have before, and what has been written in them.

All rows follow a rule: users and chats are numbered from 1, and so are the messages, turn by turn through the chats.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

from chatsim.worlds.loading import add_users, insert
from chatsim.worlds.world import World

__all__ = ["Population", "pairs_of"]


@dataclass
class Population:
    """Users, and which of them have a chat.

    Attributes:
        users: how many there are.
        threads: how many chats there are before.
        history: how many messages each of these has.
        chats: for each user, the chats so far: the thread, and the other user.
        paired: the pairs that have a chat, or have been asked for, smaller id first.
    """

    users: int
    threads: int
    history: int
    chats: dict[int, list[tuple[int, int]]] = field(init=False)
    paired: set[tuple[int, int]] = field(init=False)

    def __post_init__(self) -> None:
        self.pairs = list(islice(pairs_of(self.users), self.threads))
        self.chats = {uid: [] for uid in range(1, self.users + 1)}
        self.paired = set(self.pairs)
        for thread, (one, other) in enumerate(self.pairs, start=1):
            self.note(thread, one, other)

    @property
    def messages(self) -> int:
        """How many messages there are before. Their ids begin with 1."""
        return self.threads * self.history

    def note(self, thread: int, uid: int, other: int) -> None:
        """Note the chat of two users, if it is not known."""
        for one, two in ((uid, other), (other, uid)):
            if (thread, two) not in self.chats[one]:
                self.chats[one].append((thread, two))

    def message_ids(self, thread: int) -> list[int]:
        """The ids of the messages that a chat has before."""
        return [turn * self.threads + thread for turn in range(self.history)] if thread <= self.threads else []

    async def load(self, world: World, schema: str) -> None:
        """Create the tables of a schema, with these rows."""
        await world.install(schema)
        admin, threads, numbered = world.admin, range(1, self.threads + 1), schema == "hardened"
        await add_users(admin, self.chats)
        if numbered:
            last = [(each, "private", self.history, (self.message_ids(each) or [0])[-1]) for each in threads]
            await insert(admin, "chat_thread (id, type, last_seq, last_message_id)", last)
        else:
            await insert(admin, "chat_thread (id, type)", [(each, "private") for each in threads])
        chats = [(thread, *pair) for thread, pair in zip(threads, self.pairs, strict=True)]
        await insert(admin, "private_chat (thread_id, user1_id, user2_id)", chats)
        columns = "message_id, thread_id, sender_id, recv_id, content" + (", seq, unique_id" if numbered else "")
        await insert(admin, f"chat_message ({columns})", [each[: None if numbered else 5] for each in self._messages()])
        if numbered:
            own = [(uid, thread, at) for uid, chats in self.chats.items() for at, (thread, _) in enumerate(chats, 1)]
            await insert(admin, "user_thread (user_id, thread_id, version)", own)
            numbers = [(uid, len(chats)) for uid, chats in self.chats.items() if chats]
            await insert(admin, "user_version (user_id, version)", numbers)
        await admin.execute("ANALYZE TABLE user, chat_thread, private_chat, chat_message")

    def _messages(self) -> Iterator[tuple[object, ...]]:
        for turn in range(self.history):
            for thread, (one, other) in enumerate(self.pairs, start=1):
                number = turn * self.threads + thread
                sender, receiver = (one, other) if turn % 2 == 0 else (other, one)
                text = f"message {turn + 1} of thread {thread}, as long as what people write in the evening"
                yield number, thread, sender, receiver, text, turn + 1, f"before{number}"


def pairs_of(users: int) -> Iterator[tuple[int, int]]:
    """All pairs of users, smaller id first, so that as few of them as possible leave nobody out.

    The first are 1 and 2, 3 and 4, and so on; then those between these; then those who are further apart.
    """
    ring = range(users)
    for distance in range(1, users // 2 + 1):
        starts = [*ring[::2], *ring[1::2]] if distance == 1 else [*ring]
        if distance * 2 == users:
            starts = starts[: users // 2] if distance > 1 else [0]
        for one in starts:
            other = (one + distance) % users
            yield min(one, other) + 1, max(one, other) + 1
