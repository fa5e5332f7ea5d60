"""The figure of predictions: a panel for each measure, with the line on which both are equal."""

import pandas as pd
import pytest

from chatsim import figures


def table(*rows):
    names = ("case", "measure", "measured", "predicted", "low", "high", "not judged")
    return pd.DataFrame([dict(zip(names, row, strict=True)) for row in rows])


def shown(figure):
    return [ax for ax in figure.axes if ax.get_visible()]


def test_each_measure_has_a_panel_on_equal_logarithmic_axes_and_no_other_is_shown():
    names = ["goodput_per_s", "p50_ms", "p95_ms", "p99_ms"]
    figure = figures.predictions(table(*(("race, 3 clients", name, 10.0, 11.0, 9.0, 12.0, "") for name in names)))
    panels = shown(figure)
    assert [ax.get_title(loc="left") for ax in panels] == names
    for ax in panels:
        assert (ax.get_xscale(), ax.get_yscale(), ax.get_xlim()) == ("log", "log", ax.get_ylim())


def test_the_line_is_where_both_are_equal_and_the_band_a_tenth_on_either_side():
    (ax,) = shown(figures.predictions(table(("race", "p50_ms", 10.0, 12.0, 9.0, 14.0, ""))))
    line = ax.get_lines()[0]
    assert list(line.get_xdata()) == list(line.get_ydata())
    corners = ax.collections[0].get_paths()[0].vertices
    right = corners[corners[:, 0] == corners[:, 0].max()]
    end = ax.get_xlim()[1]
    assert (right[:, 1].min(), right[:, 1].max()) == pytest.approx((0.9 * end, 1.1 * end))


def test_what_is_not_judged_is_hollow():
    rows = (("race", "p50_ms", 10.0, 12.0, 9.0, 14.0, ""), ("race", "p50_ms", 20.0, 21.0, 20.0, 22.0, "too seldom"))
    (ax,) = shown(figures.predictions(table(*rows)))
    points = {
        tuple(each.get_xdata()): each.get_markerfacecolor() for each in ax.get_lines() if each.get_marker() == "o"
    }
    assert (points[10.0,], points[20.0,]) == ("black", "white")


def test_what_is_zero_is_not_drawn():
    rows = (("race", "p50_ms", 10.0, 12.0, 9.0, 14.0, ""), ("race", "deadlocks_per_op", 0.5, 0.0, 0.0, 0.0, ""))
    assert len(shown(figures.predictions(table(*rows)))) == 1
