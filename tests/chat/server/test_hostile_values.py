"""Every request with values that are allowed and strange: each is answered, and the session goes on."""

import base64
import json
import typing

import msgspec
import numpy as np
import pytest
from harness import ANN, BOB, CAT, in_both_worlds

from chatsim.chat.protocol import (
    CHUNK_REQUEST_LIMIT,
    FROM_CLIENT,
    FROM_SERVER,
    LARGEST_BODY,
    REQUEST_LIMIT,
    ChunkRequest,
    ErrorCode,
    Id,
    OutgoingText,
)

LOGIN = 1005
REQUESTS = {number: request for number, request in FROM_CLIENT.items() if number != LOGIN}
IDS = [0, ANN, ANN, ANN, BOB, BOB, CAT, 999, 2**31 - 1, 2**31, 2**32, 2**53, 2**63 - 1]
STRINGS = ["", "a", "u1", "2", "A", "a ", " a", "%", "_", "?", "\\", '"', "'; DROP TABLE user; --"]
STRINGS += ["0" * 40, "9" * 19, "9" * 300, "x" * 255, "x" * 256, "x" * 1_024, "漢" * 64, "漢" * 255, "漢" * 10_000]
STRINGS += ["\0", "\x1f" * 64, "\x01" * 9_000, "\ud800", "a\udfff", "\U0010ffff", "e\u0301", "\u202e", "\ufeff"]
STRINGS += ["apply:1-2", "accept:1-2", "chatsim:", "chatsim:apply:1-2", "Chatsim:apply:1-2", "👍" * 16]


class Values:
    """Draws bodies of requests from the values above, and from what there is."""

    def __init__(self, rng, thread):
        self._rng = rng
        self._ids = [*IDS, thread, thread, thread]

    def body(self, request):
        hints = typing.get_type_hints(request, include_extras=True)
        body = {field.name: self._value(hints[field.name]) for field in msgspec.structs.fields(request)}
        asker = {1009: "uid", 1013: "fromuid", 1017: "fromuid", 1023: "fromuid", 1025: "uid", 1027: "uid"}
        asker[1155] = "fromuid"
        if request.ID in asker and self._rng.random() < 0.9:
            body[asker[request.ID]] = ANN
        if request.ID == 1113 and self._rng.random() < 0.8:  # otherwise nearly all are of different lengths
            count = int(self._rng.choice([1, 2, 16, 17, 60]))
            body = {name: [self._value(Id) for _ in range(count)] for name in body}
            if self._rng.random() < 0.7:
                body["threads"] = [self._ids[-1]] * count
        return body

    def _value(self, hint):  # noqa: PLR0911
        match typing.get_origin(hint) or hint:
            case kind if kind is tuple:
                count = int(self._rng.choice([0, 1, 1, 2, 30]))
                if self._rng.random() < 0.3:
                    return [self._value(hint.__args__[0])] * count
                return [self._value(hint.__args__[0]) for _ in range(count)]
            case kind if kind is bool:
                return bool(self._rng.random() < 0.5)
            case kind if kind is bytes:
                count = int(self._rng.choice([0, 1, 3, 100, 1_000, 32_768, 33_000]))
                return base64.b64encode(self._rng.bytes(count)).decode()
            case kind if kind is int:
                return int(self._rng.choice([-1, 0, 1, 2, 2, 3, 2**40]))
            case kind if kind is str:
                return STRINGS[self._rng.integers(len(STRINGS))]
            case kind if kind is OutgoingText:
                return {"content": self._value(str), "unique_id": self._value(str)}
            case _:
                assert hint == Id, hint
                return self._ids[self._rng.integers(len(self._ids))]


def is_no_message(number, body, limit):
    """Whether the wire itself refuses it: it is too long, or has half of a pair of surrogates."""
    try:
        json.dumps(body, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    return len(json.dumps(body)) > max(limit, CHUNK_REQUEST_LIMIT if number == ChunkRequest.ID else 0)


async def ask_for_anything(harness, seed, limit):
    rng = np.random.default_rng(seed)
    thread = await harness.talking(ANN, BOB)
    values = Values(rng, thread)
    ann, answered = await harness.log_in(ANN, feed=True), set()
    for number in map(int, rng.choice(list(REQUESTS), size=240)):
        body = values.body(REQUESTS[number])
        if len(json.dumps(body)) > LARGEST_BODY:
            continue
        reply = await ann.ask(number, body)
        assert (reply is None) == is_no_message(number, body, limit), (number, body)
        if reply is None:
            ann = await harness.log_in(ANN, feed=True)
            continue
        msgspec.convert(reply, FROM_SERVER[number + 1])
        assert reply["error"] in {*ErrorCode}, (number, body, reply)
        assert await ann.ask(1023, {"fromuid": ANN}) == {"error": 0}, (number, body)
        answered.add(number)
    assert harness.cluster.stats.crash is None
    assert answered == {*REQUESTS}


@pytest.mark.parametrize("seed", range(2))
@in_both_worlds(("source", "hardened"))
async def test_whatever_is_asked_is_answered_and_the_session_goes_on(harness, seed):
    await ask_for_anything(harness, seed, REQUEST_LIMIT)


@pytest.mark.parametrize("seed", range(2, 4))
@in_both_worlds(("source", "hardened"), strangers=True, request_bytes=LARGEST_BODY, text_characters=10_000)
async def test_so_it_is_if_anybody_may_write_to_anybody_and_requests_are_as_long_as_a_frame(harness, seed):
    await ask_for_anything(harness, seed, LARGEST_BODY)
