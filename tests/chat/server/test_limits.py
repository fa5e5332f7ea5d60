"""Limits that make no sense are refused by name; a bucket lets through its burst and then its rate."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatsim.chat.protocol import LARGEST_BODY, LARGEST_ID, REQUEST_LIMIT
from chatsim.chat.server.limits import MOST_GROUP_MEMBERS, BadLimitError, Bucket, Limits

LEAST = {
    "expiry": 0.001,
    "request_bytes": 64,
    "queue_bytes": 1,
    "rate": 0.001,
    "burst": 1,
    "grace": 0,
    "report": 0.001,
    "user_leases": 1,
    "idle_transaction": 1,
    "lock_wait": 1,
    "text_characters": 1,
    "group_members": 1,
    "recall_seconds": 0,
    "edit_seconds": 0,
    "login": 0.001,
    "connections": 1,
    "per_address": 1,
    "arrivals": 0.001,
    "arrivals_at_once": 1,
    "file_bytes": 1,
    "user_file_bytes": 1,
    "upload_seconds": 1,
    "collection": 0.001,
}
MOST = {
    "request_bytes": LARGEST_BODY,
    "idle_transaction": 31_536_000,
    "lock_wait": 1_073_741_824,
    "text_characters": 10_000,
    "group_members": MOST_GROUP_MEMBERS,
    "file_bytes": LARGEST_ID,
    "user_file_bytes": LARGEST_ID,
    "upload_seconds": 31_536_000,
}
BAD = [(name, value) for name, least in LEAST.items() for value in (least - 0.0005, -1, -math.inf, math.nan)]


def passed(bucket, gaps):
    """When those pass who come ``gaps`` after the one before has passed, and wait as they are told."""
    now, times = 0.0, []
    for gap in gaps:
        now += gap
        now += bucket.take(now)
        times.append(now)
    return times


@pytest.mark.parametrize(("name", "value"), [*BAD, *((name, most + 1) for name, most in MOST.items())])
def test_a_limit_that_makes_no_sense_is_refused_with_its_name_its_value_and_what_is_allowed(name, value):
    with pytest.raises(BadLimitError) as refused:
        Limits(**{name: value})
    most = MOST.get(name, math.inf)
    assert str(refused.value) == f"{name} is {value}; it must be between {LEAST[name]} and {most}"


@pytest.mark.parametrize("name", LEAST)
def test_the_least_that_makes_sense_is_allowed(name):
    assert getattr(Limits(**{name: LEAST[name]}), name) == LEAST[name]


@pytest.mark.parametrize("name", MOST)
def test_the_most_that_makes_sense_is_allowed(name):
    assert getattr(Limits(**{name: MOST[name]}), name) == MOST[name]


@pytest.mark.parametrize("name", sorted(LEAST.keys() - MOST.keys()))
def test_a_limit_may_be_none_at_all(name):
    assert getattr(Limits(**{name: math.inf}), name) == math.inf


def test_a_request_may_be_as_long_as_a_frame_if_one_says_so_and_as_the_sources_if_not():
    assert Limits(request_bytes=65_535).request_bytes == 65_535
    assert Limits().request_bytes == REQUEST_LIMIT == 2_048


def test_a_bucket_begins_full_and_then_lets_through_its_rate():
    assert passed(Bucket(2.0, 3, 0.0), [0.0] * 7) == [0.0, 0.0, 0.0, 0.5, 1.0, 1.5, 2.0]


def test_a_bucket_that_rests_fills_up_to_its_burst_and_no_further():
    assert passed(Bucket(2.0, 3, 0.0), [1e6] + [0.0] * 4) == [1e6, 1e6, 1e6, 1e6 + 0.5, 1e6 + 1.0]


def test_a_bucket_counts_from_the_time_it_was_made_at():
    bucket = Bucket(2.0, 1, 1e6)
    assert [bucket.take(1e6), bucket.take(1e6)] == [0.0, 0.5]


def test_a_bucket_without_a_rate_lets_everything_through():
    assert passed(Bucket(math.inf, 1, 0.0), [0.0] * 100) == [0.0] * 100


@given(
    rate=st.floats(0.01, 1_000),
    burst=st.integers(1, 20),
    gaps=st.lists(st.one_of(st.just(0.0), st.floats(0, 100)), min_size=1, max_size=60),
)
def test_no_window_of_any_length_sees_more_than_the_burst_and_the_rate_for_its_length(rate, burst, gaps):
    times = passed(Bucket(rate, burst, 0.0), gaps)
    for first, start in enumerate(times):
        for last, end in enumerate(times[first:], first):
            assert last - first + 1 <= burst + rate * (end - start) + 1e-6


@given(rate=st.floats(0.01, 1_000), burst=st.integers(1, 20), count=st.integers(1, 60))
def test_nobody_waits_longer_than_for_one_token_if_all_wait_as_they_are_told(rate, burst, count):
    bucket, now = Bucket(rate, burst, 0.0), 0.0
    for _ in range(count):
        wait = bucket.take(now)
        assert wait <= 1 / rate * (1 + 1e-9)
        now += wait


@given(rate=st.floats(0.01, 1_000), burst=st.integers(1, 20), more=st.floats(0, 1))
def test_those_who_keep_below_the_rate_never_wait(rate, burst, more):
    bucket = Bucket(rate, burst, 0.0)
    pace = (1 + more) / rate
    assert all(bucket.take(number * pace) < 1e-6 / rate for number in range(100))


def test_a_token_that_is_not_there_is_not_owed():
    bucket = Bucket(10, 2, 0.0)
    assert [bucket.try_to_take(0.0) for _ in range(100)] == [True, True] + [False] * 98
    assert [bucket.try_to_take(now) for now in (0.05, 0.1, 0.1, 0.2)] == [False, True, False, True]


def test_a_bucket_is_full_at_first_and_again_after_a_while():
    bucket = Bucket(10, 2, 0.0)
    assert bucket.is_full(0.0)
    bucket.try_to_take(0.0)
    assert [bucket.is_full(now) for now in (0.0, 0.05, 0.1)] == [False, False, True]


def test_without_a_rate_there_is_always_a_token():
    bucket = Bucket(math.inf, 1, 0.0)
    assert all(bucket.try_to_take(0.0) for _ in range(100))
