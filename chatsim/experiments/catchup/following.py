"""Comparing cursors straight on the database: writers write, and a reader follows. Does it find every message?

At the end, every acknowledged message is looked up among those that the reader has found, and everything found among
those in the tables (`chatsim.experiments.catchup.checks`). If the server is killed
meanwhile, all connect again: a writer tries once more, and the reader goes on from its cursor. Protocols are compared
through the whole stack: see `chatsim.experiments.catchup.away`.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING, Never

import numpy as np

from chatsim.chat.protocol import OutgoingText
from chatsim.chat.retry import Retry
from chatsim.chat.server.store.texts import Batch
from chatsim.db.errors import DatabaseError
from chatsim.db.session import Database
from chatsim.experiments.catchup.checks import StoredText, check_found, check_written, stored_texts, text_of
from chatsim.experiments.catchup.cursors import Cursor, CursorKind, Found
from chatsim.experiments.checks import Anomaly, Verdict, judge, missing, overlapped
from chatsim.experiments.history import Operation, Outcome, Recorder
from chatsim.experiments.together import side_by_side
from chatsim.worlds.loading import add_users, insert
from chatsim.worlds.world import Distance, World

if TYPE_CHECKING:
    from tqdm.auto import tqdm

__all__ = ["LOOK", "READER", "WRITE", "Followed", "Following", "untested"]

WRITE, LOOK = "write", "look"
"""The kinds of operation: a writer's transaction, and a look of the reader."""

READER = 1
"""The reader; the other users are numbered from 2."""

_PAUSE = 0.002
"""The time between two looks, in seconds."""

_JITTER = 0.3
"""The variation of a writer's distance between messages. Without it, writers would run in step."""

_NEAREST = 0.1
"""The distance of the nearest writer, as a part of the farthest one's."""

_UNTIL_IT_IS_BACK = Retry("until it is back", 2_000, (0.001, 0.020))
"""The retry policy. It waits longer than a killed server takes to recover."""

_DOWN = 0.05
"""How long a killed server stays down, in seconds."""

_STORING = 0.01
"""The longest time from a mark to the kill, in seconds: about as long as it takes to store a message."""


@dataclass
class Followed:
    """The result of a run.

    Attributes:
        kind: the kind of cursor.
        history: the writers' transactions (``write``), and the reader's looks that found something (``look``).
        seconds: the time that the writers took, in seconds.
        crashes: how often the server was killed.
        asked: the number of transactions that were to be carried out.
        stored: the messages of the tables at the end.
    """

    kind: CursorKind
    history: list[Operation] = field(default_factory=list)
    seconds: float = 0.0
    crashes: int = 0
    asked: int = 0
    stored: list[StoredText] = field(default_factory=list)

    @property
    def written(self) -> list[Operation]:
        """The acknowledged transactions, each with the ids of its messages."""
        return [each for each in self.history if each.kind == WRITE and each.outcome is Outcome.OK]

    @property
    def acknowledged(self) -> list[int]:
        """The ids of the messages that were acknowledged."""
        return [number for each in self.written for number in each.value["messages"]]

    @property
    def found(self) -> list[int]:
        """The ids of the messages that the reader has found; repeated if it has found them repeatedly."""
        return [number for look in self.looks for number in look.value["messages"]]

    @property
    def looks(self) -> list[Operation]:
        """The reader's looks that found something."""
        return [each for each in self.history if each.kind == LOOK]

    @property
    def refused(self) -> int:
        """How often the database has refused a writer, or was lost."""
        return sum(len(each.refusals) for each in self.history if each.kind == WRITE)

    @property
    def repeated(self) -> int:
        """How many messages the reader has read repeatedly."""
        found = self.found
        return len(found) - len(set(found))

    @cached_property
    def lost(self) -> list[Anomaly]:
        """The acknowledged messages that were not found, each with the transactions that caused it."""
        gone = missing(self.acknowledged, self.found)
        if not gone:
            return []
        by_id = {number: each for each in self.written for number in each.value["messages"]}
        return [self._lost(number, by_id) for number in gone]

    def _lost(self, number: int, by_id: Mapping[int, Operation]) -> Anomaly:
        of = by_id[number]
        thread = of.asked["thread"]
        name = f"message {number} of thread {thread} was never found"
        for look in self.looks:
            seen = zip(look.value["threads"], look.value["messages"], strict=True)
            if later := [other for where, other in seen if where == thread and other > number]:
                passed = by_id.get(min(later))
                sentence = f"{name}: at {look.end:.4f} s the reader had seen message {min(later)}, and not yet this one"
                return Anomaly("lost", number, sentence, (of,) if passed is None else (passed, of))
        return Anomaly("lost", number, name, (of,))

    @property
    def wrong(self) -> Iterator[Anomaly]:
        """What was acknowledged or found otherwise than it is stored."""
        yield from check_written(self.written, self.stored)
        threads = {each.message_id: each.thread_id for each in self.stored}
        kind = self.kind
        yield from check_found(self.looks, self.written, threads, rereads=kind.rereads, by_id=kind.by_id)

    def verdict(self) -> Verdict:
        """Safe if every acknowledged message was found once, in its thread and in order, and no writer has given up."""
        writes = [each for each in self.history if each.kind == WRITE]
        safe = f"every one of {len(self.acknowledged):,} acknowledged messages was found"
        return judge(
            writes,
            [*self.lost, *self.wrong],
            safe=safe,
            refused="transactions were given up",
            asked=self.asked,
            untested=untested(self.kind, writes),
        )


def untested(kind: CursorKind, writes: Sequence[Operation]) -> str:
    """Why no reader of this kind of cursor could have lost any of these messages; empty if one could."""
    if not any(each.outcome is Outcome.OK for each in writes):
        return "nobody wrote meanwhile; ask for two writers or more"
    if overlapped(writes, lambda each: None if kind.per_user else each.asked["thread"]):
        return ""
    where = "" if kind.per_user else " into one thread"
    return f"no two writes{where} overlapped, so none could be overtaken; ask for more writers than threads"


@dataclass(frozen=True)
class Following:
    """The parameters of a run: writers write into threads of a reader that follows.

    Attributes:
        kind: the kind of cursor.
        writers: the number of writers, each with a connection of its own.
        threads: the number of threads; the thread of each message is random.
        messages: the number of messages in all.
        batch: the number of messages in a transaction.
        rtt: the round trip from the farthest writer to the database, in seconds. The distance of each writer is between
            a tenth of that and all of it. 0: all writers are next to the database.
        crashes: how often the database server is killed while they write.
        seed: the seed of the threads of messages, the pauses of refused writers, the distances, and the kills.
    """

    kind: CursorKind
    writers: int = 2
    threads: int = 1
    messages: int = 1_000
    batch: int = 1
    rtt: float = 0.01
    crashes: int = 0
    seed: int = 1

    async def run(self, world: World, bar: tqdm[Never]) -> Followed:
        """Run it in a world, in fresh tables. Raises `WorldError` if the server can't be killed."""
        threads = range(1, self.threads + 1)
        await world.install(self.kind.schema)
        for table in self.kind.tables:
            await world.admin.execute(table)
        await add_users(world.admin, [READER, *(READER + thread for thread in threads)])
        await insert(world.admin, "chat_thread (id, type)", [(thread, "private") for thread in threads])
        chats = [(thread, READER, READER + thread) for thread in threads]
        await insert(world.admin, "private_chat (thread_id, user1_id, user2_id)", chats)
        *seeds, places, faults, looks = np.random.SeedSequence(self.seed).spawn(self.writers + 3)
        # other machines than before: a machine that was placed keeps its distance in the next run in this world
        where = "far" if self.rtt else "near"
        names = [f"{where}-writer-{number}" for number in range(self.writers)]
        if self.rtt:
            shares = np.random.default_rng(places).uniform(_NEAREST, 1, size=self.writers)
            for name, share in zip(names, shares, strict=True):
                world.place(name, Distance(share * self.rtt, jitter=_JITTER))
        run = _Run(self, asyncio.get_running_loop().time())
        async with AsyncExitStack() as stack:
            pools = [await stack.enter_async_context(world.database(1, name)) for name in names]
            reader = await stack.enter_async_context(world.database(1, "reader"))
            await side_by_side(
                [
                    run.read(reader, np.random.default_rng(looks)),
                    run.write_all(pools, [np.random.default_rng(seed) for seed in seeds], bar),
                    run.kill(world, np.random.default_rng(faults)),
                ]
            )
        run.followed.stored = await stored_texts(world.admin)
        return run.followed

    @property
    def turns(self) -> int:
        """The number of transactions of each writer."""
        return -(-self.messages // (self.writers * self.batch))


class _Run:
    """Writers and a reader at work."""

    def __init__(self, parameters: Following, begun: float) -> None:
        self._parameters = parameters
        self._kind = parameters.kind
        self._begun = begun
        self._done = asyncio.Event()
        self._stored = 0
        self._more = asyncio.Condition()
        self.followed = Followed(parameters.kind, asked=parameters.writers * parameters.turns)

    async def write_all(self, pools: Sequence[Database], rngs: Sequence[np.random.Generator], bar: tqdm[Never]) -> None:
        """Let all writers write. A writer that is refused for good gives up, and its history has this."""
        writers = enumerate(zip(pools, rngs, strict=True))
        await side_by_side([self._write(number, pool, rng, bar) for number, (pool, rng) in writers])
        self.followed.seconds = asyncio.get_running_loop().time() - self._begun
        self._done.set()
        await self._note_stored(0)

    async def _write(self, writer: int, pool: Database, rng: np.random.Generator, bar: tqdm[Never]) -> None:
        size = self._parameters
        recorder = Recorder(writer, self._begun)
        for turn in range(size.turns):
            thread = int(rng.integers(size.threads)) + 1
            once = partial(self._once, pool, writer, turn, thread, itertools.count())

            async def write(
                refused: Callable[[DatabaseError], None], once: Callable[[], Awaitable[Sequence[int]]] = once
            ) -> dict[str, list[int]]:
                return {"messages": [*await _UNTIL_IT_IS_BACK.run(once, rng, refused)]}

            done = await recorder.record(WRITE, {"thread": thread}, write, turn=turn)
            self.followed.history.append(done)
            if done.outcome is not Outcome.OK:
                return
            bar.update(len(done.value["messages"]))
            await self._note_stored(len(done.value["messages"]))

    async def _once(self, pool: Database, writer: int, turn: int, thread: int, tries: Iterator[int]) -> Sequence[int]:
        # an interrupted try may be stored or not: each try has its own unique ids, and is another message
        batch = self._batch(writer, turn, thread, next(tries))
        async with pool.session(self._kind.isolation) as tx:
            return await self._kind.write(tx, batch)

    def _batch(self, writer: int, turn: int, thread: int, attempt: int) -> Batch:
        """A batch by one of both members, so that both take the locks of the thread and of its users."""
        other = READER + thread
        sender, receiver = (READER, other) if (writer + turn) % 2 else (other, READER)
        texts = [text_of(writer, turn, attempt, at) for at in range(self._parameters.batch)]
        return Batch(thread, sender, receiver, [OutgoingText(text, text.removeprefix("text ")) for text in texts])

    async def _note_stored(self, count: int) -> None:
        async with self._more:
            self._stored += count
            self._more.notify_all()

    async def _reach(self, mark: int) -> None:
        async with self._more:
            await self._more.wait_for(lambda: self._stored >= mark or self._done.is_set())

    async def kill(self, world: World, rng: np.random.Generator) -> None:
        """Kill the server while they write, each time a moment after a message was acknowledged."""
        for mark in sorted(rng.integers(self._parameters.messages, size=self._parameters.crashes)):
            await self._reach(mark)
            await asyncio.sleep(rng.uniform(0, _STORING))
            if self._done.is_set():
                return
            await world.crash(_DOWN)
            self.followed.crashes += 1

    async def read(self, database: Database, rng: np.random.Generator) -> None:
        """Read again and again, and once more after the last message was written."""
        recorder = Recorder(self._parameters.writers, self._begun)
        cursor = self._kind.begin(range(1, self._parameters.threads + 1))
        last, turn = False, 0

        async def look(refused: Callable[[DatabaseError], None]) -> dict[str, list[int]]:
            nonlocal cursor
            seen = await _UNTIL_IT_IS_BACK.run(partial(self._look, database, cursor), rng, refused)
            cursor = seen.cursor
            return {
                "threads": [thread for thread, _ in seen.messages],
                "messages": [number for _, number in seen.messages],
            }

        while not last:
            last = self._done.is_set()  # what is acknowledged by now is found by this look, or never
            looked = await recorder.record(LOOK, {}, look, turn=turn, refusable=())
            if looked.value["messages"]:
                self.followed.history.append(looked)
                turn += 1
            await asyncio.sleep(_PAUSE)

    async def _look(self, database: Database, cursor: Cursor) -> Found:
        async with database.session(self._kind.isolation) as tx:
            return await self._kind.read(tx, READER, cursor)
