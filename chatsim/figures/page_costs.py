"""What a page of a list costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatsim.figures.style import POINTS, add_caption, log_scale, new_figure, set_heading

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

__all__ = ["pages"]


_MARKS = ("o", "s", "^", "D", "v", "P", "X", "*")


def pages(table: pd.DataFrame, caption: str = "") -> Figure:
    """Show what a page costs, by depth: index reads of each strategy, with a mark for each length of the list.

    The marks of a strategy lie one below the other, so that equal costs do not cover each other. The dotted line is
    four times the page.

    Args:
        table: the rows of a report of pages.
        caption: the run's conditions, printed beneath.
    """
    costs = table.drop_duplicates(["strategy", "existing", "depth"])
    depths, names = (list(dict.fromkeys(costs[column])) for column in ("depth", "strategy"))
    lengths = sorted(set(costs["existing"]))
    figure = new_figure(1.8 + 3 * len(depths), 1.5 + (0.25 + 0.12 * len(lengths)) * len(names), layout="constrained")
    axes = figure.subplots(1, len(depths), squeeze=False, sharex=True, sharey=True)
    places = {name: -at for at, name in enumerate(names)}
    for depth, ax in zip(depths, axes[0], strict=True):
        for at, length in enumerate(lengths):
            part = costs[(costs["depth"] == depth) & (costs["existing"] == length)]
            ax.plot(
                part["index_reads"],
                [places[name] + 0.6 * ((len(lengths) - at) / (len(lengths) + 1) - 0.5) for name in part["strategy"]],
                linestyle="none",
                color="black",
                marker=_MARKS[at % len(_MARKS)],
                markersize=5,
                markerfacecolor="white" if at % 2 else None,
                label=f"{length:,} entries",
            )
        ax.axvline(4 * costs["page_size"].iloc[0], color="black", linestyle="dotted", linewidth=1)
        ax.set_yticks([*places.values()], names)
        ax.set_ylim(0.5 - len(names), 0.5)
        log_scale(ax, powers=True)
        ax.set_xlabel("rows read in indexes, for a page", fontsize=POINTS)
        set_heading(ax, f"{depth} page")
    handles, labels = axes[0, -1].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right upper", frameon=False, fontsize=POINTS)
    add_caption(figure, f"Dotted: 4 × the page. {caption}")
    return figure
