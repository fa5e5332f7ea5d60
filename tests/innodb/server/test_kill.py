"""KILL ends what a session waits for; how far it goes, recorded schedules say (session-statements/kill-…)."""

import asyncio

import pytest

from tests.engine_sessions import outcome, play


async def killed(a, b, sql, kill):
    waits = asyncio.ensure_future(outcome(b, sql))
    await asyncio.sleep(1)
    told = await outcome(a, f"{kill} {b.connection_id}")
    return told, await waits


def test_sleep_that_is_interrupted_gives_1():
    assert play(lambda _, a, b: killed(a, b, "SELECT SLEEP(9)", "KILL QUERY")) == (0, [(1,)])


def test_a_killed_session_is_closed_when_its_statement_has_ended():
    async def body(engine, a, b):
        told = await killed(a, b, "SELECT SLEEP(9)", "KILL")
        return *told, b.closed, list(engine.sessions) == [1, a.connection_id]

    *told, closed, gone = play(body)
    assert told == [0, "2013: Lost connection to MySQL server during query"]
    assert closed
    assert gone


@pytest.mark.parametrize("number", ["NULL", "0", "99", "@nobody"])
def test_a_session_that_there_is_not_can_not_be_killed(number):
    assert play(lambda _, a: outcome(a, f"KILL {number}"), sessions=1).startswith("1094: Unknown thread id: ")


def test_a_statement_that_is_cancelled_otherwise_is_no_killed_one():
    async def body(_, __, b):
        waits = asyncio.ensure_future(b.run("SELECT SLEEP(9)"))
        await asyncio.sleep(1)
        waits.cancel()
        await asyncio.wait([waits])
        return waits.cancelled(), await outcome(b, "SELECT 1")

    assert play(body) == (True, [(1,)])
