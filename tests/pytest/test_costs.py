"""Costs as counts: exactly so many, or as many as a range has."""

import asyncio

import pytest

import chatsim
from chatsim import BadParameterError
from chatsim.pytest import assert_cost
from chatsim.pytest.own_schema import Measured
from chatsim.worlds.world import Costs, Reads

ROWS = "CREATE TABLE t (id INT PRIMARY KEY, v INT, KEY v (v)); INSERT INTO t VALUES (1, 1), (2, 1), (3, 2), (4, 3)"


def measured(round_trips=2, statements=2, rows_examined=10, lock_waits=0):
    return Measured(None, Costs(round_trips, statements, rows_examined, lock_waits), Reads({"t.v": 10}, 0))


async def two_of_four(tx):
    await tx.begin()
    found = await tx.execute("SELECT id FROM t WHERE v = 1")
    await tx.commit()
    return len(found.rows)


@pytest.mark.worlds
def test_what_a_transaction_costs_is_the_same_in_both_worlds(world):
    world.apply(ROWS)
    found = world.run(two_of_four)
    assert found.value == 2
    assert_cost(found, round_trips=3, statements=3, rows_examined=2, lock_waits=0)
    with pytest.raises(AssertionError, match=r"rows_examined is 2, and not 4\n  rows read, by index: t\.v 2"):
        assert_cost(found, round_trips=3, rows_examined=4)


@pytest.mark.worlds
def test_a_lost_index_is_seen(world):
    world.apply([ROWS, "ALTER TABLE t DROP KEY v"])
    with pytest.raises(AssertionError, match="rows_examined is 4, and not 2"):
        assert_cost(world.run(two_of_four), rows_examined=2)


def test_a_range_allows_what_it_has():
    assert_cost(measured(), rows_examined=range(1, 11))
    with pytest.raises(AssertionError, match="rows_examined is 10, and not from 1 to 9"):
        assert_cost(measured(), rows_examined=range(1, 10))


def test_all_that_is_wrong_is_said():
    with pytest.raises(AssertionError, match="round_trips is 2, and not 1; rows_examined is 10, and not 1,000"):
        assert_cost(measured(), round_trips=1, statements=2, rows_examined=1000)


def test_a_result_is_checked_row_by_row_for_each_operation():
    result = asyncio.run(
        chatsim.race(world="model", strategies=["upsert", "one_round_trip"], clients=1, rounds=5, progress=False)
    )
    with pytest.raises(AssertionError) as failed:
        assert_cost(result, round_trips=1)
    assert str(failed.value).startswith("upsert, same_pair: round_trips is ")
    assert len(str(failed.value).splitlines()) == 1, "one_round_trip takes one"


def test_what_was_not_counted_is_not_tested():
    with pytest.raises(AssertionError, match="rows_examined is not tested: it was not counted"):
        assert_cost(measured(rows_examined=None), rows_examined=10)


def test_a_transaction_that_sends_nothing_is_not_tested(model):
    async def idle(tx):
        return None

    with pytest.raises(AssertionError, match="not tested: no statement was sent"):
        assert_cost(model.run(idle), round_trips=0)


@pytest.mark.parametrize(
    ("result", "expected", "says"),
    [
        (measured(), {}, "no cost is named; there are: round_trips, statements, rows_examined, lock_waits"),
        (measured(), {"rows": 1}, "there is no cost 'rows'; there are: round_trips"),
        (measured(), {"round_trips": "1"}, "round_trips is '1'; it can be a number, or a range"),
        (measured(), {"round_trips": True}, "round_trips is True; it can be a number"),
        (7, {"round_trips": 1}, "7 has no costs; give what OwnSchema.run returns"),
    ],
)
def test_wrong_use_is_one_error_that_names_the_culprit(result, expected, says):
    with pytest.raises(BadParameterError, match=says):
        assert_cost(result, **expected)
