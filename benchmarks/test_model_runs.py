"""A run in the model by number of clients: what a virtual second costs in real ones.

A crowd of the whole stack (clients, wire, nodes, links) has a stand-in for the database, which knows users and nothing
else; ``profile_crowd.py`` says where its time goes. A race has the modelled InnoDB, too.
"""

from __future__ import annotations

import resource
import time

import pytest
from crowds import crowded

from chatsim.experiments.creation.experiment import Race
from chatsim.experiments.crowd import Crowd, summary
from chatsim.progress import Progress
from chatsim.simulation.links import Constant, Link, Topology
from chatsim.simulation.loop import run
from chatsim.worlds.model.settings import Model

DATA_CENTRE = Topology(link=Link(Constant(250e-6), bandwidth=125e6))
COUNTED = ("round_trips", "statements", "rows_examined", "lock_requests", "lock_waits", "deadlocks")


def processor(what):
    """Seconds of this process's processor time."""
    begun = time.process_time()
    what()
    return time.process_time() - begun


def crowd(clients):
    """A crowd on 100 nodes that comes within 10 virtual seconds and stays for 60."""
    visits = run(crowded(Crowd(clients), nodes=100, topology=DATA_CENTRE))
    assert summary(visits)["stayed"] == clients


def race(clients):
    """A race of strangers through the stack, a request of each client; a node for each 100 clients. The variant."""
    parameters = {"strategies": "upsert", "pattern": "strangers", "layer": "stack", "rounds": 1}
    racing = Race(clients=clients, nodes=max(1, clients // 100), **parameters)
    result = racing.result("model")
    Model().run(lambda world: racing.measure(world, result, Progress(shown=False)), seed=1)
    return result.variants[0]


def note_memory(benchmark):
    """The most memory that this process has had."""
    benchmark.extra_info["peak_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


@pytest.mark.parametrize("clients", [100, 1_000, 10_000])
def test_clients_race_in_the_model(benchmark, sized, clients):
    """`upsert` by strangers, through the stack; per race.

    The limit: some 20 messages and 4 statements for each client. ``ratio_per_client_to_a_tenth`` is the processor's
    time of a client beside that in a race of a tenth of the clients: 1 if it only depends on their number.
    """
    clients = sized(clients, max(2, clients // 200))
    few = processor(lambda: race(max(2, clients // 10)))
    spent, done = [], []
    benchmark.group = "a race in the model"
    benchmark.pedantic(lambda: spent.append(processor(lambda: done.append(race(clients)))), rounds=sized(3, 1))
    benchmark.extra_info["cpu_ms_per_client"] = min(spent) / clients * 1e3
    benchmark.extra_info["ratio_per_client_to_a_tenth"] = min(spent) / clients / (few / max(2, clients // 10))
    for counted in COUNTED:
        benchmark.extra_info[f"{counted}_per_op"] = done[-1][f"{counted}_per_op"]
    note_memory(benchmark)


def test_a_crowd_of_10000_stays_on_100_nodes(benchmark, sized):
    """Each connects, logs in and sends heartbeats for 60 virtual seconds; per crowd. The limit: 600,000 frames."""
    clients = sized(10_000, 20)
    benchmark.group = "a crowd in the model"
    benchmark.pedantic(lambda: crowd(clients), rounds=1)
    note_memory(benchmark)


def test_a_crowd_of_ten_times_as_many_takes_ten_times_as_long(benchmark, sized):
    """100,000 clients, after 10,000 of them: the processor's time of each beside that in the smaller crowd."""
    clients = sized(10_000, 20)
    few, many = processor(lambda: crowd(clients)), []
    benchmark.group = "a crowd in the model"
    benchmark.pedantic(lambda: many.append(processor(lambda: crowd(10 * clients))), rounds=1)
    benchmark.extra_info["ratio_per_client_to_a_tenth"] = many[0] / few / 10
    note_memory(benchmark)
