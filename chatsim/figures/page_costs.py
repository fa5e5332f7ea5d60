"""What a page of a list costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatsim.figures.style import POINTS, add_caption, new_figure, set_heading

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

__all__ = ["pages"]


_MARKS = ("o", "s", "^", "D", "v", "P", "X", "*")


def pages(table: pd.DataFrame, caption: str = "") -> Figure:
    """Show what a page costs, by depth: index reads against the length of the list, both on log scales.

    The dotted line is four times the page. Lines that cover each other have different marks.

    Args:
        table: the rows of a report of pages.
        caption: the run's conditions, printed beneath.
    """
    costs = table.drop_duplicates(["strategy", "existing", "depth"])
    depths = list(dict.fromkeys(costs["depth"]))
    figure = new_figure(1.6 + 3.2 * len(depths), 3.8, layout="constrained")
    axes = figure.subplots(1, len(depths), squeeze=False, sharey=True)
    for depth, ax in zip(depths, axes[0], strict=True):
        part = costs[costs["depth"] == depth]
        for at, name in enumerate(dict.fromkeys(part["strategy"])):
            line = part[part["strategy"] == name].sort_values("existing")
            ax.plot(
                line["existing"],
                line["index_reads"],
                color=f"{0.15 * (at % 4)}",
                linestyle=("solid", "dashed", "dashdot", (0, (1, 1)))[at % 4],
                linewidth=1.2,
                marker=_MARKS[at % len(_MARKS)],
                markersize=9 - at,
                markerfacecolor="white" if at % 2 else None,
                label=name,
            )
        most = 4 * part["page_size"].iloc[0]
        ax.axhline(most, color="black", linestyle="dotted", linewidth=1)
        if ax is axes[0, 0]:
            ax.annotate(
                "4 × the page", (0.02, most), (0, 2), ax.get_yaxis_transform(), "offset points", fontsize=POINTS
            )
        ax.set(xscale="log", yscale="log", xlabel="entries in the list")
        set_heading(ax, f"{depth} page")
        ax.grid(which="major", color="0.9")
        ax.set_axisbelow(True)
    axes[0, 0].set_ylabel("rows read in indexes, for a page")
    handles, names = axes[0, -1].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside right upper", frameon=False, fontsize=POINTS)
    add_caption(figure, caption)
    return figure
