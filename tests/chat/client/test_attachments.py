"""Attachments of messengers on real nodes in the model: cut anywhere, on either side, they arrive once and whole."""

import asyncio
import functools
import inspect
from contextlib import asynccontextmanager

import numpy as np
import pytest
from harness import ANN, BOB, DAN, harness

from chatsim.chat.client.attachments import NoAttachmentError
from chatsim.chat.client.cache import State
from chatsim.chat.client.connection import ClientError, DisconnectedError
from chatsim.chat.client.messenger import Messenger, MessengerClosedError, Status, Timing
from chatsim.chat.client.outbox import TextTooLongError
from chatsim.chat.client.transfers import TransferError
from chatsim.chat.client.view import SCHEMES, View
from chatsim.chat.ports import FilesError
from chatsim.chat.protocol import (
    CHUNK,
    FILE,
    IMAGE,
    AttachmentRequest,
    ChunkRequest,
    DownloadRequest,
    UploadRequest,
)
from chatsim.worlds.model.settings import Model

WINDOW = 4
DATA = bytes(range(251)) * 700  # five whole chunks, and a part of one
CHUNKS = 6
A_WHILE = 30.0


class Devices:
    """Messengers of users on the nodes of a harness, which can be put away and taken up again."""

    def __init__(self, nodes, thread):
        self.nodes = nodes
        self.thread = thread
        self._open = []
        self._seeds = iter(range(1, 1_000))

    @property
    def files(self):
        return self.nodes.world.files

    async def open(self, uid, store=None, *, changed=lambda _: None, cuts=None):
        made = Messenger(
            uid,
            self._log_in(uid, cuts),
            store or self.nodes.world.local_store(":memory:"),
            rng=np.random.default_rng(next(self._seeds)),
            timing=Timing(longest=2.0, resync=1e6),
            changed=changed,
        )
        await made.open()
        self._open.append(made)
        await until(lambda: made.status is Status.READY)
        return made

    async def close(self):
        for each in self._open:
            await each.close()

    def _log_in(self, uid, cuts):
        whole = self.nodes.cluster.login_for(uid)

        async def log_in(pushed):
            client, profile = await whole(pushed)
            if cuts is not None:
                cuts.watch(client)
            return client, profile

        return log_in


class Cuts:
    """Breaks the connection off once, at the request number ``at`` of a kind, from 0.

    Args:
        kind: the kind.
        at: which.
        behind: whether it is broken off after the answer, and not before the request.

    Attributes:
        asked: the requests of that kind, on all connections.
    """

    def __init__(self, kind, at=-1, *, behind=False):
        self.kind, self.at, self.behind = kind, at, behind
        self.asked = []

    def watch(self, client):
        request = client.request

        async def watched(message, reply):
            if not isinstance(message, self.kind):
                return await request(message, reply)
            self.asked.append(message)
            if len(self.asked) - 1 != self.at:
                return await request(message, reply)
            if self.behind:
                await request(message, reply)
            await client.close("cut")
            raise DisconnectedError("cut")

        client.request = watched


class LastingStore:
    """A local store that stays when it is closed, as a file would."""

    def __init__(self, store):
        self._store = store

    async def execute(self, sql, args=()):
        return await self._store.execute(sql, args)

    async def transaction(self, statements):
        return await self._store.transaction(statements)

    async def close(self):
        pass


async def until(true):
    async with asyncio.timeout(A_WHILE):
        while True:
            found = true()
            if await found if inspect.isawaitable(found) else found:
                return
            await asyncio.sleep(0.01)


def with_devices(body=None, **limits):
    if body is None:
        return functools.partial(with_devices, **limits)

    @asynccontextmanager
    async def devices(world):
        async with harness(world, "hardened", **limits) as nodes:
            made = Devices(nodes, await nodes.talking(ANN, BOB))
            try:
                yield made
            finally:
                await made.close()

    @functools.wraps(body)
    def test(**given):
        async def main(world):
            async with devices(world) as made:
                await body(made, **given)

        Model().run(main, seed=1)

    parameters = list(inspect.signature(body).parameters.values())
    test.__signature__ = inspect.Signature(parameters[1:])
    return test


async def newest(messenger, thread):
    texts = await messenger.cache.newest(thread, 100)
    return texts[-1] if texts else None


async def arrived(messenger, thread):
    """Wait for a message with an attachment that has a number; returns it."""
    await until(lambda: has_arrived(messenger, thread))
    return await newest(messenger, thread)


async def has_arrived(messenger, thread):
    text = await newest(messenger, thread)
    return text is not None and text.seq is not None and text.file is not None


# --- sent and fetched


@with_devices
async def test_a_file_is_sent_shown_and_fetched(devices):
    ann, bob = await devices.open(ANN), await devices.open(BOB)
    sending = await ann.send_file(devices.thread, "photo.jpg", DATA, IMAGE)
    assert (sending.seq, sending.content, sending.state) == (None, "photo.jpg", State.SENDING)
    assert (sending.file.msg_type, sending.file.size, sending.file.done) == (IMAGE, len(DATA), 0)
    for messenger in (ann, bob):
        text = await arrived(messenger, devices.thread)
        assert (text.seq, text.sender, text.content, text.state) == (1, ANN, "photo.jpg", State.UNREAD)
        assert (text.file.msg_type, text.file.size, text.file.done) == (IMAGE, len(DATA), 0)
        assert await messenger.fetch_file(devices.thread, 1) == DATA
    parts = (
        "SELECT (SELECT COUNT(*) FROM upload), (SELECT COUNT(*) FROM upload_part), (SELECT COUNT(*) FROM download_part)"
    )
    for messenger in (ann, bob):
        assert (await messenger.cache._store.execute(parts)).rows == [(0, 0, 0)]


@with_devices
async def test_texts_do_not_wait_for_an_attachment(devices):
    cuts = Cuts(ChunkRequest)
    ann, bob = await devices.open(ANN, cuts=cuts), await devices.open(BOB)
    await ann.send_file(devices.thread, "large.bin", DATA * 20)
    await until(lambda: len(cuts.asked) > 2)
    await ann.send(devices.thread, "hello")
    await until(lambda: has_text(bob, devices.thread, "hello"))
    assert len(cuts.asked) < 20 * CHUNKS
    assert (await newest(ann, devices.thread)).state is State.SENDING, "the attachment comes behind it"
    await arrived(bob, devices.thread)
    assert [text.content for text in await bob.cache.newest(devices.thread, 10)] == ["hello", "large.bin"]


async def has_text(messenger, thread, content):
    return content in [text.content for text in await messenger.cache.newest(thread, 100)]


@with_devices
async def test_several_attachments_go_one_after_the_other(devices):
    ann, bob = await devices.open(ANN), await devices.open(BOB)
    for at in range(3):
        await ann.send_file(devices.thread, f"{at}.bin", bytes([at]) * 50_000)
    await until(lambda: has_text(bob, devices.thread, "2.bin"))
    assert [await bob.fetch_file(devices.thread, at + 1) for at in range(3)] == [
        bytes([at]) * 50_000 for at in range(3)
    ]
    assert [text.content for text in await bob.cache.newest(devices.thread, 10)] == ["0.bin", "1.bin", "2.bin"]


@with_devices
async def test_in_a_group_everybody_has_it(devices):
    group = await devices.nodes.group(ANN, BOB, DAN)
    ann, bob, dan = [await devices.open(uid) for uid in (ANN, BOB, DAN)]
    await ann.send_file(group, "a.bin", DATA)
    for messenger in (bob, dan):
        await arrived(messenger, group)
        assert await messenger.fetch_file(group, 1) == DATA


# --- cut


@pytest.mark.parametrize("behind", [False, True])
@pytest.mark.parametrize(
    ("kind", "at"),
    [(UploadRequest, 0), *((ChunkRequest, at) for at in range(CHUNKS)), (AttachmentRequest, 0)],
    ids=lambda value: getattr(value, "__name__", value),
)
@with_devices
async def test_an_upload_that_is_cut_off_anywhere_arrives_once(devices, kind, at, behind):
    cuts = Cuts(kind, at, behind=behind)
    ann, bob = await devices.open(ANN, cuts=cuts), await devices.open(BOB)
    await ann.send_file(devices.thread, "a.bin", DATA)
    text = await arrived(bob, devices.thread)
    assert (text.seq, await bob.fetch_file(devices.thread, 1)) == (1, DATA)
    await arrived(ann, devices.thread)
    assert [each.content for each in await ann.cache.newest(devices.thread, 10)] == ["a.bin"]
    assert len(cuts.asked) > at
    assert len(cuts.asked) <= CHUNKS + WINDOW + 1


@pytest.mark.parametrize("who", ["client", "node", "both"])
@pytest.mark.parametrize("at", range(CHUNKS))
@with_devices
async def test_a_half_sent_upload_is_found_again_when_either_side_is_restarted(devices, at, who):
    cuts = Cuts(ChunkRequest, at)
    store = LastingStore(devices.nodes.world.local_store(":memory:"))
    ann = await devices.open(ANN, store, cuts=cuts)
    await ann.send_file(devices.thread, "a.bin", DATA)
    await until(lambda: len(cuts.asked) > at)
    if who != "node":
        await ann.close()
    if who != "client":
        await devices.nodes.cluster.crash(0, 0.5)
    before = len(cuts.asked)
    if who != "node":
        ann = await devices.open(ANN, store, cuts=cuts)
    bob = await devices.open(BOB)
    await arrived(bob, devices.thread)
    assert await bob.fetch_file(devices.thread, 1) == DATA
    assert await devices.nodes.rows("SELECT COUNT(*) FROM chat_message") == [(1,)]
    if who == "client":
        assert len(cuts.asked) - before <= CHUNKS - at // WINDOW * WINDOW, "it went on where it had stopped"


@pytest.mark.parametrize("behind", [False, True])
@pytest.mark.parametrize("at", range(CHUNKS))
@with_devices
async def test_a_download_that_is_cut_off_goes_on_also_after_a_restart(devices, at, behind):
    ann = await devices.open(ANN)
    await ann.send_file(devices.thread, "a.bin", DATA)
    await arrived(ann, devices.thread)
    cuts = Cuts(DownloadRequest, at, behind=behind)
    store = LastingStore(devices.nodes.world.local_store(":memory:"))
    bob = await devices.open(BOB, store, cuts=cuts)
    await arrived(bob, devices.thread)
    with pytest.raises(ClientError, match="cut"):
        await bob.fetch_file(devices.thread, 1)
    await bob.close()
    before = len(cuts.asked)
    bob = await devices.open(BOB, store, cuts=cuts)
    whole = at // WINDOW * WINDOW
    assert (await newest(bob, devices.thread)).file.done == whole * CHUNK
    assert await bob.fetch_file(devices.thread, 1) == DATA
    assert len(cuts.asked) - before == CHUNKS - whole
    assert (await newest(bob, devices.thread)).file.done == 0


@pytest.mark.parametrize("lapsed", [False, True])
@with_devices
async def test_what_the_server_has_lost_is_sent_from_the_beginning(devices, lapsed):
    cuts = Cuts(ChunkRequest, WINDOW)
    ann, bob = await devices.open(ANN, cuts=cuts), await devices.open(BOB)
    await ann.send_file(devices.thread, "a.bin", DATA)
    await until(lambda: len(cuts.asked) > WINDOW)
    if lapsed:
        await devices.nodes.world.admin.execute("DELETE FROM message_attachment")
    for file in await devices.files.names():
        await devices.files.remove(file)
    await arrived(bob, devices.thread)
    assert await bob.fetch_file(devices.thread, 1) == DATA


@with_devices
async def test_bytes_that_have_become_others_on_the_servers_disk_are_sent_again(devices):
    cuts = Cuts(AttachmentRequest, 0)
    ann, bob = await devices.open(ANN, cuts=cuts), await devices.open(BOB)
    await ann.send_file(devices.thread, "a.bin", DATA)
    await until(lambda: cuts.asked)
    (file,) = devices.files._files.values()
    file[1_000:2_000] = bytes(1_000)
    await arrived(bob, devices.thread)
    assert await bob.fetch_file(devices.thread, 1) == DATA


# --- refused, and wrong


@with_devices(user_file_bytes=200_000)
async def test_what_the_server_refuses_has_failed_and_may_be_sent_again(devices):
    ann, bob = await devices.open(ANN), await devices.open(BOB)
    first = await ann.send_file(devices.thread, "a.bin", DATA)
    await arrived(bob, devices.thread)
    second = await ann.send_file(devices.thread, "b.bin", DATA[::-1])
    await until(lambda: is_in(ann, devices.thread, State.FAILED))
    assert first.unique_id != second.unique_id
    await ann.send_file(devices.thread, "small.bin", b"x")
    await until(lambda: has_text(bob, devices.thread, "small.bin")), "others do not wait for it"
    await devices.nodes.world.admin.execute("UPDATE user_files SET bytes = 0")
    await ann.send_again(second.unique_id)
    await until(lambda: has_text(bob, devices.thread, "b.bin"))
    assert await bob.fetch_file(devices.thread, 3) == DATA[::-1]


async def is_in(messenger, thread, state):
    text = await newest(messenger, thread)
    return text is not None and text.state is state


@pytest.mark.parametrize(("name", "data"), [("", b"x"), ("a/b", b"x"), ("a\0b", b"x"), ("x" * 1_000, b"x"), ("a", b"")])
@with_devices
async def test_a_file_that_no_server_takes_fails_and_disturbs_nobody(devices, name, data):
    ann = await devices.open(ANN)
    await ann.send_file(devices.thread, name, data)
    await until(lambda: is_in(ann, devices.thread, State.FAILED))
    await ann.send(devices.thread, "hello")
    await until(lambda: has_text(ann, devices.thread, "hello"))


@with_devices
async def test_a_name_that_fits_into_no_request_is_refused_at_once(devices):
    ann = await devices.open(ANN)
    with pytest.raises(TextTooLongError, match="name makes a request of 10162 bytes; a server accepts 2048"):
        await ann.send_file(devices.thread, "x" * 10_000, b"x")
    assert await newest(ann, devices.thread) is None


@with_devices
async def test_while_the_servers_disk_is_full_it_tries_again(devices):
    ann, bob = await devices.open(ANN), await devices.open(BOB)
    real, asked = devices.files.append, []

    async def append(*args):
        asked.append(args)
        if len(asked) < 10:
            raise FilesError("No space left on device")
        return await real(*args)

    devices.files.append = append
    await ann.send_file(devices.thread, "a.bin", DATA)
    await arrived(bob, devices.thread)
    assert await bob.fetch_file(devices.thread, 1) == DATA
    assert len(asked) > 10


@with_devices
async def test_an_attachment_with_a_wrong_checksum_is_not_given_out_and_is_loaded_anew(devices):
    ann, bob = await devices.open(ANN), await devices.open(BOB)
    await ann.send_file(devices.thread, "a.bin", DATA)
    await arrived(bob, devices.thread)
    (file,) = devices.files._files.values()
    file[5] ^= 1
    with pytest.raises(TransferError, match="checksum is wrong"):
        await bob.fetch_file(devices.thread, 1)
    file[5] ^= 1
    assert await bob.fetch_file(devices.thread, 1) == DATA


@with_devices
async def test_what_has_no_attachment_can_not_be_fetched(devices):
    ann = await devices.open(ANN)
    await ann.send(devices.thread, "hello")
    await until(lambda: has_text(ann, devices.thread, "hello"))
    for thread, seq in ((devices.thread, 1), (devices.thread, 2), (4711, 1)):
        with pytest.raises(NoAttachmentError):
            await ann.fetch_file(thread, seq)
    with pytest.raises(KeyError):
        await ann.send_file(4711, "a.bin", b"x")
    await ann.close()
    with pytest.raises(MessengerClosedError):
        await ann.send_file(devices.thread, "a.bin", b"x")
    with pytest.raises(DisconnectedError):
        await ann.fetch_file(devices.thread, 1)


@with_devices
async def test_what_is_recalled_can_not_be_fetched_and_nothing_of_it_is_kept(devices):
    cuts = Cuts(DownloadRequest, WINDOW)
    ann, bob = await devices.open(ANN), await devices.open(BOB, cuts=cuts)
    await ann.send_file(devices.thread, "a.bin", DATA)
    await arrived(bob, devices.thread)
    with pytest.raises(ClientError, match="cut"):
        await bob.fetch_file(devices.thread, 1)
    assert (await newest(bob, devices.thread)).file.done == WINDOW * CHUNK
    await ann.recall(devices.thread, 1)
    await until(lambda: is_in(bob, devices.thread, State.RECALLED))
    for messenger in (ann, bob):
        text = await newest(messenger, devices.thread)
        assert (text.content, text.file) == ("", None)
        with pytest.raises(NoAttachmentError):
            await messenger.fetch_file(devices.thread, 1)
    left = "SELECT (SELECT COUNT(*) FROM attachment), (SELECT COUNT(*) FROM download_part)"
    assert (await bob.cache._store.execute(left)).rows == [(0, 0)]


# --- shown


@pytest.mark.parametrize("scheme", SCHEMES)
@with_devices
async def test_the_view_shows_name_size_and_how_much_has_moved(devices, scheme):
    seen = {ANN: [], BOB: []}
    views = {}

    def noting(uid):
        def changed(event):
            if uid in views:
                views[uid].note(event)

        return changed

    ann, bob = await devices.open(ANN, changed=noting(ANN)), await devices.open(BOB, changed=noting(BOB))
    runs = []
    for uid, messenger in ((ANN, ann), (BOB, bob)):
        views[uid] = view = View(messenger.cache, SCHEMES[scheme])
        view.open(devices.thread)
        view.conversation.subscribe(functools.partial(note, seen[uid], view))
        runs.append(asyncio.create_task(view.run()))
    await ann.send(devices.thread, "hello")
    await ann.send_file(devices.thread, "a.bin", DATA, FILE)
    await until(lambda: any(row[3] == 2 for row in seen[BOB]))
    await ann.send(devices.thread, "and a text, so that the row is one of those that do not change")
    await asyncio.sleep(1.0)
    assert await bob.fetch_file(devices.thread, 2) == DATA
    await asyncio.sleep(1.0)
    for run in runs:
        run.cancel()
    await asyncio.gather(*runs, return_exceptions=True)
    size = len(DATA)
    assert ("a.bin", FILE, (0, size), None) in seen[ANN]
    moved = {row[2][0] for row in seen[ANN] if row[3] is None}
    assert any(0 < done < size for done in moved), moved
    moved = [row[2][0] for row in seen[BOB]]
    assert moved[0] == moved[-1] == 0
    assert any(0 < done < size for done in moved), moved


def note(seen, view, _):
    for text in view.conversation:
        if text.file is not None:
            seen.append((text.content, text.file.msg_type, (text.file.done, text.file.size), text.seq))
