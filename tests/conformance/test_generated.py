"""The drawn part of the conformance suite: what chance thinks of, the model does as MySQL does it.

The first tier draws a few, the second tier others; `make conformance` draws thousands. What
disagrees is in the failure's message; `chatsim schedule --generate N --seed S --check` makes it small.
"""

import asyncio
import os

import msgspec
import pytest

from chatsim.conformance import model_player, mysql_player
from chatsim.conformance.comparison import LEVELS
from chatsim.conformance.differential import DifferentialReport, DifferentialTest
from chatsim.worlds.mysql.settings import Servers
from chatsim.worlds.mysql.world import MySQLWorld

FEW = 8
COUNT = int(os.environ.get("CHATSIM_TEST_SCHEDULES", "200"))
SEED = int(os.environ.get("CHATSIM_TEST_SEED", "97"))
SHARES = {"who waits, who ends": 0.02, "rows and tables": 0.03, "locks": 0.08}
"""How many of the drawn schedules may differ at each level, beside one: docs/fidelity.md says how many do, and why."""


@pytest.fixture(scope="module")
def play(mysql_url):
    """How a schedule is played on MySQL, all of them in one world."""
    with asyncio.Runner() as runner:
        world = runner.run(MySQLWorld(Servers(mysql_url=mysql_url)).__aenter__())
        yield lambda schedule: runner.run(mysql_player.play(world, schedule))
        runner.run(world.__aexit__())


@pytest.mark.timeout(300 + 2 * COUNT)
@pytest.mark.parametrize(("share", "foreign_keys"), [(3, False), (1, True)], ids=["tables", "parent-and-child"])
@pytest.mark.parametrize(
    ("seed", "total"), [(SEED + 1, FEW), pytest.param(SEED, COUNT, marks=pytest.mark.slow)], ids=["few", "many"]
)
def test_the_model_does_what_mysql_does(play, seed, total, share, foreign_keys):
    count = total * share // 4
    report = DifferentialReport()
    search = DifferentialTest(play, model_player.play, seed=seed, foreign_keys=foreign_keys, shrinks=False)
    search.run(count, report, progress=False)
    told = "\n".join(f"{each}\n{msgspec.json.encode(each.schedule).decode()}" for each in report.disagreements)
    most = [1 + SHARES[level] * count for level in LEVELS]
    within = all(found <= allowed for found, allowed in zip(report.differing, most, strict=True))
    assert within, f"of {report.played}, differ at each level {report.differing}:\n{told}"
    assert not report.not_modelled
    assert report.played >= 0.9 * count, f"{report.unstable} are of more than one outcome"
