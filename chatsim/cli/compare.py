"""``chatsim compare``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from chatsim.cli.common import one_sentence

__all__ = ["compare"]

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command()
@click.argument("base", type=_FOLDER)
@click.argument("other", type=_FOLDER)
@click.option("--json", "as_json", is_flag=True, help="One JSON object per row, a line each.")
@click.option("--wide", is_flag=True, help="Print all columns, also those that the terminal has no room for.")
def compare(base: Path, other: Path, *, as_json: bool, wide: bool) -> None:
    """Compare two saved results: the folders that --out has written.

    A row is a measure of what both have: its mean in both, the quotient of OTHER by BASE, and an interval of 95 % over
    the repetitions. Without --repeats there was one run each, and there is no interval.
    """
    with one_sentence():
        from chatsim.experiments.comparison import compare as compared

        found = compared(base, other)
    if as_json:
        for row in found.rows:
            click.echo(json.dumps(row))
    else:
        from chatsim.cli.result_tables import print_rows

        print_rows(found.rows, wide=wide)
    for sentence in found.lines():
        click.echo(sentence, err=as_json)
