"""The settings of a sweep: all combinations, each of them checked before anything runs."""

import json
import re
from dataclasses import asdict

import pytest

from chatsim.experiments.parameters import BadParameterError
from chatsim.experiments.sweeping.setting import settings
from chatsim.worlds.model.settings import Model
from chatsim.worlds.world import WorldError


def made(experiment="race", world=None, seeds=(1,), fixed=None, **vary):
    vary = {name.replace("__", "."): values for name, values in vary.items()}
    return settings(experiment, vary=vary, fixed=fixed or {}, world=world or Model(), seeds=list(seeds))


def test_there_is_one_for_each_combination_and_seed_the_last_name_varies_first():
    found = made(clients=[1, 2], pattern=["strangers", "same_pair"], seeds=[7, 8])
    assert [(each.varied["clients"], each.varied["pattern"], each.seed) for each in found] == [
        (clients, pattern, seed) for clients in (1, 2) for pattern in ("strangers", "same_pair") for seed in (7, 8)
    ]


def test_a_name_with_dots_is_a_cost():
    one, other = made(database__flush=[0.25, 0.5], fixed={"clients": 3, "node.cores": 8})
    assert one.parameters == {"clients": 3}
    assert [each.costs["database"]["flush"] for each in (one, other)] == [0.25, 0.5]
    assert one.costs["node"] == {"cores": 8}
    experiment, world = other.prepare()
    assert (experiment.clients, experiment.seed) == (3, 1)
    assert world.costs == {"node": {"cores": 8}, "database": {"flush": 0.5}}


def test_a_part_of_a_link_varies_and_the_rest_stays():
    (one,) = made(network__link__latency__median=[0.1])
    assert one.costs == {"network": {"link": {"latency": {"median": 0.1}}}}


def test_the_costs_and_settings_of_the_world_are_in_each_of_them(tmp_path):
    (tmp_path / "costs.toml").write_text("[database]\nflush = 0.125\ncores = 2\n", encoding="utf-8")
    world = Model(costs=tmp_path / "costs.toml", settings=(("sync_binlog", "0"),))
    one, _ = made(world=world, database__cores=[3, 4])
    assert one.costs == {"database": {"flush": 0.125, "cores": 3}}
    assert one.prepare()[1].settings == (("sync_binlog", "0"),)


def test_the_key_is_that_of_what_is_run_and_not_of_what_the_sweep_varies():
    (one,) = made(clients=[2], fixed={"pattern": "strangers"})
    (same,) = made(pattern=["strangers"], fixed={"clients": 2})
    (other,) = made(clients=[3], fixed={"pattern": "strangers"})
    (seed,) = made(clients=[2], fixed={"pattern": "strangers"}, seeds=[2])
    assert one.key == same.key
    assert len({one.key, other.key, seed.key}) == 3
    json.dumps(asdict(one))


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"experiment": "rice", "clients": [1]}, "unknown experiment 'rice'; there are: race, pages"),
        ({"clint": [1]}, "race has no parameter 'clint'; there are: strategies,"),
        ({"seed": [1]}, "race has no parameter 'seed'"),
        ({"fixed": {"repeats": 2}}, "race has no parameter 'repeats'"),
        ({"clients": [1], "fixed": {"clients": 2}}, "clients can't be fixed and varied"),
        ({"clients": []}, "there are no values of clients"),
        ({"clients": [1], "seeds": []}, "there are no seeds"),
        ({"clients": [4, 0]}, "clients is 0; it must be a whole number of at least 1"),
        ({"database__flash": [1]}, "Object contains unknown field `flash`"),
        ({"database__flush": [0.1, -1]}, "flush is -1"),
        ({"strategies": [object()]}, "strategies is <object object at"),
        ({"clients": [1], "world": Model(costs="nowhere.toml")}, "the costs can't be read"),
    ],
)
def test_what_is_wrong_is_refused_and_named(wrong, says):
    with pytest.raises((BadParameterError, WorldError), match=re.escape(says)):
        made(**wrong)
