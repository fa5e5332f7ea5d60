"""``chatsim node``: a chat server by itself."""

import re
import signal
from contextlib import ExitStack

import pytest
from foreign import Serving
from serving import (
    CLOSES,
    KEY,
    NO_TOKEN,
    NO_UID,
    NOT_CREATED,
    NOT_LOADED,
    SUCCESS,
    leaves_no_schema,
    login,
    serving,
    threads_of,
    ticket,
    token,
)


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"CHATSIM_MYSQL_URL": None}, "CHATSIM_MYSQL_URL is not set"),
        ({"CHATSIM_MYSQL_URL": ""}, "CHATSIM_MYSQL_URL is not set"),
        ({"CHATSIM_MYSQL_URL": "here"}, "'here' is not of the form mysql://user:password@host:port"),
        ({"CHATSIM_MYSQL_URL": "mysql://root@127.0.0.1:1"}, r"MySQL at mysql://root@127\.0\.0\.1:1 can't be used: .*"),
        ({"CHATSIM_TOKEN_KEY": None}, "CHATSIM_TOKEN_KEY is not set"),
        ({"CHATSIM_TOKEN_KEY": ""}, "CHATSIM_TOKEN_KEY is not set"),
        ({"CHATSIM_TOKEN_KEY": "swordfish"}, "CHATSIM_TOKEN_KEY is not hexadecimal"),
        ({}, r"MySQL at mysql://.* can't be used: 1049.*Unknown database 'chatsim_nowhere'"),
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
