"""What a search locks on its way, and what it reads of rows that others have locked (MySQL manual, InnoDB Locking)."""

import asyncio
from contextlib import nullcontext

import pytest

from chatsim.db.errors import DatabaseError
from chatsim.db.session import Isolation
from chatsim.innodb.server.engine import Engine
from chatsim.innodb.server.session import EngineSession
from chatsim.simulation.loop import current_loop, run

RR, RC = Isolation.REPEATABLE_READ, Isolation.READ_COMMITTED
TABLE = "CREATE TABLE t (id INT PRIMARY KEY, u INT, k INT, v INT, UNIQUE KEY u (u), KEY k (k))"
ROWS = "INSERT INTO t VALUES (10, 100, 1, 0), (20, 200, 1, 0), (30, 300, 5, 0)"
WORDS = {"X": "next-key", "X,REC_NOT_GAP": "record", "X,GAP": "gap"}
END = {"supremum pseudo-record": "end"}


def there(body, rows=ROWS):
    """Run a test with an engine that has the table, in virtual time; gives what the test gives."""

    async def main():
        engine = Engine(current_loop().time, purges=False)
        admin = EngineSession(engine)
        for sql in (TABLE, rows):
            await admin.run(sql)
        engine.purge()
        return await body(engine, admin)

    return run(main())


def told(engine, session):
    """A session's locks on records: the index unless it is the primary key, what of it, the key's first column.

    What is locked for sharing only has an S before it, what is waited for a question mark behind it.
    """
    found = set()
    for lock in engine.data_locks():
        if lock.session == session.connection_id and lock.index is not None:
            place = "" if lock.index == "PRIMARY" else f"{lock.index} "
            shared = "S " if lock.mode[0] == "S" else ""
            words = WORDS["X" + lock.mode[1:]]
            waits = "" if lock.granted else "?"
            found.add(f"{shared}{place}{words} {END.get(lock.data, lock.data.split(',')[0])}{waits}")
    return found


async def opened(engine, level=RR):
    session = EngineSession(engine)
    session.isolation = level
    await session.run("BEGIN")
    return session


def locked(*statements, level=RR, before=(), kept=False):
    """What a transaction has locked after some statements; the deleted rows of before are still there if kept."""

    async def body(engine, admin):
        if kept:
            await (await opened(engine)).run("SELECT * FROM t")
        for sql in before:
            await admin.run(sql)
        engine.purge()
        session = await opened(engine, level)
        for sql in statements:
            await session.run(sql)
        return told(engine, session)

    return there(body)


async def waiting(session, sql):
    """A statement that has come to where it waits."""
    task = asyncio.create_task(session.run(sql))
    await asyncio.sleep(0.001)
    assert not task.done()
    return task


# --- repeatable read, the primary key


@pytest.mark.parametrize(
    ("where", "locks"),
    [
        ("id = 20", {"record 20"}),
        ("id = 25", {"gap 30"}),
        ("id = 5", {"gap 10"}),
        ("id = 35", {"next-key end"}),
        ("id IN (10, 30)", {"record 10", "record 30"}),
        ("id >= 20", {"record 20", "next-key 30", "next-key end"}),
        ("id > 20", {"next-key 30", "next-key end"}),
        ("id > 15", {"next-key 20", "next-key 30", "next-key end"}),
        ("id > 30", {"next-key end"}),
        ("id < 20", {"next-key 10", "gap 20"}),
        ("id < 25", {"next-key 10", "next-key 20", "gap 30"}),
        ("id <= 20", {"next-key 10", "next-key 20"}),
        ("id <= 30", {"next-key 10", "next-key 20", "next-key 30", "next-key end"}),
        ("id < 10", {"gap 10"}),
        ("id BETWEEN 10 AND 20", {"record 10", "next-key 20"}),
        ("id BETWEEN 12 AND 18", {"gap 20"}),
        ("id BETWEEN 20 AND 20", {"record 20"}),
        ("v = 7", {"next-key 10", "next-key 20", "next-key 30", "next-key end"}),
    ],
)
def test_of_the_primary_key_a_search_locks_what_it_meets_and_the_gaps_between(where, locks):
    assert locked(f"SELECT * FROM t FORCE INDEX (PRIMARY) WHERE {where} FOR UPDATE") == locks


@pytest.mark.parametrize(
    ("where", "locks"),
    [
        ("id <= 20", {"gap 30", "next-key 20", "next-key 10"}),
        ("id < 20", {"gap 20", "next-key 10"}),
        ("id >= 20", {"next-key end", "next-key 30", "next-key 20", "next-key 10"}),
        ("id > 30", {"next-key end", "next-key 30"}),
        ("id BETWEEN 15 AND 25", {"gap 30", "next-key 20", "next-key 10"}),
    ],
)
def test_downwards_it_locks_the_gap_above_and_the_record_at_which_it_stops(where, locks):
    assert locked(f"SELECT * FROM t FORCE INDEX (PRIMARY) WHERE {where} ORDER BY id DESC FOR UPDATE") == locks


@pytest.mark.parametrize(("order", "locks"), [("", {"record 10"}), ("DESC", {"next-key end", "next-key 30"})])
def test_a_limit_ends_the_locking_at_the_last_row_read(order, locks):
    sql = f"SELECT * FROM t FORCE INDEX (PRIMARY) WHERE id >= 10 ORDER BY id {order} LIMIT 1 FOR UPDATE"
    assert locked(sql) == locks


def test_of_an_empty_table_its_end_is_locked():
    assert locked("SELECT * FROM t FOR UPDATE", before=["DELETE FROM t"]) == {"next-key end"}


# --- repeatable read, other indexes


@pytest.mark.parametrize(
    ("where", "locks"),
    [
        ("u = 200", {"u record 200", "record 20"}),
        ("u = 250", {"u gap 300"}),
        ("u = 350", {"u next-key end"}),
        ("u < 200", {"u next-key 100", "u next-key 200", "record 10"}),
        ("u <= 100", {"u next-key 100", "u next-key 200", "record 10"}),
        ("u >= 300", {"u next-key 300", "u next-key end", "record 30"}),
        (
            "u BETWEEN 100 AND 200",
            {"u next-key 100", "u next-key 200", "u next-key 300", "record 10", "record 20"},
        ),
        ("u IS NULL", {"u gap 100"}),
        ("k = 1", {"k next-key 1", "k gap 5", "record 10", "record 20"}),
        ("k = 3", {"k gap 5"}),
        ("k = 5", {"k next-key 5", "k next-key end", "record 30"}),
        ("k > 1", {"k next-key 5", "k next-key end", "record 30"}),
        ("k < 5", {"k next-key 1", "k next-key 5", "record 10", "record 20"}),
    ],
)
def test_of_another_index_entries_are_locked_with_their_gaps_and_rows_without(where, locks):
    index = where[0]
    assert locked(f"SELECT * FROM t FORCE INDEX ({index}) WHERE {where} FOR UPDATE") == locks


def test_what_several_nulls_have_in_common_does_not_make_them_unique():
    null = "INSERT INTO t VALUES (40, NULL, 9, 0), (50, NULL, 9, 0)"
    locks = locked("SELECT * FROM t FORCE INDEX (u) WHERE u IS NULL FOR UPDATE", before=[null])
    assert locks == {"u next-key NULL", "u gap 100", "record 40", "record 50"}


def test_an_index_that_has_all_that_is_read_is_enough_for_sharing_and_never_for_an_update():
    sql = "SELECT k FROM t FORCE INDEX (k) WHERE k = 3 OR k = 5 ORDER BY k"
    covering = "SELECT k, id FROM t FORCE INDEX (k) WHERE k = 5"
    assert locked(f"{covering} FOR SHARE") == {"S k next-key 5", "S k next-key end"}
    assert locked(f"{covering} FOR UPDATE") == {"k next-key 5", "k next-key end", "record 30"}
    assert "record 30" in locked(f"{sql} FOR UPDATE")
    more = "SELECT k, v FROM t FORCE INDEX (k) WHERE k = 5 FOR SHARE"
    assert locked(more) == {"S k next-key 5", "S k next-key end", "S record 30"}


def test_update_and_delete_lock_as_they_search():
    assert locked("UPDATE t SET v = 1 WHERE k = 5") == {"k next-key 5", "k next-key end", "record 30"}
    assert locked("DELETE FROM t WHERE id >= 20") == {"record 20", "next-key 30", "next-key end"}


def test_a_plain_read_locks_nothing():
    assert locked("SELECT * FROM t", "SELECT * FROM t WHERE id = 20", "SELECT * FROM t WHERE k = 1") == set()


# --- deleted records that are still there


def test_a_search_locks_a_deleted_record_that_has_not_been_purged():
    by_id = "SELECT * FROM t WHERE id = 20 FOR UPDATE"
    by_u = "SELECT * FROM t WHERE u = 200 FOR UPDATE"
    gone = ["DELETE FROM t WHERE id = 20"]
    assert locked(by_id, before=gone) == {"gap 30"}
    assert locked(by_u, before=gone) == {"u gap 300"}
    assert locked(by_id, before=gone, kept=True) == {"record 20"}
    assert locked(by_u, before=gone, kept=True) == {"u next-key 200", "u gap 300"}


def test_a_deleted_record_in_a_range_is_locked_and_not_read():
    async def body(engine, admin):
        await (await opened(engine)).run("SELECT * FROM t")
        await admin.run("DELETE FROM t WHERE id = 20")
        session = await opened(engine)
        (answer,) = await session.run("SELECT id, v FROM t WHERE id > 10 FOR UPDATE")
        return answer.rows, told(engine, session)

    assert there(body) == ([(30, 0)], {"next-key 20", "next-key 30", "next-key end"})


def test_at_read_committed_a_deleted_record_is_let_go_again():
    assert locked("SELECT * FROM t FOR UPDATE", before=["DELETE FROM t WHERE id < 30"], kept=True, level=RC) == {
        "record 30"
    }


# --- read committed


@pytest.mark.parametrize(
    ("sql", "locks"),
    [
        ("SELECT * FROM t WHERE id = 20 FOR UPDATE", {"record 20"}),
        ("SELECT * FROM t WHERE id = 25 FOR UPDATE", set()),
        ("SELECT * FROM t WHERE id >= 20 FOR UPDATE", {"record 20", "record 30"}),
        ("SELECT * FROM t FORCE INDEX (PRIMARY) WHERE id < 25 ORDER BY id DESC FOR UPDATE", {"record 10", "record 20"}),
        ("SELECT * FROM t FORCE INDEX (k) WHERE k = 1 FOR UPDATE", {"k record 1", "record 10", "record 20"}),
        ("SELECT * FROM t FORCE INDEX (k) WHERE k = 1 AND v = 9 FOR UPDATE", set()),
        ("SELECT * FROM t WHERE v = 9 FOR UPDATE", set()),
        ("UPDATE t SET v = 1 WHERE v = 9", set()),
        ("DELETE FROM t WHERE k = 1 AND id > 10", {"k record 1", "record 20"}),
    ],
)
def test_at_read_committed_only_rows_that_match_are_kept_locked_and_no_gaps(sql, locks):
    assert locked(sql, level=RC) == locks


def test_a_row_that_one_had_locked_before_is_not_let_go():
    assert locked("SELECT * FROM t WHERE id = 10 FOR UPDATE", "UPDATE t SET v = 1 WHERE v = 9", level=RC) == {
        "record 10"
    }


def holding(level, what="UPDATE t SET v = 5 WHERE id = 20"):
    """Run a test beside a transaction that has locked a row."""

    def decorate(body):
        async def main(engine, admin):
            holder = await opened(engine)
            await holder.run(what)
            return await body(engine, holder, await opened(engine, level))

        return there(main)

    return decorate


def test_an_update_at_read_committed_passes_a_locked_row_that_did_not_match_when_it_was_last_committed():
    @holding(RC)
    async def _(engine, holder, session):
        (answer,) = await session.run("UPDATE t SET v = 1 WHERE v = 5")
        assert answer.affected == 0
        assert told(engine, session) == set()


def test_it_waits_for_a_locked_row_that_did_match_and_looks_at_it_again():
    @holding(RC)
    async def _(engine, holder, session):
        task = await waiting(session, "UPDATE t SET v = 1 WHERE v = 0")
        assert told(engine, session) == {"record 10", "record 20?"}
        await holder.run("COMMIT")
        (answer,) = await task
        assert answer.affected == 2


@pytest.mark.parametrize(
    ("level", "sql"),
    [
        (RR, "UPDATE t SET v = 1 WHERE v = 5"),
        (RC, "DELETE FROM t WHERE v = 5"),
        (RC, "SELECT * FROM t WHERE v = 5 FOR UPDATE"),
        (RC, "UPDATE t SET v = 1 WHERE id = 20 AND v = 5"),
        (RC, "UPDATE t SET v = 1 WHERE k = 1 AND v = 5"),
    ],
)
def test_everybody_else_waits_for_a_locked_row_whatever_it_was(level, sql):
    @holding(level)
    async def _(engine, holder, session):
        task = await waiting(session, sql)
        await holder.run("ROLLBACK")
        (answer,) = await task
        assert (answer.affected, answer.rows or []) == (0, [])


# --- NOWAIT, SKIP LOCKED


@pytest.mark.parametrize("level", [RR, RC])
def test_skip_locked_reads_what_others_have_not_locked(level):
    @holding(level)
    async def _(engine, holder, session):
        (answer,) = await session.run("SELECT id, v FROM t FOR UPDATE SKIP LOCKED")
        assert answer.rows == [(10, 0), (30, 0)]
        assert not {"record 20", "next-key 20"} & told(engine, session)


def test_nowait_is_an_error_that_leaves_what_was_locked_before():
    @holding(RR)
    async def _(engine, holder, session):
        with pytest.raises(DatabaseError, match="NOWAIT is set") as caught:
            await session.run("SELECT * FROM t FOR UPDATE NOWAIT")
        assert caught.value.errno == 3572
        assert told(engine, session) == {"next-key 10"}
        assert session.in_transaction


@pytest.mark.parametrize("how", ["NOWAIT", "SKIP LOCKED"])
def test_by_another_index_the_entry_stays_locked_though_its_row_could_not_be(how):
    @holding(RR)
    async def _(engine, holder, session):
        with nullcontext() if how == "SKIP LOCKED" else pytest.raises(DatabaseError, match="NOWAIT is set"):
            (answer,) = await session.run(f"SELECT v FROM t FORCE INDEX (u) WHERE u = 200 FOR UPDATE {how}")
            assert answer.rows == []
        assert told(engine, session) == ({"u record 200", "u gap 300"} if how == "SKIP LOCKED" else {"u record 200"})


def test_skip_locked_passes_a_row_that_was_inserted_and_not_committed():
    @holding(RC, "INSERT INTO t VALUES (15, 150, 2, 0)")
    async def _(engine, holder, session):
        (answer,) = await session.run("SELECT id FROM t FOR SHARE SKIP LOCKED")
        assert answer.rows == [(10,), (20,), (30,)]


# --- going on after a wait


def test_a_search_goes_on_from_where_it_waited_though_the_record_is_gone():
    async def body(engine, admin):
        holder, session = await opened(engine), await opened(engine, RC)
        await holder.run("INSERT INTO t VALUES (15, 150, 2, 0), (25, 250, 2, 0)")
        task = await waiting(session, "SELECT id FROM t FOR UPDATE")
        await holder.run("ROLLBACK")
        (answer,) = await task
        assert answer.rows == [(10,), (20,), (30,)]
        task = await waiting(admin, "UPDATE t SET v = 9 WHERE id < 99 ORDER BY id DESC")
        await session.run("ROLLBACK")
        (answer,) = await task
        assert answer.affected == 3

    there(body)


def test_a_row_that_has_changed_under_a_search_that_waited_is_read_as_it_is_now():
    @holding(RR, "UPDATE t SET id = 21, v = 7 WHERE id = 20")
    async def _(engine, holder, session):
        task = await waiting(session, "SELECT id, v FROM t FOR UPDATE")
        await holder.run("COMMIT")
        (answer,) = await task
        assert answer.rows == [(10, 0), (21, 7), (30, 0)]


def test_a_search_that_waits_too_long_keeps_what_it_has_and_can_be_made_again():
    @holding(RR)
    async def _(engine, holder, session):
        session.lock_wait_timeout = 3
        with pytest.raises(DatabaseError, match="Lock wait timeout exceeded") as caught:
            await session.run("SELECT * FROM t FOR UPDATE")
        assert (caught.value.errno, asyncio.get_running_loop().time()) == (1205, 3)
        assert told(engine, session) == {"next-key 10"}
        await holder.run("COMMIT")
        await session.run("SELECT * FROM t FOR UPDATE")
        assert told(engine, session) == {"next-key 10", "next-key 20", "next-key 30", "next-key end"}


def test_a_cancelled_search_leaves_no_lock_and_no_transaction():
    @holding(RR)
    async def _(engine, holder, session):
        task = await waiting(session, "SELECT id FROM t FOR UPDATE")
        task.cancel()
        await asyncio.wait([task])
        assert (task.cancelled(), session.trx, told(engine, session)) == (True, None, set())
        assert engine.locks.waits.waiting == {}


# --- between two records


class Between:
    """Runs statements of other sessions, and the purge, between the records that the statements of one session meet."""

    def __init__(self, engine, *statements):
        self._engine = engine
        self._statements = list(statements)
        self._other = EngineSession(engine)
        self.pauses = 0
        engine.after_record = self

    async def __call__(self):
        self._engine.after_record = None  # the others are not interrupted
        self.pauses += 1
        if self._statements:
            await self._other.run(self._statements.pop(0))
            self._engine.purge()
        self._engine.after_record = self


def between(statement, *others, level=RR, rows=ROWS):
    """The rows of a statement, when other statements run after its records, one after each; and how many pauses."""

    async def body(engine, admin):
        session = EngineSession(engine)
        session.isolation = level
        pause = Between(engine, *others)
        (answer,) = await session.run(statement)
        return [row[0] for row in answer.rows], pause.pauses

    return there(body, rows)


def test_a_statement_is_not_interrupted_unless_it_is_asked_for():
    async def body(engine, admin):
        return engine.after_record

    assert there(body) is None


def test_a_statement_can_be_interrupted_after_each_record_that_it_meets():
    assert between("SELECT id FROM t") == ([10, 20, 30], 3)
    assert between("SELECT id FROM t WHERE v = 1") == ([], 3)
    assert between("SELECT id FROM t ORDER BY id DESC") == ([30, 20, 10], 3)
    assert between("SELECT id FROM t WHERE id < 20 FOR UPDATE") == ([10], 1)


@pytest.mark.parametrize("order", ["", " ORDER BY id DESC"])
def test_a_consistent_read_sees_its_snapshot_whatever_runs_between_its_records(order):
    changes = (
        "DELETE FROM t WHERE id >= 20",
        "INSERT INTO t VALUES (15, 1, 1, 1), (25, 2, 2, 2)",
        "UPDATE t SET v = 9",
    )
    found, _ = between(f"SELECT id FROM t{order}", *changes)
    assert sorted(found) == [10, 20, 30]


def test_a_locking_read_goes_on_from_a_record_that_was_purged_meanwhile():
    rows = "INSERT INTO t VALUES (10, 1, 1, 0), (20, 2, 1, 0), (30, 3, 1, 0), (40, 4, 1, 0)"
    read = "SELECT id FROM t WHERE v = {} FOR UPDATE"  # at READ COMMITTED a row that does not match is let go again
    assert between(read.format(0), "DELETE FROM t WHERE id = 20", level=RC, rows=rows)[0] == [10, 30, 40]
    assert between(read.format(1), "DELETE FROM t WHERE id = 10", level=RC, rows=rows) == ([], 4)
    again = ("DELETE FROM t WHERE id = 10", "INSERT INTO t VALUES (10, 1, 1, 1), (5, 5, 1, 1), (35, 6, 1, 1)")
    assert between(read.format(1), *again, level=RC, rows=rows)[0] == [35]


def test_a_scan_goes_on_behind_a_record_that_is_there_again():
    """The row at which it stood was deleted, purged and inserted anew: it is not met twice."""

    again = "DELETE FROM t WHERE id = 10; INSERT INTO t VALUES (10, 7, 1, 1)"
    assert between("SELECT id FROM t WHERE v = 1 FOR UPDATE", again, level=RC)[0] == []
    back = "DELETE FROM t WHERE id = 30; INSERT INTO t VALUES (30, 7, 1, 1)"
    assert between("SELECT id FROM t WHERE v = 1 ORDER BY id DESC FOR UPDATE", back, level=RC)[0] == []


def test_a_scan_goes_on_where_it_was_when_its_page_is_split_or_merged_meanwhile():
    async def body(engine, admin):
        await admin.run("CREATE TABLE w (id INT PRIMARY KEY, c VARCHAR(2000) NOT NULL, d VARCHAR(2000) NOT NULL)")
        text = "x" * 900
        await admin.run("INSERT INTO w VALUES " + ", ".join(f"({each}, '', '{text}')" for each in range(1, 41)))
        for changes in (
            [f"UPDATE w SET c = d WHERE id = {each}" for each in range(1, 41)],
            [f"UPDATE w SET c = '', d = '' WHERE id = {each}" for each in range(40, 0, -1)],
        ):
            Between(engine, *changes)
            (answer,) = await EngineSession(engine).run("SELECT id FROM w")
            assert [row[0] for row in answer.rows] == list(range(1, 41))
            engine.after_record = None
        assert len(engine.table("w").clustered.pages) == 1

    there(body)
