"""Attachments, as devices see them: bytes go up in chunks, are checked and safe before anybody hears of them."""

import asyncio
import base64
import hashlib
from contextlib import asynccontextmanager
from functools import partial

import numpy as np
import pytest
from harness import ANN, BOB, CAT, DAN, PausedSession, in_both_worlds
from uploads import CHUNKS, DATA, FAILED, REFUSED, chunk, downloaded, files_there, sending, sent, sha256, upload, wanted

from chatsim.chat.ports import FilesError
from chatsim.chat.protocol import CHUNK, UploadRequest
from chatsim.chat.server.store import attachments as store
from chatsim.db.errors import ConnectionLostError
from chatsim.db.mysql import database_error

# --- up and down


@in_both_worlds()
async def test_a_file_goes_up_in_chunks_is_sent_as_a_message_and_comes_down(harness):
    thread = await harness.talking(ANN, BOB)
    ann, old, bob = await harness.log_in(ANN), await harness.log_in(BOB), await harness.log_in(BOB, feed=True)
    number = await upload(ann)
    await harness.settled()
    assert await bob.notices() == []
    reply = await ann.ask(*sending(thread, number))
    ((message, time),) = await harness.rows("SELECT message_id, CAST(created_at AS CHAR) FROM chat_message")
    stored = {"message_id": message, "unique_id": "{f}", "content": "photo.jpg", "status": 0, "chat_time": time}
    assert reply == {"error": 0, "fromuid": ANN, "touid": BOB, "thread_id": thread, "chat_datas": [stored]}
    await harness.settled()
    ((_, notice),) = await bob.notices()
    numbered = stored | {"seq": 1, "sender": ANN, "msg_type": 1, "size": len(DATA)}
    assert notice == {"thread_id": thread, "fromuid": ANN, "touid": BOB, "texts": [numbered]}
    ((_, notice),) = await old.notices()
    assert notice["chat_datas"] == [stored]
    for number, body in (
        (1101, {"thread_id": thread, "seq": 0, "backward": False}),
        (1113, {"threads": [thread], "after": [0], "below": [0]}),
    ):
        page = await bob.ask(number, body)
        texts = page["texts"] if number == 1101 else bob.unasked.pop()[1]["threads"][0]["texts"]
        assert texts == [numbered]
    assert await downloaded(bob, message) == (DATA, sha256(DATA))
    assert await downloaded(ann, message, offset=40_000) == (DATA[40_000:], sha256(DATA))
    beyond = await bob.ask(1157, {"message_id": message, "offset": 10**15})
    assert (beyond["error"], beyond["data"], beyond["size"]) == (0, "", len(DATA))


@in_both_worlds(nodes=2)
async def test_it_does_not_matter_which_node_has_which_part_of_it(harness):
    thread = await harness.talking(ANN, BOB)
    here, there = await harness.log_in(ANN, 0), await harness.log_in(ANN, 1)
    assert await upload(here, at_most=1) == await upload(there, at_most=1) == await upload(here)
    message = await sent(there, thread)
    for node in range(2):
        assert (await downloaded(await harness.log_in(BOB, node), message))[0] == DATA


@in_both_worlds(worlds=["model"])
async def test_texts_and_attachments_of_a_thread_have_numbers_without_a_gap_and_texts_have_no_size(harness):
    thread = await harness.talking(ANN, BOB)
    ann = await harness.log_in(ANN)
    text = {"fromuid": ANN, "touid": BOB, "thread_id": thread, "text_array": [{"content": "a", "unique_id": "a"}]}
    await ann.ask(1017, text)
    await sent(ann, thread)
    await sent(ann, thread, b"x", unique_id="{g}", msg_type=2, name="x")
    page = await ann.ask(1101, {"thread_id": thread, "seq": 0, "backward": False})
    assert [(each["seq"], each["msg_type"], each.get("size")) for each in page["texts"]] == [
        (1, 0, None),
        (2, 1, len(DATA)),
        (3, 2, 1),
    ]


# --- interrupted


@pytest.mark.parametrize("chunks", range(CHUNKS + 1))
@pytest.mark.parametrize("who", ["client", "node", "both"])
@in_both_worlds(worlds=["model"])
async def test_cut_at_any_chunk_an_upload_goes_on_where_it_has_stopped(harness, chunks, who):
    thread = await harness.talking(ANN, BOB)
    ann = await harness.log_in(ANN)
    number = await upload(ann, at_most=chunks)
    if who != "node":
        await ann.close()
    if who != "client":
        await harness.cluster.crash(0, 1.0)
    ann = await harness.log_in(ANN)
    begun = await ann.ask(1151, wanted())
    assert begun == {"error": 0, "attachment_id": number, "offset": min(len(DATA), chunks * CHUNK)}
    message = await sent(ann, thread)
    assert (await downloaded(await harness.log_in(BOB), message))[0] == DATA
    assert await harness.rows("SELECT bytes FROM user_files") == [(len(DATA),)]


@in_both_worlds(worlds=["mysql"])
async def test_a_node_that_is_killed_finds_a_half_sent_upload_in_its_directory(harness):
    thread = await harness.talking(ANN, BOB)
    await upload(await harness.log_in(ANN), at_most=2)
    await harness.cluster.crash(0, 0.0)
    ann = await harness.log_in(ANN)
    assert (await ann.ask(1151, wanted()))["offset"] == 2 * CHUNK
    message = await sent(ann, thread)
    assert (await downloaded(await harness.log_in(BOB), message))[0] == DATA


@in_both_worlds()
async def test_a_chunk_that_is_not_the_next_one_changes_nothing_and_tells_where_to_go_on(harness):
    thread = await harness.talking(ANN, BOB)
    ann = await harness.log_in(ANN)
    number = await upload(ann, at_most=1)
    for offset in (0, 1, CHUNK - 1, CHUNK + 1, 2 * CHUNK):
        reply = await ann.ask(*chunk(number, b"?" * len(DATA), offset, size=100))
        assert reply == {"error": 0, "attachment_id": number, "offset": CHUNK}
    assert (await ann.ask(*chunk(number, DATA, CHUNK)))["offset"] == 2 * CHUNK
    assert (await ann.ask(*chunk(number, DATA, CHUNK)))["offset"] == 2 * CHUNK, "twice"
    assert (await ann.ask(*chunk(number, DATA, len(DATA))))["offset"] == 2 * CHUNK, "empty"
    assert (await ann.ask(*chunk(number, DATA + b"?", 2 * CHUNK)))["error"] == REFUSED, "more than there is"
    message = await sent(ann, thread)
    assert (await ann.ask(*chunk(number, b"?" * len(DATA), 0)))["offset"] == len(DATA), "behind the end of it all"
    assert (await downloaded(ann, message))[0] == DATA


@in_both_worlds(worlds=["model"])
async def test_the_sizes_of_chunks_do_not_matter(harness):
    thread = await harness.talking(ANN, BOB)
    ann = await harness.log_in(ANN)
    number, offset = await upload(ann, at_most=0), 0
    for size in (1, 32_768, 3, 20_000, 10_000, 32_768):
        offset = (await ann.ask(*chunk(number, DATA, offset, size)))["offset"]
    assert offset == len(DATA)
    message = (await ann.ask(*sending(thread, number)))["chat_datas"][0]["message_id"]
    assert (await downloaded(ann, message, offset=1))[0] == DATA[1:]


@in_both_worlds()
async def test_two_devices_that_upload_the_same_at_once_send_it_once(harness):
    thread = await harness.talking(ANN, BOB)
    devices = [await harness.log_in(ANN) for _ in range(2)]
    bob = await harness.log_in(BOB)
    begun = await asyncio.gather(*(device.ask(1151, wanted()) for device in devices))
    assert begun[0] == begun[1]
    number = begun[0]["attachment_id"]
    for offset in range(0, len(DATA), CHUNK):
        replies = await asyncio.gather(*(device.ask(*chunk(number, DATA, offset)) for device in devices))
        assert replies[0] == replies[1]
    one, other = await asyncio.gather(*(device.ask(*sending(thread, number)) for device in devices))
    assert one == other
    assert one["error"] == 0
    assert await harness.rows("SELECT COUNT(*) FROM chat_message") == [(1,)]
    await harness.settled()
    assert len(await bob.notices()) == 1


@in_both_worlds()
async def test_a_unique_id_is_that_of_one_file(harness):
    ann, cat = await harness.log_in(ANN), await harness.log_in(CAT)
    number = await upload(ann, at_most=1)
    for other in ({"name": "b.jpg"}, {"msg_type": 2}, {"size": 5}, {"sha256": "0" * 64}):
        assert (await ann.ask(1151, wanted() | other))["error"] == 1104
    assert (await cat.ask(1151, wanted()))["attachment_id"] > number, "another user's"


# --- checked


@in_both_worlds()
async def test_an_upload_with_a_wrong_checksum_is_refused_and_begins_again(harness):
    thread = await harness.talking(ANN, BOB)
    ann, bob = await harness.log_in(ANN), await harness.log_in(BOB)
    wrong = b"?" + DATA[1:]
    begun = await ann.ask(1151, wanted())
    for offset in range(0, len(DATA), CHUNK):
        await ann.ask(*chunk(begun["attachment_id"], wrong, offset))
    assert (await ann.ask(*sending(thread, begun["attachment_id"])))["error"] == REFUSED
    await harness.settled()
    assert await bob.notices() == []
    assert await ann.ask(1151, wanted()) == begun
    message = await sent(ann, thread)
    assert (await downloaded(bob, message))[0] == DATA


@pytest.mark.parametrize("chunks", range(CHUNKS))
@in_both_worlds(worlds=["model"])
async def test_what_is_not_whole_is_not_sent(harness, chunks):
    thread = await harness.talking(ANN, BOB)
    ann = await harness.log_in(ANN)
    number = await upload(ann, at_most=chunks)
    assert (await ann.ask(*sending(thread, number)))["error"] == REFUSED
    assert await harness.rows("SELECT * FROM chat_message") == []
    await sent(ann, thread)


BAD_NAMES = ["", "x" * 256, "x" * 10_000, "a\0b", "\0", "a\nb", "/etc/passwd", "../secret", "a/b", "a\\b", ".", ".."]
BAD_NAMES += [" a", "a ", "\x7f", "\u202eexe.jpg"]


@in_both_worlds(request_bytes=65_535)
async def test_a_name_that_could_be_a_path_or_can_not_be_shown_is_refused(harness):
    ann = await harness.log_in(ANN)
    for name in BAD_NAMES:
        assert (await ann.ask(1151, wanted(name=name)))["error"] == REFUSED, name
    assert await harness.rows("SELECT * FROM message_attachment") == []
    assert await files_there(harness) == []


@in_both_worlds()
async def test_what_a_user_calls_a_file_is_no_part_of_where_it_is(harness):
    thread = await harness.talking(ANN, BOB)
    ann = await harness.log_in(ANN)
    names = ["...", "..a", "~", "-rf", "'; DROP TABLE user; --", "漢" * 255, "👍.png", "CON", "a" * 32, "%s"]
    for at, name in enumerate(names):
        message = await sent(ann, thread, b"hello", name=name, unique_id=f"{at}")
        assert await harness.rows("SELECT content FROM chat_message WHERE message_id = ?", message) == [(name,)]
    there = await files_there(harness)
    assert sorted(await harness.rows("SELECT file_url FROM message_attachment")) == [(name,) for name in there]
    assert not {*there} & {*names}


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        *(({"size": size}, REFUSED) for size in (0, 100_001, 2**63 - 1)),
        *(({"msg_type": kind}, REFUSED) for kind in (0, 3, -1, 2**40)),
        *(({"sha256": text}, REFUSED) for text in ("", "0" * 63, "0" * 65, "G" * 64, "A" * 64, "0" * 63 + "\n")),
        *(({"unique_id": text}, 1104) for text in ("", "u" * 65, "chatsim:apply:1-2")),
    ],
)
@in_both_worlds(worlds=["model"], file_bytes=100_000)
async def test_what_is_no_file_is_refused(harness, changed, error):
    ann = await harness.log_in(ANN)
    assert (await ann.ask(1151, wanted() | changed))["error"] == error
    assert await harness.rows("SELECT * FROM message_attachment") == []


@in_both_worlds(worlds=["model"], file_bytes=100_000)
async def test_a_file_may_be_as_large_as_the_limit_and_as_small_as_a_byte(harness):
    thread = await harness.talking(ANN, BOB)
    ann = await harness.log_in(ANN)
    for at, data in enumerate((b"x" * 100_000, b"x")):
        message = await sent(ann, thread, data, unique_id=str(at))
        assert (await downloaded(ann, message))[0] == data


# --- the quota


@in_both_worlds(user_file_bytes=100_000)
async def test_all_files_of_a_user_together_keep_within_the_quota(harness):
    thread = await harness.talking(ANN, BOB)
    ann, bob = await harness.log_in(ANN), await harness.log_in(BOB)
    await sent(ann, thread, b"x" * 60_000, unique_id="a")
    assert (await ann.ask(1151, wanted(b"x" * 40_001, unique_id="b")))["error"] == REFUSED
    await upload(ann, b"x" * 39_000, at_most=0, unique_id="c")
    assert (await ann.ask(1151, wanted(b"x", unique_id="d")))["error"] == REFUSED, "one byte takes a block"
    assert (await ann.ask(1151, wanted(b"x" * 60_000, unique_id="a")))["offset"] == 60_000, "it is there already"
    await upload(bob, b"x" * 100_000, at_most=0)
    assert await harness.rows("SELECT user_id, bytes FROM user_files ORDER BY user_id") == [
        (ANN, 99_000),
        (BOB, 100_000),
    ]


# --- when something fails


class FullFiles:
    """The files of a world whose disk is full for a while."""

    def __init__(self, files):
        self.files = files
        self.is_full = False

    def __getattr__(self, name):
        if self.is_full and name in {"append", "sync", "read"}:
            return self._fail
        return getattr(self.files, name)

    async def _fail(self, *_):
        raise FilesError("No space left on device")


def full_files(harness):
    """Put `FullFiles` before the files of the first node."""
    node = harness.cluster.nodes[0]
    files = FullFiles(node._context.files)
    object.__setattr__(node._context, "files", files)
    return files


@in_both_worlds(worlds=["model"])
async def test_while_the_disk_is_full_uploads_fail_and_go_on_later(harness):
    thread = await harness.talking(ANN, BOB)
    ann = await harness.log_in(ANN)
    files = full_files(harness)
    number = await upload(ann, at_most=1)
    files.is_full = True
    assert await ann.ask(*chunk(number, DATA, CHUNK)) == {"error": FAILED, "attachment_id": 0, "offset": 0}
    files.is_full = False
    await upload(ann)
    files.is_full = True
    assert (await ann.ask(*sending(thread, number)))["error"] == FAILED, "the bytes are not safe"
    assert await harness.rows("SELECT * FROM chat_message") == []
    files.is_full = False
    message = await sent(ann, thread)
    files.is_full = True
    assert (await ann.ask(1157, {"message_id": message, "offset": 0}))["error"] == FAILED
    files.is_full = False
    assert (await downloaded(ann, message))[0] == DATA


@in_both_worlds(worlds=["model"])
async def test_bytes_that_are_gone_are_a_failure_and_no_empty_file(harness):
    thread = await harness.talking(ANN, BOB)
    ann = await harness.log_in(ANN)
    message = await sent(ann, thread)
    for file in await files_there(harness):
        await harness.world.files.remove(file)
    assert (await ann.ask(1157, {"message_id": message, "offset": 0}))["error"] == FAILED


@in_both_worlds(worlds=["model"])
async def test_what_was_acknowledged_survives_a_loss_of_power_and_what_was_not_begins_again(harness):
    thread = await harness.talking(ANN, BOB)
    ann = await harness.log_in(ANN)
    await upload(ann)
    harness.world.files.lose_power()
    assert (await ann.ask(1151, wanted()))["offset"] == 0
    message = await sent(ann, thread)
    harness.world.files.lose_power()
    assert (await downloaded(ann, message))[0] == DATA


@pytest.mark.parametrize("behind", [False, True])
@pytest.mark.parametrize("session", range(4))
@pytest.mark.parametrize("at", range(3))
@in_both_worlds(worlds=["model"], retry="none")
async def test_killed_anywhere_between_the_check_and_the_commit_it_is_sent_once_when_asked_again(
    harness, session, at, behind
):
    thread = await harness.talking(ANN, BOB)
    ann, bob = await harness.log_in(ANN), await harness.log_in(BOB)
    number = await upload(ann)
    node = harness.cluster.nodes[0].database
    node.pool = failing = FailingSession(node.pool, session, at, behind=behind)
    reply = await ann.ask(*sending(thread, number))
    assert reply["error"] == (FAILED if failing.failed else 0)
    node.pool = failing.whole
    await harness.settled()
    again = await ann.ask(*sending(thread, number))
    assert again["error"] == 0
    assert await harness.rows("SELECT message_id, state FROM message_attachment") == [
        (again["chat_datas"][0]["message_id"], store.State.SENT)
    ]
    assert await harness.rows("SELECT COUNT(*) FROM chat_message") == [(1,)]
    await harness.settled()
    assert len(await bob.notices()) <= 1


class FailingSession:
    """A node's database whose session number ``number``, from 0, fails at its round trip ``at``."""

    def __init__(self, whole, number, at, *, behind):
        self.whole = whole
        self.failed = False
        self._left = number
        self._how = (at, behind)

    def session(self, isolation=None):
        @asynccontextmanager
        async def open_one():
            async with self.whole.session(isolation) as tx:
                self._left -= 1
                if self._left != -1:
                    yield tx
                    return
                at, behind = self._how
                paused = PausedSession(tx, at, failure=database_error(2013, "lost"), behind=behind)
                try:
                    yield paused
                finally:
                    self.failed = paused.stopped.is_set()

        return open_one()


@pytest.mark.parametrize("at", range(3))
@pytest.mark.parametrize("behind", [False, True])
@in_both_worlds(worlds=["model"])
async def test_when_the_node_tries_again_it_sends_and_tells_once(harness, at, behind):
    thread = await harness.talking(ANN, BOB)
    ann, bob = await harness.log_in(ANN), await harness.log_in(BOB, feed=True)
    number = await upload(ann)
    await ann.ask(*sending(thread, number, receiver=CAT))  # refused, but the bytes have been checked
    assert await harness.rows("SELECT state FROM message_attachment") == [(store.State.WHOLE,)]
    node = harness.cluster.nodes[0].database
    node.pool = failing = FailingSession(node.pool, 1, at, behind=behind)
    reply = await ann.ask(*sending(thread, number))
    node.pool = failing.whole
    assert failing.failed
    assert reply["error"] == 0
    await harness.settled()
    ((_, notice),) = await bob.notices()
    assert [(each["message_id"], each["size"]) for each in notice["texts"]] == [
        (reply["chat_datas"][0]["message_id"], len(DATA))
    ]
    assert await harness.rows("SELECT COUNT(*) FROM chat_message") == [(1,)]


@in_both_worlds()
async def test_what_is_sent_again_gets_its_first_id_and_is_told_to_nobody(harness):
    thread = await harness.talking(ANN, BOB)
    ann, bob = await harness.log_in(ANN), await harness.log_in(BOB)
    number = await upload(ann)
    first = await ann.ask(*sending(thread, number))
    await harness.settled()
    assert len(await bob.notices()) == 1
    begun = await ann.ask(1151, wanted())
    assert begun == {"error": 0, "attachment_id": number, "offset": len(DATA)}
    assert await ann.ask(*sending(thread, number)) == first
    await harness.settled()
    assert await bob.notices() == []


@in_both_worlds()
async def test_the_unique_id_of_a_text_is_no_attachments_and_the_other_way_round(harness):
    thread = await harness.talking(ANN, BOB)
    ann = await harness.log_in(ANN)
    text = {"fromuid": ANN, "touid": BOB, "thread_id": thread, "text_array": [{"content": "a", "unique_id": "{f}"}]}
    number = await upload(ann)
    await ann.ask(1017, text)
    assert (await ann.ask(*sending(thread, number)))["error"] == 1104
    other = await upload(ann, unique_id="{g}")
    assert (await ann.ask(*sending(thread, other, unique="{g}")))["error"] == 0
    text["text_array"][0]["unique_id"] = "{g}"
    assert (await ann.ask(1017, text))["error"] == 1104


@in_both_worlds()
async def test_an_upload_is_sent_into_one_thread_only(harness):
    thread, elsewhere = await harness.talking(ANN, BOB), await harness.talking(ANN, CAT)
    ann = await harness.log_in(ANN)
    number = await upload(ann)
    assert (await ann.ask(*sending(thread, number)))["error"] == 0
    assert (await ann.ask(*sending(elsewhere, number, receiver=CAT)))["error"] == 1104


# --- who may do what


@in_both_worlds()
async def test_nobody_touches_or_learns_of_anothers_upload(harness):
    thread = await harness.talking(ANN, BOB)
    ann, bob = await harness.log_in(ANN), await harness.log_in(BOB)
    number = await upload(ann)
    for there in (number, number + 1_000):
        assert await bob.ask(*chunk(there, DATA, 0)) == {"error": REFUSED, "attachment_id": 0, "offset": 0}
        assert (await bob.ask(*sending(thread, there, BOB, ANN)))["error"] == REFUSED


@in_both_worlds(worlds=["model"])
async def test_who_is_removed_can_load_no_further_chunk(harness):
    thread = await harness.talking(ANN, BOB)
    ann, bob = await harness.log_in(ANN), await harness.log_in(BOB)
    message = await sent(ann, thread)
    assert (await bob.ask(1157, {"message_id": message, "offset": 0}))["error"] == 0
    await harness.world.admin.execute("DELETE FROM private_chat WHERE thread_id = ?", (thread,))
    refused = await bob.ask(1157, {"message_id": message, "offset": CHUNK})
    assert refused == {"error": 1102, "message_id": 0, "offset": 0, "size": 0, "sha256": "", "data": ""}


@in_both_worlds()
async def test_a_stranger_learns_nothing_of_an_attachment_not_even_that_it_is_there(harness):
    thread = await harness.talking(ANN, BOB)
    message = await sent(await harness.log_in(ANN), thread)
    cat = await harness.log_in(CAT)
    answers = [await cat.ask(1157, {"message_id": each, "offset": 0}) for each in (message, message + 1_000, 0)]
    assert answers[0]["error"] == 1102
    assert answers[0] == answers[1] == answers[2]


@in_both_worlds()
async def test_a_text_and_a_recalled_attachment_have_no_bytes(harness):
    thread = await harness.talking(ANN, BOB)
    ann = await harness.log_in(ANN)
    text = {"fromuid": ANN, "touid": BOB, "thread_id": thread, "text_array": [{"content": "a", "unique_id": "a"}]}
    plain = (await ann.ask(1017, text))["chat_datas"][0]["message_id"]
    message = await sent(ann, thread)
    await harness.world.admin.execute("UPDATE chat_message SET status = 2 WHERE message_id = ?", (message,))
    for each in (plain, message):
        assert (await ann.ask(1157, {"message_id": each, "offset": 0}))["error"] == REFUSED


@in_both_worlds(worlds=["model"])
async def test_a_node_without_a_directory_takes_no_attachments(harness):
    await harness.talking(ANN, BOB)
    ann = await harness.log_in(ANN)
    object.__setattr__(harness.cluster.nodes[0]._context, "files", None)
    assert (await ann.ask(1151, wanted()))["error"] == REFUSED


# --- in a group


@in_both_worlds(nodes=2)
async def test_in_a_group_all_members_are_told_and_can_load_it(harness):
    group = await harness.group(ANN, BOB, DAN)
    ann = await harness.log_in(ANN)
    others = [await harness.log_in(BOB, 0, feed=True), await harness.log_in(DAN, 1, feed=True)]
    number = await upload(ann)
    reply = await ann.ask(*sending(group, number, receiver=0))
    assert (reply["error"], reply["touid"]) == (0, 0)
    message = reply["chat_datas"][0]["message_id"]
    await harness.settled()
    for device in others:
        ((_, notice),) = await device.notices()
        assert [(each["message_id"], each["msg_type"], each["size"]) for each in notice["texts"]] == [
            (message, 1, len(DATA))
        ]
        assert (await downloaded(device, message))[0] == DATA


@in_both_worlds()
async def test_who_is_removed_from_a_group_can_load_nothing_more_and_who_is_added_nothing_from_before(harness):
    group = await harness.group(ANN, BOB)
    await harness.befriend(ANN, CAT)
    ann, bob, cat = [await harness.log_in(uid) for uid in (ANN, BOB, CAT)]
    message = await sent(ann, group, receiver=0)
    assert (await bob.ask(1157, {"message_id": message, "offset": 0}))["error"] == 0
    assert await ann.ask(1121, {"thread_id": group, "user_id": BOB}) == {"error": 0}
    assert await ann.ask(1119, {"thread_id": group, "members": [CAT]}) == {"error": 0}
    nothing = await cat.ask(1157, {"message_id": 4711, "offset": 0})
    assert nothing["error"] == 1102
    assert await bob.ask(1157, {"message_id": message, "offset": CHUNK}) == nothing
    assert await cat.ask(1157, {"message_id": message, "offset": 0}) == nothing
    later = await sent(ann, group, receiver=0, unique_id="{g}")
    assert (await downloaded(cat, later))[0] == DATA
    assert await bob.ask(1157, {"message_id": later, "offset": 0}) == nothing
    number = await upload(bob)
    assert (await bob.ask(*sending(group, number, BOB, receiver=0)))["error"] == 1102


@pytest.mark.parametrize(
    ("uid", "sends", "loads"),
    [
        *((uid, 0, 0) for uid in (ANN, BOB, 8)),  # the creator, an admin, a member
        (9, 1110, 0),  # a muted member
        *((uid, 1102, 1102) for uid in (7, CAT)),  # a removed member, and a stranger
    ],
)
@in_both_worlds()
async def test_each_role_may_do_what_it_may_and_a_refusal_leaves_the_message_unsent(harness, uid, sends, loads):
    group = await harness.group(ANN, DAN, 8, 9, 7, roles={BOB: 1})
    ann, dan = await harness.log_in(ANN), await harness.log_in(DAN)
    message = await sent(dan, group, receiver=0)
    assert await ann.ask(1127, {"thread_id": group, "user_id": 9, "seconds": 60}) == {"error": 0}
    assert await ann.ask(1121, {"thread_id": group, "user_id": 7}) == {"error": 0}
    device = await harness.log_in(uid)
    number = await upload(device)
    assert (await device.ask(*sending(group, number, uid, receiver=0)))["error"] == sends
    assert await harness.rows("SELECT COUNT(*) FROM chat_message") == [(1 if sends else 2,)]
    reply = await device.ask(1157, {"message_id": message, "offset": 0})
    assert (reply["error"], bool(reply["data"]), reply["size"]) == (loads, not loads, 0 if loads else len(DATA))


@in_both_worlds(worlds=["model"])
async def test_who_is_muted_sends_no_attachment_until_it_is_over(harness):
    group = await harness.group(ANN, BOB)
    ann, bob = await harness.log_in(ANN), await harness.log_in(BOB)
    number = await upload(bob)
    assert await ann.ask(1127, {"thread_id": group, "user_id": BOB, "seconds": 600}) == {"error": 0}
    assert (await bob.ask(*sending(group, number, BOB, receiver=0)))["error"] == 1110
    assert await ann.ask(1127, {"thread_id": group, "user_id": BOB, "seconds": 0}) == {"error": 0}
    assert (await bob.ask(*sending(group, number, BOB, receiver=0)))["error"] == 0


# --- how long a request may be


@in_both_worlds(worlds=["model"])
async def test_only_a_chunk_may_be_longer_than_other_requests_and_only_after_the_login(harness):
    ann = await harness.log_in(ANN)
    number = await upload(ann, at_most=0)
    assert (await ann.ask(*chunk(number, DATA, 0)))["error"] == 0
    longer = {"data": base64.b64encode(b"x" * 32_800).decode(), "attachment_id": number, "offset": 0}
    assert (await ann.ask(1153, longer))["error"] == 1104
    assert await ann.ask(1153, longer | {"more": "x" * 500}) is None
    ann = await harness.log_in(ANN)
    assert await ann.ask(1023, {"fromuid": ANN, "more": "x" * 2_048}) is None
    stranger = await harness.connect()
    assert await stranger.ask(*chunk(number, DATA, 0)) is None


# --- what it costs


@in_both_worlds(worlds=["model"])
async def test_each_request_takes_the_round_trips_that_the_page_about_attachments_says(harness):
    thread = await harness.talking(ANN, BOB)
    ann = await harness.log_in(ANN)

    async def trips(number, body):
        before = await harness.world.costs()
        assert (await ann.ask(number, body))["error"] == 0
        return (await harness.world.costs() - before).round_trips

    assert [await trips(1151, wanted()) for _ in range(2)] == [2, 2]
    number = await upload(ann, at_most=CHUNKS - 1)
    assert await trips(*chunk(number, DATA, (CHUNKS - 1) * CHUNK)) == 1
    assert await trips(*sending(thread, number)) == 7
    await harness.settled()
    ((message,),) = await harness.rows("SELECT message_id FROM chat_message")
    assert await trips(1157, {"message_id": message, "offset": 0}) == 2
    assert await trips(1101, {"thread_id": thread, "seq": 0, "backward": False}) == 2
    assert await trips(1101, {"thread_id": thread, "seq": 1, "backward": False}) == 1


# --- at the same time


@in_both_worlds(user_file_bytes=100_000)
async def test_of_two_uploads_that_begin_at_once_one_is_within_the_quota(harness):
    def beginning(name):
        request = UploadRequest(name, "a.jpg", 1, 60_000, "0" * 64)
        file = hashlib.sha256(name.encode()).hexdigest()[:32]
        return partial(store.begin, uid=ANN, wanted=request, file=file, quota=100_000)

    at, overtaken = 0, True
    while overtaken:
        await harness.world.admin.script("DELETE FROM message_attachment; DELETE FROM user_files")
        done, overtaken = await harness.crossed(beginning("a"), beginning("b"), at)
        refused = [each for each in done if isinstance(each, Exception)]
        assert [getattr(each, "code", each) for each in refused] == [REFUSED], at
        assert await harness.rows("SELECT bytes FROM user_files") == [(60_000,)], at
        at += 1
    assert at > 1


@in_both_worlds()
async def test_of_two_devices_that_begin_the_same_upload_at_once_both_find_one(harness):
    def beginning(file):
        request = UploadRequest("a", "a.jpg", 1, 60_000, "0" * 64)
        return partial(store.begin, uid=ANN, wanted=request, file=file * 32, quota=100_000)

    at, overtaken = 0, True
    while overtaken:
        await harness.world.admin.script("DELETE FROM message_attachment; DELETE FROM user_files")
        (one, other), overtaken = await harness.crossed(beginning("a"), beginning("b"), at)
        assert one == other, at
        assert await harness.rows("SELECT bytes FROM user_files") == [(60_000,)], at
        at += 1


@in_both_worlds(worlds=["model"])
async def test_the_lost_connection_of_a_beginning_upload_begins_it_once(harness):
    ann = await harness.log_in(ANN)
    for at, behind in ((0, False), (0, True), (1, False), (1, True)):
        harness.spoil(at, failure=ConnectionLostError(2013, "lost"), behind=behind)
        begun = await ann.ask(1151, wanted(unique_id=f"{at}{behind}"))
        assert begun["error"] == 0
    assert await harness.rows("SELECT COUNT(*) FROM message_attachment") == [(4,)]
    assert await harness.rows("SELECT bytes FROM user_files") == [(4 * len(DATA),)]


@pytest.mark.parametrize("seed", range(12))
@in_both_worlds(worlds=["model"], nodes=2, upload_seconds=20)
async def test_whatever_devices_do_and_whatever_fails_what_is_acknowledged_is_what_was_sent(harness, seed):
    """Chunks of any size at any place, from two devices at two nodes, which are killed; lost power, and collections."""
    rng = np.random.default_rng(seed)
    thread = await harness.talking(ANN, BOB)
    data = rng.bytes(90_000)
    devices = [await harness.log_in(ANN, node) for node in range(2)]
    message, furthest = None, 0
    for _ in range(120):
        node = int(rng.integers(2))
        device = devices[node]
        begun = await device.ask(1151, wanted(data))
        number, there = begun["attachment_id"], begun["offset"]
        assert 0 <= there <= len(data)
        match int(rng.integers(12)):
            case 0:
                await device.close()
                await harness.cluster.crash(node, 0.1)
                devices[node] = await harness.log_in(ANN, node)
            case 1 if rng.random() < 0.3:
                harness.world.files.lose_power()
            case 2:
                await asyncio.sleep(rng.exponential(2.0))
                await harness.cluster.nodes[node]._collector.collect()
            case 3:
                reply = await device.ask(*sending(thread, number))
                if reply["error"] == 0:
                    assert message in {None, reply["chat_datas"][0]["message_id"]}
                    message = reply["chat_datas"][0]["message_id"]
                else:
                    assert reply["error"] == REFUSED
                    assert message is None
            case _:
                offset = there if rng.random() < 0.7 else int(rng.integers(len(data)))
                size = min(int(rng.integers(1, CHUNK + 1)), len(data) - offset) or 1
                reply = await device.ask(*chunk(number, data, offset, size))
                assert reply["error"] == 0, reply
                assert reply["offset"] == (offset + size if offset == there and there < len(data) else there)
                furthest = max(furthest, reply["offset"])
        if message is not None and rng.random() < 0.2:
            assert (await downloaded(await harness.log_in(BOB), message))[0] == data
    assert furthest > CHUNK
    sent_again = {await sent(device, thread, data) for device in devices}
    assert len(sent_again | ({message} - {None})) == 1
    assert await harness.rows("SELECT COUNT(*) FROM chat_message") == [(1,)]
    assert len(await files_there(harness)) == 1
    assert await harness.rows("SELECT bytes FROM user_files") == [(len(data),)]
