"""``chatsim catchup``: cursors and ways to catch up compared, in a table or as JSON."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from chatsim.cli.common import UNSAFE, one_sentence
from chatsim.cli.experiment import Where, folder, report_out, run, world_options
from chatsim.experiments.catchup.experiment import CatchUp
from chatsim.experiments.creation.experiment import BadParameterError

__all__ = ["catchup"]


@click.command()
@click.option(
    "--protocols",
    default="all",
    show_default=True,
    help="direct (a reader on the database itself), source, wide_pages, pipelined, bulk; separated by commas.",
)
@click.option(
    "--cursors",
    default="all",
    show_default=True,
    help="message_id, overlap, message_id_locked, thread_sequence, user_log, user_version, watermark.",
)
@click.option("--rtt", default="50", show_default=True, help="The round trip to the reader in ms, one or several.")
@click.option("--bandwidth", type=float, help="To the reader, in Mbit/s, each way; else as much as there is.")
@click.option("--threads", default=100, show_default=True, help="How many threads have news.")
@click.option("--missed", default=50, show_default=True, help="How many messages each of them.")
@click.option("--quiet-threads", default=0, show_default=True, help="How many threads have none.")
@click.option("--history", default=1, show_default=True, help="Messages of each thread that were seen before.")
@click.option(
    "--writers", default=0, show_default=True, help="How many write meanwhile; direct: who write all that is missed."
)
@click.option("--batch", default=1, show_default=True, help="Messages in a writer's transaction (direct).")
@click.option(
    "--writer-rtt",
    default=10.0,
    show_default=True,
    help="The round trip from the farthest writer to the database in ms; each is at between a tenth of that and all of"
    " it (direct).",
)
@click.option("--crashes", default=0, show_default=True, help="How often the database server is killed (direct).")
@click.option(
    "--runs",
    default=1,
    show_default=True,
    help="How often, with seeds from --seed on; a row has the sums (direct).",
)
@click.option("--must-pass", default="", help="Cursors; exit status 1 unless all rows with these are safe.")
@world_options
def catchup(out: Path | None, must_pass: str, rtt: str, *, as_json: bool, **options: Any) -> None:
    """Let a client that was away catch up, with each cursor and protocol: how soon, at what price, is all there?

    Exit status: 0; 1 when a cursor of --must-pass is not safe; 2 when it could not be run; 130 after Ctrl-C.
    """
    from rich.console import Console

    with one_sentence():
        where = Where.of(options)
        parameters = CatchUp(rtt=_numbers(rtt), **options)
        musts = {name.strip() for name in must_pass.split(",") if name.strip()}
        if missing := musts - {*parameters.cursors}:
            raise BadParameterError(f"--must-pass names {', '.join(sorted(missing))}, which --cursors leaves out")
        folder(out)
        report = parameters.report(where.name)
    status, sentence = run(
        where, lambda world: parameters.run(world, report), seed=parameters.seed, clear=report.rows.clear
    )
    console = Console(width=None if sys.stdout.isatty() else 200)
    report_out(report, "Catching up", out=out, as_json=as_json, console=console)
    if not as_json:
        for name, text in report.notes.items():
            console.print(f"\n[bold]{name}[/bold]")
            console.print(text, highlight=False, markup=False)
    if status:
        click.echo(sentence, err=True)
        sys.exit(status)
    if failed := sorted({str(row["cursor"]) for row in report.rows if row["verdict"] != "safe"} & musts):
        click.echo(f"Not safe: {', '.join(failed)}", err=True)
        sys.exit(UNSAFE)


def _numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(each) for each in text.split(","))
    except ValueError:
        raise BadParameterError(f"--rtt {text!r} is not a list of numbers, separated by commas") from None
