"""One run of a tree's benchmarks, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from chatsim.worlds.world import BadParameterError

__all__ = ["Benchmarks", "Run"]

_OURS = "chatsim"
"""The package, and the name of its pytest plugin."""

_FAILED, _USAGE, _NONE = 1, 4, 5
"""pytest's exit status if a test has failed, if an argument is wrong, and if no test was selected."""

_NOT_THERE = "not found"
"""What pytest says of a file or a test that is not there, and of no other argument."""

_PATIENCE = 10.0  # seconds until a process that was told to end is killed


@dataclass(frozen=True)
class Run:
    """What one run has measured.

    Attributes:
        medians: the median of the rounds of each benchmark, in seconds, by its name.
        complaint: the end of the output, if a benchmark has failed.
    """

    medians: Mapping[str, float]
    complaint: str = ""


class Benchmarks:
    """The benchmarks of a tree: tests for pytest-benchmark.

    Args:
        tree: the root of the tree. It stands first on the path, so that its own packages are imported.
        where: the folder or file with the benchmarks, from there.
        arguments: what else pytest is given.
        environment: variables for the process.
    """

    def __init__(self, tree: Path, where: str, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
        self._tree = tree
        path = os.pathsep.join(filter(None, [str(tree), os.environ.get("PYTHONPATH", "")]))
        # a worker of pytest-xdist runs no benchmarks, but this is another run
        own = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_XDIST")}
        self._environment = {**own, **environment, "PYTHONPATH": path}
        self._command = [
            *(sys.executable, "-m", "pytest", where, "-q", "-p", "no:cacheprovider", "--benchmark-disable-gc"),
            *self._without_plugin(),
            *arguments,
        ]

    def _without_plugin(self) -> list[str]:
        """The entry point of an installed chatsim names a plugin, which an older tree does not have."""
        own = self._tree / _OURS
        return ["-p", f"no:{_OURS}"] if own.is_dir() and not (own / "pytest").is_dir() else []

    def run(self) -> Run:
        """Run them once.

        Raises:
            BadParameterError: pytest can't run them at all. The message has the end of its output.
        """
        with tempfile.TemporaryDirectory(prefix="chatsim-run-") as home:
            report = Path(home) / "report.json"
            status, said = self._execute([*self._command, f"--benchmark-json={report}"])
            found = self._read(report)
        if status == _NONE or (status == _USAGE and _NOT_THERE in said):
            return Run({}, "" if status == _NONE else said)
        if status not in (0, _FAILED):
            raise BadParameterError(f"the benchmarks of {self._tree} can't be run:\n{said}")
        return Run(found, said if status else "")

    def _execute(self, command: Sequence[str]) -> tuple[int, str]:
        with subprocess.Popen(
            command, cwd=self._tree, env=self._environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            try:
                said, _ = process.communicate()
            except BaseException:  # an interrupt, above all: nothing goes on when the command has ended
                process.terminate()
                with suppress(subprocess.TimeoutExpired):
                    process.wait(_PATIENCE)
                process.kill()
                raise
        return process.returncode, "\n".join(said.strip().splitlines()[-15:])

    @staticmethod
    def _read(report: Path) -> dict[str, float]:
        try:
            found = json.loads(report.read_text(encoding="utf-8"))
        except (OSError, ValueError):  # it is empty if nothing was measured
            return {}
        return {each["fullname"]: float(each["stats"]["median"]) for each in found["benchmarks"]}
