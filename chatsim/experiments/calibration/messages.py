"""What the chat's messages cost of this process: of a client and a node together, which are one process here.

One client sends a request of one kind again and again. What the driver does for the node's own requests to the database
is in it, and is known from the scripts straight on the database (`chatsim.experiments.calibration.micro`).
"""

from __future__ import annotations

import asyncio
import itertools
import math
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass

import numpy as np

from chatsim.chat.client.connection import Client
from chatsim.chat.creation import look_first
from chatsim.chat.protocol import (
    CatchUpRequest,
    CreatePrivateChatReply,
    CreatePrivateChatRequest,
    HeartbeatReply,
    HeartbeatRequest,
    HistoryReply,
    HistoryRequest,
    LoadMessagesReply,
    LoadMessagesRequest,
    LoadThreadsReply,
    LoadThreadsRequest,
    Message,
    OutgoingText,
    ReadReply,
    ReadRequest,
    TextReply,
    TextRequest,
    ThreadStatesReply,
    ThreadStatesRequest,
    encode,
)
from chatsim.chat.retry import POLICIES
from chatsim.chat.server.limits import Limits
from chatsim.experiments.calibration.micro import INTERPRETER
from chatsim.worlds.cluster import Cluster, cluster
from chatsim.worlds.loading import add_users, insert
from chatsim.worlds.world import World

__all__ = ["KINDS", "SCHEMA", "ChatMicros", "Handled", "Kind"]

SCHEMA = "hardened"
"""The tables of the chat in which messages are measured."""

_ME, _OTHER, _THREAD = 1, 2, 1
_TEXTS = 100
"""As many as a page has."""

_NUMBERED = 9
"""Values of a text with its number."""

_ALL = 10**9
"""A read position behind all texts."""

_DEVICES = 8
_CONTENT = "x" * 40
_PATIENCE = 10.0  # seconds until a request counts as failed


@dataclass(frozen=True)
class Chat:
    """A client that is logged in, on a cluster of one node.

    Attributes:
        running: the cluster.
        client: the client.
        numbers: are never given twice.
        heard: the latest notice of each device of the other user.
    """

    running: Cluster
    client: Client
    numbers: Iterator[int]
    heard: Sequence[deque[Message]]


@dataclass(frozen=True)
class Kind:
    """A kind of request.

    Attributes:
        name: its class.
        ask: sends one, and waits for the reply. Returns what came.
        writes: how often the node writes to a client for it.
        devices: how many devices of the other user are online and are told of it.
        values: how many values of its entries the database sends.
        behind: the kind of another request that is sent before each; its work is not in that of this one.
    """

    name: str
    ask: Callable[[Chat], Awaitable[Sequence[Message]]]
    writes: int = 1
    devices: int = 0
    values: int = 0
    behind: str = ""


@dataclass(frozen=True)
class Handled:
    """Requests of one kind that were handled for some time.

    Attributes:
        kind: the kind.
        operations: how many.
        client_cpu: seconds of a core of this process, for one of them.
        idle: seconds in which this process had nothing to do, for one of them.
        round_trips, statements: what one of them asked of the database.
        size: the bytes that came for the last one, to all devices.
    """

    kind: Kind
    operations: int
    client_cpu: float
    idle: float
    round_trips: float
    statements: float
    size: int


async def _log_in(chat: Chat) -> Sequence[Message]:
    visitor = await chat.running.log_in(_OTHER, deadline=_PATIENCE)
    await visitor.close()
    return ()


def _asking(request: Message, reply: type[Message]) -> Callable[[Chat], Awaitable[Sequence[Message]]]:
    async def ask(chat: Chat) -> Sequence[Message]:
        return (await chat.client.request(request, reply),)

    return ask


async def _send(chat: Chat) -> Sequence[Message]:
    text = OutgoingText(_CONTENT, f"calibration-{next(chat.numbers)}")
    return (await chat.client.request(TextRequest(_ME, _OTHER, _THREAD, (text,)), TextReply),)


async def _send_and_read(chat: Chat) -> Sequence[Message]:
    await _send(chat)
    return (await chat.client.request(ReadRequest(_THREAD, _ALL), ReadReply),)


async def _catch_up(chat: Chat) -> Sequence[Message]:
    request = CatchUpRequest((_THREAD,), (0,), (1 + _TEXTS,))
    async with aclosing(chat.client.catch_up(request)) as parts:
        return [part async for part in parts]


KINDS = (
    Kind("HeartbeatRequest", _asking(HeartbeatRequest(_ME), HeartbeatReply)),
    Kind("LoginRequest", _log_in),
    Kind("CreatePrivateChatRequest", _asking(CreatePrivateChatRequest(_ME, _OTHER), CreatePrivateChatReply)),
    Kind("LoadThreadsRequest", _asking(LoadThreadsRequest(_ME, 0), LoadThreadsReply), values=4),
    Kind("ThreadStatesRequest", _asking(ThreadStatesRequest(0, 0), ThreadStatesReply), values=19),
    Kind("LoadMessagesRequest", _asking(LoadMessagesRequest(_THREAD, 0), LoadMessagesReply), values=4 * _TEXTS),
    Kind("HistoryRequest", _asking(HistoryRequest(_THREAD, 2, backward=True), HistoryReply), values=_NUMBERED),
    Kind(
        "HistoryRequest",
        _asking(HistoryRequest(_THREAD, 1 + _TEXTS, backward=True), HistoryReply),
        values=_NUMBERED * _TEXTS,
    ),
    Kind("CatchUpRequest", _catch_up, writes=2, values=_NUMBERED * _TEXTS),
    Kind("TextRequest", _send),
    Kind("TextRequest", _send, writes=1 + _DEVICES, devices=_DEVICES),
    Kind("ReadRequest", _send_and_read, behind="TextRequest"),
)
"""All kinds that are measured: those of which there are many in a chat. The chat that is created is there."""


class ChatMicros:
    """Measures what messages cost in a world whose tables are those of `SCHEMA`.

    Args:
        world: the world.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._numbers = itertools.count()

    async def prepare(self) -> None:
        """Fill the tables: two users with a thread of some texts."""
        admin = self._world.admin
        await add_users(admin, [_ME, _OTHER])
        await insert(admin, "chat_thread (id, type)", [(_THREAD, "private")])
        await insert(admin, "private_chat (thread_id, user1_id, user2_id)", [(_THREAD, _ME, _OTHER)])
        for member in (_ME, _OTHER):
            await insert(admin, "user_version (user_id, version)", [(member, 1)])
            await insert(admin, "user_thread (user_id, thread_id, version)", [(member, _THREAD, 1)])
        async with self._chatting(devices=0) as chat:
            for _ in range(_TEXTS):
                await _send(chat)

    async def measure(self, kind: Kind, seconds: float) -> Handled:
        """Let a client repeat requests of a kind for some time, after a fifth of that as a warm-up."""
        clock = asyncio.get_running_loop().time
        async with self._chatting(kind.devices) as chat:

            async def repeat(length: float) -> tuple[int, int]:
                came: Sequence[Message] = ()
                until, count = clock() + length, 0
                while clock() < until:
                    came = await kind.ask(chat)
                    count += 1
                return count, sum(
                    len(encode(each)) for each in (*came, *(one for heard in chat.heard for one in heard))
                )

            await repeat(seconds / 5)
            before, begun = await self._world.costs(), clock()
            count, size = await repeat(seconds)
            took = clock() - begun
            spent = await self._world.costs() - before
        cpu = spent.busy[INTERPRETER].seconds
        return Handled(
            kind,
            count,
            cpu / count,
            max(0.0, took - cpu) / count,
            spent.round_trips / count,
            spent.statements / count,
            size,
        )

    @asynccontextmanager
    async def _chatting(self, devices: int) -> AsyncIterator[Chat]:
        """A client on a cluster of one node, and so many devices of the other user that are told of its texts."""
        async with AsyncExitStack() as stack:
            running = await stack.enter_async_context(
                cluster(
                    self._world,
                    nodes=1,
                    pool=1,
                    strategy=look_first,
                    retry=POLICIES["none"],
                    limits=Limits(rate=1e9, user_leases=math.inf, strangers=True),
                    schema=SCHEMA,
                    rngs=[np.random.default_rng(1)],
                )
            )
            heard = [deque[Message](maxlen=1) for _ in range(devices)]
            for each in heard:
                device, _ = await running.login_for(_OTHER)(each.append)
                stack.push_async_callback(device.close)
            client = await running.log_in(_ME, deadline=_PATIENCE)
            stack.push_async_callback(client.close)
            yield Chat(running, client, self._numbers, heard)
