"""``chatsim calibrate``."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import click

from chatsim.cli.common import one_sentence, quiet_option, server_options, shows_progress
from chatsim.worlds.mysql.settings import Servers

__all__ = ["calibrate"]


@click.command()
@click.option("--seconds", type=float, default=0.4, show_default=True, help="How long each measurement takes.")
@click.option("--rounds", type=int, default=5, show_default=True, help="How often each is made.")
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), help="Write the costs into this file, for --costs."
)
@quiet_option
@server_options
def calibrate(seconds: float, rounds: int, out: Path | None, *, quiet: bool, **servers: Any) -> None:
    r"""Measure what things cost on a MySQL of this machine, and fit the costs of the model to that.

    Prints a file of costs, or writes it:

    \b
        chatsim calibrate --out costs.toml
        chatsim race --world model --costs costs.toml

    It takes two minutes. Other work on the machine makes things seem more expensive than they are; the file says how
    much of that there was.
    """
    with one_sentence():
        from chatsim.experiments.calibration.calibrate import calibrate as run

        running = run(world=Servers(**servers), seconds=seconds, rounds=rounds, progress=shows_progress(quiet=quiet))
        found = asyncio.run(running)
        if out is None:
            click.echo(found.text())
            return
        found.save(out)
    click.echo(found.text().partition("\n\n")[0])
    if not quiet:
        click.echo(f"saved in {out}", err=True)
