"""Kinds of cursor: what a reader finds when a transaction with a smaller id commits after one with a larger, forced."""

import asyncio
from contextlib import AsyncExitStack

import pytest
from heldback import HeldBack

from chatsim.chat.protocol import OutgoingText
from chatsim.chat.server.store import threads as store
from chatsim.chat.server.store.texts import Batch
from chatsim.experiments.catchup.cursors import CURSORS
from chatsim.worlds.loading import add_users, insert
from chatsim.worlds.model.world import ModelWorld

READER, ANN, BOB, CAT, DAN = 1, 2, 3, 4, 5
WAITING = "SELECT COUNT(*) FROM performance_schema.data_lock_waits"
FREE = {"message_id", "overlap", "watermark"}
"""Whose writers do not wait for each other."""


async def somebody_waits(world):
    """Until a statement waits for a lock, by the server's own tables."""
    if isinstance(world, ModelWorld):
        while not world.server.engine.data_lock_waits():  # noqa: ASYNC110
            await asyncio.sleep(0.001)
    else:
        while not (await world.admin.execute(WAITING)).scalar():  # noqa: ASYNC110
            await asyncio.sleep(0)


def said(thread, sender, name):
    return Batch(thread, sender, READER if sender != READER else ANN, [OutgoingText(f"from {name}", name)])


async def tables(world, kind):
    await world.install(kind.schema)
    for table in kind.tables:
        await world.admin.execute(table)
    await add_users(world.admin, [READER, ANN, BOB])
    await insert(world.admin, "chat_thread (id, type)", [(1, "private"), (2, "private")])
    await insert(world.admin, "private_chat (thread_id, user1_id, user2_id)", [(1, READER, ANN), (2, READER, BOB)])


async def overtaken(world, kind, thread):
    """One writer is held back at its commit, another writes after it, the reader looks before and after the first's."""
    await tables(world, kind)
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(world.database(3))
        a, b, reader = [await stack.enter_async_context(pool.session(kind.isolation)) for _ in range(3)]
        slow = HeldBack(a, asyncio.Event(), asyncio.Event())
        first = asyncio.create_task(kind.write(slow, said(1, ANN, "first")))
        await slow.there.wait()
        second = asyncio.create_task(kind.write(b, said(thread, READER if thread == 1 else BOB, "second")))
        if kind.name in FREE or (thread == 2 and not kind.per_user):
            await second
        else:
            await somebody_waits(world)
        early = await kind.read(reader, READER, kind.begin([1, 2]))
        slow.go.set()
        ids = [*await first, *await second]
        late = await kind.read(reader, READER, early.cursor)
        found = [number for _, number in (*early.messages, *late.messages)]
        return sorted(ids), found


def in_both_worlds(body):
    @pytest.mark.parametrize("name", CURSORS)
    @pytest.mark.worlds
    def test(world, name):
        world.in_world(lambda there: body(there, CURSORS[name]))

    test.__doc__ = body.__doc__
    return test


@in_both_worlds
async def test_what_is_overtaken_in_its_thread_is_found_by_the_safe_ones(world, kind):
    stored, found = await overtaken(world, kind, thread=1)
    if kind.name == "message_id":
        assert found == stored[1:]  # the first is lost for good
    else:
        assert sorted(set(found)) == stored
        assert len(found) == len(stored) or kind.name == "overlap"


@in_both_worlds
async def test_what_is_overtaken_by_another_thread_is_found_by_all(world, kind):
    stored, found = await overtaken(world, kind, thread=2)
    assert sorted(set(found)) == stored


async def threads_by_now(reader, kind, cursor, known):
    """What threads a reader finds that it does not know, in its news or else in the list by id; and its cursor then."""
    if not kind.per_user:
        found, _ = await store.threads(reader, READER, max(known))
        return [thread.thread_id for thread in found], cursor
    found = await kind.read(reader, READER, cursor)
    return [*found.threads], found.cursor


async def create(tx, kind, other):
    """A private chat of the reader's, as it is in one transaction; returns its thread."""
    await tx.begin()
    thread = (await tx.execute("INSERT INTO chat_thread (type) VALUES ('private')")).last_id
    pair = "INSERT INTO private_chat (thread_id, user1_id, user2_id) VALUES (?, ?, ?)"
    await tx.execute(pair, (thread, READER, other))
    if kind.tell:
        await kind.tell(tx, thread, [READER, other], 0)
    await tx.commit()
    return thread


@in_both_worlds
async def test_a_thread_that_took_its_time_is_found_by_those_that_number_a_users_news(world, kind):
    await tables(world, kind)
    await add_users(world.admin, [CAT, DAN])
    async with world.database(3) as pool, pool.session() as a, pool.session() as b, pool.session() as reader:
        slow = HeldBack(a, asyncio.Event(), asyncio.Event())
        first = asyncio.create_task(create(slow, kind, CAT))
        await slow.there.wait()
        second = asyncio.create_task(create(b, kind, DAN))
        await (somebody_waits(world) if kind.per_user else second)
        early, cursor = await threads_by_now(reader, kind, kind.begin([1, 2]), {1, 2})
        slow.go.set()
        created = [await first, await second]
        late, _ = await threads_by_now(reader, kind, cursor, {1, 2, *early})
        assert created == [3, 4]
        assert (early, late) == (([], [3, 4]) if kind.per_user else ([4], []))  # by id, 3 is lost for good


@in_both_worlds
async def test_an_old_group_is_found_by_who_is_added_to_it_if_their_news_are_numbered(world, kind):
    await tables(world, kind)
    await insert(world.admin, "chat_thread (id, type)", [(3, "group"), (4, "private")])
    await insert(world.admin, "group_chat (thread_id, name)", [(3, "old")])
    await add_users(world.admin, [CAT])
    await insert(world.admin, "private_chat (thread_id, user1_id, user2_id)", [(4, READER, CAT)])
    async with world.database(1) as pool, pool.session() as tx:
        await tx.begin()
        await tx.execute("INSERT INTO group_chat_member (thread_id, user_id) VALUES (3, ?)", (READER,))
        if kind.tell:
            await kind.tell(tx, 3, [READER], 0)
        await tx.commit()
        found, _ = await threads_by_now(tx, kind, kind.begin([1, 2, 4]), {1, 2, 4})
        assert found == ([3] if kind.per_user else [])


@in_both_worlds
async def test_that_a_message_has_changed_is_told_by_those_that_number_a_users_news(world, kind):
    await tables(world, kind)
    async with world.database(1) as pool, pool.session(kind.isolation) as tx:
        (message,) = await kind.write(tx, said(1, ANN, "taken back"))
        seen = await kind.read(tx, READER, kind.begin([1, 2]))
        assert seen.messages == [(1, message)]
        await tx.begin()
        await tx.execute("UPDATE chat_message SET status = 2 WHERE message_id = ?", (message,))
        if kind.tell:
            await kind.tell(tx, 1, [READER, ANN], message)
        await tx.commit()
        found = await kind.read(tx, READER, seen.cursor)
        told = {"user_log": ([(1, message)], []), "user_version": ([(1, message)], [1])}
        told |= {"overlap": ([(1, message)], [])}
        assert (list(found.messages), list(found.threads)) == told.get(kind.name, ([], []))
        if kind.name != "overlap":
            again = await kind.read(tx, READER, found.cursor)
            assert (list(again.messages), list(again.threads)) == ([], [])


@in_both_worlds
async def test_of_two_changes_at_once_neither_is_missed_by_those_that_number_a_users_news(world, kind):
    if not kind.per_user:
        return
    await tables(world, kind)
    async with world.database(3) as pool, pool.session(kind.isolation) as a, pool.session(kind.isolation) as b:
        (first,) = await kind.write(a, said(1, ANN, "first"))
        (second,) = await kind.write(a, said(1, ANN, "second"))

        async def change(tx, message):
            await tx.begin()
            await kind.tell(tx, 1, [READER, ANN], message)
            await tx.commit()

        async with pool.session(kind.isolation) as reader:
            seen = await kind.read(reader, READER, kind.begin([1, 2]))
            slow = HeldBack(a, asyncio.Event(), asyncio.Event())
            one = asyncio.create_task(change(slow, second))
            await slow.there.wait()
            other = asyncio.create_task(change(b, first))
            await somebody_waits(world)
            early = await kind.read(reader, READER, seen.cursor)
            slow.go.set()
            await asyncio.gather(one, other)
            late = await kind.read(reader, READER, early.cursor)
            assert [*early.messages, *late.messages] == [(1, second), (1, first)]


@in_both_worlds
async def test_a_batch_is_found_once_in_its_order_and_nothing_is_new_then(world, kind):
    await tables(world, kind)
    async with world.database(1) as pool, pool.session(kind.isolation) as tx:
        texts = [OutgoingText(f"text {number}", f"name {number}") for number in range(5)]
        ids = await kind.write(tx, Batch(1, ANN, READER, texts))
        assert len(set(ids)) == 5
        found = await kind.read(tx, READER, kind.begin([1, 2]))
        assert found.messages == [(1, number) for number in sorted(ids)]
        if kind.name != "overlap":
            again = await kind.read(tx, READER, found.cursor)
            assert (list(again.messages), dict(again.cursor)) == ([], dict(found.cursor))


@in_both_worlds
async def test_a_reader_who_is_told_nothing_new_stays_where_it_is(world, kind):
    await tables(world, kind)
    async with world.database(1) as pool, pool.session(kind.isolation) as tx:
        begin = kind.begin([1, 2])
        found = await kind.read(tx, READER, begin)
        assert (list(found.messages), dict(found.cursor)) == ([], dict(begin))


def test_an_overlap_loses_what_is_overtaken_by_more_than_it_reads_again(model):
    async def body(world):
        kind = CURSORS["overlap"]
        await tables(world, kind)
        async with world.database(3) as pool, pool.session() as a, pool.session() as b, pool.session() as reader:
            slow = HeldBack(a, asyncio.Event(), asyncio.Event())
            first = asyncio.create_task(kind.write(slow, said(1, ANN, "first")))
            await slow.there.wait()
            for number in range(101):
                await kind.write(b, said(1, READER, f"later {number}"))
            early = await kind.read(reader, READER, kind.begin([1]))
            slow.go.set()
            (lost,) = await first
            late = await kind.read(reader, READER, early.cursor)
            assert lost not in [number for _, number in (*early.messages, *late.messages)]

    model.in_world(body)


def test_kinds_are_known_by_their_names():
    assert {name: kind.name for name, kind in CURSORS.items()} == {name: name for name in CURSORS}


def test_every_kind_says_what_it_bets_on_and_what_it_costs():
    assert all("eaders" in kind.bet or "reader" in kind.bet for kind in CURSORS.values())
    assert {kind.name for kind in CURSORS.values() if not kind.safe} == {"message_id", "overlap"}
