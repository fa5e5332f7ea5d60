"""Texts, as devices see them: acknowledged when they are stored, told once, and nobody waits for anybody else."""

import asyncio

import pytest
from harness import ANN, BOB, CAT, in_both_worlds

from chatsim.db.errors import ConnectionLostError, Kind
from chatsim.db.mysql import database_error
from chatsim.worlds.loading import insert

BOTH = ("source", "hardened")
ROUND_TRIPS = 2  # of a batch: a look, with the lock; then the rows, with the commit


def texts(thread, *contents, sender=ANN, receiver=BOB):
    batch = [{"content": content, "unique_id": f"{{{content}}}"} for content in contents]
    return 1017, {"fromuid": sender, "touid": receiver, "thread_id": thread, "text_array": batch}


# --- stored, then acknowledged


@in_both_worlds(BOTH)
async def test_a_batch_is_acknowledged_with_ids_and_its_own_names(harness):
    thread = await harness.talking(ANN, BOB)
    ann = await harness.log_in(ANN)
    reply = await ann.ask(*texts(thread, "b", "a"))
    stored = await harness.rows(
        "SELECT message_id, content, CAST(created_at AS CHAR) FROM chat_message ORDER BY message_id"
    )
    assert reply == {
        "error": 0,
        "fromuid": ANN,
        "touid": BOB,
        "thread_id": thread,
        "chat_datas": [
            {"message_id": number, "unique_id": f"{{{said}}}", "content": said, "status": 0, "chat_time": time}
            for number, said, time in stored
        ],
    }
    assert [said for _, said, _ in stored] == ["b", "a"]


@in_both_worlds(BOTH)
async def test_as_long_as_a_batch_is_not_stored_nobody_hears_of_it(harness):
    thread = await harness.talking(ANN, BOB)
    ann, bob = await harness.log_in(ANN), await harness.log_in(BOB)
    spoiled = harness.spoil(ROUND_TRIPS - 1)
    asking = asyncio.create_task(ann.ask(*texts(thread, "a")))
    while spoiled.paused is None:  # noqa: ASYNC110
        await asyncio.sleep(0.001)
    await spoiled.paused.stopped.wait()
    await harness.settled()
    assert await bob.notices() == []
    assert not asking.done()
    spoiled.paused.go.set()
    assert (await asking)["error"] == 0
    await harness.settled()
    assert [number for number, _ in await bob.notices()] == [1019]


@pytest.mark.parametrize("at", range(ROUND_TRIPS))
@pytest.mark.parametrize("behind", [False, True])
@in_both_worlds(BOTH, retry="none")
async def test_a_batch_that_may_not_be_stored_is_never_acknowledged(harness, at, behind):
    """SD2. Behind the second round trip it is stored, but the node can't know."""
    thread = await harness.talking(ANN, BOB)
    ann, bob = await harness.log_in(ANN), await harness.log_in(BOB)
    before = await harness.tables()
    harness.spoil(at, failure=database_error(2013, "lost"), behind=behind)
    reply = await ann.ask(*texts(thread, "a"))
    assert reply == {"error": 1101, "fromuid": ANN, "touid": BOB, "thread_id": thread, "chat_datas": []}
    await harness.settled()
    assert await bob.notices() == []
    stored = behind and at == ROUND_TRIPS - 1
    assert (await harness.tables() == before) == (not stored)


@pytest.mark.parametrize("at", range(ROUND_TRIPS))
@pytest.mark.parametrize("behind", [False, True])
@in_both_worlds()
async def test_when_the_node_tries_again_it_stores_and_tells_once(harness, at, behind):
    """Also when the connection was lost behind the commit, so that the second try finds everything there."""
    thread = await harness.talking(ANN, BOB)
    ann, bob = await harness.log_in(ANN), await harness.log_in(BOB)
    harness.spoil(at, failure=ConnectionLostError(2013, "lost"), behind=behind)
    reply = await ann.ask(*texts(thread, "a", "b"))
    await harness.settled()
    ((number, notice),) = await bob.notices()
    assert number == 1019
    assert notice["chat_datas"] == reply["chat_datas"]
    assert await harness.rows("SELECT content FROM chat_message ORDER BY seq") == [("a",), ("b",)]
    assert harness.cluster.stats.refusals == {Kind.CONNECTION_LOST: 1}


@in_both_worlds()
async def test_what_is_sent_again_gets_its_first_ids_and_is_told_to_nobody(harness):
    thread = await harness.talking(ANN, BOB)
    ann, bob = await harness.log_in(ANN), await harness.log_in(BOB, feed=True)
    first = await ann.ask(*texts(thread, "a", "b"))
    await harness.settled()
    await bob.notices()
    again = await (await harness.log_in(ANN)).ask(*texts(thread, "a", "b"))
    assert again == first
    await harness.settled()
    assert await bob.notices() == []
    mixed = await ann.ask(*texts(thread, "b", "c"))
    assert mixed["chat_datas"][0] == first["chat_datas"][1]
    await harness.settled()
    ((_, notice),) = await bob.notices()
    assert [each["content"] for each in notice["texts"]] == ["c"]


@in_both_worlds(worlds=["model"])
async def test_a_batch_whose_names_have_longer_texts_already_is_acknowledged_all_the_same(harness):
    thread = await harness.talking(ANN, BOB)
    ann = await harness.log_in(ANN)
    rows = [(thread, ANN, BOB, "x" * 10_000, f"u{seq}", seq) for seq in range(1, 11)]
    await insert(harness.world.admin, "chat_message (thread_id, sender_id, recv_id, content, unique_id, seq)", rows)
    await harness.world.admin.execute("UPDATE chat_thread SET last_seq = 10 WHERE id = ?", (thread,))
    names = [f"u{number}" for number in range(1, 12)]
    batch = [{"content": "short", "unique_id": name} for name in names]
    reply = await ann.ask(1017, {"fromuid": ANN, "touid": BOB, "thread_id": thread, "text_array": batch})
    assert (reply["error"], [each["unique_id"] for each in reply["chat_datas"]]) == (0, names)
    assert {each["content"] for each in reply["chat_datas"]} == {"short"}
    assert (await ann.ask(1023, {"fromuid": ANN}))["error"] == 0, "the session goes on"


@in_both_worlds("source")
async def test_in_the_sources_tables_it_is_stored_and_told_again(harness):
    """SD1."""
    thread = await harness.talking(ANN, BOB)
    ann, bob = await harness.log_in(ANN), await harness.log_in(BOB)
    for _ in range(2):
        assert (await ann.ask(*texts(thread, "a")))["error"] == 0
        await harness.settled()
    assert len(await bob.notices()) == 2


# --- told


class Hanging:
    """A `Presence` or `Peers` that answers no more."""

    async def find(self, _uid):
        await asyncio.Future()

    async def push(self, _device, _notice):
        await asyncio.Future()


@pytest.mark.parametrize("what", ["_presence", "_peers"])
@in_both_worlds(BOTH, nodes=2)
async def test_an_acknowledgement_waits_for_no_peer(harness, what):
    """SD6."""
    thread = await harness.talking(ANN, BOB)
    ann, _ = await harness.log_in(ANN, 0), await harness.log_in(BOB, 1)
    setattr(harness.cluster.nodes[0].fan_out, what, Hanging())
    for content in "abc":
        assert (await ann.ask(*texts(thread, content)))["error"] == 0


@in_both_worlds(nodes=2)
async def test_all_devices_are_told_the_receivers_and_the_senders_others_each_in_its_dialect(harness):
    thread = await harness.talking(ANN, BOB)
    ann = await harness.log_in(ANN)
    devices = {
        (uid, node, feed): await harness.log_in(uid, node, feed=feed)
        for uid in (ANN, BOB)
        for node in (0, 1)
        for feed in (False, True)
    }
    await harness.befriend(ANN, CAT)
    cat = await harness.log_in(CAT, feed=True)
    reply = await ann.ask(*texts(thread, "a", "b"))
    await harness.settled()
    for (_, _, feed), device in devices.items():
        ((number, notice),) = await device.notices()
        if feed:
            assert (number, notice["thread_id"], notice["fromuid"], notice["touid"]) == (1109, thread, ANN, BOB)
            assert [(each["seq"], each["sender"], each["msg_type"]) for each in notice["texts"]] == [
                (1, ANN, 0),
                (2, ANN, 0),
            ]
            names = ("message_id", "unique_id", "content", "status", "chat_time")
            assert [{name: each[name] for name in names} for each in notice["texts"]] == reply["chat_datas"]
        else:
            assert (number, notice) == (1019, reply)
    assert await ann.notices() == [], "it has the acknowledgement"
    assert await cat.notices() == []


@in_both_worlds()
async def test_a_device_with_a_feed_has_its_own_texts_from_there_too_with_their_numbers(harness):
    thread = await harness.talking(ANN, BOB)
    ann = await harness.log_in(ANN, feed=True)
    reply = await ann.ask(*texts(thread, "a"))
    await harness.settled()
    ((number, notice),) = await ann.notices()
    assert number == 1109
    assert [each["message_id"] for each in notice["texts"]] == [each["message_id"] for each in reply["chat_datas"]]


@in_both_worlds(BOTH)
async def test_texts_are_told_in_the_order_of_their_batches(harness):
    thread = await harness.talking(ANN, BOB)
    ann, bob = await harness.log_in(ANN), await harness.log_in(BOB)
    for number in range(5):
        await ann.say(*texts(thread, f"{number}"))
    for _ in range(5):
        await ann.hear()
    await harness.settled()
    assert [notice["chat_datas"][0]["content"] for _, notice in await bob.notices()] == ["0", "1", "2", "3", "4"]


# --- how much


@in_both_worlds(request_bytes=65_535)
async def test_what_could_not_be_told_of_in_a_frame_is_not_stored(harness):
    """Many short texts are a short request and a long notice."""
    thread = await harness.talking(ANN, BOB)
    ann, bob = await harness.log_in(ANN), await harness.log_in(BOB, feed=True)
    before = await harness.tables()
    assert (await ann.ask(*texts(thread, *map(str, range(1_000)))))["error"] == 1104
    assert await harness.tables() == before
    most = 1_000
    while (await ann.ask(*texts(thread, *map(str, range(most)))))["error"]:
        most -= 10
    await harness.settled()
    ((_, notice),) = await bob.notices()
    assert [each["seq"] for each in notice["texts"]] == list(range(1, most + 1))
    assert most > 300


@in_both_worlds(request_bytes=65_535)
async def test_a_text_is_measured_in_characters(harness):
    """SD7: whatever they take in a frame."""
    thread = await harness.talking(ANN, BOB)
    ann = await harness.log_in(ANN)
    _, request = texts(thread)
    for name, character in enumerate("x好🙂\x01"):
        for count, error in ((1_025, 1104), (1_024, 0)):
            batch = [{"content": character * count, "unique_id": f"{name}"}]
            assert (await ann.ask(1017, request | {"text_array": batch}))["error"] == error


# --- reading again


@in_both_worlds(BOTH)
async def test_history_in_the_sources_dialect_goes_on_from_the_last_id(harness):
    thread = await harness.talking(ANN, BOB)
    ann, bob = await harness.log_in(ANN), await harness.log_in(BOB)
    sent = (await ann.ask(*texts(thread, "a", "b", "c")))["chat_datas"]
    whole = await bob.ask(1029, {"thread_id": thread, "message_id": 0})
    assert whole == {
        "error": 0,
        "thread_id": thread,
        "last_message_id": sent[-1]["message_id"],
        "load_more": False,
        "chat_datas": [
            {
                "sender": ANN,
                "msg_id": each["message_id"],
                "thread_id": thread,
                "unique_id": 0,
                "msg_content": each["content"],
                "chat_time": each["chat_time"],
            }
            for each in sent
        ],
    }
    rest = await bob.ask(1029, {"thread_id": thread, "message_id": sent[0]["message_id"]})
    assert rest["chat_datas"] == whole["chat_datas"][1:]


@in_both_worlds()
async def test_history_by_number_has_what_the_feed_has(harness):
    thread = await harness.talking(ANN, BOB)
    ann, bob = await harness.log_in(ANN), await harness.log_in(BOB, feed=True)
    await ann.ask(*texts(thread, "a", "b"))
    await harness.settled()
    ((_, notice),) = await bob.notices()
    for cursor in ({"seq": 0, "backward": False}, {"seq": 3, "backward": True}):
        page = await bob.ask(1101, {"thread_id": thread} | cursor)
        assert page == {"error": 0, "thread_id": thread, "load_more": False, "texts": notice["texts"]}
