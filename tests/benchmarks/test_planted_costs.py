"""Regressions that are planted here, and the costs by which the count gate names each. In the model, so it is quick."""

import dataclasses
import inspect

import counting.clients
import pytest
from counting import gate

from chatsim.chat import creation, paging, retry, schema
from chatsim.chat.client import sync
from chatsim.chat.client.cache import Cache
from chatsim.chat.client.view import StartAfresh
from chatsim.chat.paging import history, threads
from chatsim.chat.paging.strategy import Page
from chatsim.chat.server.store import texts
from chatsim.db.session import Isolation
from chatsim.experiments.catchup import protocols

RECORD = gate.Record.read(gate.RECORDED)


def named(only):
    """The costs that the gate names, of the cases with this text in their names."""
    cases = gate.all_cases(only)
    assert cases
    return {each.cost: each for each in RECORD.differences(gate.MODEL, gate.in_model(cases), cases)}


def strategy(monkeypatch, name, create=None, **changed):
    """Change a strategy; ``create`` gets the shipped function and what a strategy gets."""
    shipped = creation.STRATEGIES[name]
    if create is not None:

        async def planted(tx, low, high):
            return await create(shipped.create, tx, low, high)

        changed["create"] = planted
    monkeypatch.setitem(creation.STRATEGIES, name, dataclasses.replace(shipped, **changed))


# --- creation


def one_more_round_trip(monkeypatch):
    async def create(shipped, tx, low, high):
        await tx.execute("SELECT 1")
        return await shipped(tx, low, high)

    strategy(monkeypatch, "upsert", create)


def a_search_that_locks(monkeypatch):
    monkeypatch.setattr(creation, "_FIND", creation._FIND + " FOR UPDATE")


def a_lock_taken_earlier(monkeypatch):
    async def create(_, tx, low, high):
        await tx.begin()
        await tx.execute("SELECT uid FROM user WHERE uid IN (?, ?) FOR UPDATE", (low, high))
        thread = await creation._insert(tx, low, high)
        await tx.commit()
        return thread

    strategy(monkeypatch, "insert_first", create)


def a_higher_isolation_level(monkeypatch):
    strategy(monkeypatch, "check_then_insert", isolation=Isolation.SERIALIZABLE)


def a_strategy_that_deadlocks(monkeypatch):
    async def create(_, tx, low, high):
        return await creation._source(tx, low, high)

    strategy(monkeypatch, "insert_ignore", create, isolation=Isolation.REPEATABLE_READ)


def a_pair_that_is_not_ordered(monkeypatch):
    strategy(monkeypatch, "one_round_trip", ordered=False)


def a_lost_index(monkeypatch):
    shipped = schema.statements

    def statements(name):
        return [each.replace("UNIQUE KEY uniq_private_thread (user1_id, user2_id),", "") for each in shipped(name)]

    monkeypatch.setattr(schema, "statements", statements)


def a_retry_without_a_pause(monkeypatch):
    monkeypatch.setitem(retry.POLICIES, "retry", retry.POLICIES["immediate"])


# --- reading


def the_sources_thread_list(monkeypatch):
    monkeypatch.setitem(paging.DEFAULTS, "threads", threads.source_cte)


def a_page_that_reads_ten(monkeypatch):
    async def read(tx, of, cursor, size):
        page = await history.keyset(tx, of, cursor, 10 * size)
        rows = page.rows[:size]
        return Page(rows, rows[-1][0], page.more or len(page.rows) > size)

    monkeypatch.setitem(paging.STRATEGIES["history"], "keyset", dataclasses.replace(history.keyset, read=read))


def a_query_for_each_thread(monkeypatch):
    shipped = threads._with_last

    async def one_by_one(tx, rows):
        return [whole for row in rows for whole in await shipped(tx, [row])]

    monkeypatch.setattr(threads, "_with_last", one_by_one)


def a_thread_list_that_locks(monkeypatch):
    monkeypatch.setattr(threads, "_THREE", "; ".join(f"{each} FOR SHARE" for each in threads._BRANCHES))


def a_page_of_twice_the_size(monkeypatch):
    monkeypatch.setattr(texts, "_PAGE", 2 * texts._PAGE)


# --- catching up


def a_query_for_each_place(monkeypatch):
    shipped = texts.HardenedTexts.between

    async def between(self, tx, places, limit):
        return [found for each in places for found in await shipped(self, tx, [each], limit)]

    monkeypatch.setattr(texts.HardenedTexts, "between", between)


def requests_for_fewer_threads(monkeypatch):
    monkeypatch.setattr(sync, "_THREADS", 3)


def narrow_pages(monkeypatch):
    narrow = dataclasses.replace(protocols.PROTOCOLS["wide_pages"], cursors=protocols._by_ids(20))
    monkeypatch.setitem(protocols.PROTOCOLS, "wide_pages", narrow)


# --- texts and clients


def a_transaction_for_each_text(monkeypatch):
    shipped = texts.HardenedTexts.send

    async def send(self, tx, batch, *, friends):
        for text in batch.texts:
            appended = await shipped(self, tx, dataclasses.replace(batch, texts=[text]), friends=friends)
        return appended

    monkeypatch.setattr(texts.HardenedTexts, "send", send)


def a_local_transaction_for_each_message(monkeypatch):
    shipped = Cache.keep_newest

    async def keep_newest(self, thread_id, kept):
        for text in kept:
            await shipped(self, thread_id, [text])

    monkeypatch.setattr(Cache, "keep_newest", keep_newest)


def a_view_that_starts_afresh(monkeypatch):
    planted = {**counting.clients.SCHEMES, "incremental": StartAfresh}
    monkeypatch.setattr(counting.clients, "SCHEMES", planted)


def one_more_step_to_explore(monkeypatch):
    async def create(shipped, tx, low, high):
        await tx.execute("SELECT thread_id FROM private_chat WHERE user1_id = ?", (low,))
        return await shipped(tx, low, high)

    strategy(monkeypatch, "insert_first", create)


PLANTED = [
    (one_more_round_trip, "one caller creates by upsert", "new chat, round trips"),
    (a_search_that_locks, "creates by look_first", "existing chat, lock requests"),
    (a_lock_taken_earlier, "callers create by insert_first", "strangers, lock requests"),
    (a_higher_isolation_level, "callers create by check_then_insert", "same_pair, deadlocks"),
    (a_strategy_that_deadlocks, "callers create by insert_ignore", "strangers, deadlocks"),
    (a_pair_that_is_not_ordered, "callers create by one_round_trip", "same_pair, pairs with two threads"),
    (a_lost_index, "callers create by for_update", "hot_pairs, lock requests"),
    (a_retry_without_a_pause, "callers create by for_update", "strangers, deadlocks"),
    (the_sources_thread_list, "a client's page of a list", "first, rows examined"),
    (a_page_that_reads_ten, "a page of a history", "keyset, first, rows examined"),
    (a_query_for_each_thread, "a page of a list", "by_activity, first, round trips"),
    (a_thread_list_that_locks, "a client's page of a list", "first, lock requests"),
    (a_page_of_twice_the_size, "a client's page of a history", "first, bytes"),
    (a_query_for_each_place, "a catch-up by bulk", "database round trips"),
    (requests_for_fewer_threads, "a catch-up by bulk", "requests"),
    (narrow_pages, "a catch-up by wide_pages", "round trips"),
    (a_transaction_for_each_text, "texts are stored in the hardened", "a batch of 10, round trips"),
    (a_local_transaction_for_each_message, "a client keeps messages", "a page of 100, transactions"),
    (a_view_that_starts_afresh, "shows a conversation by incremental", "a message more, rows told"),
    (one_more_step_to_explore, "two callers of insert_first", "states"),
]


@pytest.mark.parametrize(("plant", "only", "cost"), PLANTED, ids=[plant.__name__ for plant, _, _ in PLANTED])
def test_a_planted_regression_is_named(monkeypatch, plant, only, cost):
    plant(monkeypatch)
    found = {name: each for name, each in named(only).items() if name.endswith(f": {cost}")}
    assert found, f"nothing that ends with {cost!r} is named"
    assert all(each.new > each.old for each in found.values())


def test_nothing_is_named_where_nothing_is_planted():
    assert named("one caller creates") == {}  # `make costs` says it of all


def test_each_plant_is_in_the_table():
    takes_monkeypatch = {
        name
        for name, each in globals().items()
        if inspect.isfunction(each) and [*inspect.signature(each).parameters] == ["monkeypatch"]
    }
    assert takes_monkeypatch == {plant.__name__ for plant, _, _ in PLANTED}
