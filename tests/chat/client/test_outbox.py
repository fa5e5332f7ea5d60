"""What a client has to send, against a server that takes it, refuses it, or goes away, in virtual time."""

import functools
import itertools
import re

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted_server import FORGETS, FREE, HANGS_UP, ME, NEVER, OTHER, SILENCE, Server, login_for

from chatsim.chat.client.cache import Cache, Pending, State
from chatsim.chat.client.connection import DisconnectedError, LateError, RefusedError
from chatsim.chat.client.outbox import Outbox, TextTooLongError, WrongAcknowledgementError, unique_id
from chatsim.chat.protocol import REQUEST_LIMIT, ErrorCode, OutgoingText, TextRequest
from chatsim.simulation.loop import run
from chatsim.worlds.model.local_store import ModelStore

THREAD = 5


def in_virtual_time(body):
    @functools.wraps(body)
    def test(*args, **kwargs):
        run(body(*args, **kwargs))

    return test


class Harness:
    """An outbox, its cache, and the server."""

    def __init__(self, path=":memory:", limit=REQUEST_LIMIT):
        self.server = Server()
        self.cache = Cache(ModelStore(str(path), FREE), ME)
        self.outbox = Outbox(ME, self.cache, limit)

    async def open(self):
        await self.cache.open()
        await self.server.open()
        self.client = await self.connect()
        return self

    async def connect(self):
        return (await login_for(self.server)(lambda _: None))[0]

    async def put(self, *texts, thread_id=THREAD):
        for text in texts:
            await self.outbox.put(pending(text, thread_id))

    async def send_all(self):
        done = []
        while sent := await self.outbox.send(self.client):
            done += [(text.content, state) for text, state in sent]
        return done

    async def close(self):
        await self.client.close()
        await self.server.shut()
        await self.cache.close()

    def stored(self, thread_id=THREAD):
        return [text.content for text in self.server.threads[thread_id].texts]

    def batches(self):
        return [[each.content for each in request.text_array] for request in self.server.of(TextRequest)]

    async def waiting(self):
        return [text.content for text in await self.cache.pending()]


def pending(text, thread_id=THREAD):
    return Pending(f"id of {text[:20]}", thread_id, OTHER, text, NEVER)


def bodies(request):
    return len(msgspec.json.encode(request))


@in_virtual_time
async def test_texts_next_to_each_other_in_a_thread_go_together_and_all_in_their_order():
    harness = await Harness().open()
    await harness.put("a", "b")
    await harness.put("c", thread_id=6)
    await harness.put("d", "e")
    assert await harness.send_all() == [(text, State.UNREAD) for text in "abcde"]
    assert harness.batches() == [["a", "b"], ["c"], ["d", "e"]]
    assert [request.touid for request in harness.server.of(TextRequest)] == [OTHER] * 3
    await harness.close()


_TEXTS = st.lists(
    st.one_of(
        st.text("漢字かな", min_size=1, max_size=200),
        st.text('a"\\\n\x00', min_size=1, max_size=600),
        st.text("🐎é", min_size=1, max_size=150),
        st.sampled_from("xy"),
    ),
    max_size=12,
)


@settings(max_examples=50)
@given(_TEXTS)
def test_a_request_has_as_many_texts_as_the_limit_in_bytes_allows_whatever_their_letters(texts):
    async def main():
        harness = await Harness().open()
        for number, text in enumerate(texts):
            await harness.outbox.put(Pending(f"{number}", THREAD, OTHER, text, NEVER))
        await harness.send_all()
        assert harness.stored() == texts
        requests = harness.server.of(TextRequest)
        assert all(bodies(request) <= REQUEST_LIMIT for request in requests)
        for request, following in itertools.pairwise(requests):
            more = msgspec.structs.replace(request, text_array=(*request.text_array, following.text_array[0]))
            assert bodies(more) > REQUEST_LIMIT
        await harness.close()

    run(main())


@pytest.mark.parametrize(("less", "batches"), [(0, [["a", "b"]]), (1, [["a"], ["b"]])])
@in_virtual_time
async def test_texts_that_fill_a_request_to_the_byte_go_together_and_with_a_byte_less_they_do_not(less, batches):
    both = TextRequest(ME, OTHER, THREAD, tuple(OutgoingText(text, pending(text).unique_id) for text in "ab"))
    harness = await Harness(limit=bodies(both) - less).open()
    await harness.put("a", "b")
    await harness.send_all()
    assert harness.batches() == batches
    await harness.close()


@in_virtual_time
async def test_many_short_texts_fill_a_request():
    harness = await Harness().open()
    names = [str(number) for number in range(200)]
    for name in names:
        await harness.outbox.put(Pending(name, THREAD, OTHER, "x", NEVER))
    await harness.send_all()
    sizes = [bodies(request) for request in harness.server.of(TextRequest)]
    assert [text.unique_id for text in harness.server.threads[THREAD].texts] == names
    assert all(REQUEST_LIMIT - 40 < size <= REQUEST_LIMIT for size in sizes[:-1])
    await harness.close()


@in_virtual_time
async def test_a_text_that_is_too_long_in_bytes_is_not_taken_and_the_others_go_on():
    harness = await Harness().open()
    await harness.put("before")
    room = REQUEST_LIMIT - bodies(TextRequest(ME, OTHER, THREAD, (OutgoingText("", pending("漢" * 99).unique_id),)))
    longest = "漢" * (room // 3)
    with pytest.raises(
        TextTooLongError, match=rf"the text makes a request of \d+ bytes; a server accepts {REQUEST_LIMIT}"
    ):
        await harness.put(longest + "漢")
    await harness.put(longest, "after")
    assert await harness.send_all() == [(text, State.UNREAD) for text in ("before", longest, "after")]
    await harness.close()


@in_virtual_time
async def test_a_text_that_is_no_unicode_is_not_taken():
    harness = await Harness().open()
    with pytest.raises(UnicodeEncodeError):
        await harness.put("\ud800")
    assert await harness.waiting() == []
    await harness.close()


@in_virtual_time
async def test_a_text_that_the_server_refuses_fails_and_does_not_take_its_neighbours_with_it():
    harness = await Harness().open()
    await harness.put("good", "bad", "better", "best")

    harness.server.refuses = lambda request: any(each.content == "bad" for each in request.text_array)
    assert await harness.send_all() == [
        ("good", State.UNREAD),
        ("bad", State.FAILED),
        ("better", State.UNREAD),
        ("best", State.UNREAD),
    ]
    assert harness.stored() == ["good", "better", "best"]
    assert [each.content for each in await harness.cache.on_their_way(THREAD) if each.state is State.FAILED] == ["bad"]
    await harness.close()


@pytest.mark.parametrize("code", [ErrorCode.SEND_FAILED, ErrorCode.RPC_FAILED])
@in_virtual_time
async def test_the_servers_own_trouble_leaves_all_as_it_was(code):
    harness = await Harness().open()
    await harness.put("a", "b")
    harness.server.script[TextRequest].append(code)
    with pytest.raises(RefusedError, match=code.name):
        await harness.outbox.send(harness.client)
    assert await harness.waiting() == ["a", "b"]
    assert await harness.send_all() == [("a", State.UNREAD), ("b", State.UNREAD)]
    await harness.close()


@pytest.mark.parametrize(
    ("fate", "error"),
    [(HANGS_UP, DisconnectedError), (FORGETS, DisconnectedError), (SILENCE, LateError)],
    ids=["lost on the way", "lost on the way back", "no answer"],
)
@in_virtual_time
async def test_texts_whose_fate_is_unknown_are_sent_again_under_the_same_names_and_stored_once(fate, error):
    harness = await Harness().open()
    await harness.put("a", "b")
    harness.server.script[TextRequest].append(fate)
    with pytest.raises(error):
        await harness.outbox.send(harness.client)
    assert await harness.waiting() == ["a", "b"]
    await harness.client.close()
    harness.client = await harness.connect()
    assert await harness.send_all() == [("a", State.UNREAD), ("b", State.UNREAD)]
    first, second = harness.server.of(TextRequest)
    assert first == second
    assert harness.stored() == ["a", "b"]
    await harness.close()


@in_virtual_time
async def test_an_acknowledgement_of_other_texts_acknowledges_nothing():
    harness = await Harness().open()
    await harness.put("a", "b")
    harness.server.script[TextRequest].append(
        lambda _, reply: [msgspec.structs.replace(reply, chat_datas=reply.chat_datas[:1])]
    )
    with pytest.raises(WrongAcknowledgementError, match="the server has acknowledged other texts than were sent"):
        await harness.outbox.send(harness.client)
    assert await harness.waiting() == ["a", "b"]
    await harness.close()


@in_virtual_time
async def test_what_was_not_sent_is_sent_after_a_restart(tmp_path):
    harness = await Harness(tmp_path / "local.db").open()
    await harness.put("a", "b")
    await harness.close()
    again = await Harness(tmp_path / "local.db").open()
    assert await again.send_all() == [("a", State.UNREAD), ("b", State.UNREAD)]
    await again.close()


@in_virtual_time
async def test_a_text_from_a_time_of_longer_requests_fails_and_what_is_behind_it_is_sent(tmp_path):
    harness = await Harness(tmp_path / "local.db", limit=60_000).open()
    await harness.put("a", "b" * 3_000, "c")
    await harness.close()
    again = await Harness(tmp_path / "local.db").open()
    assert await again.send_all() == [("a", State.UNREAD), ("b" * 3_000, State.FAILED), ("c", State.UNREAD)]
    await again.close()


@pytest.mark.parametrize(
    ("byte", "name"),
    [
        (b"\x00", "{00000000-0000-4000-8000-000000000000}"),
        (b"\xff", "{ffffffff-ffff-4fff-bfff-ffffffffffff}"),
    ],
)
def test_a_unique_id_is_random_in_every_bit_but_those_of_version_and_variant(byte, name):
    class Generator:
        @staticmethod
        def bytes(count):
            return byte * count

    assert unique_id(Generator()) == name


def test_a_unique_id_is_a_random_uuid_in_braces():
    rng = np.random.default_rng(1)
    names = {unique_id(rng) for _ in range(100)}
    assert len(names) == 100
    pattern = r"\{[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\}"
    assert all(re.fullmatch(pattern, name) for name in names)
