"""The local store of the model: how long statements and commits take."""

import asyncio
import functools

import pytest

from chatsim.chat.ports import LocalStoreError, Many
from chatsim.simulation.loop import run
from chatsim.worlds.model.costs import StoreCosts
from chatsim.worlds.model.local_store import ModelStore

COSTS = StoreCosts(call=0.125, row=0.0625, commit=1.0)
ALONE = 4 * COSTS.call + COSTS.commit
"""What a statement takes that is a transaction of its own: BEGIN, the statement, its rows, COMMIT."""


INSERT = "INSERT INTO note (text) VALUES (?)"


def over_model(body, path):
    run(body(functools.partial(ModelStore, costs=COSTS), path))


async def notebook(new_store, path):
    store = new_store(str(path))
    await store.execute("CREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT UNIQUE NOT NULL)")
    return store


async def texts(store):
    return [text for (text,) in (await store.execute("SELECT text FROM note ORDER BY id")).rows]


async def turns(number):
    for _ in range(number):
        await asyncio.sleep(0)


class TestModelStore:
    """What only the model promises: times."""

    def test_each_call_and_each_commit_has_its_price(self, tmp_path):
        async def body(new_store, path):
            clock = asyncio.get_running_loop().time
            store = await notebook(new_store, path)
            assert clock() == ALONE
            await store.execute(INSERT, ("a",))
            assert clock() == 2 * ALONE
            begun = clock()
            await store.transaction([(INSERT, (text,)) for text in "bcde"])
            assert clock() - begun == (2 + 4 * 2) * COSTS.call + COSTS.commit
            begun = clock()
            await store.transaction([])
            assert clock() - begun == 2 * COSTS.call + COSTS.commit
            begun = clock()
            await store.close()
            assert clock() == begun

        over_model(body, tmp_path / "local.db")

    def test_an_error_costs_what_the_transaction_would_have(self, tmp_path):
        async def body(new_store, path):
            store = new_store(str(path))
            with pytest.raises(LocalStoreError):
                await store.transaction([("SELEKT 1", ()), ("SELECT 1", ())])
            assert asyncio.get_running_loop().time() == (2 + 2 * 2) * COSTS.call + COSTS.commit
            await store.close()

        over_model(body, tmp_path / "local.db")

    def test_it_is_done_when_its_time_is_over(self, tmp_path):
        async def body(new_store, path):
            one, other = await notebook(new_store, path), new_store(str(path))
            writing = asyncio.create_task(one.transaction([(INSERT, ("a",)), (INSERT, ("b",))]))
            await turns(1)
            assert await texts(other) == []
            await writing
            assert await texts(other) == ["a", "b"]
            await one.close()
            await other.close()

        over_model(body, tmp_path / "local.db")

    def test_one_that_is_given_up_in_the_middle_is_not_done(self, tmp_path):
        async def body(new_store, path):
            store = await notebook(new_store, path)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(store.transaction([(INSERT, ("a",)), (INSERT, ("b",))]), 0.5)
            assert asyncio.get_running_loop().time() == ALONE + 0.5
            assert await texts(store) == []
            await store.close()

        over_model(body, tmp_path / "local.db")

    def test_stores_do_not_wait_for_each_other(self, tmp_path):
        async def body(new_store, path):
            stores = [new_store(str(path.with_name(f"{number}.db"))) for number in range(10)]
            await asyncio.gather(*(store.execute("CREATE TABLE note (text)") for store in stores))
            assert asyncio.get_running_loop().time() == ALONE
            for store in stores:
                await store.close()

        over_model(body, tmp_path / "local.db")

    def test_transactions_of_one_store_take_their_time_one_after_the_other(self, tmp_path):
        async def body(new_store, path):
            store = await notebook(new_store, path)
            await asyncio.gather(*(store.execute(INSERT, (text,)) for text in "abc"))
            await store.close()
            assert asyncio.get_running_loop().time() == 4 * ALONE

        over_model(body, tmp_path / "local.db")


def test_many_rows_are_one_call_and_each_has_its_price(tmp_path):
    async def body():
        store = await notebook(functools.partial(ModelStore, costs=COSTS), tmp_path / "local.db")
        begun = asyncio.get_running_loop().time()
        await store.transaction([Many(INSERT, [("a",), ("b",), ("c",)])])
        await store.close()
        return asyncio.get_running_loop().time() - begun

    assert run(body()) == 3 * COSTS.call + 3 * COSTS.row + COSTS.commit


def test_a_call_is_work_of_who_works_for_the_store(tmp_path):
    worked = []

    async def work(seconds):
        worked.append(seconds)

    async def body():
        store = await notebook(functools.partial(ModelStore, costs=COSTS, work=work), tmp_path / "local.db")
        await store.close()
        return asyncio.get_running_loop().time()

    assert run(body()) == COSTS.commit
    assert worked == [4 * COSTS.call]
