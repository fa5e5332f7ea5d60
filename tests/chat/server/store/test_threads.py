"""What happens to a user's threads, noted in whatever order transactions meet."""

from functools import partial

import pytest
from harness import ANN, in_both_worlds

from chatsim.chat.protocol import OutgoingText
from chatsim.chat.server.store import threads as store
from chatsim.chat.server.store.texts import TEXTS, Batch
from chatsim.worlds.loading import add_users, insert


def joining(thread, other):
    """Who opens a chat second may write into it before the first has told its members of it."""
    return partial(store.joined, thread=thread, users=(ANN, other))


def writing(thread, other):
    batch = Batch(thread, other, ANN, [OutgoingText("hello", f"{thread}")])
    return partial(TEXTS["hardened"].send, batch=batch, friends=False)


def reading(thread, other):
    return partial(store.mark_read, thread=thread, uid=ANN, seq=1)


def reading_too(thread, other):
    return partial(store.mark_read, thread=thread, uid=other, seq=1)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        *((joining, writing), (writing, joining), (joining, joining), (reading, writing), (writing, reading)),
        *((reading, reading), (reading, reading_too), (writing, writing)),
    ],
)
@in_both_worlds()
async def test_nobody_deadlocks_over_a_thread_wherever_one_overtakes_the_other(harness, first, second):
    at, overtaken = 0, True
    while overtaken:
        other = 100 + at
        await add_users(harness.world.admin, [other])
        thread = (await harness.world.admin.execute("INSERT INTO chat_thread (type) VALUES ('private')")).last_id
        await insert(harness.world.admin, "private_chat (thread_id, user1_id, user2_id)", [(thread, ANN, other)])
        if joining not in (first, second):
            await harness.cluster.nodes[0].database.transact(other, joining(thread, other))
        if reading in (first, second):
            batch = Batch(thread, other, ANN, [OutgoingText("read me", f"{thread} first")])
            await harness.cluster.nodes[0].database.transact(
                other, partial(TEXTS["hardened"].send, batch=batch, friends=False)
            )
        done, overtaken = await harness.crossed(first(thread, other), second(thread, other), at)
        assert [each for each in done if isinstance(each, Exception)] == [], at
        versions = await harness.rows("SELECT user_id, version FROM user_version WHERE user_id IN (?, ?)", ANN, other)
        newest = await harness.rows(
            "SELECT user_id, MAX(version) FROM user_thread WHERE user_id IN (?, ?) GROUP BY user_id", ANN, other
        )
        assert sorted(versions) == sorted(newest), at
        at += 1
    assert at > 1


@in_both_worlds()
async def test_what_is_unread_is_counted_whichever_of_reading_and_writing_overtakes_the_other(harness):
    at, overtaken = 0, True
    while overtaken:
        other = 100 + at
        await add_users(harness.world.admin, [other])
        thread = await harness.thread(ANN, other)
        batch = Batch(thread, other, ANN, [OutgoingText("read me", f"{thread} first")])
        await harness.cluster.nodes[0].database.transact(
            other, partial(TEXTS["hardened"].send, batch=batch, friends=False)
        )
        _, overtaken = await harness.crossed(reading(thread, other), writing(thread, other), at)
        state = "SELECT read_seq, unread FROM user_thread WHERE user_id = ? AND thread_id = ?"
        assert await harness.rows(state, ANN, thread) == [(1, 1)], at
        at += 1
    assert at > 1
