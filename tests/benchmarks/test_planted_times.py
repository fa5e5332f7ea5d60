"""Regressions that no count shows, planted in a copy of the tree: the time gate names each, and nothing else."""

import shutil
from pathlib import Path

import pytest

from chatsim.experiments.timing.comparison import compare_times
from chatsim.experiments.timing.runs import Benchmarks
from chatsim.experiments.timing.thresholds import Thresholds

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]  # fourteen runs, each a process

ROOT = Path(__file__).parent.parent.parent
PAIRS = 7  # of 5, one pair that something has disturbed would widen the interval to its own ratio
QUICK = (
    *("-p", "pytest_benchmark.plugin", "-p", "pytest_asyncio.plugin", "-p", "pytest_timeout"),
    *("--benchmark-max-time=0.05", "--benchmark-min-rounds=3", "--benchmark-warmup=off"),
    "--benchmark-timer=time.process_time",  # so that it does not matter what else the machine does
)
NO_OTHER_PLUGINS = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}

PLANTED = {
    "60 % more time in the codec": (
        "chatsim/chat/protocol/framing.py",
        "    body = msgspec.json.encode(message)\n",
        "    body = msgspec.json.encode(message)\n    msgspec.json.encode(message)\n",
        "test_codec.py::test_a_message_is_encoded[frames-a page of 100 texts]",
    ),
    "an index of the local store that is not used": (
        "chatsim/chat/client/local_statements.py",
        "     WHERE m.thread_id = ? AND m.seq >= t.floor AND m.seq < ? ORDER BY m.seq DESC",
        "     WHERE +m.thread_id = ? AND +m.seq >= t.floor AND m.seq < ? ORDER BY +m.seq DESC",
        "test_cache.py::test_something_is_read[the newest 50 messages]",
    ),
    "a search for each lock that is requested": (
        "chatsim/innodb/storage/locks.py",
        "        supremum = record.is_supremum\n",
        "        supremum = record.is_supremum\n        sum(each is record for each in range(200))\n",
        "test_innodb.py::test_20_transactions_lock_1000_records",
    ),
    "more work for each callback of the loop": (
        "chatsim/simulation/loop.py",
        "                handle = ready.popleft()\n",
        "                handle = ready.popleft()\n                sum(range(1000))\n",
        "test_loop.py::test_1000_tasks_sleep_at_once",
    ),
}
"""By title: the file, what is there, what is planted instead, and the benchmark that becomes slower."""

UNTOUCHED = "test_codec.py::test_a_message_is_encoded[json alone-a page of 100 texts]"


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """A copy of the tree with all of them."""
    tree = tmp_path_factory.mktemp("planted")
    for name in ("chatsim", "benchmarks", "tests"):
        shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("schedules"))
    shutil.copy(ROOT / "pyproject.toml", tree)
    for file, old, new, _ in PLANTED.values():
        path = tree / file
        text = path.read_text()
        assert text.count(old) == 1, f"{file} has changed: plant it elsewhere"
        path.write_text(text.replace(old, new))
    return tree


@pytest.fixture(scope="module")
def found(planted):
    """The comparison of the tree with the copy."""
    names = [benchmark for *_, benchmark in PLANTED.values()]
    wanted = [f"benchmarks/{name}" for name in (*names, UNTOUCHED)]
    sides = (Benchmarks(tree, wanted[0], [*wanted[1:], *QUICK], NO_OTHER_PLUGINS) for tree in (ROOT, planted))
    return compare_times(*sides, pairs=PAIRS, thresholds=Thresholds())


@pytest.mark.parametrize("title", PLANTED)
def test_a_planted_regression_is_named(found, title):
    *_, benchmark = PLANTED[title]
    assert f"benchmarks/{benchmark}" in found.slower, found.rows


def test_what_was_not_changed_is_not_named(found):
    assert f"benchmarks/{UNTOUCHED}" in {each.benchmark for each in found.rows}
    assert f"benchmarks/{UNTOUCHED}" not in found.slower
    assert found.remarks == []
