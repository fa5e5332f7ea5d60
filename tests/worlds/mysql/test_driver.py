"""Sessions on a real server: literals, statements, transactions, errors."""

import asyncio

import pytest
from driver_sessions import SLEEP, eventually, nowait, runs
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chatsim.chat.protocol import ErrorCode
from chatsim.db.errors import (
    ConnectionLostError,
    DatabaseError,
    DeadlockError,
    DuplicateKeyError,
    LockNotAvailableError,
    LockWaitTimeoutError,
    WrongStatementError,
)
from chatsim.db.session import Isolation, Rows
from chatsim.worlds.mysql.driver import RequestCounts, literal, mogrify

VALUES = st.one_of(
    st.none(),
    st.integers(-(2**63), 2**64 - 1),
    st.text(),
    st.text(alphabet="'\"\\`?%_;-#/*\0\n\r\x1a\b\t🦆"),
    st.binary(min_size=1),
)


# literals


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=st.lists(VALUES, min_size=1, max_size=8))
async def test_what_goes_in_as_an_argument_comes_out_of_the_server(session, values):
    places = ", ".join("?" * len(values))
    (row,) = (await session.execute(f"SELECT {places}", values)).rows
    assert list(row) == values


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=st.text(alphabet="'?\\ a"), after=st.text(alphabet='"?\\ a'))
async def test_no_string_can_end_its_literal_early(session, before, after):
    rows = await session.execute("SELECT ?, '?', ?", (before, after))
    assert rows.rows == ((before, "?", after),)


def test_the_member_of_an_enumeration_is_the_number_that_it_is():
    assert literal(ErrorCode.SUCCESS) == "0"


async def test_a_float_and_a_bool_have_literals_too(session):
    rows = await session.execute("SELECT CAST(? AS DOUBLE), CAST(? AS DOUBLE), ?, ?", (0.1, 1e300, True, False))
    assert rows.rows == ((0.1, 1e300, 1, 0),)


async def test_empty_bytes_are_an_empty_string(session):
    assert (await session.execute("SELECT LENGTH(?)", (b"",))).scalar() == 0


async def test_a_question_mark_in_a_string_a_name_or_a_comment_is_no_place_for_an_argument(session):
    rows = await session.execute(
        """SELECT 'it''s ?', 'a \\' ?', "say ""?"", \\"?", ? /* ? '*/ AS `?` -- it's ?
           , ? # ? "
           , 5--?""",
        (1, 2, 3),
    )
    assert rows.rows == (("it's ?", "a ' ?", 'say "?", "?', 1, 2, 8),)


@pytest.mark.parametrize("args", [(), (1,), (1, 2, 3)])
def test_a_wrong_number_of_arguments_names_the_sql(args):
    with pytest.raises(ValueError, match=rf"{len(args)} arguments for 2 placeholders in: SELECT \?, \?"):
        mogrify("\n  SELECT ?, ?\n", args)


async def test_a_wrong_number_of_arguments_does_not_reach_the_server(session):
    with pytest.raises(ValueError, match="2 arguments for 1 placeholders in: DELETE FROM t"):
        await session.execute("DELETE FROM t WHERE id = ?", (1, 2))
    assert (await session.execute("SELECT COUNT(*) FROM t")).scalar() == 2


def test_a_type_that_has_no_literal_is_named():
    with pytest.raises(TypeError, match="no SQL literal for list"):
        literal([1])


# statements and scripts


async def test_a_statement_gives_its_rows_what_it_changed_and_the_id_it_took(session):
    assert await session.execute("SELECT id, v FROM t") == Rows(((1, 0), (2, 0)), 2)
    assert await session.execute("UPDATE t SET v = 1") == Rows((), 2)
    assert await session.execute("INSERT INTO t (v) VALUES (7), (7)") == Rows((), 2, 3)


async def test_a_script_gives_the_rows_of_each_statement(session):
    outcomes = await session.script("SELECT ?; INSERT INTO t (v) VALUES (?); SELECT LAST_INSERT_ID(), v FROM t", (1, 5))
    assert outcomes == [Rows(((1,),), 1), Rows((), 1, 3), Rows(((3, 0), (3, 0), (3, 5)), 3)]


async def test_a_script_ends_at_its_first_error(session):
    with pytest.raises(DuplicateKeyError):
        await session.script(
            "INSERT INTO t (id) VALUES (8); INSERT INTO t (id) VALUES (1); INSERT INTO t (id) VALUES (9)"
        )
    assert (await session.execute("SELECT id FROM t")).rows == ((1,), (2,), (8,))


async def test_work_counts_requests_and_the_statements_that_ended_well(pool):
    work = RequestCounts()
    async with pool(1, work) as database, database.session() as session:
        work.round_trips = work.statements = 0
        await session.execute("SELECT 1")
        assert (work.round_trips, work.statements) == (1, 1)
        await session.script("SELECT 1; SELECT 2; SELECT 3")
        assert (work.round_trips, work.statements) == (2, 4)
        with pytest.raises(DatabaseError):
            await session.script("SELECT 1; SELECT * FROM nowhere; SELECT 3")
        assert (work.round_trips, work.statements) == (3, 5)
        await session.begin(Isolation.SERIALIZABLE)
        await session.commit()
        assert (work.round_trips, work.statements) == (5, 8)


# transactions


async def test_a_session_commits_each_statement_until_it_begins(sessions):
    one, other = await sessions(2)
    await one.execute("UPDATE t SET v = 1 WHERE id = 1")
    assert (await other.execute("SELECT v FROM t WHERE id = 1")).scalar() == 1
    await one.begin()
    await one.execute("UPDATE t SET v = 2 WHERE id = 1")
    assert (await other.execute("SELECT v FROM t WHERE id = 1")).scalar() == 1
    await one.commit()
    assert (await other.execute("SELECT v FROM t WHERE id = 1")).scalar() == 2


async def test_a_session_says_whether_a_transaction_is_open(session):
    assert not session.in_transaction
    await session.begin()
    assert session.in_transaction
    await session.execute("UPDATE t SET v = 1")
    assert session.in_transaction
    await session.commit()
    assert not session.in_transaction
    await session.begin(Isolation.READ_COMMITTED)
    assert session.in_transaction
    await session.rollback()
    assert not session.in_transaction
    await session.script("BEGIN; INSERT INTO t (v) VALUES (1)")
    assert session.in_transaction
    await session.execute("CREATE TABLE ends_it (id INT)")
    assert not session.in_transaction
    await session.rollback()
    assert not session.in_transaction


@pytest.mark.parametrize(
    ("isolation", "seen"),
    [(Isolation.READ_UNCOMMITTED, [5, 5]), (Isolation.READ_COMMITTED, [0, 5]), (Isolation.REPEATABLE_READ, [0, 0])],
)
async def test_begin_can_name_an_isolation_level_for_that_transaction_alone(sessions, isolation, seen):
    reader, writer = await sessions(2)
    read = "SELECT v FROM t WHERE id = 1"
    await reader.begin(isolation)
    assert (await reader.execute(read)).scalar() == 0
    await writer.begin()
    await writer.execute("UPDATE t SET v = 5 WHERE id = 1")
    dirty = (await reader.execute(read)).scalar()
    await writer.commit()
    assert [dirty, (await reader.execute(read)).scalar()] == seen
    await reader.commit()
    assert (await reader.execute("SELECT @@transaction_isolation")).rows == (("REPEATABLE-READ",),)


# errors


async def test_1213_is_a_deadlock_and_takes_the_whole_transaction(sessions):
    both = await sessions(2)
    for row, session in enumerate(both, start=1):
        await session.begin()
        await session.execute("UPDATE t SET v = ? WHERE id = ?", (row, row))
    cross = "UPDATE t SET v = v + 10 WHERE id = ?"
    outcomes = await asyncio.gather(both[0].execute(cross, (2,)), both[1].execute(cross, (1,)), return_exceptions=True)
    (victim,) = [index for index, outcome in enumerate(outcomes) if isinstance(outcome, DeadlockError)]
    assert outcomes[victim].errno == 1213
    assert outcomes[1 - victim] == Rows((), 1)
    assert await both[victim].execute("SELECT COUNT(*) FROM t WHERE v = ?", (victim + 1,)) == Rows(((0,),), 1)
    await both[1 - victim].commit()


async def test_1205_is_a_lock_wait_timeout_and_leaves_the_transaction_open(sessions):
    holder, waiter, third = await sessions(3)
    await holder.begin()
    await holder.execute("UPDATE t SET v = 1 WHERE id = 1")
    await waiter.execute("SET SESSION innodb_lock_wait_timeout = 1")
    await waiter.begin()
    await waiter.execute("UPDATE t SET v = 2 WHERE id = 2")
    with pytest.raises(LockWaitTimeoutError) as error:
        await waiter.execute("UPDATE t SET v = 2 WHERE id = 1")
    assert error.value.errno == 1205
    assert waiter.in_transaction
    assert not await nowait(third, 2), "the lock that it had before is gone"
    await holder.rollback()
    await waiter.commit()
    assert (await third.execute("SELECT v FROM t")).rows == ((0,), (2,))


async def test_1062_is_a_duplicate_key_and_leaves_the_transaction_open(session):
    await session.begin()
    await session.execute("INSERT INTO t (id) VALUES (3)")
    with pytest.raises(DuplicateKeyError, match=r"1062 \(duplicate key\): Duplicate entry '1'"):
        await session.execute("INSERT INTO t (id) VALUES (1)")
    assert session.in_transaction
    await session.commit()
    assert (await session.execute("SELECT COUNT(*) FROM t")).scalar() == 3


async def test_3572_is_a_lock_that_is_not_available(sessions):
    holder, other = await sessions(2)
    await holder.begin()
    await holder.execute("UPDATE t SET v = 1 WHERE id = 1")
    with pytest.raises(LockNotAvailableError) as error:
        await other.execute("SELECT * FROM t WHERE id = 1 FOR UPDATE NOWAIT")
    assert error.value.errno == 3572


async def test_an_error_without_a_class_of_its_own_keeps_its_number(session):
    with pytest.raises(DatabaseError, match="1242") as error:
        await session.execute("SELECT (SELECT 1 UNION SELECT 2)")
    assert (type(error.value), error.value.errno) == (DatabaseError, 1242)


async def test_an_error_has_the_statement_without_its_arguments(session):
    with pytest.raises(WrongStatementError, match="1146") as error:
        await session.execute("SELECT * FROM nowhere WHERE a = ?", (1,))
    assert error.value.statement == "SELECT * FROM nowhere WHERE a = ?"


async def test_a_connection_killed_while_it_runs_a_statement_is_lost(sessions):
    victim, other = await sessions(2)
    running = asyncio.create_task(victim.execute(SLEEP))
    await runs(other, victim.connection_id)
    await other.execute(f"KILL {victim.connection_id}")
    with pytest.raises(ConnectionLostError):
        await running
    with pytest.raises(ConnectionLostError):
        await victim.execute("SELECT 1")


async def test_a_commit_on_a_killed_connection_is_lost_and_its_changes_are_not_made(sessions):
    victim, other = await sessions(2)
    await victim.begin()
    await victim.execute("UPDATE t SET v = 1 WHERE id = 1")
    await other.execute(f"KILL {victim.connection_id}")
    with pytest.raises(ConnectionLostError):
        await victim.commit()
    await eventually(lambda: nowait(other, 1))
    assert (await other.execute("SELECT v FROM t WHERE id = 1")).scalar() == 0
