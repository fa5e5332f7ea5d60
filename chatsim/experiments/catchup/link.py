"""The reader's connection to its node. It counts bytes and requests."""

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
"""The name of the reader's machine."""

DEADLINE = 600.0
"""The largest time for a request, in seconds."""

R = TypeVar("R", bound=Message)


class _CountedStream:
    """Counts the bytes of both directions."""

    def __init__(self, stream: Stream, line: CountedLink) -> None:
        self._stream = stream
        self._link = line

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)

    async def read(self, limit: int, least: int = 1) -> bytes:
        data = await self._stream.read(limit, least)
        self._link.bytes += len(data)
        return data

    async def write(self, data: bytes) -> None:
        self._link.bytes += len(data)
        await self._stream.write(data)


class CountedClient(Client):
    """A client that counts its requests, and how many of them had to wait for earlier replies.

    Attributes:
        requests: the number of requests.
        trips: the longest chain of requests in which each was sent after the reply to the one before.
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
    """The reader's link to the node.

    Attributes:
        bytes: the number of bytes, in both directions.
        connect_s, login_s: the time to connect, and then to log in, in seconds.
    """

    def __init__(self) -> None:
        self.bytes = 0
        self.connect_s = self.login_s = 0.0

    async def log_in(self, world: World, there: Cluster) -> CountedClient:
        """Log the reader in at the first node."""
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
