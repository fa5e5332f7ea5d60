"""How long it takes to catch up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatsim.figures.style import POINTS, add_caption, bars, error_bars, log_scale, new_figure, set_heading

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

__all__ = ["catch_up"]


def catch_up(table: pd.DataFrame, caption: str = "") -> Figure:
    """Compare ways to catch up: for each round-trip time the first screen, the end, and a lower bound of the end.

    The bound is of everything, so a first screen can be there before it. All round-trip times have one scale.

    If cursors were compared directly on the database, also how many messages were written per second with each. A name
    says how many messages were lost, or what else the verdict is; then the bar is hatched.

    Args:
        table: the rows of a report of catching up.
        caption: the run's conditions, printed beneath.
    """
    away = table[table["protocol"] != "direct"]
    direct = table[table["protocol"] == "direct"]
    distances = list(dict.fromkeys(away["rtt_ms"]))
    heights = [0.35 * len(away[away["rtt_ms"] == each]) + 0.9 for each in distances]
    heights += [0.35 * len(direct) + 0.9] if len(direct) else []
    figure = new_figure(10, sum(heights) + 0.9, layout="constrained")
    axes = figure.subplots(len(heights), 1, height_ratios=heights, squeeze=False)
    for distance, (ax,) in zip(distances, axes, strict=False):
        part = away[away["rtt_ms"] == distance].iloc[::-1]
        places = range(len(part))
        ax.hlines(places, part["first_screen_ms"], part["caught_up_ms"], color="0.55", linewidth=3)
        ax.plot(part["first_screen_ms"], places, "o", color="black", markersize=5, label="first screen")
        ax.plot(part["caught_up_ms"], places, "|", color="black", markersize=12, markeredgewidth=2, label="everything")
        error_bars(ax, part, "first_screen_ms")
        error_bars(ax, part, "caught_up_ms")
        bound = part["lower_bound_ms"]
        ax.plot(bound, places, "D", color="white", markeredgecolor="black", label="bound of everything")
        ax.set(xlabel="ms from the request to catch up (log scale)", ylim=(-0.6, len(part) - 0.4))
        ax.set_yticks(places, [_called(*row) for row in part[["protocol", "cursor", "lost", "verdict"]].to_numpy()])
        log_scale(ax)
        set_heading(ax, f"{distance:g} ms round trip")
        ax.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=3, frameon=False, fontsize=POINTS)
    log_axes = axes[: len(distances), 0]
    for ax in log_axes:  # one scale for all
        ax.set_xlim(min(each.get_xlim()[0] for each in log_axes), max(each.get_xlim()[1] for each in log_axes))
    if len(direct):
        ax, part = axes[-1, 0], direct.iloc[::-1]
        names = [_called("", *row) for row in part[["cursor", "lost", "verdict"]].to_numpy()]
        bars(ax, names, part, "writes_per_s", words=part["verdict"])
        ax.set_xlabel("messages written per second")
        set_heading(ax, "straight on the database")
    add_caption(figure, caption)
    return figure


def _called(protocol: str, cursor: str, lost: int, verdict: str) -> str:
    name = ", ".join(filter(None, (protocol, cursor)))
    note = f"lost {lost:,}" if lost else "" if verdict == "safe" else verdict
    return f"{name} ({note})" if note else name
