"""Recalls and edits, as devices see them: whoever has the message learns of it, others get it as it is."""

import asyncio

import pytest
from harness import ANN, BOB, CAT, DAN, in_both_worlds

from chatsim.chat.protocol import ErrorCode, OutgoingText
from chatsim.chat.server.refusal import RefusalError
from chatsim.chat.server.store import revisions, threads
from chatsim.chat.server.store.texts import TEXTS, Batch
from chatsim.db.errors import ConnectionLostError
from chatsim.worlds.loading import insert

BOTH = ("source", "hardened")
ROUND_TRIPS = 2  # of a change: a look, with the lock; then the change, with the commit
STORED = "SELECT content, status, revision FROM chat_message ORDER BY seq"
CHANGED = "SELECT content, status FROM chat_message ORDER BY message_id"


async def said(device, thread, receiver, *contents):
    """Send texts; returns their message ids."""
    batch = [{"content": content, "unique_id": content} for content in contents]
    reply = await device.ask(1017, {"fromuid": device.uid, "touid": receiver, "thread_id": thread, "text_array": batch})
    return [each["message_id"] for each in reply["chat_datas"]]


async def talked(harness, *contents):
    """Ann's texts to Bob, and devices of both that have heard of them."""
    thread = await harness.talking(ANN, BOB)
    ann, bob = await harness.log_in(ANN, feed=True), await harness.log_in(BOB, feed=True)
    ids = await said(ann, thread, BOB, *contents)
    await harness.settled()
    for device in (ann, bob):
        await device.notices()
    return thread, ids, ann, bob


async def older(harness, seconds):
    """Make all messages older, as the database's clock says."""
    await harness.world.admin.execute(
        "UPDATE chat_message SET created_at = created_at - INTERVAL ? SECOND, updated_at = updated_at", (seconds,)
    )


def recall(thread, message):
    return 1131, {"thread_id": thread, "message_id": message}


def edit(thread, message, content):
    return 1133, {"thread_id": thread, "message_id": message, "content": content}


# --- what a change does


@in_both_worlds(BOTH)
async def test_a_recalled_message_has_no_content_any_more_for_anybody(harness):
    thread, (first, second), ann, bob = await talked(harness, "a", "b")
    assert await ann.ask(*recall(thread, first)) == {"error": 0}
    assert await harness.rows(CHANGED) == [("", 2), ("b", 0)]
    await harness.settled()
    for device in (ann, bob):
        ((number, notice),) = await device.notices()
        assert (number, notice["thread_id"]) == (1135, thread)
        ((text),) = notice["texts"]
        assert (text["message_id"], text["sender"], text["content"], text["status"]) == (first, ANN, "", 2)
        assert text.get("revision") == (1 if harness.schema == "hardened" else None)
    history = await bob.ask(1029, {"thread_id": thread, "message_id": 0})
    assert [(each["msg_id"], each["msg_content"]) for each in history["chat_datas"]] == [(first, ""), (second, "b")]


@in_both_worlds(BOTH)
async def test_an_edited_text_has_its_last_content(harness):
    thread, (first,), ann, bob = await talked(harness, "a")
    for content in ("b", "c"):
        assert await ann.ask(*edit(thread, first, content)) == {"error": 0}
    assert await harness.rows(CHANGED) == [("c", 0)]
    await harness.settled()
    heard = [(number, notice["texts"][0]["content"]) for number, notice in await bob.notices()]
    assert heard == [(1135, "b"), (1135, "c")]


@in_both_worlds(nodes=2)
async def test_all_devices_with_a_feed_are_told_on_every_node_and_no_others(harness):
    thread, (first,), ann, _ = await talked(harness, "a")
    devices = [await harness.log_in(uid, node, feed=True) for uid in (ANN, BOB) for node in (0, 1)]
    the_sources = await harness.log_in(BOB)
    cat = await harness.log_in(CAT, feed=True)
    await ann.ask(*recall(thread, first))
    await harness.settled()
    for device in devices:
        assert [number for number, _ in await device.notices()] == [1135]
    assert await the_sources.notices() == [], "it would take it for another message"
    assert await cat.notices() == []


@in_both_worlds()
async def test_a_change_moves_the_version_of_both_and_neither_the_order_of_their_lists_nor_what_is_unread(harness):
    thread, (first,), ann, bob = await talked(harness, "a")
    state = "SELECT version, activity, unread, read_seq FROM user_thread WHERE user_id = ?"
    before = [(await harness.rows(state, uid))[0] for uid in (ANN, BOB)]
    await ann.ask(*recall(thread, first))
    after = [(await harness.rows(state, uid))[0] for uid in (ANN, BOB)]
    assert after == [(version + 1, *rest) for version, *rest in before]
    (told,) = (await bob.ask(1103, {"since": before[1][0], "before": 0}))["threads"]
    assert (told["thread_id"], told["last_revision"], told["unread"]) == (thread, 1, 1)


@in_both_worlds()
async def test_a_request_that_is_repeated_changes_nothing_twice_and_is_told_to_nobody(harness):
    thread, (first, second), ann, bob = await talked(harness, "a", "b")
    for request in (recall(thread, first), edit(thread, second, "c")):
        assert await ann.ask(*request) == {"error": 0}
        await harness.settled()
        await bob.notices()
        before = await harness.tables()
        assert await ann.ask(*request) == {"error": 0}
        await harness.settled()
        assert await harness.tables() == before
        assert await bob.notices() == []


@pytest.mark.parametrize("at", range(ROUND_TRIPS))
@pytest.mark.parametrize("behind", [False, True])
@in_both_worlds(BOTH)
async def test_when_the_node_tries_again_the_change_is_made_once_and_told_at_least_once(harness, at, behind):
    thread, (first,), ann, bob = await talked(harness, "a")
    harness.spoil(at, failure=ConnectionLostError(2013, "lost"), behind=behind)
    assert await ann.ask(*edit(thread, first, "b")) == {"error": 0}
    await harness.settled()
    assert await harness.rows(CHANGED) == [("b", 0)]
    ((number, notice),) = await bob.notices()
    assert (number, notice["texts"][0]["content"]) == (1135, "b")


@pytest.mark.parametrize("at", range(ROUND_TRIPS))
@in_both_worlds(retry="none")
async def test_a_change_that_may_not_be_stored_is_never_acknowledged(harness, at):
    thread, (first,), ann, bob = await talked(harness, "a")
    before = await harness.tables()
    harness.spoil(at, failure=ConnectionLostError(2013, "lost"))
    assert await ann.ask(*recall(thread, first)) == {"error": ErrorCode.SEND_FAILED}
    await harness.settled()
    assert (await harness.tables(), await bob.notices()) == (before, [])


# --- who may, and how long


@in_both_worlds(BOTH)
async def test_nobody_changes_a_message_of_the_other_of_a_private_chat(harness):
    thread, (first,), _, bob = await talked(harness, "a")
    for request in (recall(thread, first), edit(thread, first, "b")):
        assert await bob.ask(*request) == {"error": ErrorCode.NOT_ALLOWED}
    assert await harness.rows(CHANGED) == [("a", 0)]


@in_both_worlds(BOTH, recall_seconds=30, edit_seconds=60)
async def test_after_a_while_it_is_too_late_but_a_request_that_is_repeated_is_answered(harness):
    thread, ids, ann, _ = await talked(harness, "a", "b", "c")
    await older(harness, 20)
    assert await ann.ask(*recall(thread, ids[0])) == {"error": 0}
    await older(harness, 20)
    assert await ann.ask(*recall(thread, ids[0])) == {"error": 0}
    assert await ann.ask(*recall(thread, ids[1])) == {"error": ErrorCode.TOO_LATE}
    assert await ann.ask(*edit(thread, ids[1], "B")) == {"error": 0}
    await older(harness, 30)
    assert await ann.ask(*edit(thread, ids[1], "B")) == {"error": 0}
    assert await ann.ask(*edit(thread, ids[2], "C")) == {"error": ErrorCode.TOO_LATE}
    assert await harness.rows(CHANGED) == [("", 2), ("B", 0), ("c", 0)]


@in_both_worlds(BOTH)
async def test_what_has_been_recalled_can_not_be_edited(harness):
    thread, (first,), ann, _ = await talked(harness, "a")
    await ann.ask(*recall(thread, first))
    assert await ann.ask(*edit(thread, first, "b")) == {"error": ErrorCode.TOO_LATE}
    assert await harness.rows(CHANGED) == [("", 2)]


@in_both_worlds(worlds=["model"])
async def test_only_a_text_can_be_edited_and_whatever_it_is_it_can_be_recalled(harness):
    thread = await harness.talking(ANN, BOB)
    rows = [(thread, 1, ANN, BOB, "u", "photo.png", 1)]
    columns = "thread_id, seq, sender_id, recv_id, unique_id, content, msg_type"
    await insert(harness.world.admin, f"chat_message ({columns})", rows)
    ((message,),) = await harness.rows("SELECT message_id FROM chat_message")
    ann = await harness.log_in(ANN)
    assert await ann.ask(*edit(thread, message, "cat.png")) == {"error": ErrorCode.NOT_ALLOWED}
    assert await ann.ask(*recall(thread, message)) == {"error": 0}


# --- in a group


@in_both_worlds(BOTH, recall_seconds=0)
async def test_who_outranks_the_author_recalls_at_any_time_and_nobody_edits_anothers_text(harness):
    group = await harness.group(ANN, DAN, 5, roles={BOB: 1, CAT: 1})
    devices = {uid: await harness.log_in(uid, feed=True) for uid in (ANN, BOB, CAT, DAN, 5)}
    ids = {uid: (await said(device, group, 0, f"of {uid}"))[0] for uid, device in devices.items()}
    await older(harness, 1_000)
    for uid, author in ((5, DAN), (DAN, ANN), (DAN, BOB), (BOB, CAT), (BOB, ANN)):
        assert await devices[uid].ask(*recall(group, ids[author])) == {"error": ErrorCode.NOT_ALLOWED}
    for uid in (ANN, BOB):
        assert await devices[uid].ask(*edit(group, ids[DAN], "!")) == {"error": ErrorCode.NOT_ALLOWED}
    for uid in (DAN, BOB):
        assert await devices[uid].ask(*recall(group, ids[uid])) == {"error": ErrorCode.TOO_LATE}
    for uid, author in ((BOB, DAN), (ANN, BOB), (ANN, 5)):
        assert await devices[uid].ask(*recall(group, ids[author])) == {"error": 0}
    await harness.settled()
    heard = [number for number, _ in await devices[5].notices()]
    assert heard == [1109] * 5 + [1135] * 3


@in_both_worlds(BOTH)
async def test_who_is_muted_may_take_a_text_back_but_not_edit_it(harness):
    group = await harness.group(ANN, DAN)
    ann, dan = await harness.log_in(ANN), await harness.log_in(DAN)
    first, second = await said(dan, group, 0, "a", "b")
    await ann.ask(1127, {"thread_id": group, "user_id": DAN, "seconds": 60})
    assert await dan.ask(*edit(group, first, "!")) == {"error": ErrorCode.MUTED}
    assert await dan.ask(*recall(group, second)) == {"error": 0}


@in_both_worlds()
async def test_who_was_added_later_learns_nothing_of_changes_of_what_was_written_before(harness):
    group = await harness.group(ANN, BOB)
    await harness.befriend(ANN, CAT)
    ann = await harness.log_in(ANN, feed=True)
    (before,) = await said(ann, group, 0, "before")
    await ann.ask(1119, {"thread_id": group, "members": [CAT]})
    (since,) = await said(ann, group, 0, "since")
    cat = await harness.log_in(CAT, feed=True)
    await ann.ask(*edit(group, before, "secret"))
    await ann.ask(*edit(group, since, "open"))
    await harness.settled()
    notices = [notice["texts"][0]["content"] for number, notice in await cat.notices() if number == 1135]
    assert notices == ["open"]
    found = await cat.ask(1137, {"thread_id": group, "revision": 0})
    assert [(text["content"], text["revision"]) for text in found["texts"]] == [("open", 2)]
    assert await cat.ask(*recall(group, before)) == {"error": ErrorCode.NOT_ALLOWED}


@in_both_worlds()
async def test_who_was_removed_learns_of_no_change(harness):
    group = await harness.group(ANN, BOB)
    ann, bob = await harness.log_in(ANN, feed=True), await harness.log_in(BOB, feed=True)
    (message,) = await said(bob, group, 0, "a")
    await ann.ask(1121, {"thread_id": group, "user_id": BOB})
    await harness.settled()
    await bob.notices()
    await ann.ask(*recall(group, message))
    await harness.settled()
    assert await bob.notices() == []
    assert (await bob.ask(1137, {"thread_id": group, "revision": 0}))["error"] == ErrorCode.NOT_A_MEMBER
    (state,) = (await bob.ask(1103, {"since": 0, "before": 0}))["threads"]
    assert "last_revision" not in state


# --- which messages have changed


@in_both_worlds()
async def test_who_was_away_asks_which_messages_have_changed_and_gets_each_once_as_it_is(harness):
    thread, ids, ann, bob = await talked(harness, *"abcd")
    for message, content in ((ids[0], "A"), (ids[2], "C"), (ids[0], "AA")):
        await ann.ask(*edit(thread, message, content))
    await ann.ask(*recall(thread, ids[3]))
    page = await bob.ask(1137, {"thread_id": thread, "revision": 0})
    assert (page["error"], page["thread_id"], page["load_more"]) == (0, thread, False)
    found = [(text["revision"], text["seq"], text["content"], text["status"]) for text in page["texts"]]
    assert found == [(2, 3, "C", 0), (3, 1, "AA", 0), (4, 4, "", 2)]
    assert [text["revision"] for text in (await bob.ask(1137, {"thread_id": thread, "revision": 3}))["texts"]] == [4]
    assert (await bob.ask(1137, {"thread_id": thread, "revision": 4}))["texts"] == []
    history = await bob.ask(1101, {"thread_id": thread, "seq": 0, "backward": False})
    assert sorted(text["revision"] for text in history["texts"] if "revision" in text) == [2, 3, 4]


@in_both_worlds()
async def test_changes_are_asked_for_page_by_page(harness):
    thread, bob = await many(harness, 130)
    found, revision, more = [], 0, True
    while more:
        page = await bob.ask(1137, {"thread_id": thread, "revision": revision})
        assert len(page["texts"]) <= 100
        found += [text["revision"] for text in page["texts"]]
        revision, more = found[-1], page["load_more"]
    assert found == [*range(1, 131)]


async def many(harness, count):
    """A thread with so many edited messages, the last of which was edited first."""
    thread = await harness.talking(ANN, BOB)
    rows = [(thread, seq, ANN, BOB, f"u{seq}", "x" * 600, count + 1 - seq) for seq in range(1, count + 1)]
    columns = "thread_id, seq, sender_id, recv_id, unique_id, content, revision"
    await insert(harness.world.admin, f"chat_message ({columns})", rows)
    return thread, await harness.log_in(BOB)


# --- at once: one overtakes the other at each of its round trips


async def stored(harness):
    """A thread with a text of Ann's; returns the thread and the message."""
    thread = await harness.talking(ANN, BOB)
    async with harness.world.database(1) as pool, pool.session() as tx:
        batch = Batch(thread, ANN, BOB, [OutgoingText("a", "u")])
        (text,) = (await TEXTS["hardened"].send(tx, batch, friends=True)).texts
    return thread, text.message_id


def editing(thread, message, content):
    async def work(tx):
        return await revisions.edit(tx, ANN, thread, message, content, numbered=True, seconds=900)

    return work


def recalling(thread, message):
    async def work(tx):
        return await revisions.recall(tx, ANN, thread, message, numbered=True, seconds=120)

    return work


@pytest.mark.parametrize("at", range(ROUND_TRIPS))
@in_both_worlds()
async def test_of_two_edits_at_once_both_are_made_and_the_later_one_is_there(harness, at):
    thread, message = await stored(harness)
    (one, other), overtaken = await harness.crossed(
        editing(thread, message, "one"), editing(thread, message, "other"), at
    )
    assert overtaken
    assert sorted((one.text.revision, other.text.revision)) == [1, 2]
    last = max((one.text, other.text), key=lambda text: text.revision)
    assert await harness.rows(STORED) == [(last.content, 0, 2)]
    assert await harness.rows("SELECT last_revision FROM chat_thread") == [(2,)]


@pytest.mark.parametrize("at", range(ROUND_TRIPS))
@pytest.mark.parametrize("first", ["edit", "recall"])
@in_both_worlds()
async def test_of_an_edit_and_a_recall_at_once_the_message_is_recalled(harness, at, first):
    thread, message = await stored(harness)
    works = {"edit": editing(thread, message, "one"), "recall": recalling(thread, message)}
    second = {"edit": "recall", "recall": "edit"}[first]
    results, overtaken = await harness.crossed(works[first], works[second], at)
    assert overtaken
    done = dict(zip((first, second), results, strict=True))
    assert done["recall"].text.content == ""
    if isinstance(done["edit"], RefusalError):
        assert done["edit"].code == ErrorCode.TOO_LATE
    revision = 1 if isinstance(done["edit"], RefusalError) else 2
    assert await harness.rows(STORED) == [("", 2, revision)]


@pytest.mark.parametrize("at", range(ROUND_TRIPS))
@pytest.mark.parametrize("first", ["recall", "read"])
@in_both_worlds()
async def test_a_recall_while_the_other_reads_does_not_deadlock_and_both_take_place(harness, at, first):
    thread, message = await stored(harness)

    async def reading(tx):
        return await threads.mark_read(tx, thread, BOB, 1)

    works = {"recall": recalling(thread, message), "read": reading}
    second = {"recall": "read", "read": "recall"}[first]
    results, overtaken = await harness.crossed(works[first], works[second], at)
    assert overtaken
    assert not [each for each in results if isinstance(each, Exception)]
    assert await harness.rows(STORED) == [("", 2, 1)]
    assert await harness.rows("SELECT read_seq, delivered_seq, unread FROM user_thread WHERE user_id = ?", BOB) == [
        (1, 1, 0)
    ]


@pytest.mark.parametrize("at", range(ROUND_TRIPS))
@in_both_worlds()
async def test_a_recall_while_another_text_is_sent_waits_for_it_or_it_waits(harness, at):
    thread, message = await stored(harness)

    async def sending(tx):
        batch = Batch(thread, BOB, ANN, [OutgoingText("b", "v")])
        return await TEXTS["hardened"].send(tx, batch, friends=True)

    results, overtaken = await harness.crossed(sending, recalling(thread, message), at)
    assert overtaken
    assert not [each for each in results if isinstance(each, Exception)]
    assert await harness.rows(STORED) == [("", 2, 1), ("b", 0, 0)]
    assert await harness.rows("SELECT last_seq, last_revision FROM chat_thread") == [(2, 1)]


@in_both_worlds()
async def test_many_changes_at_once_are_numbered_without_a_hole(harness):
    thread, ids, _, bob = await talked(harness, *"abcdef")
    devices = [await harness.log_in(ANN) for _ in range(4)]

    async def change(device, turn):
        for message in ids:
            assert await device.ask(*edit(thread, message, f"{turn} {message}")) == {"error": 0}

    await asyncio.gather(*(change(device, turn) for turn, device in enumerate(devices)))
    await harness.settled()
    heard = [notice["texts"][0]["revision"] for number, notice in await bob.notices() if number == 1135]
    assert sorted(heard) == [*range(1, 25)]
    now = {text["seq"]: text for text in (await bob.ask(1137, {"thread_id": thread, "revision": 0}))["texts"]}
    assert await harness.rows(STORED) == [(now[seq]["content"], 0, now[seq]["revision"]) for seq in range(1, 7)]
