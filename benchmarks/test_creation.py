"""Creating private chats: what a creation costs, by strategy and pattern, on a real MySQL with durable commits.

Each round is one heat of a race: 16 clients, tables emptied and connections leased outside the measured time. The
physical limit of a creation is one durable commit; commits of different clients share one (group commit).
"""

from __future__ import annotations

from statistics import median

import pytest
from tqdm.auto import tqdm

from chatsim.chat.creation import STRATEGIES, named
from chatsim.experiments.creation.experiment import Race

CLIENTS = 16
ROUNDS = 5
SILENT = tqdm(disable=True)


LAYERS = {"store": {}, "stack": {"layer": "stack", "nodes": 4}}


def heats(runner, world, strategy, pattern, *, clients=CLIENTS, **parameters):
    """A set-up, a body and a tear-down for `benchmark.pedantic`, and the finished variants."""
    race = Race(strategies=strategy, pattern=pattern, clients=clients, **parameters)
    (named_so,) = named(strategy)
    state, done = {}, []

    def setup():
        state["context"] = race.heat(world, named_so, pattern)
        state["heat"] = runner.run(state["context"].__aenter__())
        state["before"] = runner.run(world.costs())

    def drive():
        state["window"] = runner.run(state["heat"].drive(SILENT))

    def teardown():
        heat = state["heat"]
        costs = runner.run(world.costs()) - state["before"]
        kept = runner.run(heat.kept())
        runner.run(state["context"].__aexit__(None, None, None))
        done.append(runner.run(heat.judge(state["window"], costs, kept)))

    return setup, drive, teardown, done


def note(benchmark, world, variants):
    """Put the deterministic costs, and what else a comparison needs, beside the times."""
    rows = [variant.row() for variant in variants]
    for counted in ("round_trips", "statements", "rows_examined", "lock_waits", "deadlocks"):
        benchmark.extra_info[f"{counted}_per_op"] = median(float(row[f"{counted}_per_op"]) for row in rows)
    benchmark.extra_info["goodput_per_s"] = median(float(row["goodput_per_s"]) for row in rows)
    benchmark.extra_info["verdicts"] = sorted({str(row["verdict"]) for row in rows})
    benchmark.extra_info["server_version"] = world.environment["server_version"]


@pytest.mark.parametrize("pattern", ["same_pair", "hot_pairs", "strangers"])
@pytest.mark.parametrize("strategy", [*STRATEGIES])
def test_a_heat_of_640_creations(benchmark, runner, world, strategy, pattern):
    """640 requests by 16 clients; per heat, not per creation."""
    setup, drive, teardown, done = heats(runner, world, strategy, pattern, rounds=40)
    benchmark.group = pattern
    benchmark.pedantic(drive, setup=setup, teardown=teardown, rounds=ROUNDS, warmup_rounds=1)
    note(benchmark, world, done[-ROUNDS:])


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("way", ["autocommit", "transaction"])
def test_one_round_trip_beside_mysqlslap(  # noqa: PLR0917 - fixtures
    benchmark, runner, world, mysqlslap, way, layer
):
    """4,000 creations of strangers by `one_round_trip`, alternating with as many by mysqlslap; per heat.

    mysqlslap's own time, which has its 16 logins in it: some milliseconds of about a second. In the layer ``stack``
    each creation is another user's, logged in on one of four nodes before the measured time.
    """
    setup, drive, teardown, done = heats(runner, world, "one_round_trip", "strangers", rounds=250, **LAYERS[layer])
    theirs = []

    def both():
        theirs.append(runner.run(mysqlslap.rate(way, clients=CLIENTS, creations=CLIENTS * 250)))
        setup()

    benchmark.group = "beside mysqlslap"
    benchmark.pedantic(drive, setup=both, teardown=teardown, rounds=ROUNDS, warmup_rounds=1)
    counted = slice(-ROUNDS, None)  # the first is the warm-up's
    note(benchmark, world, done[counted])
    ours = [float(str(variant["goodput_per_s"])) for variant in done[counted]]
    benchmark.extra_info["mysqlslap_per_s"] = median(theirs[counted])
    benchmark.extra_info["ratio_to_mysqlslap"] = median(a / b for a, b in zip(ours, theirs[counted], strict=True))


@pytest.mark.parametrize("clients", [1, 16])
def test_what_the_stack_adds(benchmark, runner, world, clients):
    """1,600 requests that create nothing (`noop`) through the stack, alternating with `one_round_trip` without it.

    The share is the ratio of the medians of their latencies: at one client, what the stack adds to a creation; at
    sixteen, where requests wait for each other, no more than a bound of that.
    """
    size = {"clients": clients, "rounds": 1_600 // clients}
    stack = {"layer": "stack", "nodes": min(4, clients)}
    setup, drive, teardown, done = heats(runner, world, "noop", "strangers", **size, **stack)
    *bare, straight = heats(runner, world, "one_round_trip", "strangers", **size)

    def both():
        for step in bare:
            step()
        setup()

    benchmark.group = "the stack's share"
    benchmark.pedantic(drive, setup=both, teardown=teardown, rounds=ROUNDS, warmup_rounds=1)
    counted = slice(-ROUNDS, None)
    note(benchmark, world, done[counted])
    through, without = (
        [float(str(variant["p50_ms"])) for variant in variants[counted]] for variants in (done, straight)
    )
    benchmark.extra_info["noop_p50_ms"] = median(through)
    benchmark.extra_info["one_round_trip_p50_ms"] = median(without)
    benchmark.extra_info["share"] = median(a / b for a, b in zip(through, without, strict=True))
