"""A login after being away: how soon does a client have its first screen, and how soon everything? Is it complete?

A reader on a machine of its own, at a given distance from the nodes, was away while others wrote into its threads. It
connects, logs in, and catches up by a protocol. Writers may go on writing meanwhile. At the end, every acknowledged
message is looked up in the reader's local store, and everything there in the tables.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial

import numpy as np

from chatsim.chat.client.connection import Client, ClientError
from chatsim.chat.creation import STRATEGIES
from chatsim.chat.protocol import OutgoingText, TextReply, TextRequest
from chatsim.chat.retry import POLICIES
from chatsim.chat.server.limits import Limits
from chatsim.experiments.catchup.checks import check_local_store, stored_texts
from chatsim.experiments.catchup.cursors import CURSORS
from chatsim.experiments.catchup.following import untested
from chatsim.experiments.catchup.link import DEADLINE, MACHINE, CountedLink
from chatsim.experiments.catchup.protocols import PROTOCOLS, Protocol
from chatsim.experiments.catchup.readers import CacheReader, FirstScreen, LedgerReader
from chatsim.experiments.catchup.tables import READER, SEEN, Tables
from chatsim.experiments.checks import Verdict, judge, missing
from chatsim.experiments.history import Operation, Outcome, Recorder
from chatsim.worlds.cluster import Cluster, cluster
from chatsim.worlds.world import Distance, World

__all__ = ["Away"]


@dataclass(frozen=True)
class Away:
    """One setting.

    Attributes:
        protocol: a name in `PROTOCOLS`.
        cursor: one of its cursors.
        distance: the distance of the reader.
        threads: the number of threads with missed messages.
        missed: the number of missed messages in each of them.
        quiet: the number of threads without missed messages.
        history: the number of older messages in each thread, which the reader has seen.
        writers: the number of users who write during the catch-up, each at most as many texts as a thread has missed.
            Without this limit a reader with a round trip for ten messages would never finish.
    """

    protocol: str
    cursor: str
    distance: Distance
    threads: int = 100
    missed: int = 50
    quiet: int = 0
    history: int = SEEN
    writers: int = 0

    async def run(self, world: World) -> tuple[dict[str, object], Verdict, list[Operation]]:
        """Run one login. Returns the measures, the verdict, and the history of the writers."""
        protocol, clock = PROTOCOLS[self.protocol], asyncio.get_running_loop().time
        tables = Tables(self.threads, self.missed, self.quiet, self.history)
        await tables.load(world, protocol.schema)
        world.place(MACHINE, self.distance)
        async with AsyncExitStack() as stack:
            nodes = await stack.enter_async_context(_nodes(world, protocol, self.cursor))
            store = world.local_store(":memory:")
            stack.push_async_callback(store.close)
            reader = CacheReader(tables, store) if protocol.at_once is None else LedgerReader(tables, store)
            await reader.fill()
            link = CountedLink()
            client = await link.log_in(world, nodes)
            stack.push_async_callback(client.close)
            writing, screen = _Others(nodes, self.threads, self.writers, self.missed), FirstScreen(tables.screen())
            async with writing.going_on():
                before, passed, begun = await world.costs(), link.bytes, clock()
                await reader.catch_up(client, protocol.at_once or 0, screen)
                took, size = clock() - begun, link.bytes - passed
                trips, requests = client.trips, client.requests
                costs = await world.costs() - before
            await reader.catch_up(client, protocol.at_once or 0, screen)  # what has come meanwhile
            wanted = [*tables.missed_ids, *writing.acknowledged]
            kept = await reader.messages()
            wrong = [*check_local_store(await stored_texts(world.admin), kept, wanted)]
        measures: dict[str, object] = {
            "writers": self.writers,
            "round_trips": trips,
            "requests": requests,
            "bytes": size,
            "connect_ms": link.connect_s * 1e3,
            "login_ms": link.login_s * 1e3,
            "first_screen_ms": None if screen.at is None else (screen.at - begun) * 1e3,
            "caught_up_ms": took * 1e3,
            "lower_bound_ms": (self.distance.rtt + size / self.distance.bandwidth) * 1e3,
            "database_round_trips": costs.round_trips,
            "statements": costs.statements,
            "rows_examined": costs.rows_examined,
            "written": len(writing.acknowledged),
            "writes_per_s": len(writing.acknowledged) / writing.seconds if writing.seconds else None,
            "refused": sum(each.outcome is not Outcome.OK for each in writing.history),
            "lost": len(missing(wanted, (each.message_id for each in kept))),
            "repeated": screen.repeated(),
        }
        verdict = judge(
            writing.history,
            wrong,
            safe=f"every one of {len(wanted):,} acknowledged messages is in the reader's store",
            refused="texts were refused",
            untested=untested(CURSORS[self.cursor], writing.history),
        )
        return measures, verdict, writing.history


class _Others:
    """Other users, who write into the reader's threads until the block ends or their limit is reached.

    Attributes:
        history: the texts that they have sent.
    """

    def __init__(self, nodes: Cluster, threads: int, writers: int, most: int) -> None:
        self._nodes = nodes
        self._threads = threads
        self._writers = writers
        self._most = most
        self._done = False
        self.history: list[Operation] = []

    @property
    def acknowledged(self) -> list[int]:
        """The ids of the messages that were acknowledged."""
        return [number for each in self.history if each.value for number in each.value["messages"]]

    @property
    def seconds(self) -> float:
        """The time for which they have written, in seconds."""
        return max((each.end for each in self.history if each.value), default=0.0)

    @asynccontextmanager
    async def going_on(self) -> AsyncIterator[None]:
        """Let them write during the block."""
        async with AsyncExitStack() as stack:
            clients = []
            for number in range(self._writers):
                uid = READER + 1 + number % self._threads
                clients.append(await self._nodes.log_in(uid, deadline=DEADLINE, machine=f"writer{number}"))
                stack.push_async_callback(clients[-1].close)
            begun = asyncio.get_running_loop().time()
            async with asyncio.TaskGroup() as group:
                for number, client in enumerate(clients):
                    group.create_task(self._write(number, client, begun))
                try:
                    yield
                finally:
                    self._done = True

    async def _write(self, number: int, client: Client, begun: float) -> None:
        thread = 1 + number % self._threads
        recorder = Recorder(number, begun)
        uid = client.uid
        assert uid is not None
        for turn in range(self._most):
            if self._done:
                return
            text = OutgoingText(f"text {turn} of writer {number}", f"w{number}-{turn}")
            send = partial(_send, client, TextRequest(uid, READER, thread, (text,)))
            sent = await recorder.record("write", {"thread": thread}, send, turn=turn, refusable=(ClientError,))
            self.history.append(sent)
            if sent.outcome is not Outcome.OK:
                return


async def _send(client: Client, request: TextRequest, _: object) -> dict[str, list[int]]:
    reply = await client.request(request, TextReply)
    return {"messages": [each.message_id for each in reply.chat_datas]}


@asynccontextmanager
async def _nodes(world: World, protocol: Protocol, cursor: str) -> AsyncIterator[Cluster]:
    retry, chance = POLICIES["retry"], [np.random.default_rng(1)]
    async with cluster(
        world,
        nodes=1,
        pool=8,
        strategy=STRATEGIES["look_first"],
        retry=retry,
        limits=Limits(rate=math.inf, user_leases=math.inf, strangers=True),
        schema=protocol.schema,
        rngs=chance,
        texts=protocol.cursors[cursor],
    ) as there:
        yield there
