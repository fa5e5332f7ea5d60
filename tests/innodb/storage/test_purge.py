"""Purge: what no read view needs any more is removed, and nothing else."""

import asyncio
import gc

import pytest
from index_state import chain, consistent, shape, there

from chatsim.innodb.server.session import EngineSession
from chatsim.innodb.storage.structures import Transaction, Version


def test_what_a_view_wants_is_kept_until_the_view_is_closed():
    async def body(engine, admin):
        reader = EngineSession(engine)
        await reader.run("START TRANSACTION WITH CONSISTENT SNAPSHOT")
        await admin.run("UPDATE t SET u = 11 WHERE id = 1")
        await admin.run("DELETE FROM t WHERE id = 2")
        held = {
            "PRIMARY": ["1", "(2)", "3", "4"],
            "by_u": ["NULL", "(1)", "(2)", "3", "11"],
            "by_k": ["NULL", "(1)", "1", "(1)", "2"],
        }
        assert {name: sorted(keys) for name, keys in shape(engine).items()} == {
            name: sorted(keys) for name, keys in held.items()
        }
        assert not engine.purge()
        await reader.run("COMMIT")
        assert engine.purge()
        assert shape(engine) == {"PRIMARY": ["1", "3", "4"], "by_u": ["NULL", "3", "11"], "by_k": ["NULL", "1", "2"]}
        assert not engine.purge()

    there(body)


def test_a_view_keeps_only_what_was_committed_after_it():
    async def body(engine, admin):
        await admin.run("DELETE FROM t WHERE id = 1")
        reader = EngineSession(engine)
        await reader.run("START TRANSACTION WITH CONSISTENT SNAPSHOT")
        await admin.run("DELETE FROM t WHERE id = 2")
        assert engine.purge()
        assert shape(engine)["PRIMARY"] == ["(2)", "3", "4"]

    there(body)


def test_a_row_that_came_back_under_its_old_key_is_not_purged():
    async def body(engine, admin):
        await admin.run("UPDATE t SET u = 9 WHERE id = 1")
        await admin.run("UPDATE t SET u = 1 WHERE id = 1")
        await admin.run("DELETE FROM t WHERE id = 2")
        await admin.run("INSERT INTO t VALUES (2, 2, 1, 2)")
        engine.purge()
        assert shape(engine)["by_u"] == ["NULL", "1", "2", "3"]
        assert consistent(engine)

    there(body)


def test_versions_are_cut_off_behind_the_one_that_the_oldest_view_sees():
    async def body(engine, admin):
        def length():
            return len(chain(engine.tables["t"].clustered.get((1,))))

        for _ in range(20):
            await admin.run("UPDATE t SET v = v + 1 WHERE id = 1")
        assert length() == 21
        reader = EngineSession(engine)
        await reader.run("START TRANSACTION WITH CONSISTENT SNAPSHOT")
        for _ in range(5):
            await admin.run("UPDATE t SET v = v + 1 WHERE id = 1")
        engine.purge()
        assert length() == 6
        await reader.run("COMMIT")
        engine.purge()
        assert length() == 1

    there(body)


def test_nothing_of_a_purged_or_undone_change_is_left_in_memory():
    async def body(engine, admin):
        for number in range(50):
            await admin.run(f"BEGIN; INSERT INTO t VALUES ({100 + number}, {100 + number}, 3, 3)")
            await admin.run("UPDATE t SET v = v + 1, k = 3 - k WHERE id < 3")
            await admin.run("COMMIT" if number % 2 else "ROLLBACK")
            await admin.run(f"DELETE FROM t WHERE id = {100 + number}")
            engine.purge()
        gc.collect()
        mine = [each for each in gc.get_objects() if isinstance(each, Version)]
        assert mine == []
        transactions = [each for each in gc.get_objects() if isinstance(each, Transaction)]
        assert [
            each for each in transactions if each.undo_log or each.locks.structures or each.view or each.locks.similar
        ] == []
        assert len(transactions) <= sum(len(index) for index in engine.tables["t"].indexes)

    there(body)


def test_a_server_that_purges_by_itself_does_so_soon_after_a_commit():
    async def body(engine, admin):
        await admin.run("DELETE FROM t WHERE id = 1")
        assert shape(engine)["PRIMARY"] == ["(1)", "2", "3", "4"]
        await asyncio.sleep(0.02)
        assert shape(engine)["PRIMARY"] == ["2", "3", "4"]

    there(body, purges=True)


def test_purge_wakes_who_waits_for_a_record_that_goes_and_hands_its_gap_on():
    async def body(engine, admin):
        keeper, holder = EngineSession(engine), EngineSession(engine)
        await keeper.run("START TRANSACTION WITH CONSISTENT SNAPSHOT")
        await admin.run("DELETE FROM t WHERE id = 2")
        await holder.run("BEGIN; SELECT * FROM t WHERE id >= 2 FOR UPDATE")
        await keeper.run("COMMIT")
        engine.purge()
        locks = {(each.mode, each.data) for each in engine.data_locks() if each.index}
        assert locks == {("X", "3"), ("X,GAP", "3"), ("X", "4"), ("X", "supremum pseudo-record")}

    there(body)


@pytest.mark.parametrize("isolation", ["REPEATABLE READ", "READ COMMITTED"])
def test_an_entry_that_an_update_waits_for_is_not_purged_since_the_row_is_to_have_it_again(isolation):
    async def body(engine, admin):
        keeper, holder, writer = (EngineSession(engine) for _ in range(3))
        await keeper.run("START TRANSACTION WITH CONSISTENT SNAPSHOT")
        await admin.run("UPDATE t SET k = 7 WHERE id = 4")
        await holder.run("BEGIN; SELECT k FROM t FORCE INDEX (by_k) WHERE k = 2 FOR SHARE")
        await writer.run(f"SET SESSION TRANSACTION ISOLATION LEVEL {isolation}")
        update = asyncio.create_task(writer.run("UPDATE t SET k = 2 WHERE id = 4"))
        await asyncio.sleep(0.001)
        assert not update.done()
        await keeper.run("COMMIT")
        assert engine.purge()
        assert shape(engine)["by_k"] == ["NULL", "1", "1", "(2)", "(7)"]
        await holder.run("COMMIT")
        await update
        assert consistent(engine)
        engine.purge()
        assert shape(engine)["by_k"] == ["NULL", "1", "1", "2"]

    there(body)
