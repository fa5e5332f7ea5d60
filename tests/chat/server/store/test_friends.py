"""How friendships are stored: in one transaction, once, and in whatever order two transactions meet."""

import asyncio
import itertools

import pytest
from harness import ANN, BOB, in_both_worlds

from chatsim.chat.creation import STRATEGIES
from chatsim.chat.protocol import ErrorCode, OutgoingText
from chatsim.chat.server.refusal import RefusalError
from chatsim.chat.server.store import friends
from chatsim.chat.server.store.texts import TEXTS, Batch
from chatsim.db.errors import ConnectionLostError, DeadlockError, DuplicateKeyError, Kind, LockWaitTimeoutError
from chatsim.db.mysql import database_error
from chatsim.db.session import Isolation
from chatsim.worlds.loading import add_users, insert

BOTH = ("source", "hardened")


async def applied(harness, uid, to, *, greeting="hello", back="buddy"):
    into = "friend_apply (from_uid, to_uid, descs, back_name)"
    await insert(harness.world.admin, into, [(uid, to, greeting, back)])


async def accepted(harness, accepter, applicant, *, back="pal"):
    async with harness.world.database(1) as pool, pool.session(Isolation.REPEATABLE_READ) as tx:
        return await friends.accept(tx, TEXTS[harness.schema], accepter, applicant, back)


def accepting(harness, accepter, applicant):
    async def accept(tx):
        return await friends.accept(tx, TEXTS[harness.schema], accepter, applicant, f"{applicant}'s name")

    return accept


async def fresh_pairs(harness):
    """Pairs of users that are in nothing yet."""
    for number in itertools.count(1):
        pair = (100 * number, 100 * number + 1)
        await add_users(harness.world.admin, pair)
        yield pair


async def messages(harness, thread):
    """Senders and contents, in order."""
    return await harness.rows(
        "SELECT sender_id, content FROM chat_message WHERE thread_id = ? ORDER BY message_id", thread
    )


async def threads(harness, one, other):
    found = await harness.rows(
        "SELECT thread_id FROM private_chat WHERE user1_id IN (?, ?) AND user2_id IN (?, ?)", one, other, one, other
    )
    return [thread for (thread,) in found]


async def no_thread_is_without_its_pair(harness):
    lonely = "SELECT t.id FROM chat_thread t LEFT JOIN private_chat p ON p.thread_id = t.id WHERE p.thread_id IS NULL"
    return await harness.rows(lonely) == []


# --- applying


@in_both_worlds(BOTH)
async def test_a_second_application_renews_greeting_and_name_and_nothing_else(harness):
    async with harness.world.database(1) as pool, pool.session(Isolation.REPEATABLE_READ) as tx:
        assert await friends.apply(tx, ANN, BOB, "hello", "bob")
        for _ in range(2):  # MySQL counts no row if nothing changes
            assert not await friends.apply(tx, ANN, BOB, "hello?", "robert")
    assert await harness.rows("SELECT from_uid, to_uid, status, descs, back_name FROM friend_apply") == [
        (ANN, BOB, 0, "hello?", "robert")
    ]


# --- accepting


@pytest.mark.parametrize(("accepter", "applicant"), [(ANN, BOB), (BOB, ANN)])
@in_both_worlds(BOTH)
async def test_an_acceptance_makes_friends_of_both_a_thread_and_its_opening_messages(harness, accepter, applicant):
    await applied(harness, applicant, accepter)
    made = await accepted(harness, accepter, applicant)
    assert await threads(harness, ANN, BOB) == [made.thread]
    assert await harness.rows("SELECT user1_id, user2_id FROM private_chat") == [(ANN, BOB)]
    assert sorted(await harness.rows("SELECT self_id, friend_id, back FROM friend")) == sorted(
        [(accepter, applicant, "pal"), (applicant, accepter, "buddy")]
    )
    assert await harness.rows("SELECT status FROM friend_apply") == [(1,)]
    assert await messages(harness, made.thread) == [(applicant, "hello"), (accepter, friends.WELCOME)]
    assert [(each.sender, each.content) for each in made.opening] == await messages(harness, made.thread)
    assert made.fresh == made.opening
    stored = await harness.rows("SELECT message_id, status FROM chat_message ORDER BY message_id")
    assert [(each.message_id, each.status) for each in made.opening] == stored
    assert {status for _, status in stored} == {0}, "nobody has read it (G1, G2)"


@pytest.mark.parametrize("greeting", ["", None])
@in_both_worlds(BOTH)
async def test_who_has_not_greeted_has_said_nothing(harness, greeting):
    await applied(harness, BOB, ANN, greeting=greeting, back=None)
    made = await accepted(harness, ANN, BOB)
    assert await messages(harness, made.thread) == [(ANN, friends.WELCOME)]


@in_both_worlds(BOTH)
async def test_who_accepts_again_is_told_what_was_made_the_first_time(harness):
    await applied(harness, BOB, ANN)
    first = await accepted(harness, ANN, BOB)
    before = await harness.tables()
    again = await accepted(harness, ANN, BOB, back="another name")
    assert (again.thread, again.fresh) == (first.thread, ())
    assert [each.message_id for each in again.opening] == [each.message_id for each in first.opening]
    assert await harness.tables() == before


@in_both_worlds(BOTH)
async def test_nobody_is_accepted_who_has_not_applied(harness):
    await applied(harness, ANN, BOB)
    before = await harness.tables()
    with pytest.raises(RefusalError, match="user 2 has not applied to user 1") as refusal:
        await accepted(harness, ANN, BOB)
    assert refusal.value.code == ErrorCode.NO_APPLICATION
    assert await harness.tables() == before


@in_both_worlds(BOTH)
async def test_who_talks_already_goes_on_in_the_same_thread(harness):
    thread = await harness.thread(ANN, BOB)
    psst = Batch(thread, ANN, BOB, [OutgoingText("psst", "u1")])
    await harness.cluster.nodes[0].database.transact(
        ANN, lambda tx: TEXTS[harness.schema].send(tx, psst, friends=False)
    )
    await applied(harness, BOB, ANN)
    assert (await accepted(harness, ANN, BOB)).thread == thread
    assert await threads(harness, ANN, BOB) == [thread]
    assert await messages(harness, thread) == [(ANN, "psst"), (BOB, "hello"), (ANN, friends.WELCOME)]


@in_both_worlds(BOTH)
async def test_who_has_been_accepted_and_accepts_in_turn_goes_on_in_the_same_thread(harness):
    await applied(harness, BOB, ANN)
    await applied(harness, ANN, BOB, greeting="hi")
    first = await accepted(harness, ANN, BOB)
    second = await accepted(harness, BOB, ANN)
    assert second.thread == first.thread
    assert [content for _, content in await messages(harness, first.thread)] == [
        "hello",
        friends.WELCOME,
        "hi",
        friends.WELCOME,
    ]


@in_both_worlds(BOTH, retry="none")
async def test_an_acceptance_that_fails_at_any_of_its_round_trips_has_done_nothing(harness):
    await applied(harness, BOB, ANN)
    before = await harness.tables()
    for at in itertools.count():
        spoiled = harness.spoil(at, failure=database_error(1205, "too late"))
        accepting_it = harness.cluster.nodes[0].database.transact(ANN, accepting(harness, ANN, BOB))
        (made,) = await asyncio.gather(accepting_it, return_exceptions=True)
        if not spoiled.paused.stopped.is_set():
            break
        assert isinstance(made, LockWaitTimeoutError)
        assert await harness.tables() == before, at
    assert at >= 5
    assert await threads(harness, ANN, BOB) == [made.thread]


# --- two at once


@pytest.mark.parametrize("lower_first", [True, False])
@in_both_worlds(BOTH)
async def test_two_who_accept_each_other_are_friends_once_wherever_one_overtakes_the_other(harness, lower_first):
    at = 0
    async for pair in fresh_pairs(harness):
        one, other = pair if lower_first else reversed(pair)
        await applied(harness, one, other, greeting="from one")
        await applied(harness, other, one, greeting="from other")
        made, overtaken = await harness.crossed(accepting(harness, one, other), accepting(harness, other, one), at)
        assert [each for each in made if isinstance(each, Exception)] == [], at
        (thread,) = await threads(harness, one, other)
        assert [each.thread for each in made] == [thread, thread], at
        friendship = await harness.rows("SELECT self_id, friend_id FROM friend WHERE self_id IN (?, ?)", one, other)
        assert sorted(friendship) == sorted([(one, other), (other, one)])
        said = await messages(harness, thread)
        assert sorted(said) == sorted(
            [(one, "from one"), (other, "from other"), (one, friends.WELCOME), (other, friends.WELCOME)]
        ), at
        assert await harness.rows("SELECT * FROM friend_apply WHERE status = 0") == []
        if not overtaken:
            break
        at += 1
    assert at >= 5
    assert await no_thread_is_without_its_pair(harness)
    assert await harness.world.deadlock() is None


_PAUSE_BETWEEN_THE_ROWS = """
    CREATE TRIGGER pause BEFORE INSERT ON friend FOR EACH ROW
    IF (@rows := IFNULL(@rows, 0) + 1) = 2 THEN SET @held = GET_LOCK('{0}', 60), @held = RELEASE_LOCK('{0}'); END IF"""
_AT_THE_GATE = "SELECT COUNT(*) FROM information_schema.processlist WHERE db = DATABASE() AND state = 'User lock'"


@pytest.mark.parametrize("lower_first", [True, False])
@in_both_worlds(worlds=["mysql"])
async def test_nor_do_two_deadlock_between_the_two_rows_that_make_them_friends(harness, lower_first):
    """The rows are one statement's, so that it takes a trigger to come between them."""
    one, other = (ANN, BOB) if lower_first else (BOB, ANN)
    await applied(harness, one, other)
    await applied(harness, other, one)
    world, node = harness.world, harness.cluster.nodes[0]
    gate = f"{world.schema}.gate"
    await world.admin.execute(_PAUSE_BETWEEN_THE_ROWS.format(gate))
    await world.admin.execute("DO GET_LOCK(?, 0)", (gate,))
    both = [
        asyncio.create_task(node.database.transact(pair[0], accepting(harness, *pair)))
        for pair in ((one, other), (other, one))
    ]
    while (await world.admin.execute(_AT_THE_GATE)).scalar() + await harness.waiting() < 2:
        assert not any(task.done() for task in both)
    await world.admin.execute("DO RELEASE_LOCK(?)", (gate,))
    made = await asyncio.gather(*both)
    assert [each.thread for each in made] == await threads(harness, ANN, BOB) * 2
    assert harness.cluster.stats.refusals == {}


def as_the_source_accepts(accepter, applicant):
    """D4 of docs/source.md: the friend's rows in the order of who accepts, the pair as it comes."""

    async def accept(tx):
        await tx.begin(Isolation.REPEATABLE_READ)
        await tx.execute(
            "SELECT back_name, descs FROM friend_apply WHERE from_uid = ? AND to_uid = ? FOR UPDATE",
            (applicant, accepter),
        )
        await tx.execute("UPDATE friend_apply SET status = 1 WHERE from_uid = ? AND to_uid = ?", (applicant, accepter))
        for one, other in ((accepter, applicant), (applicant, accepter)):
            await tx.execute("INSERT IGNORE INTO friend (self_id, friend_id, back) VALUES (?, ?, '')", (one, other))
        thread = (await tx.execute("INSERT INTO chat_thread (type, created_at) VALUES ('private', NOW())")).last_id
        await tx.execute(
            "INSERT INTO private_chat (thread_id, user1_id, user2_id) VALUES (?, ?, ?)", (thread, accepter, applicant)
        )
        await tx.commit()
        return thread

    return accept


@in_both_worlds("source")
async def test_as_the_source_does_it_two_who_accept_each_other_deadlock_or_have_a_thread_each(harness):
    """T5 and T2: what the test above is to find, if it were there."""
    outcomes, at = set(), 0
    async for one, other in fresh_pairs(harness):
        await applied(harness, one, other)
        await applied(harness, other, one)
        made, overtaken = await harness.crossed(
            as_the_source_accepts(one, other), as_the_source_accepts(other, one), at
        )
        deadlocks = [each for each in made if isinstance(each, DeadlockError)]
        outcomes.add("deadlock" if deadlocks else f"{len(await threads(harness, one, other))} threads")
        if not overtaken:
            break
        at += 1
    assert outcomes == {"deadlock", "2 threads"}


@pytest.mark.parametrize("accepter_first", [True, False])
@in_both_worlds(BOTH)
async def test_an_acceptance_and_a_chat_opened_meanwhile_share_a_thread_wherever_one_overtakes_the_other(
    harness, accepter_first
):
    strategy, at, refused = STRATEGIES["one_round_trip"], 0, 0
    async for one, other in fresh_pairs(harness):
        await applied(harness, other, one)

        async def accept(tx, one=one, other=other):
            nonlocal refused
            try:
                return (await accepting(harness, one, other)(tx)).thread
            except DuplicateKeyError:  # the thread of whom it met is committed: another try finds it
                refused += 1
                await tx.rollback()
                return (await accepting(harness, one, other)(tx)).thread

        async def open_chat(tx, one=one, other=other):
            return await strategy(tx, other, one)

        both = (accept, open_chat) if accepter_first else (open_chat, accept)
        made, overtaken = await harness.crossed(*both, at)
        assert made == [made[0]] * 2, at
        assert await threads(harness, one, other) == [made[0]], at
        if not overtaken:
            break
        at += 1
    assert await no_thread_is_without_its_pair(harness)
    assert refused or not accepter_first, "they did meet"


@in_both_worlds()
async def test_an_acceptance_whose_connection_is_lost_anywhere_is_made_once(harness):
    """Also right behind its commit: the node tries again, and can't know."""
    at = 0
    async for one, other in fresh_pairs(harness):
        await applied(harness, other, one)
        spoiled = harness.spoil(at, failure=ConnectionLostError(2013, "lost"), behind=True)
        made = await harness.cluster.nodes[0].database.transact(one, accepting(harness, one, other))
        assert await threads(harness, one, other) == [made.thread]
        assert await messages(harness, made.thread) == [(other, "hello"), (one, friends.WELCOME)], at
        if not spoiled.paused.stopped.is_set():
            break
        at += 1
    assert harness.cluster.stats.refusals == {Kind.CONNECTION_LOST: at}
    assert at >= 5
