"""Cases of reading: pages of long lists, straight and through a chat server, and catching up by each protocol."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial

import msgspec
import numpy as np
from tqdm.auto import tqdm

from chatsim.chat.client.connection import Client
from chatsim.chat.creation import STRATEGIES as CREATION
from chatsim.chat.paging import STRATEGIES, WHATS
from chatsim.chat.protocol import (
    LoadMessagesReply,
    LoadMessagesRequest,
    LoadThreadsReply,
    LoadThreadsRequest,
    encode,
)
from chatsim.chat.retry import POLICIES
from chatsim.chat.server.limits import Limits
from chatsim.experiments.catchup.away import Away
from chatsim.experiments.catchup.protocols import PROTOCOLS
from chatsim.experiments.paging.experiment import DEPTHS
from chatsim.experiments.paging.lists import SCHEMA, Lists, lists
from chatsim.worlds.cluster import cluster
from chatsim.worlds.world import Distance, World
from counting.cases import Case, Counts, counted, plain

__all__ = ["cases"]

SIZE, PAGE = 500, 100
_NEAR = Distance(rtt=0.001)
_THREADS, _MISSED, _QUIET = 10, 60, 20


def cases() -> Iterator[Case]:
    """Pages by strategy and depth; pages that a server reads for a client; a catch-up by each protocol and cursor."""
    for what in WHATS:
        list_of = f"a list of {SIZE:,} threads" if what == "threads" else f"a history of {SIZE:,} messages"
        yield Case(f"a page of {list_of}", partial(pages, what), one_caller=True)
        yield Case(f"a client's page of {list_of}", partial(page_of_client, what))
    for protocol in PROTOCOLS.values():
        # the server of the chats has several connections, and each needs a statement before its first use: how many are
        # used depends on how soon the last one is free again, and, of requests under way together, on much more
        timed = ("round trips" if protocol.at_once != 1 else "database round trips", "statements", "rows examined")
        for cursor in protocol.cursors:
            name = f"a catch-up by {protocol.name} and {cursor}"
            yield Case(name, partial(catch_up, protocol.name, cursor), one_caller=True, timed=timed)


@asynccontextmanager
async def _loaded(world: World, what: str) -> AsyncIterator[Lists]:
    stock = lists(what, [SIZE])
    await world.install(SCHEMA)
    await stock.load(world.admin, bar=lambda rows: tqdm(total=rows, disable=True))
    yield stock


async def pages(what: str, world: World) -> Counts:
    """The first, a middle and the last page, by every strategy."""
    found: dict[str, int | None] = {}
    async with _loaded(world, what) as stock, world.database(1) as database, database.session() as tx:
        of = stock.of(SIZE)
        for name, strategy in STRATEGIES[what].items():
            for depth, place in DEPTHS.items():
                before = place(SIZE, PAGE)
                cursor = (await strategy(tx, of, None, before)).cursor if before else None
                page, costs = await counted(world, tx, partial(strategy, tx, of, cursor, PAGE))
                about = f"{name}, {depth}, "
                found |= plain(costs, about=about) | {f"{about}bytes": len(msgspec.json.encode(page.rows))}
    return found


async def page_of_client(what: str, world: World) -> Counts:
    """The first page and the last one, as a client gets them from a chat server."""
    found: dict[str, int | None] = {}
    async with _loaded(world, what) as stock, _client(world, stock.reader(SIZE)) as client:
        last = stock.ids(SIZE, "id")[-PAGE - 1]
        for depth, after in (("first", 0), ("last", last)):
            before = await world.costs()
            reply = (
                await client.request(LoadThreadsRequest(stock.of(SIZE), after), LoadThreadsReply)
                if what == "threads"
                else await client.request(LoadMessagesRequest(stock.of(SIZE), after), LoadMessagesReply)
            )
            spent = plain(await world.costs() - before, about=f"{depth}, ")
            found |= spent | {f"{depth}, bytes": len(encode(reply))}
    return found


@asynccontextmanager
async def _client(world: World, uid: int) -> AsyncIterator[Client]:
    nodes = cluster(
        world,
        nodes=1,
        pool=1,
        strategy=CREATION["look_first"],
        retry=POLICIES["none"],
        limits=Limits(rate=math.inf, user_leases=math.inf),
        schema=SCHEMA,
        rngs=[np.random.default_rng(0)],
    )
    async with nodes as running:
        client = await running.log_in(uid, deadline=60)
        try:
            yield client
        finally:
            await client.close()


async def catch_up(protocol: str, cursor: str, world: World) -> Counts:
    """A reader who has missed 60 messages in each of ten threads, and nothing in twenty others."""
    away = Away(protocol, cursor, _NEAR, threads=_THREADS, missed=_MISSED, quiet=_QUIET)
    measures, _, _ = await away.run(world)
    names = ("round_trips", "requests", "bytes", "database_round_trips", "statements", "rows_examined", "lost")
    return {name.replace("_", " "): measures[name] for name in names}  # type: ignore[misc]
