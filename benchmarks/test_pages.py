"""Reading a history of 100,000 messages from its beginning to its end, by `keyset` in pages of 100.

Rates of the same rows on the same tables, in turns: the driver alone; a bare pipeline in one process (driver, JSON,
list); the stack of client, wire and node; and the ``mysql`` client, in C, which reads them by one statement and
prints them. The driver's is the limit of what is beneath it; the pipeline's is what the stack is
held to.
"""

from __future__ import annotations

import asyncio
import math
import time
from statistics import median

import msgspec
import numpy as np
import pytest
from tqdm.auto import tqdm

from chatsim.chat.creation import named
from chatsim.chat.paging import DEFAULTS, STRATEGIES
from chatsim.chat.protocol import HistoryText, LoadMessagesReply, LoadMessagesRequest
from chatsim.chat.retry import POLICIES
from chatsim.chat.server.limits import Limits
from chatsim.experiments.paging.lists import SCHEMA, lists
from chatsim.worlds.cluster import cluster

MESSAGES, PAGE, ROUNDS = 100_000, 100, 5


@pytest.fixture(scope="module")
def history(runner, world):
    """The thread, loaded."""
    source = lists("history", [MESSAGES])
    runner.run(world.install(SCHEMA))
    runner.run(source.load(world.admin, bar=lambda rows: tqdm(total=rows, disable=True)))
    return source


async def by_driver(tx, thread):
    cursor, more, found = None, True, []
    while more:
        page = await DEFAULTS["history"](tx, thread, cursor, PAGE)
        cursor, more = page.cursor, page.more
        found += page.rows
    return found


async def by_pipeline(tx, thread):
    cursor, more, found = None, True, []
    while more:
        page = await DEFAULTS["history"](tx, thread, cursor, PAGE)
        texts = tuple(HistoryText(sender, number, thread, 0, content, at) for number, sender, content, at in page.rows)
        sent = msgspec.json.encode(LoadMessagesReply(0, thread, page.cursor, page.more, texts))
        reply = msgspec.json.decode(sent, type=LoadMessagesReply)
        cursor, more = reply.last_message_id, reply.load_more
        found += reply.chat_datas
    return found


async def by_stack(connection, thread):
    cursor, more, found = 0, True, []
    while more:
        reply = await connection.request(LoadMessagesRequest(thread, cursor), LoadMessagesReply)
        cursor, more = reply.last_message_id, reply.load_more
        found += reply.chat_datas
    return found


def by_client(client, thread):
    columns = "message_id, sender_id, content, created_at"
    where = f"chat_message FORCE INDEX (idx_thread_message) WHERE thread_id = {thread} ORDER BY message_id"
    return client.lines(f"SELECT {columns} FROM {where}")


def test_a_history_of_100000_messages(benchmark, runner, world, history, client):
    """Each way reads all of it, in turns."""
    thread = history.of(MESSAGES)
    rates: dict[str, list[float]] = {"driver": [], "pipeline": [], "stack": [], "mysql client": []}

    async def through(read):
        async with (
            world.database(1) as database,
            database.session() as tx,
            cluster(
                world,
                nodes=1,
                pool=1,
                strategy=named("look_first")[0],
                retry=POLICIES["none"],
                limits=Limits(rate=math.inf, user_leases=math.inf),
                schema=SCHEMA,
                rngs=[np.random.default_rng(0)],
            ) as nodes,
        ):
            connection = await nodes.log_in(history.reader(MESSAGES), deadline=60)
            try:
                await read(tx, connection)
            finally:
                await connection.close()

    def noted(way, begun, found):
        rates[way].append(len(found) / (time.perf_counter() - begun))
        assert len(found) == MESSAGES, f"{way} read {len(found):,}"

    async def in_turns(tx, connection):
        for way, read in (
            ("driver", by_driver(tx, thread)),
            ("pipeline", by_pipeline(tx, thread)),
            ("stack", by_stack(connection, thread)),
        ):
            begun = time.perf_counter()
            noted(way, begun, await read)
        begun = time.perf_counter()
        noted("mysql client", begun, await asyncio.to_thread(by_client, client, thread))

    benchmark.group = "a history of 100,000 messages"
    benchmark.pedantic(lambda: runner.run(through(in_turns)), rounds=ROUNDS, warmup_rounds=1)
    for way, found in rates.items():
        benchmark.extra_info[f"{way.replace(' ', '_')}_per_s"] = median(found[1:])
    ratios = [stack / bare for stack, bare in zip(rates["stack"][1:], rates["pipeline"][1:], strict=True)]
    benchmark.extra_info["stack_to_pipeline"] = median(ratios)


@pytest.mark.parametrize("strategy", [*STRATEGIES["history"]])
def test_a_page_from_the_middle_of_a_history(benchmark, runner, world, history, strategy):
    """One page of 100; per page, straight on the driver."""
    chosen, thread = STRATEGIES["history"][strategy], history.of(MESSAGES)

    async def at():
        async with world.database(1) as database, database.session() as tx:
            return (await chosen(tx, thread, None, MESSAGES // 2)).cursor

    async def read(tx, cursor):
        page = await chosen(tx, thread, cursor, PAGE)
        assert len(page.rows) == PAGE

    cursor = runner.run(at())
    pool = world.database(1)
    database = runner.run(pool.__aenter__())
    lease = database.session()
    tx = runner.run(lease.__aenter__())
    benchmark.group = "a page from the middle of 100,000 messages"
    benchmark.pedantic(lambda: runner.run(read(tx, cursor)), rounds=50, warmup_rounds=5)
    runner.run(lease.__aexit__(None, None, None))
    runner.run(pool.__aexit__(None, None, None))
    benchmark.extra_info["server_version"] = world.environment["server_version"]
