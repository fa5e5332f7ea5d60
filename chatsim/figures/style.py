"""What all figures share: how they are made, their sizes of text, their scales, bars and captions."""

from __future__ import annotations

from io import BytesIO
from textwrap import wrap
from typing import TYPE_CHECKING, Literal

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pandas as pd
    from matplotlib.axes import Axes

__all__ = [
    "POINTS",
    "NotebookFigure",
    "add_caption",
    "bars",
    "error_bars",
    "log_scale",
    "new_figure",
    "set_heading",
    "wrapped",
]

POINTS = 8
"""The size of text."""


class NotebookFigure(Figure):
    """A figure that a notebook shows as a cell's result. pyplot knows nothing of it, and does not show it once more."""

    def _repr_png_(self) -> bytes:
        png = BytesIO()
        self.savefig(png, format="png", bbox_inches="tight")
        return png.getvalue()


def new_figure(width: float, height: float, layout: Literal["constrained"] | None = None) -> NotebookFigure:
    """An empty figure with a size in inches."""
    figure = NotebookFigure(figsize=(width, height), layout=layout)
    FigureCanvasAgg(figure)
    return figure


def add_caption(figure: Figure, caption: str, width: int = 165) -> None:
    """Print the conditions of a run beneath its figure, wrapped to ``width`` characters."""
    figure.supxlabel("\n".join(wrap(caption, width)), fontsize=7.5, x=0.01, ha="left")


def set_heading(ax: Axes, text: str) -> None:
    """Print a heading above the left end of some axes."""
    ax.set_title(text, loc="left", fontsize=10, fontweight="bold")


def log_scale(ax: Axes, *, powers: bool = False) -> None:
    """Make the x axis logarithmic, with plain numbers at 1, 2 and 5, or only at powers of ten, and a grid."""
    ax.set_xscale("log")
    ax.xaxis.set_major_locator(LogLocator(subs=(1,) if powers else (1, 2, 5)))
    ax.xaxis.set_major_formatter("{x:,g}")
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.grid(axis="x", which="both", color="0.9")
    ax.set_axisbelow(True)


HATCHES = {"safe": "", "not tested": "....", "errors": "////", "unsafe": "////"}
"""How a bar is hatched, by the word of its verdict."""


def bars(ax: Axes, names: Sequence[str], table: pd.DataFrame, column: str, *, words: Iterable[str]) -> None:
    """Draw a column as horizontal bars, hatched by the words of their verdicts; a safe one is filled.

    If there are intervals over repetitions, each bar has an error bar.
    """
    drawn = ax.barh(names, table[column].astype(float), color="0.55", edgecolor="black", linewidth=0.6)
    for bar, hatch in zip(drawn, map(HATCHES.__getitem__, words), strict=True):
        if hatch:
            bar.set(hatch=hatch, facecolor="white")
    error_bars(ax, table, column)


def error_bars(ax: Axes, table: pd.DataFrame, column: str) -> None:
    """Draw the intervals of a column over repetitions, if there are any, at the places 0, 1, 2, … of the y axis."""
    if f"{column}_low" not in table:
        return
    values, low, high = (table[name].astype(float) for name in (column, f"{column}_low", f"{column}_high"))
    known = low.notna().to_numpy()
    ax.errorbar(
        values[known],
        [place for place, is_known in enumerate(known) if is_known],
        xerr=[(values - low)[known], (high - values)[known]],
        fmt="none",
        ecolor="black",
        elinewidth=1,
        capsize=3,
    )


def wrapped(text: str, characters: int, lines: int) -> str:
    """The text, wrapped to a number of characters and cut after a number of lines."""
    return "\n".join(wrap(text, characters, max_lines=lines, placeholder=" …"))
