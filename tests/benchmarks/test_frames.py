"""The hostile frames: the same ones for the same seed, all kinds of them, and most are no requests."""

import struct

import pytest
from attacks.frames import HostileFrames, bodies, frame

from chatsim.chat.protocol import FROM_CLIENT, REQUEST_LIMIT, Decoder, ProtocolError

BODIES = bodies(7, other=8, thread=9)
FRAMES = 4_000


def drawn(seed, count=FRAMES):
    frames = HostileFrames(seed, BODIES)
    return [frames.next() for _ in range(count)], frames.made


def is_request(raw):
    """Whether a server takes these bytes for a request."""
    decoder = Decoder(FROM_CLIENT, REQUEST_LIMIT)
    decoder.feed(raw)
    try:
        return decoder.next_message() is not None
    except ProtocolError:
        return False


def test_there_is_a_valid_request_of_each_kind():
    assert set(BODIES) == set(FROM_CLIENT)
    assert all(is_request(frame(number, body)) for number, body in BODIES.items())


def test_the_same_seed_gives_the_same_frames_and_another_seed_others():
    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)


def test_every_kind_is_drawn_about_as_often():
    _, made = drawn(1)
    assert len(made) == 14
    assert min(made.values()) > FRAMES / 14 / 2


def test_some_are_requests_and_most_are_not():
    frames, _ = drawn(1)
    requests = [raw for raw, _ in frames if is_request(raw)]
    assert FRAMES / 14 < len(requests) < FRAMES / 2
    assert {struct.unpack_from(">H", raw)[0] for raw in requests} == set(FROM_CLIENT)


def test_after_one_that_a_server_may_wait_for_the_rest_of_its_sender_hangs_up():
    frames, _ = drawn(1)
    for raw, hangs_up in frames:
        decoder = Decoder(FROM_CLIENT, REQUEST_LIMIT)
        decoder.feed(raw)
        try:
            waits = decoder.next_message() is None
        except ProtocolError:
            waits = False
        assert hangs_up or not waits, raw


@pytest.mark.parametrize("seed", range(5))
def test_each_fits_into_a_header(seed):
    frames, _ = drawn(seed, 1_000)
    assert all(0 < len(raw) <= 4 + 65_535 + 200 for raw, _ in frames)
