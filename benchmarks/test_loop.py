"""The simulation's loop: tasks in virtual time, beside SimPy itself, doing the same without asyncio."""

from __future__ import annotations

import asyncio
import time
from statistics import median

import simpy

from chatsim.simulation.loop import run

PAIRS = 100
TRIPS = 200
ROUNDS = 5


async def on_the_loop(pairs):
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
        for _ in range(pairs):
            queues = asyncio.Queue(), asyncio.Queue()
            group.create_task(ping(*queues))
            group.create_task(pong(*queues))


def in_simpy(pairs):
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

    for _ in range(pairs):
        stores = simpy.Store(env), simpy.Store(env)
        env.process(ping(*stores))
        env.process(pong(*stores))
    env.run()


def taken(what):
    begun = time.perf_counter()
    what()
    return time.perf_counter() - begun


def test_tasks_play_ping_pong_beside_simpy_processes(benchmark, sized, rounds):
    """20,000 round trips between 100 pairs, alternating with as many by SimPy processes over `Store`; per 20,000.

    The limit: what SimPy's own heap of events takes.
    """
    theirs, ours, pairs = [], [], sized(PAIRS, 5)

    def setup():
        theirs.append(taken(lambda: in_simpy(pairs)))

    def play():
        ours.append(taken(lambda: run(on_the_loop(pairs))))

    benchmark.group = "the simulation's loop"
    benchmark.pedantic(play, setup=setup, **rounds(ROUNDS))
    count = sized(ROUNDS, 1)  # the first is the warm-up's
    both = zip(theirs[-count:], ours[-count:], strict=True)
    benchmark.extra_info["ratio_to_simpy"] = median(simpys / loops for simpys, loops in both)


def test_1000_tasks_sleep_at_once(benchmark, sized, rounds):
    """Ten sleeps each, which end at different moments; per 10,000 sleeps. The limit: the heap of events."""
    tasks = sized(1_000, 100)

    async def sleeper(number):
        for turn in range(10):
            await asyncio.sleep((number * 7_919 + turn) % 1_000 / 1e3)

    async def crowd():
        async with asyncio.TaskGroup() as group:
            for number in range(tasks):
                group.create_task(sleeper(number))

    benchmark.group = "the simulation's loop"
    benchmark.pedantic(lambda: run(crowd()), **rounds(ROUNDS))
