"""How friendships are stored: in one transaction, once, and in whatever order two transactions meet."""

import asyncio
import itertools

import pytest
from houses import ANN, BOB, in_both_worlds

from chatsim.chat.creation import STRATEGIES
from chatsim.chat.protocol import ErrorCode, OutgoingText
from chatsim.chat.server.refusal import RefusalError
from chatsim.chat.server.store import friends
from chatsim.chat.server.store.texts import TEXTS, Batch
from chatsim.db.errors import ConnectionLostError, DeadlockError, DuplicateKeyError, Kind, LockWaitTimeoutError
from chatsim.db.mysql import database_error
from chatsim.db.session import Isolation
from chatsim.worlds.loading import add_users, insert

BOTH = ("seed", "hardened")


async def applied(house, uid, to, *, greeting="hello", back="buddy"):
    into = "friend_apply (from_uid, to_uid, descs, back_name)"
    await insert(house.world.admin, into, [(uid, to, greeting, back)])


async def accepted(house, accepter, applicant, *, back="pal"):
    async with house.world.database(1) as pool, pool.session(Isolation.REPEATABLE_READ) as tx:
        return await friends.accept(tx, TEXTS[house.schema], accepter, applicant, back)


def accepting(house, accepter, applicant):
    async def accept(tx):
        return await friends.accept(tx, TEXTS[house.schema], accepter, applicant, f"{applicant}'s name")

    return accept


async def fresh_pairs(house):
    """Pairs of users that are in nothing yet."""
    for number in itertools.count(1):
        pair = (100 * number, 100 * number + 1)
        await add_users(house.world.admin, pair)
        yield pair


async def messages(house, thread):
    """Senders and contents, in order."""
    return await house.rows(
        "SELECT sender_id, content FROM chat_message WHERE thread_id = ? ORDER BY message_id", thread
    )


async def threads(house, one, other):
    found = await house.rows(
        "SELECT thread_id FROM private_chat WHERE user1_id IN (?, ?) AND user2_id IN (?, ?)", one, other, one, other
    )
    return [thread for (thread,) in found]


async def no_thread_is_without_its_pair(house):
    lonely = "SELECT t.id FROM chat_thread t LEFT JOIN private_chat p ON p.thread_id = t.id WHERE p.thread_id IS NULL"
    return await house.rows(lonely) == []


# --- applying


@in_both_worlds(BOTH)
async def test_a_second_application_renews_greeting_and_name_and_nothing_else(house):
    async with house.world.database(1) as pool, pool.session(Isolation.REPEATABLE_READ) as tx:
        await friends.apply(tx, ANN, BOB, "hello", "bob")
        await friends.apply(tx, ANN, BOB, "hello?", "robert")
    assert await house.rows("SELECT from_uid, to_uid, status, descs, back_name FROM friend_apply") == [
        (ANN, BOB, 0, "hello?", "robert")
    ]


# --- accepting


@pytest.mark.parametrize(("accepter", "applicant"), [(ANN, BOB), (BOB, ANN)])
@in_both_worlds(BOTH)
async def test_an_acceptance_makes_friends_of_both_a_thread_and_its_opening_messages(house, accepter, applicant):
    await applied(house, applicant, accepter)
    made = await accepted(house, accepter, applicant)
    assert await threads(house, ANN, BOB) == [made.thread]
    assert await house.rows("SELECT user1_id, user2_id FROM private_chat") == [(ANN, BOB)]
    assert sorted(await house.rows("SELECT self_id, friend_id, back FROM friend")) == sorted(
        [(accepter, applicant, "pal"), (applicant, accepter, "buddy")]
    )
    assert await house.rows("SELECT status FROM friend_apply") == [(1,)]
    assert await messages(house, made.thread) == [(applicant, "hello"), (accepter, friends.WELCOME)]
    assert [(each.sender, each.content) for each in made.opening] == await messages(house, made.thread)
    assert made.fresh == made.opening
    stored = await house.rows("SELECT message_id, status FROM chat_message ORDER BY message_id")
    assert [(each.message_id, each.status) for each in made.opening] == stored
    assert {status for _, status in stored} == {0}, "nobody has read it (G1, G2)"


@pytest.mark.parametrize("greeting", ["", None])
@in_both_worlds(BOTH)
async def test_who_has_not_greeted_has_said_nothing(house, greeting):
    await applied(house, BOB, ANN, greeting=greeting, back=None)
    made = await accepted(house, ANN, BOB)
    assert await messages(house, made.thread) == [(ANN, friends.WELCOME)]


@in_both_worlds(BOTH)
async def test_who_accepts_again_is_told_what_was_made_the_first_time(house):
    await applied(house, BOB, ANN)
    first = await accepted(house, ANN, BOB)
    before = await house.tables()
    again = await accepted(house, ANN, BOB, back="another name")
    assert (again.thread, again.fresh) == (first.thread, ())
    assert [each.message_id for each in again.opening] == [each.message_id for each in first.opening]
    assert await house.tables() == before


@in_both_worlds(BOTH)
async def test_nobody_is_accepted_who_has_not_applied(house):
    await applied(house, ANN, BOB)
    before = await house.tables()
    with pytest.raises(RefusalError, match="user 2 has not applied to user 1") as refusal:
        await accepted(house, ANN, BOB)
    assert refusal.value.code == ErrorCode.NO_APPLICATION
    assert await house.tables() == before


@in_both_worlds(BOTH)
async def test_who_talks_already_goes_on_in_the_same_thread(house):
    thread = await house.thread(ANN, BOB)
    psst = Batch(thread, ANN, BOB, [OutgoingText("psst", "u1")])
    await house.cluster.nodes[0].transact(lambda tx: TEXTS[house.schema].send(tx, psst, friends=False))
    await applied(house, BOB, ANN)
    assert (await accepted(house, ANN, BOB)).thread == thread
    assert await threads(house, ANN, BOB) == [thread]
    assert await messages(house, thread) == [(ANN, "psst"), (BOB, "hello"), (ANN, friends.WELCOME)]


@in_both_worlds(BOTH)
async def test_who_has_been_accepted_and_accepts_in_turn_goes_on_in_the_same_thread(house):
    await applied(house, BOB, ANN)
    await applied(house, ANN, BOB, greeting="hi")
    first = await accepted(house, ANN, BOB)
    second = await accepted(house, BOB, ANN)
    assert second.thread == first.thread
    assert [content for _, content in await messages(house, first.thread)] == [
        "hello",
        friends.WELCOME,
        "hi",
        friends.WELCOME,
    ]


@in_both_worlds(BOTH, retry="none")
async def test_an_acceptance_that_fails_at_any_of_its_round_trips_has_done_nothing(house):
    await applied(house, BOB, ANN)
    before = await house.tables()
    for at in itertools.count():
        spoiled = house.spoil(at, failure=database_error(1205, "too late"))
        accepting_it = house.cluster.nodes[0].transact(accepting(house, ANN, BOB))
        (made,) = await asyncio.gather(accepting_it, return_exceptions=True)
        if not spoiled.paced.stopped.is_set():
            break
        assert isinstance(made, LockWaitTimeoutError)
        assert await house.tables() == before, at
    assert at >= 5
    assert await threads(house, ANN, BOB) == [made.thread]


# --- two at once


@pytest.mark.parametrize("lower_first", [True, False])
@in_both_worlds(BOTH)
async def test_two_who_accept_each_other_are_friends_once_wherever_one_overtakes_the_other(house, lower_first):
    at = 0
    async for pair in fresh_pairs(house):
        one, other = pair if lower_first else reversed(pair)
        await applied(house, one, other, greeting="from one")
        await applied(house, other, one, greeting="from other")
        made, overtaken = await house.crossed(accepting(house, one, other), accepting(house, other, one), at)
        assert [each for each in made if isinstance(each, Exception)] == [], at
        (thread,) = await threads(house, one, other)
        assert [each.thread for each in made] == [thread, thread], at
        friendship = await house.rows("SELECT self_id, friend_id FROM friend WHERE self_id IN (?, ?)", one, other)
        assert sorted(friendship) == sorted([(one, other), (other, one)])
        said = await messages(house, thread)
        assert sorted(said) == sorted(
            [(one, "from one"), (other, "from other"), (one, friends.WELCOME), (other, friends.WELCOME)]
        ), at
        assert await house.rows("SELECT * FROM friend_apply WHERE status = 0") == []
        if not overtaken:
            break
        at += 1
    assert at >= 5
    assert await no_thread_is_without_its_pair(house)
    assert await house.world.deadlock() is None


_PAUSE_BETWEEN_THE_ROWS = """
    CREATE TRIGGER pause BEFORE INSERT ON friend FOR EACH ROW
    IF (@rows := IFNULL(@rows, 0) + 1) = 2 THEN SET @held = GET_LOCK('{0}', 60), @held = RELEASE_LOCK('{0}'); END IF"""
_AT_THE_GATE = "SELECT COUNT(*) FROM information_schema.processlist WHERE db = DATABASE() AND state = 'User lock'"


@pytest.mark.parametrize("lower_first", [True, False])
@in_both_worlds(worlds=["mysql"])
async def test_nor_do_two_deadlock_between_the_two_rows_that_make_them_friends(house, lower_first):
    """The rows are one statement's, so that it takes a trigger to come between them."""
    one, other = (ANN, BOB) if lower_first else (BOB, ANN)
    await applied(house, one, other)
    await applied(house, other, one)
    world, node = house.world, house.cluster.nodes[0]
    gate = f"{world.schema}.gate"
    await world.admin.execute(_PAUSE_BETWEEN_THE_ROWS.format(gate))
    await world.admin.execute("DO GET_LOCK(?, 0)", (gate,))
    both = [asyncio.create_task(node.transact(accepting(house, *pair))) for pair in ((one, other), (other, one))]
    while (await world.admin.execute(_AT_THE_GATE)).scalar() + await house.waiting() < 2:
        assert not any(task.done() for task in both)
    await world.admin.execute("DO RELEASE_LOCK(?)", (gate,))
    made = await asyncio.gather(*both)
    assert [each.thread for each in made] == await threads(house, ANN, BOB) * 2
    assert house.cluster.stats.refusals == {}


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


@in_both_worlds("seed")
async def test_as_the_source_does_it_two_who_accept_each_other_deadlock_or_have_a_thread_each(house):
    """T5 and T2: what the test above is to find, if it were there."""
    outcomes, at = set(), 0
    async for one, other in fresh_pairs(house):
        await applied(house, one, other)
        await applied(house, other, one)
        made, overtaken = await house.crossed(as_the_source_accepts(one, other), as_the_source_accepts(other, one), at)
        deadlocks = [each for each in made if isinstance(each, DeadlockError)]
        outcomes.add("deadlock" if deadlocks else f"{len(await threads(house, one, other))} threads")
        if not overtaken:
            break
        at += 1
    assert outcomes == {"deadlock", "2 threads"}


@pytest.mark.parametrize("accepter_first", [True, False])
@in_both_worlds(BOTH)
async def test_an_acceptance_and_a_chat_opened_meanwhile_share_a_thread_wherever_one_overtakes_the_other(
    house, accepter_first
):
    strategy, at, refused = STRATEGIES["one_round_trip"], 0, 0
    async for one, other in fresh_pairs(house):
        await applied(house, other, one)

        async def accept(tx, one=one, other=other):
            nonlocal refused
            try:
                return (await accepting(house, one, other)(tx)).thread
            except DuplicateKeyError:  # the thread of whom it met is committed: another try finds it
                refused += 1
                await tx.rollback()
                return (await accepting(house, one, other)(tx)).thread

        async def open_chat(tx, one=one, other=other):
            return await strategy(tx, other, one)

        both = (accept, open_chat) if accepter_first else (open_chat, accept)
        made, overtaken = await house.crossed(*both, at)
        assert made == [made[0]] * 2, at
        assert await threads(house, one, other) == [made[0]], at
        if not overtaken:
            break
        at += 1
    assert await no_thread_is_without_its_pair(house)
    assert refused or not accepter_first, "they did meet"


@in_both_worlds()
async def test_an_acceptance_whose_connection_is_lost_anywhere_is_made_once(house):
    """Also right behind its commit: the node tries again, and can't know."""
    at = 0
    async for one, other in fresh_pairs(house):
        await applied(house, other, one)
        spoiled = house.spoil(at, failure=ConnectionLostError(2013, "lost"), behind=True)
        made = await house.cluster.nodes[0].transact(accepting(house, one, other))
        assert await threads(house, one, other) == [made.thread]
        assert await messages(house, made.thread) == [(other, "hello"), (one, friends.WELCOME)], at
        if not spoiled.paced.stopped.is_set():
            break
        at += 1
    assert house.cluster.stats.refusals == {Kind.CONNECTION_LOST: at}
    assert at >= 5
