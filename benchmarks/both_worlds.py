"""How far the model agrees with MySQL: one experiment in both worlds, side by side.

    python benchmarks/both_worlds.py race [--existing 0] [--ids random] [--clients 16] [--rounds 50]
    python benchmarks/both_worlds.py cursors [--writers 8] [--messages 1000]

``race``: all creation strategies, before any calibration. Verdicts are facts, deadlocks per operation are counts;
operations per second are of two different machines.

``cursors``: all kinds of cursor, straight on the database, with writers at a distance and near, in one thread and in
100. The model is told one thing of this machine, what a commit takes on it, because that is a property of the disk.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TypeVar

from rich.console import Console
from rich.table import Table

from chatsim.experiments.catchup.experiment import DIRECT, CatchUp
from chatsim.experiments.creation.experiment import Race
from chatsim.experiments.creation.workload import IDS, PATTERNS
from chatsim.experiments.result import Result
from chatsim.experiments.variant import Variant
from chatsim.worlds.model.settings import Model
from chatsim.worlds.mysql.settings import Servers
from chatsim.worlds.mysql.world import MySQLWorld
from chatsim.worlds.world import World

T = TypeVar("T")

CONSOLE = Console(width=140, highlight=False, markup=False)
say = CONSOLE.print

COMMITS = 200
CLEAR = 1.25
"""Of two rates, one is the larger when it is by this factor."""


def main() -> None:
    """Run what is asked for in both worlds, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    experiments = parser.add_subparsers(required=True)
    racing = experiments.add_parser("race")
    racing.set_defaults(compare=race)
    racing.add_argument("--strategies", default="all")
    racing.add_argument("--existing", type=int, default=0)
    racing.add_argument("--ids", choices=[*IDS], default="random")
    racing.add_argument("--clients", type=int, default=16)
    racing.add_argument("--rounds", type=int, default=50)
    racing.add_argument("--nodes", type=int, default=2)
    following = experiments.add_parser("cursors")
    following.set_defaults(compare=cursors)
    following.add_argument("--writers", type=int, default=8)
    following.add_argument("--messages", type=int, default=1_000)
    options = vars(parser.parse_args())
    options.pop("compare")(**options)


def on_mysql(run: Callable[[World], Awaitable[T]]) -> T:
    """What it comes to on a durable server."""

    async def body() -> T:
        async with MySQLWorld(Servers(profile="durable", background=False)) as world:
            return await run(world)

    return asyncio.run(body())


def in_model(run: Callable[[World], Awaitable[T]], *, costs: str = "", seed: int = 1) -> T:
    """What it comes to in the model; ``costs`` is TOML."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "costs.toml"
        path.write_text(costs, encoding="utf-8")
        return Model(path).run(run, seed=seed)


# --- the race


def race(**options: object) -> None:
    """All strategies and patterns, through the stack."""
    racing = Race(pattern=PATTERNS, layer="stack", **options)  # type: ignore[arg-type]

    async def run(world: World) -> Result:
        result = racing.result(world.name)
        await racing.run(world, result)
        return result

    modelled, real = in_model(run, seed=racing.seed), on_mysql(run)
    table = Table(title=real.conditions(), title_justify="left")
    for name in (
        "strategy",
        "pattern",
        "verdict",
        "in the model",
        "deadlocks/op",
        "in the model",
        "ok/s",
        "in the model",
    ):
        table.add_column(name)
    same, within = 0, []
    for one, other in zip(real.variants, modelled.variants, strict=True):
        same += one["verdict"] == other["verdict"]
        (dead, ok), (dead_modelled, ok_modelled) = _numbers(one), _numbers(other)
        if dead * len(one.operations) >= 10:
            within.append(0.5 <= dead_modelled / dead <= 2)
        table.add_row(
            *(str(each) for each in (one["strategy"], one["pattern"], one["verdict"], other["verdict"])),
            *(f"{dead:.2f}", f"{dead_modelled:.2f}", f"{ok:,.0f}", f"{ok_modelled:,.0f}"),
        )
    say(table)
    say(f"verdicts: {same} of {len(real.variants)} agree")
    say(f"deadlocks per operation, where MySQL had ten or more: {sum(within)} of {len(within)} within a factor of 2")


def _numbers(variant: Variant) -> tuple[float, float]:
    return float(str(variant["deadlocks_per_op"])), float(str(variant["goodput_per_s"]))


# --- cursors


@dataclass(frozen=True)
class Setting:
    """Where the writers are: how far, and in how many threads."""

    rtt: float
    threads: int

    def __str__(self) -> str:
        where = f"writers at {self.rtt / 10:g} to {self.rtt:g} ms" if self.rtt else "writers near"
        return f"{where}, {self.threads} thread{'s' * (self.threads > 1)}"


SETTINGS = [Setting(rtt, threads) for rtt in (10.0, 0.0) for threads in (1, 100)]


def cursors(writers: int, messages: int) -> None:
    """All kinds of cursor in all settings."""

    async def run(world: World) -> dict[Setting, list[dict[str, object]]]:
        return {setting: await _followed(world, setting, writers, messages) for setting in SETTINGS}

    async def timed(world: World) -> tuple[float, dict[Setting, list[dict[str, object]]]]:
        return await _commit(world), await run(world)

    commit, real = on_mysql(timed)
    modelled = in_model(run, costs=f"[database]\nflush = {commit}\n")
    say(f"a commit takes {commit * 1e3:.2f} ms on this disk: [database] flush in the model")
    for setting in SETTINGS:
        table = Table(title=f"{setting}: messages a second", title_justify="left")
        for name in ("cursor", "MySQL", "the model", "MySQL", "the model"):
            table.add_column(name)
        for one, other in zip(real[setting], modelled[setting], strict=True):
            rates = (f"{row['writes_per_s']:,.0f}" for row in (one, other))
            words = (f"{row['verdict']}, lost {row['lost']}" for row in (one, other))
            table.add_row(str(one["cursor"]), *rates, *words)
        say(table)
        say(_agreement(real[setting], modelled[setting]))


async def _followed(world: World, setting: Setting, writers: int, messages: int) -> list[dict[str, object]]:
    compared = CatchUp(
        protocols=DIRECT,
        threads=setting.threads,
        missed=messages // setting.threads,
        writers=writers,
        writer_rtt=setting.rtt,
    )
    result = compared.result(world.name)
    await compared.run(world, result)
    return result.rows()


async def _commit(world: World) -> float:
    """Seconds that a commit takes beyond a round trip that writes nothing, the median."""
    await world.admin.execute("CREATE TABLE committed (n BIGINT UNSIGNED NOT NULL PRIMARY KEY) ENGINE=InnoDB")
    took: dict[str, list[float]] = {"nothing": [], "a row": []}
    async with world.database(1) as database, database.session() as tx:
        for number in range(COMMITS):
            for what, sql in (("nothing", "DO 0"), ("a row", f"INSERT INTO committed VALUES ({number})")):
                await tx.begin()
                await tx.execute(sql)
                begun = time.perf_counter()
                await tx.commit()
                took[what].append(time.perf_counter() - begun)
    return median(took["a row"]) - median(took["nothing"])


def _agreement(real: list[dict[str, object]], modelled: list[dict[str, object]]) -> str:
    verdicts = sum(one["verdict"] == other["verdict"] for one, other in zip(real, modelled, strict=True))
    rates = [
        (float(str(one["writes_per_s"])), float(str(other["writes_per_s"])))
        for one, other in zip(real, modelled, strict=True)
    ]
    clear, opposite = 0, []
    for (at, a), (to, b) in itertools.combinations(enumerate(rates), 2):
        ratios = [a[world] / b[world] for world in (0, 1)]
        if all(max(ratio, 1 / ratio) >= CLEAR for ratio in ratios):
            clear += 1
            if (ratios[0] > 1) != (ratios[1] > 1):
                opposite.append(f"{real[at]['cursor']} and {real[to]['cursor']}")
    wrong = f": {', '.join(opposite)}" if opposite else ""
    return (
        f"verdicts: {verdicts} of {len(real)} agree; of {clear} pairs that differ by {CLEAR} or more in both worlds,"
        f" {len(opposite)} in opposite order{wrong}"
    )


if __name__ == "__main__":
    main()
