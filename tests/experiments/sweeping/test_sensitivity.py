"""Which cost matters: a cost that is on every path changes the figures, one that is on none does not."""

from concurrent.futures import Executor, Future

import pytest

import chatsim
from chatsim.experiments.parameters import BadParameterError
from chatsim.experiments.sweeping.sensitivity import Sensitivity

COSTS = {
    "machine": {"cores": 2},
    "client": {"request": 0.0},
    "database": {"statement": 1e-3, "record": 1e-9, "flush": {"kind": "empirical", "seconds": [1e-4, 3e-4]}},
    "network": {"link": {"latency": {"kind": "lognormal", "median": 1e-3, "sigma": 0.3}}},
    "redis": {"command": 1e-5},
}
FIXED = {"strategies": "one_round_trip", "pattern": "strangers", "clients": 1, "rounds": 10, "progress": False}


class Here(Executor):
    """Runs everything at once, and remembers it."""

    def __init__(self):
        self.settings = []

    def submit(self, function, setting):
        self.settings.append(setting)
        done = Future()
        try:
            done.set_result(function(setting))
        except Exception as error:  # noqa: BLE001 - as an executor does
            done.set_exception(error)
        return done


@pytest.fixture(scope="module")
def here():
    return Here()


@pytest.fixture(scope="module")
def found(here):
    return chatsim.run(chatsim.sensitivity("race", world=chatsim.Model(costs=COSTS), seeds=2, executor=here, **FIXED))


def row(found, cost):
    (one,) = found.table.set_index("cost").loc[[cost]].to_dict("records")
    return one


def test_each_cost_above_zero_is_changed_and_numbers_of_things_are_not(found):
    assert {*found.table["cost"]} == {
        "database.statement",
        "database.record",
        "database.flush",
        "network.link.latency",
        "redis.command",
    }


def test_the_cost_of_which_most_depends_comes_first(found):
    assert found.table["cost"][0] == "database.statement"
    first = row(found, "database.statement")
    assert first["goodput_per_s"] < -0.2
    assert first["p50_ms"] > 0.2
    assert first["p50_ms_low"] <= first["p50_ms"] <= first["p50_ms_high"]


def test_what_a_cost_does_not_change_is_blank(found):
    assert found.headlines().set_index("cost").loc["redis.command"].isna().all()
    assert found.changes["redis.command"]["goodput_per_s"] == [0.0, 0.0]


def test_a_distribution_is_changed_as_a_whole_and_its_shape_is_kept(found, here):
    flushes = {str(each.costs["database"]["flush"]["seconds"]) for each in here.settings}
    assert len(flushes) == 3
    assert {each.costs["network"]["link"]["latency"]["sigma"] for each in here.settings} == {0.3}
    assert sorted({each.costs["network"]["link"]["latency"]["median"] for each in here.settings}) == pytest.approx(
        [0.8e-3, 1e-3, 1.2e-3]
    )


def test_only_one_cost_is_changed_at_a_time_and_each_with_the_same_seeds(found, here):
    assert len(here.settings) == len({each.key for each in here.settings}) == len(found.table) * 2 * 2
    assert {each.seed for each in here.settings} == {1, 2}


def test_a_change_that_may_be_chance_is_blank_and_one_that_is_not_is_in_percent():
    by_chance = Sensitivity("race", 0.2, {"database.flush": {"p50_ms": [0.1, -0.1, 0.05]}})
    sure = Sensitivity("race", 0.2, {"database.flush": {"p50_ms": [0.1, 0.11, 0.12]}})
    assert by_chance.headlines()["p50_ms %"].isna().all()
    assert list(sure.headlines()["p50_ms %"]) == [11.0]
    assert "each cost from 80% to 120% of it" in repr(sure)


def test_one_seed_has_no_interval():
    one = Sensitivity("race", 0.2, {"database.flush": {"p50_ms": [0.1]}})
    assert list(one.headlines()["p50_ms %"]) == [10.0]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"world": "mysql"}, "costs are those of the model"),
        ({"change": 1.5}, "change is 1.5; it must be between 0 and 1"),
        ({"seeds": 0}, "seeds is 0; it must be a whole number of at least 1"),
        ({"workers": 2, "executor": Here()}, "executor and workers say where it runs"),
        ({"world": chatsim.Model(costs={"machine": {"cores": 2}})}, "there is no cost above 0"),
        ({"clients": 0}, "clients is 0"),
        ({"ship": 1}, "race has no parameter 'ship'"),
    ],
)
def test_wrong_parameters_are_refused(wrong, says):
    with pytest.raises(BadParameterError, match=says):
        chatsim.run(chatsim.sensitivity("race", **{**FIXED, **wrong}))


def test_a_run_that_is_not_possible_is_an_error():
    few = chatsim.Model(costs={"database": {"connections": 1, "statement": 1e-3}})
    with pytest.raises(chatsim.WorldError, match="connections can't be had"):
        chatsim.run(chatsim.sensitivity("race", world=few, seeds=1, executor=Here(), **{**FIXED, "clients": 4}))
