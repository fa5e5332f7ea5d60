"""What ``chatsim schedule`` prints: outcomes as tables or as JSON, comparisons, and the report of a search."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import click
import msgspec

from chatsim.cli.common import FAILED, UNSAFE
from chatsim.cli.deadlock_output import deadlock_data, print_deadlock
from chatsim.cli.interruption import INTERRUPTED
from chatsim.conformance.comparison import LEVELS, Comparison, compare
from chatsim.conformance.display import Cell, cells, died
from chatsim.conformance.schedule import NotPlayedError, Played, Schedule, ScheduleOutcome, StepOutcome

if TYPE_CHECKING:
    from chatsim.conformance.differential import DifferentialReport

__all__ = ["PlayedFile", "print_both", "print_checks", "print_outcomes", "print_played", "print_report"]


@dataclass
class PlayedFile:
    """A file, and how it was played.

    Attributes:
        id: the schedule's id; the file's name if it is no schedule.
        schedule: the schedule; None if the file is none.
        outcomes: its outcome in each world, or why it could not be played there.
        problem: why the file is no schedule; empty if it is one.
    """

    id: str
    schedule: Schedule | None
    outcomes: dict[str, ScheduleOutcome | NotPlayedError] = field(default_factory=dict)
    problem: str = ""

    @property
    def script(self) -> Schedule:
        """The schedule of a file that is one."""
        assert self.schedule is not None
        return self.schedule

    def problems(self) -> list[str]:
        """Why it is no schedule, or why some worlds could not play it."""
        refused = [str(each) for each in self.outcomes.values() if isinstance(each, NotPlayedError)]
        return [self.problem] if self.problem else refused


def print_outcomes(files: Sequence[PlayedFile], *, as_json: bool) -> None:
    """Print the outcome of each file, and exit with the status for files that could not be played."""
    for each in files:
        ((_, outcome),) = each.outcomes.items() or [("", None)]
        if as_json:
            click.echo(msgspec.json.encode({"id": each.id, **_as_json(outcome, each.problem)}))
        elif isinstance(outcome, ScheduleOutcome):
            _print_steps(each.script, outcome.steps)
            _print_end(outcome)
        elif isinstance(outcome, NotPlayedError) and outcome.before:
            _print_steps(each.script, outcome.before)
        if not as_json:
            _say_problems(each)
    _exit(files)


def print_played(played: Played) -> None:
    """Print what a schedule does, step by step, without the locks, and the tables at the end."""
    _print_steps(played.schedule, [msgspec.structs.replace(step, locks=None) for step in played.steps])
    _print_end(played)


def print_checks(files: Sequence[PlayedFile]) -> None:
    """Print where the outcomes are not the expected ones, and exit with the status."""
    _print_comparisons(
        [
            compare(each.script, outcome)
            for each in files
            for outcome in each.outcomes.values()
            if isinstance(outcome, ScheduleOutcome)
        ],
        files,
    )


def print_both(files: Sequence[PlayedFile], *, as_json: bool) -> None:
    """Print where the worlds differ, and exit with the status."""
    compared = {each.id: _between_worlds(each) for each in files}
    if not as_json:
        _print_comparisons([each for each in compared.values() if each is not None], files)
        return
    for each in files:
        found = compared[each.id]
        worlds = {world: _as_json(outcome) for world, outcome in each.outcomes.items()} or _as_json(None, each.problem)
        differences = None if found is None else found.differences
        click.echo(msgspec.json.encode({"id": each.id, **worlds, "differences": differences}))
    _exit(files, differ=not all(each.agrees for each in compared.values() if each is not None))


def print_report(report: DifferentialReport, *, interrupted: bool) -> None:
    """Print the report about drawn schedules, and exit with the status."""
    for each in report.disagreements:
        click.echo(msgspec.json.encode(each.schedule))
    for reason, times in report.not_modelled.most_common():
        click.echo(f"not in the model, {times:,} times: {reason}", err=True)
    if report.unstable:
        click.echo(f"left out, since the server does not do the same every time: {report.unstable:,}", err=True)
    for name, differ in zip(LEVELS, report.differing, strict=True):
        click.echo(f"{name}: {report.played - differ:,} of {report.played:,} agree")
    if interrupted:
        click.echo("Interrupted; what had been found is above.", err=True)
        sys.exit(INTERRUPTED)
    if not report.agrees:
        sys.exit(UNSAFE)


def _between_worlds(file: PlayedFile) -> Comparison | None:
    """The model's outcome compared with the server's; None if there are not both."""
    server, model = (file.outcomes.get(world) for world in ("mysql", "model"))
    if not isinstance(server, ScheduleOutcome) or not isinstance(model, ScheduleOutcome):
        return None
    return compare(msgspec.structs.replace(file.script, expected=server, alternatives=[]), model)


def _as_json(outcome: ScheduleOutcome | NotPlayedError | None, problem: str = "") -> dict[str, object]:
    if isinstance(outcome, ScheduleOutcome):
        content = dict(msgspec.to_builtins(outcome, str_keys=True))
        if content.pop("deadlocks_by_step", None):
            content["deadlocks"] = {
                str(step): [deadlock_data(each) for each in found] for step, found in outcome.deadlocks.items()
            }
        return content
    if isinstance(outcome, NotPlayedError):
        step = None if outcome.step is None else outcome.step.n
        return {"error": str(outcome), "step": step, "steps": msgspec.to_builtins(outcome.before)}
    return {"error": problem}


def _say_problems(file: PlayedFile) -> None:
    for problem in file.problems():
        click.echo(f"not run: {problem}", err=True)


def _print_comparisons(comparisons: Sequence[Comparison], files: Sequence[PlayedFile]) -> None:
    for each in comparisons:
        if not each.agrees:
            difference = next(difference for difference in each.differences if difference)
            click.echo(f"{each.schedule}: {difference}")
    for file in files:
        _say_problems(file)
    for level, name in enumerate(LEVELS):
        agree = sum(each.raced or each.differences[level] is None for each in comparisons)
        click.echo(f"{name}: {agree:,} of {len(comparisons):,} agree")
    _exit(files, differ=not all(each.agrees for each in comparisons))


def _exit(files: Sequence[PlayedFile], *, differ: bool = False) -> None:
    if differ:
        sys.exit(UNSAFE)
    if any(each.problems() for each in files):
        sys.exit(FAILED)


def _print_steps(script: Schedule, steps: Sequence[StepOutcome]) -> None:
    from rich.table import Table

    from chatsim.cli.tables import console

    table = Table(title=script.title or script.id, title_justify="left", show_lines=True)
    for name in ("step", *script.sessions):
        table.add_column(name)
    for number, row in cells(script, steps):
        table.add_row(str(number), *("\n".join(_markup(cell)) for cell in row))
    console().print(table)


def _markup(cell: Cell) -> Iterator[str]:
    from rich.markup import escape

    if cell.statement:
        yield escape(cell.statement)
    yield from (f"[bold]{escape(result)}[/bold]" for result in cell.results)
    if cell.waits:
        yield f"[italic]{escape(cell.waits)}[/italic]"
    yield from (f"[dim]{escape(lock)}[/dim]" for lock in cell.locks)


def _print_end(outcome: ScheduleOutcome) -> None:
    for number, deadlocks, note in died(outcome):
        for deadlock in deadlocks:
            click.echo(f"\nDeadlock at step {number}:")
            print_deadlock(deadlock)
        if note:
            click.echo(note)
    for name, final in outcome.final.items():
        click.echo(f"{name} ({', '.join(final.columns)}): {final.rows}")
