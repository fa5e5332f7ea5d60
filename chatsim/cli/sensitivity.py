"""``chatsim sensitivity``."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from chatsim.cli.common import one_sentence, quiet_option, shows_progress
from chatsim.cli.named_values import pairs, value_of

__all__ = ["sensitivity"]


@click.command()
@click.argument("experiment")
@click.option("--set", "fixed", multiple=True, metavar="NAME=VALUE", help="A parameter of the experiment.")
@click.option(
    "--costs",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The costs that are changed: a file of `chatsim calibrate`.  [default: all that `chatsim costs` prints]",
)
@click.option(
    "--change", type=float, default=0.2, show_default=True, help="How far, down and up, as a share of a cost."
)
@click.option("--seeds", type=int, default=5, show_default=True, help="Runs with each cost, with seeds from 1 on.")
@click.option("--workers", type=int, help="Processes of this machine; as many as it has processors, if not given.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per cost, a line each, with intervals.")
@quiet_option
def sensitivity(
    experiment: str, *, fixed: Sequence[str], costs: Path | None, as_json: bool, quiet: bool, **options: Any
) -> None:
    r"""Say which cost of the model matters for which figure of EXPERIMENT.

    \b
        chatsim sensitivity race --costs costs.toml --set strategies=for_update --set pattern=strangers

    Each cost is made smaller and larger, one at a time, with the same seeds. A row says by how many percent throughput,
    p50, p99 and deadlocks per operation change between the two; it is blank where that may be chance.

    Exit status: 0; 2 when it could not be run.
    """
    with one_sentence():
        from chatsim.experiments.sweeping.sensitivity import sensitivity as run
        from chatsim.worlds.model.settings import Model

        given: dict[str, Any] = {name: value_of(experiment, name, text) for name, text in pairs("--set", fixed)}
        running = run(experiment, world=Model(costs=costs), progress=shows_progress(quiet=quiet), **(options | given))
        found = asyncio.run(running)
    if as_json:
        table = found.table.astype(object)
        for row in table.where(table.notna(), None).to_dict("records"):
            click.echo(json.dumps(row))
        return
    from chatsim.cli.result_tables import print_rows

    shown = found.headlines().astype(object)
    print_rows(
        [
            {str(name): value for name, value in row.items()}
            for row in shown.where(shown.notna(), None).to_dict("records")
        ],
        wide=True,
    )
    click.echo(found.conditions())
