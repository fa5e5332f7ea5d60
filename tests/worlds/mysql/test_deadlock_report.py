"""Which deadlock a server reports as its latest; nothing here needs a server."""

from pathlib import Path

import pytest

from chatsim.db.mysql import database_error
from chatsim.db.session import Rows
from chatsim.worlds.mysql import deadlock_report

RECORDED = Path(__file__).parents[2] / "db" / "deadlock_report" / "recorded"
COLUMNS = {("deadlock_rec", "private_chat", "uniq_private_thread"): 2}


def recorded(name):
    return (RECORDED / f"{name}.txt").read_text(encoding="utf-8")


class Scripted:
    """A session that answers from a table: the first key that the statement contains."""

    in_transaction = False

    def __init__(self, answers):
        self.answers = answers
        self.asked = []

    async def execute(self, sql, args=()):
        self.asked.append((sql, tuple(args)))
        answer = next(answer for part, answer in self.answers.items() if part in sql)
        if isinstance(answer, Exception):
            raise answer
        return Rows(answer)

    async def script(self, *_):
        raise AssertionError("not asked for")

    begin = commit = rollback = script


STATISTICS = [(*index, columns) for index, columns in COLUMNS.items()]


async def test_latest():
    session = Scripted({"STATUS": [("InnoDB", "", recorded("strangers"))], "statistics": STATISTICS})
    deadlock = await deadlock_report.latest(session)
    assert deadlock.participants[0].waits.record == "(90, 95)"
    assert deadlock.raw.splitlines()[1] == "*** (1) TRANSACTION:"
    assert deadlock.raw.endswith("*** WE ROLL BACK TRANSACTION (2)\n")


async def test_no_latest_deadlock():
    assert await deadlock_report.latest(Scripted({"STATUS": [("InnoDB", "", "nothing yet")]})) is None


async def test_latest_without_the_privilege():
    assert await deadlock_report.latest(Scripted({"STATUS": database_error(1227, "need PROCESS")})) is None
    lost = database_error(2013, "lost")
    with pytest.raises(type(lost)):
        await deadlock_report.latest(Scripted({"STATUS": lost}))
