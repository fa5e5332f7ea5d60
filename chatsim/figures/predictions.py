"""What a model has predicted, against what was measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.ticker import LogLocator, NullFormatter

from chatsim.figures.style import POINTS, add_caption, new_figure, set_heading

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

__all__ = ["predictions"]

_TENTH = 0.1
_MARKERS = "osv^D<>PX*"
_COLUMNS = 3
_DECADE = 10
"""Axes that are longer have labels at powers of ten only."""


def predictions(table: pd.DataFrame, caption: str = "") -> Figure:
    """Draw predicted against measured, a panel for each measure, with intervals of 90 %.

    The line is where they are equal, and the band a tenth on either side. What is not judged is hollow. What is 0 is
    not drawn.

    Args:
        table: rows with ``case``, ``measure``, ``measured``, ``predicted``, ``low``, ``high`` and ``not judged``.
        caption: the conditions, printed beneath.
    """
    table = table[(table["measured"] > 0) & (table["predicted"] > 0)]
    measures = dict.fromkeys(table["measure"])
    columns = max(1, min(_COLUMNS, len(measures)))
    rows = max(1, -(-len(measures) // columns))
    figure = new_figure(4 * columns, 3.6 * rows, layout="constrained")
    axes = [*figure.subplots(rows, columns, squeeze=False).flat]
    for ax in axes[len(measures) :]:
        ax.set_visible(False)
    cases = dict.fromkeys(table["case"])
    for name, ax in zip(measures, axes, strict=False):
        part = table[table["measure"] == name]
        ends = np.array([part[["measured", "low"]].to_numpy().min(), part[["measured", "high"]].to_numpy().max()])
        ends = np.maximum(ends, part["measured"].min() / 10) * (0.8, 1.25)
        ax.fill_between(ends, ends * (1 - _TENTH), ends * (1 + _TENTH), color="0.9", linewidth=0)
        ax.plot(ends, ends, color="0.5", linewidth=0.8)
        for case, marker in zip(cases, _MARKERS * len(cases), strict=False):
            own = part[part["case"] == case]
            ax.vlines(own["measured"], own["low"], own["high"], color="0.6", linewidth=1)
            hollow = (own["not judged"] != "").to_numpy()
            for which, fill in ((~hollow, "black"), (hollow, "white")):
                ax.plot(own["measured"][which], own["predicted"][which], marker, color="black", markersize=4, mfc=fill)
        ax.set(xscale="log", yscale="log", xlim=ends, ylim=ends, aspect="equal")
        subs = (1, 2, 5) if ends[1] < _DECADE * ends[0] else (1,)
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_locator(LogLocator(subs=subs, numticks=6))
            axis.set_major_formatter("{x:,g}")
            axis.set_minor_formatter(NullFormatter())
        ax.tick_params(labelsize=POINTS)
        set_heading(ax, name)
    figure.supylabel("predicted", fontsize=9)
    handles = [
        figure.axes[0].plot([], [], marker, color="black", markersize=4, label=case)[0]
        for case, marker in zip(cases, _MARKERS * len(cases), strict=False)
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=3, frameon=False, fontsize=POINTS)
    add_caption(figure, f"measured. {caption}", 150)
    return figure
