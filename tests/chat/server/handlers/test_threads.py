"""Lists of threads, private chats, and what has been read, as devices see it."""

import asyncio

import pytest
from harness import ANN, BOB, CAT, in_both_worlds

from chatsim.db.mysql import database_error
from chatsim.worlds.loading import add_users

BOTH = ("source", "hardened")


def text(thread, sender, receiver, name="u"):
    batch = [{"content": "hello", "unique_id": name}]
    return 1017, {"fromuid": sender, "touid": receiver, "thread_id": thread, "text_array": batch}


# --- private chats


@in_both_worlds(BOTH, nodes=2)
async def test_who_was_never_told_of_a_chat_finds_it_and_talks_in_it(harness):
    """T6: nothing tells the source's client of a chat; its first text may be the first it hears of it."""
    await harness.befriend(ANN, BOB)
    ann, bob = await harness.log_in(ANN, 0), await harness.log_in(BOB, 1)
    made = await ann.ask(1027, {"uid": ANN, "other_id": BOB})
    thread = made["thread_id"]
    assert made == {"error": 0, "uid": ANN, "other_id": BOB, "thread_id": thread}
    await harness.settled()
    assert await bob.notices() == []
    await ann.ask(*text(thread, ANN, BOB))
    await harness.settled()
    ((number, notice),) = await bob.notices()
    assert (number, notice["thread_id"]) == (1019, thread)
    listed = await bob.ask(1025, {"uid": BOB, "thread_id": 0})
    assert listed["threads"] == [{"thread_id": thread, "type": "private", "user1_id": ANN, "user2_id": BOB}]
    assert (await bob.ask(*text(thread, BOB, ANN)))["error"] == 0
    assert len((await bob.ask(1029, {"thread_id": thread, "message_id": 0}))["chat_datas"]) == 2


@in_both_worlds(nodes=2)
async def test_a_new_chat_is_told_to_all_other_devices_with_a_feed_once(harness):
    await harness.befriend(ANN, BOB)
    ann = await harness.log_in(ANN)
    devices = [await harness.log_in(uid, node, feed=True) for uid in (ANN, BOB) for node in (0, 1)]
    thread = (await ann.ask(1027, {"uid": ANN, "other_id": BOB}))["thread_id"]
    assert (await ann.ask(1027, {"uid": ANN, "other_id": BOB}))["thread_id"] == thread
    await harness.settled()
    for device in devices:
        assert await device.notices() == [(1111, {"thread_id": thread})]
    assert await ann.notices() == []


@pytest.mark.parametrize("asker", [ANN, BOB])
@in_both_worlds(BOTH)
async def test_whoever_of_the_two_asks_again_gets_the_same_thread(harness, asker):
    await harness.befriend(ANN, BOB)
    ann, bob = await harness.log_in(ANN), await harness.log_in(BOB)
    first = (await ann.ask(1027, {"uid": ANN, "other_id": BOB}))["thread_id"]
    device, other = (ann, BOB) if asker == ANN else (bob, ANN)
    assert (await device.ask(1027, {"uid": asker, "other_id": other}))["thread_id"] == first
    assert await harness.rows("SELECT thread_id, user1_id, user2_id FROM private_chat") == [(first, ANN, BOB)]


@in_both_worlds(BOTH, nodes=2)
async def test_two_who_ask_at_once_on_different_nodes_get_one_thread(harness):
    await harness.befriend(ANN, BOB)
    ann, bob = await harness.log_in(ANN, 0), await harness.log_in(BOB, 1)
    replies = await asyncio.gather(
        ann.ask(1027, {"uid": ANN, "other_id": BOB}), bob.ask(1027, {"uid": BOB, "other_id": ANN})
    )
    assert await harness.rows("SELECT thread_id FROM private_chat") == [(replies[0]["thread_id"],)]
    assert replies[0]["thread_id"] == replies[1]["thread_id"]


@in_both_worlds(BOTH, retry="none")
async def test_a_chat_that_could_not_be_made_is_no_chat(harness):
    await harness.befriend(ANN, BOB)
    ann = await harness.log_in(ANN)
    before = await harness.tables()
    harness.spoil(0, failure=database_error(1205, "too late"))
    assert await ann.ask(1027, {"uid": ANN, "other_id": BOB}) == {
        "error": 1012,
        "uid": ANN,
        "other_id": BOB,
        "thread_id": 0,
    }
    assert await harness.tables() == before


# --- lists


@in_both_worlds(BOTH)
async def test_a_list_is_asked_for_page_by_page(harness):
    ann = await harness.log_in(ANN)
    others = range(1_000, 1_150)
    await add_users(harness.world.admin, others)
    ids = [await harness.thread(ANN, other) for other in others]
    first = await ann.ask(1025, {"uid": ANN, "thread_id": 0})
    assert [each["thread_id"] for each in first["threads"]] == ids[:100]
    assert (first["load_more"], first["next_last_id"]) == (True, ids[99])
    second = await ann.ask(1025, {"uid": ANN, "thread_id": ids[99]})
    assert [each["thread_id"] for each in second["threads"]] == ids[100:]
    assert (second["load_more"], second["next_last_id"]) == (False, ids[-1])
    end = await ann.ask(1025, {"uid": ANN, "thread_id": ids[-1]})
    assert (end["threads"], end["load_more"], end["next_last_id"]) == ([], False, ids[-1])


@in_both_worlds()
async def test_states_say_what_has_happened_to_which_thread_the_newest_first(harness):
    quiet, busy = await harness.talking(ANN, BOB), await harness.talking(ANN, CAT)
    ann, cat = await harness.log_in(ANN), await harness.log_in(CAT)
    for name in "abc":
        await cat.ask(*text(busy, CAT, ANN, name))
    await ann.ask(1105, {"thread_id": busy, "seq": 2})
    whole = await ann.ask(1103, {"since": 0, "before": 0})
    states = [
        {"type": "private", "thread_id": thread, "user1_id": ANN, "user2_id": other}
        | {"last_seq": last, "read1": read, "read2": 0, "version": version, "unread": unread}
        | ({"delivered1": read} if read else {})
        for thread, other, last, read, version, unread in ((busy, CAT, 3, 2, 6, 1), (quiet, BOB, 0, 0, 1, 0))
    ]
    assert whole == {"error": 0, "load_more": False, "threads": states}
    assert (await ann.ask(1103, {"since": 1, "before": 0}))["threads"] == states[:1]
    assert (await ann.ask(1103, {"since": 0, "before": 6}))["threads"] == states[1:]
    assert (await ann.ask(1103, {"since": 6, "before": 0}))["threads"] == []


@in_both_worlds()
async def test_states_are_asked_for_page_by_page_from_the_newest_on(harness):
    others = range(1_000, 1_230)
    await add_users(harness.world.admin, others)
    ids = [await harness.thread(ANN, other) for other in others]
    ann, found, before, more = await harness.log_in(ANN), [], 0, True
    while more:
        page = await ann.ask(1103, {"since": 0, "before": before})
        found += page["threads"]
        before, more = found[-1]["version"], page["load_more"]
        assert more == (len(found) < len(ids))
    assert [each["thread_id"] for each in found] == ids[::-1]
    assert [each["version"] for each in found] == list(range(len(ids), 0, -1))


# --- reading


@in_both_worlds(nodes=2)
async def test_all_members_devices_with_a_feed_are_told_who_has_read_how_far(harness):
    thread = await harness.talking(ANN, BOB)
    bob = await harness.log_in(BOB)
    devices = [await harness.log_in(uid, node, feed=True) for uid in (ANN, BOB) for node in (0, 1)]
    the_sources = await harness.log_in(ANN)
    await bob.ask(*text(thread, BOB, ANN))
    await harness.settled()
    for device in (*devices, the_sources):
        await device.notices()
    assert await bob.ask(1105, {"thread_id": thread, "seq": 1}) == {"error": 0}
    await harness.settled()
    for device in devices:
        assert await device.notices() == [(1107, {"thread_id": thread, "uid": BOB, "seq": 1})]
    assert await the_sources.notices() == [], "it has no word for that"
    assert await bob.notices() == []


@in_both_worlds()
async def test_what_has_been_read_never_goes_back_nor_beyond_the_end_and_is_pushed_if_it_has_moved(harness):
    thread = await harness.talking(ANN, BOB)
    ann, bob = await harness.log_in(ANN, feed=True), await harness.log_in(BOB)
    for name in "abc":
        await ann.ask(*text(thread, ANN, BOB, name))
    await harness.settled()
    await ann.notices()
    for reported, noted, moved in ((2, 2, True), (2, 2, False), (1, 2, False), (2**63 - 1, 3, True), (0, 3, False)):
        assert await bob.ask(1105, {"thread_id": thread, "seq": reported}) == {"error": 0}
        await harness.settled()
        assert await ann.notices() == [(1107, {"thread_id": thread, "uid": BOB, "seq": noted})] * moved
        read = "SELECT read_seq, unread FROM user_thread WHERE user_id = ?"
        assert await harness.rows(read, BOB) == [(noted, 3 - noted)]
