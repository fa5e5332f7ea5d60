"""Reading the thread list and a history: a page by strategy and depth, and a whole history beside other readers.

The whole history has 100,000 messages and is read from its beginning to its end, by `keyset` in pages of 100. Rates of
the same rows on the same tables, in turns: the driver alone; a bare pipeline in one process (driver, JSON, list); the
stack of client, wire and node; and the ``mysql`` client, in C, which reads them by one statement and prints them. The
driver's is the limit of what is beneath it; the pipeline's is what the stack is held to.
"""

from __future__ import annotations

import asyncio
import math
import time
from contextlib import ExitStack
from statistics import median

import msgspec
import numpy as np
import pytest
from counting.cases import counted
from tqdm.auto import tqdm

from chatsim.chat.creation import named
from chatsim.chat.paging import DEFAULTS, STRATEGIES
from chatsim.chat.protocol import HistoryText, LoadMessagesReply, LoadMessagesRequest
from chatsim.chat.retry import POLICIES
from chatsim.chat.server.limits import Limits
from chatsim.experiments.paging.experiment import DEPTHS
from chatsim.experiments.paging.lists import SCHEMA, lists
from chatsim.worlds.cluster import cluster

PAGE, ROUNDS = 100, 5
SIZES = {"threads": (10_000, 500), "history": (100_000, 1_000)}


@pytest.fixture(scope="module", params=SIZES)
def listed(request, runner, world, sized):
    """One of the two lists, loaded."""
    source = lists(request.param, [sized(*SIZES[request.param])])
    runner.run(world.install(SCHEMA))
    runner.run(source.load(world.admin, bar=lambda rows: tqdm(total=rows, disable=True)))
    return source


@pytest.fixture
def session(runner, world):
    """A session of a pool of one connection."""
    with ExitStack() as stack:

        def entered(context):
            value = runner.run(context.__aenter__())
            stack.callback(lambda: runner.run(context.__aexit__(None, None, None)))
            return value

        yield entered(entered(world.database(1)).session())


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize(
    ("listed", "name"),
    [(what, name) for what, shipped in STRATEGIES.items() for name in shipped],
    indirect=["listed"],
    scope="module",  # else the list is loaded again for each test
)
def test_a_page_is_read(  # noqa: PLR0917 - fixtures
    benchmark, runner, world, listed, session, rounds, name, depth
):
    """One page of 100, straight on the driver; per page. The limit: one round trip, and 101 rows of one index."""
    (size,) = listed.sizes
    strategy, of, before = STRATEGIES[listed.what][name], listed.of(size), DEPTHS[depth](size, PAGE)
    cursor = runner.run(strategy(session, of, None, before)).cursor if before else None
    benchmark.group = f"a page of {listed.what}, {depth}"
    benchmark.pedantic(lambda: runner.run(strategy(session, of, cursor, PAGE)), **rounds(50))
    page, costs = runner.run(counted(world, session, lambda: strategy(session, of, cursor, PAGE)))
    benchmark.extra_info |= {
        "round_trips": costs.round_trips,
        "rows_examined": costs.rows_examined,
        "bytes": len(msgspec.json.encode(page.rows)),
        "server_version": world.environment["server_version"],
    }


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


@pytest.mark.parametrize("listed", ["history"], indirect=True, scope="module")
def test_a_whole_history_is_read_beside_a_pipeline(  # noqa: PLR0917 - fixtures
    benchmark, runner, world, listed, client, sized, rounds
):
    """100,000 messages, by each way in turns; per round of all ways. The limit: what the driver alone reads."""
    (size,) = listed.sizes
    thread = listed.of(size)
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
            connection = await nodes.log_in(listed.reader(size), deadline=60)
            try:
                await read(tx, connection)
            finally:
                await connection.close()

    def noted(way, begun, found):
        rates[way].append(len(found) / (time.perf_counter() - begun))
        assert len(found) == size, f"{way} read {len(found):,}"

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

    benchmark.group = "a whole history"
    benchmark.pedantic(lambda: runner.run(through(in_turns)), **rounds(ROUNDS))
    count = sized(ROUNDS, 1)  # the first is the warm-up's
    for way, found in rates.items():
        benchmark.extra_info[f"{way.replace(' ', '_')}_per_s"] = median(found[-count:])
    for other in ("pipeline", "mysql client"):
        ratios = [ours / theirs for ours, theirs in zip(rates["stack"][-count:], rates[other][-count:], strict=True)]
        benchmark.extra_info[f"ratio_to_{other.replace(' ', '_')}"] = median(ratios)
    benchmark.extra_info["server_version"] = world.environment["server_version"]
