"""What a `LocalStore` promises: one body, played on aiosqlite in real time and on the model in virtual time."""

import asyncio
import functools
import sqlite3
import threading

import pytest

from chatsim.chat.ports import LocalStoreError, LocalStoreUnavailableError, Many
from chatsim.db.session import Rows
from chatsim.simulation.loop import run
from chatsim.worlds.model.costs import StoreCosts
from chatsim.worlds.model.local_store import ModelStore
from chatsim.worlds.mysql.local_store import SqliteStore

COSTS = StoreCosts(call=0.25, row=0.25, commit=1.0)


INSERT = "INSERT INTO note (text) VALUES (?)"


def over_sqlite(body, path):
    before = set(threading.enumerate())
    asyncio.run(body(SqliteStore, path))
    for thread in set(threading.enumerate()) - before:
        thread.join(timeout=60)
        assert not thread.is_alive()


def over_model(body, path):
    run(body(functools.partial(ModelStore, costs=COSTS), path))


def in_both_worlds(body):
    @pytest.mark.parametrize("play", [over_sqlite, over_model])
    def test(play, tmp_path):
        play(body, tmp_path / "local.db")

    test.__doc__ = body.__doc__
    return test


async def notebook(new_store, path):
    store = new_store(str(path))
    await store.execute("CREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT UNIQUE NOT NULL)")
    return store


async def texts(store):
    return [text for (text,) in (await store.execute("SELECT text FROM note ORDER BY id")).rows]


async def turns(number):
    for _ in range(number):
        await asyncio.sleep(0)


@in_both_worlds
async def test_what_is_written_is_read(new_store, path):
    store = await notebook(new_store, path)
    await store.execute(INSERT, ("milk",))
    await store.execute(INSERT, ("bread",))
    assert (await store.execute("SELECT id, text FROM note ORDER BY id")).rows == [(1, "milk"), (2, "bread")]
    assert (await store.execute("SELECT text FROM note WHERE id = ?", (2,))).rows == [("bread",)]
    assert not (await store.execute("SELECT text FROM note WHERE id = ?", (3,))).rows
    await store.close()


@in_both_worlds
async def test_values_come_back_as_they_went(new_store, path):
    store = new_store(str(path))
    values = (None, 2**63 - 1, -(2**63), 0.1, "žluťoučký 🐎", "", b"\0\xff")
    (row,) = (await store.execute("SELECT ?, ?, ?, ?, ?, ?, ?", values)).rows
    assert row == values
    await store.close()


@in_both_worlds
async def test_it_counts_the_rows_it_has_changed(new_store, path):
    store = await notebook(new_store, path)
    assert (await store.execute(INSERT, ("a",))).affected == 1
    assert (await store.execute("INSERT INTO note (text) VALUES (?), (?)", ("b", "c"))).affected == 2
    assert (await store.execute("UPDATE note SET text = text || '!'")).affected == 3
    assert (await store.execute("SELECT * FROM note")).affected == 0
    assert (await store.execute("DELETE FROM note WHERE id < ?", (3,))).affected == 2
    assert (await store.execute("DELETE FROM note WHERE id < ?", (3,))).affected == 0
    await store.close()


@in_both_worlds
async def test_it_tells_the_id_that_it_has_given(new_store, path):
    store = await notebook(new_store, path)
    assert [(await store.execute(INSERT, (text,))).last_id for text in "abc"] == [1, 2, 3]
    assert (await store.execute("INSERT INTO note (id, text) VALUES (70, 'd')")).last_id == 70
    assert (await store.execute(INSERT, ("e",))).last_id == 71
    await store.close()


@in_both_worlds
async def test_what_gives_no_id_tells_none(new_store, path):
    store = await notebook(new_store, path)
    await store.execute(INSERT, ("a",))
    told = [(await store.execute(sql)).last_id for sql in ("SELECT * FROM note", "UPDATE note SET text = 'b'")]
    await store.close()
    assert told == [0, 0]


@in_both_worlds
async def test_a_transaction_tells_of_each_of_its_statements(new_store, path):
    store = await notebook(new_store, path)
    assert await store.transaction(
        [(INSERT, ("a",)), (INSERT, ("b",)), ("SELECT id, text FROM note ORDER BY id", ())]
    ) == [Rows([], 1, 1), Rows([], 1, 2), Rows([(1, "a"), (2, "b")], 0, 0)]
    await store.close()


@in_both_worlds
async def test_what_is_returned_by_an_insert_is_read(new_store, path):
    store = await notebook(new_store, path)
    done = await store.execute("INSERT INTO note (text) VALUES (?), (?) RETURNING id, text", ("a", "b"))
    assert (done.rows, done.affected) == ([(1, "a"), (2, "b")], 2)
    await store.close()


@in_both_worlds
async def test_a_transaction_of_nothing_does_nothing(new_store, path):
    store = await notebook(new_store, path)
    assert await store.transaction([]) == []
    await store.close()


@pytest.mark.parametrize("play", [over_sqlite, over_model])
@pytest.mark.parametrize("place", range(4))
def test_an_error_anywhere_undoes_all_of_a_transaction(play, place, tmp_path):
    async def body(new_store, path):
        store = await notebook(new_store, path)
        await store.execute(INSERT, ("before",))
        statements = [(INSERT, (text,)) for text in "abc"]
        statements.insert(place, (INSERT, ("before",)))
        with pytest.raises(LocalStoreError, match="UNIQUE constraint failed") as error:
            await store.transaction(statements)
        assert str(path) in str(error.value)
        assert await texts(store) == ["before"]
        await store.execute(INSERT, ("after",))
        assert await texts(store) == ["before", "after"]
        await store.close()

    play(body, tmp_path / "local.db")


@pytest.mark.parametrize("play", [over_sqlite, over_model])
@pytest.mark.parametrize(
    ("sql", "args", "reason"),
    [
        ("SELEKT 1", (), "syntax error"),
        ("SELECT * FROM memo", (), "no such table: memo"),
        ("INSERT INTO note (text) VALUES (NULL)", (), "NOT NULL constraint failed"),
        ("SELECT ?", (), "Incorrect number of bindings"),
        ("SELECT 1", (1,), "Incorrect number of bindings"),
        ("SELECT ?", (object(),), "not supported"),
        ("COMMIT; SELECT 1", (), "one statement at a time"),
        pytest.param("SELECT ?", (2**63,), "too large"),
        pytest.param("SELECT ?", ("\ud800",), "codec"),
    ],
)
def test_every_error_names_the_file_and_the_reason_and_the_store_goes_on(play, sql, args, reason, tmp_path):
    async def body(new_store, path):
        store = await notebook(new_store, path)
        try:
            with pytest.raises(LocalStoreError, match=reason) as error:
                await store.transaction([(INSERT, ("a",)), (sql, args)])
            assert str(path) in str(error.value)
        finally:
            assert await texts(store) == []
            await store.close()

    play(body, tmp_path / "local.db")


@pytest.mark.parametrize(
    "play",
    [
        over_sqlite,
        pytest.param(over_model),
    ],
)
def test_the_reason_is_told_also_when_sqlite_has_rolled_back_itself(play, tmp_path):
    async def body(new_store, path):
        store = await notebook(new_store, path)
        await store.execute(INSERT, ("a",))
        with pytest.raises(LocalStoreError) as error:
            await store.transaction([(INSERT, ("b",)), ("INSERT OR ROLLBACK INTO note (text) VALUES ('a')", ())])
        assert await texts(store) == ["a"]
        await store.close()
        assert "UNIQUE constraint failed" in str(error.value)

    play(body, tmp_path / "local.db")


@in_both_worlds
async def test_nothing_is_opened_before_it_is_used(new_store, path):
    store = new_store(str(path))
    await turns(10)
    assert not path.exists()
    await store.close()
    assert not path.exists()
    await store.execute("CREATE TABLE note (text)")
    assert path.exists()
    await store.close()


@in_both_worlds
async def test_what_another_process_has_locked_is_unavailable_until_it_is_free(new_store, path):
    store = await notebook(new_store, path)
    await store.execute("PRAGMA busy_timeout = 1")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    for sql, args in ((INSERT, ("a",)), ("SELECT * FROM note", ())):
        with pytest.raises(LocalStoreUnavailableError, match="locked"):
            await store.execute(sql, args)
    other.close()
    await store.execute(INSERT, ("b",))
    assert await texts(store) == ["b"]
    await store.close()


@in_both_worlds
async def test_a_full_disk_makes_it_unavailable_and_loses_nothing(new_store, path):
    store = await notebook(new_store, path)
    await store.execute(INSERT, ("before",))
    pages = (await store.execute("PRAGMA page_count")).scalar()
    await store.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(LocalStoreUnavailableError, match="full"):
        await store.transaction([(INSERT, ("a",)), (INSERT, ("x" * 100_000,))])
    await store.execute(f"PRAGMA max_page_count = {pages + 100}")
    await store.execute(INSERT, ("x" * 100_000,))
    assert await texts(store) == ["before", "x" * 100_000]
    await store.close()


@pytest.mark.parametrize(
    ("sql", "args"), [("SELECT", ()), ("INSERT INTO note (text) VALUES (NULL)", ()), ("SELECT ?", (2**64,))]
)
def test_an_error_that_no_other_try_mends_is_no_unavailable_store(sql, args, tmp_path):
    async def body(new_store, path):
        store = await notebook(new_store, path)
        with pytest.raises(LocalStoreError) as error:
            await store.execute(sql, args)
        assert type(error.value) is LocalStoreError
        await store.close()

    for world, play in (("mysql", over_sqlite), ("model", over_model)):
        play(body, tmp_path / world)


@in_both_worlds
async def test_what_cant_be_opened_is_named(new_store, path):
    path = path.parent / "nowhere" / "local.db"
    store = new_store(str(path))
    with pytest.raises(LocalStoreError, match="unable to open database file") as error:
        await store.execute("SELECT 1")
    assert str(path) in str(error.value)
    path.parent.mkdir()
    assert (await store.execute("SELECT 1")).scalar() == 1
    await store.close()


@in_both_worlds
async def test_what_is_no_database_is_named(new_store, path):
    path.write_bytes(b"not a database at all" * 100)
    store = new_store(str(path))
    with pytest.raises(LocalStoreError, match="not a database") as error:
        await store.execute("SELECT * FROM note")
    assert str(path) in str(error.value)
    await store.close()


@in_both_worlds
async def test_it_is_opened_again_after_a_close(new_store, path):
    store = await notebook(new_store, path)
    for text in "abc":
        await store.execute(INSERT, (text,))
        await store.close()
        await store.close()
    assert await texts(store) == ["a", "b", "c"]
    await store.close()


@in_both_worlds
async def test_what_is_committed_is_there_for_the_next_store(new_store, path):
    store = await notebook(new_store, path)
    await store.execute(INSERT, ("a",))
    await store.close()
    store = new_store(str(path))
    assert await texts(store) == ["a"]
    await store.close()


@in_both_worlds
async def test_two_stores_on_a_file_see_what_the_other_has_committed(new_store, path):
    one = await notebook(new_store, path)
    other = new_store(str(path))
    for text in "abc":
        await one.execute(INSERT, (text,))
        await other.execute(INSERT, (text * 2,))
        assert (await texts(one)) == (await texts(other))
    assert await texts(one) == ["a", "aa", "b", "bb", "c", "cc"]
    await one.close()
    await other.close()


@in_both_worlds
async def test_a_store_in_memory_is_its_own(new_store, path):
    one, other = await notebook(new_store, ":memory:"), await notebook(new_store, ":memory:")
    await one.execute(INSERT, ("a",))
    assert (await texts(one), await texts(other)) == (["a"], [])
    await one.close()
    await other.close()


@in_both_worlds
async def test_transactions_at_the_same_time_do_not_mix(new_store, path):
    store = await notebook(new_store, path)
    count = ("SELECT COUNT(*) FROM note", ())

    async def write(writer):
        before, *_, after = await store.transaction([count, *((INSERT, (f"{writer}.{n}",)) for n in range(5)), count])
        return before.scalar(), after.scalar()

    seen = await asyncio.gather(*map(write, range(20)))
    assert sorted(seen) == [(5 * number, 5 * number + 5) for number in range(20)]
    written = await texts(store)
    for at in range(0, 100, 5):
        writer = written[at].split(".")[0]
        assert written[at : at + 5] == [f"{writer}.{number}" for number in range(5)]
    await store.close()


@in_both_worlds
async def test_an_error_of_one_does_not_touch_another_at_the_same_time(new_store, path):
    store = await notebook(new_store, path)
    await store.execute(INSERT, ("taken",))

    async def write(writer):
        await store.transaction([(INSERT, (f"{writer}",)), (INSERT, ("taken" if writer % 2 else f"{writer}!",))])

    outcomes = await asyncio.gather(*map(write, range(10)), return_exceptions=True)
    assert [isinstance(outcome, LocalStoreError) for outcome in outcomes] == [False, True] * 5
    assert sorted(await texts(store)) == sorted(
        ["taken", *(f"{writer}{mark}" for writer in range(0, 10, 2) for mark in ("", "!"))]
    )
    await store.close()


@pytest.mark.parametrize(
    "play",
    [
        pytest.param(over_sqlite),
        over_model,
    ],
)
def test_a_transaction_cancelled_at_its_first_step_leaves_a_store_that_can_be_used(play, tmp_path):
    async def body(new_store, path):
        store = await notebook(new_store, path)
        try:
            writing = asyncio.create_task(store.transaction([(INSERT, ("a",)), (INSERT, ("b",))]))
            await turns(1)
            writing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await writing
            assert await texts(store) == []
        finally:
            await store.close()

    play(body, tmp_path / "local.db")


@pytest.mark.parametrize("step", range(2, 9))
def test_a_transaction_cancelled_at_any_later_step_leaves_nothing_half_done(step, tmp_path):
    """The first is the BEGIN, the last the COMMIT, and each INSERT between them has two: it is run, and read."""

    async def body(new_store, path):
        store = await notebook(new_store, path)
        writing = asyncio.create_task(store.transaction([(INSERT, (text,)) for text in "abc"]))
        thread, begun = store._connection._execute, 0

        async def watch(function, *args, **kwargs):
            nonlocal begun
            begun += 1
            if begun == step:
                writing.cancel()
            return await thread(function, *args, **kwargs)

        store._connection._execute = watch
        with pytest.raises(asyncio.CancelledError):
            await writing
        assert await texts(store) in ([], ["a", "b", "c"])
        await store.execute(INSERT, ("d",))
        assert (await texts(store))[-1] == "d"
        await store.close()

    over_sqlite(body, tmp_path / "local.db")


@pytest.mark.parametrize("answer", range(1, 7))
def test_a_transaction_cancelled_with_any_answer_holds_no_lock_although_its_task_is_kept(answer, tmp_path):
    """The answers are to the BEGIN, the SELECT, its rows, the INSERT, its rows, and the COMMIT."""

    async def body(new_store, path):
        store = await notebook(new_store, path)
        await store.execute("INSERT INTO note (text) VALUES ('a'), ('b')")
        loop, answered = asyncio.get_running_loop(), 0
        from_thread = loop.call_soon_threadsafe

        def cancelling(callback, *args, **kwargs):
            def then_cancel():
                nonlocal answered
                callback(*args)
                answered += 1
                if answered == answer:
                    transaction.cancel()

            return from_thread(then_cancel, **kwargs)

        loop.call_soon_threadsafe = cancelling
        transaction = asyncio.create_task(store.transaction([("SELECT * FROM note", ()), (INSERT, ("c",))]))
        await asyncio.wait([transaction])
        loop.call_soon_threadsafe = from_thread
        assert transaction.cancelled()
        await store.close()
        other = new_store(str(path))
        try:
            await other.execute("PRAGMA busy_timeout = 1")
            await other.execute(INSERT, ("d",))
            assert await texts(other) in (["a", "b", "d"], ["a", "b", "c", "d"])
        finally:
            await other.close()

    over_sqlite(body, tmp_path / "local.db")


@in_both_worlds
async def test_a_first_use_cancelled_while_it_opens_does_no_harm(new_store, path):
    store = new_store(str(path))
    opening = asyncio.create_task(store.execute("CREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT)"))
    await turns(1)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    await store.execute("CREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT)")
    assert await texts(store) == []
    await store.close()


@in_both_worlds
async def test_one_that_is_cancelled_while_it_waits_for_its_turn_is_not_done(new_store, path):
    store = await notebook(new_store, path)
    first, second, third = (asyncio.create_task(store.execute(INSERT, (text,))) for text in "abc")
    await turns(1)
    second.cancel()
    await asyncio.wait([first, second, third])
    assert second.cancelled()
    assert await texts(store) == ["a", "c"]
    await store.close()


@pytest.mark.parametrize(
    "play",
    [
        pytest.param(over_sqlite),
        over_model,
    ],
)
def test_a_close_that_is_cancelled_leaves_a_store_that_can_be_used(play, tmp_path):
    async def body(new_store, path):
        store = await notebook(new_store, path)
        closing = asyncio.create_task(store.close())
        await turns(1)
        closing.cancel()
        await asyncio.wait([closing])
        assert await texts(store) == []
        await store.close()

    play(body, tmp_path / "local.db")


@in_both_worlds
async def test_a_statement_may_be_run_for_many_rows_in_one_transaction(new_store, path):
    store = await notebook(new_store, path)
    done = await store.transaction([Many(INSERT, [("a",), ("b",), ("c",)]), Many(INSERT, []), (INSERT, ("d",))])
    assert [each.affected for each in done] == [3, 0, 1]
    assert await texts(store) == ["a", "b", "c", "d"]
    with pytest.raises(LocalStoreError, match="UNIQUE"):
        await store.transaction([(INSERT, ("e",)), Many(INSERT, [("f",), ("a",)])])
    assert await texts(store) == ["a", "b", "c", "d"]
    await store.close()


def test_of_a_database_that_cant_be_opened_no_thread_is_left(tmp_path):
    async def body():
        before = set(threading.enumerate())
        with pytest.raises(LocalStoreError, match="unable to open database file"):
            await SqliteStore(str(tmp_path / "nowhere" / "local.db")).execute("SELECT 1")
        assert set(threading.enumerate()) == before

    asyncio.run(body())


def test_of_an_opening_that_is_cancelled_no_thread_is_left(tmp_path):
    async def body():
        before = set(threading.enumerate())
        opening = asyncio.create_task(SqliteStore(str(tmp_path / "local.db")).execute("SELECT 1"))
        await turns(1)
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        assert set(threading.enumerate()) == before

    asyncio.run(body())
