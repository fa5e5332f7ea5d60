"""``chatsim sweep``."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from chatsim.cli.common import FAILED, UNSAFE, one_sentence, quiet_option, shows_progress
from chatsim.cli.interruption import INTERRUPTED
from chatsim.cli.named_values import pairs, value_of, values_of

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import RenderableType
    from rich.live import Live

    from chatsim.experiments.sweeping.setting import Setting
    from chatsim.experiments.sweeping.sweep import Sweep

__all__ = ["sweep"]

_LATEST = 12
"""Rows of the live table."""

_LIVE = ("verdict", "goodput_per_s", "p99_ms", "bottleneck")
"""Measures in the live table."""

_MEASURE = "goodput_per_s"
"""The measure whose limits are shown if nothing else is asked for."""

_LIVE_COLUMNS = 5
"""Other columns in it."""


@click.command()
@click.argument("experiment")
@click.option(
    "--vary",
    multiple=True,
    metavar="NAME=VALUE,…",
    help="What varies, and its values; once for each name. A name with dots is a cost of the model: database.flush.",
)
@click.option("--set", "fixed", multiple=True, metavar="NAME=VALUE", help="A parameter, or a cost, that does not vary.")
@click.option("--seeds", type=int, default=3, show_default=True, help="Seeds of each setting, from 1 on.")
@click.option(
    "--costs",
    type=click.Path(dir_okay=False, path_type=Path),
    help="What things cost in the model: a TOML file with the keys that `chatsim costs` prints.",
)
@click.option("--workers", type=int, help="Processes of this machine; as many as it has processors, if not given.")
@click.option("--dask", metavar="ADDRESS", help="A Dask scheduler, whose workers measure the settings.")
@click.option("--along", metavar="NAME", help="What varies along a curve, for the table of limits and the figure.")
@click.option("--of", metavar="MEASURE", help="The measure that the limits are those of.  [default: goodput_per_s]")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per row, a line each.")
@click.option("--wide", is_flag=True, help="Print all columns, also those that the terminal has no room for.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep each setting here when it is finished. A sweep that was stopped goes on there.",
)
@quiet_option
def sweep(
    experiment: str,
    *,
    vary: Sequence[str],
    fixed: Sequence[str],
    costs: Path | None,
    along: str | None,
    of: str | None,
    out: Path | None,
    as_json: bool,
    wide: bool,
    quiet: bool,
    **options: Any,
) -> None:
    r"""Run EXPERIMENT in the model with many settings, and say where each strategy reaches its limit.

    \b
        chatsim sweep race --set strategies=for_update,one_round_trip --set pattern=strangers \
            --vary clients=10,100,1000 --vary database.flush=0.0001,0.001 --seeds 5 --out results/sweep

    Exit status: 0; 1 when a setting could not be run; 2 when nothing could; 130 after Ctrl-C, 143 after SIGTERM.
    """
    with one_sentence():
        from chatsim.experiments.sweeping.sweep import sweep as run
        from chatsim.worlds.model.settings import Model

        values = {name: values_of(experiment, name, text) for name, text in pairs("--vary", vary)}
        others: dict[str, Any] = {name: value_of(experiment, name, text) for name, text in pairs("--set", fixed)}
        done = _Done(out)
        try:
            with done.shown(shows_progress(quiet=quiet)):
                found = asyncio.run(
                    run(
                        experiment,
                        vary=values,
                        world=Model(costs=costs),
                        out=out,
                        progress=False,
                        on_finished=done.add,
                        **(options | others),
                    )
                )
        except KeyboardInterrupt:
            click.echo(f"Interrupted; {done.sentence()}", err=True)
            sys.exit(INTERRUPTED)
        _report(found, along, of, as_json=as_json, wide=wide)
    for setting, why in found.failed:
        click.echo(f"Error: {dict(setting.varied)}, seed {setting.seed}: {why}", err=True)
    if found.failed:
        sys.exit(UNSAFE if found.measured else FAILED)


# --- what is printed


class _Done:
    """The settings that are finished, as a table that changes while more are finished."""

    def __init__(self, out: Path | None) -> None:
        self._out = out
        self._count = 0
        self._latest: deque[Mapping[str, object]] = deque(maxlen=_LATEST)
        self._live: Live | None = None

    @contextmanager
    def shown(self, shown: bool) -> Iterator[None]:  # noqa: FBT001
        """Show the table while the block runs."""
        if not shown:
            yield
            return
        from rich.console import Console
        from rich.live import Live

        with Live(console=Console(stderr=True), transient=True, auto_refresh=False) as self._live:
            yield

    def add(self, setting: Setting, rows: Sequence[Mapping[str, object]]) -> None:
        """Note a finished setting."""
        self._count += 1
        for row in rows:
            self._latest.append({**setting.varied, "seed": setting.seed, **row})
        if self._live is not None:
            self._live.update(self._table(), refresh=True)

    def _table(self) -> RenderableType:
        from rich.table import Table

        table = Table(title=f"{self._count:,} settings are finished; the latest rows", title_justify="left", box=None)
        newest = self._latest[-1]
        names = [name for name in newest if name in _LIVE or not isinstance(newest[name], float)][:_LIVE_COLUMNS]
        names += [name for name in _LIVE if name in newest and name not in names]
        for name in names:
            table.add_column(name)
        for row in self._latest:
            values = [row.get(name) for name in names]
            table.add_row(*(f"{value:.4g}" if isinstance(value, float) else str(value) for value in values))
        return table

    def sentence(self) -> str:
        """What of the sweep is kept."""
        if self._out is None:
            return "nothing is kept without --out."
        return f"{self._count:,} finished settings are kept in {self._out}; the same command goes on there."


def _report(found: Sweep, along: str | None, of: str | None, *, as_json: bool, wide: bool) -> None:
    if as_json:
        for row in found.measured:
            click.echo(json.dumps(row))
        return
    if not found.measured:
        return
    from chatsim.cli.result_tables import print_rows

    print_rows(_plain(found.headlines(), found.varied), wide=wide)
    numbers = [name for name in found.varied if all(isinstance(row[name], int | float) for row in found.measured)]
    known = any(_MEASURE in row for row in found.measured)
    if along or of or (numbers and known):
        limits = found.limits(along, of or _MEASURE)
        click.echo(f"\nWhere {of or _MEASURE} is largest, along {along or numbers[0]}:")
        print_rows(_plain(limits, [*found.varied, "at", "falls_from"]), wide=wide)


def _plain(table: pd.DataFrame, exact: Sequence[str]) -> list[dict[str, object]]:
    """The rows of a table as dicts. What is not known is None; some columns are printed as they are."""
    known = table.astype(object).where(table.notna(), None)
    return [
        {str(name): str(value) if name in exact and value is not None else value for name, value in row.items()}
        for row in known.to_dict("records")
    ]
