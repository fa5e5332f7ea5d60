"""The race through clients, wire and nodes: the same verdicts as straight on the database, also when a node dies."""

import asyncio
import dataclasses
import itertools
from collections import Counter

import numpy as np
import pytest

from chatsim.chat.creation import STRATEGIES, creation_strategy, named
from chatsim.chat.strategies import StrategyError
from chatsim.db.errors import Kind
from chatsim.experiments.checks import Word
from chatsim.experiments.creation import workload
from chatsim.experiments.creation.callers import devices
from chatsim.experiments.creation.experiment import Race
from chatsim.experiments.creation.workload import PATTERNS
from chatsim.experiments.history import Outcome
from chatsim.worlds.mysql import tcp
from chatsim.worlds.mysql.world import MySQLWorld
from chatsim.worlds.world import BadParameterError, WorldError

QUICK = {"layer": "stack", "clients": 8, "rounds": 20}


@pytest.fixture(autouse=True)
def leaves_no_schema(schemas):
    before = schemas()
    yield
    assert schemas() <= before


@pytest.fixture
def raced(mysql_url):
    """A function that runs a race in a world of its own."""

    async def run(**parameters):
        race = Race(**QUICK | parameters)
        result = race.result("mysql")
        async with MySQLWorld() as world:
            await race.run(world, result)
        return result

    return run


def words(result):
    return {(each["strategy"], each["pattern"]): each.verdict.word.value for each in result.variants}


class After:
    """A progress bar that does something when so many operations have ended."""

    def __init__(self, count, what):
        self._left = count
        self._what = what

    def update(self):
        self._left -= 1
        if self._left == 0:
            self.done = asyncio.create_task(self._what())


# --- verdicts


@pytest.mark.slow
@pytest.mark.parametrize("nodes", [1, 2, 4])
async def test_every_verdict_is_that_of_the_store_layer(nodes, raced, redis_url):
    straight = {  # see test_experiment
        (name, pattern): "not tested" if pattern == "strangers" else "safe"
        for name in STRATEGIES
        for pattern in PATTERNS
    }
    straight |= {("unordered", "same_pair"): "unsafe", ("unordered", "hot_pairs"): "unsafe"}
    assert words(await raced(strategies="all", pattern=PATTERNS, nodes=nodes)) == straight


async def test_without_retry_for_update_has_errors_at_either_layer(raced):
    for parameters in ({"nodes": 2}, {"layer": "store"}):
        (variant,) = (await raced(strategies="for_update", retry="none", **parameters)).variants
        assert variant.verdict.word is Word.ERRORS
        refused = [step for step in variant.operations if step.outcome is not Outcome.OK]
        assert {step.outcome for step in refused} == {Outcome.FAIL}
        assert variant["refusals"]["deadlock"] == len(refused)


async def test_what_the_nodes_try_again_is_counted_though_callers_do_not_see_it(raced):
    result = await raced(strategies="for_update,one_round_trip", nodes=2)
    first, second = result.rows()
    assert first["deadlocks_per_op"] > 0.1
    assert first["retries_per_op"] >= first["deadlocks_per_op"]
    assert (second["deadlocks_per_op"], second["retries_per_op"]) == (0, 0)
    assert {step.attempts for variant in result.variants for step in variant.operations} == {1}


async def test_noop_creates_nothing_and_is_caught(raced):
    (variant,) = (await raced(strategies="noop", nodes=2)).variants
    assert variant.verdict.word is Word.UNSAFE
    assert {anomaly.kind for anomaly in variant.verdict.anomalies} == {"lost pair"}
    assert variant["round_trips_per_op"] == 0
    assert "noop" not in {strategy.name for strategy in named("all")}


async def test_a_row_says_how_it_was_measured(raced):
    (row,) = (await raced(strategies="one_round_trip", nodes=3, pool=2)).rows()
    assert (row["layer"], row["nodes"], row["pool"], row["rate"]) == ("stack", 3, 2, None)


async def test_a_broken_strategy_is_one_clear_sentence_though_a_node_runs_it(raced):
    @creation_strategy()
    async def forgets(tx, low, high):
        await tx.begin()
        return 1

    with pytest.raises(StrategyError, match=r"^strategy 'forgets' returned with its transaction open"):
        await raced(strategies=forgets, nodes=2)


# --- who is where


@pytest.mark.parametrize("nodes", range(2, 8))
def test_the_members_of_a_pair_are_never_on_the_same_node(nodes):
    for low, high in itertools.combinations(range(1, 12), 2):
        of_low = {home for rank in range(8) for _, home in devices(nodes, rank, [(low, high)])}
        of_high = {home for rank in range(8) for _, home in devices(nodes, rank, [(high, low)])}
        assert not of_low & of_high
        assert len(of_low) == len(of_high) == nodes // 2


def test_with_one_node_all_are_there():
    assert devices(1, 3, [(1, 2), (2, 1), (1, 3)]) == [(1, 0), (2, 0)]


@pytest.mark.parametrize(("clients", "nodes", "pool"), [(16, 1, 16), (16, 2, 8), (16, 3, 8), (16, 4, 4), (5, 4, 2)])
@pytest.mark.parametrize("pairs", [1, 2])
async def test_a_pool_has_a_connection_for_every_client_that_a_round_brings_to_its_node(clients, nodes, pool, pairs):
    race = Race(layer="stack", clients=clients, nodes=nodes, pairs=pairs)
    assert race.pool_size == pool
    calls = workload.make(
        "same_pair", clients=clients, rounds=1, pairs=pairs, existing=0, ids="rising", rng=np.random.default_rng(1)
    ).calls
    homes = Counter(home for number, own in enumerate(calls) for _, home in devices(nodes, number // (2 * pairs), own))
    assert max(homes.values()) <= pool * pairs
    if clients % (2 * pairs * nodes) == 0:
        assert set(homes.values()) == {clients // nodes}


# --- the open loop


@pytest.mark.parametrize("layer", ["store", "stack"])
@pytest.mark.parametrize("pattern", PATTERNS)
async def test_in_an_open_loop_latency_counts_from_the_time_that_was_drawn(layer, pattern, raced):
    result = await raced(strategies="one_round_trip,upsert", pattern=pattern, layer=layer, rate=2_000.0, rounds=10)
    first, second = ([(step.client, step.round, step.intended) for step in each.operations] for each in result.variants)
    due = {(client, turn): when for client, turn, when in first}
    assert {(client, turn): pytest.approx(when) for client, turn, when in second} == due
    assert all(step.start >= step.intended for each in result.variants for step in each.operations)
    assert (result.samples["latency_ms"] >= result.samples["service_ms"]).all()
    assert {*words(result).values()} == {"not tested" if pattern == "strangers" else "safe"}
    assert "open loop at 2,000.0/s" in result.conditions()
    for row in result.rows():
        assert row["p50_ms"] >= row["service_p50_ms"]


async def test_in_an_open_loop_a_late_caller_does_not_wait_and_its_latency_shows_the_queue(raced):
    (variant,) = (await raced(strategies="one_round_trip", layer="store", clients=1, rate=1e6, rounds=50)).variants
    steps = sorted(variant.operations, key=lambda step: step.round)
    for before, after in itertools.pairwise(steps):
        assert after.start >= before.end > after.intended
    assert steps[-1].end - steps[-1].intended > 10 * (steps[-1].end - steps[-1].start)


# --- a node dies


@pytest.mark.parametrize("pattern", ["same_pair", "strangers"])
@pytest.mark.parametrize(("retry", "outcomes"), [("retry", {Outcome.OK}), ("none", {Outcome.OK, Outcome.UNKNOWN})])
async def test_a_node_killed_in_the_middle_costs_its_clients_a_retry_or_certainty_and_nobody_the_verdict(
    pattern, retry, outcomes, mysql_url
):
    race = Race(strategies="one_round_trip", pattern=pattern, nodes=4, retry=retry, **QUICK)
    (strategy,) = named("one_round_trip")
    async with MySQLWorld() as world:
        async with race.heat(world, strategy, pattern) as heat:
            before = await world.costs()
            bar = After(40, heat.nodes.nodes[1].kill)
            window = await heat.drive(bar)
            await bar.done
            costs = await world.costs() - before
            kept = await heat.kept()
        variant = await heat.judge(window, costs, kept)
    assert len(variant.operations) == 160
    assert {step.outcome for step in variant.operations} == outcomes
    safe = Word.SAFE if pattern == "same_pair" else Word.NOT_TESTED
    assert variant.verdict.word is (safe if retry == "retry" else Word.ERRORS)
    met = [step for step in variant.operations if Kind.NODE_LOST in step.refusals]
    assert met
    assert {step.attempts > 1 for step in met} == {retry == "retry"}


# --- what can't be


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"layer": "cloud"}, "unknown layer 'cloud'; there are: store, stack"),
        ({"layer": "stack", "nodes": 0}, "nodes is 0; it must be a whole number of at least 1"),
        ({"layer": "stack", "pool": 0}, "pool is 0; it must be a whole number of at least 1"),
        ({"rate": 0.0}, "rate is 0.0; it must be a number from 0.001 to 1,000,000 per second"),
        ({"rate": float("nan")}, "rate is nan; it must be a number from 0.001 to 1,000,000 per second"),
        ({"rate": float("inf")}, "rate is inf; it must be a number from 0.001 to 1,000,000 per second"),
        ({"nodes": 2}, "nodes is 2, which does nothing here: only with the layer stack"),
        ({"pool": 2}, "pool is 2, which does nothing here: only with the layer stack"),
    ],
)
def test_a_parameter_that_makes_no_sense_is_named(parameters, sentence):
    with pytest.raises(BadParameterError, match=f"^{sentence}$"):
        Race(**parameters)


async def test_more_sockets_than_the_process_may_open_are_named(raced, monkeypatch):
    monkeypatch.setattr(tcp.resource, "getrlimit", lambda _: (256, 300))
    with pytest.raises(
        WorldError, match=r"^320 sockets are needed, and this process may open 300 files \(ulimit -Hn\)$"
    ):
        await raced(strategies="noop", pattern="strangers")


def test_the_parameters_are_plain_values():
    race = Race(layer="stack", nodes=4, rate=100.0)
    config = race.config()
    assert {name: config[name] for name in ("layer", "nodes", "pool", "rate")} == {
        "layer": "stack",
        "nodes": 4,
        "pool": 4,
        "rate": 100.0,
    }
    assert dataclasses.replace(race, layer="store", nodes=1).config()["pool"] is None
    assert "noop" not in STRATEGIES
