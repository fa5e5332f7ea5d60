"""Results and deadlocks as tables in a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from chatsim.cli.tables import UNKNOWN, Column, print_fitting
from chatsim.experiments.checks import Word
from chatsim.experiments.tables import in_digits
from chatsim.experiments.variant import verdict_words

if TYPE_CHECKING:
    from chatsim.db.deadlock import Deadlock
    from chatsim.experiments.result import Result

__all__ = ["print_lock_table", "print_result_table", "print_rows"]


def print_result_table(result: Result, *, wide: bool) -> None:
    """Print the columns of a result that are shown, and its conditions beneath."""
    rows = result.rows()
    columns = []
    for name, heading in result.shown.items():
        number = any(isinstance(row.get(name), int | float) for row in rows)
        cells = ("" if name in said else _cell(name, row) for row, said in zip(rows, result.said_above(), strict=True))
        columns.append(_column(heading, cells, number=number, wraps=name == "verdict"))
    untested = dict.fromkeys(row["why"] for row in rows if row.get("verdict") == Word.NOT_TESTED)
    caption = "\n".join([*(f"Not tested: {why}." for why in untested), result.conditions()])
    print_fitting(columns, title=result.title, caption=caption, wide=wide)


def print_rows(rows: Sequence[dict[str, object]], *, wide: bool) -> None:
    """Print rows that have the same names, under these."""
    columns = []
    for name in rows[0] if rows else ():
        numeric = any(isinstance(row[name], int | float) for row in rows)
        columns.append(_column(name, (_cell(name, row) for row in rows), number=numeric, wraps=name == "note"))
    print_fitting(columns, wide=wide)


def print_lock_table(deadlock: Deadlock, *, wide: bool) -> None:
    """Print the locks of a deadlock, a row each."""
    rows = deadlock.rows()
    names = sorted(rows[0], key=lambda name: name in ("connection", "table", "mode"))  # what can be left out
    print_fitting([_column(name, (str(row[name]) for row in rows)) for name in names], wide=wide)


def _column(heading: str, cells: Iterable[str], *, number: bool = False, wraps: bool = False) -> Column:
    return Column(heading, [*cells], "right" if number else "left", wraps)


def _cell(name: str, row: dict[str, object]) -> str:
    value = row.get(name)
    if name == "verdict" and value == Word.NOT_TESTED:
        return str(value)  # why is said once, beneath
    if name == "verdict":
        if value in ("safe", None):
            return verdict_words(row) or UNKNOWN
        return f"{value}: {row['why']}" if "why" in row else str(value)
    if value is None:
        return UNKNOWN
    if isinstance(value, float):
        return in_digits(value)
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
