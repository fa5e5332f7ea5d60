"""The step ``@kill`` of a schedule: the session's connection dies, on a server and in the model."""

import msgspec
import pytest

import chatsim
from chatsim.conformance import model_player
from chatsim.conformance.comparison import compare
from chatsim.conformance.mysql_player import play as play_on_mysql
from chatsim.worlds.mysql.world import MySQLWorld

SETUP = ["CREATE TABLE t (id INT PRIMARY KEY, v INT)", "INSERT INTO t VALUES (1, 10), (2, 20)"]


def schedule(script):
    return chatsim.Schedule.of(script, setup=SETUP)


IDLE = schedule(
    """
    a: SET @x = 5
    a: @kill
    a: SELECT @x, v FROM t WHERE id = 1
    """
)
IN_A_TRANSACTION = schedule(
    """
    a: BEGIN
    a: UPDATE t SET v = 11 WHERE id = 1
    b: UPDATE t SET v = v + 5 WHERE id = 1
    a: @kill
    a: SELECT v FROM t WHERE id = 1
    """
)
WAITS = schedule(
    """
    a: BEGIN
    a: UPDATE t SET v = 11 WHERE id = 1
    b: BEGIN
    b: UPDATE t SET v = 21 WHERE id = 2
    b: UPDATE t SET v = 12 WHERE id = 1
    b: @kill
    c: SELECT v FROM t WHERE id = 2 FOR UPDATE
    a: COMMIT
    """
)
USER_LOCK = schedule(
    """
    a: SELECT GET_LOCK('x', 100)
    b: SELECT GET_LOCK('x', 100)
    a: @kill
    """
)
SCHEDULES = {"idle": IDLE, "in a transaction": IN_A_TRANSACTION, "waits": WAITS, "user-level lock": USER_LOCK}


def ended(outcome, step):
    return {each.session: each.rows or each.errno or each.result for each in outcome.steps[step - 1].completed}


def test_an_idle_session_has_a_new_connection_that_knows_nothing_of_the_old_one():
    outcome = model_player.play(IDLE)
    assert ended(outcome, 2) == {}
    assert ended(outcome, 3) == {"a": [[None, 10]]}


def test_what_a_session_has_begun_is_rolled_back_and_those_who_wait_for_it_go_on():
    outcome = model_player.play(IN_A_TRANSACTION)
    assert outcome.steps[2].blocked["b"].by == ["a"]
    assert ended(outcome, 4) == {"b": "ok"}
    assert ended(outcome, 5) == {"a": [[15]]}
    assert outcome.final["t"].rows == [[1, 15], [2, 20]]


def test_a_statement_that_waits_ends_with_error_2013_and_its_transaction_is_gone():
    outcome = model_player.play(WAITS)
    assert ended(outcome, 6) == {"b": 2013}
    assert outcome.steps[5].blocked == {}
    assert ended(outcome, 7) == {"c": [[20]]}
    assert outcome.final["t"].rows == [[1, 11], [2, 20]]


def test_a_user_level_lock_is_released():
    assert ended(model_player.play(USER_LOCK), 3) == {"b": [[1]]}


@pytest.mark.slow
@pytest.mark.parametrize("name", SCHEDULES)
async def test_a_server_does_the_same(mysql_url, name):
    expected = model_player.play(SCHEDULES[name])
    async with MySQLWorld() as world:
        outcome = await play_on_mysql(world, SCHEDULES[name])
    comparison = compare(msgspec.structs.replace(SCHEDULES[name], expected=expected), outcome)
    assert comparison.agrees, comparison.differences
