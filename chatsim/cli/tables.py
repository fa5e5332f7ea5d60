"""Tables in a terminal. They fit: numbers and identifiers are never cut, and columns are left out instead."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.table import Table

__all__ = ["UNKNOWN", "Column", "console", "fitting", "print_fitting"]

UNKNOWN = "–"
"""What a cell shows that has no value."""

_PIPED = 160
"""The width of piped output, in columns, if the variable COLUMNS does not say it."""

_WRAPPED = 12
"""The width that is enough for a text that may be wrapped, unless one of its words is longer."""

_FRAME = 3
"""What a column takes besides its text: a space on either side, and a line."""


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        heading: its heading.
        cells: its cells, from the top, as plain text.
        justify: numbers are on the right.
        wraps: whether it is a text that may be wrapped between words.
    """

    heading: str
    cells: Sequence[str]
    justify: Literal["left", "right"] = "left"
    wraps: bool = False

    @property
    def natural(self) -> int:
        """The width in which nothing is wrapped."""
        return max(map(cell_len, (self.heading, *self.cells)))

    @property
    def width(self) -> int:
        """The least width in which nothing is cut."""
        words = " ".join((self.heading, *self.cells)).split()
        return max(min(self.natural, _WRAPPED), *map(cell_len, words)) if self.wraps else self.natural


def console() -> Console:
    """The console: as wide as the terminal; piped, as wide as the variable COLUMNS says."""
    if sys.stdout.isatty():
        return Console()
    columns = os.environ.get("COLUMNS", "")
    return Console(width=int(columns) if columns.isdecimal() and int(columns) else _PIPED)


def fitting(columns: Sequence[Column], width: int) -> tuple[list[Column], list[Column]]:
    """The columns that fit into ``width``, and those that are left out: first the empty ones, then from the right."""
    left_out: list[Column] = []

    def kept() -> list[Column]:
        return [each for each in columns if each not in left_out]

    empty = [each for each in columns if {*each.cells} == {UNKNOWN}]
    for each in [*empty, *(other for other in reversed(columns[1:]) if other not in empty)]:
        if _outer_width(kept()) <= width:
            break
        left_out.append(each)
    return kept(), [each for each in columns if each in left_out]


def _outer_width(columns: Iterable[Column]) -> int:
    return 1 + sum(each.width + _FRAME for each in columns)


def print_fitting(columns: Sequence[Column], *, title: str = "", caption: str = "", wide: bool | None = None) -> None:
    """Print a table.

    Args:
        columns: its columns, the most important first.
        title: printed above.
        caption: printed beneath.
        wide: whether all columns are printed, however wide the terminal is; None if the command has no such option.
    """
    out = console()
    kept, left_out = ([*columns], []) if wide else fitting(columns, out.width)
    room = out.width - _outer_width(kept)
    table = Table(title=title or None, title_justify="left")
    for each in kept:
        more = each.natural - each.width if wide else min(each.natural - each.width, room)
        room -= more
        table.add_column(escape(each.heading), justify=each.justify, width=each.width + more, overflow="fold")
    for row in zip(*(each.cells for each in kept), strict=True):
        table.add_row(*map(escape, row))
    Console(width=10_000).print(table)  # which is as wide as its columns
    if left_out:
        how = "; --wide shows them" if wide is not None else "; a wider terminal shows them"
        out.print(f"Left out: {', '.join(each.heading for each in left_out)}{how}.", highlight=False, markup=False)
    if caption:
        out.print(caption, highlight=False, markup=False, style="italic")
