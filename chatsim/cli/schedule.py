"""``chatsim schedule``: multi-session schedules, step by step."""

from __future__ import annotations

import asyncio
import re
import signal
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from chatsim.cli.common import one_sentence, quiet_option, server_options, shows_progress
from chatsim.cli.interruption import is_late
from chatsim.cli.schedule_output import PlayedFile, print_both, print_checks, print_outcomes, print_report
from chatsim.conformance.files import read
from chatsim.conformance.schedule import BadScheduleError, NotPlayedError, Play, Schedule, ScheduleOutcome
from chatsim.worlds.mysql.settings import Servers
from chatsim.worlds.world import BadParameterError, missing_extra

if TYPE_CHECKING:
    from chatsim.conformance.differential import DifferentialReport

__all__ = ["schedule"]

_FEWEST, _MOST = 2, 4
_SESSIONS = re.compile(r"(\d)(?:-(\d))?")


@click.command()
@click.argument("files", nargs=-1, type=click.Path(path_type=Path, allow_dash=True))
@click.option(
    "--world",
    type=click.Choice(["mysql", "model", "both"]),
    default="mysql",
    show_default=True,
    help="Where it runs: on a real server, in the model, or in both, and the two are compared.",
)
@click.option("--json", "as_json", is_flag=True, help="The outcome as JSON, a line for each file.")
@click.option("--check", is_flag=True, help="Compare with what the files expect; exit status 1 where they differ.")
@click.option("--generate", type=int, metavar="N", help="With --check: draw N schedules, and compare the two worlds.")
@click.option("--seed", type=int, help="Of the schedules that are drawn.  [default: 1]")
@click.option("--sessions", help="How many they have, as 3, or 2-4.  [default: 2-4]")
@click.option("--foreign-keys", is_flag=True, help="Draw them over a parent table and its child.")
@quiet_option
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
    quiet: bool,
    **options: Any,
) -> None:
    """Run schedules: the statements of several sessions, in a given order, with the locks after each step.

    A file (- is the standard input) is JSON; or SQL, in which each comment '-- session NAME' says whose the following
    statements are, and what stands before the first is the setup; or lines 'NAME: statement', with the setup as lines
    'setup: statement'. A file that can't be run is said to be so, and the others go on. A deadlock is explained.

    With --generate, schedules are drawn at random, and played on MySQL and in the model. Each one on which they
    disagree is made as small as possible, and printed as a line of JSON that can be saved as a file. Its title is the
    difference.

    The server's purge is held back during each step, and waited for after it. On a server that you name, this enables
    the InnoDB counter purge_invoked (innodb_monitor_enable) for that time, and needs the privileges PROCESS, RELOAD,
    CONNECTION_ADMIN and SYSTEM_VARIABLES_ADMIN. The setting is put back at the end, also after an error or Ctrl-C.

    Exit status: 0; 1 when --check or --world both finds a difference (of drawn schedules, the locks may differ in 2 of
    100); 2 when one could not be run; 130 after Ctrl-C.
    """
    servers = Servers(**options)
    with one_sentence():
        if generate is not None:
            _check_drawing_options(files, world, generate, as_json=as_json, check=check)
            draws = {"seed": _seed(seed), "sessions": _session_range(sessions or "2-4"), "foreign_keys": foreign_keys}
            interrupted, report = _generate(servers, generate, draws, progress=shows_progress(quiet=quiet))
        else:
            _check_file_options(files, world, servers, check=check, drawn=(seed, sessions, foreign_keys or None))
            played = _play_files(files, ["mysql", "model"] if world == "both" else [world], servers, check=check)
    if generate is not None:
        print_report(report, interrupted=interrupted)
    elif check:
        print_checks(played)
    elif world == "both":
        print_both(played, as_json=as_json)
    else:
        print_outcomes(played, as_json=as_json)


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
    files: Sequence[Path],
    world: str,
    servers: Servers,
    *,
    check: bool,
    drawn: tuple[int | None, str | None, bool | None],
) -> None:
    """Raise `BadParameterError` for options that can't be combined with files."""
    if not files:
        raise BadParameterError("no schedule is given: name files, or have some drawn by --generate N --check")
    if any(each is not None for each in drawn):
        raise BadParameterError("--seed, --sessions and --foreign-keys are about drawn schedules: give --generate N")
    if world == "both" and check:
        raise BadParameterError("--world both compares the worlds with each other, --check with the files: give either")
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
        # others would hold back the purge that a step waits for
        world = runner.run(MySQLWorld(servers.alone()).__aenter__())
        try:
            has_log = bool(cast("dict[str, int]", world.environment["settings"])["log_bin"])
            yield lambda script: runner.run(mysql_player.play(world, script)), has_log
        finally:
            runner.run(world.__aexit__())


def _play_files(files: Sequence[Path], worlds: Sequence[str], servers: Servers, *, check: bool) -> list[PlayedFile]:
    """Each file, played in the worlds."""
    found = [_read(path, check=check) for path in files]
    readable = [each for each in found if each.schedule is not None]
    if "model" in worlds:
        from chatsim.conformance import model_player
    if "mysql" not in worlds:
        _play_all(readable, "model", model_player.play)
        return found
    for settings in dict.fromkeys(_settings(each.script) for each in readable):  # an own server for each
        those = [each for each in readable if _settings(each.script) == settings]
        with _mysql(replace(servers, settings=settings)) as (play, has_log):
            _play_all(those, "mysql", play)
        if "model" in worlds:
            _play_all(those, "model", partial(model_player.play, log_bin=has_log))
    return found


def _read(path: Path, *, check: bool) -> PlayedFile:
    try:
        schedule = read(path)
        _settings(schedule)
    except BadScheduleError as error:
        return PlayedFile(path.stem, None, problem=str(error))
    if check and schedule.expected is None:
        return PlayedFile(schedule.id, None, problem=f"{schedule.id} does not say what to expect")
    return PlayedFile(schedule.id, schedule)


def _settings(script: Schedule) -> tuple[tuple[str, str], ...]:
    """The server settings that a schedule needs. Raises `BadScheduleError`."""
    for name, value in script.server.items():
        if not name.isidentifier() or not str(value).isalnum():
            raise BadScheduleError(f"{script.id} asks for the setting {name!r} = {value!r}")
    return tuple((name, str(value)) for name, value in sorted(script.server.items()))


def _play_all(files: Iterable[PlayedFile], world: str, play: Play) -> None:
    for each in files:
        try:
            each.outcomes[world] = play(each.script)
        except NotPlayedError as error:
            each.outcomes[world] = error


def _generate(
    servers: Servers, count: int, draws: dict[str, Any], *, progress: bool
) -> tuple[bool, DifferentialReport]:
    """Draw and play schedules. Returns whether it was interrupted, and the report so far."""
    from chatsim.conformance import model_player

    try:
        from chatsim.conformance.differential import DifferentialReport, DifferentialTest
    except ImportError as error:
        raise missing_extra("--generate", "generate") from error

    report = DifferentialReport()
    try:
        with _mysql(servers) as (play, log_bin), _interruptible(play) as stoppable:
            DifferentialTest(stoppable, partial(model_player.play, log_bin=log_bin), **draws).run(
                count, report, progress=progress
            )
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

    def interrupt(*_: object) -> None:
        interrupted.set()
        if is_late():
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield stoppable
    finally:
        signal.signal(signal.SIGINT, before)
