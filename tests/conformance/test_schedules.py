"""Recorded schedules: the server does again what it did."""

from pathlib import Path

import pytest

from chatsim.lab.schedules import compare
from chatsim.worlds.mysql.schedules import play
from chatsim.worlds.mysql.world import MySQLWorld
from chatsim.worlds.schedule import read

FILES = sorted((Path(__file__).parent / "schedules").glob("*.json"))


def test_there_are_schedules():
    assert len(FILES) >= 10


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
async def test_on_mysql(path, mysql_url):
    schedule = read(path)
    async with MySQLWorld() as world:
        comparison = compare(schedule, await play(world, schedule))
    assert comparison.raced or comparison.differences == (None, None, None)
