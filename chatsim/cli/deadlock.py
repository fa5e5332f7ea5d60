"""``chatsim deadlock``: the deadlocks of a pasted report or of an error log, explained."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from chatsim.cli.common import one_sentence

if TYPE_CHECKING:
    from chatsim.db.deadlock import Deadlock
    from chatsim.db.deadlock_kinds import DeadlockKind, Deadlocks

__all__ = ["deadlock"]

_STDIN = Path("-")
_WIDTH = 100


@click.command()
@click.argument("files", nargs=-1, type=click.Path(path_type=Path, allow_dash=True))
@click.option("--json", "as_json", is_flag=True, help="All deadlocks and their kinds, as one line of JSON.")
def deadlock(files: Sequence[Path], *, as_json: bool) -> None:
    """Explain deadlocks: who waited for which lock of which index, who held it, and why this one died.

    A file (or the standard input, if none is named) has what a server has printed: SHOW ENGINE INNODB STATUS, or an
    error log of a server with innodb_print_all_deadlocks=ON. MySQL 5.0 to 9, MariaDB and Aurora are understood, also
    indented, quoted, with a log's prefix on each line, as one line, or cut off. No server is needed. Several deadlocks
    are counted by the kind of their cycle, and the latest one of each kind is explained.

    Exit status: 0; 2 when a file can't be read, or no deadlock is in what was given.
    """
    with one_sentence():
        found = _read(files or [_STDIN])
    if as_json:
        _print_json(found)
    elif len(found) == 1:
        _print(found[0])
    else:
        _print_kinds(found)


def _read(files: Sequence[Path]) -> Deadlocks:
    """The deadlocks of all files."""
    from chatsim.db.deadlock_report.reader import deadlocks
    from chatsim.worlds.world import BadParameterError

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


def _print(found: Deadlock) -> None:
    click.echo(found.ring(_width()))
    click.echo()
    click.echo(found.explain())


def _print_kinds(found: Deadlocks) -> None:
    kinds = found.kinds()
    first, last = found[0].time, found[-1].time
    between = f", from {first} to {last}" if first and last else ""
    click.echo(f"{len(found):,} deadlocks of {_counted(len(kinds), 'kind')}{between}.")
    for place, kind in enumerate(kinds, 1):
        click.echo(f"\n{place}. {_heading(kind)}")
        _print(kind.example)


def _heading(kind: DeadlockKind) -> str:
    places = sorted({wanted.place for _, _, wanted in kind.example.waits_for() if wanted is not None})
    latest = f"; the latest, of {kind.example.time}" if kind.example.time and len(kind) > 1 else ""
    about = f", about {' and '.join(places)}" if places else ""
    return f"{_counted(len(kind), 'time')}{about}{latest}:"


def _counted(count: int, word: str) -> str:
    return f"{count:,} {word}{'s' * (count != 1)}"


def _width() -> int:
    from chatsim.cli.tables import console

    return max(_WIDTH, console().width) if not sys.stdout.isatty() else console().width


def _print_json(found: Deadlocks) -> None:
    import msgspec

    content = {
        "deadlocks": [{**asdict(each), "explanation": each.explain()} for each in found],
        "kinds": [
            {
                "count": len(kind),
                "statements": kind.shapes,
                "deadlocks": [_place(found, each) for each in kind.deadlocks],
            }
            for kind in found.kinds()
        ],
    }
    click.echo(msgspec.json.encode(content))


def _place(found: Deadlocks, one: Deadlock) -> int:
    return next(place for place, each in enumerate(found) if each is one)
