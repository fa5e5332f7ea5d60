"""Run the benchmarks, and write a folder with what came of them: JSON, a Markdown table, figures. It prints the table.

    python benchmarks/report.py                          # everything; most of an hour
    python benchmarks/report.py -- -k "codec or loop"    # what follows -- is given to pytest
    python benchmarks/report.py --of benchmarks.json     # of a run that is over

The folder is named by the time and the commit. ``benchmarks.json`` is pytest-benchmark's, with machine and commit.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from reporting.figures import draw
from reporting.tables import markdown, rows
from reporting.targets import stated

ROOT = Path(__file__).parent.parent


def main() -> int:
    """Run, report, and return pytest's exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "results" / "bench", help="where the folder is made")
    parser.add_argument("--of", type=Path, metavar="JSON", help="report a run that is over; nothing is measured")
    parser.add_argument("arguments", nargs="*", metavar="PYTEST_ARGUMENT")
    options = parser.parse_args()
    home, status = _folder(options.out), 0
    report = home / "benchmarks.json"
    if options.of:
        report.write_bytes(options.of.read_bytes())
    else:
        command = [sys.executable, "-m", "pytest", str(ROOT / "benchmarks"), "-q", "--benchmark-columns=median,rounds"]
        status = subprocess.run(
            [*command, f"--benchmark-json={report}", *options.arguments], cwd=ROOT, check=False
        ).returncode
    try:
        run = json.loads(report.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        print("Error: nothing was measured", file=sys.stderr)
        return status or 2
    found = rows(run["benchmarks"])
    text = markdown(run, found, stated(run["benchmarks"]))
    (home / "table.md").write_text(text, encoding="utf-8")
    figures = draw(found, home)
    print(text)
    print(f"{home}: benchmarks.json, table.md, {len(figures)} figures", file=sys.stderr)
    return status


def _folder(out: Path) -> Path:
    done = subprocess.run(
        ["git", "rev-parse", "--short=12", "HEAD"], cwd=ROOT, check=False, capture_output=True, text=True
    )
    home = out / f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{done.stdout.strip() or 'unknown'}"
    home.mkdir(parents=True)
    return home


if __name__ == "__main__":
    sys.exit(main())
