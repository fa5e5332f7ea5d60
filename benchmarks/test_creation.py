"""Creating private chats: what a creation costs, by strategy and pattern, on a real MySQL with durable commits.

Each round is one heat of a race: 16 clients, tables emptied and connections leased outside the measured time. The
physical limit of a creation is one durable commit; commits of different clients share one (group commit). `noop`
creates nothing: what it takes is the harness's own.
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
COUNTED = ("round_trips", "statements", "rows_examined", "lock_waits", "deadlocks")


class Heats:
    """Heats of a race, each a round of a benchmark; and the finished variants.

    Args:
        runner: the event loop.
        world: the world.
        strategy: the name of the strategy.
        pattern: the pattern.
        parameters: of the race.
    """

    def __init__(self, runner, world, strategy, pattern, *, clients=CLIENTS, **parameters):
        self._runner, self._world, self._pattern = runner, world, pattern
        self._race = Race(strategies=strategy, pattern=pattern, clients=clients, **parameters)
        (self._strategy,) = named(strategy)
        self.done = []

    def setup(self):
        """Load the tables, and lease the connections."""
        self._context = self._race.heat(self._world, self._strategy, self._pattern)
        self._heat = self._runner.run(self._context.__aenter__())
        self._before = self._runner.run(self._world.costs())

    def drive(self):
        """What is measured: all requests."""
        self._window = self._runner.run(self._heat.drive(SILENT))

    def teardown(self):
        """Close the connections, and judge."""
        costs = self._runner.run(self._world.costs()) - self._before
        kept = self._runner.run(self._heat.kept())
        self._runner.run(self._context.__aexit__(None, None, None))
        self.done.append(self._runner.run(self._heat.judge(self._window, costs, kept)))

    def once(self):
        """A heat that is not a round."""
        self.setup()
        self.drive()
        self.teardown()

    def column(self, name, count):
        """A measure of the last heats."""
        return [float(str(variant[name])) for variant in self.done[-count:]]

    def note(self, benchmark, count):
        """Put the costs, and what else a comparison needs, beside the times."""
        for counted in COUNTED:
            benchmark.extra_info[f"{counted}_per_op"] = median(self.column(f"{counted}_per_op", count))
        benchmark.extra_info["goodput_per_s"] = median(self.column("goodput_per_s", count))
        benchmark.extra_info["verdicts"] = sorted({str(variant["verdict"]) for variant in self.done[-count:]})
        benchmark.extra_info["server_version"] = self._world.environment["server_version"]


@pytest.mark.parametrize("pattern", ["same_pair", "hot_pairs", "strangers"])
@pytest.mark.parametrize("strategy", [*STRATEGIES, "noop"])
def test_16_clients_create_640_chats(  # noqa: PLR0917 - fixtures
    benchmark, runner, world, sized, rounds, strategy, pattern
):
    """640 requests by 16 clients at the store layer; per heat, not per creation. The limit: a durable commit."""
    heats = Heats(runner, world, strategy, pattern, rounds=sized(40, 1))
    benchmark.group = f"creation, {pattern}"
    benchmark.extra_info["reference"] = strategy == "noop"
    benchmark.pedantic(heats.drive, setup=heats.setup, teardown=heats.teardown, **rounds(ROUNDS))
    heats.note(benchmark, sized(ROUNDS, 1))


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("way", ["autocommit", "transaction"])
def test_one_round_trip_creates_beside_mysqlslap(  # noqa: PLR0917 - fixtures
    benchmark, runner, world, mysqlslap, sized, rounds, way, layer
):
    """4,000 creations of strangers by `one_round_trip`, alternating with as many by mysqlslap; per heat.

    mysqlslap's own time, which has its 16 logins in it: some milliseconds of about a second. In the layer ``stack``
    each creation is another user's, logged in on one of four nodes before the measured time. The limit: a commit.
    """
    each = sized(250, 2)
    heats = Heats(runner, world, "one_round_trip", "strangers", rounds=each, **LAYERS[layer])
    theirs = []

    def both():
        theirs.append(runner.run(mysqlslap.rate(way, clients=CLIENTS, creations=CLIENTS * each)))
        heats.setup()

    benchmark.group = "creation beside mysqlslap"
    benchmark.pedantic(heats.drive, setup=both, teardown=heats.teardown, **rounds(ROUNDS))
    count = sized(ROUNDS, 1)  # the first is the warm-up's
    heats.note(benchmark, count)
    ours = heats.column("goodput_per_s", count)
    benchmark.extra_info["mysqlslap_per_s"] = median(theirs[-count:])
    benchmark.extra_info["ratio_to_mysqlslap"] = median(a / b for a, b in zip(ours, theirs[-count:], strict=True))


@pytest.mark.parametrize("clients", [1, 16])
def test_a_noop_passes_the_stack_beside_a_creation(  # noqa: PLR0917 - fixtures
    benchmark, runner, world, sized, rounds, clients
):
    """1,600 requests that create nothing (`noop`) through the stack, alternating with `one_round_trip` without it.

    The ratio is that of the medians of their latencies: at one client, what the stack adds to a creation; at
    sixteen, where requests wait for each other, no more than a bound of that. The limit: two messages over loopback.
    """
    size = {"clients": clients, "rounds": sized(1_600, 16) // clients}
    through = Heats(runner, world, "noop", "strangers", layer="stack", nodes=min(4, clients), **size)
    without = Heats(runner, world, "one_round_trip", "strangers", **size)

    def both():
        without.once()
        through.setup()

    benchmark.group = "the stack's share"
    benchmark.pedantic(through.drive, setup=both, teardown=through.teardown, **rounds(ROUNDS))
    count = sized(ROUNDS, 1)
    through.note(benchmark, count)
    ours, theirs = (each.column("p50_ms", count) for each in (through, without))
    benchmark.extra_info["noop_p50_ms"] = median(ours)
    benchmark.extra_info["one_round_trip_p50_ms"] = median(theirs)
    benchmark.extra_info["ratio_to_one_round_trip"] = median(a / b for a, b in zip(ours, theirs, strict=True))
