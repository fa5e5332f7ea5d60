"""A played schedule as a table: a row for each step, a column for each session."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING

from chatsim.db.errors import Kind
from chatsim.db.mysql import kind_of

if TYPE_CHECKING:
    from chatsim.conformance.schedule import Completed, LockRow, Schedule, ScheduleOutcome, StepOutcome
    from chatsim.db.deadlock import Deadlock

__all__ = ["Cell", "cells", "died", "explained", "html"]


@dataclass
class Cell:
    """What happened to one session in one step.

    Attributes:
        statement: the statement that it ran in this step; empty if it ran none.
        results: how its statements ended during the step.
        waits: for whom it waits after the step; empty if it does not wait.
        locks: the locks that it has or wants after the step, each in words.
    """

    statement: str = ""
    results: list[str] = field(default_factory=list)
    waits: str = ""
    locks: list[str] = field(default_factory=list)


def cells(schedule: Schedule, steps: Sequence[StepOutcome]) -> Iterator[tuple[int, list[Cell]]]:
    """Each step's number, with a `Cell` for each session. ``steps`` may end before the schedule does."""
    for step, after in zip(schedule.steps, steps, strict=False):
        row = {name: Cell() for name in schedule.sessions}
        row[step.session].statement = step.sql
        for ended in after.completed:
            row[ended.session].results.append(_result(ended))
        for name, waiting in after.blocked.items():
            row[name].waits = f"waits for {', '.join(waiting.by) or 'others'}"
        for lock in after.locks or ():
            row[lock[0]].locks.append(_lock(lock))
        yield step.n, list(row.values())


def explained(outcome: ScheduleOutcome) -> Iterator[str]:
    """A text for each deadlock of an outcome: who waited for what, and who died."""
    for number, deadlocks, note in died(outcome):
        yield from (f"Deadlock at step {number}:\n{each.explain()}" for each in deadlocks)
        if note:
            yield note


def died(outcome: ScheduleOutcome) -> Iterator[tuple[int, Sequence[Deadlock], str]]:
    """The steps at which statements ended with 1213, with the deadlocks, and a note if some of these are not known."""
    for step in outcome.steps:
        deadlocks = outcome.deadlocks.get(step.n, [])
        more = sum(kind_of(each.errno) is Kind.DEADLOCK for each in step.completed) - len(deadlocks)
        statements = "One more statement" if more == 1 else f"{more} more statements"
        note = (
            f"{statements} ended with 1213 at step {step.n}. The server reports only the latest deadlock, and only"
            " those of locks on rows and tables."
        )
        if deadlocks or more > 0:
            yield step.n, deadlocks, note if more > 0 else ""


def html(schedule: Schedule, outcome: ScheduleOutcome) -> str:
    """The table of steps, the deadlocks explained, and the tables after the last step."""
    head = "".join(f"<th style='text-align:left'>{escape(name)}</th>" for name in ("step", *schedule.sessions))
    rows = "".join(
        f"<tr style='vertical-align:top'><td>{number}</td>{''.join(map(_html_cell, row))}</tr>"
        for number, row in cells(schedule, outcome.steps)
    )
    after = "".join(f"<p>{_lines(text)}</p>" for text in explained(outcome))
    after += "".join(
        f"<p>{escape(name)} ({escape(', '.join(table.columns))}): {escape(str(table.rows))}</p>"
        for name, table in outcome.final.items()
    )
    title = escape(schedule.title or schedule.id)
    return f"<p><b>{title}</b></p><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>{after}"


def _html_cell(cell: Cell) -> str:
    parts = [f"<code>{escape(cell.statement)}</code>"] if cell.statement else []
    parts += [f"<b>{escape(result)}</b>" for result in cell.results]
    parts += [f"<i>{escape(cell.waits)}</i>"] if cell.waits else []
    if cell.locks:
        count = f"{len(cell.locks)} lock{'s' * (len(cell.locks) > 1)}"
        parts.append(f"<details><summary>{count}</summary>{'<br>'.join(map(escape, cell.locks))}</details>")
    return f"<td style='text-align:left'>{'<br>'.join(parts)}</td>"


def _lines(text: str) -> str:
    return escape(text).replace("\n", "<br>")


def _lock(lock: LockRow) -> str:
    return " ".join("-" if part is None else str(part) for part in lock[1:])


def _result(ended: Completed) -> str:
    if ended.result == "error":
        return f"{ended.errno}: {ended.message}"
    return str(ended.rows) if ended.result == "rows" else f"ok, {ended.affected} rows"
