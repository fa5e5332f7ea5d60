"""``chatsim fidelity``."""

from __future__ import annotations

import asyncio
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from chatsim.cli.common import one_sentence, quiet_option, server_options, shows_progress
from chatsim.experiments.surroundings import without_passwords
from chatsim.worlds.mysql.settings import Servers
from chatsim.worlds.world import BadParameterError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from chatsim.experiments.fidelity.fidelity import Fidelity

__all__ = ["fidelity"]


@click.command()
@click.option(
    "--experiments",
    default="race",
    show_default=True,
    help="What is compared, separated by commas: race, pages, catchup, delivery.",
)
@click.option(
    "--layer",
    "layers",
    default="store",
    show_default=True,
    help="Straight on the database (store), or through clients, wire and chat servers (stack); or store,stack.",
)
@click.option("--strategies", help="Creation strategies, separated by commas.  [default: six of them]")
@click.option("--patterns", default="same_pair,strangers", show_default=True, help="Who asks for which pair.")
@click.option(
    "--clients",
    default="3,12,48",
    show_default=True,
    help="Numbers of callers of a race, writers of a catch-up, pairs of a delivery, which are predicted.",
)
@click.option(
    "--fitted-clients",
    default="",
    help="Other numbers of callers, such as 1,6,24,64: measured for other ways to predict, and for the intervals.",
)
@click.option(
    "--operations", type=int, default=600, show_default=True, help="About how many of each strategy in a run."
)
@click.option("--nodes", type=int, default=2, show_default=True, help="Chat servers, through the stack.")
@click.option("--pool", type=int, help="Connections to the database of each chat server.")
@click.option("--repeats", type=int, default=3, show_default=True, help="How often everything is measured, in turns.")
@click.option("--predictions", type=int, default=10, show_default=True, help="How often everything is predicted.")
@click.option("--busy", is_flag=True, help="Judge also when other programs keep the machine busy.")
@click.option(
    "--page",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write all of it as a page of Markdown, and its figure beside it.",
)
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), help="Write tables and figure into this folder."
)
@quiet_option
@server_options
def fidelity(
    *,
    experiments: str,
    layers: str,
    strategies: str | None,
    patterns: str,
    clients: str,
    fitted_clients: str,
    page: Path | None,
    out: Path | None,
    quiet: bool,
    **options: Any,
) -> None:
    """Compare what the calibrated model predicts with what a MySQL of this machine does.

    The model is calibrated first. What is compared is not what its costs are fitted to: races, pages, catching up,
    delivery; straight on the database, or through chat servers.

    Exit status: 0, whether predictions are good or not; 2 when it could not be run, or the machine is busy.
    """
    with one_sentence():
        from chatsim.experiments.fidelity.fidelity import STRATEGIES
        from chatsim.experiments.fidelity.fidelity import fidelity as run

        servers = Servers(**{name: options.pop(name) for name in Servers.__dataclass_fields__ if name in options})
        running = run(
            world=servers,
            experiments=_words(experiments),
            layers=_words(layers),
            strategies=_words(strategies) if strategies else STRATEGIES,
            patterns=_words(patterns),
            clients=_numbers("--clients", clients),
            fitted_clients=_numbers("--fitted-clients", fitted_clients),
            progress=shows_progress(quiet=quiet),
            **options,
        )
        found = asyncio.run(running)
        if out is not None:
            found.save(out)
        if page is not None:
            from chatsim.experiments.fidelity.page import write_page

            write_page(found, page, without_passwords(shlex.join(["chatsim", *sys.argv[1:]])))
    _print(found)


def _words(text: str) -> list[str]:
    return [each.strip() for each in text.split(",") if each.strip()]


def _numbers(option: str, text: str) -> list[int]:
    words = _words(text)
    if wrong := [each for each in words if not each.isdecimal()]:
        raise BadParameterError(f"{option} has {wrong[0]!r}; it must have whole numbers, separated by commas")
    return [int(each) for each in words]


def _print(found: Fidelity) -> None:
    from chatsim.cli.result_tables import print_rows

    def show(table: pd.DataFrame, exact: Sequence[str] = ()) -> None:
        known = table.astype(object).where(table.notna(), None)
        rows = known.to_dict("records")
        print_rows(
            [{str(name): str(row[name]) if name in exact else row[name] for name in row} for row in rows], wide=True
        )

    show(found.summary(), exact=["met"])
    if found.beside:
        click.echo("\nMedian relative error of the throughput:")
        show(found.baselines())
    if found.ranking:
        click.echo("\nKendall's tau of the order of strategies:")
        print_rows([{"case": case, "of": rest, "tau": tau} for (case, rest), tau in found.ranking.items()], wide=True)
    click.echo(found.conditions())
