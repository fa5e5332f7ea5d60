"""The plan of the attacks: what the long one is large enough for, and what the short one has of it."""

import pytest
from attacks import plan
from attacks.innocent import PER_SECOND

SIZES = pytest.mark.parametrize("size", [plan.SHORT, plan.LONG], ids=["short", "long"])


def attack(size, name):
    return next(each for each in plan.attacks(size) if each.name == name)


def test_the_long_attack_sends_a_million_frames_and_opens_ten_thousand_connections():
    frames = attack(plan.LONG, "frames")
    assert sum(args[2] for _, args in frames.processes) * plan.LONG.repeats == pytest.approx(1_000_000, rel=1e-5)
    assert sum(args[2] for _, args in attack(plan.LONG, "silent connections").processes) == 10_000


def test_the_long_attack_starves_with_6_to_48_devices():
    names = [each.name for each in plan.attacks(plan.LONG) if each.name.startswith("starvation")]
    assert names == [f"starvation, {count} devices" for count in (6, 12, 24, 48)]


def test_the_short_attack_has_each_kind_of_the_long_one():
    short, long = ({each.name.split(",")[0] for each in plan.attacks(size)} for size in (plan.SHORT, plan.LONG))
    assert short == long


@SIZES
def test_names_are_used_once(size):
    names = [each.name for each in plan.attacks(size)]
    assert len(names) == len(set(names))


@SIZES
def test_innocent_users_ask_often_enough_for_a_p99(size):
    requests = size.seconds * size.repeats * PER_SECOND * len(plan.innocents())
    assert requests * 0.01 >= 5


@SIZES
def test_every_user_of_a_pair_exists_and_the_smaller_id_is_first(size):
    for low, high in plan.friends(size):
        assert low < high
        assert {low, high} <= set(plan.users())


@SIZES
def test_no_attacker_is_an_innocent_user(size):
    for each in plan.attacks(size):
        for _, args in each.processes:
            first = args[0]
            assert (first[0] if isinstance(first, tuple) else first) not in plan.innocents()
