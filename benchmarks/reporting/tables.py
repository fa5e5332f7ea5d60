"""A run of pytest-benchmark as rows, and as Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chatsim.experiments.tables import in_digits
from reporting.targets import Stated

__all__ = ["COSTS", "Row", "markdown", "rows"]

COSTS = {
    "round_trips": "round trips",
    "bytes": "bytes",
    "statements": "statements",
    "rows_examined": "rows examined",
    "lock_requests": "lock requests",
    "lock_waits": "lock waits",
    "deadlocks": "deadlocks",
    "rows_told": "rows told",
    "states": "states",
}
"""The costs that benchmarks put into ``extra_info``, with their names; ``_per_op`` may follow."""


@dataclass(frozen=True)
class Row:
    """A benchmark.

    Attributes:
        name: its name, with the parameters.
        group: the group that it is compared in.
        median: the median of its rounds, in seconds.
        ratio: the median by that of the group's reference, or a ratio that the benchmark has measured in turns.
        to: what the ratio is to.
        costs: its costs, in words.
    """

    name: str
    group: str
    median: float
    ratio: float | None
    to: str
    costs: str


def rows(benchmarks: Sequence[Mapping[str, Any]]) -> list[Row]:
    """The rows of a run, in the order of the groups."""
    references = {each["group"]: each for each in benchmarks if each["extra_info"].get("reference")}
    found = []
    for each in benchmarks:
        info, group = each["extra_info"], each["group"] or ""
        ratio, to = next(
            ((value, key.removeprefix("ratio_")) for key, value in info.items() if key.startswith("ratio_")), (None, "")
        )
        if ratio is None and (reference := references.get(each["group"])) is not None and reference is not each:
            ratio, to = each["stats"]["median"] / reference["stats"]["median"], f"to {_short(reference)}"
        found.append(Row(_short(each), group, each["stats"]["median"], ratio, to.replace("_", " "), _costs(info)))
    return found


def _short(benchmark: Mapping[str, Any]) -> str:
    name, bracket, parameters = str(benchmark["name"]).partition("[")
    return name.removeprefix("test_").replace("_", " ") + (f" [{parameters}" if bracket else "")


def _costs(info: Mapping[str, Any]) -> str:
    found = []
    for key, words in COSTS.items():
        for name, per in ((key, ""), (f"{key}_per_op", " per op")):
            if info.get(name) is not None:
                value = float(info[name])
                found.append(f"{f'{value:,.0f}' if value.is_integer() else in_digits(value)} {words}{per}")
    return ", ".join(found)


def _time(seconds: float) -> str:
    for unit, factor in (("s", 1), ("ms", 1e3), ("µs", 1e6)):
        if seconds * factor >= 1 or unit == "µs":
            return f"{in_digits(seconds * factor)} {unit}"
    raise AssertionError


def markdown(run: Mapping[str, Any], found: Sequence[Row], targets: Sequence[Stated]) -> str:
    """The report as text: where and of what, the targets, all benchmarks."""
    machine, commit = run["machine_info"], run["commit_info"]
    changed = ", with changes that are not committed" if commit.get("dirty") else ""
    where = f"{machine['cpu'].get('brand_raw', machine['machine'])}, {machine['cpu'].get('count', '?')} cores"
    software = f"{machine['system']} {machine['release']}, Python {machine['python_version']}"
    lines = [
        f"# Benchmarks of {str(commit.get('id', 'an unknown commit'))[:12]}{changed}",
        "",
        f"{run['datetime'][:19]}Z, {where}, {software}.",
        "",
        *_table(
            ("ratio", "measured", "target", "met"),
            [(each.target.sentence, _number(each.ratio), each.target.words, each.verdict) for each in targets],
        ),
        "",
        *_table(
            ("benchmark", "median", "ratio", "to", "costs"),
            [(each.name, _time(each.median), _number(each.ratio), each.to, each.costs) for each in found],
        ),
    ]
    return "\n".join(lines) + "\n"


def _number(value: float | None) -> str:
    return "" if value is None else in_digits(float(value))


def _table(headings: Sequence[str], cells: Sequence[Sequence[str]]) -> list[str]:
    return [_line(headings), _line(["---"] * len(headings)), *map(_line, cells)]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"
