"""Who asks for which pair: what each pattern promises, for whatever numbers."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatsim.experiments.creation.workload import IDS, PATTERNS, make

sizes = st.fixed_dictionaries(
    {
        "clients": st.integers(1, 12),
        "rounds": st.integers(1, 8),
        "pairs": st.integers(1, 5),
        "existing": st.integers(0, 30),
        "ids": st.sampled_from([*IDS]),
    }
)
patterns = st.sampled_from([*PATTERNS])
seeds = st.integers(0, 2**32)


def work(pattern, *, seed=1, **sizes):
    default = {"clients": 4, "rounds": 3, "pairs": 1, "existing": 0, "ids": "random"}
    return make(pattern, **(default | sizes), rng=np.random.default_rng(seed))


def ordered(pair):
    return (min(pair), max(pair))


def flat(workload):
    return [ordered(call) for calls in workload.calls for call in calls]


# --- what all patterns have in common


@given(patterns, sizes, seeds)
def test_every_client_makes_one_request_a_round_to_somebody_else(pattern, sizes, seed):
    workload = work(pattern, seed=seed, **sizes)
    assert len(workload.calls) == sizes["clients"]
    assert {len(calls) for calls in workload.calls} == {sizes["rounds"]}
    assert all(uid != other for calls in workload.calls for uid, other in calls)
    assert workload.asked == set(flat(workload))


@given(patterns, sizes, seeds)
def test_as_many_pairs_exist_before_as_were_wanted_and_none_of_them_is_asked_for(pattern, sizes, seed):
    workload = work(pattern, seed=seed, **sizes)
    assert len(set(workload.existing)) == len(workload.existing) == sizes["existing"]
    assert all(low < high for low, high in workload.existing)
    assert not workload.asked & set(workload.existing)


@given(patterns, sizes, seeds)
def test_the_same_seed_gives_the_same_workload(pattern, sizes, seed):
    assert work(pattern, seed=seed, **sizes) == work(pattern, seed=seed, **sizes)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_another_seed_gives_another_workload(pattern):
    assert work(pattern, seed=1) != work(pattern, seed=2)


@given(patterns, sizes, seeds)
def test_uids_fit_the_columns_they_are_stored_in(pattern, sizes, seed):
    workload = work(pattern, seed=seed, **sizes)
    uids = {uid for pair in [*workload.existing, *workload.asked] for uid in pair}
    assert min(uids) > 0
    assert max(uids) < 2**31, "user.uid is an INT"


def test_only_the_same_pair_is_asked_for_together():
    assert [pattern for pattern in PATTERNS if work(pattern).together] == ["same_pair"]


# --- same_pair


@given(st.integers(2, 20), st.integers(1, 8), seeds)
def test_same_pair_all_ask_for_one_new_pair_a_round_half_from_either_side(clients, rounds, seed):
    workload = work("same_pair", clients=clients, rounds=rounds, seed=seed)
    asked = [Counter(calls) for calls in zip(*workload.calls, strict=True)]
    pairs = [{ordered(call) for call in each} for each in asked]
    assert [len(each) for each in pairs] == [1] * rounds
    assert len(set.union(*pairs)) == rounds, "a new one each round"
    for (pair,), calls in zip(pairs, asked, strict=True):
        assert calls[pair] - calls[pair[::-1]] in (0, 1)


@given(st.integers(1, 20), st.integers(1, 8), st.integers(1, 5), seeds)
def test_same_pair_with_several_pairs_shares_them_out(clients, rounds, pairs, seed):
    workload = work("same_pair", clients=clients, rounds=rounds, pairs=pairs, seed=seed)
    for calls in zip(*workload.calls, strict=True):
        asked = Counter(map(ordered, calls))
        assert len(asked) == min(clients, pairs)
        assert max(asked.values()) - min(asked.values()) <= 1
    assert len(workload.asked) == rounds * min(clients, pairs)


# --- strangers


@given(sizes, seeds)
def test_strangers_no_two_requests_are_for_the_same_pair(sizes, seed):
    workload = work("strangers", seed=seed, **sizes)
    asked = flat(workload)
    assert len(set(asked)) == len(asked) == sizes["clients"] * sizes["rounds"]


def test_strangers_ask_from_either_side():
    calls = [call for calls in work("strangers", clients=20, rounds=20).calls for call in calls]
    assert 100 < sum(uid < other for uid, other in calls) < 300


def test_strangers_neighbours_are_asked_for_in_the_same_round_by_different_clients():
    workload = work("strangers", clients=3, rounds=2, ids="rising")
    rounds = [sorted(map(ordered, calls)) for calls in zip(*workload.calls, strict=True)]
    assert rounds[0] + rounds[1] == sorted(workload.asked)


# --- hot_pairs


@given(sizes, seeds)
def test_hot_pairs_all_draw_from_one_common_set(sizes, seed):
    workload = work("hot_pairs", seed=seed, **sizes)
    assert len(workload.asked) <= sizes["pairs"] * sizes["rounds"]


def test_hot_pairs_are_skewed_by_zipfs_law():
    often = [count for _, count in Counter(flat(work("hot_pairs", clients=50, rounds=100))).most_common()]
    weights = 1 / np.arange(1, 101) ** 1.2
    assert often[0] / 5_000 == pytest.approx(weights[0] / weights.sum(), rel=0.1)
    assert often[1] / 5_000 == pytest.approx(weights[1] / weights.sum(), rel=0.1)
    assert sum(often[:10]) > 10 * sum(often[-10:])


def test_hot_pairs_are_asked_for_from_either_side():
    calls = [call for calls in work("hot_pairs", clients=20, rounds=20).calls for call in calls]
    assert 100 < sum(uid < other for uid, other in calls) < 300


# --- ids


@given(patterns, sizes, seeds)
def test_rising_ids_are_above_all_that_exist_and_rise(pattern, sizes, seed):
    workload = work(pattern, seed=seed, **(sizes | {"ids": "rising"}))
    asked = sorted(workload.asked)
    assert max((high for _, high in workload.existing), default=0) < asked[0][0]
    assert all(high == low + 1 for low, high in asked)
    assert len({uid for pair in asked for uid in pair}) == 2 * len(asked), "nobody is in two of them"


@given(patterns, sizes, seeds)
def test_one_popular_user_is_in_all_that_are_asked_for_and_was_there_from_the_start(pattern, sizes, seed):
    workload = work(pattern, seed=seed, **(sizes | {"ids": "one_popular"}))
    (popular,) = {low for low, _ in workload.asked}
    assert popular < min((low for low, _ in workload.existing), default=2)


def test_random_ids_are_spread_over_the_whole_range():
    lows = np.array([low for low, _ in work("strangers", clients=40, rounds=40).asked])
    quarters = Counter((lows // 250_000_000).tolist())
    # of two uniform draws the smaller one lies in the quarters with 7, 5, 3 and 1 in 16
    assert [quarters[quarter] / 1_600 for quarter in range(4)] == pytest.approx(
        [7 / 16, 5 / 16, 3 / 16, 1 / 16], abs=0.05
    )


def test_the_existing_pairs_are_random_whatever_is_asked_for():
    existing = [work("strangers", existing=50, ids=ids).existing for ids in IDS]
    assert existing[0] == existing[1] == existing[2]
