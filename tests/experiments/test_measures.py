"""The measures of a history are those that a hand computes."""

from collections import Counter

import pytest

from chatsim.chat.server.stats import Stats
from chatsim.db.errors import Kind
from chatsim.experiments.history import Operation, Outcome
from chatsim.experiments.measures import measures
from chatsim.worlds.world import Costs


def created(start, end, *, intended=None, outcome=Outcome.OK, refusals=()):
    attempts = len(refusals) + (outcome is Outcome.OK)
    due = start if intended is None else intended
    return Operation(0, 0, "create", {}, due, start, end, outcome, attempts=attempts, refusals=refusals)


def measured(operations, *, window=2.0):
    costs = Costs(round_trips=40, statements=80, rows_examined=None, lock_waits=4)
    return measures(operations, window, Stats(), costs)


def test_the_measures_are_those_a_hand_computes():
    late = [created(1.0, 1.25, intended=0.75) for _ in range(10)]  # 500 ms, though served in 250 ms
    retried = [
        created(0.0, 0.1, refusals=(Kind.DEADLOCK, Kind.DUPLICATE_KEY)),
        created(0.0, 0.1, refusals=(Kind.DEADLOCK,)),
    ]
    refused = [
        created(0.0, 9.0, outcome=Outcome.FAIL, refusals=(Kind.DEADLOCK,)),
        created(0.0, 9.0, outcome=Outcome.UNKNOWN, refusals=(Kind.CONNECTION_LOST,)),
    ]
    row = measured(late + retried + refused)
    assert row["operations"] == 14
    assert row["goodput_per_s"] == 6.0, "12 that succeeded in 2 s"
    assert row["p50_ms"] == pytest.approx(500.0), "from the intended start, successful ones only"
    assert row["service_p50_ms"] == pytest.approx(250.0)
    assert row["p95_ms"] is None
    assert row["p99_ms"] is None
    assert row["retries_per_op"] == pytest.approx(3 / 14)
    assert row["deadlocks_per_op"] == pytest.approx(3 / 14)
    assert row["refusals"] == {"duplicate key": 1, "deadlock": 3, "connection lost": 1}
    assert row["failed"] == 2
    assert row["round_trips_per_op"] == pytest.approx(40 / 14)
    assert row["statements_per_op"] == pytest.approx(80 / 14)
    assert row["rows_examined_per_op"] is None, "the server did not say"
    assert row["lock_waits_per_op"] == pytest.approx(4 / 14)


def test_what_nodes_met_is_counted_with_what_callers_met():
    nodes = Stats(refusals=Counter({Kind.DEADLOCK: 3}), retries=5)
    row = measures([created(0, 1, refusals=(Kind.NODE_LOST,))], 1.0, nodes, Costs(0, 0, 0, 0))
    assert (row["refusals"], row["retries_per_op"]) == ({"deadlock": 3, "node lost": 1}, 6)


def test_the_measures_of_nothing_are_no_division_by_zero():
    row = measured([], window=0.0)
    assert (row["operations"], row["retries_per_op"], row["deadlocks_per_op"]) == (0, 0, 0)
    assert row["goodput_per_s"] is row["p50_ms"] is None
