"""When callers make their requests: closed and open loops, ramps, pauses, warm-up. In virtual time, so it is exact."""

import asyncio
from contextlib import aclosing

import numpy as np
import pytest

from chatsim.experiments.history import Operation
from chatsim.experiments.load_shape import LoadShape
from chatsim.worlds.model.settings import Model
from chatsim.worlds.world import BadParameterError

SERVICE = 0.1
"""The seconds that a request takes."""


def requests(shape, *, clients=1, service=SERVICE, seed=1):
    """For each client, when its requests were due and when they were begun, in seconds."""

    async def main(_):
        begun = asyncio.get_running_loop().time()
        rngs = [np.random.default_rng([seed, number]) for number in range(clients)]

        async def one(number):
            found = []
            async with aclosing(shape.turns(number, clients, begun, rngs[number])) as turns:
                async for due in turns:
                    found.append((due - begun, asyncio.get_running_loop().time() - begun))
                    await asyncio.sleep(service)
            return found

        return await asyncio.gather(*(one(number) for number in range(clients)))

    return Model().run(main, seed=seed)


def dues(*args, **kwargs):
    return [[due for due, _ in own] for own in requests(*args, **kwargs)]


def test_a_caller_of_a_closed_loop_asks_again_when_it_is_answered_until_the_window_ends():
    (own,) = dues(LoadShape(duration=0.25, warm_up=0.2))
    assert own == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.4])


def test_within_the_ramp_callers_start_evenly_one_after_the_other():
    found = dues(LoadShape(duration=1.0, ramp=0.8), clients=4)
    assert [own[0] for own in found] == pytest.approx([0.0, 0.2, 0.4, 0.6])
    assert all(0.85 < own[-1] < 1.0 for own in found), "until the end"


def test_pauses_are_exponential_with_the_mean_that_was_asked_for_and_drawn_from_the_seed():
    shape = LoadShape(duration=2_000.0, think=0.5)
    (own,) = dues(shape, service=0.0)
    pauses = np.diff(own)
    assert pauses.mean() == pytest.approx(0.5, rel=0.05)
    assert pauses.std() == pytest.approx(0.5, rel=0.1), "as large as the mean: exponential"
    assert own[0] > 0, "they do not all begin at once"
    assert dues(shape, service=0.0) == [own]
    assert dues(shape, service=0.0, seed=2) != [own]


def test_an_open_loop_asks_at_its_rate_whether_it_is_answered_or_not():
    found = requests(LoadShape(duration=100.0, rate=50.0), clients=5, service=1.0)
    count = sum(map(len, found))
    assert count == pytest.approx(5_000, rel=0.05)
    late = [begun - due for own in found for due, begun in own]
    assert min(late) >= 0
    assert max(late) > 10, "every request takes longer than the pause before the next: the last ones wait for long"
    assert all(due < 100.0 for own in found for due, _ in own)


def test_within_the_ramp_the_rate_rises_evenly():
    shape = LoadShape(duration=200.0, ramp=100.0, rate=40.0)
    (own,) = dues(shape, service=0.0)
    quarter, half, rest = (sum(low <= due < high for due in own) for low, high in ((0, 50), (50, 100), (100, 200)))
    assert (quarter, half, rest) == pytest.approx((500, 1_500, 4_000), rel=0.1)
    assert len(own) == pytest.approx(shape.expected(clients=1, per_s=1), rel=0.05)


def test_a_ramp_that_never_ends_is_refused():
    LoadShape(duration=3.0, warm_up=2.0, ramp=5.0)
    with pytest.raises(BadParameterError, match=r"ramp is 5\.1, longer than warm_up and duration together \(5 s\)"):
        LoadShape(duration=3.0, warm_up=2.0, ramp=5.1)


@pytest.mark.parametrize(
    ("shape", "count"),
    [
        (LoadShape(duration=10.0), 5_000),
        (LoadShape(duration=10.0, warm_up=10.0), 10_000),
        (LoadShape(duration=10.0, think=1.0), 200),
        (LoadShape(duration=10.0, rate=7.0), 70),
        (LoadShape(duration=10.0, ramp=10.0, rate=7.0), 35),
    ],
)
def test_how_many_requests_are_expected(shape, count):
    assert shape.expected(clients=20, per_s=500) == count


def operation(intended, end):
    return Operation(0, 0, "text", {}, intended, intended, end)


def test_what_was_due_in_the_window_is_measured_and_what_ended_in_it_counts_as_answered():
    shape = LoadShape(duration=2.0, warm_up=1.0)
    before, into, within, out, after = (
        operation(*each) for each in ((0.5, 0.9), (0.9, 1.1), (1.0, 1.5), (2.9, 3.1), (3.0, 3.1))
    )
    history = [before, into, within, out, after]
    assert shape.measured(history) == [within, out]
    assert shape.answered(history) == [into, within]
