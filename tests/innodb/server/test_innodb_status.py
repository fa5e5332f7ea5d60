"""SHOW ENGINE INNODB STATUS: what it says can be read as the server's is."""

import asyncio

from chatsim.db.deadlock_report.reader import find_deadlocks
from tests.engine_sessions import outcome, play


async def status(session):
    ((kind, name, text),) = await outcome(session, "SHOW ENGINE INNODB STATUS")
    assert (kind, name) == ("InnoDB", "")
    return text


async def deadlocked(engine, a, b):
    await a.run("BEGIN; UPDATE t SET a = 11 WHERE id = 1")
    await b.run("BEGIN; UPDATE t SET a = 22 WHERE id = 2; UPDATE t SET a = 33 WHERE id = 3")
    waits = asyncio.ensure_future(outcome(b, "UPDATE t SET a = 12 WHERE id = 1"))
    await asyncio.sleep(1)
    await outcome(a, "DELETE FROM t WHERE id = 2")
    await waits
    return engine.deadlock, await status(b)


def test_the_latest_deadlock_is_read_as_it_was_reported():
    reported, text = play(deadlocked)
    (found,) = find_deadlocks(text)
    assert found.victim == reported.victim
    assert [each.connection_id for each in found.participants] == [each.connection_id for each in reported.participants]
    assert [each.statement for each in found.participants] == [each.statement for each in reported.participants]
    assert [each.waits for each in found.participants] == [each.waits for each in reported.participants]
    assert [each.holds for each in found.participants] == [each.holds for each in reported.participants]
    assert [each.weight for each in found.participants] == [each.weight for each in reported.participants]


def test_without_a_deadlock_there_is_no_section_about_one():
    text = play(lambda _, a: status(a), sessions=1)
    assert "LATEST DETECTED DEADLOCK" not in text
    assert "\nTRANSACTIONS\n" in text


def test_a_transaction_is_shown_with_its_locks_and_what_it_waits_for():
    async def body(_, a, b):
        await a.run("BEGIN; UPDATE t SET a = 11 WHERE id = 1")
        waits = asyncio.ensure_future(outcome(b, "DELETE FROM t WHERE id = 1"))
        await asyncio.sleep(1)
        text = await status(a)
        await a.run("ROLLBACK")
        await waits
        return text

    text = play(body)
    assert "\n2 lock struct(s), heap size 1128, 1 row lock(s), undo log entries 1\nMySQL thread id 2," in text
    assert "\nDELETE FROM t WHERE id = 1\n------- TRX HAS BEEN WAITING 0 SEC FOR THIS LOCK TO BE GRANTED:\n" in text
    assert "index PRIMARY of table `chatsim`.`t` trx id 1006 lock_mode X locks rec but not gap waiting\n" in text
