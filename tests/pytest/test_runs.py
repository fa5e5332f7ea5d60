"""Strategies and protocols that are run for an assertion, and cursors that are explored for one."""

import asyncio

import pytest

from chatsim import BadParameterError, UnknownStrategyError, creation_strategy
from chatsim.experiments.catchup.cursors import CURSORS
from chatsim.pytest import assert_no_message_lost, assert_safe


@creation_strategy()
async def hasty(tx, low, high):
    """Bets that nobody else looks at the same time."""
    find = "SELECT thread_id FROM private_chat WHERE user1_id = ? AND user2_id = ?"
    thread = (await tx.execute(find, (low, high))).scalar()
    if thread is None:
        thread = (await tx.execute("INSERT INTO chat_thread (type, created_at) VALUES ('private', NOW())")).last_id
        row = "INSERT INTO private_chat (thread_id, user1_id, user2_id, created_at) VALUES (?, ?, ?, NOW())"
        await tx.execute(row, (thread, low, high))
    return thread


def failure(assertion, *args, **given):
    """What a failure says, without its line breaks."""
    with pytest.raises(AssertionError) as failed:
        assertion(*args, **{"world": "model"} | given)
    assert max(map(len, str(failed.value).splitlines())) <= 110
    assert len(str(failed.value).splitlines()) < 70
    return " ".join(str(failed.value).split())


# --- strategies


@pytest.mark.parametrize("pattern", ["same_pair", ["strangers", "same_pair"]])
def test_a_safe_strategy_passes(pattern):
    result = assert_safe("one_round_trip", pattern=pattern, world="model")
    assert "safe" in [row["verdict"] for row in result.rows()]


def test_it_is_called_in_an_async_test_in_the_same_way():
    async def test():
        assert_safe("one_round_trip", world="model")

    asyncio.run(test())


def test_two_threads_of_a_pair_are_shown_with_the_operations_that_prove_it():
    text = failure(assert_safe, "unordered")
    assert text.startswith("unordered, same_pair is unsafe: the pair (15370325, 828555596) has 2 threads: ")
    assert "client 0, round 0: create uid 15370325, other 828555596" in text
    assert "┌─▶ transaction 1: INSERT INTO private_chat" in text
    assert text.endswith("retry policy retry, seed 1)")


def test_refused_callers_fail():
    text = failure(assert_safe, hasty, retry="none")
    assert text.startswith("hasty, same_pair is errors: 140 of 160 callers got no thread: 140 by 1062 (duplicate key)")


@pytest.mark.parametrize("given", [{"clients": 1}, {"pattern": "strangers"}], ids=str)
def test_a_race_in_which_nothing_overlapped_is_not_tested(given):
    assert " is not tested: no two operations on one pair overlapped" in failure(assert_safe, "one_round_trip", **given)


@pytest.mark.worlds
def test_it_runs_where_the_test_does(world):
    result = assert_safe("one_round_trip", world=world, clients=2, rounds=5)
    assert result.environment["engine"] == {"model": "model of InnoDB", "mysql": "MySQL"}[world.world]


def test_without_a_world_it_is_the_server_that_is_named_or_else_the_model(mysql_url, monkeypatch):
    def engine():
        return assert_safe("one_round_trip", clients=2, rounds=5).environment["engine"]

    assert engine() == "MySQL"
    monkeypatch.delenv("CHATSIM_MYSQL_URL")
    assert engine() == "model of InnoDB"


@pytest.mark.parametrize(
    ("strategy", "given", "error", "says"),
    [
        ("nope", {}, UnknownStrategyError, "unknown creation strategy 'nope'"),
        ("upsert", {"pattern": "nope"}, BadParameterError, "pattern .*'nope'"),
        ("upsert", {"world": "nope"}, BadParameterError, "unknown world 'nope'"),
        ("upsert", {"client": 2}, BadParameterError, "'client'"),
        ("upsert", {"clients": 0}, BadParameterError, "clients"),
    ],
)
def test_wrong_use_is_one_error_that_names_the_culprit(strategy, given, error, says):
    with pytest.raises(error, match=says):
        assert_safe(strategy, **{"world": "model"} | given)


# --- cursors and protocols


@pytest.mark.parametrize("cursor", ["message_id_locked", CURSORS["thread_sequence"]], ids=str)
def test_a_cursor_that_loses_nothing_passes(cursor):
    assert assert_no_message_lost(cursor).proved


def test_a_lost_message_is_drawn_step_by_step():
    with pytest.raises(AssertionError) as failed:
        assert_no_message_lost("message_id")
    first, *lines = str(failed.value).splitlines()
    assert first.startswith("cursor message_id, messages: “the reader gets every message” does not hold.")
    assert any("reader   SELECT" in line for line in lines)
    assert any("COMMIT" in line for line in lines)


def test_a_protocol_that_loses_nothing_passes():
    result = assert_no_message_lost("source", world="model", cursors="message_id_locked")
    assert [row["verdict"] for row in result.rows()] == ["safe"]


def test_a_protocol_whose_cursor_loses_messages_fails_however_seldom_a_run_meets_that():
    text = failure(assert_no_message_lost, "source")
    assert text.startswith(
        "the protocol source goes by a cursor that loses messages. cursor message_id, messages: “the"
    )


def test_a_protocol_in_whose_run_nothing_overlapped_is_not_tested():
    text = failure(assert_no_message_lost, "source", cursors="message_id_locked", threads=5, writers=1)
    assert "is not tested: no two writes into one thread overlapped" in text


@pytest.mark.parametrize(
    ("what", "given", "says"),
    [
        (
            "nope",
            {},
            "'nope' is no cursor and no protocol; there are the cursors message_id, .* protocols source",
        ),
        (7, {}, "7 is no cursor and no protocol"),
        ("user_log", {"world": "mysql"}, "there is no parameter 'world'"),
        ("bulk", {"world": "model", "look": 2}, "'look'"),
    ],
)
def test_what_there_is_not_is_named(what, given, says):
    with pytest.raises(BadParameterError, match=says):
        assert_no_message_lost(what, **given)
