"""What a reader sees: the moment of its view, what it did itself, and nothing that is not committed."""

import asyncio
import random

import pytest

from chatsim.db.errors import DatabaseError
from chatsim.db.session import Isolation
from chatsim.innodb.server.engine import Engine
from chatsim.innodb.server.session import EngineSession
from chatsim.innodb.storage.dictionary import IndexDefinition
from chatsim.innodb.storage.mvcc import visible
from chatsim.innodb.storage.purge import History
from chatsim.innodb.storage.structures import Index, ReadView, Transaction, Version
from chatsim.simulation.loop import current_loop, run

TABLE = "CREATE TABLE t (id INT PRIMARY KEY, k INT, v VARCHAR(9), KEY by_k (k))"
ROWS = "INSERT INTO t VALUES (1, 10, 'one'), (2, 20, 'two'), (3, 30, 'three')"


def transaction(session=1, serial=None):
    trx = Transaction(session, Isolation.REPEATABLE_READ)
    if serial is not None:
        trx.active, trx.serial = False, serial
    return trx


def record(*versions):
    """A clustered record; of its versions, each a row (None: deleted) and its writer, the newest comes first."""
    made = Index(IndexDefinition("PRIMARY", (0,), unique=True, clustered=True, place=(0,))).insert((1,), (), None)
    older = None
    for row, writer in reversed(versions[1:]):
        older = Version(row or ("gone",), writer, row is None, older)
    row, made.writer = versions[0]
    made.row, made.deleted, made.older = row or ("gone",), row is None, older
    return made


def there(body):
    """Run a test with an engine that has the table, in virtual time."""

    async def main():
        engine = Engine(current_loop().time, purges=False)
        admin = EngineSession(engine)
        for sql in (TABLE, ROWS):
            await admin.run(sql)
        engine.purge()
        await body(engine, admin)

    run(main())


async def read(session, sql="SELECT * FROM t ORDER BY id"):
    (answer,) = await session.run(sql)
    return answer.rows


async def values(session, sql="SELECT v FROM t ORDER BY id"):
    return [value for (value,) in await read(session, sql)]


# --- views and versions


def test_a_view_sees_what_was_committed_up_to_its_moment_and_what_its_owner_does():
    owner = transaction()
    view = ReadView(owner, committed=5)
    assert view.sees(None)
    assert view.sees(owner)
    assert view.sees(transaction(serial=5))
    assert not view.sees(transaction(serial=6))
    assert not view.sees(transaction())


def test_of_several_versions_the_newest_that_the_view_sees_is_read():
    late, middle, early = transaction(serial=9), transaction(serial=5), transaction(serial=2)
    row = record((("c",), transaction()), (("b",), late), (None, middle), (("a",), early), (("0",), None))
    assert [visible(row, ReadView(transaction(), at)) for at in (9, 5, 2, 1, 0)] == [
        *(("b",), None, ("a",), ("0",), ("0",))
    ]


def test_a_row_that_came_after_the_view_is_not_there():
    assert visible(record((("a",), transaction(serial=3))), ReadView(transaction(), 2)) is None


def test_without_a_view_the_newest_is_read_committed_or_not():
    assert visible(record((("b",), transaction()), (("a",), None)), None) == ("b",)
    assert visible(record((None, transaction()), (("a",), None)), None) is None


def test_a_view_is_open_until_it_is_closed():
    history = History()
    view = history.open_view(transaction())
    assert list(history.views) == [view]
    history.close_view(view)
    assert not history.views


def test_commits_are_numbered_in_their_order():
    history = History()
    first, second = transaction(), transaction()
    history.commit(second)
    history.commit(first)
    assert (second.serial, first.serial, history.committed) == (1, 2, 2)


# --- isolation levels


def test_a_repeatable_read_begins_with_the_first_plain_read_not_with_the_transaction():
    async def body(engine, admin):
        reader = EngineSession(engine)
        await reader.run("BEGIN")
        await admin.run("UPDATE t SET v = 'before' WHERE id = 1")
        assert (await values(reader))[0] == "before"
        await admin.run("UPDATE t SET v = 'after' WHERE id = 1")
        assert (await values(reader))[0] == "before"
        await reader.run("COMMIT")
        assert (await values(reader))[0] == "after"

    there(body)


def test_with_consistent_snapshot_it_begins_at_once():
    async def body(engine, admin):
        reader = EngineSession(engine)
        await reader.run("START TRANSACTION WITH CONSISTENT SNAPSHOT")
        await admin.run("UPDATE t SET v = 'late'")
        assert await values(reader) == ["one", "two", "three"]

    there(body)


def test_a_snapshot_at_another_level_is_ignored_with_a_warning():
    async def body(engine, admin):
        reader = EngineSession(engine)
        reader.isolation = Isolation.READ_COMMITTED
        (answer,) = await reader.run("START TRANSACTION WITH CONSISTENT SNAPSHOT")
        assert [number for number, _ in answer.warnings] == [138]
        await admin.run("UPDATE t SET v = 'late'")
        assert await values(reader) == ["late"] * 3

    there(body)


def test_at_read_committed_each_statement_has_a_view_of_its_own():
    async def body(engine, admin):
        reader = EngineSession(engine)
        reader.isolation = Isolation.READ_COMMITTED
        await reader.run("BEGIN")
        assert (await values(reader))[0] == "one"
        await admin.run("UPDATE t SET v = 'uno' WHERE id = 1")
        assert (await values(reader))[0] == "uno"
        assert not engine.history.views

    there(body)


@pytest.mark.parametrize(("level", "seen"), [("READ UNCOMMITTED", "dirty"), ("READ COMMITTED", "one")])
def test_what_is_not_committed_is_seen_at_read_uncommitted_only(level, seen):
    async def body(engine, admin):
        reader, writer = EngineSession(engine), EngineSession(engine)
        reader.isolation = Isolation(level)
        await writer.run("BEGIN")
        await writer.run("UPDATE t SET v = 'dirty', k = 11 WHERE id = 1")
        assert (await values(reader))[0] == seen
        assert await values(reader, "SELECT v FROM t FORCE INDEX (by_k) WHERE k = 11") == ["dirty"] * (seen == "dirty")
        await writer.run("ROLLBACK")
        assert (await values(reader))[0] == "one"

    there(body)


def test_one_sees_what_one_does_also_in_a_row_that_has_changed_since_ones_view():
    async def body(engine, admin):
        reader = EngineSession(engine)
        await reader.run("BEGIN")
        assert (await values(reader))[0] == "one"
        await admin.run("UPDATE t SET v = 'theirs' WHERE id < 3")
        await reader.run("UPDATE t SET k = k + 1 WHERE id = 1")
        await reader.run("INSERT INTO t VALUES (4, 40, 'four')")
        assert await values(reader) == ["theirs", "two", "three", "four"]
        await reader.run("DELETE FROM t WHERE id = 2")
        assert await values(reader) == ["theirs", "three", "four"]

    there(body)


@pytest.mark.parametrize("how", ["FOR UPDATE", "FOR SHARE"])
def test_a_locking_read_sees_the_newest_committed_row_whatever_the_view(how):
    async def body(engine, admin):
        reader = EngineSession(engine)
        await reader.run("BEGIN")
        await values(reader)
        await admin.run("UPDATE t SET v = 'new' WHERE id = 2")
        await admin.run("DELETE FROM t WHERE id = 3")
        assert await values(reader, f"SELECT v FROM t ORDER BY id {how}") == ["one", "new"]
        assert await values(reader) == ["one", "two", "three"]

    there(body)


@pytest.mark.parametrize(("inside", "locks"), [(True, {"IS", "S"}), (False, set())])
def test_a_plain_read_at_serializable_locks_inside_a_transaction_only(inside, locks):
    async def body(engine, admin):
        reader = EngineSession(engine)
        reader.isolation = Isolation.SERIALIZABLE
        if inside:
            await reader.run("BEGIN")
        await values(reader)
        assert {lock.mode for lock in engine.data_locks()} == locks

    there(body)


def test_set_transaction_holds_for_the_next_transaction_only():
    async def body(engine, admin):
        session = EngineSession(engine)
        await session.run("SET TRANSACTION ISOLATION LEVEL READ COMMITTED; BEGIN; SELECT * FROM t")
        assert session.trx.isolation is Isolation.READ_COMMITTED
        await session.run("COMMIT; BEGIN; SELECT * FROM t")
        assert session.trx.isolation is Isolation.REPEATABLE_READ

    there(body)


# --- an index leads to the version that was in it


def test_an_old_view_finds_a_row_under_its_old_key_and_not_under_the_new_one():
    async def body(engine, admin):
        reader = EngineSession(engine)
        await reader.run("START TRANSACTION WITH CONSISTENT SNAPSHOT")
        await admin.run("UPDATE t SET k = 99 WHERE id = 1")
        await admin.run("DELETE FROM t WHERE id = 2")
        await admin.run("INSERT INTO t VALUES (4, 40, 'four')")
        by_k = "SELECT id, k FROM t FORCE INDEX (by_k) WHERE k > 0 ORDER BY k"
        assert await read(reader, by_k) == [(1, 10), (2, 20), (3, 30)]
        assert await read(reader, by_k + " DESC") == [(3, 30), (2, 20), (1, 10)]
        assert await read(admin, by_k) == [(3, 30), (4, 40), (1, 99)]
        assert await read(reader, "SELECT id FROM t WHERE id = 4") == []
        assert await read(reader, "SELECT id FROM t WHERE id = 2") == [(2,)]

    there(body)


def test_an_old_view_sees_a_row_whose_primary_key_has_changed_where_it_was():
    async def body(engine, admin):
        reader = EngineSession(engine)
        await reader.run("START TRANSACTION WITH CONSISTENT SNAPSHOT")
        await admin.run("UPDATE t SET id = 9 WHERE id = 1")
        assert await read(reader, "SELECT id, v FROM t ORDER BY id") == [(1, "one"), (2, "two"), (3, "three")]
        assert await read(admin, "SELECT id, v FROM t ORDER BY id") == [(2, "two"), (3, "three"), (9, "one")]

    there(body)


def test_each_of_several_views_sees_the_row_of_its_moment():
    async def body(engine, admin):
        readers = []
        for number in range(5):
            readers.append(EngineSession(engine))
            await readers[-1].run("START TRANSACTION WITH CONSISTENT SNAPSHOT")
            await admin.run(f"UPDATE t SET k = {number}, v = 'version {number}' WHERE id = 1")
        one = [(await values(reader, "SELECT v FROM t WHERE id = 1"))[0] for reader in readers]
        assert one == ["one", *(f"version {number}" for number in range(4))]
        for at, reader in enumerate(readers):
            old = 10 if at == 0 else at - 1
            assert await read(reader, f"SELECT id FROM t FORCE INDEX (by_k) WHERE k = {old}") == [(1,)]

    there(body)


# --- several at once

MIXED = (
    "INSERT INTO t VALUES ({0}, {1}, 'new')",
    "INSERT INTO t VALUES ({0}, {1}, 'new') ON DUPLICATE KEY UPDATE k = {2}",
    "REPLACE INTO t VALUES ({0}, {1}, 'put'), ({2}, {1}, 'put')",
    "UPDATE t SET k = {0} WHERE k >= {1}",
    "UPDATE t SET id = {0} WHERE id = {1}",
    "DELETE FROM t WHERE id = {0}",
    "DELETE FROM t WHERE k = {0}",
    "SELECT * FROM t FORCE INDEX (by_k) WHERE k >= {0} ORDER BY k DESC FOR UPDATE",
    "SELECT * FROM t FORCE INDEX (by_k) WHERE k <= {0}",
    "SELECT * FROM t FOR SHARE SKIP LOCKED",
    *("BEGIN", "BEGIN", "SAVEPOINT s", "ROLLBACK TO s", "COMMIT", "ROLLBACK"),
)


async def live(engine, chance, number):
    """Run a few statements, some of them cancelled; gives how each ended."""
    session, outcomes = EngineSession(engine), []
    session.isolation = chance.choice(list(Isolation))
    for _ in range(15):
        session.lock_wait_timeout = 3
        sql = chance.choice(MIXED).format(*(chance.randint(1, 6) for _ in range(3)))
        statement = asyncio.create_task(session.run(sql))
        await asyncio.wait([statement], timeout=chance.choice([1, 9, 9]))
        if not statement.done():
            statement.cancel()
            await asyncio.wait([statement])
            session.close()
            session = EngineSession(engine)
        elif isinstance(error := statement.exception(), DatabaseError):
            outcomes.append((number, sql, error.errno))
        else:
            outcomes.append((number, sql, statement.result()[0].rows))
        if chance.random() < 0.2:
            engine.purge()
        await asyncio.sleep(chance.choice([0, 0, 0.1]))
    session.close()
    return outcomes


def together(seed):
    """Run a few sessions side by side; gives how all of their statements ended, and what is left."""
    found = []

    async def body(engine, admin):
        chance = random.Random(seed)
        lives = await asyncio.gather(*(live(engine, chance, number) for number in range(4)))
        engine.purge()
        assert (engine.data_locks(), engine.locks.waits.waiting, engine.history.views) == ([], {}, {})
        assert engine.metadata_locks._locks == {}
        rows = await read(admin)
        by_k = await read(admin, "SELECT * FROM t FORCE INDEX (by_k) WHERE k >= 0 OR k IS NULL")
        assert sorted(by_k) == rows
        assert [len(index) for index in engine.tables["t"].indexes] == [len(rows)] * 2
        found.extend((lives, rows))

    there(body)
    return found


@pytest.mark.parametrize("seed", range(60))
def test_whatever_sessions_do_at_once_nothing_is_left_but_rows_that_every_index_has(seed):
    assert together(seed) == together(seed)
