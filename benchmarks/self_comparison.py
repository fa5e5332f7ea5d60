"""Compare a commit with itself, again and again, while the machine is loaded at random: how often is there an alarm?

    python benchmarks/self_comparison.py counts --times 1000     # the count gates, in the model and on MySQL
    python benchmarks/self_comparison.py times --times 100       # time comparisons of short benchmarks
    python benchmarks/self_comparison.py times --times 100 -- -k loop

Each alarm is printed. The exit status is 1 if there are more than may be: none of counts; of times one in a hundred.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from counting.gate import MODEL, Record, all_cases, in_model, on_mysql
from random_load import loaded
from tqdm.auto import tqdm

from chatsim.experiments.timing.comparison import compare_times
from chatsim.experiments.timing.runs import Benchmarks
from chatsim.experiments.timing.thresholds import Thresholds
from chatsim.worlds.mysql.settings import Servers
from chatsim.worlds.mysql.world import MySQLWorld

ROOT = Path(__file__).parent.parent
SHORT = ("benchmarks/test_codec.py", "benchmarks/test_cache.py")
QUICK = (
    *("-p", "pytest_benchmark.plugin", "-p", "pytest_asyncio.plugin", "-p", "pytest_timeout"),
    *("--benchmark-max-time=0.05", "--benchmark-min-rounds=5"),
)
NO_OTHER_PLUGINS = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
"""A run takes a third of the time without them."""


def main() -> int:
    """Compare, print what came of it, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("counts", "times"))
    parser.add_argument("--times", type=int, default=10, help="how many comparisons")
    parser.add_argument("--world", choices=("model", "mysql"), help="of counts: only there")
    parser.add_argument("--pairs", type=int, default=10, help="of times: the pairs of each comparison")
    parser.add_argument("--processes", type=int, help="how many load the machine; one more than cores if not given")
    parser.epilog = "Of times: what follows -- is given to pytest, and says which benchmarks."
    words, arguments = sys.argv[1:], []
    if "--" in words:  # argparse gives nothing to a second positional argument that comes after options
        words, arguments = words[: words.index("--")], words[words.index("--") + 1 :]
    options = parser.parse_args(words, argparse.Namespace(arguments=arguments))
    begun = time.monotonic()
    alarms = asyncio.run(counts(options)) if options.what == "counts" else times(options)
    allowed = 0 if options.what == "counts" else max(1, options.times // 100)
    took = time.monotonic() - begun
    day = datetime.now(UTC).strftime("%d %B %Y")
    print(f"{day}: {options.times:,} comparisons of {options.what}, {alarms:,} with an alarm, in {took:,.0f} s")
    return 1 if alarms > allowed else 0


async def counts(options: argparse.Namespace) -> int:
    """The count gates, compared with a first measurement on the machine without this load."""
    cases, alarms = all_cases(), 0
    async with MySQLWorld(Servers(background=False)) as world:

        async def measured() -> dict[str, dict[str, int]]:
            found = {}
            if options.world != "mysql":
                found[MODEL] = await asyncio.to_thread(in_model, cases)
            if options.world != "model":
                found["MySQL"] = await on_mysql(world, cases)
            return found

        first = Record(await measured())
        with loaded(options.processes):
            for _ in tqdm(range(options.times), unit="comparison", disable=not sys.stderr.isatty()):
                of_world = {
                    server: first.differences(server, costs, cases) for server, costs in (await measured()).items()
                }
                alarms += any(of_world.values())
                for server, found in of_world.items():
                    for each in found:
                        print(f"{server}: {each}", flush=True)
    return alarms


def times(options: argparse.Namespace) -> int:
    """Time comparisons of this tree with itself."""
    alarms = 0
    where, *others = ["benchmarks", *options.arguments] if options.arguments else SHORT
    tree = Benchmarks(ROOT, where, [*others, *QUICK], NO_OTHER_PLUGINS)
    limits = Thresholds.read(ROOT / "benchmarks" / "thresholds.toml")
    with loaded(options.processes):
        for _ in tqdm(range(options.times), unit="comparison", disable=not sys.stderr.isatty()):
            found = compare_times(tree, tree, pairs=options.pairs, thresholds=limits)
            alarms += bool(found.slower)
            for row in found.rows:
                if row.benchmark in found.slower:
                    print(f"{row.benchmark}: {row.ratio}", flush=True)
    return alarms


if __name__ == "__main__":
    sys.exit(main())
