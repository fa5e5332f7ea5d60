"""Delivering texts: sends per second and how soon the reader is told, by where the nodes are and where the reader is.

Eight authors, each with a reader, send 50 texts each, one after the other, each read before the next. The database is
durable. Nodes of one process share its memory, and its one core; as processes they have a Redis and gRPC between them,
and on a machine with few cores they share those with the clients and the database.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from statistics import median

import numpy as np
import pytest
from stopwatch import STOPWATCH
from tqdm.auto import tqdm

from chatsim.experiments.delivery.experiment import HOPS, PATHS, Delivery, converse
from chatsim.experiments.statistics import percentile
from chatsim.worlds.cluster import MISSED_REPORTS
from chatsim.worlds.loading import add_users
from chatsim.worlds.mysql.nodes import node_processes
from chatsim.worlds.mysql.redis_presence import RedisDirectory, RedisRegistry
from chatsim.worlds.world import Sharing

ROUNDS, PAIRS = 3, 8
SILENT = tqdm(disable=True)
WORDS = ("--tables", "hardened", "--chats", "anybody")


@asynccontextmanager
async def as_processes(world, parameters):
    """Doors to nodes that are processes."""
    url = await world.redis_url()
    await world.install("hardened")
    await add_users(world.admin, range(1, 2 * parameters.pairs + 1))
    registry = RedisRegistry(url)
    sharing = Sharing("redis", "grpc")
    try:
        async with node_processes(
            world, nodes=parameters.nodes, port=0, words=WORDS, redis_url=url, sharing=sharing
        ) as service:
            nodes = await RedisDirectory(registry, MISSED_REPORTS).nodes()
            yield lambda uid, node: service.login_for(uid, nodes[node].address)
    finally:
        await registry.close()


@asynccontextmanager
async def in_process(world, parameters):
    """Doors to nodes that are this process."""
    async with parameters.nodes_running(world, Sharing(), 2 * parameters.pairs) as door:
        yield door


WHERE = {"in process": in_process, "as processes": as_processes}


NODES = {f"{where}-{nodes}": (where, nodes) for where in WHERE for nodes in (1, 2, 4)}


@pytest.fixture(scope="module", params=NODES.values(), ids=NODES.keys())
def running(request, runner, world):
    """So many nodes, for both paths: where they are, how many, and the doors to them."""
    where, nodes = request.param
    context = WHERE[where](world, Delivery(nodes=nodes, pairs=PAIRS, paths="same"))
    yield where, nodes, runner.run(context.__aenter__())
    runner.run(context.__aexit__(None, None, None))


@pytest.mark.benchmark(timer=STOPWATCH)
@pytest.mark.parametrize("path", PATHS)
def test_8_authors_send_400_texts(benchmark, runner, world, sized, rounds, running, path):  # noqa: PLR0917 - fixtures
    """400 texts, each acknowledged, pushed and read; per 400 texts, logins and a few texts to warm up aside.

    The limit: a durable commit for each text, and six messages over loopback.
    """
    where, nodes, door = running
    if nodes == 1 and path == "across":
        pytest.skip("one node has no across")
    parameters = Delivery(nodes=nodes, pairs=PAIRS, texts=sized(50, 2), paths=path)
    rates, texts, spent, rng = [], [], [], np.random.default_rng(PATHS.index(path))

    def talk():
        before = runner.run(world.costs())
        window, sent, _ = runner.run(converse(parameters, path, door, rng, SILENT))
        STOPWATCH.add(window)
        spent.append(runner.run(world.costs()) - before)
        rates.append(len(sent) / window)
        texts.extend(sent)

    benchmark.group = f"delivery, {nodes} nodes"
    benchmark.pedantic(talk, **rounds(ROUNDS))
    benchmark.extra_info["texts_per_s"] = median(rates[-sized(ROUNDS, 1) :])
    if where == "in process":  # what processes ask is not counted here
        benchmark.extra_info["statements"] = spent[-1].statements
        benchmark.extra_info["round_trips"] = spent[-1].round_trips
    benchmark.extra_info["server_version"] = world.environment["server_version"]
    for hop in HOPS:
        times = np.array([each.value[hop] * 1e3 for each in texts if hop in each.value])
        for q in (50, 99):
            benchmark.extra_info[f"{hop}_p{q}_ms"] = percentile(times, q)
    assert all("pushed" in each.value for each in texts), "no push was lost"
