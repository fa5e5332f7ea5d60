"""``chatsim explore``: callers in every order that their locks allow."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from chatsim.cli.common import UNSAFE, one_sentence, quiet_option, server_options, shows_progress
from chatsim.cli.interruption import INTERRUPTED
from chatsim.experiments.exploring.patterns import NEWS, PATTERNS, PRESENT
from chatsim.worlds.mysql.settings import Servers
from chatsim.worlds.world import BadParameterError, WorldError

if TYPE_CHECKING:
    from chatsim.conformance.schedule import Schedule
    from chatsim.experiments.exploring.explored import Explored
    from chatsim.exploration.search import Progress

__all__ = ["explore"]


@click.command()
@click.argument("what", nargs=-1)
@click.option("--callers", default=2, show_default=True, type=int, help="How many ask, or write, at the same time.")
@click.option("--looks", default=2, show_default=True, type=int, help="Of a cursor: how often the reader looks.")
@click.option(
    "--copies", type=int, help="Of a file: how many callers run each transaction.  [default: 1; of a single one, 2]"
)
@click.option(
    "--pattern",
    type=click.Choice(PATTERNS),
    default=PATTERNS[0],
    show_default=True,
    help="Of a strategy: whether all ask for one pair, or each for its own.",
)
@click.option(
    "--present",
    type=click.Choice(PRESENT),
    default=PRESENT[0],
    show_default=True,
    help="Of a strategy: which chats there are before.",
)
@click.option(
    "--news",
    type=click.Choice(NEWS),
    default=NEWS[0],
    show_default=True,
    help="Of a kind of cursor: what its writers write.",
)
@click.option("--tables", default="hardened", show_default=True, help="Of a strategy: the set of tables.")
@click.option("--isolation", help="The isolation level.  [default: the strategy's, or the file's]")
@click.option("--retries", default=3, show_default=True, type=int, help="How often a caller tries again.")
@click.option("--deaths", default=0, show_default=True, type=int, help="How many callers may die on the way.")
@click.option("--losses", default=0, show_default=True, type=int, help="How many replies may be lost.")
@click.option("--timeouts", default=0, show_default=True, type=int, help="How many waits may take too long.")
@click.option("--inside", is_flag=True, help="Let statements be overtaken at each record that they meet.")
@click.option(
    "--prune",
    is_flag=True,
    help="Leave out orders that differ only in when statements run that concern nobody else; faster, and"
    " interleavings are not counted.",
)
@click.option("--ask", help="What is asked, separated by commas.  [default: everything]")
@click.option("--states", default=1_000_000, show_default=True, type=int, help="The greatest number of states.")
@click.option("--seconds", default=600.0, show_default=True, type=float, help="The longest time, for each.")
@click.option("--workers", default=1, show_default=True, type=int, help="How many processes carry interleavings out.")
@click.option("--json", "as_json", is_flag=True, help="What was found as JSON, a line for each.")
@click.option("--out", type=click.Path(path_type=Path), help="Write counterexamples into this folder, as schedules.")
@click.option("--replay", is_flag=True, help="Play the counterexamples on a real MySQL, and compare.")
@click.option("--must-pass", is_flag=True, help="Exit status 1 unless everything that is asked is proved.")
@quiet_option
@server_options
def explore(
    what: Sequence[str],
    ask: str | None,
    *,
    as_json: bool,
    out: Path | None,
    replay: bool,
    must_pass: bool,
    quiet: bool,
    **options: Any,
) -> None:
    """Run callers in every order that their locks allow, in the model, and prove that nothing goes wrong; or show how.

    WHAT is a creation strategy, or one of yours as FILE.py:NAME, or 'all'; a kind of cursor as cursor:NAME, or
    cursor:all, with writers and a reader; or a file FILE.sql. There, the statements
    before the first comment '-- transaction NAME(a, b)' make the tables and their rows, and each such comment begins a
    transaction, with :a and :b in its statements. '-- call NAME(1, 2)' is a caller that runs it. '-- assert WHAT'
    begins a query that must return nothing at the end.

    Asked is: stuck (does somebody wait for ever?), deadlock, refusal (is somebody refused after all retries?),
    serializable (is the outcome that of callers one after the other?), and threads and orphans of a strategy, or the
    assertions of a file. 'proved' means that no interleaving violates it. A counterexample is the shortest one that
    does.

    Exit status: 0; 1 with --must-pass if something is not proved, or with --replay if MySQL does not do the same; 2
    when it could not be run; 130 after Ctrl-C, which prints what was found so far.
    """
    servers = Servers(**{name: options.pop(name) for name in Servers.__dataclass_fields__ if name in options})
    with one_sentence():
        if not what:
            raise BadParameterError("nothing to explore: name a strategy, FILE.py:NAME, or FILE.sql")
        if servers != Servers() and not replay:
            raise BadParameterError("which server to use is said for --replay; the exploration is in the model")
        asked = tuple(each.strip() for each in ask.split(",")) if ask is not None else ()
        try:
            found = _explored(what, options | {"ask": asked}, shown=shows_progress(quiet=quiet))
        except NotImplementedError as error:
            raise WorldError(str(error)) from error
        for each in found:
            click.echo(json.dumps(each.as_json())) if as_json else _print(each)
        schedules = [
            example.schedule for each in found for example in each.counterexamples.values() if example.schedule
        ]
        if out is not None:
            _write(schedules, out)
        agree = not replay or _replayed(schedules, servers)
    if any(each.found.interrupted for each in found):
        click.echo("Interrupted; what had been found is above.", err=True)
        sys.exit(INTERRUPTED)
    if not agree or (must_pass and not all(each.proved for each in found)):
        sys.exit(UNSAFE)


def _explored(what: Sequence[str], options: dict[str, Any], *, shown: bool) -> list[Explored]:
    from chatsim.chat.creation import named
    from chatsim.experiments.exploring.exploring import CURSOR, Exploring, kinds, read

    how = Exploring(**options)
    found = []
    for each in what:
        if each.startswith(CURSOR):
            for kind in kinds(each):
                with _progress(kind.name, shown=shown) as progress:
                    found.append(how.cursor(kind, progress))
                if found[-1].found.interrupted:
                    return found
        elif each.endswith(".sql"):
            with _progress(Path(each).stem, shown=shown) as progress:
                found.append(how.transactions(read(Path(each)), Path(each).stem, progress))
        else:
            for strategy in named(each):
                with _progress(strategy.name, shown=shown) as progress:
                    found.append(how.strategy(strategy, progress))
                if found[-1].found.interrupted:
                    return found
    return found


@contextmanager
def _progress(name: str, *, shown: bool) -> Iterator[Progress]:
    from chatsim.progress import Progress as Bars

    with Bars(shown=shown).bar(0, "state", name) as bar:

        def tell(seen: int, left: int) -> None:
            bar.set_postfix_str(f"{left:,} choices left", refresh=False)
            bar.update(seen - bar.n)

        yield tell


def _print(each: Explored) -> None:
    from chatsim.cli.schedule_output import print_played
    from chatsim.cli.tables import UNKNOWN, Column, print_fitting

    rows = each.rows()
    print_fitting(
        [
            Column("asked", [str(row["asked"]) for row in rows], wraps=True),
            Column("verdict", [str(row["verdict"]) for row in rows]),
            Column("steps", [UNKNOWN if row["steps"] is None else str(row["steps"]) for row in rows], "right"),
            Column("found only", [str(row["only"]) or UNKNOWN for row in rows]),
        ],
        title=each.name,
        caption=each.summary,
    )
    for example in each.counterexamples.values():
        if example.schedule is None:
            click.echo(f"{example.question} ({example.why}):")
            click.echo("\n".join(f"  {line}" for line in example.interleaving.lines()))
        else:
            if example.why:
                click.echo(f"{example.question}, by a schedule, in which {example.why}:")
            print_played(example.played())


def _write(schedules: Sequence[Schedule], folder: Path) -> None:
    """Write schedules, each with the outcome that it has in the model."""
    import msgspec

    from chatsim.conformance import model_player

    folder.mkdir(parents=True, exist_ok=True)
    for each in schedules:
        path = folder / f"{each.id}.json"
        predicted = msgspec.structs.replace(each, expected=model_player.play(each))
        path.write_bytes(msgspec.json.format(msgspec.json.encode(predicted), indent=2))
        click.echo(f"wrote {path}", err=True)


def _replayed(schedules: Sequence[Schedule], servers: Servers) -> bool:
    """Whether MySQL does with all schedules what the model does. Differences are printed."""
    from chatsim.conformance.replay import replays

    agree = True
    for comparison in replays(schedules, servers):
        difference = next((each for each in comparison.differences if each), None)
        said = "MySQL does the same" if comparison.agrees else f"MySQL does not do the same: {difference}"
        click.echo(f"{comparison.schedule}: {said}", err=not comparison.agrees)
        agree = agree and comparison.agrees
    return agree
