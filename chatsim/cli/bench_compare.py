"""``chatsim bench-compare``."""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from chatsim.cli.common import UNSAFE, one_sentence, quiet_option, server_options, shows_progress

if TYPE_CHECKING:
    from chatsim.experiments.timing.comparison import Row, TimeComparison

__all__ = ["bench_compare"]


@click.command()
@click.argument("base")
@click.argument("arguments", nargs=-1, metavar="[-- PYTEST_ARGUMENTS]")
@click.option(
    "--benchmarks", default="benchmarks", show_default=True, help="The folder or file with them, from the root."
)
@click.option("--pairs", default=10, show_default=True, help="How often each of the two runs: 5 times or more.")
@click.option(
    "--thresholds",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A TOML file with the largest ratios; thresholds.toml beside the benchmarks if it is not given.",
)
@click.option("--no-mysql", is_flag=True, help="Start no MySQL: the benchmarks need none.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per benchmark, a line each.")
@click.option("--wide", is_flag=True, help="Print all columns, also those that the terminal has no room for.")
@quiet_option
@server_options
def bench_compare(base: str, arguments: tuple[str, ...], **options: Any) -> None:
    """Compare the times of this working tree's benchmarks with those of BASE, a git ref. Exit status 1 if slower.

    The benchmarks are tests for pytest-benchmark. BASE is checked out into a folder of its own, and both run in turns,
    on the same MySQL (its URL is in CHATSIM_MYSQL_URL). A ratio is head by base, with an interval of 95 %; P(slower)
    is the probability that a run of the head is slower than one of the base. A benchmark is slower if the whole
    interval is beyond its threshold, and P(slower) is 0.71 or more.

    What follows `--` is given to pytest: `chatsim bench-compare main -- -k codec`.
    """
    with one_sentence():
        found = _compared(base, arguments, **options)
    _print(found, as_json=options["as_json"], wide=options["wide"])
    if found.slower or found.failed:
        sys.exit(UNSAFE)


def _compared(
    base: str,
    arguments: tuple[str, ...],
    *,
    benchmarks: str,
    pairs: int,
    thresholds: Path | None,
    no_mysql: bool,
    quiet: bool,
    as_json: bool,  # noqa: ARG001 - of the output
    wide: bool,  # noqa: ARG001 - of the output
    **servers: Any,
) -> TimeComparison:
    from chatsim.experiments.timing import trees
    from chatsim.experiments.timing.comparison import compare_times
    from chatsim.experiments.timing.runs import Benchmarks
    from chatsim.experiments.timing.thresholds import Thresholds
    from chatsim.progress import Progress

    root = trees.root_of(Path.cwd())
    commit = trees.commit_of(root, base)
    if not (root / benchmarks).exists():
        raise click.BadParameter(f"there is no {benchmarks} in {root}", param_hint="--benchmarks")
    beside = root / benchmarks if (root / benchmarks).is_dir() else (root / benchmarks).parent
    limits = Thresholds.read(thresholds or beside / "thresholds.toml")
    changed = ", with changes that are not committed" if trees.is_changed(root) else ""
    click.echo(f"Base: {base}, {commit[:12]}. Head: {trees.commit_of(root, 'HEAD')[:12]}{changed}.", err=True)
    with ExitStack() as stack:
        tree = stack.enter_context(trees.worktree(root, commit))
        for sentence in trees.dependencies_differ(tree, root):
            click.echo(f"Not the same environment: {sentence}.", err=True)
        environment = {} if no_mysql else {"CHATSIM_MYSQL_URL": _server(stack, servers)}
        sides = (Benchmarks(each, benchmarks, arguments, environment) for each in (tree, root))
        bar = stack.enter_context(Progress(shown=shows_progress(quiet=quiet)).bar(pairs, "pair"))
        return compare_times(*sides, pairs=pairs, thresholds=limits, done=bar.update)


def _server(stack: ExitStack, servers: dict[str, Any]) -> str:
    from chatsim.worlds.mysql.settings import Servers

    return stack.enter_context(Servers(**servers, background=False).mysql()).url


def _print(found: TimeComparison, *, as_json: bool, wide: bool) -> None:
    rows = [_row(each) for each in found.rows]
    if as_json:
        for row in rows:
            click.echo(json.dumps(row))
    else:
        from chatsim.cli.result_tables import print_rows

        print_rows(rows, wide=wide)
    for sentence in found.remarks:
        click.echo(sentence, err=True)
    if found.failed:
        click.echo(f"Failed in the head: {', '.join(found.failed)}", err=True)
    if found.slower:
        click.echo(f"Slower than the base: {', '.join(found.slower)}", err=True)


def _row(row: Row) -> dict[str, object]:
    times = row.ratio
    return {
        "benchmark": row.benchmark,
        "base ms": times.base * 1e3,
        "head ms": times.head * 1e3,
        "ratio": times.ratio,
        "low": times.low,
        "high": times.high,
        "P(slower)": times.slower,
        "threshold": row.threshold,
        "note": row.verdict,
    }
