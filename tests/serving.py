"""``chatsim serve`` as tests run it, and what a foreign client says to it."""

import asyncio
import secrets
import socket
import time
from contextlib import ExitStack

import pytest
from foreign import ForeignClient, Serving

from chatsim.worlds.common.tokens import SignedTokens

MODES = {"in_process": [], "processes": ["--processes"]}
KEY = secrets.token_bytes(32)
SUCCESS, CLOSES, NO_TOKEN, NO_UID, NOT_CREATED, NOT_LOADED = 0, 1002, 1010, 1011, 1012, 1013
leaves_no_schema = pytest.mark.usefixtures("no_schema_is_left")


def serving(mysql_url, *words, users=4):
    return Serving(*("serve", "--users", users, "--chats", "anybody", *words), lines=users, CHATSIM_MYSQL_URL=mysql_url)


def ticket(running, uid):
    return next(each for each in running.said if each["uid"] == uid)


def connect(where):
    return ForeignClient(where["host"], where["port"])


def login(where, uid=None, **other):
    """A connection, and the answer to a login on it."""
    client = connect(where)
    return client, client.ask(1005, {"uid": uid or where["uid"], "token": where["token"]} | other)


def threads_of(client, uid, after=0):
    number, reply = client.ask(1025, {"uid": uid, "thread_id": after})
    assert number == 1026
    return reply


def nested(depth):
    return b'{"fromuid":1001,"x":' + b"[" * depth + b"]" * depth + b"}"


def padded(body, size):
    return body + b" " * (size - len(body))


def may_be_too_deep(running, user, body):
    """How deep is too deep depends on Python's version; it is answered, or that connection ends."""
    if (answer := user.ask(1023, body)) is None:
        running.logs(rf"at {user.name} has ended: message 1023: maximum recursion depth exceeded.*\n")
    else:
        assert answer == (1024, {"error": SUCCESS})


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


def nobody_listens(ports):
    for port in ports:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return False
    return True


def cannot_listen(number, port):
    return rf"(?i)Error: node{number} can't listen at 127\.0\.0\.1:{port}: .*address already in use.*"


def token(uid, age=0):
    return asyncio.run(SignedTokens(KEY, lambda: time.time() - age).issue(uid))
