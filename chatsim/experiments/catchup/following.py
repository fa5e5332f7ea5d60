"""Writers write, a reader follows, straight on the database: does it find every acknowledged message?

Cursors are compared straight on the database: writers write, a reader follows, and every acknowledged message is looked
for among those that it has found. If the server is killed meanwhile, all of them connect again: a writer tries once
more, the reader goes on from the cursor that it has kept. Protocols are compared through the whole stack:
`chatsim.experiments.catchup.away`.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Never

from chatsim.chat.protocol import OutgoingText
from chatsim.chat.retry import Retry
from chatsim.chat.server.store.texts import Batch
from chatsim.db.errors import DatabaseError
from chatsim.db.session import Database
from chatsim.experiments.catchup.cursors import Cursor, CursorKind, Found
from chatsim.experiments.checks import Word
from chatsim.experiments.together import side_by_side
from chatsim.worlds.loading import add_users, insert
from chatsim.worlds.world import Distance, World

if TYPE_CHECKING:
    import numpy as np
    from tqdm.auto import tqdm

__all__ = ["READER", "Followed", "Following", "Look", "Lost", "Written"]

READER = 1
"""The user who was away; the others are numbered from 2."""

_EXPLAINED = 3
"""So many lost messages are explained."""

_PAUSE = 0.002
"""Between two looks, in seconds."""

_JITTER = 0.3
"""How much a writer's distance varies from one message to the next; else writers fall into step."""

_NEAREST = 0.1
"""The nearest that a writer can be, as a share of the farthest."""

_UNTIL_IT_IS_BACK = Retry("until it is back", 2_000, (0.001, 0.020))
"""For longer than a killed server takes to recover."""

_DOWN = 0.05
"""How long a killed server stays down, in seconds."""

_STORING = 0.01
"""The longest time from a mark to the kill, in seconds: about as long as it takes to store a message."""


@dataclass(frozen=True, slots=True)
class Written:
    """A transaction of a writer's; times in seconds since the run began.

    Attributes:
        writer: whose.
        thread: into which thread.
        ids: the messages that it stored, by message id.
        begun: when it began.
        ended: when its commit was acknowledged.
    """

    writer: int
    thread: int
    ids: Sequence[int]
    begun: float
    ended: float

    def __str__(self) -> str:
        return f"writer {self.writer}, {self.begun:.4f} to {self.ended:.4f} s, messages {_range(self.ids)}"


@dataclass(frozen=True, slots=True)
class Look:
    """One look of the reader's.

    Attributes:
        at: when it was over.
        found: what it found, the message ids of each thread.
    """

    at: float
    found: Mapping[int, Sequence[int]]


@dataclass(frozen=True, slots=True)
class Lost:
    """An acknowledged message that the reader never found.

    Attributes:
        message: its id.
        of: the transaction that stored it.
        passed: the one whose message took the cursor past it, if it is known.
        at: when the reader went past it.
    """

    message: int
    of: Written
    passed: Written | None
    at: float | None

    def __str__(self) -> str:
        if self.passed is None or self.at is None:
            return f"message {self.message} of thread {self.of.thread} was never found: {self.of}"
        return (
            f"message {self.message} of thread {self.of.thread} was never found: at {self.at:.4f} s the reader had\n"
            f"  seen     {self.passed}\n  not yet  {self.of}"
        )


@dataclass
class Followed:
    """What came of it.

    Attributes:
        written: the writers' transactions.
        looks: the reader's.
        seconds: how long the writers took.
        refused: how often the database refused a writer, or was lost.
        crashes: how often it was killed.
        errors: why a writer gave up, if one did.
    """

    written: list[Written] = field(default_factory=list)
    looks: list[Look] = field(default_factory=list)
    seconds: float = 0.0
    refused: int = 0
    crashes: int = 0
    errors: list[str] = field(default_factory=list)

    def refuse(self, _: DatabaseError) -> None:
        """Count a refusal."""
        self.refused += 1

    def lost(self) -> list[Lost]:
        """The acknowledged messages that were not found, and who overtook them."""
        found = {number for look in self.looks for ids in look.found.values() for number in ids}
        missing = [(number, each) for each in self.written for number in each.ids if number not in found]
        if not missing:
            return []
        by_id = {number: each for each in self.written for number in each.ids}
        return [self._lost(number, each, by_id) for number, each in missing]

    def _lost(self, number: int, of: Written, by_id: Mapping[int, Written]) -> Lost:
        for look in self.looks:
            later = [other for other in look.found.get(of.thread, ()) if other > number]
            if later:
                return Lost(number, of, by_id.get(min(later)), look.at)
        return Lost(number, of, None, None)

    def count(self) -> int:
        """How many messages were acknowledged."""
        return sum(len(each.ids) for each in self.written)

    def repeated(self) -> int:
        """How many messages were read again."""
        count = sum(len(ids) for look in self.looks for ids in look.found.values())
        return count - len({number for look in self.looks for ids in look.found.values() for number in ids})

    def word(self, lost: Sequence[Lost]) -> Word:
        """The verdict."""
        return Word.UNSAFE if lost else Word.ERRORS if self.errors else Word.SAFE

    def why(self, lost: Sequence[Lost]) -> str:
        """The verdict in a sentence, then the first of what was lost, with the transactions that did it."""
        if not lost:
            return self.errors[0] if self.errors else "every acknowledged message was found"
        return "\n".join(
            [f"{len(lost)} of {self.count()} acknowledged messages were never found", *map(str, lost[:_EXPLAINED])]
        )


@dataclass(frozen=True)
class Following:
    """Writers write into threads of a reader who follows.

    Attributes:
        kind: the cursor.
        writers: how many, each with a connection of its own.
        threads: how many threads; each message's is drawn.
        messages: how many in all.
        batch: messages in a transaction.
        rtt: the round trip from the farthest writer to the database, in seconds; each is at between a tenth of that and
            all of it. 0: all are where everybody is.
        crashes: how often the database server is killed while they write.
        seed: of who writes into which thread, of the pauses of refused writers, of how far each is from the database,
            and of when it is killed.
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
        """Run it in a world, in fresh tables. Raises a `WorldError` when the server can't be killed."""
        import numpy as np

        threads = range(1, self.threads + 1)
        await world.install(self.kind.schema)
        for table in self.kind.tables:
            await world.admin.execute(table)
        await add_users(world.admin, [READER, *(READER + thread for thread in threads)])
        await insert(world.admin, "chat_thread (id, type)", [(thread, "private") for thread in threads])
        chats = [(thread, READER, READER + thread) for thread in threads]
        await insert(world.admin, "private_chat (thread_id, user1_id, user2_id)", chats)
        *seeds, places, faults, looks = np.random.SeedSequence(self.seed).spawn(self.writers + 3)
        # not the same machines: one that was removed stays where it is, in this world's next run too
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
        return run.followed


class _Run:
    """Writers and a reader at work."""

    def __init__(self, parameters: Following, begun: float) -> None:
        self._parameters = parameters
        self._kind = parameters.kind
        self._begun = begun
        self._done = asyncio.Event()
        self._stored = 0
        self._more = asyncio.Condition()
        self.followed = Followed()

    def _now(self) -> float:
        return asyncio.get_running_loop().time() - self._begun

    async def write_all(self, pools: Sequence[Database], rngs: Sequence[np.random.Generator], bar: tqdm[Never]) -> None:
        """Let all writers write; those that the database refuses for good are noted."""
        work = (self._write(number, pool, rng, bar) for number, (pool, rng) in enumerate(zip(pools, rngs, strict=True)))
        for outcome in await asyncio.gather(*work, return_exceptions=True):
            if isinstance(outcome, DatabaseError):
                self.followed.errors.append(str(outcome))
            elif outcome is not None:
                raise outcome
        self.followed.seconds = self._now()
        self._done.set()
        await self._tell(0)

    async def _write(self, writer: int, pool: Database, rng: np.random.Generator, bar: tqdm[Never]) -> None:
        size = self._parameters
        for turn in range(-(-size.messages // (size.writers * size.batch))):
            thread = int(rng.integers(size.threads)) + 1
            once = partial(self._once, pool, writer, turn, thread, itertools.count())
            begun = self._now()
            ids = await _UNTIL_IT_IS_BACK.run(once, rng, self.followed.refuse)
            self.followed.written.append(Written(writer, thread, ids, begun, self._now()))
            bar.update(len(ids))
            await self._tell(len(ids))

    async def _once(self, pool: Database, writer: int, turn: int, thread: int, tries: Iterator[int]) -> Sequence[int]:
        # what was cut off may be stored or not: each try has names of its own, and is another message
        batch = self._batch(writer, turn, thread, next(tries))
        async with pool.session(self._kind.isolation) as tx:
            return await self._kind.write(tx, batch)

    def _batch(self, writer: int, turn: int, thread: int, attempt: int) -> Batch:
        """Both members write, so that the locks of a thread and of its users are taken by either."""
        other = READER + thread
        sender, receiver = (READER, other) if (writer + turn) % 2 else (other, READER)
        names = [f"{writer}-{turn}-{attempt}-{at}" for at in range(self._parameters.batch)]
        return Batch(thread, sender, receiver, [OutgoingText(f"text {name}", name) for name in names])

    async def _tell(self, stored: int) -> None:
        async with self._more:
            self._stored += stored
            self._more.notify_all()

    async def _reach(self, mark: int) -> None:
        async with self._more:
            await self._more.wait_for(lambda: self._stored >= mark or self._done.is_set())

    async def kill(self, world: World, rng: np.random.Generator) -> None:
        """Kill the server so often while they write, each time a moment after a message was acknowledged."""
        for mark in sorted(rng.integers(self._parameters.messages, size=self._parameters.crashes)):
            await self._reach(mark)
            await asyncio.sleep(rng.uniform(0, _STORING))
            if self._done.is_set():
                return
            await world.crash(_DOWN)
            self.followed.crashes += 1

    async def read(self, database: Database, rng: np.random.Generator) -> None:
        """Follow, until what is written last has been looked for."""
        cursor = self._kind.begin(range(1, self._parameters.threads + 1))
        last = False
        while not last:
            last = self._done.is_set()  # what is acknowledged by now is found by this look, or never
            found = await _UNTIL_IT_IS_BACK.run(partial(self._look, database, cursor), rng, _pass)
            cursor = found.cursor
            by_thread: dict[int, list[int]] = {}
            for thread, number in found.messages:
                by_thread.setdefault(thread, []).append(number)
            if by_thread:
                self.followed.looks.append(Look(self._now(), by_thread))
            await asyncio.sleep(_PAUSE)

    async def _look(self, database: Database, cursor: Cursor) -> Found:
        async with database.session(self._kind.isolation) as tx:
            return await self._kind.read(tx, READER, cursor)


def _pass(_: DatabaseError) -> None:
    """What the reader is refused does not count."""


def _range(ids: Sequence[int]) -> str:
    return f"{ids[0]}" if len(ids) == 1 else f"{min(ids)} to {max(ids)}"
