"""The written part of the conformance suite: what MySQL was seen to do, it does again, and the model does it too."""

import os
from collections import Counter
from pathlib import Path

import pytest
import pytest_asyncio

from chatsim.conformance.comparison import compare
from chatsim.conformance.files import read
from chatsim.conformance.model_player import play as play_in_the_model
from chatsim.conformance.mysql_player import play as play_on_mysql
from chatsim.worlds.mysql.settings import Servers
from chatsim.worlds.mysql.world import MySQLWorld
from chatsim.worlds.world import WorldError

ROOT = Path(__file__).parent / "schedules"
FILES = sorted(ROOT.glob("*/*.json"))
SCHEDULES = {path: read(path) for path in FILES}

AUTOINC_LOCK_MODE = 2
"""The server's own. It can't be set while it runs, so what needs another is played in the model only."""

FOR_MYSQL = [
    path
    for path, schedule in SCHEDULES.items()
    if schedule.server.get("innodb_autoinc_lock_mode", AUTOINC_LOCK_MODE) == AUTOINC_LOCK_MODE
]


def named(path):
    return f"{path.parent.name}/{path.stem}"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(mysql_url):
    """One world for all; its server, the session's own, purges as soon as it is let for as long."""
    async with MySQLWorld(Servers(mysql_url=mysql_url)) as world:
        batch, recalculation = (
            await world.admin.execute("SELECT @@GLOBAL.innodb_purge_batch_size, @@GLOBAL.innodb_stats_auto_recalc")
        ).rows[0]
        setting = "SET GLOBAL innodb_purge_batch_size = {}, GLOBAL innodb_stats_auto_recalc = {}"
        await world.admin.execute(setting.format(1, 0))
        yield world
        await world.admin.execute(setting.format(batch, recalculation))


FIFTHS = [FOR_MYSQL[first::5] for first in range(5)]
EVERY = "CHATSIM_TEST_SCHEDULES" in os.environ

SAMPLE = [*FIFTHS[0], *(pytest.param(each, marks=pytest.mark.slow) for each in FIFTHS[1])]
"""Each tier has every fifth of them, so some of each folder; `make conformance` has all."""

TIMES = 3
"""So often is a schedule played on MySQL in which a session was woken: it races with whoever woke it for a moment, and
may find a lock that is gone the next time."""


def agrees(schedule, outcome):
    """At all three levels; behind a race another outcome may be as right as the one that was seen."""
    comparison = compare(schedule, outcome)
    assert comparison.raced or comparison.differences == (None, None, None)


def wakes(schedule):
    """Whether a statement of another's goes on when somebody's ends."""
    return any(each.step < step.n for step in schedule.expected.steps for each in step.completed)


def test_there_are_schedules():
    assert len(FILES) >= 1_979


def test_a_file_is_named_as_its_schedule_and_no_two_are_alike():
    assert {path: path.stem for path in FILES} == {path: schedule.id for path, schedule in SCHEDULES.items()}
    assert [name for name, count in Counter(path.stem for path in FILES).items() if count > 1] == []


def test_each_says_what_it_shows_and_what_to_expect_of_which_server():
    assert [named(path) for path, each in SCHEDULES.items() if not (each.title and each.expected and each.mysql)] == []


@pytest.mark.parametrize("path", FILES, ids=named)
def test_in_the_model(path):
    schedule = SCHEDULES[path]
    agrees(schedule, play_in_the_model(schedule))


@pytest.mark.parametrize("path", FOR_MYSQL if EVERY else SAMPLE, ids=named)
@pytest.mark.asyncio(loop_scope="module")
async def test_on_mysql(path, world):
    schedule = SCHEDULES[path]
    for left in reversed(range(TIMES if wakes(schedule) else 1)):
        try:
            outcome = await play_on_mysql(world, schedule)
        except WorldError:
            if not schedule.concurrent_wakeups:  # who wins a race may have to wait where the loser would have gone on
                raise
        else:
            if not left or compare(schedule, outcome).agrees:
                agrees(schedule, outcome)
                return
