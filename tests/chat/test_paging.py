"""Ways to page: whatever the list and the page, each entry once and in order; in both worlds, the same SQL."""

import asyncio
from contextlib import asynccontextmanager

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chatsim.chat.paging import DEFAULTS, STRATEGIES, named
from chatsim.chat.paging.strategy import Page, page_of, paging_strategy
from chatsim.chat.server.store.threads import written
from chatsim.chat.strategies import StrategyError, UnknownStrategyError
from chatsim.db.errors import DatabaseError
from chatsim.db.mysql import database_error
from chatsim.worlds.loading import add_users, insert
from chatsim.worlds.model.settings import Model
from chatsim.worlds.mysql.settings import Servers
from chatsim.worlds.mysql.world import MySQLWorld

ME, THREAD = 50, 1
ALL = [strategy for of_what in STRATEGIES.values() for strategy in of_what.values()]
EXACT = [strategy for strategy in ALL if strategy.name != "by_time"]


def names(strategies):
    return [f"{each.what}-{each.name}" for each in strategies]


@asynccontextmanager
async def reading(world):
    async with world.database(1) as database, database.session() as tx:
        yield tx


@pytest.fixture(scope="module")
def on_mysql(mysql_url):
    """As `in_the_model`, on a server: the tables are made once, and emptied after each body."""
    with asyncio.Runner() as runner:
        world = MySQLWorld(Servers(mysql_url=mysql_url))
        runner.run(world.__aenter__())
        runner.run(world.install("hardened"))

        async def main(body):
            async with reading(world) as tx:
                await body(world.admin, tx)
            await empty(world.admin)

        yield lambda body: runner.run(main(body))
        runner.run(world.__aexit__())


def in_the_model(body):
    async def main(world):
        await world.install("hardened")
        async with reading(world) as tx:
            return await body(world.admin, tx)

    return Model().run(main, seed=1)


@pytest.fixture(params=["mysql", "model"])
def play(request):
    """Runs ``body(admin, tx)`` on the hardened tables of a world."""
    if request.param == "mysql":
        return request.getfixturevalue("on_mysql")
    return in_the_model


async def make_threads(admin, threads):
    """Threads of `ME`, given as (id, kind, activity); kind says whose id is lower, or that it is a group."""
    partners = [1 + at for at in range(len(threads))], [100 + at for at in range(len(threads))]
    await add_users(admin, [ME, *partners[0], *partners[1]])
    kinds = {thread: kind for thread, kind, _ in threads}
    rows = [
        (thread, "group" if kind == "group" else "private", thread if active else 0) for thread, kind, active in threads
    ]
    await insert(admin, "chat_thread (id, type, last_message_id)", rows)
    pairs = [
        (thread, *((low, ME) if kinds[thread] == "below" else (ME, high)))
        for (thread, kind, _), low, high in zip(threads, *partners, strict=True)
        if kind != "group"
    ]
    await insert(admin, "private_chat (thread_id, user1_id, user2_id)", pairs)
    members = [(thread, ME) for thread, kind, _ in threads if kind == "group"]
    await insert(admin, "group_chat_member (thread_id, user_id)", members)
    spoken = [(thread, thread, 1, ME, f"in {thread}") for thread, _, active in threads if active]
    await insert(admin, "chat_message (message_id, thread_id, seq, sender_id, content)", spoken)
    await insert(admin, "user_version (user_id, version)", [(ME, 1_000)])
    rows = [(ME, thread, active or 1, active) for thread, _, active in threads]
    await insert(admin, "user_thread (user_id, thread_id, version, activity)", rows)


async def make_history(admin, messages):
    """Messages of `THREAD`, given as (id, second)."""
    await add_users(admin, [ME])
    await insert(admin, "chat_thread (id, type)", [(THREAD, "private")])
    rows = [
        (number, THREAD, seq, ME, f"said {number}", f"2024-05-06 07:00:{second:02}")
        for seq, (number, second) in enumerate(messages, start=1)
    ]
    await insert(admin, "chat_message (message_id, thread_id, seq, sender_id, content, created_at)", rows)


async def empty(admin):
    for table in ("user_thread", "user_version", "chat_message", "group_chat_member", "private_chat"):
        await admin.execute(f"DELETE FROM {table}")
    await admin.execute("DELETE FROM chat_thread")
    await admin.execute("DELETE FROM user")


async def pages(strategy, tx, size, *, between=None):
    """The pages from the first to the last, and what ``between`` does after each but the last."""
    found, cursor = [], None
    of = ME if strategy.what == "threads" else THREAD
    while True:
        page = await page_of(strategy, tx, of, cursor, size)
        found.append(page)
        cursor = page.cursor
        if not page.more:
            return found
        assert len(found) < 1_000
        if between is not None:
            await between(len(found))


def ids(pages):
    return [row[0] for page in pages for row in page.rows]


# --- any list, any page


THREADS = st.lists(
    st.tuples(st.integers(1, 10_000), st.sampled_from(["below", "above", "group"]), st.booleans()),
    max_size=25,
    unique_by=lambda each: each[0],
)
MESSAGES = st.lists(st.tuples(st.integers(1, 10_000), st.integers(0, 5)), max_size=25, unique_by=lambda each: each[0])


def expected(strategy, entries):
    """The naive list: sorted in Python."""
    if strategy.order == "activity":
        return [entry[0] for entry in sorted(entries, key=lambda each: (-each[2], each[0]))]
    if strategy.order == "time":
        return [number for number, _ in sorted(entries, key=lambda each: (each[1], each[0]))]
    return sorted((entry[0] for entry in entries), reverse=strategy.order == "newest")


async def reads_as_a_naive_list(strategy, admin, tx, entries, size):
    make = make_threads if strategy.what == "threads" else make_history
    await make(admin, entries)
    found = await pages(strategy, tx, size)
    assert ids(found) == expected(strategy, entries)
    assert all(len(page.rows) == size for page in found[:-1])
    # one row was read ahead: nobody is sent for a page that has nothing
    assert len(found) == max(1, -(-len(entries) // size))


def entries_of(strategy, data):
    if strategy.what == "history":
        return data.draw(MESSAGES)
    drawn = data.draw(THREADS)
    order = data.draw(st.permutations(range(1, len(drawn) + 1)))
    return [(thread, kind, active and at) for (thread, kind, active), at in zip(drawn, order, strict=True)]


@pytest.mark.parametrize("strategy", EXACT, ids=names(EXACT))
@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), size=st.integers(1, 12))
def test_page_by_page_a_list_is_what_it_is_sorted_at_once(strategy, data, size):
    entries = entries_of(strategy, data)
    in_the_model(lambda admin, tx: reads_as_a_naive_list(strategy, admin, tx, entries, size))


@pytest.mark.parametrize("size", [1, 7, 8, 100])
def test_on_a_server_too(on_mysql, size):
    threads = [
        (thread, ("below", "above", "group")[thread % 3], thread * 7 % 23 if thread % 4 else 0)
        for thread in range(1, 23)
    ]
    messages = [(number * 3, number // 4) for number in range(1, 23)]

    async def body(admin, tx):
        for strategy in EXACT:
            entries = threads if strategy.what == "threads" else messages
            await reads_as_a_naive_list(strategy, admin, tx, entries, size)
            await empty(admin)

    on_mysql(body)


def test_an_empty_list_is_one_page_without_entries(play):
    async def body(admin, tx):
        for strategy in ALL:
            (page,) = await pages(strategy, tx, 10)
            assert (list(page.rows), page.more) == ([], False)

    play(body)


# --- what an entry says


def test_threads_are_told_with_their_kind_and_their_two_users_and_a_group_has_none(play):
    async def body(admin, tx):
        await make_threads(admin, [(3, "below", 0), (4, "above", 0), (5, "group", 0)])
        for name in ("source_cte", "offset", "union_limited", "three_ranges"):
            (page,) = await pages(STRATEGIES["threads"][name], tx, 10)
            told = [(thread, kind, int(low), int(high)) for thread, kind, low, high in page.rows]
            assert told == [(3, "private", 1, ME), (4, "private", ME, 101), (5, "group", 0, 0)]

    play(body)


def test_by_activity_a_thread_has_its_last_message_and_how_many_are_unread(play):
    async def body(admin, tx):
        await make_threads(admin, [(3, "below", 7), (4, "group", 0)])
        await admin.execute("UPDATE user_thread SET unread = 2 WHERE thread_id = 3")
        (page,) = await pages(STRATEGIES["threads"]["by_activity"], tx, 10)
        (spoken, silent) = page.rows
        assert spoken[:5] == (3, "private", 7, 2, "in 3")
        assert silent == (4, "group", 0, 0, None, None)

    play(body)


def test_a_message_is_told_with_sender_content_and_time(play):
    async def body(admin, tx):
        await make_history(admin, [(9, 5)])
        for strategy in STRATEGIES["history"].values():
            (page,) = await pages(strategy, tx, 10)
            assert list(page.rows) == [(9, ME, "said 9", "2024-05-06 07:00:05")]

    play(body)


# --- the defects


def test_by_time_skips_what_shares_a_second_with_the_end_of_a_page(play):
    async def body(admin, tx):
        await make_history(admin, [(1, 0), (2, 1), (3, 1), (4, 1), (5, 2)])
        by_time, by_time_and_id = (STRATEGIES["history"][name] for name in ("by_time", "by_time_and_id"))
        assert ids(await pages(by_time, tx, 2)) == [1, 2, 5]
        assert ids(await pages(by_time_and_id, tx, 2)) == [1, 2, 3, 4, 5]

    play(body)


def test_by_offset_a_message_that_comes_shows_one_again(play):
    async def body(admin, tx):
        await make_history(admin, [(number, 0) for number in range(1, 6)])

        async def somebody_writes(page):
            await admin.execute(
                "INSERT INTO chat_message (message_id, thread_id, seq, sender_id, content) VALUES (?, ?, ?, ?, 'new')",
                (100 + page, THREAD, 100 + page, ME),
            )

        offset, newest = (STRATEGIES["history"][name] for name in ("offset", "keyset_newest_first"))
        assert ids(await pages(offset, tx, 2, between=somebody_writes))[:4] == [5, 4, 4, 3]
        await admin.execute("DELETE FROM chat_message WHERE message_id > 100")
        assert ids(await pages(newest, tx, 2, between=somebody_writes)) == [5, 4, 3, 2, 1]

    play(body)


def test_by_offset_a_thread_that_goes_has_another_skipped(play):
    async def body(admin, tx):
        await make_threads(admin, [(thread, "group", 0) for thread in range(1, 7)])

        async def one_is_left(page):
            await admin.execute("DELETE FROM group_chat_member WHERE thread_id = ?", (page,))

        assert ids(await pages(STRATEGIES["threads"]["offset"], tx, 2, between=one_is_left)) == [1, 2, 4, 5]

    play(body)


# --- by activity, while threads move


async def spoken_in(admin, thread):
    sql, args = written(thread, [ME], ME, 1)
    await admin.script(f"BEGIN; {sql}; COMMIT", args)


def test_by_activity_a_thread_that_moves_up_before_it_was_reached_comes_at_the_end(play):
    async def body(admin, tx):
        await make_threads(admin, [(thread, "group", thread) for thread in range(1, 7)])

        async def the_lowest_moves(page):
            if page == 1:
                await spoken_in(admin, 1)

        assert ids(await pages(STRATEGIES["threads"]["by_activity"], tx, 2, between=the_lowest_moves)) == [
            *(6, 5, 4, 3, 2),
            1,
        ]

    play(body)


def test_by_activity_a_thread_that_moves_up_when_it_has_been_shown_is_not_shown_again(play):
    async def body(admin, tx):
        await make_threads(admin, [(thread, "group", thread) for thread in range(1, 7)])

        async def the_shown_move(page):
            for thread in (6, 5, 5):
                await spoken_in(admin, thread)

        assert ids(await pages(STRATEGIES["threads"]["by_activity"], tx, 2, between=the_shown_move)) == [
            *(6, 5, 4, 3, 2, 1),
        ]

    play(body)


def test_by_activity_the_first_message_of_a_thread_does_not_hide_it(play):
    async def body(admin, tx):
        await make_threads(admin, [(thread, "group", 0) for thread in range(1, 7)])

        async def the_last_one_speaks(page):
            await spoken_in(admin, 6)

        assert ids(await pages(STRATEGIES["threads"]["by_activity"], tx, 2, between=the_last_one_speaks)) == [
            *(1, 2, 3, 4, 5),
            6,
        ]

    play(body)


@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow])
@given(
    active=st.lists(st.booleans(), min_size=1, max_size=12),
    moves=st.lists(st.lists(st.integers(1, 12), max_size=4), max_size=8),
    size=st.integers(1, 5),
)
def test_by_activity_whatever_moves_when_each_thread_is_shown_once(active, moves, size):
    threads = [(at, "group", at if spoken else 0) for at, spoken in enumerate(active, start=1)]

    async def body(admin, tx):
        await make_threads(admin, threads)

        async def some_move(page):
            for thread in moves[page - 1] if page <= len(moves) else ():
                if thread <= len(threads):
                    await spoken_in(admin, thread)

        found = ids(await pages(STRATEGIES["threads"]["by_activity"], tx, size, between=some_move))
        assert sorted(found) == [thread for thread, *_ in threads]

    in_the_model(body)


def test_who_has_read_to_the_end_by_activity_and_asks_on_gets_what_has_come_since(play):
    async def body(admin, tx):
        await make_threads(admin, [(1, "group", 1), (2, "group", 2)])
        by_activity = STRATEGIES["threads"]["by_activity"]
        (page,) = await pages(by_activity, tx, 10)
        await insert(admin, "chat_thread (id, type)", [(3, "group")])
        await spoken_in(admin, 3)
        assert [row[0] for row in (await by_activity(tx, ME, page.cursor, 10)).rows] == [3]

    play(body)


# --- names, and strategies of one's own


def test_each_says_what_it_bets_on_and_nodes_use_one_of_each():
    assert all(each.bet.startswith("Bets ") for each in ALL)
    assert {what: each.name for what, each in DEFAULTS.items()} == {"threads": "three_ranges", "history": "keyset"}


def test_strategies_are_found_by_name_one_or_many():
    assert [each.name for each in named("history", "keyset, by_time")] == ["keyset", "by_time"]
    assert named("threads", "all") == [*STRATEGIES["threads"].values()]
    assert named("history", STRATEGIES["history"]["keyset"]) == [STRATEGIES["history"]["keyset"]]


@pytest.mark.parametrize(
    ("what", "strategies", "said"),
    [
        ("friends", "all", "unknown list 'friends'; there are: threads, history"),
        (
            "threads",
            "keyset",
            f"unknown paging strategy 'keyset' of threads; there are: {', '.join(STRATEGIES['threads'])}",
        ),
        ("threads", [STRATEGIES["history"]["keyset"]], "strategy 'keyset' pages history, not threads"),
        ("threads", [len], "'len' is no strategy yet; put @chatsim.paging_strategy(\"threads\") above its function"),
    ],
)
def test_a_strategy_that_is_not_there_is_named(what, strategies, said):
    with pytest.raises(UnknownStrategyError) as raised:
        named(what, strategies)
    assert str(raised.value) == said


def test_a_strategy_is_made_of_a_coroutine_function():
    @paging_strategy("history", order="newest")
    async def mine(tx, of, cursor, size):
        """Bets on nothing."""
        return Page([], cursor, more=False)

    assert (mine.name, mine.what, mine.order, mine.bet) == ("mine", "history", "newest", "Bets on nothing.")
    with pytest.raises(TypeError, match="a paging strategy is an 'async def'"):
        paging_strategy("history")(len)
    with pytest.raises(ValueError, match="unknown order 'backwards'; there are: id, newest, time, activity"):
        paging_strategy("history", order="backwards")
    with pytest.raises(ValueError, match="unknown list 'friends'; there are: threads, history"):
        paging_strategy("friends")


def no_cursor():
    return {}["cursor"]


NO_CURSOR = f"({__file__}, line {no_cursor.__code__.co_firstlineno + 1}: " + 'return {}["cursor"])'


@pytest.mark.parametrize(
    ("gives", "said"),
    [
        (lambda: None, "returned None, which is no Page"),
        (lambda: Page([(1,), (2,), (3,)], 3, more=False), "returned 3 entries in a page of 2"),
        (no_cursor, "raised KeyError: 'cursor' " + NO_CURSOR),
    ],
)
async def test_a_broken_strategy_is_said_to_be_that(gives, said):
    @paging_strategy("history")
    async def mine(tx, of, cursor, size):
        return gives()

    with pytest.raises(StrategyError) as raised:
        await page_of(mine, None, 1, None, 2)
    assert str(raised.value) == f"strategy 'mine' {said}"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (asyncio.CancelledError(), "raised CancelledError"),
        (SystemExit(1), "raised SystemExit: 1"),
        (KeyboardInterrupt(), "raised KeyboardInterrupt"),
        (
            database_error(1146, "Table 'nothing' doesn't exist"),
            "has a wrong statement, error 1146: Table 'nothing' do",
        ),
    ],
)
async def test_what_no_reader_waits_for_is_an_error_of_the_strategy(error, said):
    @paging_strategy("history")
    async def mine(tx, of, cursor, size):
        raise error

    with pytest.raises(StrategyError, match=f"^strategy 'mine' {said}"):
        await page_of(mine, None, 1, None, 2)


async def test_what_the_database_refuses_is_its_own_error():
    @paging_strategy("history")
    async def mine(tx, of, cursor, size):
        raise database_error(1205, "Lock wait timeout exceeded")

    with pytest.raises(DatabaseError, match="1205"):
        await page_of(mine, None, 1, None, 2)


def test_the_decorator_without_parentheses_names_the_function():
    with pytest.raises(TypeError, match=r'^write @chatsim\.paging_strategy\("threads"\) above .mine., with'):

        @paging_strategy
        async def mine(tx, of, cursor, size):
            return None
