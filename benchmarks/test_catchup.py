"""Catching up into the client's SQLite, from the first request to the last commit: by protocol, and a large one.

The large one has 100,000 messages. Rates of the same rows on the same tables, in turns: the stack of client, wire and
node (`bulk`, no distance); a bare pipeline in one process (driver, JSON, JSON, SQLite), which is what the stack is held
to; and the ``mysql`` client, in C, which reads the rows by one statement and prints them.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import sqlite3
import time
from statistics import median

import msgspec
import numpy as np
import pytest
from stopwatch import STOPWATCH

from chatsim.chat.client import sync
from chatsim.chat.creation import named
from chatsim.chat.protocol import CatchUpPart, NumberedText, ThreadTexts
from chatsim.chat.retry import POLICIES
from chatsim.chat.server.limits import Limits
from chatsim.chat.server.store.texts import HardenedTexts
from chatsim.experiments.catchup.away import Away
from chatsim.experiments.catchup.protocols import PROTOCOLS
from chatsim.experiments.catchup.readers import CacheReader
from chatsim.experiments.catchup.tables import READER, Tables
from chatsim.worlds.cluster import cluster
from chatsim.worlds.world import Distance

THREADS, MISSED, ROUNDS = 100, 1_000, 3
LINE = Distance(rtt=0.05, bandwidth=20e6 / 8)
PAGE = 250
"""Messages that the pipeline reads at once: of one thread, as the node does."""


async def by_pipeline(tx, path, tables):
    """Read pages, encode and decode each, keep it in a transaction of its own, with where to go on."""
    kept = sqlite3.connect(path, isolation_level=None)
    kept.execute(
        "CREATE TABLE message (thread_id INTEGER, seq INTEGER, message_id INTEGER UNIQUE, sender INTEGER,"
        " unique_id TEXT, msg_type INTEGER, content TEXT, status INTEGER, chat_time TEXT,"
        " PRIMARY KEY (thread_id, seq)) WITHOUT ROWID"
    )
    kept.execute("CREATE TABLE cursor (thread_id INTEGER PRIMARY KEY, seq INTEGER)")
    for thread in tables.active:
        seq, more = tables.history, True
        while more:
            (texts,) = await HardenedTexts().between(tx, [(thread, seq, 0)], PAGE)
            more = len(texts) == PAGE
            sent = msgspec.json.encode(CatchUpPart((ThreadTexts(thread, tuple(texts)),)))
            (part,) = msgspec.json.decode(sent, type=CatchUpPart).threads
            if not part.texts:
                break
            seq = part.texts[-1].seq
            kept.execute("BEGIN")
            kept.executemany("INSERT INTO message VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", _rows(thread, part.texts))
            kept.execute("INSERT OR REPLACE INTO cursor VALUES (?, ?)", (thread, seq))
            kept.execute("COMMIT")
    (count,) = kept.execute("SELECT COUNT(*) FROM message").fetchone()
    kept.close()
    return count


def _rows(thread, texts: tuple[NumberedText, ...]):
    return [
        (
            thread,
            one.seq,
            one.message_id,
            one.sender,
            one.unique_id,
            one.msg_type,
            one.content,
            one.status,
            one.chat_time,
        )
        for one in texts
    ]


async def by_stack(connection, cache):
    await sync.refresh(connection, cache)
    await sync.catch_up(connection, cache)


def by_client(client, tables):
    columns = "thread_id, seq, message_id, sender_id, unique_id, msg_type, content, status, created_at"
    return len(client.lines(f"SELECT {columns} FROM chat_message WHERE seq > {tables.history}"))


@pytest.mark.benchmark(timer=STOPWATCH)
@pytest.mark.parametrize(
    ("protocol", "cursor"), [(each.name, own) for each in PROTOCOLS.values() for own in each.cursors]
)
def test_a_client_catches_up(benchmark, runner, world, sized, protocol, cursor):  # noqa: PLR0917 - fixtures
    """100 threads with 50 missed messages each, 50 ms and 20 Mbit/s away; per catch-up, without the login.

    The limit (`ratio_to_bound`): one round trip, and the bytes at the bandwidth of the line.
    """
    away = Away(protocol, cursor, LINE, threads=sized(100, 5), missed=sized(50, 10))
    found = []

    def catch_up():
        measures, verdict, _ = runner.run(away.run(world))
        STOPWATCH.add(measures["caught_up_ms"] / 1e3)
        found.append(measures)
        assert not verdict.anomalies

    benchmark.group = "a catch-up by protocol"
    benchmark.pedantic(catch_up, rounds=sized(ROUNDS, 1))
    for counted in ("round_trips", "requests", "bytes", "statements", "rows_examined", "first_screen_ms"):
        benchmark.extra_info[counted] = median(each[counted] for each in found)
    benchmark.extra_info["ratio_to_bound"] = median(each["caught_up_ms"] / each["lower_bound_ms"] for each in found)
    benchmark.extra_info["server_version"] = world.environment["server_version"]


def test_100000_messages_are_caught_up_beside_a_pipeline(  # noqa: PLR0917 - fixtures
    benchmark, runner, world, client, tmp_path, sized, rounds
):
    """Each way has all of them, in turns; per round of all ways. What a round leaves is a new file each time.

    The limit: what the ``mysql`` client reads, which stores nothing.
    """
    missed = sized(MISSED, 10)
    messages = THREADS * missed
    tables = Tables(THREADS, missed, 0, 1)
    runner.run(tables.load(world, "hardened"))
    rates: dict[str, list[float]] = {"stack": [], "pipeline": [], "mysql client": []}
    numbers = itertools.count()

    def noted(way, begun, count):
        rates[way].append(messages / (time.perf_counter() - begun))
        assert count == messages, f"{way} has {count:,}"

    async def in_turns():
        number = next(numbers)
        async with (
            world.database(1) as database,
            database.session() as tx,
            cluster(
                world,
                nodes=1,
                pool=8,
                strategy=named("look_first")[0],
                retry=POLICIES["none"],
                limits=Limits(rate=math.inf, user_leases=math.inf),
                schema="hardened",
                rngs=[np.random.default_rng(0)],
            ) as nodes,
        ):
            store = world.local_store(str(tmp_path / f"stack{number}.db"))
            reader = CacheReader(tables, store)
            await reader.fill()
            connection = await nodes.log_in(READER, deadline=600)
            try:
                begun = time.perf_counter()
                await by_stack(connection, reader.cache)
                took = begun, len(await reader.messages())
            finally:
                await connection.close()
                await store.close()
            noted("stack", *took)
            begun = time.perf_counter()
            noted("pipeline", begun, await by_pipeline(tx, tmp_path / f"pipeline{number}.db", tables))
            begun = time.perf_counter()
            noted("mysql client", begun, await asyncio.to_thread(by_client, client, tables))

    benchmark.group = "a large catch-up"
    benchmark.pedantic(lambda: runner.run(in_turns()), **rounds(ROUNDS))
    count = sized(ROUNDS, 1)  # the first is the warm-up's
    for way, found in rates.items():
        benchmark.extra_info[f"{way.replace(' ', '_')}_per_s"] = median(found[-count:])
    for other in ("pipeline", "mysql client"):
        ratios = [ours / theirs for ours, theirs in zip(rates["stack"][-count:], rates[other][-count:], strict=True)]
        benchmark.extra_info[f"ratio_to_{other.replace(' ', '_')}"] = median(ratios)
    benchmark.extra_info["server_version"] = world.environment["server_version"]
