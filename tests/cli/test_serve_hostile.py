"""``chatsim serve`` and clients that break the protocol: their connection ends, and nobody else notices."""

import random
import re

import psutil
import pytest
from foreign import frame
from serving import SUCCESS, connect, may_be_too_deep, nested, padded, ticket

HOSTILE = {
    "no_json": (frame(1005, b"hello"), r"message 1005: JSON is malformed: .*"),
    "nothing": (frame(1005, b""), r"message 1005: Input data was truncated"),
    "half_json": (frame(1005, b'{"uid":1001,"tok'), r"message 1005: Input data was truncated"),
    "two_in_one": (frame(1023, b'{"fromuid":1001}{"fromuid":1001}'), r"message 1023: JSON is malformed: .*"),
    "no_utf8": (frame(1005, b'{"uid":1001,"token":"\xff\xfe"}'), r"message 1005: .*codec can't decode.*"),
    "half_a_character": (frame(1005, b'{"uid":1001,"token":"\\ud800"}'), r"message 1005: .*"),
    "null": (frame(1005, None), r"message 1005: Expected `object`, got `null`"),
    "array": (frame(1005, [1001, "x"]), r"message 1005: Expected `object`, got `array`"),
    "text": (frame(1005, "1001"), r"message 1005: Expected `object`, got `str`"),
    "key_missing": (frame(1005, {"uid": 1001}), r"message 1005: Object missing required field `token`"),
    "text_for_a_number": (frame(1023, {"fromuid": "1001"}), r"message 1023: Expected `int`, got `str`.*"),
    "truth_for_a_number": (frame(1023, {"fromuid": True}), r"message 1023: Expected `int`, got `bool`.*"),
    "fraction": (frame(1027, {"uid": 1001, "other_id": 1002.5}), r"message 1027: Expected `int`, got `float`.*"),
    "null_for_a_text": (frame(1005, {"uid": 1001, "token": None}), r"message 1005: Expected `str`, got `null`.*"),
    "array_for_a_number": (frame(1023, {"fromuid": [1001]}), r"message 1023: Expected `int`, got `array`.*"),
    "below_0": (frame(1025, {"uid": 1001, "thread_id": -1}), r"message 1025: Expected `int` >= 0.*"),
    "2^63": (frame(1025, {"uid": 1001, "thread_id": 2**63}), r"message 1025: .*"),
    "2^64": (frame(1025, {"uid": 1001, "thread_id": 2**64}), r"message 1025: .*"),
    "10^1000": (frame(1025, {"uid": 1001, "thread_id": 10**1000}), r"message 1025: .*"),
    "1e400": (frame(1023, b'{"fromuid":1e400}'), r"message 1023: Number out of range.*"),
    "nan": (frame(1023, {"fromuid": float("nan")}), r"message 1023: JSON is malformed: .*"),
    "infinity": (frame(1023, {"fromuid": float("inf")}), r"message 1023: JSON is malformed: .*"),
    "unknown_id": (frame(1099, {}), r"unknown message id 1099"),
    "id_0": (b"\0" * 100, r"unknown message id 0"),
    "a_key_is_missing": (frame(1009, {}), r"message 1009: Object missing required field `uid`"),
    "login_reply": (frame(1006, {"error": 0}), r"unknown message id 1006"),
    "kick": (frame(1021, {"error": 0, "uid": 1003}), r"unknown message id 1021"),
    "creation_reply": (frame(1028, {"error": 0}), r"unknown message id 1028"),
    "http": (b"GET / HTTP/1.1\r\nHost: chatsim\r\n\r\n", r"unknown message id 18245"),
    "tls": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 500, r"unknown message id 5635"),
    "2049_bytes": (frame(1023, padded(b'{"fromuid":1001}', 2_049)), r"message 1023 has 2049 bytes, .* 2048 allowed"),
    "65535_bytes_announced": (b"\x03\xff\xff\xff", r"message 1023 has 65535 bytes, more than the 2048 allowed"),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_who_breaks_the_protocol_is_hung_up_on_and_nobody_else_notices(server, enter, witnesses, what):
    data, reason = HOSTILE[what]
    with connect(ticket(server, 1001)) as stranger:
        user = enter(1002)
        for client in (stranger, user):
            client.raw(data)
        for client in (stranger, user):
            assert client.hear() is None
        witnesses.notice_nothing()
    server.logs(rf"WARNING node1: the session of a client at {stranger.name} has ended: {reason}\n")
    server.logs(rf"WARNING node2: the session of user 1002 at {user.name} has ended: {reason}\n")


def test_brackets_without_end_concern_nobody_else(server, enter, witnesses):
    may_be_too_deep(server, enter(1001), nested(1_000))


@pytest.mark.parametrize("number", [1023, 1025, 1027])
def test_nothing_is_answered_before_the_login(server, witnesses, number):
    with connect(ticket(server, 1001)) as stranger:
        body = {"fromuid": 1001, "uid": 1001, "thread_id": 0, "other_id": 1002}
        assert stranger.ask(number, body) is None
    server.logs(rf"WARNING node1: the session of a client at {stranger.name} has ended: message {number} before the")


def test_one_logs_in_once(server, enter, witnesses):
    client = enter(1001)
    where = ticket(server, 1001)
    assert client.ask(1005, {"uid": 1001, "token": where["token"]}) is None
    server.logs(rf"WARNING node1: the session of user 1001 at {client.name} has ended: message 1005 after the login\n")


@pytest.mark.parametrize("count", [1, 4, 5, 19])
def test_a_client_that_goes_within_a_frame_is_let_go(server, enter, witnesses, count):
    with connect(ticket(server, 1001)) as stranger:
        user = enter(1002)
        for client in (stranger, user):
            client.raw(frame(1023, {"fromuid": 1002})[:count])
            client.hang_up()
            assert client.hear() is None
    reason = f"the connection ended within a frame, after {count} bytes of it"
    server.logs(rf"node1: the session of a client at {stranger.name} has ended: {reason}\n")
    server.logs(rf"node2: the session of user 1002 at {user.name} has ended: {reason}\n")


def test_what_is_right_before_what_is_wrong_is_answered(enter):
    client = enter(1001)
    client.raw(frame(1023, {"fromuid": 1001}) + HOSTILE["nan"][0] + frame(1023, {"fromuid": 1001}))
    assert client.hear() == (1024, {"error": SUCCESS})
    assert client.hear() is None


def test_a_request_of_2048_bytes_is_let_through(enter):
    assert enter(1001).ask(1023, padded(b'{"fromuid":1001}', 2_048)) == (1024, {"error": SUCCESS})


# --- 2,000 mutants


def flip_a_bit(rng, data, at):
    data[at] ^= 1 << rng.randrange(8)


def insert_noise(rng, data, at):
    data[at:at] = rng.randbytes(rng.randrange(1, 9))


def insert_something_odd(rng, data, at):
    data[at:at] = rng.choice([b"[" * 500, b'{"a":' * 300, b"\0", b"\\ud800", b"1e999", b"NaN", b"\xff" * 50])


def repeat_the_end(rng, data, at):
    data += data[at:]


def cut(rng, data, at):
    del data[max(at, 1) : at + rng.randrange(1, 9)]


def change_the_length(rng, data, at):
    data[2:4] = rng.choice([0, 1, len(data), 2_048, 2_049, 65_535]).to_bytes(2, "big")


def change_a_value(rng, data, at):
    """And keep the length right, so that it is the body that is looked at."""
    old, new = rng.choice([b"1001", b"1002", b"0"]), rng.choice([b"-1", b"1.5", b"null", b'"x"', b"9" * 400, b"[]"])
    body = data[4:].replace(old, new, 1)
    data[2:] = len(body).to_bytes(2, "big") + body


MUTATIONS = [
    flip_a_bit,
    insert_noise,
    insert_something_odd,
    repeat_the_end,
    cut,
    change_the_length,
    change_a_value,
    change_a_value,
]


def mutant(rng, token):
    """A message that was right, and then some of its bytes were not."""
    uid = rng.choice([1001, 1001, 1002, 0, 2**63 - 1])
    bodies = {
        1005: {"uid": 1001, "token": token},
        1023: {"fromuid": uid},
        1025: {"uid": uid, "thread_id": rng.randrange(100)},
        1027: {"uid": uid, "other_id": rng.choice([1001, 1002, 0, 2**31, 2**63 - 1])},
    }
    number = rng.choice(list(bodies))
    data = bytearray(frame(number, bodies[number]))
    for _ in range(rng.randrange(1, 5)):
        rng.choice(MUTATIONS)(rng, data, rng.randrange(len(data)))
    return bytes(data)


def memory(server):
    """What the processes that are nodes hold, in bytes."""
    process = psutil.Process(server.process.pid)
    return {each.pid: each.memory_info().rss for each in process.children() or [process]}


def test_a_thousand_more_mutants_cost_no_memory_and_nobody_notices(server, witnesses, mode):
    rng = random.Random(20_24)
    held = []
    for number in range(2_000):
        where = ticket(server, 1001 + number // 2 % 2)
        with connect(where) as client:
            if number % 2:
                assert client.ask(1005, {"uid": where["uid"], "token": where["token"]})[1]["error"] == SUCCESS
            client.raw(mutant(rng, where["token"]))
            client.hang_up()
            while (answer := client.hear()) is not None:
                assert answer[0] in {1006, 1024, 1026, 1028}
        if number % 100 == 99:
            witnesses.notice_nothing()
        if number % 1_000 == 999:
            held.append(memory(server))
    assert len(held[0]) == {"processes": 2, "in_process": 1}[mode]
    for pid, before in held[0].items():
        assert held[1][pid] - before < 5 * 2**20
    assert not re.search("Traceback| ERROR ", server.stderr)
