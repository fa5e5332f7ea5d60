"""``chatsim delivery``: how soon a text reaches its receiver, as a table or as JSON."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from chatsim.cli.common import one_sentence
from chatsim.cli.experiment import Where, folder, report_out, run, world_options
from chatsim.experiments.delivery.experiment import HOPS, PATHS, PEERS, PRESENCE, Delivery

__all__ = ["delivery"]


def _several(name: str, known: tuple[str, ...], help_: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    return click.option(name, default=",".join(known), show_default=True, help=f"{help_} Separated by commas.")


@click.command()
@click.option("--nodes", default=2, show_default=True, help="How many chat servers.")
@click.option("--pairs", default=8, show_default=True, help="How many authors, each with a reader, talk at once.")
@click.option("--texts", default=100, show_default=True, help="How many each author sends, one after the other.")
@_several("--paths", PATHS, "Author and reader on one server, or on two.")
@_several("--presence", PRESENCE, "Where servers know from who is where: in their process, in a Redis.")
@_several("--peers", PEERS, "How servers reach each other: by calls within their process, by gRPC.")
@click.option("--pool", default=5, show_default=True, help="Connections to the database, for each server.")
@world_options
def delivery(out: Path | None, *, as_json: bool, **options: Any) -> None:
    """Time what becomes of texts: acknowledged, pushed, read; on one server and across two.

    Exit status: 0; 2 when it could not be run; 130 after Ctrl-C.
    """
    from rich.console import Console

    with one_sentence():
        where = Where.of(options)
        parameters = Delivery(**options)
        report = parameters.report(where.name)
        folder(out)
    status, sentence = run(
        where, lambda world: parameters.run(world, report), seed=parameters.seed, clear=report.rows.clear
    )
    console = Console(width=None if sys.stdout.isatty() else 160)
    report_out(report, "Delivering texts", out=out, as_json=as_json, console=console)
    if not as_json:
        for hop, meaning in HOPS.items():
            click.echo(f"{hop}: {meaning}", err=True)
    if status:
        click.echo(sentence, err=True)
        sys.exit(status)
