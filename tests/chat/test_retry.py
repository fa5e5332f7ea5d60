"""Retry policies are values: how often, after what pause, and for which refusals."""

import asyncio

import numpy as np
import pytest

from chatsim.chat.retry import POLICIES, RETRIED, Retry
from chatsim.db.errors import DatabaseError
from chatsim.db.mysql import database_error

MENDED = [1213, 1205, 1062, 2006, 2013]
NOT_MENDED = [3572, 1064, 1146]


class Attempts:
    """An operation that is refused with these error numbers, one by one, and then gives its answer."""

    def __init__(self, *errnos):
        self.errors = [database_error(errno, f"refusal {turn}") for turn, errno in enumerate(errnos)]
        self.calls = 0

    async def __call__(self):
        self.calls += 1
        if self.calls <= len(self.errors):
            raise self.errors[self.calls - 1]
        return "answer"


@pytest.fixture
def pauses(monkeypatch):
    """The pauses that were asked for; none is made."""
    made = []

    async def sleep(seconds):
        made.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    return made


async def tried(policy, attempts, rng=None):
    """What came of it, and the refusals that were shown."""
    refusals = []
    try:
        got = await policy.run(attempts, rng or np.random.default_rng(1), refusals.append)
    except DatabaseError as error:
        got = error
    return got, refusals


async def test_what_is_not_refused_is_called_once(pauses):
    for policy in POLICIES.values():
        attempts = Attempts()
        assert await tried(policy, attempts) == ("answer", [])
        assert attempts.calls == 1
    assert pauses == []


@pytest.mark.parametrize("errno", MENDED + NOT_MENDED)
async def test_none_gives_up_at_the_first_refusal(errno, pauses):
    attempts = Attempts(errno)
    got, refusals = await tried(POLICIES["none"], attempts)
    assert got is attempts.errors[0]
    assert refusals == attempts.errors
    assert attempts.calls == 1
    assert pauses == []


@pytest.mark.parametrize("policy", ["retry", "immediate"])
async def test_every_refusal_that_another_try_may_mend_is_tried_again_and_counted(policy, pauses):
    attempts = Attempts(*MENDED)
    assert await tried(POLICIES[policy], attempts) == ("answer", attempts.errors)
    assert attempts.calls == len(MENDED) + 1


@pytest.mark.parametrize("errno", NOT_MENDED)
async def test_any_other_refusal_is_raised_at_once_and_counted(errno, pauses):
    attempts = Attempts(1213, errno, 1213)
    got, refusals = await tried(POLICIES["retry"], attempts)
    assert got is attempts.errors[1]
    assert refusals == attempts.errors[:2]
    assert attempts.calls == 2


async def test_what_no_database_raises_is_neither_counted_nor_tried_again(pauses):
    refusals = []

    async def attempt():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await POLICIES["retry"].run(attempt, np.random.default_rng(1), refusals.append)
    assert refusals == pauses == []


async def test_retry_tries_twenty_times_more_and_raises_the_last_refusal(pauses):
    attempts = Attempts(*[1213] * 30)
    got, refusals = await tried(POLICIES["retry"], attempts)
    assert attempts.calls == 21
    assert got is attempts.errors[20]
    assert refusals == attempts.errors[:21]
    assert len(pauses) == 20, "none after the last"


async def test_retry_draws_its_pauses_from_the_given_generator_between_1_and_20_ms(pauses):
    await tried(POLICIES["retry"], Attempts(*[1062] * 20), np.random.default_rng(7))
    twin = np.random.default_rng(7)
    assert pauses == [twin.uniform(0.001, 0.020) for _ in range(20)]
    assert min(pauses) >= 0.001
    assert max(pauses) <= 0.020
    assert len(set(pauses)) == 20


async def test_immediate_makes_no_pause_and_has_an_end(pauses):
    attempts = Attempts(*[1213] * 2_000)
    got, refusals = await tried(POLICIES["immediate"], attempts)
    assert pauses == []
    assert attempts.calls == len(refusals) == 1_001
    assert got is attempts.errors[1_000]


async def test_a_policy_of_ones_own_is_a_value(pauses):
    assert Retry("twice", 2, (0.5, 0.5)) == Retry("twice", 2, (0.5, 0.5))
    attempts = Attempts(1205, 1205)
    assert (await tried(Retry("twice", 2, (0.5, 0.5)), attempts))[0] == "answer"
    assert pauses == [0.5, 0.5]


def test_the_policies_are_known_by_name():
    assert {name: (policy.name, policy.retries) for name, policy in POLICIES.items()} == {
        "none": ("none", 0),
        "retry": ("retry", 20),
        "immediate": ("immediate", 1_000),
    }


def test_what_is_retried_is_what_another_try_may_mend():
    assert [errno for errno in MENDED + NOT_MENDED if isinstance(database_error(errno, ""), RETRIED)] == MENDED
