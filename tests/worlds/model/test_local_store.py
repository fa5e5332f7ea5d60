"""The local store of the model: how long statements and commits take."""

import asyncio
import functools

import pytest

from chatsim.chat.ports import LocalStoreError, Many
from chatsim.simulation.loop import run
from chatsim.worlds.model.costs import StoreCosts
from chatsim.worlds.model.local_store import ModelStore

COSTS = StoreCosts(statement=0.25, commit=1.0)


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

    def test_each_statement_and_each_commit_has_its_price(self, tmp_path):
        async def body(new_store, path):
            clock = asyncio.get_running_loop().time
            store = await notebook(new_store, path)
            assert clock() == 1.25
            await store.execute(INSERT, ("a",))
            assert clock() == 2.5
            await store.transaction([(INSERT, (text,)) for text in "bcde"])
            assert clock() == 4.5
            await store.transaction([])
            assert clock() == 5.5
            await store.close()
            assert clock() == 5.5

        over_model(body, tmp_path / "local.db")

    def test_an_error_costs_what_the_transaction_would_have(self, tmp_path):
        async def body(new_store, path):
            store = new_store(str(path))
            with pytest.raises(LocalStoreError):
                await store.transaction([("SELEKT 1", ()), ("SELECT 1", ())])
            assert asyncio.get_running_loop().time() == 1.5
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
            assert asyncio.get_running_loop().time() == 1.75
            assert await texts(store) == []
            await store.close()

        over_model(body, tmp_path / "local.db")

    def test_stores_do_not_wait_for_each_other(self, tmp_path):
        async def body(new_store, path):
            stores = [new_store(str(path.with_name(f"{number}.db"))) for number in range(10)]
            await asyncio.gather(*(store.execute("CREATE TABLE note (text)") for store in stores))
            assert asyncio.get_running_loop().time() == 1.25
            for store in stores:
                await store.close()

        over_model(body, tmp_path / "local.db")

    def test_transactions_of_one_store_take_their_time_one_after_the_other(self, tmp_path):
        async def body(new_store, path):
            store = await notebook(new_store, path)
            await asyncio.gather(*(store.execute(INSERT, (text,)) for text in "abc"))
            await store.close()
            assert asyncio.get_running_loop().time() == 4 * 1.25

        over_model(body, tmp_path / "local.db")


def test_a_row_of_many_takes_the_time_of_a_statement_in_the_model(tmp_path):
    async def body():
        store = await notebook(functools.partial(ModelStore, costs=COSTS), tmp_path / "local.db")
        begun = asyncio.get_running_loop().time()
        await store.transaction([Many(INSERT, [("a",), ("b",), ("c",)])])
        await store.close()
        return asyncio.get_running_loop().time() - begun

    assert run(body()) == 3 * COSTS.statement + COSTS.commit
