"""Catching up on many threads in one request, as devices see it: all of it once, in order, in parts that fit."""

import asyncio
import json

import pytest
from harness import ANN, BOB, CAT, DAN, in_both_worlds

from chatsim.chat.protocol import LARGEST_BODY
from chatsim.worlds.loading import add_users, insert

COLUMNS = "(thread_id, sender_id, recv_id, content, unique_id, seq)"


async def fill(harness, thread, count, *, sender=BOB, receiver=ANN, content=str):
    """A thread's messages, as they are stored, without sending them."""
    rows = [(thread, sender, receiver, content(seq), f"{thread}.{seq}", seq) for seq in range(1, count + 1)]
    for at in range(0, count, 100):
        await insert(harness.world.admin, f"chat_message {COLUMNS}", rows[at : at + 100])


async def catch_up(device, *places):
    """The bodies of the parts, and the reply, of a catch-up on threads with their bounds."""
    threads, after, below = ([each[at] for each in places] for at in range(3))
    reply = await device.ask(1113, {"threads": threads, "after": after, "below": below})
    unasked, device.unasked = device.unasked, []
    assert {number for number, _ in unasked} <= {1115}
    return [body for _, body in unasked], reply


def texts(parts):
    """What parts have, by thread: numbers and contents, as they came."""
    found = {}
    for part in parts:
        for each in part["threads"]:
            found.setdefault(each["thread_id"], []).extend((text["seq"], text["content"]) for text in each["texts"])
    return found


def numbered(first, last):
    return [(seq, str(seq)) for seq in range(first, last + 1)]


# --- all of it, once, in order


@in_both_worlds()
async def test_what_is_between_the_bounds_of_several_threads_comes_in_one_part(harness):
    one, two, empty = await harness.talking(ANN, BOB), await harness.talking(ANN, CAT), await harness.talking(ANN, DAN)
    await fill(harness, one, 12)
    await fill(harness, two, 5, sender=CAT)
    ann = await harness.log_in(ANN)
    parts, reply = await catch_up(ann, (two, 2, 0), (one, 3, 9), (empty, 0, 0))
    assert reply == {"error": 0}
    assert len(parts) == 1
    assert [each["thread_id"] for each in parts[0]["threads"]] == [two, one], "what has nothing is not spoken of"
    assert texts(parts) == {two: numbered(3, 5), one: numbered(4, 8)}


@in_both_worlds()
async def test_a_text_is_told_as_its_push_and_its_page_tell_it(harness):
    thread = await harness.talking(ANN, BOB)
    ann, bob = await harness.log_in(ANN, feed=True), await harness.log_in(BOB)
    batch = [{"content": 'a "漢"\n', "unique_id": "u"}]
    await bob.ask(1017, {"fromuid": BOB, "touid": ANN, "thread_id": thread, "text_array": batch})
    await harness.settled()
    ((_, notice),) = await ann.notices()
    (part,), _ = await catch_up(ann, (thread, 0, 0))
    page = await ann.ask(1101, {"thread_id": thread, "seq": 0, "backward": False})
    assert part == {"threads": [{"thread_id": thread, "texts": notice["texts"]}]}
    assert page["texts"] == notice["texts"]


@pytest.mark.parametrize("bounds", [(5, 5), (5, 6), (12, 0), (2**62, 0), (0, 1)])
@in_both_worlds(worlds=["model"])
async def test_where_nothing_is_between_the_bounds_there_is_no_part(harness, bounds):
    thread = await harness.talking(ANN, BOB)
    await fill(harness, thread, 12)
    assert await catch_up(await harness.log_in(ANN), (thread, *bounds)) == ([], {"error": 0})


@pytest.mark.parametrize("count", [249, 250, 251, 520])
@in_both_worlds()
async def test_of_a_long_thread_all_comes_though_it_is_read_in_pieces(harness, count):
    one, two = await harness.talking(ANN, BOB), await harness.talking(ANN, CAT)
    await fill(harness, one, count)
    await fill(harness, two, 3, sender=CAT)
    parts, reply = await catch_up(await harness.log_in(ANN), (one, 0, count - 1), (two, 0, 0))
    assert reply == {"error": 0}
    assert texts(parts) == {one: numbered(1, count - 2), two: numbered(1, 3)}


@in_both_worlds()
async def test_more_threads_than_are_read_at_once_all_come(harness):
    others = range(1_000, 1_040)
    await add_users(harness.world.admin, others)
    threads = [await harness.thread(ANN, other) for other in others]
    for thread in threads:
        await fill(harness, thread, 2)
    ann = await harness.log_in(ANN)
    parts, reply = await catch_up(ann, *((thread, 0, 0) for thread in threads))
    assert reply == {"error": 0}
    assert texts(parts) == {thread: numbered(1, 2) for thread in threads}
    assert len(parts) == 3, "one for each time that some are read"


@pytest.mark.parametrize(
    ("places", "expected"),
    [
        ([(0, 0)] * 100, numbered(1, 12)),
        ([(0, 6), (4, 9)], numbered(1, 8)),
        ([(8, 0), (0, 4), (2, 6)], [*numbered(1, 5), *numbered(9, 12)]),
        ([(0, 4), (3, 7)], numbered(1, 6)),
    ],
)
@in_both_worlds(worlds=["model"])
async def test_a_thread_that_is_named_again_brings_each_message_once(harness, places, expected):
    thread = await harness.talking(ANN, BOB)
    await fill(harness, thread, 12)
    parts, reply = await catch_up(await harness.log_in(ANN), *((thread, *bounds) for bounds in places))
    assert (reply, texts(parts)) == ({"error": 0}, {thread: expected})


# --- parts that fit into frames


CONTENTS = {
    "short": lambda seq: str(seq % 10),
    "cjk": lambda seq: "漢" * (seq % 1_025 or 1),
    "control": lambda seq: '\x01"\\' * (seq % 340 + 1),
    "mixed": lambda seq: ("\x01", "漢", "x", "😀")[seq % 4] * 1_024,
}


@pytest.mark.parametrize("kind", CONTENTS)
@in_both_worlds()
async def test_parts_are_cut_by_their_bytes_whatever_is_in_them(harness, kind):
    content = CONTENTS[kind]
    one, two = await harness.talking(ANN, BOB), await harness.talking(ANN, CAT)
    await fill(harness, one, 240, content=content)
    await fill(harness, two, 240, sender=CAT, content=content)
    ann = await harness.log_in(ANN)
    await ann.say(1113, {"threads": [one, two], "after": [0, 0], "below": [0, 0]})
    parts, sizes = [], []
    while (message := await ann.hear())[0] == 1115:
        parts.append(message[1])
        sizes.append(len(json.dumps(message[1], ensure_ascii=False, separators=(",", ":")).encode()))
    assert message == (1114, {"error": 0})
    whole = [(seq, content(seq)) for seq in range(1, 241)]
    assert texts(parts) == {one: whole, two: whole}
    assert all(size <= LARGEST_BODY for size in sizes)
    largest = max(len(json.dumps(said, ensure_ascii=False).encode()) for _, said in whole) + 300
    assert all(size > LARGEST_BODY - 300 - largest for size in sizes[:-1]), "no part but the last has room for more"


# --- who may not


@pytest.mark.parametrize(
    "body",
    [
        {"threads": [], "after": [], "below": []},
        {"threads": [1, 2], "after": [0], "below": [0, 0]},
        {"threads": [1], "after": [0], "below": []},
        {"threads": [], "after": [0], "below": [0]},
    ],
)
@in_both_worlds(worlds=["model"])
async def test_bounds_that_do_not_match_the_threads_are_refused(harness, body):
    assert await (await harness.log_in(ANN)).ask(1113, body) == {"error": 1104}


@in_both_worlds()
async def test_who_asks_for_a_thread_of_others_gets_nothing_at_all(harness):
    mine, theirs = await harness.talking(ANN, BOB), await harness.talking(BOB, CAT)
    for thread in (mine, theirs):
        await fill(harness, thread, 3)
    ann = await harness.log_in(ANN)
    for strange in (theirs, 10**9):
        assert await catch_up(ann, (mine, 0, 0), (strange, 0, 0)) == ([], {"error": 1102})
    assert texts((await catch_up(ann, (mine, 0, 0)))[0]) == {mine: numbered(1, 3)}


@in_both_worlds("source")
async def test_the_sources_messages_have_no_numbers_to_catch_up_by(harness):
    thread = await harness.talking(ANN, BOB)
    assert await catch_up(await harness.log_in(ANN), (thread, 0, 0)) == ([], {"error": 1108})


# --- beside others


class Slow:
    """A session's stream to a client that does not read until it is let go."""

    def __init__(self, harness, uid):
        session = next(each for each in harness.cluster.nodes[0]._sessions if each.uid == uid)
        self._stream, session._stream = session._stream, self
        self.stopped = asyncio.Event()
        self.go = asyncio.Event()

    async def write(self, data):
        self.stopped.set()
        await self.go.wait()
        await self._stream.write(data)

    def __getattr__(self, name):
        return getattr(self._stream, name)


@in_both_worlds(pool=1)
async def test_while_a_client_is_slow_others_have_the_database(harness):
    long, other = await harness.talking(ANN, BOB), await harness.talking(BOB, CAT)
    await fill(harness, long, 600, content=CONTENTS["mixed"])
    ann, bob = await harness.log_in(ANN), await harness.log_in(BOB)
    slow = Slow(harness, ANN)
    catching_up = asyncio.create_task(catch_up(ann, (long, 0, 0)))
    await slow.stopped.wait()
    assert (await bob.ask(1101, {"thread_id": other, "seq": 0, "backward": False}))["error"] == 0
    assert not catching_up.done()
    slow.go.set()
    parts, reply = await catching_up
    assert reply == {"error": 0}
    assert [seq for seq, _ in texts(parts)[long]] == [*range(1, 601)]


@in_both_worlds()
async def test_pushes_pass_between_the_parts(harness):
    long, other = await harness.talking(ANN, BOB), await harness.talking(ANN, CAT)
    await fill(harness, long, 240, content=CONTENTS["mixed"])
    ann, cat = await harness.log_in(ANN, feed=True), await harness.log_in(CAT)
    slow = Slow(harness, ANN)
    await ann.say(1113, {"threads": [long], "after": [0], "below": [0]})
    await slow.stopped.wait()
    batch = [{"content": "meanwhile", "unique_id": "u"}]
    sent = {"fromuid": CAT, "touid": ANN, "thread_id": other, "text_array": batch}
    assert (await cat.ask(1017, sent))["error"] == 0
    await has_a_push_waiting(harness, ANN)
    slow.go.set()
    numbers = [(await ann.hear())[0] for _ in range(3)]
    assert numbers == [1115, 1109, 1115]
    while (message := await ann.hear())[0] == 1115:
        pass
    assert message == (1114, {"error": 0})


async def has_a_push_waiting(harness, uid):
    """Wait until something is to be pushed to a user behind what is being written."""
    session = next(each for each in harness.cluster.nodes[0]._sessions if each.uid == uid)
    while not session._frames:  # noqa: ASYNC110
        await asyncio.sleep(0.001)
