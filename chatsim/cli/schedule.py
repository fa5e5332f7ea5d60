"""``chatsim schedule``: multi-session scripts, step by step."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from chatsim.cli.common import UNSAFE, one_sentence, server_options
from chatsim.lab.schedules import LEVELS, Comparison, compare
from chatsim.worlds.mysql.schedules import play
from chatsim.worlds.mysql.world import MySQLWorld, Servers
from chatsim.worlds.schedule import Completed, Outcome, Schedule, read
from chatsim.worlds.world import WorldError

__all__ = ["schedule"]


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--world", type=click.Choice(["mysql"]), default="mysql", show_default=True, help="Where it runs.")
@click.option("--json", "as_json", is_flag=True, help="The outcome as JSON, a line for each file.")
@click.option("--check", is_flag=True, help="Compare with what the files expect; exit status 1 where they differ.")
@server_options
def schedule(files: Sequence[Path], world: str, *, as_json: bool, check: bool, **options: Any) -> None:  # noqa: ARG001
    """Run schedules: several sessions' statements in an order, the locks after each step.

    Exit status: 0; 1 when --check finds a difference; 2 when one could not be run.
    """
    with one_sentence():
        scripts = [read(path) for path in files]
        if check and (silent := [each.id for each in scripts if each.expected is None]):
            raise WorldError(f"{silent[0]} does not say what to expect")
        found, skipped = asyncio.run(_play(scripts, Servers(**options), strict=not check))
    if check:
        _report([compare(script, outcome) for script, outcome in found], skipped)
        return
    for script, outcome in found:
        if as_json:
            click.echo(msgspec.json.encode(outcome))
        else:
            _show(script, outcome)


async def _play(
    scripts: Sequence[Schedule], servers: Servers, *, strict: bool
) -> tuple[list[tuple[Schedule, Outcome]], list[str]]:
    """The outcomes, and why what can't be run on this server can't; the first of these is raised when ``strict``."""
    found, skipped = [], []
    async with MySQLWorld(servers) as world:
        for script in scripts:
            try:
                found.append((script, await play(world, script)))
            except WorldError as error:
                if strict:
                    raise
                skipped.append(str(error))
    return found, skipped


def _report(comparisons: Sequence[Comparison], skipped: Sequence[str]) -> None:
    for each in comparisons:
        if not each.agrees:
            difference = next(difference for difference in each.differences if difference)
            click.echo(f"{each.schedule}: {difference}")
    for reason in skipped:
        click.echo(f"not run: {reason}", err=True)
    for level, name in enumerate(LEVELS):
        agree = sum(each.raced or each.differences[level] is None for each in comparisons)
        click.echo(f"{name}: {agree:,} of {len(comparisons):,} agree")
    if not all(each.agrees for each in comparisons):
        sys.exit(UNSAFE)


def _show(script: Schedule, outcome: Outcome) -> None:
    console = Console(width=None if sys.stdout.isatty() else 160)
    table = Table(title=script.title or script.id, title_justify="left", show_lines=True)
    for name in ("step", *script.sessions):
        table.add_column(name)
    for step, after in zip(script.steps, outcome.steps, strict=True):
        cells = dict.fromkeys(script.sessions, "")
        cells[step.session] = escape(step.sql)
        for ended in after.completed:
            cells[ended.session] += f"\n[bold]{escape(_told(ended))}[/bold]"
        for name, waits in after.blocked.items():
            cells[name] += f"\n[italic]waits for {', '.join(waits.by) or 'others'}[/italic]"
        for owner, *lock in after.locks or ():
            cells[owner] += f"\n[dim]{escape(' '.join('-' if part is None else str(part) for part in lock))}[/dim]"
        table.add_row(str(step.n), *(cell.strip() for cell in cells.values()))
    console.print(table)
    for name, final in outcome.final.items():
        console.print(f"{name} ({', '.join(final.columns)}): {final.rows}", markup=False)


def _told(ended: Completed) -> str:
    if ended.result == "error":
        return f"{ended.errno}: {ended.message}"
    return str(ended.rows) if ended.result == "rows" else f"ok, {ended.affected} rows"
