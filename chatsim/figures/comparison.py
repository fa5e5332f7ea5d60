"""Strategies, or the operations of a mixed load, compared: goodput and latency."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatsim.figures.style import POINTS, add_caption, bars, error_bars, log_scale, new_figure, set_heading

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

__all__ = ["mix", "strategies"]


def strategies(table: pd.DataFrame, caption: str = "") -> Figure:
    """Compare strategies: a row of axes for each pattern, goodput on the left, latency from p50 to p99 on the right.

    With several repetitions, goodput, p50 and p99 have error bars. A strategy whose verdict is not ``safe`` is hatched
    (dotted, if it was not tested), and its name says why. So it does if a safe one has a remark.

    Args:
        table: a result's summary, one row per strategy and pattern.
        caption: the run's conditions, printed beneath.
    """
    return _compared(table, "pattern", "strategy", "private chats answered per second (goodput)", caption)


def mix(table: pd.DataFrame, caption: str = "") -> Figure:
    """Compare the operations of a mixed load as `strategies` compares strategies: a row of axes for each strategy.

    Args:
        table: a result's summary, one row per strategy and operation.
        caption: the run's conditions, printed beneath.
    """
    return _compared(table, "strategy", "operation", "operations answered per second (goodput)", caption)


def _compared(table: pd.DataFrame, group: str, name: str, goodput: str, caption: str) -> Figure:
    groups = list(dict.fromkeys(table[group]))
    tallest = max(len(table[table[group] == each]) for each in groups)
    figure = new_figure(10, 1.2 + len(groups) * (0.7 + 0.27 * tallest), layout="constrained")
    axes = figure.subplots(len(groups), 2, squeeze=False, sharex="col")
    for each, (left, right) in zip(groups, axes, strict=True):
        part = table[table[group] == each].iloc[::-1]
        remarks = part["remark"] if "remark" in part else [""] * len(part)
        names = [
            f"{own} ({note})" if (note := remark if word == "safe" else word) else own
            for own, word, remark in zip(part[name], part["verdict"], remarks, strict=True)
        ]
        bars(left, names, part, "goodput_per_s", words=part["verdict"])
        set_heading(left, each)
        places, p50, p99 = range(len(part)), part["p50_ms"].astype(float), part["p99_ms"].astype(float)
        right.hlines(places, p50, p99, color="0.55", linewidth=3)
        right.plot(p50, places, "o", color="black", markersize=5, label="median")
        right.plot(p99, places, "|", color="black", markersize=10, markeredgewidth=2, label="p99")
        error_bars(right, part, "p50_ms")
        error_bars(right, part, "p99_ms")
        right.set(yticks=[], ylim=left.get_ylim())
        if p50.notna().any():  # of few operations no percentile is known
            log_scale(right)
    axes[-1, 0].set_xlabel(goodput)
    axes[-1, 1].set_xlabel("latency, ms (log scale)")
    axes[0, 1].legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, frameon=False, fontsize=POINTS)
    add_caption(figure, caption)
    return figure
