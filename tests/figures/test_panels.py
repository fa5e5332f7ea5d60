"""Figures in which things are compared: one scale for what is compared, and no mark covers another."""

import pandas as pd
import pytest

from chatsim import figures


@pytest.fixture
def costs():
    """Five ways to page that cost the same, for three lengths of the list."""
    return pd.DataFrame(
        [
            {"strategy": f"way_{way}", "existing": existing, "depth": depth, "index_reads": 303, "page_size": 100}
            for way in range(5)
            for existing in (100, 1_000, 10_000)
            for depth in ("first", "last")
        ]
    )


@pytest.fixture
def logins():
    return pd.DataFrame(
        [
            {
                "protocol": protocol,
                "cursor": "message_id_locked",
                "rtt_ms": rtt,
                "first_screen_ms": 2.6 * rtt + 50,
                "caught_up_ms": many * rtt + 80,
                "lower_bound_ms": rtt + 76,
                "lost": 0,
                "verdict": "safe",
            }
            for rtt in (1.0, 50.0, 200.0)
            for protocol, many in (("source", 101), ("bulk", 3))
        ]
    )


def marks(ax):
    """The places of all marks on some axes, those that are points."""
    return [
        (round(x, 6), round(y, 6))
        for line in ax.get_lines()
        if line.get_linestyle() == "None"
        for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True)
    ]


def test_pages_that_cost_the_same_do_not_cover_each_other(costs):
    for ax in figures.pages(costs).get_axes():
        places = marks(ax)
        assert len(places) == 5 * 3
        assert len({*places}) == len(places)


def test_the_marks_of_a_strategy_lie_at_its_name(costs):
    (ax, _) = figures.pages(costs).get_axes()
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert names == [f"way_{way}" for way in range(5)]
    ticks = ax.get_yticks()
    for _, y in marks(ax):
        assert min(abs(y - tick) for tick in ticks) < 0.5


def test_all_depths_have_one_scale(costs):
    first, last = figures.pages(costs).get_axes()
    assert first.get_xlim() == last.get_xlim()


def test_all_distances_have_one_scale(logins):
    near, *farther = figures.catch_up(logins).get_axes()
    assert {each.get_xlim() for each in farther} == {near.get_xlim()}
    low, high = near.get_xlim()
    assert low < logins["first_screen_ms"].min()
    assert high > logins["caught_up_ms"].max()


def test_the_bound_says_that_it_is_one_of_everything(logins):
    for ax in figures.catch_up(logins).get_axes():
        words = [each.get_text() for each in ax.get_legend().get_texts()]
        assert words == ["first screen", "everything", "bound of everything"]
