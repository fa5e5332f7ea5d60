"""A login after being away: how soon is the first screen there, how soon everything, and is it everything?

A reader on a machine of its own, so far from the nodes as one likes, has been away while others wrote into its threads.
It connects, logs in, and catches up by a protocol; writers may go on writing meanwhile. In the end every acknowledged
message is looked for in the reader's local store.
"""

from __future__ import annotations

import asyncio
import itertools
import math
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from chatsim.chat.client import sync
from chatsim.chat.client.cache import Cache
from chatsim.chat.client.connection import Client, ClientError
from chatsim.chat.creation import STRATEGIES
from chatsim.chat.ports import LocalStore, Stream
from chatsim.chat.protocol import (
    CatchUpPart,
    CatchUpRequest,
    HeartbeatRequest,
    Message,
    NumberedText,
    OutgoingText,
    TextReply,
    TextRequest,
    Thread,
    ThreadState,
    ThreadTexts,
)
from chatsim.chat.retry import POLICIES
from chatsim.chat.server.limits import Limits
from chatsim.chat.server.store.texts import HardenedTexts, SeedTexts, Texts
from chatsim.db.session import Session
from chatsim.experiments.catchup import by_message_id
from chatsim.experiments.checks import Word
from chatsim.worlds.cluster import Cluster, cluster
from chatsim.worlds.loading import add_users, insert
from chatsim.worlds.world import Distance, World

if TYPE_CHECKING:
    pass

__all__ = ["PROTOCOLS", "Away", "CacheReader", "Protocol", "Tables"]

_READER, _MACHINE = 1, "reader"
_SCREEN_THREADS, _SCREEN_TEXTS = 10, 20
_DEADLINE = 600.0
_SEEN = 1
"""So many messages of each thread were seen before, if it has no longer history."""

R = TypeVar("R", bound=Message)


@dataclass(frozen=True)
class Protocol:
    """How a client catches up.

    Attributes:
        name: what it is called.
        bet: what it bets on.
        cursors: the kinds of cursor that it goes by, and for each how nodes keep messages.
        schema: which tables those are for.
        at_once: how many threads are asked without waiting for each other; None: all that is new, by `sync`.
    """

    name: str
    bet: str
    cursors: dict[str, Texts]
    schema: str = "seed"
    at_once: int | None = None


def _by_ids(page: int) -> dict[str, Texts]:
    return {"message_id": SeedTexts(page, locks=False), "message_id_locked": SeedTexts(page)}


_WIDE = 300
"""Messages of a page that is about as long as a frame."""

PROTOCOLS = {
    protocol.name: protocol
    for protocol in (
        Protocol(
            "source", "the source's: a thread after the other, pages of 10, a round trip each", _by_ids(10), at_once=1
        ),
        Protocol("wide_pages", f"as the source's, pages of {_WIDE}", _by_ids(_WIDE), at_once=1),
        Protocol("pipelined", f"pages of {_WIDE}, sixteen threads at once", _by_ids(_WIDE), at_once=16),
        Protocol(
            "bulk",
            "what is new, then all that is missing, streamed; the newest first",
            {"user_version": HardenedTexts()},
            schema="hardened",
        ),
    )
}
"""By name."""


@dataclass(frozen=True)
class Away:
    """One setting.

    Attributes:
        protocol: a name in `PROTOCOLS`.
        cursor: one of its cursors.
        distance: how far the reader is.
        threads: how many threads have news.
        missed: how many messages each of them.
        quiet: how many threads have none.
        history: how many messages of each thread were there before, and have been seen.
        writers: how many write while the reader catches up, each as many texts as a thread has missed at most: they
            are faster than a reader who has a round trip for ten of them, and would never let it come to an end.
    """

    protocol: str
    cursor: str
    distance: Distance
    threads: int = 100
    missed: int = 50
    quiet: int = 0
    history: int = _SEEN
    writers: int = 0

    async def run(self, world: World) -> dict[str, object]:
        """The measures of one login."""
        protocol, clock = PROTOCOLS[self.protocol], asyncio.get_running_loop().time
        tables = Tables(self.threads, self.missed, self.quiet, self.history)
        await tables.load(world, protocol.schema)
        world.place(_MACHINE, self.distance)
        async with AsyncExitStack() as stack:
            there = await stack.enter_async_context(_nodes(world, protocol, self.cursor))
            store = world.local_store(":memory:")
            stack.push_async_callback(store.close)
            reader = CacheReader(tables, store) if protocol.at_once is None else _LedgerReader(tables, store)
            await reader.fill()
            line = _Line()
            client = await line.log_in(world, there)
            stack.push_async_callback(client.close)
            writing, screen = _Writing(there, self.threads, self.writers, self.missed), _Screen(tables.screen())
            async with writing.going_on():
                before, passed, begun = await world.costs(), line.bytes, clock()
                await reader.catch_up(client, protocol.at_once or 0, screen)
                took, size = clock() - begun, line.bytes - passed
                trips, requests = client.trips, client.requests
                costs = await world.costs() - before
            await reader.catch_up(client, protocol.at_once or 0, screen)  # what has come meanwhile
            lost = sorted({*tables.missed_ids, *writing.acknowledged} - {*await reader.messages()})
        return {
            "round_trips": trips,
            "requests": requests,
            "bytes": size,
            "connect_ms": line.connect_s * 1e3,
            "login_ms": line.login_s * 1e3,
            "first_screen_ms": None if screen.at is None else (screen.at - begun) * 1e3,
            "caught_up_ms": took * 1e3,
            "lower_bound_ms": (self.distance.rtt + size / self.distance.bandwidth) * 1e3,
            "statements": costs.statements,
            "rows_examined": costs.rows_examined,
            "written": len(writing.acknowledged),
            "writes_per_s": len(writing.acknowledged) / writing.seconds if writing.seconds else None,
            "refused": len(writing.errors),
            "lost": len(lost),
            "repeated": screen.repeated(),
            "verdict": (Word.UNSAFE if lost else Word.ERRORS if writing.errors else Word.SAFE).value,
            "why": _why(lost, tables, writing),
        }


def _why(lost: Sequence[int], tables: Tables, writing: _Writing) -> str:
    if not lost:
        return next(iter(writing.errors), "every acknowledged message is in the reader's store")
    count = len(tables.missed_ids) + len(writing.acknowledged)
    return f"{len(lost)} of {count} acknowledged messages are not in the reader's store, the first is {lost[0]}"


class Tables:
    """What is in the tables: rows that are made before anything happens, numbered so that each is known."""

    def __init__(self, threads: int, missed: int, quiet: int, history: int) -> None:
        self.active = range(1, threads + 1)
        self.quiet = range(threads + 1, threads + quiet + 1)
        self.all = range(1, threads + quiet + 1)
        self.history = history
        self.missed = missed
        self._seen = len(self.all) * history

    @property
    def missed_ids(self) -> range:
        """The message ids of what was missed."""
        return range(self._seen + 1, self._seen + len(self.active) * self.missed + 1)

    def seen(self, thread: int) -> int:
        """The id of the last message that was seen of a thread."""
        return thread * self.history

    def screen(self) -> set[int]:
        """The ids of the newest messages of the most recent threads."""
        recent = self.active[-_SCREEN_THREADS:]
        newest = range(max(0, self.missed - _SCREEN_TEXTS), self.missed)
        return {self._missed_id(thread, turn) for thread in recent for turn in newest}

    def _missed_id(self, thread: int, turn: int) -> int:
        return self._seen + turn * len(self.active) + thread

    async def load(self, world: World, schema: str) -> None:
        """Make the schema's tables, and fill them."""
        await world.install(schema)
        admin = world.admin
        await add_users(admin, [_READER, *(_READER + thread for thread in self.all)])
        last = {thread: self.history + (self.missed if thread in self.active else 0) for thread in self.all}
        numbered = schema == "hardened"
        threads: list[tuple[object, ...]] = [(thread, "private") for thread in self.all]
        if numbered:
            threads = [(*row, last[thread]) for row, thread in zip(threads, self.all, strict=True)]
        await insert(admin, f"chat_thread (id, type{', last_seq' if numbered else ''})", threads)
        chats = [(thread, _READER, _READER + thread) for thread in self.all]
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
        return number, thread, _READER + thread, _READER, text, seq, f"u{number}"

    async def _load_versions(self, admin: Session) -> None:
        changed = len(self.all)  # what has happened while the reader was away has higher versions
        rows = [(_READER, thread, thread + (changed if thread in self.active else 0)) for thread in self.all]
        await insert(admin, "user_thread (user_id, thread_id, version)", rows)
        await insert(
            admin, "user_thread (user_id, thread_id, version)", [(_READER + each, each, 1) for each in self.all]
        )
        await insert(admin, "user_version (user_id, version)", [(_READER + each, 1) for each in self.all])
        await insert(admin, "user_version (user_id, version)", [(_READER, 2 * changed)])


def _batches(rows: Iterable[tuple[object, ...]]) -> Iterable[list[tuple[object, ...]]]:
    iterator = iter(rows)
    while batch := list(itertools.islice(iterator, 5_000)):
        yield batch


class _LedgerReader:
    """A reader that goes by message ids."""

    def __init__(self, tables: Tables, store: LocalStore) -> None:
        self._tables = tables
        self._ledger = by_message_id.Ledger(store)

    async def fill(self) -> None:
        """Know what was seen before."""
        await self._ledger.open()
        await self._ledger.note_threads([Thread(thread, "private", 0, 0) for thread in self._tables.all])
        for thread in self._tables.all:
            await self._ledger.keep(thread, (), self._tables.seen(thread))

    async def catch_up(self, client: Client, at_once: int, screen: _Screen) -> None:
        """By the source's messages."""
        await by_message_id.catch_up(client, self._ledger, at_once=at_once, stored=screen.stored)

    async def messages(self) -> Sequence[int]:
        """What is in the store."""
        return await self._ledger.messages()


class CacheReader:
    """A reader as chatsim's own client is one.

    Attributes:
        cache: its memory.
    """

    def __init__(self, tables: Tables, store: LocalStore) -> None:
        self._tables = tables
        self._store = store
        self.cache = Cache(store, _READER)

    async def fill(self) -> None:
        """Know what was seen before."""
        await self.cache.open()
        seen = self._tables.history
        states = [
            ThreadState(thread, "private", _READER, _READER + thread, seen, seen, 0, thread, 0)
            for thread in self._tables.all
        ]
        await self.cache.note_threads(states)
        parts = [
            ThreadTexts(thread, (NumberedText(seen, self._tables.seen(thread), 0, "", 0, "", 0, ""),))
            for thread in self._tables.all
        ]
        await self.cache.keep_part(parts)
        await self.cache.note_version(len(self._tables.all))

    async def catch_up(self, client: Client, _: int, screen: _Screen) -> None:
        """By the client's own sync."""

        def stored(threads: Sequence[ThreadTexts]) -> None:
            screen.stored([text.message_id for each in threads for text in each.texts])

        await sync.refresh(client, self.cache)
        await sync.catch_up(client, self.cache, stored)

    async def messages(self) -> Sequence[int]:
        """What is in the store."""
        rows = await self._store.execute("SELECT message_id FROM message")
        return [int(str(number)) for (number,) in rows.rows]


class _Screen:
    """When all of the first screen was in the store; and how often each message has come."""

    def __init__(self, wanted: set[int]) -> None:
        self._wanted = wanted
        self._clock = asyncio.get_running_loop().time
        self._came: Counter[int] = Counter()
        self.at: float | None = None

    def stored(self, ids: Sequence[int]) -> None:
        """Note what has been stored."""
        self._came.update(ids)
        self._wanted.difference_update(ids)
        if not self._wanted and self.at is None:
            self.at = self._clock()

    def repeated(self) -> int:
        """How many messages have come again."""
        return self._came.total() - len(self._came)


class _CountedStream:
    """Counts the bytes of both directions."""

    def __init__(self, stream: Stream, line: _Line) -> None:
        self._stream = stream
        self._line = line

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)

    async def read(self, limit: int) -> bytes:
        data = await self._stream.read(limit)
        self._line.bytes += len(data)
        return data

    async def write(self, data: bytes) -> None:
        self._line.bytes += len(data)
        await self._stream.write(data)


class _CountedClient(Client):
    """Counts its requests, and how many of them had to wait for one another's answers.

    Attributes:
        requests: how many.
        trips: the longest chain of requests each of which was sent when the one before had been answered.
    """

    requests = 0
    trips = 0

    async def request(self, message: Message, reply: type[R]) -> R:
        """As `Client.request`."""
        if isinstance(message, HeartbeatRequest):
            return await super().request(message, reply)
        self.requests += 1
        trips = self.trips + 1
        answer = await super().request(message, reply)
        self.trips = max(self.trips, trips)
        return answer

    async def catch_up(self, request: CatchUpRequest) -> AsyncGenerator[CatchUpPart, None]:
        """As `Client.catch_up`."""
        self.requests += 1
        trips = self.trips + 1
        async with aclosing(super().catch_up(request)) as parts:
            async for part in parts:
                yield part
        self.trips = max(self.trips, trips)


class _Line:
    """The reader's way to the node.

    Attributes:
        bytes: how many have passed, in both directions.
        connect_s, login_s: how long it took to connect, and then to log in.
    """

    def __init__(self) -> None:
        self.bytes = 0
        self.connect_s = self.login_s = 0.0

    async def log_in(self, world: World, there: Cluster) -> _CountedClient:
        """The reader, logged in at the first node."""
        clock = asyncio.get_running_loop().time
        token = await there.status.token(_READER)
        begun = clock()
        stream = await world.network_at(_MACHINE).connect(there.nodes[0].address)
        self.connect_s = clock() - begun
        client = _CountedClient(
            _CountedStream(stream, self),  # type: ignore[arg-type]
            deadline=_DEADLINE,
            heartbeat=_DEADLINE,
            pushed=None,
        )
        await client.log_in(_READER, token)
        self.login_s = clock() - begun - self.connect_s
        client.requests = client.trips = 0
        return client


class _Writing:
    """Others, who write into the reader's threads until the block ends, or as many texts each as they may.

    Attributes:
        acknowledged: the ids of their messages.
        seconds: how long they wrote.
        errors: why one of them gave up, if one did.
    """

    def __init__(self, there: Cluster, threads: int, writers: int, most: int) -> None:
        self._there = there
        self._threads = threads
        self._writers = writers
        self._most = most
        self._done = False
        self.seconds = 0.0
        self.acknowledged: list[int] = []
        self.errors: list[str] = []

    @asynccontextmanager
    async def going_on(self) -> AsyncIterator[None]:
        """Have them write meanwhile."""
        async with AsyncExitStack() as stack:
            clients = []
            for number in range(self._writers):
                uid = _READER + 1 + number % self._threads
                clients.append(await self._there.log_in(uid, deadline=_DEADLINE, machine=f"writer{number}"))
                stack.push_async_callback(clients[-1].close)
            async with asyncio.TaskGroup() as group:
                for number, client in enumerate(clients):
                    group.create_task(self._write(number, client))
                try:
                    yield
                finally:
                    self._done = True

    async def _write(self, number: int, client: Client) -> None:
        thread = 1 + number % self._threads
        clock = asyncio.get_running_loop().time
        begun = clock()
        assert client.uid is not None
        for turn in range(self._most):
            if self._done:
                return
            text = OutgoingText(f"text {turn} of writer {number}", f"w{number}-{turn}")
            request = TextRequest(client.uid, _READER, thread, (text,))
            try:
                reply = await client.request(request, TextReply)
            except ClientError as error:
                self.errors.append(str(error))
                return
            self.acknowledged += [each.message_id for each in reply.chat_datas]
            self.seconds = max(self.seconds, clock() - begun)


@asynccontextmanager
async def _nodes(world: World, protocol: Protocol, cursor: str) -> AsyncIterator[Cluster]:
    import numpy as np

    retry, chance = POLICIES["retry"], [np.random.default_rng(1)]
    async with cluster(
        world,
        nodes=1,
        pool=8,
        strategy=STRATEGIES["look_first"],
        retry=retry,
        limits=Limits(rate=math.inf, strangers=True),
        schema=protocol.schema,
        rngs=chance,
        texts=protocol.cursors[cursor],
    ) as there:
        yield there
