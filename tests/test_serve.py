"""``chatsim serve`` and ``chatsim node``, met over real TCP by a client that is not ours (`foreign`)."""

import asyncio
import json
import logging
import random
import re
import secrets
import signal
import socket
import subprocess
import time
from collections import Counter
from contextlib import ExitStack

import psutil
import pytest
from click.testing import CliRunner
from foreign import CHATSIM, Foreigner, Serving, frame

from chatsim.cli import main
from chatsim.worlds.common.tokens import SignedTokens
from chatsim.worlds.mysql.world import drop_stale_schemas

MODES = {"in_process": [], "processes": ["--processes"]}
LOGIN = {
    "error": int,
    "uid": int,
    "pwd": str,
    "name": str,
    "email": str,
    "nick": str,
    "desc": str,
    "sex": int,
    "icon": str,
    "apply_list": list,
    "friend_list": list,
}
KEY = secrets.token_bytes(32)
SUCCESS, CLOSES, NO_TOKEN, NO_UID, NOT_CREATED, NOT_LOADED = 0, 1002, 1010, 1011, 1012, 1013


def serving(mysql_url, *words, users=4):
    return Serving(*("serve", "--users", users, "--chats", "anybody", *words), lines=users, CHATSIM_MYSQL_URL=mysql_url)


@pytest.fixture(scope="module", params=list(MODES))
def server(request, mysql_url):
    """Two nodes and the users 1001 to 1004, for all the tests that leave it as it is."""
    with serving(mysql_url, "--nodes", 2, *MODES[request.param]) as running:
        yield running
    assert running.process.returncode == 0
    assert not re.search("Traceback| ERROR ", running.stderr)
    assert len(running.stdout.splitlines()) == len(running.said) == 4


@pytest.fixture
def mode(server):
    return "processes" if "--processes" in server._words else "in_process"


@pytest.fixture
def no_schema_is_left(schemas):
    before = schemas()
    yield
    assert schemas() <= before


leaves_no_schema = pytest.mark.usefixtures("no_schema_is_left")


def ticket(running, uid):
    return next(each for each in running.said if each["uid"] == uid)


def connect(where):
    return Foreigner(where["host"], where["port"])


def login(where, uid=None, **other):
    """A connection, and the answer to a login on it."""
    client = connect(where)
    return client, client.ask(1005, {"uid": uid or where["uid"], "token": where["token"]} | other)


@pytest.fixture
def enter(server):
    """A function that logs a user in, where `serve` said so."""
    with ExitStack() as stack:

        def enter(uid):
            client, (number, reply) = login(ticket(server, uid))
            stack.enter_context(client)
            assert (number, reply["error"]) == (1006, SUCCESS)
            return client

        yield enter


class Witnesses:
    """A user on each node, whom nothing that happens to others concerns."""

    def __init__(self, *entered):
        self._entered = entered

    def notice_nothing(self):
        """They are heard, and can create a chat."""
        threads = set()
        for (uid, client), (other, _) in zip(self._entered, reversed(self._entered), strict=True):
            assert client.silent()
            assert client.ask(1023, {"fromuid": uid}) == (1024, {"error": SUCCESS})
            number, reply = client.ask(1027, {"uid": uid, "other_id": other})
            assert (number, reply["error"]) == (1028, SUCCESS)
            threads.add(reply["thread_id"])
        assert len(threads) == 1


@pytest.fixture
def witnesses(server, enter):
    """1003 and 1004, who are asked once more at the end of the test."""
    assert ticket(server, 1003)["port"] != ticket(server, 1004)["port"]
    both = Witnesses((1003, enter(1003)), (1004, enter(1004)))
    both.notice_nothing()
    yield both
    both.notice_nothing()


def threads_of(client, uid, after=0):
    number, reply = client.ask(1025, {"uid": uid, "thread_id": after})
    assert number == 1026
    return reply


# --- what it prints


def test_each_user_has_a_line_of_json_and_the_nodes_share_them(server):
    assert [set(each) for each in server.said] == [{"host", "port", "uid", "token", "name"}] * 4
    assert [(each["uid"], each["name"]) for each in server.said] == [(uid, f"user{uid}") for uid in range(1001, 1005)]
    assert {each["host"] for each in server.said} == {"127.0.0.1"}
    assert list(Counter(each["port"] for each in server.said).values()) == [2, 2]


def test_standard_error_says_what_runs(server):
    server.logs(r"(?m)^node1, node2 on MySQL \S+; Ctrl-C ends them\.$")


# --- login, heartbeat


def test_a_login_tells_who_one_is_and_never_a_password(server):
    for where in server.said:
        client, (number, reply) = login(where)
        with client:
            assert number == 1006
            assert {key: type(value) for key, value in reply.items()} == LOGIN
            assert reply == reply | {
                "error": SUCCESS,
                "uid": where["uid"],
                "pwd": "",
                "name": where["name"],
                "apply_list": [],
                "friend_list": [],
            }


NOT_OURS = {
    "empty": lambda token: "",  # noqa: ARG005
    "long": lambda token: token * 40,
    "odd": lambda token: "\0é\n" + token,
    "cut": lambda token: token[:-1],
    "younger": lambda token: re.sub(r"[.].*[.]", ".zzzzzz.", token),
    "renamed": lambda token: "1001" + token[4:],
}


@pytest.mark.parametrize("what", NOT_OURS)
def test_a_token_that_nobody_gave_ends_the_connection(server, witnesses, what):
    given = ticket(server, 1002 if what == "renamed" else 1001)["token"]
    refused_login(server, NOT_OURS[what](given), "the token is not one of ours")


def test_a_token_of_somebody_else_ends_the_connection(server, witnesses):
    refused_login(server, ticket(server, 1002)["token"], "the token is somebody else's")


def refused_login(server, token, reason):
    client, (number, reply) = login(ticket(server, 1001), token=token)
    with client:
        assert (number, reply["error"], reply["uid"], reply["name"]) == (1006, NO_TOKEN, 0, "")
        assert {key: type(value) for key, value in reply.items()} == LOGIN
        assert client.hear() is None
    server.logs(rf"node1: the session of a client at {client.name} has ended: login as 1001: {reason}\n")


def test_one_can_not_be_somebody_else_with_a_token_of_ones_own(server):
    client, (_, reply) = login(ticket(server, 1001), uid=1002)
    with client:
        assert reply["error"] == NO_TOKEN
        assert client.hear() is None


def test_a_token_is_good_at_every_node(server):
    client, (_, reply) = login(ticket(server, 1001) | {"port": ticket(server, 1002)["port"]})
    with client:
        assert (reply["error"], reply["uid"]) == (SUCCESS, 1001)


def test_a_heartbeat_is_answered(enter):
    client = enter(1001)
    for _ in range(3):
        assert client.ask(1023, {"fromuid": 1001}) == (1024, {"error": SUCCESS})


def test_requests_sent_at_once_are_answered_in_order(enter):
    client = enter(1001)
    client.raw(
        frame(1023, {"fromuid": 1001}) + frame(1025, {"uid": 1001, "thread_id": 0}) + frame(1023, {"fromuid": 7})
    )
    assert [client.hear()[0] for _ in range(3)] == [1024, 1026, 1024]


def test_a_request_may_come_in_pieces_and_have_more_keys_than_are_known(enter):
    client = enter(1001)
    for byte in frame(1023, {"what": {"else": ["there", None]}, "fromuid": 1001}):
        client.raw(bytes([byte]))
    assert client.hear() == (1024, {"error": SUCCESS})


def test_a_user_may_have_several_devices(enter):
    first, second = enter(1001), enter(1001)
    for client in (first, second, first):
        assert client.ask(1023, {"fromuid": 1001}) == (1024, {"error": SUCCESS})


# --- private chats, threads


def test_two_who_create_at_once_get_one_thread_and_both_see_it(enter):
    sides = {1001: enter(1001), 1002: enter(1002)}
    for uid, client in sides.items():
        client.talk(1027, {"uid": uid, "other_id": 2_003 - uid})
    replies = {uid: client.hear() for uid, client in sides.items()}
    thread = replies[1001][1]["thread_id"]
    assert type(thread) is int
    assert thread > 0
    for uid, (number, reply) in replies.items():
        other = 2_003 - uid
        assert (number, reply) == (1028, {"error": 0, "uid": uid, "other_id": other, "thread_id": thread})
        page = threads_of(sides[uid], uid)
        entry = {"thread_id": thread, "type": "private", "user1_id": 1001, "user2_id": 1002}
        assert page == {"error": 0, "uid": uid, "load_more": False, "next_last_id": thread, "threads": [entry]}
        assert {type(value) for key, value in page["threads"][0].items() if key != "type"} == {int}
        after = threads_of(sides[uid], uid, thread)
        assert after == page | {"threads": []}, "there is nothing after the last"


def test_what_is_asked_in_anothers_name_is_refused_and_nothing_is_done(enter):
    client, other = enter(1001), enter(1002)
    before = threads_of(other, 1002)
    number, reply = client.ask(1027, {"uid": 1002, "other_id": 1003})
    assert (number, reply["error"], reply["thread_id"]) == (1028, NO_UID, 0)
    number, reply = client.ask(1025, {"uid": 1002, "thread_id": 0})
    assert (number, reply["error"], reply["threads"]) == (1026, NO_UID, [])
    assert client.ask(1023, {"fromuid": 1002}) == (1024, {"error": NO_UID})
    assert threads_of(other, 1002) == before
    assert client.ask(1023, {"fromuid": 1001}) == (1024, {"error": SUCCESS}), "it goes on"


@pytest.mark.parametrize("other", [1001, 0])
def test_a_chat_with_oneself_or_with_nobody_is_refused(enter, other):
    client = enter(1001)
    before = threads_of(client, 1001)
    number, reply = client.ask(1027, {"uid": 1001, "other_id": other})
    assert (number, reply) == (1028, {"error": NOT_CREATED, "uid": 1001, "other_id": other, "thread_id": 0})
    assert threads_of(client, 1001) == before


# --- hostile clients


def nested(depth):
    return b'{"fromuid":1001,"x":' + b"[" * depth + b"]" * depth + b"}"


def padded(body, size):
    return body + b" " * (size - len(body))


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


def may_be_too_deep(running, user, body):
    """How deep is too deep depends on Python's version; it is answered, or that connection ends."""
    if (answer := user.ask(1023, body)) is None:
        running.logs(rf"at {user.name} has ended: message 1023: maximum recursion depth exceeded.*\n")
    else:
        assert answer == (1024, {"error": SUCCESS})


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


# --- options


def test_with_one_session_each_a_second_login_ends_the_first_wherever_it_is(mysql_url):
    with serving(mysql_url, "--nodes", 2, "--sessions", "one") as running, ExitStack() as stack:
        here = ticket(running, 1001)
        there = here | {"port": ticket(running, 1002)["port"]}
        other, _ = login(ticket(running, 1002))
        stack.enter_context(other)
        last = None
        for where in (here, there, there, here):
            client, (_, reply) = login(where)
            stack.enter_context(client)
            assert reply["error"] == SUCCESS
            if last is not None:
                assert last.hear() == (1021, {"error": 0, "uid": 1001})
                assert last.hear() is None
            last = client
        assert last.ask(1023, {"fromuid": 1001}) == (1024, {"error": SUCCESS})
        assert other.ask(1023, {"fromuid": 1002}) == (1024, {"error": SUCCESS})
        running.logs("user 1001 .* has ended: logged in elsewhere")


def free_ports(count):
    """Ports in a row that nobody listens at."""
    while True:
        with ExitStack() as stack:
            first = stack.enter_context(socket.create_server(("127.0.0.1", 0))).getsockname()[1]
            try:
                for number in range(1, count):
                    stack.enter_context(socket.create_server(("127.0.0.1", first + number)))
            except (OSError, OverflowError):
                continue
            return range(first, first + count)


@pytest.fixture(scope="module", params=[("in_process", 2), ("processes", 1)], ids=lambda param: param[0])
def other(request, mysql_url):
    """Nodes with options, and the ports they are to have."""
    mode, nodes = request.param
    ports = free_ports(nodes)
    words = ["--host", "0.0.0.0", "--port", ports[0], "--request-bytes", 65_535]
    with serving(mysql_url, "--nodes", nodes, *words, *MODES[mode], users=2) as running:
        yield running, ports
    assert running.process.returncode == 0


def test_the_nodes_ports_follow_the_first(other):
    running, ports = other
    assert {each["port"] for each in running.said} == set(ports)


def test_a_host_that_others_reach_is_warned_of(other):
    running, _ = other
    assert {each["host"] for each in running.said} == {"0.0.0.0"}
    running.logs(r"(?m)^Warning: other machines can reach 0\.0\.0\.0, and connections are not encrypted\.$")


def test_requests_may_be_allowed_to_be_larger(other):
    where = ticket(other[0], 1001)
    client, (_, reply) = login(where, padding="x" * 3_000)
    with client:
        assert reply["error"] == SUCCESS
        for size in (3_000, 65_535):
            assert client.ask(1023, padded(b'{"fromuid":1001}', size)) == (1024, {"error": SUCCESS})


@pytest.mark.parametrize("body", [b"[" * 20_000, b'{"fromuid":' * 5_000], ids=["arrays", "objects"])
def test_large_ones_that_are_nothing_but_brackets_end_the_connection(other, body):
    running, _ = other
    user, _ = login(ticket(running, 1001))
    hostile, _ = login(ticket(running, 1001))
    with user, hostile:
        assert hostile.ask(1023, body) is None
        assert user.ask(1023, {"fromuid": 1001}) == (1024, {"error": SUCCESS})
    running.logs(rf"user 1001 at {hostile.name} has ended: message 1023: ")


@pytest.mark.parametrize("depth", [10_000, 30_000])
def test_large_ones_with_brackets_without_end_concern_nobody_else(other, depth):
    running, _ = other
    user, _ = login(ticket(running, 1001))
    hostile, _ = login(ticket(running, 1001))
    with user, hostile:
        may_be_too_deep(running, hostile, nested(depth))
        assert user.ask(1023, {"fromuid": 1001}) == (1024, {"error": SUCCESS})


# --- what is wrong from the start


@pytest.fixture
def complaint(caplog):
    """A function that runs a command that fails, in this process, and returns what it says."""
    caplog.set_level(logging.INFO, "chatsim")  # as the command does; the fixture puts it back

    def complaint(*words, **variables):
        result = CliRunner().invoke(main, [str(word) for word in words], env=variables)
        assert isinstance(result.exception, SystemExit)
        assert (result.exit_code, result.stdout) == (2, "")
        return result.stderr

    return complaint


@leaves_no_schema
@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ["--sessions", "one", "--processes", "--nodes", 2],
            "--sessions one needs servers that know each other's users: with --processes, add --redis --grpc",
        ),
        *(
            (
                ["--processes", one],
                "with --processes, give both --redis and --grpc, or neither",
            )
            for one in ("--redis", "--grpc")
        ),
        (["--redis", "--redis-url", "redis://127.0.0.1:1"], r"Redis at redis://127\.0\.0\.1:1 can't be used: .*"),
        (["--port", 65535, "--nodes", 2], "2 servers from port 65535 would need ports above 65535"),
        (["--mysql-url", "mysql://root@127.0.0.1:1"], r"MySQL at mysql://root@127\.0\.0\.1:1 can't be used: .*"),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, list) else "",
)
def test_serve_says_in_a_sentence_what_it_can_not_do(complaint, words, sentence):
    assert re.fullmatch(f"Error: {sentence}\n", complaint("serve", *words))


@pytest.mark.parametrize("command", ["serve", "node"])
@pytest.mark.parametrize("host", ["nonsense", "", "example.org", "1.2.3"])
def test_a_host_that_is_no_ip_address_is_named(command, host):
    result = CliRunner().invoke(main, [command, *(["--schema", "any"] if command == "node" else []), "--host", host])
    assert result.exit_code == 2
    assert f"Invalid value for '--host': {host!r} is not an IP address." in result.stderr


@pytest.mark.parametrize("pool", [0, -3])
def test_a_pool_without_a_connection_is_refused(pool):
    result = CliRunner().invoke(main, ["serve", "--pool", str(pool)])
    assert result.exit_code == 2
    assert "is not in the range x>=1" in result.stderr


def cannot_listen(number, port):
    return rf"(?i)Error: node{number} can't listen at 127\.0\.0\.1:{port}: .*address already in use.*"


@leaves_no_schema
@pytest.mark.parametrize("number", [1, 2])
def test_a_port_in_use_is_named_with_its_node(complaint, number):
    ports = free_ports(2)
    with socket.create_server(("127.0.0.1", ports[number - 1])):
        said = complaint("serve", "--nodes", 2, "--port", ports[0])
    assert re.fullmatch(cannot_listen(number, ports[number - 1]) + "\n", said)
    assert nobody_listens(ports)


@leaves_no_schema
def test_a_port_in_use_is_named_by_a_node_in_a_process_of_its_own_too(mysql_url):
    ports = free_ports(2)
    with socket.create_server(("127.0.0.1", ports[1])):
        done = subprocess.run(
            [*CHATSIM, "serve", "--nodes", "2", "--processes", "--port", str(ports[0])],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert (done.returncode, done.stdout) == (2, "")
    first, *_, last = done.stderr.splitlines()
    assert re.fullmatch(cannot_listen(2, ports[1]), first)
    assert last == "Error: node2 did not start; what it said is above"
    assert "Traceback" not in done.stderr
    assert nobody_listens(ports)


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"CHATSIM_MYSQL_URL": None}, "CHATSIM_MYSQL_URL is not set"),
        ({"CHATSIM_MYSQL_URL": ""}, "CHATSIM_MYSQL_URL is not set"),
        ({"CHATSIM_MYSQL_URL": "here"}, "'here' is not of the form mysql://user:password@host:port"),
        ({"CHATSIM_MYSQL_URL": "mysql://root@127.0.0.1:1"}, "the MySQL server can't be used: .*"),
        ({"CHATSIM_TOKEN_KEY": None}, "CHATSIM_TOKEN_KEY is not set"),
        ({"CHATSIM_TOKEN_KEY": ""}, "CHATSIM_TOKEN_KEY is not set"),
        ({"CHATSIM_TOKEN_KEY": "swordfish"}, "CHATSIM_TOKEN_KEY is not hexadecimal"),
        ({}, "the MySQL server can't be used: 1049.*Unknown database 'chatsim_nowhere'"),
    ],
    ids=lambda value: " ".join(f"{name}={text}" for name, text in value.items()) if isinstance(value, dict) else "",
)
def test_node_says_in_a_sentence_what_it_lacks(mysql_url, complaint, variables, sentence):
    said = complaint("node", "--schema", "chatsim_nowhere", **({"CHATSIM_TOKEN_KEY": KEY.hex()} | variables))
    assert re.fullmatch(f"Error: {sentence}\n", said)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--grpc"], "--grpc needs --redis, where servers find out which users the others have"),
        (["--redis", "--grpc"], "--redis needs a Redis: set CHATSIM_REDIS_URL"),
    ],
    ids=" ".join,
)
def test_node_says_in_a_sentence_what_it_lacks_to_share(complaint, words, sentence):
    variables = {"CHATSIM_MYSQL_URL": "mysql://root@127.0.0.1:1", "CHATSIM_REDIS_URL": None}
    assert complaint("node", "--schema", "chatsim_nowhere", *words, **variables) == f"Error: {sentence}\n"


# --- a node by itself


def token(uid, age=0):
    return asyncio.run(SignedTokens(KEY, lambda: time.time() - age).issue(uid))


@leaves_no_schema
def test_a_node_by_itself_serves_a_schema_until_that_is_gone(mysql_url, schemas):
    before = schemas()
    with ExitStack() as stack:
        owner = stack.enter_context(serving(mysql_url, users=2))
        (schema,) = schemas() - before
        node = stack.enter_context(
            Serving(
                *("node", "--schema", schema, "--chats", "anybody", "--name", "lonely", "--token-lifetime", 100),
                lines=1,
                CHATSIM_MYSQL_URL=mysql_url,
                CHATSIM_TOKEN_KEY=KEY.hex(),
            )
        )
        (where,) = node.said
        assert (set(where), where["name"]) == ({"name", "host", "port", "sessions", "report"}, "lonely")

        for uid, sent, error, reason in (
            (4711, token(4711), NO_UID, "no such user"),
            (2**63 - 1, token(2**63 - 1), NO_UID, "no such user"),
            (1001, token(1001, age=200), NO_TOKEN, "the token has expired"),
            (1001, token(1001, age=-200), NO_TOKEN, "the token has expired"),
            (1001, ticket(owner, 1001)["token"], NO_TOKEN, "the token is not one of ours"),
        ):
            client, (number, reply) = login(where | {"token": sent}, uid=uid)
            with client:
                assert (number, reply["error"], reply["uid"]) == (1006, error, 0)
                assert client.hear() is None
            node.logs(rf"at {client.name} has ended: login as {uid}: {reason}\n")

        client, (_, reply) = login(where | {"token": token(1001, age=20)}, uid=1001)
        stack.enter_context(client)
        assert (reply["error"], reply["name"]) == (SUCCESS, "user1001")
        assert client.ask(1027, {"uid": 1001, "other_id": 1002})[1]["error"] == SUCCESS

        assert owner.end() == 0
        number, reply = client.ask(1027, {"uid": 1001, "other_id": 1003})
        assert (number, reply["error"], reply["thread_id"]) == (1028, NOT_CREATED, 0)
        assert threads_of(client, 1001)["error"] == NOT_LOADED
        assert client.ask(1023, {"fromuid": 1001}) == (1024, {"error": SUCCESS})
        late, (number, reply) = login(where | {"token": token(1002)}, uid=1002)
        with late:
            assert (number, reply["error"]) == (1006, CLOSES)
            assert late.hear() is None

        assert node.end(signal.SIGINT) == 0
        assert client.hear() == (1021, {"error": CLOSES, "uid": 1001})
        assert client.hear() is None
        assert node.stdout.count("\n") == 1
        assert "Traceback" not in node.stderr


# --- the end


def gone(processes):
    """Wait until they have ended; a process whose parent was killed may stay a zombie where nobody reaps it."""
    _, alive = psutil.wait_procs([each for each in processes if not zombie(each)], timeout=1)
    until = time.monotonic() + 20
    while alive := [each for each in alive if each.is_running() and not zombie(each)]:
        assert time.monotonic() < until, f"still there: {alive}"
        psutil.wait_procs(alive, timeout=0.2)


def zombie(process):
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def nodes_of(running):
    """The processes of its nodes, by name; its own for those that have none."""
    own = psutil.Process(running.process.pid)
    found = {}
    for each in own.children(recursive=True):
        words = each.cmdline()
        if "--name" in words:
            found[words[words.index("--name") + 1]] = each
    return found


def nobody_listens(ports):
    for port in ports:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return False
    return True


@leaves_no_schema
@pytest.mark.parametrize(
    ("mode", "number"),
    [("in_process", signal.SIGTERM), ("in_process", signal.SIGINT), ("processes", signal.SIGTERM)],
    ids=lambda value: getattr(value, "name", value),
)
def test_it_ends_in_order_when_it_is_told_to(mysql_url, mode, number):
    with serving(mysql_url, "--nodes", 2, *MODES[mode]) as running, ExitStack() as stack:
        nodes = nodes_of(running)
        assert len(nodes) == {"in_process": 0, "processes": 2}[mode]
        clients = {each["uid"]: stack.enter_context(login(each)[0]) for each in running.said}
        stranger = stack.enter_context(connect(running.said[0]))
        assert running.end(number) == 0
        for uid, client in clients.items():
            assert client.hear() == (1021, {"error": CLOSES, "uid": uid})
            assert client.hear() is None
        heard = stranger.hear()
        assert heard in (None, (1021, {"error": CLOSES, "uid": 0}))
        gone(nodes.values())
        assert nobody_listens({each["port"] for each in running.said})
        assert [json.loads(line) for line in running.stdout.splitlines()] == running.said
        assert len(running.said) == 4
        assert not re.search("Traceback|has died", running.stderr)


@leaves_no_schema
def test_a_node_that_is_killed_takes_nobody_along(mysql_url):
    with serving(mysql_url, "--nodes", 2, "--processes") as running, ExitStack() as stack:
        clients = {each["uid"]: stack.enter_context(login(each)[0]) for each in running.said}
        nodes = nodes_of(running)
        nodes["node1"].kill()
        assert clients[1001].hear() is None
        assert clients[1003].hear() is None
        running.logs(r"ERROR node1 has died \(signal 9\)\n")
        for uid in (1002, 1004):
            assert clients[uid].ask(1023, {"fromuid": uid}) == (1024, {"error": SUCCESS})
            assert clients[uid].ask(1027, {"uid": uid, "other_id": 1001})[1]["error"] == SUCCESS
        moved, (_, reply) = login(ticket(running, 1001) | {"port": ticket(running, 1002)["port"]})
        with moved:
            assert reply["error"] == SUCCESS, "its users can log in at the other"
        assert running.end(signal.SIGINT) == 0
        for uid in (1002, 1004):
            assert clients[uid].hear() == (1021, {"error": CLOSES, "uid": uid})
            assert clients[uid].hear() is None
        gone(nodes.values())
        assert nobody_listens({each["port"] for each in running.said})
        assert "Traceback" not in running.stderr
        assert "node2 has died" not in running.stderr


@pytest.mark.parametrize("sharing", [(), ("--redis", "--grpc")], ids=["alone", "by redis and grpc"])
def test_nodes_and_a_redis_of_its_own_end_with_a_serve_that_is_killed(mysql_url, schemas, monkeypatch, sharing):
    monkeypatch.delenv("CHATSIM_REDIS_URL", raising=False)
    before = schemas()
    with serving(mysql_url, "--nodes", 2, "--processes", *sharing) as running, ExitStack() as stack:
        all_of_it = psutil.Process(running.process.pid).children(recursive=True)
        clients = {each["uid"]: stack.enter_context(login(each)[0]) for each in running.said}
        nodes = nodes_of(running)
        assert set(nodes) == {"node1", "node2"}
        assert running.end(signal.SIGKILL) == -signal.SIGKILL
        for uid, client in clients.items():
            assert client.hear() == (1021, {"error": CLOSES, "uid": uid})
            assert client.hear() is None
        gone(all_of_it)
        assert nobody_listens({each["port"] for each in running.said})
    left = schemas() - before
    assert len(left) == 1, "nobody was there to drop it"
    assert left <= set(asyncio.run(drop_stale_schemas(mysql_url)))
