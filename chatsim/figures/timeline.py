"""How the operations of a run went in time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatsim.figures.style import POINTS, add_caption, new_figure, set_heading

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

__all__ = ["per_second"]

_MEASURES = {"ok": "operations that succeeded, per second", "p50_ms": "their median latency, ms"}

_STYLES = ("solid", "dashed", "dashdot", "dotted")


def per_second(table: pd.DataFrame, caption: str = "", *, warm_up: float = 0.0, ramp: float = 0.0) -> Figure:
    """Draw operations and their median latency against the time: a line for each variant, of its first repetition.

    Args:
        table: a result's table per second.
        caption: the run's conditions, printed beneath.
        warm_up: the seconds at the beginning that were not measured; they are shaded.
        ramp: the seconds at the beginning in which the load grew; a line marks their end.
    """
    keys = [*table.columns][: [*table.columns].index("repeat")]
    first = table[table["repeat"] == 1]
    groups = [*first.groupby(keys, sort=False, dropna=False)]
    figure = new_figure(10, 5 + 0.12 * len(groups), layout="constrained")
    axes = figure.subplots(len(_MEASURES), 1, sharex=True)
    for ax, (column, heading) in zip(axes, _MEASURES.items(), strict=True):
        for at, (key, part) in enumerate(groups):
            ax.plot(
                part["second"] + 0.5,  # it is what happened from here to the next second
                part[column],
                color=f"{0.2 * (at // len(_STYLES) % 4)}",
                linestyle=_STYLES[at % len(_STYLES)],
                linewidth=1.2,
                marker=".",
                label=", ".join(map(str, key)),
            )
        if warm_up:
            ax.axvspan(0, warm_up, color="0.92", label="warm-up, not measured")
        if ramp:
            ax.axvline(ramp, color="black", linewidth=0.8, linestyle=(0, (1, 3)), label="end of the ramp")
        ax.set_ylim(bottom=0)
        ax.grid(color="0.9")
        set_heading(ax, heading)
    axes[-1].set_xlabel("seconds since the beginning")
    handles, names = axes[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper center", ncols=3, frameon=False, fontsize=POINTS)
    add_caption(figure, caption)
    return figure
