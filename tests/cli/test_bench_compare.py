"""``chatsim bench-compare``, on a small repository whose benchmarks have a clock of their own."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from click.testing import CliRunner

from chatsim.cli import main
from chatsim.experiments.timing.runs import Benchmarks, Run

BENCHMARKS = """
import time
import pytest

NOW = 0.0

def timer():
    return NOW

def work():
    global NOW
    NOW += {seconds}
    time.sleep({sleep})

@pytest.mark.benchmark(timer=timer)
def test_work(benchmark):
    benchmark.pedantic(work, rounds=3)

@pytest.mark.benchmark(timer=timer)
def test_{name}(benchmark):
    benchmark.pedantic(work, rounds=3)
"""


def git(folder, *words):
    who = ("-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    return subprocess.run(["git", "-C", folder, *who, *words], check=True, capture_output=True, text=True).stdout


def write(folder, *, seconds, name, sleep=0):
    (folder / "benchmarks" / "test_toy.py").write_text(BENCHMARKS.format(seconds=seconds, name=name, sleep=sleep))


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A commit ``base``, and changes to it: the work takes twice as long, and a test has another name."""
    folder = tmp_path / "repository"
    (folder / "benchmarks").mkdir(parents=True)
    (folder / "pytest.ini").write_text("[pytest]\naddopts = -p pytest_benchmark.plugin\n")
    git(folder, "init", "--quiet", "--initial-branch=main")
    write(folder, seconds=1.0, name="old")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "base")
    git(folder, "tag", "base")
    write(folder, seconds=2.0, name="new")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # a run takes a fraction of the time without them
    return folder


def chatsim(*words):
    return CliRunner().invoke(main, ["bench-compare", *map(str, words)], prog_name="chatsim")


def worktrees(folder):
    return len(git(folder, "worktree", "list").splitlines())


@pytest.mark.slow
def test_a_slower_head_fails_and_what_is_not_in_both_is_named(repository):
    result = chatsim("base", "--no-mysql", "--pairs", 5, "--json")
    assert result.exit_code == 1, result.output
    (row,) = map(json.loads, result.stdout.splitlines())
    assert row["benchmark"] == "benchmarks/test_toy.py::test_work"
    assert (row["ratio"], row["low"], row["P(slower)"], row["note"]) == (2, 2, 1, "slower")
    assert "with changes that are not committed" in result.stderr
    assert "test_old is only in the base" in result.stderr
    assert "test_new is only in the head" in result.stderr
    assert "Slower than the base: benchmarks/test_toy.py::test_work" in result.stderr
    assert worktrees(repository) == 1


def test_a_threshold_in_a_file_lets_it_pass_and_pytest_is_given_its_arguments(repository, monkeypatch):
    (repository / "benchmarks" / "thresholds.toml").write_text("default = 3.0")
    commands = []

    def run(self):
        commands.append(self._command)
        return Run({"benchmarks/test_toy.py::test_work": 1.0 if self._tree.name == "base" else 2.0})

    monkeypatch.setattr(Benchmarks, "run", run)
    result = chatsim("base", "--no-mysql", "--pairs", 5, "--wide", "--", "-k", "work")
    assert result.exit_code == 0, result.output
    assert "no difference shown" in result.stdout
    assert "only in" not in result.output
    assert [command[-2:] for command in commands] == 10 * [["-k", "work"]]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("nope", "--no-mysql"), "Error: there is no commit 'nope'"),
        (("base", "--no-mysql", "--pairs", "4"), "Error: pairs is 4; it must be 5 or more"),
        (("base", "--no-mysql", "--benchmarks", "benches"), "there is no benches in"),
        (("base", "--no-mysql", "--pairs", "5", "--", "--nope"), "can't be run:"),
        (
            ("base", "--no-mysql", "--pairs", "5", "--", "-k", "nothing"),
            "Error: base and head have no benchmark in common",
        ),
    ],
)
@pytest.mark.slow
def test_what_can_not_be_compared_is_an_error_that_says_why(repository, words, complaint):
    result = chatsim(*words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert complaint in result.stderr
    assert worktrees(repository) == 1


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_leaves_nothing_behind(repository, number, tmp_path):
    write(repository, seconds=1.0, name="old", sleep=30)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    command = [sys.executable, "-m", "chatsim", "bench-compare", "base", "--no-mysql"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=os.environ | {"TMPDIR": str(temporary)})
    while not list(temporary.glob("chatsim-run-*")):
        time.sleep(0.05)
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 128 + number, said
    assert not list(temporary.glob("chatsim-*"))
    assert worktrees(repository) == 1
