"""``chatsim schedule``: multi-session schedules, step by step."""

from __future__ import annotations

import asyncio
import re
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click
import msgspec

from chatsim.cli.common import INTERRUPTED, UNSAFE, one_sentence, server_options
from chatsim.conformance.comparison import LEVELS, Comparison, compare
from chatsim.conformance.schedule import BadScheduleError, Completed, Play, Schedule, ScheduleOutcome, read
from chatsim.worlds.mysql.settings import Servers
from chatsim.worlds.world import BadParameterError, WorldError, missing_extra

if TYPE_CHECKING:
    from chatsim.conformance.differential import DifferentialReport

__all__ = ["schedule"]

_FEWEST, _MOST = 2, 4
_SESSIONS = re.compile(r"(\d)(?:-(\d))?")


@click.command()
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--world",
    type=click.Choice(["mysql", "model"]),
    default="mysql",
    show_default=True,
    help="Where it runs: on a real server, or in the model.",
)
@click.option("--json", "as_json", is_flag=True, help="The outcome as JSON, a line for each file.")
@click.option("--check", is_flag=True, help="Compare with what the files expect; exit status 1 where they differ.")
@click.option("--generate", type=int, metavar="N", help="With --check: draw N schedules, and compare the two worlds.")
@click.option("--seed", type=int, help="Of the schedules that are drawn.  [default: 1]")
@click.option("--sessions", help="How many they have, as 3, or 2-4.  [default: 2-4]")
@click.option("--foreign-keys", is_flag=True, help="Draw them over a parent table and its child.")
@server_options
def schedule(
    files: Sequence[Path],
    world: str,
    generate: int | None,
    seed: int | None,
    sessions: str | None,
    *,
    as_json: bool,
    check: bool,
    foreign_keys: bool,
    **options: Any,
) -> None:
    """Run schedules: the statements of several sessions, in a given order, with the locks after each step.

    With --generate, schedules are drawn at random, and played on MySQL and in the model. Each one on which they
    disagree is made as small as possible, and printed as a line of JSON that can be saved as a file. Its title is the
    difference.

    The server's purge is held back during each step, and waited for after it. On a server that you name, this enables
    the InnoDB counter purge_invoked (innodb_monitor_enable) for that time, and needs the privileges PROCESS, RELOAD,
    CONNECTION_ADMIN and SYSTEM_VARIABLES_ADMIN. The setting is put back at the end, also after an error or Ctrl-C.

    Exit status: 0; 1 when --check finds a difference (of drawn schedules, the locks may differ in 2 of 100);
    2 when one could not be run; 130 after Ctrl-C.
    """
    servers = Servers(**options)
    with one_sentence():
        if generate is not None:
            _check_drawing_options(files, world, generate, as_json=as_json, check=check)
            draws = {"seed": _seed(seed), "sessions": _session_range(sessions or "2-4"), "foreign_keys": foreign_keys}
            interrupted, report = _generate(servers, generate, draws)
        else:
            _check_file_options(files, world, servers, drawn=(seed, sessions, foreign_keys or None))
            schedules = [read(path) for path in files]
            if check and (without := [each.id for each in schedules if each.expected is None]):
                raise WorldError(f"{without[0]} does not say what to expect")
            found, skipped = _play_files(schedules, world, servers, strict=not check)
    if generate is not None:
        _print_report(report, interrupted=interrupted)
    elif check:
        _print_comparisons([compare(script, outcome) for script, outcome in found], skipped)
    else:
        for script, outcome in found:
            if as_json:
                click.echo(msgspec.json.encode(outcome))
            else:
                _print_outcome(script, outcome)


# --- what goes together


def _check_drawing_options(files: Sequence[Path], world: str, count: int, *, as_json: bool, check: bool) -> None:
    """Raise `BadParameterError` for options that can't be combined with --generate."""
    if files:
        raise BadParameterError(f"--generate draws schedules, and {files[0]} is one: give either")
    if not check:
        raise BadParameterError("--generate compares the two worlds: give --check as well")
    if count < 1:
        raise BadParameterError(f"--generate is {count}; it must be at least 1")
    if world != "mysql" or as_json:
        raise BadParameterError("--world and --json belong to files; --generate plays in both worlds")


def _check_file_options(
    files: Sequence[Path], world: str, servers: Servers, *, drawn: tuple[int | None, str | None, bool | None]
) -> None:
    """Raise `BadParameterError` for options that can't be combined with files."""
    if not files:
        raise BadParameterError("no schedule is given: name files, or have some drawn by --generate N --check")
    if any(each is not None for each in drawn):
        raise BadParameterError("--seed, --sessions and --foreign-keys are about drawn schedules: give --generate N")
    if world == "model" and servers != Servers():
        raise BadParameterError("which server to use is said for --world mysql; the model has none")


def _seed(seed: int | None) -> int:
    if seed is not None and seed < 0:
        raise BadParameterError(f"--seed is {seed}; it must be at least 0")
    return 1 if seed is None else seed


def _session_range(sessions: str) -> tuple[int, int]:
    """The fewest and the most sessions. Raises `BadParameterError`."""
    found = _SESSIONS.fullmatch(sessions)
    least, most = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
    if not _FEWEST <= least <= most <= _MOST:
        raise BadParameterError(f"--sessions is {sessions}; it must be from {_FEWEST} to {_MOST}, as 3, or 2-4")
    return least, most


# --- running them


@contextmanager
def _mysql(servers: Servers) -> Iterator[tuple[Play, bool]]:
    """How schedules are played on a server, one after the other; and whether it has a binary log."""
    from chatsim.conformance import mysql_player
    from chatsim.worlds.mysql.world import MySQLWorld

    with asyncio.Runner() as runner:
        world = runner.run(MySQLWorld(servers).__aenter__())
        try:
            has_log = bool(cast("dict[str, int]", world.environment["settings"])["log_bin"])
            yield lambda script: runner.run(mysql_player.play(world, script)), has_log
        finally:
            runner.run(world.__aexit__())


def _play_files(
    schedules: Sequence[Schedule], world: str, servers: Servers, *, strict: bool
) -> tuple[list[tuple[Schedule, ScheduleOutcome]], list[str]]:
    """The outcomes, and why what can't be run there can't; the first of these is raised when ``strict``."""
    from chatsim.conformance import model_player

    if world == "model":
        return _play_all(schedules, model_player.play, strict=strict)
    found: dict[int, ScheduleOutcome] = {}
    skipped: list[str] = []
    for settings in dict.fromkeys(_settings(script) for script in schedules):  # an own server for each
        alike = [script for script in schedules if _settings(script) == settings]
        with _mysql(replace(servers, settings=settings)) as (play, _):
            played, not_played = _play_all(alike, play, strict=strict)
        found |= {id(script): outcome for script, outcome in played}
        skipped += not_played
    return [(script, found[id(script)]) for script in schedules if id(script) in found], skipped


def _settings(script: Schedule) -> tuple[tuple[str, str], ...]:
    """The server settings that a schedule needs. Raises `BadScheduleError`."""
    for name, value in script.server.items():
        if not name.isidentifier() or not str(value).isalnum():
            raise BadScheduleError(f"{script.id} asks for the setting {name!r} = {value!r}")
    return tuple((name, str(value)) for name, value in sorted(script.server.items()))


def _play_all(
    schedules: Sequence[Schedule], play: Play, *, strict: bool
) -> tuple[list[tuple[Schedule, ScheduleOutcome]], list[str]]:
    found, skipped = [], []
    for script in schedules:
        try:
            found.append((script, play(script)))
        except WorldError as error:
            if strict:
                raise
            skipped.append(str(error))
    return found, skipped


def _generate(servers: Servers, count: int, draws: dict[str, Any]) -> tuple[bool, DifferentialReport]:
    """Draw and play schedules. Returns whether it was interrupted, and the report so far."""
    from chatsim.conformance import model_player

    try:
        from chatsim.conformance.differential import DifferentialReport, DifferentialTest
    except ImportError as error:
        raise missing_extra("--generate", "generate") from error

    report = DifferentialReport()
    try:
        with _mysql(servers) as (play, log_bin), _interruptible(play) as stoppable:
            DifferentialTest(stoppable, partial(model_player.play, log_bin=log_bin), **draws).run(count, report)
    except KeyboardInterrupt:
        return True, report
    return False, report


@contextmanager
def _interruptible(play: Play) -> Iterator[Play]:
    """Ctrl-C waits for the schedule that is being played: half of one would leave the worlds in disorder."""
    interrupted = threading.Event()

    def stoppable(script: Schedule) -> ScheduleOutcome:
        if interrupted.is_set():
            raise KeyboardInterrupt
        return play(script)

    before = signal.signal(signal.SIGINT, lambda *_: interrupted.set())
    try:
        yield stoppable
    finally:
        signal.signal(signal.SIGINT, before)


# --- what is printed


def _print_report(report: DifferentialReport, *, interrupted: bool) -> None:
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


def _print_comparisons(comparisons: Sequence[Comparison], skipped: Sequence[str]) -> None:
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


def _print_outcome(script: Schedule, outcome: ScheduleOutcome) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console(width=None if sys.stdout.isatty() else 160)
    table = Table(title=script.title or script.id, title_justify="left", show_lines=True)
    for name in ("step", *script.sessions):
        table.add_column(name)
    for step, after in zip(script.steps, outcome.steps, strict=True):
        cells = dict.fromkeys(script.sessions, "")
        cells[step.session] = escape(step.sql)
        for ended in after.completed:
            cells[ended.session] += f"\n[bold]{escape(_result(ended))}[/bold]"
        for name, waits in after.blocked.items():
            cells[name] += f"\n[italic]waits for {', '.join(waits.by) or 'others'}[/italic]"
        for owner, *lock in after.locks or ():
            cells[owner] += f"\n[dim]{escape(' '.join('-' if part is None else str(part) for part in lock))}[/dim]"
        table.add_row(str(step.n), *(cell.strip() for cell in cells.values()))
    console.print(table)
    for name, final in outcome.final.items():
        console.print(f"{name} ({', '.join(final.columns)}): {final.rows}", markup=False)


def _result(ended: Completed) -> str:
    if ended.result == "error":
        return f"{ended.errno}: {ended.message}"
    return str(ended.rows) if ended.result == "rows" else f"ok, {ended.affected} rows"
