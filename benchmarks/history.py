"""A history of runs for apache-otava, which looks for change points: one JSON file a run in, one array of all out.

    python benchmarks/history.py results/bench/*/benchmarks.json > history.json
    OTAVA_CONFIG=otava.yaml otava analyze chatsim          # otava.yaml: see docs/benchmarks.md

A metric is how often a benchmark's median fits into a second, because otava takes more to be better. Only benchmarks
that all runs have are written: it needs a value of each run.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

__all__ = ["history"]


def main() -> int:
    """Print the history, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path, metavar="JSON", help="files that pytest-benchmark has written")
    options = parser.parse_args()
    try:
        runs = [json.loads(path.read_text(encoding="utf-8")) for path in options.runs]
        print(json.dumps(history(runs), indent=1))
    except (OSError, ValueError, LookupError, TypeError) as error:
        print(f"Error: a file is no run of pytest-benchmark: {error!r}", file=sys.stderr)
        return 2
    return 0


def history(runs: list[Mapping[str, Any]]) -> list[dict[str, object]]:
    """The runs in the order of their time, in the form that otava's JSON importer reads."""
    found = sorted(((_timestamp(run), run, _metrics(run)) for run in runs), key=lambda each: each[0])
    common = set.intersection(*({*metrics} for _, _, metrics in found))
    return [
        {
            "timestamp": timestamp,
            "metrics": [{"name": name, "value": metrics[name]} for name in sorted(common)],
            "attributes": {
                "commit": str(run["commit_info"].get("id", "unknown")),
                "branch": str(run["commit_info"].get("branch", "unknown")),
            },
        }
        for timestamp, run, metrics in found
    ]


def _timestamp(run: Mapping[str, Any]) -> int:
    return int(datetime.fromisoformat(run["datetime"]).replace(tzinfo=UTC).timestamp())


def _metrics(run: Mapping[str, Any]) -> dict[str, float]:
    return {f"{each['name']} per s": 1 / each["stats"]["median"] for each in run["benchmarks"]}


if __name__ == "__main__":
    sys.exit(main())
