"""The model: what a virtual second costs in real ones.

The loop is measured against SimPy itself, doing the same without asyncio; a crowd of the whole stack (clients, wire,
nodes, links) has a stand-in for the database, which knows users and nothing else; ``profile_crowd.py`` says where its
time goes.
"""

from __future__ import annotations

import asyncio
import resource
import time
from statistics import median

import simpy
from crowds import crowded

from chatsim.experiments.crowd import Crowd, summary
from chatsim.simulation.links import Constant, Link, Topology
from chatsim.simulation.loop import run

PAIRS = 100
TRIPS = 200
ROUNDS = 5
DATA_CENTRE = Topology(link=Link(Constant(250e-6), bandwidth=125e6))


async def on_the_loop():
    """Pairs of tasks that play ping-pong over queues, with a sleep each."""

    async def ping(out, back):
        for _ in range(TRIPS):
            await asyncio.sleep(0.001)
            await out.put(None)
            await back.get()

    async def pong(out, back):
        for _ in range(TRIPS):
            await out.get()
            await asyncio.sleep(0.001)
            await back.put(None)

    async with asyncio.TaskGroup() as group:
        for _ in range(PAIRS):
            queues = asyncio.Queue(), asyncio.Queue()
            group.create_task(ping(*queues))
            group.create_task(pong(*queues))


def in_simpy():
    """The same as SimPy processes over stores."""
    env = simpy.Environment()

    def ping(out, back):
        for _ in range(TRIPS):
            yield env.timeout(0.001)
            yield out.put(None)
            yield back.get()

    def pong(out, back):
        for _ in range(TRIPS):
            yield out.get()
            yield env.timeout(0.001)
            yield back.put(None)

    for _ in range(PAIRS):
        stores = simpy.Store(env), simpy.Store(env)
        env.process(ping(*stores))
        env.process(pong(*stores))
    env.run()


def taken(what):
    begun = time.perf_counter()
    what()
    return time.perf_counter() - begun


def test_ping_pong_beside_simpy(benchmark):
    """20,000 round trips between 100 pairs, alternating with as many by SimPy processes over `Store`."""
    theirs, ours = [], []

    def setup():
        theirs.append(taken(in_simpy))

    def play():
        ours.append(taken(lambda: run(on_the_loop())))

    benchmark.group = "the model's loop"
    benchmark.pedantic(play, setup=setup, rounds=ROUNDS, warmup_rounds=1)
    benchmark.extra_info["ratio_to_simpy"] = median(s / o for s, o in zip(theirs[1:], ours[1:], strict=True))


def crowd(clients):
    """A crowd on 100 nodes that comes within 10 virtual seconds and stays for 60."""
    visits = run(crowded(Crowd(clients), nodes=100, topology=DATA_CENTRE))
    assert summary(visits)["stayed"] == clients


def test_a_crowd_of_10_000_on_100_nodes(benchmark):
    """Each connects, logs in and sends heartbeats for 60 virtual seconds."""
    benchmark.group = "a crowd"
    benchmark.pedantic(lambda: crowd(10_000), rounds=1)
    benchmark.extra_info["peak_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def test_ten_times_the_crowd(benchmark):
    """100,000 clients, after 10,000 of them: how many times the time."""
    few = taken(lambda: crowd(10_000))
    many = []
    benchmark.group = "a crowd"
    benchmark.pedantic(lambda: many.append(taken(lambda: crowd(100_000))), rounds=1)
    benchmark.extra_info["times_the_time"] = many[0] / few
    benchmark.extra_info["peak_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
