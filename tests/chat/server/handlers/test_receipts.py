"""Receipts, as devices see them: marks that move forward, counts by member, and a thread by date."""

import asyncio

import pytest
from harness import ANN, BOB, CAT, DAN, in_both_worlds

from chatsim.chat.protocol import ErrorCode
from chatsim.chat.server.refusal import RefusalError
from chatsim.chat.server.store import dates, receipts, threads
from chatsim.db.errors import ConnectionLostError
from chatsim.worlds.loading import add_users, insert

MARK = "SELECT delivered_seq, read_seq FROM user_thread WHERE user_id = ? AND thread_id = ?"


async def said(device, thread, receiver, *contents):
    batch = [{"content": content, "unique_id": content} for content in contents]
    sent = {"fromuid": device.uid, "touid": receiver, "thread_id": thread, "text_array": batch}
    return [each["message_id"] for each in (await device.ask(1017, sent))["chat_datas"]]


def delivered(*marks):
    threads, seqs = zip(*marks, strict=True)
    return 1141, {"threads": threads, "seqs": seqs}


# --- delivered


@in_both_worlds(nodes=2)
async def test_the_other_of_a_private_chat_is_told_on_all_devices_how_far_it_has_come(harness):
    thread = await harness.talking(ANN, BOB)
    anns = [await harness.log_in(ANN, node, feed=True) for node in (0, 1)]
    bobs = [await harness.log_in(BOB, node, feed=True) for node in (0, 1)]
    the_sources = await harness.log_in(ANN)
    await said(anns[0], thread, BOB, "a", "b")
    await harness.settled()
    for device in (*anns, *bobs, the_sources):
        await device.notices()
    assert await bobs[1].ask(*delivered((thread, 2))) == {"error": 0}
    await harness.settled()
    for device in anns:
        assert await device.notices() == [(1143, {"thread_id": thread, "uid": BOB, "seq": 2})]
    for device in (*bobs, the_sources):
        assert await device.notices() == []


@in_both_worlds()
async def test_a_mark_never_goes_back_nor_beyond_the_last_message_and_is_told_if_it_has_moved(harness):
    thread = await harness.talking(ANN, BOB)
    ann, bob = await harness.log_in(ANN, feed=True), await harness.log_in(BOB)
    await said(ann, thread, BOB, *"abc")
    await harness.settled()
    await ann.notices()
    for reported, noted, moved in ((2, 2, True), (2, 2, False), (1, 2, False), (2**63 - 1, 3, True), (0, 3, False)):
        assert await bob.ask(*delivered((thread, reported))) == {"error": 0}
        await harness.settled()
        assert await ann.notices() == [(1143, {"thread_id": thread, "uid": BOB, "seq": noted})] * moved
        assert await harness.rows(MARK, BOB, thread) == [(noted, 0)]


@in_both_worlds()
async def test_who_was_away_learns_from_the_state_of_the_thread_how_far_it_has_come(harness):
    thread = await harness.talking(ANN, BOB)
    ann, bob = await harness.log_in(ANN), await harness.log_in(BOB)
    await said(ann, thread, BOB, "a", "b")
    (before,) = (await ann.ask(1103, {"since": 0, "before": 0}))["threads"]
    assert "delivered2" not in before
    await bob.ask(*delivered((thread, 1)))
    (after,) = (await ann.ask(1103, {"since": before["version"], "before": 0}))["threads"]
    assert after["delivered2"] == 1
    version = "SELECT version FROM user_version WHERE user_id = ?"
    mine = await harness.rows(version, BOB)
    await bob.ask(*delivered((thread, 2)))
    assert await harness.rows(version, BOB) == mine, "the one who reports has nothing to learn"


@in_both_worlds()
async def test_what_has_been_read_has_been_delivered(harness):
    thread = await harness.talking(ANN, BOB)
    ann, bob = await harness.log_in(ANN), await harness.log_in(BOB)
    await said(ann, thread, BOB, *"abc")
    await bob.ask(1105, {"thread_id": thread, "seq": 2})
    assert await harness.rows(MARK, BOB, thread) == [(2, 2)]
    await bob.ask(*delivered((thread, 3)))
    await bob.ask(1105, {"thread_id": thread, "seq": 3})
    assert await harness.rows(MARK, BOB, thread) == [(3, 3)]


@in_both_worlds()
async def test_many_threads_are_marked_by_one_request_those_that_have_moved(harness):
    others = range(1_000, 1_012)
    await add_users(harness.world.admin, others)
    ids = [await harness.talking(ANN, other) for other in others]
    group = await harness.group(ANN, BOB)
    for other, thread in zip(others, ids, strict=True):
        device = await harness.log_in(other)
        await said(device, thread, ANN, "a")
        await device.close()
    await said(await harness.log_in(BOB), group, 0, "a")
    ann = await harness.log_in(ANN)
    await ann.ask(*delivered((ids[0], 1)))
    before = await harness.rows("SELECT user_id, version FROM user_version ORDER BY user_id")
    assert await ann.ask(*delivered(*((thread, 1) for thread in (*ids[::-1], group)))) == {"error": 0}
    for thread in (*ids, group):
        assert await harness.rows(MARK, ANN, thread) == [(1, 0)]
    after = await harness.rows("SELECT user_id, version FROM user_version ORDER BY user_id")
    assert after == [(uid, version + (uid in others[1:])) for uid, version in before]
    newest = "SELECT version FROM user_thread WHERE user_id = ? AND thread_id = ?"
    assert await harness.rows(newest, others[3], ids[3]) == [(dict(after)[others[3]],)]


@in_both_worlds()
async def test_in_a_group_a_mark_is_stored_and_told_to_nobody(harness):
    group = await harness.group(ANN, BOB, CAT)
    ann, bob = await harness.log_in(ANN, feed=True), await harness.log_in(BOB)
    await said(ann, group, 0, "a")
    await harness.settled()
    await ann.notices()
    before = await harness.rows("SELECT * FROM user_version ORDER BY user_id")
    assert await bob.ask(*delivered((group, 1))) == {"error": 0}
    await harness.settled()
    assert await harness.rows(MARK, BOB, group) == [(1, 0)]
    assert await ann.notices() == []
    assert await harness.rows("SELECT * FROM user_version ORDER BY user_id") == before


@pytest.mark.parametrize("behind", [False, True])
@in_both_worlds()
async def test_when_the_node_tries_again_the_mark_is_there_and_told(harness, behind):
    thread = await harness.talking(ANN, BOB)
    ann, bob = await harness.log_in(ANN, feed=True), await harness.log_in(BOB)
    await said(ann, thread, BOB, "a")
    await harness.settled()
    await ann.notices()
    harness.spoil(2, failure=ConnectionLostError(2013, "lost"), behind=behind)
    assert await bob.ask(*delivered((thread, 1))) == {"error": 0}
    await harness.settled()
    assert await ann.notices() == [(1143, {"thread_id": thread, "uid": BOB, "seq": 1})]
    assert await harness.rows(MARK, BOB, thread) == [(1, 0)]


# --- at once


def marking(uid, *marks):
    async def work(tx):
        return await receipts.mark_delivered(tx, uid, dict(marks))

    return work


def reading(uid, thread, seq):
    async def work(tx):
        return await threads.mark_read(tx, thread, uid, seq)

    return work


async def filled(harness, one, other, count):
    """A thread with so many texts of the first."""
    thread = await harness.talking(one, other)
    await said(await harness.log_in(one), thread, other, *(f"{one} to {other}, {at}" for at in range(count)))
    return thread


@pytest.mark.parametrize("at", range(2))
@pytest.mark.parametrize(("first", "second"), [(1, 3), (3, 1), (2, 2)])
@in_both_worlds()
async def test_two_devices_that_read_at_once_leave_the_later_position_and_what_is_unread_behind_it(
    harness, at, first, second
):
    thread = await filled(harness, ANN, BOB, 4)
    results, overtaken = await harness.crossed(reading(BOB, thread, first), reading(BOB, thread, second), at)
    assert overtaken
    assert not [each for each in results if isinstance(each, Exception)], results
    last = max(first, second)
    assert await harness.rows("SELECT read_seq, delivered_seq, unread FROM user_thread WHERE user_id = ?", BOB) == [
        (last, last, 4 - last)
    ]


@pytest.mark.parametrize("at", range(3))
@in_both_worlds()
async def test_two_devices_that_report_at_once_leave_the_later_mark(harness, at):
    thread = await filled(harness, ANN, BOB, 4)
    results, _ = await harness.crossed(marking(BOB, (thread, 4)), marking(BOB, (thread, 2)), at)
    assert not [each for each in results if isinstance(each, Exception)], results
    assert await harness.rows(MARK, BOB, thread) == [(4, 0)]


@pytest.mark.parametrize("at", range(3))
@in_both_worlds()
async def test_two_who_report_each_others_threads_at_once_do_not_deadlock(harness, at):
    one, two = await filled(harness, ANN, BOB, 2), await filled(harness, ANN, CAT, 2)
    three = await filled(harness, BOB, CAT, 2)
    for uid, thread, other in ((BOB, one, ANN), (CAT, two, ANN), (CAT, three, BOB)):
        await said(await harness.log_in(uid), thread, other, f"{uid} answers")
    results, _ = await harness.crossed(marking(ANN, (two, 3), (one, 3)), marking(BOB, (three, 3), (one, 3)), at)
    assert not [each for each in results if isinstance(each, Exception)], results
    assert await harness.rows(MARK, ANN, one) == await harness.rows(MARK, BOB, one) == [(3, 0)]


@pytest.mark.parametrize("at", range(3))
@in_both_worlds()
async def test_a_report_while_a_text_is_sent_or_read_does_not_deadlock(harness, at):
    thread = await filled(harness, ANN, BOB, 2)
    results, _ = await harness.crossed(marking(BOB, (thread, 2)), reading(BOB, thread, 1), at)
    assert not [each for each in results if isinstance(each, Exception)], results
    assert await harness.rows(MARK, BOB, thread) == [(2, 1)]
    results, _ = await harness.crossed(marking(ANN, (thread, 2)), reading(BOB, thread, 2), at)
    assert not [each for each in results if isinstance(each, Exception)], results


# --- counted


@in_both_worlds()
async def test_in_a_private_chat_the_other_has_got_it_or_has_read_it_or_not(harness):
    thread = await harness.talking(ANN, BOB)
    ann, bob = await harness.log_in(ANN), await harness.log_in(BOB)
    await said(ann, thread, BOB, "a")

    async def counts():
        return [await device.ask(1139, {"thread_id": thread, "seq": 1}) for device in (ann, bob)]

    assert await counts() == [{"error": 0, "members": 1, "delivered": 0, "read": 0}] * 2
    await bob.ask(*delivered((thread, 1)))
    assert await counts() == [{"error": 0, "members": 1, "delivered": 1, "read": 0}] * 2
    await bob.ask(1105, {"thread_id": thread, "seq": 1})
    assert await counts() == [{"error": 0, "members": 1, "delivered": 1, "read": 1}] * 2


@in_both_worlds()
async def test_in_a_group_those_are_counted_who_may_read_it_without_its_author(harness):
    group = await harness.group(ANN, BOB, CAT, DAN, 5)
    await harness.befriend(ANN, 6)
    devices = {uid: await harness.log_in(uid) for uid in (ANN, BOB, CAT, DAN, 5)}
    await said(devices[ANN], group, 0, "a")
    await said(devices[BOB], group, 0, "b")
    await devices[ANN].ask(1119, {"thread_id": group, "members": [6]})
    six = await harness.log_in(6)
    for uid, got, read in ((ANN, 2, 2), (CAT, 2, 1), (DAN, 1, 0)):
        await devices[uid].ask(*delivered((group, got)))
        await devices[uid].ask(1105, {"thread_id": group, "seq": read})

    async def counts(seq, device=devices[5]):
        reply = await device.ask(1139, {"thread_id": group, "seq": seq})
        return reply["error"], reply["members"], reply["delivered"], reply["read"]

    assert await counts(1) == (0, 4, 2, 1)  # of Bob, Cat, Dan and 5
    assert await counts(2) == (0, 4, 2, 1)  # of Ann, Cat, Dan and 5
    assert await counts(1, six) == (ErrorCode.NOT_ALLOWED, 0, 0, 0), "it was written before 6 was added"
    await devices[ANN].ask(1121, {"thread_id": group, "user_id": CAT})
    assert await counts(1) == (0, 3, 1, 0)
    assert await counts(1, devices[CAT]) == (ErrorCode.NOT_A_MEMBER, 0, 0, 0)


@in_both_worlds()
async def test_the_list_of_members_says_how_far_each_has_the_group_and_has_read_it(harness):
    group = await harness.group(ANN, BOB)
    await harness.befriend(ANN, CAT)
    ann, bob = await harness.log_in(ANN), await harness.log_in(BOB)
    await said(ann, group, 0, *"abcd")
    await bob.ask(*delivered((group, 3)))
    await bob.ask(1105, {"thread_id": group, "seq": 2})
    await ann.ask(1119, {"thread_id": group, "members": [CAT]})
    reply = await bob.ask(1129, {"thread_id": group, "after": 0})
    marks = {each["uid"]: (each["delivered"], each["read"]) for each in reply["members"]}
    assert marks == {ANN: (0, 0), BOB: (3, 2), CAT: (4, 4)}


# --- read in a group


@in_both_worlds(nodes=2)
async def test_who_reads_in_a_group_is_told_on_their_other_devices_and_nobody_else_is(harness):
    group = await harness.group(ANN, BOB, CAT)
    ann, bob = await harness.log_in(ANN, feed=True), await harness.log_in(BOB)
    other = await harness.log_in(BOB, 1, feed=True)
    await said(ann, group, 0, "a")
    await harness.settled()
    for device in (ann, other):
        await device.notices()
    before = dict(await harness.rows("SELECT user_id, version FROM user_version"))
    assert await bob.ask(1105, {"thread_id": group, "seq": 1}) == {"error": 0}
    await harness.settled()
    assert await other.notices() == [(1107, {"thread_id": group, "uid": BOB, "seq": 1})]
    assert await ann.notices() == []
    assert dict(await harness.rows("SELECT user_id, version FROM user_version")) == before | {BOB: before[BOB] + 1}


# --- by date


async def dated(harness, thread, *times):
    """Texts of Ann's at these times."""
    columns = "thread_id, sender_id, recv_id, content, created_at, updated_at"
    rows = [(thread, ANN, BOB, time, time, time) for time in times]
    if harness.schema == "hardened":
        columns += ", seq"
        rows = [(*row, seq) for seq, row in enumerate(rows, start=1)]
    await insert(harness.world.admin, f"chat_message ({columns})", rows)
    return [number for (number,) in await harness.rows("SELECT message_id FROM chat_message ORDER BY message_id")]


@in_both_worlds(("source", "hardened"))
async def test_a_date_leads_to_the_first_message_at_that_time_or_later(harness):
    thread, other = await harness.talking(ANN, BOB), await harness.talking(ANN, CAT)
    ids = await dated(
        harness, thread, "2026-01-01 10:00:00", "2026-01-01 10:00:01", "2026-01-01 10:00:01", "2026-02-01 00:00:00"
    )
    bob = await harness.log_in(BOB)
    for time, seq in (
        ("1000-01-01 00:00:00", 1),
        ("2026-01-01 10:00:00", 1),
        ("2026-01-01 10:00:01", 2),
        ("2026-01-01 10:00:02", 4),
        ("2026-02-01 00:00:00", 4),
        ("2026-02-01 00:00:01", 0),
        ("9999-12-31 23:59:59", 0),
    ):
        found = {"seq": seq if harness.schema == "hardened" else 0, "message_id": ids[seq - 1] if seq else 0}
        assert await bob.ask(1145, {"thread_id": thread, "time": time}) == {"error": 0, "thread_id": thread} | found
    ann = await harness.log_in(ANN)
    nothing = {"error": 0, "thread_id": other, "seq": 0, "message_id": 0}
    assert await ann.ask(1145, {"thread_id": other, "time": "2026-01-01 00:00:00"}) == nothing


@in_both_worlds()
async def test_who_was_added_later_finds_nothing_from_before_by_date(harness):
    group = await harness.group(ANN)
    await dated(harness, group, "2026-01-01 10:00:00", "2026-01-02 10:00:00", "2026-01-03 10:00:00")
    columns = "thread_id, user_id, first_seq"
    await insert(harness.world.admin, f"group_chat_member ({columns})", [(group, BOB, 3)])
    bob = await harness.log_in(BOB)
    for time in ("2026-01-01 00:00:00", "2026-01-02 10:00:00", "2026-01-03 00:00:00"):
        assert (await bob.ask(1145, {"thread_id": group, "time": time}))["seq"] == 3


@in_both_worlds()
async def test_reports_from_many_at_once_are_all_there(harness):
    group = await harness.group(ANN, BOB, CAT, DAN)
    devices = [await harness.log_in(uid) for uid in (BOB, CAT, DAN)]
    await said(await harness.log_in(ANN), group, 0, *"abcdef")

    async def report(device):
        for seq in range(1, 7):
            assert await device.ask(*delivered((group, seq))) == {"error": 0}
            assert await device.ask(1105, {"thread_id": group, "seq": seq}) == {"error": 0}

    await asyncio.gather(*map(report, devices))
    ann = await harness.log_in(ANN)
    counted = await ann.ask(1139, {"thread_id": group, "seq": 6})
    assert counted == {"error": 0, "members": 3, "delivered": 3, "read": 3}


@pytest.mark.parametrize(
    ("said", "right"),
    [
        ("2026-02-28 23:59:59", True),
        ("2024-02-29 00:00:00", True),
        ("2000-02-29 00:00:00", True),
        ("1900-02-29 00:00:00", False),
        ("2026-02-29 00:00:00", False),
        ("2026-04-31 00:00:00", False),
        ("2026-00-01 00:00:00", False),
        ("2026-01-00 00:00:00", False),
        ("2026-01-01 24:00:00", False),
        ("2026-01-01 00:60:00", False),
        ("2026-01-01T00:00:00", False),
        ("２０２６-01-01 00:00:00", False),
        ("2026-01-01 00:00:00\n", False),
    ],
)
def test_a_time_is_one_of_the_calendar(said, right):
    if right:
        assert dates.time_of(said) == said
    else:
        with pytest.raises(RefusalError):
            dates.time_of(said)
