"""Bars have error bars over repetitions, from the low end of the interval to the high one; one run has none."""

import pandas as pd
import pytest
from matplotlib.collections import LineCollection

from chatsim import figures


def race(**intervals):
    columns = {"pattern": "same_pair", "verdict": "safe", "goodput_per_s": [100.0, 80.0], "p50_ms": [2.0, 3.0]}
    return pd.DataFrame({"strategy": ["upsert", "user_row"], **columns, "p99_ms": [5.0, None], **intervals})


def delivery(**intervals):
    key = {"path": ["same", "across"], "presence": "redis", "peers": "grpc", "hop": "pushed"}
    return pd.DataFrame({**key, "p50_ms": [2.0, 3.0], "p99_ms": [4.0, 5.0], **intervals})


def catch_up(**intervals):
    key = {"protocol": "direct", "cursor": ["message_id", "user_log"], "rtt_ms": 0.0, "lost": 0, "verdict": "safe"}
    return pd.DataFrame({**key, "writes_per_s": [100.0, 80.0], **intervals})


CASES = [
    (figures.strategies, race, "goodput_per_s"),
    (figures.strategies, race, "p50_ms"),
    (figures.strategies, race, "p99_ms"),
    (figures.delivery, delivery, "p50_ms"),
    (figures.catch_up, catch_up, "writes_per_s"),
]


def spans(figure):
    """The ends of all horizontal lines that are drawn as a collection."""
    found = [
        (round(float(line[0][0]), 6), round(float(line[-1][0]), 6))
        for ax in figure.axes
        for lines in ax.collections
        if isinstance(lines, LineCollection)
        for line in lines.get_segments()
        if len(line)
    ]
    return set(found)


@pytest.mark.parametrize(("draw", "table", "column"), CASES)
def test_an_interval_is_an_error_bar(draw, table, column):
    one = table()[column][0]
    with_interval = {f"{column}_low": [one / 2, None], f"{column}_high": [one * 3, None]}
    drawn = spans(draw(table(**with_interval))) - spans(draw(table()))
    assert drawn == {(one / 2, one * 3)}
