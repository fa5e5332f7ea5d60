"""How soon texts are delivered, hop by hop."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatsim.figures.style import POINTS, add_caption, error_bars, new_figure

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

__all__ = ["delivery"]


def delivery(table: pd.DataFrame, caption: str = "") -> Figure:
    """Compare how soon texts are delivered: axes for each hop; for each way a bar from 0 to p50, and a line to p99.

    Args:
        table: one row for each way and hop, as `chatsim.delivery` reports.
        caption: the run's conditions, printed beneath.
    """
    hops = list(dict.fromkeys(table["hop"]))
    variants = table.groupby(["path", "presence", "peers"], sort=False).ngroups
    figure = new_figure(9, 1.4 + 0.3 * variants, layout="constrained")
    row = figure.subplots(1, len(hops), sharey=True, squeeze=False)
    for ax, hop in zip(row[0], hops, strict=True):
        of_hop = table[table["hop"] == hop].iloc[::-1]
        names = [f"{each.path}: {each.presence}, {each.peers}" for each in of_hop.itertuples()]
        p50, p99 = of_hop["p50_ms"].astype(float).fillna(0.0), of_hop["p99_ms"].astype(float)
        ax.barh(names, p50, color="0.8", edgecolor="black")
        ax.hlines(names, p50, p99.fillna(p50), color="black")
        error_bars(ax, of_hop, "p50_ms")
        ax.set_title(hop, fontsize=POINTS)
        ax.set_xlabel("ms, p50 and p99", fontsize=POINTS)
        ax.tick_params(labelsize=POINTS)
    add_caption(figure, caption, width=150)
    return figure
