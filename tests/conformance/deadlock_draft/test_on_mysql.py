"""Round: a deadlock on a server, its report, a draft, and the same deadlock on the server and in the model."""

import pytest

from chatsim.conformance import mysql_player
from chatsim.conformance.deadlock_draft.draft import draft
from chatsim.conformance.files import parse
from chatsim.conformance.schedule import Schedule
from chatsim.db.deadlock import Deadlock
from chatsim.db.deadlock_kinds import same_waits
from chatsim.worlds.mysql.world import MySQLWorld

TABLES = """
CREATE TABLE account (
  id INT PRIMARY KEY, owner VARCHAR(20) NOT NULL, balance INT NOT NULL, UNIQUE KEY by_owner (owner)
);
"""
ROWS = "INSERT INTO account VALUES (1, 'ann', 100), (2, 'bob', 100), (3, 'cid', 100), (4, 'dora', 100)"

SCRIPTS = {
    "two": """
        a: BEGIN
        a: UPDATE account SET balance = balance - 10 WHERE id = 1
        b: BEGIN
        b: UPDATE account SET balance = balance - 5 WHERE id = 2
        a: UPDATE account SET balance = balance + 10 WHERE id = 2
        b: UPDATE account SET balance = balance + 5 WHERE id = 1
    """,
    "two in a gap": """
        a: BEGIN
        a: SELECT * FROM account WHERE owner = 'bea' FOR UPDATE
        b: BEGIN
        b: SELECT * FROM account WHERE owner = 'bert' FOR UPDATE
        a: INSERT INTO account VALUES (5, 'bea', 0)
        b: INSERT INTO account VALUES (6, 'bert', 0)
    """,
    "three": """
        a: BEGIN
        a: UPDATE account SET balance = balance - 10 WHERE id = 1
        b: BEGIN
        b: UPDATE account SET balance = balance - 5 WHERE id = 2
        c: BEGIN
        c: DELETE FROM account WHERE id = 3
        a: UPDATE account SET balance = balance + 10 WHERE id = 2
        b: UPDATE account SET balance = balance + 5 WHERE id = 3
        c: UPDATE account SET balance = balance + 1 WHERE id = 1
    """,
    "four": """
        a: BEGIN
        a: UPDATE account SET balance = balance - 10 WHERE id = 1
        b: BEGIN
        b: DELETE FROM account WHERE id = 2
        c: BEGIN
        c: INSERT INTO account VALUES (9, 'ina', 1)
        d: BEGIN
        d: SELECT * FROM account WHERE id = 4 FOR UPDATE
        a: UPDATE account SET balance = balance + 10 WHERE id = 2
        b: INSERT INTO account VALUES (10, 'ina', 5)
        c: UPDATE account SET balance = balance + 1 WHERE id = 4
        d: DELETE FROM account WHERE id = 1
    """,
}


@pytest.mark.parametrize("script", SCRIPTS)
async def test_a_draft_from_a_servers_report_deadlocks_again(mysql_url, script):
    schedule = Schedule.of(SCRIPTS[script], setup=[TABLES.strip().rstrip(";"), ROWS])
    async with MySQLWorld() as world:
        ((first,),) = (await mysql_player.play(world, schedule)).deadlocks.values()
        made = draft(Deadlock.read(first.raw), TABLES)
        drafted = parse(made.sql(), "draft")
        ((again,),) = (await mysql_player.play(world, drafted)).deadlocks.values()
    assert made.is_same
    assert same_waits(again, first)
    assert len(again.participants) == len({step.session for step in schedule.steps})
