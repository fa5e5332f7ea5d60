"""What nobody needs any more is removed, whoever else is at it at the same time; everything else stays."""

import asyncio
from functools import partial

import pytest
from harness import ANN, BOB, in_both_worlds
from uploads import DATA, chunk, downloaded, files_there, sending, sent, upload, wanted

from chatsim.chat.ports import FilesError
from chatsim.chat.protocol import CHUNK, ErrorCode, OutgoingText
from chatsim.chat.server.refusal import RefusalError
from chatsim.chat.server.store import attachments as store
from chatsim.chat.server.store import revisions
from chatsim.chat.server.store.texts import TEXTS, Attached, Batch

DAY = 86_400
AGE = "UPDATE message_attachment SET created_at = NOW() - INTERVAL 2 DAY"


async def collect(harness, node=0):
    await harness.cluster.nodes[node]._collector.collect()


@in_both_worlds()
async def test_an_upload_that_was_never_sent_lapses_with_its_bytes_and_what_it_took_of_the_quota(harness):
    ann = await harness.log_in(ANN)
    await upload(ann, at_most=2)
    await upload(ann, b"x", unique_id="{g}")
    await upload(ann, unique_id="{h}", at_most=0)
    await harness.world.admin.execute(f"{AGE} WHERE unique_id <> '{{h}}'")
    await collect(harness)
    assert await files_there(harness) == []
    assert await harness.rows("SELECT unique_id FROM message_attachment") == [("{h}",)]
    assert await harness.rows("SELECT bytes FROM user_files") == [(len(DATA),)]
    assert (await ann.ask(1151, wanted()))["offset"] == 0, "it may begin again"


@in_both_worlds()
async def test_what_was_sent_and_what_is_under_way_stays(harness):
    thread = await harness.talking(ANN, BOB)
    ann = await harness.log_in(ANN)
    message = await sent(ann, thread)
    await harness.world.admin.execute(AGE)
    number = await upload(ann, at_most=1, unique_id="{g}")
    await collect(harness)
    assert (await downloaded(ann, message))[0] == DATA
    assert (await ann.ask(*chunk(number, DATA, CHUNK)))["offset"] == 2 * CHUNK


@in_both_worlds()
async def test_a_recalled_attachment_is_removed_with_what_it_took_of_the_quota(harness):
    thread = await harness.talking(ANN, BOB)
    ann, bob = await harness.log_in(ANN), await harness.log_in(BOB, feed=True)
    message = await sent(ann, thread)
    await harness.settled()
    await bob.notices()
    assert await ann.ask(1131, {"thread_id": thread, "message_id": message}) == {"error": 0}
    await harness.settled()
    ((_, notice),) = await bob.notices()
    assert [(each["content"], each["status"], each.get("size")) for each in notice["texts"]] == [("", 2, None)]
    for device in (ann, bob):
        assert (await device.ask(1157, {"message_id": message, "offset": 0}))["error"] == ErrorCode.FILE_REFUSED
    page = await bob.ask(1101, {"thread_id": thread, "seq": 0, "backward": False})
    assert [(each["msg_type"], each.get("size")) for each in page["texts"]] == [(1, None)]
    assert (await ann.ask(1151, wanted()))["error"] == ErrorCode.FILE_REFUSED, "it does not come back by itself"
    await collect(harness)
    assert await files_there(harness) == []
    assert await harness.rows("SELECT bytes FROM user_files") == [(0,)]


@in_both_worlds()
async def test_files_without_a_row_are_removed(harness):
    thread = await harness.talking(ANN, BOB)
    ann = await harness.log_in(ANN)
    message = await sent(ann, thread)
    for at in range(250):
        await harness.world.files.append(f"{at:032x}", 0, b"x")
    await collect(harness)
    assert len(await files_there(harness)) == 1
    assert (await downloaded(ann, message))[0] == DATA


@in_both_worlds(worlds=["model"], nodes=2)
async def test_many_are_removed_and_nodes_do_it_at_the_same_time(harness):
    ann = await harness.log_in(ANN)
    for at in range(150):
        await upload(ann, b"x", unique_id=str(at))
    await harness.world.admin.execute(AGE)
    await asyncio.gather(*(collect(harness, node) for node in range(2)))
    assert await files_there(harness) == []
    assert await harness.rows("SELECT * FROM message_attachment") == []
    assert await harness.rows("SELECT bytes FROM user_files") == [(0,)]


@in_both_worlds(worlds=["model"], collection=5.0, upload_seconds=20)
async def test_a_node_does_it_by_itself_now_and_then(harness):
    ann = await harness.log_in(ANN)
    await upload(ann)
    await ann.close()
    await asyncio.sleep(15)
    assert len(await files_there(harness)) == 1
    await asyncio.sleep(15)
    assert await files_there(harness) == []


@in_both_worlds(worlds=["model"])
async def test_what_fails_is_logged_and_done_the_next_time(harness, caplog):
    ann = await harness.log_in(ANN)
    await upload(ann)
    await harness.world.admin.execute(AGE)
    files = harness.cluster.nodes[0]._collector._files

    async def fail(name):
        raise FilesError("the disk does not answer")

    files.remove, whole = fail, files.remove
    await collect(harness)
    assert "attachments could not be removed: the disk does not answer" in caplog.text
    assert len(await files_there(harness)) == 1
    files.remove = whole
    await collect(harness)
    assert await files_there(harness) == []


# --- at the same time


@in_both_worlds()
async def test_an_upload_that_is_sent_while_it_lapses_is_either_sent_or_removed(harness):
    thread = await harness.talking(ANN, BOB)
    ann = await harness.log_in(ANN)
    outcomes = set()
    for order in (0, 1):
        at, overtaken = 0, True
        while overtaken:
            name = f"{order}-{at}"
            number = await upload(ann, b"x", unique_id=name)
            await ann.ask(*sending(thread, number, receiver=9, unique=name))  # refused, but it is checked now
            await harness.world.admin.execute(f"{AGE} WHERE attachment_id = ?", (number,))
            batch = Batch(thread, ANN, BOB, [OutgoingText("photo.jpg", name)], Attached(number, 1, 1))
            send = partial(TEXTS["hardened"].send, batch=batch, friends=False)
            remove = partial(store.remove, each=store.Garbage(number, ANN, "f"), seconds=DAY)
            pair = (send, remove) if order == 0 else (remove, send)
            done, overtaken = await harness.crossed(*pair, at)
            stored, removed = done if order == 0 else done[::-1]
            there = await harness.rows("SELECT state FROM message_attachment WHERE attachment_id = ?", number)
            messages = await harness.rows("SELECT msg_type FROM chat_message WHERE unique_id = ?", name)
            if removed is True:
                assert isinstance(stored, RefusalError), (order, at, stored)
                assert (stored.code, there, messages) == (ErrorCode.FILE_REFUSED, [], []), (order, at)
            else:
                assert (removed, there, messages) == (False, [(store.State.SENT,)], [(1,)]), (order, at, done)
            outcomes.add(removed)
            at += 1
    assert outcomes == {True, False}


@in_both_worlds()
async def test_a_recall_and_the_removal_of_other_uploads_do_not_wait_for_each_other_for_ever(harness):
    thread = await harness.talking(ANN, BOB)
    ann = await harness.log_in(ANN)
    at, overtaken = 0, True
    while overtaken:
        message = await sent(ann, thread, b"x", unique_id=f"sent {at}")
        number = await upload(ann, b"x", unique_id=f"lapsed {at}")
        await harness.world.admin.execute(f"{AGE} WHERE attachment_id = ?", (number,))
        recall = partial(revisions.recall, uid=ANN, thread=thread, message=message, numbered=True, seconds=DAY)
        remove = partial(store.remove, each=store.Garbage(number, ANN, "f"), seconds=DAY)
        done, overtaken = await harness.crossed(recall, remove, at)
        assert [each for each in done if isinstance(each, Exception)] == [], at
        assert await harness.rows("SELECT state FROM message_attachment WHERE message_id = ?", message) == [(3,)]
        at += 1


@in_both_worlds(worlds=["model"])
async def test_an_upload_that_lapses_between_two_chunks_is_told_so_and_leaves_no_bytes(harness):
    ann = await harness.log_in(ANN)
    number = await upload(ann, at_most=1)
    await harness.world.admin.execute(AGE)
    await collect(harness)
    assert (await ann.ask(*chunk(number, DATA, CHUNK)))["error"] == ErrorCode.FILE_REFUSED
    assert await files_there(harness) == []


@pytest.mark.parametrize("chunks", [0, 1])
@in_both_worlds(worlds=["model"])
async def test_bytes_that_come_while_their_upload_is_removed_do_not_stay(harness, chunks):
    ann = await harness.log_in(ANN)
    number = await upload(ann, at_most=chunks)
    await harness.world.admin.execute(AGE)
    files = harness.cluster.nodes[0]._collector._files
    real = files.append

    async def append_late(name, offset, data):
        await collect(harness)
        return await real(name, offset, data)

    files.append = append_late
    reply = await ann.ask(*chunk(number, DATA, chunks * CHUNK))
    files.append = real
    assert reply["offset"] == (0 if chunks else CHUNK)
    assert (await ann.ask(*chunk(number, DATA, reply["offset"])))["error"] == ErrorCode.FILE_REFUSED
    await collect(harness)
    assert await files_there(harness) == []
