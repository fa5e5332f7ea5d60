"""SHOW STATUS: what the model counts has its value, and what it does not count is refused by its name."""

import asyncio

import pytest

from tests.engine_sessions import alone, outcome, play


async def waited(_, a, b):
    await a.run("BEGIN; UPDATE t SET a = 11 WHERE id = 1")
    waits = asyncio.ensure_future(outcome(b, "UPDATE t SET a = 12 WHERE id = 1"))
    await asyncio.sleep(2)
    while_it_waits = dict(await outcome(a, "SHOW GLOBAL STATUS LIKE 'Innodb_row_lock%'"))
    running = await outcome(a, "SHOW STATUS WHERE Variable_name IN ('threads_running', 'threads_connected')")
    await a.run("COMMIT")
    await waits
    return while_it_waits, dict(running), dict(await outcome(a, "SHOW STATUS LIKE 'innodb\\_row\\_lock%'"))


def test_a_wait_for_a_row_lock_is_counted_and_measured():
    before, _, after = play(waited)
    assert before == {
        "Innodb_row_lock_current_waits": "1",
        "Innodb_row_lock_time": "0",
        "Innodb_row_lock_time_avg": "0",
        "Innodb_row_lock_time_max": "0",
        "Innodb_row_lock_waits": "1",
    }
    assert after == {
        "Innodb_row_lock_current_waits": "0",
        "Innodb_row_lock_time": "2000",
        "Innodb_row_lock_time_avg": "2000",
        "Innodb_row_lock_time_max": "2000",
        "Innodb_row_lock_waits": "1",
    }


def test_a_session_that_waits_runs():
    _, running, _ = play(waited)
    assert running == {"Threads_connected": "3", "Threads_running": "2"}  # one session has made the table


@pytest.mark.parametrize(
    ("sql", "named"),
    [
        ("SHOW STATUS", "Aborted_clients"),
        ("SHOW STATUS LIKE 'Handler_read%'", "Handler_read_first"),
        ("SHOW STATUS WHERE Variable_name = 'questions'", "Questions"),
    ],
)
def test_what_is_not_counted_is_refused_by_its_name(sql, named):
    assert alone(sql) == [f"the model's SQL has no SHOW STATUS of {named}, which it does not count"]


def test_a_name_that_the_server_does_not_have_gives_no_row():
    assert alone("SHOW STATUS LIKE 'nothing%'") == [[]]
