"""The reader's connection to its node, with all that passes counted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TypeVar

from chatsim.chat.client.connection import Client
from chatsim.chat.ports import Stream
from chatsim.chat.protocol import CatchUpPart, CatchUpRequest, HeartbeatRequest, Message
from chatsim.experiments.catchup.tables import READER
from chatsim.worlds.cluster import Cluster
from chatsim.worlds.world import World

__all__ = ["DEADLINE", "MACHINE", "CountedClient", "CountedLink"]

MACHINE = "reader"
"""The reader's machine, by name."""

DEADLINE = 600.0
"""Seconds that a request may take."""

R = TypeVar("R", bound=Message)


class _CountedStream:
    """Counts the bytes of both directions."""

    def __init__(self, stream: Stream, line: CountedLink) -> None:
        self._stream = stream
        self._link = line

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)

    async def read(self, limit: int) -> bytes:
        data = await self._stream.read(limit)
        self._link.bytes += len(data)
        return data

    async def write(self, data: bytes) -> None:
        self._link.bytes += len(data)
        await self._stream.write(data)


class CountedClient(Client):
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


class CountedLink:
    """The reader's way to the node.

    Attributes:
        bytes: how many have passed, in both directions.
        connect_s, login_s: how long it took to connect, and then to log in.
    """

    def __init__(self) -> None:
        self.bytes = 0
        self.connect_s = self.login_s = 0.0

    async def log_in(self, world: World, there: Cluster) -> CountedClient:
        """The reader, logged in at the first node."""
        clock = asyncio.get_running_loop().time
        token = await there.status.token(READER)
        begun = clock()
        stream = await world.network_at(MACHINE).connect(there.nodes[0].address)
        self.connect_s = clock() - begun
        client = CountedClient(
            _CountedStream(stream, self),  # type: ignore[arg-type]
            deadline=DEADLINE,
            heartbeat=DEADLINE,
            pushed=None,
        )
        await client.log_in(READER, token)
        self.login_s = clock() - begun - self.connect_s
        client.requests = client.trips = 0
        return client
