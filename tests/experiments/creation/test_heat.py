"""A heat ends after so many rounds, or after some time: by duration, with warm-up and pauses. In the model."""

import gc
from collections import Counter
from itertools import pairwise

import pytest

from chatsim.experiments.creation.experiment import Race
from chatsim.experiments.runner import run_here
from chatsim.worlds.model.settings import Model
from chatsim.worlds.model.world import ModelWorld
from chatsim.worlds.world import BadParameterError

SMALL = {"strategies": "one_round_trip", "clients": 4}


def raced(**given):
    """The result of a race in the model, of one strategy under one pattern."""
    race = Race(**SMALL | given)
    result = race.result("model")
    run_here(race, Model(), result, progress=False)
    return result


@pytest.mark.parametrize("pattern", ["same_pair", "hot_pairs"])
def test_by_duration_callers_go_on_until_it_is_over(pattern):
    (variant,) = raced(pattern=pattern, duration=0.05).variants
    starts = [each.start for each in variant.operations]
    assert 0.045 < max(starts) < 0.05
    assert variant.window_s == 0.05
    assert variant["operations"] == len(variant.operations)
    answered = [each for each in variant.operations if each.end < 0.05]
    assert variant["goodput_per_s"] == pytest.approx(len(answered) / 0.05)
    assert variant.verdict.word == "safe"


def test_what_is_due_in_the_warm_up_is_checked_and_not_measured():
    (variant,) = raced(duration=0.04, warm_up=0.02).variants
    early = [each for each in variant.operations if each.intended < 0.02]
    assert early
    assert variant["operations"] == len(variant.operations) - len(early)
    assert 0.05 < max(each.start for each in variant.operations) < 0.06
    (cold,) = raced(duration=0.04).variants
    price = pytest.approx(cold["round_trips_per_op"], rel=0.1)
    assert variant["round_trips_per_op"] == price, "what the warm-up cost is not counted"
    named = [each.get_text() for each in raced(duration=0.04, warm_up=0.02).plot_per_second().legends[0].get_texts()]
    assert "warm-up, not measured" in named


@pytest.mark.parametrize("pattern", ["same_pair", "strangers"])
def test_warm_up_rounds_are_checked_and_not_measured(pattern):
    (variant,) = raced(pattern=pattern, rounds=5, warm_up_rounds=2).variants
    assert Counter(each.client for each in variant.operations) == dict.fromkeys(range(4), 7), "all calls are made"
    assert variant["operations"] == 4 * 5
    ordered = sorted(variant.operations, key=lambda each: each.start)
    ends, measured = [each.end for each in ordered[: 4 * 2]], [each.start for each in ordered[4 * 2 :]]
    assert max(ends) <= min(measured), "all have made them before the window begins"
    assert variant.window_s == pytest.approx(max(each.end for each in variant.operations) - max(ends))
    (cold,) = raced(pattern=pattern, rounds=5).variants
    assert variant["round_trips_per_op"] == cold["round_trips_per_op"], "what the warm-up cost is not counted"


@pytest.mark.usefixtures("nothing_frozen")
def test_garbage_is_collected_before_costs_are_read_and_sessions_are_passed_over_until_the_end(monkeypatch):
    order = []
    costs = ModelWorld.costs

    async def noted(world):
        order.append(("costs", gc.get_freeze_count() > 0))
        return await costs(world)

    monkeypatch.setattr(gc, "collect", lambda: order.append("collection"))
    monkeypatch.setattr(ModelWorld, "costs", noted)
    raced(rounds=1)
    assert order == ["collection", ("costs", True), ("costs", True)]
    assert gc.get_freeze_count() == 0


@pytest.mark.parametrize("pattern", ["same_pair", "strangers"])
def test_pauses_leave_time_between_the_requests_of_a_caller(pattern):
    (variant,) = raced(pattern=pattern, rounds=10, think_time=20.0).variants
    own = [each for each in variant.operations if each.client == 0]
    gaps = [then.start - before.end for before, then in pairwise(own)]
    assert 0.005 < sum(gaps) / len(gaps) < 0.06
    assert variant["operations"] == 40, "by rounds, all are made"


def test_an_open_loop_by_duration_makes_what_is_due_in_it():
    (variant,) = raced(pattern="strangers", duration=0.2, rate=500.0).variants
    assert len(variant.operations) == pytest.approx(100, rel=0.3)
    assert all(each.intended < 0.2 for each in variant.operations)
    assert variant.verdict.remark == ""


def test_requests_that_run_out_before_the_end_are_said_and_shorten_the_window(monkeypatch):
    monkeypatch.setattr(Race, "drawn_rounds", 5)
    (variant,) = raced(duration=1.0).variants
    assert len(variant.operations) == 20
    last = max(each.end for each in variant.operations)
    assert variant.window_s == pytest.approx(last)
    assert variant["goodput_per_s"] == pytest.approx(20 / last)
    assert variant.verdict.remark.startswith("all drawn requests were made after 0.0")


def test_enough_requests_are_drawn():
    assert Race(duration=10.0, rate=1_000.0, clients=10).drawn_rounds > 1_000 + 5 * 1_000**0.5
    assert Race(duration=10.0, think_time=100.0).drawn_rounds > 100 + 5 * 10
    assert Race(rounds=7).drawn_rounds == 7
    assert Race(rounds=7, warm_up_rounds=2).drawn_rounds == 9


def test_it_ends_by_rounds_or_by_duration():
    assert (Race().rounds, Race().duration, Race(duration=3).rounds) == (100, None, None)
    for given, sentence in (
        ({"rounds": 5, "duration": 2.5}, "rounds is 5 and duration is 2.5; give one of them"),
        ({"warm_up": 1.0}, "warm_up is 1.0, which does nothing here: only with a duration"),
        (
            {"warm_up_rounds": 1, "duration": 1.0},
            "warm_up_rounds is 1, which does nothing here: only with a number of rounds",
        ),
        (
            {"warm_up_rounds": 1, "rate": 5},
            "warm_up_rounds is 1, which needs a closed loop; give no rate",
        ),
        ({"think_time": 1.0, "rate": 5}, "think_time is 1.0, which does nothing here: only without a rate"),
    ):
        with pytest.raises(BadParameterError) as refused:
            Race(**given)
        assert str(refused.value) == sentence


def test_the_caption_says_how_long_it_was():
    assert "16 clients, 100 rounds, " in Race().setting()
    assert "16 clients, 100 rounds after 5 of warm-up, " in Race(warm_up_rounds=5).setting()
    assert (
        "think time 5 ms, 2.5 s measured after 1 s of warm-up, "
        in Race(duration=2.5, warm_up=1, think_time=5).setting()
    )
