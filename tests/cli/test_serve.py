"""``chatsim serve``: what it prints, and its answers over real TCP to a client that is not ours (`foreign`)."""

import re
from collections import Counter

import pytest
from foreign import frame
from serving import NO_TOKEN, NO_UID, NOT_CREATED, SUCCESS, login, threads_of, ticket

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
