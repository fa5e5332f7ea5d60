"""How often a comparison of a race with itself raises a false alarm: of its intervals of 95 %, 3 to 7 % exclude 1.

    python benchmarks/false_alarms.py [--world mysql] [--repeats 200] [--rounds 20] [--sides 5,10] [--draws 2000]

It repeats one short race, with strategies in turns, and draws comparisons of it: so many repetitions for one side at
random, and as many others for the other side. Nothing differs between the sides, so an interval that excludes 1 is a
false alarm. It ends with exit status 1 if more or fewer than promised are. What came of it is in
``docs/findings.md``.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from datetime import UTC, datetime

import numpy as np
from rich.console import Console
from rich.table import Table

from chatsim.experiments.creation.experiment import Race
from chatsim.experiments.result import Result
from chatsim.experiments.runner import run
from chatsim.experiments.statistics import ratio_interval

MEASURES = ("goodput_per_s", "p50_ms", "p95_ms")
PROMISED = (0.03, 0.07)


def main() -> None:
    """Measure, draw, and print how many intervals exclude 1."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--world", default="mysql")
    parser.add_argument("--strategies", default="for_update,one_round_trip,insert_first,get_lock_script")
    parser.add_argument("--repeats", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--sides", default="5,10", help="how many repetitions each side of a comparison has")
    parser.add_argument("--draws", type=int, default=2_000, help="how many comparisons are drawn")
    given = parser.parse_args()
    race = Race(strategies=given.strategies, rounds=given.rounds, repeats=given.repeats)
    result = asyncio.run(run(race, given.world, progress=sys.stderr.isatty()))
    say = Console(width=120, highlight=False).print
    say(f"{datetime.now(UTC):%d %B %Y}: {result.conditions()}; other load: {result.environment['other_load']} cores")
    sides = [int(each) for each in given.sides.split(",")]
    shares = {side: false_alarms(result, side, given.draws) for side in sides}
    table = Table(title=f"Intervals of 95 % that exclude 1, in %, of {given.draws:,} comparisons each")
    for heading in ("strategy", "measure", *(f"{side} on each side" for side in sides)):
        table.add_column(heading)
    for row in shares[sides[0]]:
        table.add_row(*row, *(f"{100 * shares[side][row]:.1f}" for side in sides))
    means = {side: float(np.mean([*found.values()])) for side, found in shares.items()}
    table.add_row("all", "all", *(f"{100 * means[side]:.1f}" for side in sides))
    say(table)
    sys.exit(not all(PROMISED[0] <= each <= PROMISED[1] for each in means.values()))


def false_alarms(result: Result, side: int, draws: int) -> dict[tuple[str, str], float]:
    """The share of intervals that exclude 1, for each strategy and measure.

    Args:
        result: a result with many repetitions.
        side: how many repetitions each side has.
        draws: how many comparisons are drawn.
    """
    rng = np.random.default_rng(1)
    found = {}
    for variant in result.variants:
        for name in MEASURES:
            values = variant.numbers(name)
            alarms = 0
            for _ in range(draws):
                drawn = rng.choice(values, 2 * side, replace=False)
                _, low, high = ratio_interval(drawn[:side], drawn[side:])
                assert low is not None
                assert high is not None
                alarms += not low <= 1 <= high
            found[str(variant.key["strategy"]), name] = alarms / draws
    return found


if __name__ == "__main__":
    main()
