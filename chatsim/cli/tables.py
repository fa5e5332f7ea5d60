"""Results and deadlocks as tables in a terminal."""

from __future__ import annotations

from rich.markup import escape
from rich.table import Table

from chatsim.db.deadlock import Deadlock
from chatsim.experiments.result import Result

__all__ = ["lock_table", "result_table"]


def result_table(result: Result) -> Table:
    """The columns of a result that are shown, its conditions beneath."""
    table = Table(title=result.title, caption=result.conditions(), title_justify="left")
    rows = result.rows()
    for name, heading in result.shown.items():
        number = any(isinstance(row.get(name), int | float) for row in rows)
        table.add_column(heading, justify="right" if number else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_cell(name, row) for name in result.shown))
    return table


def _cell(name: str, row: dict[str, object]) -> str:
    value = row.get(name)
    if name == "verdict" and value != "safe":
        return escape(f"{value}: {row['why']}")
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:,.2f}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else escape(str(value))


def lock_table(deadlock: Deadlock) -> Table:
    """The locks of a deadlock, a row each."""
    rows = deadlock.rows()
    table = Table(*rows[0])
    for row in rows:
        table.add_row(*(escape(str(value)) for value in row.values()))
    return table
