"""The codec: messages become frames, and frames messages. Beside it is JSON alone, which is its limit.

A frame adds a header of four bytes; the decoder also collects bytes as they arrive.
"""

from __future__ import annotations

import msgspec
import pytest

from chatsim.chat.protocol import (
    FROM_SERVER,
    CatchUpPart,
    Decoder,
    HeartbeatReply,
    HistoryReply,
    NumberedText,
    TextsNotice,
    ThreadTexts,
    encode,
)

TIMES = 100
"""How often a message is encoded or decoded in a round."""


def text(number):
    """A message of usual length."""
    content = f"message {number}, as long as what people write to each other in the evening"
    return NumberedText(number, 10**9 + number, 1001, f"{number:032x}", 0, content, 0, "2025-01-01 12:00:00")


PAGE = tuple(text(number) for number in range(1, 101))
MESSAGES = {
    "a heartbeat": HeartbeatReply(0),
    "a text": TextsNotice(1, 1001, 1002, PAGE[:1]),
    "a page of 100 texts": HistoryReply(0, 1, load_more=True, texts=PAGE),
    "a catch-up part of 200 texts": CatchUpPart((ThreadTexts(1, PAGE), ThreadTexts(2, PAGE))),
}

named = pytest.mark.parametrize("name", MESSAGES)
beside = pytest.mark.parametrize("way", ["frames", "json alone"])


@named
@beside
def test_a_message_is_encoded(benchmark, way, name):
    """A hundred times the same message; per hundred."""
    message = MESSAGES[name]
    write = encode if way == "frames" else msgspec.json.encode

    def work():
        for _ in range(TIMES):
            write(message)

    benchmark.group = f"{name} is encoded"
    benchmark(work)
    benchmark.extra_info |= {"bytes": len(write(message)), "reference": way != "frames"}


@named
@beside
def test_a_message_is_decoded(benchmark, way, name):
    """A hundred times the same bytes, each time all at once; per hundred."""
    message = MESSAGES[name]

    def frames():
        decoder = Decoder(FROM_SERVER)
        for _ in range(TIMES):
            decoder.feed(data)
            assert decoder.next_message() is not None

    def alone():
        for _ in range(TIMES):
            reader.decode(data)

    data = encode(message) if way == "frames" else msgspec.json.encode(message)
    reader = msgspec.json.Decoder(type(message))
    benchmark.group = f"{name} is decoded"
    benchmark(frames if way == "frames" else alone)
    benchmark.extra_info |= {"bytes": len(data), "reference": way != "frames"}
