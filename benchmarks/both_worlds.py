"""How far the model agrees with MySQL before any calibration: the race of all strategies in both worlds, side by side.

    python benchmarks/both_worlds.py [--existing 0] [--ids random] [--clients 16] [--rounds 50]

Verdicts are facts; deadlocks per operation are counts; operations per second are of two different machines.
"""

from __future__ import annotations

import argparse
import asyncio

from rich.console import Console
from rich.table import Table

from chatsim.lab.race import Race
from chatsim.lab.result import Result, Variant
from chatsim.lab.workload import IDS, PATTERNS
from chatsim.worlds.model.world import Model, ModelWorld
from chatsim.worlds.mysql.world import MySQLWorld, Servers
from chatsim.worlds.world import World


def main() -> None:
    """Race in the model, then on MySQL, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--strategies", default="all")
    parser.add_argument("--existing", type=int, default=0)
    parser.add_argument("--ids", choices=[*IDS], default="random")
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--nodes", type=int, default=2)
    race = Race(patterns=PATTERNS, layer="stack", **vars(parser.parse_args()))

    async def run(world: World) -> Result:
        result = Result(race.config(world.name))
        await race.run(world, result)
        return result

    async def on_mysql() -> Result:
        async with MySQLWorld(Servers(profile="durable")) as world:
            return await run(world)

    async def in_model(world: ModelWorld) -> Result:
        return await run(world)

    modelled, real = Model().run(in_model, seed=race.seed), asyncio.run(on_mysql())
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
        same += one.verdict.word == other.verdict.word
        (dead, ok), (dead_modelled, ok_modelled) = _numbers(one), _numbers(other)
        if dead * len(one.operations) >= 10:
            within.append(0.5 <= dead_modelled / dead <= 2)
        table.add_row(
            *(one.strategy, one.pattern, one.verdict.word, other.verdict.word),
            *(f"{dead:.2f}", f"{dead_modelled:.2f}", f"{ok:,.0f}", f"{ok_modelled:,.0f}"),
        )
    Console(width=140).print(table)
    print(f"verdicts: {same} of {len(real.variants)} agree")  # noqa: T201
    print(f"deadlocks per operation, where MySQL had ten or more: {sum(within)} of {len(within)} within a factor of 2")  # noqa: T201


def _numbers(variant: Variant) -> tuple[float, float]:
    measures = variant.measures()
    return float(str(measures["deadlocks_per_op"])), float(str(measures["goodput_per_s"]))


if __name__ == "__main__":
    main()
