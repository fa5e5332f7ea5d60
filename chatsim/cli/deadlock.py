"""``chatsim deadlock``: the deadlocks of a pasted report or of an error log, explained."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from chatsim.cli.common import one_sentence
from chatsim.cli.deadlock_output import deadlock_data, print_deadlock

if TYPE_CHECKING:
    from chatsim.db.deadlock_kinds import DeadlockKind, Deadlocks

__all__ = ["deadlock"]

_STDIN = Path("-")


@click.command()
@click.argument("files", nargs=-1, type=click.Path(path_type=Path, allow_dash=True))
@click.option("--json", "as_json", is_flag=True, help="All deadlocks and their kinds, as one line of JSON.")
@click.option(
    "--tables",
    type=click.Path(path_type=Path),
    help="The tables for --draft: CREATE TABLE statements, or what SHOW CREATE TABLE prints.",
)
@click.option(
    "--draft",
    "target",
    type=click.Path(path_type=Path),
    help="Write a draft of a schedule that ends in the deadlock: JSON if the name ends so, else SQL.",
)
def deadlock(files: Sequence[Path], *, as_json: bool, tables: Path | None, target: Path | None) -> None:
    """Explain deadlocks: who waited for which lock of which index, who held it, and why this one died.

    A file (or the standard input, if none is named) has what a server has printed: SHOW ENGINE INNODB STATUS, or an
    error log of a server with innodb_print_all_deadlocks=ON. MySQL 5.0 to 9, MariaDB and Aurora are understood, also
    indented, quoted, with a log's prefix on each line, as one line, or cut off. No server is needed. Several deadlocks
    are counted by the kind of their cycle, and the latest one of each kind is explained.

    With --draft, the latest deadlock of the most frequent kind becomes a schedule for `chatsim schedule`: the tables,
    the rows that the report shows, the statements of the report, and others in place of those that the report does not
    have. Comments say what to complete. The draft is played in the model, and it is said whether it ends there in the
    same cycle of waits.

    Exit status: 0; 2 when a file can't be read or written, or no deadlock is in what was given.
    """
    with one_sentence():
        _check_draft_options(tables, target)
        found = _read(files or [_STDIN])
        if target is not None and tables is not None:
            _write_draft(found, tables, target)
    if as_json:
        _print_json(found)
    elif len(found) == 1:
        print_deadlock(found[0])
    else:
        _print_kinds(found)


def _check_draft_options(tables: Path | None, target: Path | None) -> None:
    """Raise `BadParameterError` unless both are given or none, or if the draft is there already."""
    from chatsim.worlds.world import BadParameterError

    if (tables is None) != (target is None):
        raise BadParameterError("--draft writes a schedule with the tables of --tables: give both")
    if target is not None and target.exists():
        raise BadParameterError(f"{target} is there already: name another file for --draft")


def _write_draft(found: Deadlocks, tables: Path, target: Path) -> None:
    """Write the draft, and say how it ends in the model."""
    import msgspec

    from chatsim.conformance.deadlock_draft.draft import draft
    from chatsim.worlds.world import BadParameterError

    try:
        made = draft(found.kinds()[0].example, _decoded(tables.read_bytes()))
        if target.suffix == ".json":
            text = msgspec.json.format(msgspec.json.encode(made.schedule), indent=2).decode() + "\n"
        else:
            text = made.sql()
        target.write_text(text, encoding="utf-8")
    except OSError as error:
        raise BadParameterError(f"{error.filename}: {error.strerror}") from error
    click.echo(f"{target} is written. {made.ending} Play it with: chatsim schedule --world both {target}", err=True)


def _read(files: Sequence[Path]) -> Deadlocks:
    """The deadlocks of all files."""
    from chatsim.db.deadlock_report.reader import deadlocks
    from chatsim.worlds.world import BadParameterError

    if _STDIN in files and sys.stdin.isatty():
        click.echo("Paste the report, then press Ctrl-D.", err=True)
    texts = []
    for path in files:
        try:
            content = sys.stdin.buffer.read() if path == _STDIN else path.read_bytes()
        except OSError as error:
            raise BadParameterError(f"{path} can't be read: {error.strerror}") from error
        texts.append(_decoded(content))
    return deadlocks("\n".join(texts))


def _decoded(content: bytes) -> str:
    """The text; PowerShell writes UTF-16, and statements may have any bytes."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", errors="replace")
    return content.decode("utf-8-sig", errors="replace")


def _print_kinds(found: Deadlocks) -> None:
    kinds = found.kinds()
    first, last = found[0].time, found[-1].time
    between = f", from {first} to {last}" if first and last else ""
    click.echo(f"{len(found):,} deadlocks of {_counted(len(kinds), 'kind')}{between}.")
    for place, kind in enumerate(kinds, 1):
        click.echo(f"\n{place}. {_heading(kind)}")
        print_deadlock(kind.example)


def _heading(kind: DeadlockKind) -> str:
    places = sorted({wanted.place for _, _, wanted in kind.example.waits_for() if wanted is not None})
    latest = f"; the latest, of {kind.example.time}" if kind.example.time and len(kind) > 1 else ""
    about = f", about {' and '.join(places)}" if places else ""
    return f"{_counted(len(kind), 'time')}{about}{latest}:"


def _counted(count: int, word: str) -> str:
    return f"{count:,} {word}{'s' * (count != 1)}"


def _print_json(found: Deadlocks) -> None:
    import msgspec

    places = {id(each): place for place, each in enumerate(found)}
    content = {
        "deadlocks": [deadlock_data(each) for each in found],
        "kinds": [
            {
                "count": len(kind),
                "statements": kind.shapes,
                "deadlocks": [places[id(each)] for each in kind.deadlocks],
            }
            for kind in found.kinds()
        ],
    }
    click.echo(msgspec.json.encode(content))
