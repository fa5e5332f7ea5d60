"""The example project: its tests pass, fail where a fault is planted, and pass again after the mend."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

OPTIONS = [
    *("-q", "-o", "asyncio_default_fixture_loop_scope=function"),
    *(word for plugin in ("cacheprovider", "hypothesispytest", "nbmake", "xdist") for word in ("-p", f"no:{plugin}")),
]
NO_SERVER = "not mysql and not own_connection"
EXAMPLE = Path(__file__).parents[2] / "examples" / "seat-booking"


@pytest.fixture
def project(pytester):
    """A copy of the example, in which pytest runs."""
    shutil.copytree(EXAMPLE, pytester.path, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
    return pytester.path


@pytest.fixture
def run_in_a_process(project):
    """A function that runs its tests in a process of their own, as a pipeline does; no server is named."""
    ours = ("PYTEST_", "CHATSIM_MYSQL")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)}

    def run(*words):
        command = [sys.executable, "-m", "pytest", *OPTIONS, *words]
        return subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)

    return run


def move(lines, start, count, behind):
    """Move some lines, the first of which has a text, behind a line with another text."""
    (at,) = [number for number, line in enumerate(lines) if start in line]
    moved, rest = lines[at : at + count], lines[:at] + lines[at + count :]
    (place,) = [number for number, line in enumerate(rest) if behind in line]
    return [*rest[: place + 1], *moved, *rest[place + 1 :]]


def in_the_customers_order(text):
    return text.replace("sorted(seats):", "seats:", 1)


def counted_last(text):
    lines = text.splitlines(keepends=True)
    return "".join(move(lines, "seats_left - ?", 1, "await tx.execute(take"))


def without_a_lock(text):
    return text.replace("AND number = ? FOR UPDATE", "AND number = ?", 1)


def without_a_limit(text):
    return text.replace(" ORDER BY id DESC LIMIT ?", " AND ? > 0 ORDER BY id DESC", 1)


FAULTS = {
    in_the_customers_order: (
        "test_two_customers_who_want_the_same_seats_never_deadlock",
        ["“no deadlock” does not hold", "book_1 waits for book_2", "of seat.PRIMARY (X)", "died (1213)"],
    ),
    counted_last: (
        "test_customers_who_want_different_seats_never_deadlock",
        ["“no deadlock” does not hold", "of performance.PRIMARY (S)", "died (1213)"],
    ),
    without_a_lock: (
        "test_a_seat_is_never_sold_twice",
        ["“the outcome is that of some serial order” does not hold", "reads [[None]]"],
    ),
    without_a_limit: (
        "test_a_customers_list_reads_no_more_than_it_shows[model]",
        ["rows_examined is 50, and not 10"],
    ),
}


def plant(project, fault):
    """Plant a fault. Returns a function that mends it."""
    code = project / "seat_booking" / "bookings.py"
    sound = code.read_text()
    assert fault(sound) != sound
    code.write_text(fault(sound))
    return lambda: code.write_text(sound)


def test_its_pipeline_fails_on_a_planted_deadlock_and_passes_after_the_mend(project, run_in_a_process):
    name, says = FAULTS[in_the_customers_order]
    mend = plant(project, in_the_customers_order)
    failed = run_in_a_process("-k", NO_SERVER)
    assert failed.returncode == 1, failed.stdout
    assert re.findall(r"^FAILED tests/test_bookings.py::(\S+)", failed.stdout, re.MULTILINE) == [name]
    for text in says:
        assert text in failed.stdout
    assert len(failed.stdout.splitlines()) < 60
    mend()
    mended = run_in_a_process("-k", NO_SERVER)
    assert mended.returncode == 0, mended.stdout


@pytest.mark.parametrize("fault", FAULTS, ids=lambda each: each.__name__)
def test_each_planted_fault_fails_the_test_that_is_about_it(project, pytester, monkeypatch, fault):
    monkeypatch.delenv("CHATSIM_MYSQL_URL", raising=False)
    name, says = FAULTS[fault]
    plant(project, fault)
    result = pytester.runpytest_inprocess(*OPTIONS, "-k", NO_SERVER)
    text = result.stdout.str()
    assert f"FAILED tests/test_bookings.py::{name}" in text
    for each in says:
        assert each in text
