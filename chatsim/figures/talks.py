"""The texts of conversations while servers are killed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatsim.figures.style import POINTS, add_caption, bars, new_figure, set_heading

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

__all__ = ["talk"]

_COUNTS = ("anomalies", "crashes", "sent")


def talk(table: pd.DataFrame, caption: str = "") -> Figure:
    """Draw how many texts were sent, how often something was killed, and how much is wrong: axes for each talk.

    Args:
        table: one row for each talk, as `chatsim.talk` reports.
        caption: the run's conditions, printed beneath.
    """
    figure = new_figure(7, 1.4 + 1.2 * len(table), layout="constrained")
    column = figure.subplots(len(table), 1, squeeze=False)
    for (ax,), (_, each) in zip(column, table.iterrows(), strict=True):
        bars(
            ax,
            _COUNTS,
            each[list(_COUNTS)].to_frame("count"),
            "count",
            words=["unsafe" if each["anomalies"] and name == "anomalies" else "safe" for name in _COUNTS],
        )
        ax.bar_label(ax.containers[0], padding=3, fontsize=POINTS)
        ax.tick_params(labelsize=POINTS)
        ax.margins(x=0.1)
        set_heading(ax, f"killed: {each['faults']}")
    add_caption(figure, caption, width=120)
    return figure
