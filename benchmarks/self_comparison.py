"""Compare a commit with itself, again and again, while the machine is loaded at random: how often is there an alarm?

    python benchmarks/self_comparison.py counts --times 1000     # the count gates, in the model and on MySQL
    python benchmarks/self_comparison.py times --times 100       # time comparisons of short benchmarks
    python benchmarks/self_comparison.py times --times 100 -- -k loop
    python benchmarks/self_comparison.py counts --times 1000 --out counts.jsonl     # goes on where it was stopped

Each alarm is printed, and at the end a sentence about all. The exit status is 1 if there are more alarms than may be:
none of counts; of times one in a hundred.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from counting.gate import MODEL, SERVERS, Record, all_cases, in_model, model_process, on_mysql
from kept_comparisons import KeptComparisons, OtherComparisonsError
from random_load import loaded
from tqdm.auto import tqdm

from chatsim.experiments.timing.comparison import compare_times
from chatsim.experiments.timing.runs import Benchmarks
from chatsim.experiments.timing.thresholds import Thresholds
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
    parser.add_argument("--times", type=int, default=10, help="how many comparisons, with those that are in the file")
    parser.add_argument("--out", type=Path, metavar="FILE", help="append each comparison to it, and go on with it")
    parser.add_argument("--world", choices=("model", "mysql"), help="of counts: only there")
    parser.add_argument("--pairs", type=int, default=10, help="of times: the pairs of each comparison")
    parser.add_argument("--processes", type=int, help="how many load the machine; one more than cores if not given")
    parser.epilog = "Of times: what follows -- is given to pytest, and says which benchmarks."
    words, arguments = sys.argv[1:], []
    if "--" in words:  # argparse gives nothing to a second positional argument that comes after options
        words, arguments = words[: words.index("--")], words[words.index("--") + 1 :]
    options = parser.parse_args(words, argparse.Namespace(arguments=arguments))
    try:
        kept = KeptComparisons(options.out, options.what, _commit())
    except OtherComparisonsError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    try:
        if len(kept) < options.times:
            asyncio.run(counts(options, kept)) if options.what == "counts" else times(options, kept)
    finally:  # also if it is interrupted
        print(kept)
    return 1 if kept.alarms > (0 if options.what == "counts" else max(1, len(kept) // 100)) else 0


def _commit() -> str:
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=12"], cwd=ROOT, check=False, capture_output=True, text=True
    )
    return done.stdout.strip() or "unknown"


def _numbers(options: argparse.Namespace, kept: KeptComparisons) -> Iterator[int]:
    numbers = range(len(kept), options.times)
    bar = tqdm(numbers, unit="comparison", initial=len(kept), total=options.times, disable=not sys.stderr.isatty())
    yield from bar


async def counts(options: argparse.Namespace, kept: KeptComparisons) -> None:
    """The count gates, compared with a first measurement on the machine without this load."""
    cases = all_cases()
    with model_process() as process:
        async with MySQLWorld(SERVERS) as world:

            async def measured() -> dict[str, dict[str, int]]:
                modelled = None if options.world == "mysql" else process.submit(in_model, cases)
                found = {} if options.world == "model" else {"MySQL": await on_mysql(world, cases)}
                return found | ({MODEL: await asyncio.wrap_future(modelled)} if modelled else {})

            kept.begin(kept.first or await measured())
            first = Record(kept.first)
            with loaded(options.processes):
                for _ in _numbers(options, kept):
                    begun, found = time.monotonic(), await measured()
                    differing = ((server, first.differences(server, costs, cases)) for server, costs in found.items())
                    _note(kept, begun, [f"{server}: {each}" for server, those in differing for each in those])


def times(options: argparse.Namespace, kept: KeptComparisons) -> None:
    """Time comparisons of this tree with itself."""
    where, *others = ["benchmarks", *options.arguments] if options.arguments else SHORT
    tree = Benchmarks(ROOT, where, [*others, *QUICK], NO_OTHER_PLUGINS)
    limits = Thresholds.read(ROOT / "benchmarks" / "thresholds.toml")
    kept.begin()
    with loaded(options.processes):
        for _ in _numbers(options, kept):
            begun = time.monotonic()
            found = compare_times(tree, tree, pairs=options.pairs, thresholds=limits)
            _note(kept, begun, [f"{row.benchmark}: {row.ratio}" for row in found.rows if row.benchmark in found.slower])


def _note(kept: KeptComparisons, begun: float, alarms: list[str]) -> None:
    kept.add(time.monotonic() - begun, alarms)
    for each in alarms:
        print(each, flush=True)


if __name__ == "__main__":
    sys.exit(main())
