"""One way through a problem: what may happen next, what each switch makes possible, and what is left."""

import pytest
from exploration.books import ACCOUNTS, COUNTER, TRANSFERS
from exploration.steps import open_choices, problem, programs, step, walking

from chatsim.db.errors import ConnectionLostError, DeadlockError, LockWaitTimeoutError
from chatsim.exploration.callers import Caller
from chatsim.exploration.choices import Choice
from chatsim.exploration.execution import Execution
from chatsim.exploration.problem import Server
from chatsim.exploration.questions import ANSWERED, ENDS, NO_DEADLOCK
from chatsim.exploration.search import explore

PAY = ACCOUNTS + "-- transaction pay\nUPDATE account SET balance = balance - 1 WHERE id = 1;"
BALANCES = "SELECT balance FROM account ORDER BY id"

NAMED = """
CREATE TABLE t (id INT PRIMARY KEY);
-- transaction one
SELECT GET_LOCK('a', 10); SELECT GET_LOCK('b', 10); DO RELEASE_ALL_LOCKS();
-- transaction two
SELECT GET_LOCK('b', 10); SELECT GET_LOCK('a', 10); DO RELEASE_ALL_LOCKS();
"""


def outcomes(execution):
    return [each.outcome for each in execution.ended]


# --- what may happen next


def test_at_first_each_caller_may_have_its_first_statement_executed():
    with walking(problem(PAY)) as execution:
        assert open_choices(execution) == {"pay1", "pay2"}
        assert outcomes(execution) == ["ok", "ok"]


def test_a_step_is_a_statement_and_says_what_it_was_answered():
    with walking(problem(PAY)) as execution:
        begun, paid = step(execution, "pay1"), step(execution, "pay1")
    assert (begun.sql, begun.choice) == ("BEGIN", Choice("go", 0))
    assert paid.sql.startswith("UPDATE account")
    ((caller, (rows,)),) = paid.answers
    assert (caller, rows.affected) == (0, 1)


def test_a_caller_that_waits_has_no_choice_until_another_one_lets_it_go():
    with walking(problem(PAY), "pay1", "pay2", "pay1", "pay2") as execution:
        assert open_choices(execution) == {"pay1"}
        assert execution.steps[-1].answers == []
        committed = step(execution, "pay1")
        assert [caller for caller, _ in committed.answers] == [0, 1]
        assert open_choices(execution) == {"pay2"}


def test_of_several_that_are_let_go_at_once_any_may_go_on_first():
    readers = ACCOUNTS + (
        "-- transaction write\nUPDATE account SET balance = 0 WHERE id = 1;\n"
        "-- transaction read\nSELECT balance FROM account WHERE id = 1 FOR SHARE;\n"
        "-- transaction look\nSELECT balance FROM account WHERE id = 1 FOR SHARE;"
    )
    with walking(problem(readers), *["write", "read", "look", "write", "read", "look", "write"]) as execution:
        assert open_choices(execution) == {"read first", "look first"}
        step(execution, "look first")
        assert [caller for caller, _ in execution.steps[-1].answers] == [2, 1]


def test_at_the_end_there_is_no_choice_and_the_tables_can_be_queried():
    with walking(problem(PAY), *["pay1"] * 3, *["pay2"] * 3) as execution:
        assert execution.choices == []
        assert execution.stuck == []
        assert execution.query(BALANCES) == [(98,), (100,)]


def test_the_victim_of_a_deadlock_tries_again_as_often_as_it_may():
    lines = ["transfer1", "transfer2"] * 3
    with walking(problem(TRANSFERS, retries=1), *lines) as execution:
        (deadlock,) = execution.steps[-1].deadlocks
        assert {each.session for each in deadlock.participants} == {"transfer1", "transfer2"}
        assert open_choices(execution) == {"transfer1", "transfer2"}
        refused = [each for each in execution.ended if each.refusals]
        assert [type(error) for each in refused for error in each.refusals] == [DeadlockError]
    with walking(problem(TRANSFERS, retries=0), *lines) as execution:
        assert sorted(outcomes(execution)) == ["ok", "refused: deadlock"]


# --- switches


@pytest.mark.parametrize(
    ("switches", "behind_begin"),
    [
        ({}, {"pay1", "pay2"}),
        ({"deaths": 1}, {"pay1", "pay2", "pay1 dies"}),  # who has done nothing yet can't die
        ({"losses": 1}, {"pay1", "pay2", "pay1 loses", "pay2 loses"}),
        ({"timeouts": 1}, {"pay1", "pay2"}),  # nobody waits
    ],
)
def test_each_switch_makes_its_own_choices_possible(switches, behind_begin):
    with walking(problem(PAY, **switches), "pay1") as execution:
        assert open_choices(execution) == behind_begin


@pytest.mark.parametrize("switch", ["deaths", "losses", "timeouts"])
def test_a_switch_is_used_up(switch):
    what = problem(PAY, **{switch: 1})
    begun = ["pay1", "pay2", "pay1"]
    more = {"deaths": ["pay1 dies"], "losses": ["pay1 loses"], "timeouts": ["pay2", "pay2 times out"]}[switch]
    with walking(what, *begun, *more) as execution:
        kinds = {each.kind for each in execution.choices}
        assert kinds == {"go"}


def test_a_caller_that_dies_releases_its_locks_and_what_it_did_is_undone():
    with walking(problem(PAY, deaths=1), "pay1", "pay2", "pay1", "pay2") as execution:
        assert open_choices(execution) == {"pay1", "pay1 dies"}
        died = step(execution, "pay1 dies")
        assert [caller for caller, _ in died.answers] == [1]
        step(execution, "pay2")
        assert execution.choices == []
        assert outcomes(execution) == ["died", "ok"]
        assert execution.query(BALANCES) == [(99,), (100,)]


def test_a_reply_that_is_lost_behind_the_commit_leaves_the_outcome_unknown():
    with walking(problem(PAY, losses=1, retries=0), "pay1", "pay1", "pay1 loses", *["pay2"] * 3) as execution:
        lost, other = execution.ended
        assert (lost.unknown, lost.refused, other.unknown) == (True, True, False)
        assert [type(each) for each in lost.refusals] == [ConnectionLostError]
        assert execution.query(BALANCES) == [(98,), (100,)]


def test_who_lost_the_reply_to_its_commit_and_tries_again_pays_twice():
    with walking(problem(PAY, losses=1), "pay1", "pay1", "pay1 loses", *["pay1"] * 3, *["pay2"] * 3) as execution:
        assert outcomes(execution) == ["ok", "ok"]
        assert execution.query(BALANCES) == [(97,), (100,)]


def test_a_statement_whose_reply_is_lost_may_have_to_wait_and_its_transaction_is_rolled_back():
    with walking(problem(PAY, losses=1), "pay1", "pay2", "pay1", "pay2 loses") as execution:
        assert open_choices(execution) == {"pay1"}
        step(execution, "pay1")
        assert [type(each) for each in execution.ended[1].refusals] == [ConnectionLostError]
        assert open_choices(execution) == {"pay2"}


def test_a_wait_that_takes_too_long_is_refused_with_error_1205():
    lines = ["pay1", "pay2", "pay1", "pay2", "pay2 times out", "pay2"]
    with walking(problem(PAY, timeouts=1, retries=0), *lines) as execution:
        assert execution.steps[-1].sql == "ROLLBACK"
        (error,) = execution.ended[1].refusals
        assert isinstance(error, LockWaitTimeoutError)
        assert error.errno == 1205


def test_a_wait_for_a_user_level_lock_that_takes_too_long_is_answered_with_0():
    with walking(problem(NAMED, timeouts=1), "one", "two", "one", "two", "one", "one times out") as execution:
        ((caller, (rows,)),) = execution.steps[-1].answers
        assert (caller, list(rows.rows)) == (0, [(0,)])


# --- who waits for ever


def test_a_cycle_that_the_server_does_not_see_leaves_callers_stuck():
    mixed = """
    CREATE TABLE t (id INT PRIMARY KEY); INSERT INTO t VALUES (1);
    -- transaction one
    SELECT GET_LOCK('a', 10); SELECT id FROM t WHERE id = 1 FOR UPDATE; DO RELEASE_ALL_LOCKS();
    -- transaction two
    SELECT id FROM t WHERE id = 1 FOR UPDATE; SELECT GET_LOCK('a', 10); DO RELEASE_ALL_LOCKS();
    """
    with walking(problem(mixed), *["one", "two"] * 3) as execution:
        assert execution.choices == []
        assert execution.stuck == ["one", "two"]
    found = explore(problem(mixed), [ENDS, NO_DEADLOCK])
    assert found.verdicts == {"stuck": "counterexample", "deadlock": "proved"}


def test_who_sleeps_wakes_up_by_itself_whenever_it_likes():
    text = ACCOUNTS + (
        "-- transaction naps\nUPDATE account SET balance = 0 WHERE id = 1; DO SLEEP(5);\n"
        "-- transaction pays\nUPDATE account SET balance = balance - 1 WHERE id = 1;"
    )
    with walking(problem(text), "naps", "naps", "naps", "pays") as execution:
        assert open_choices(execution) == {"naps wakes", "pays"}
        step(execution, "pays")
        assert open_choices(execution) == {"naps wakes"}
        step(execution, "naps wakes")
        assert open_choices(execution) == {"naps"}
    assert explore(problem(text), [ENDS]).verdicts == {"stuck": "proved"}


# --- deadlocks that InnoDB does not report


def test_user_level_locks_in_opposite_order_are_a_deadlock():
    found = explore(problem(NAMED), [ENDS, NO_DEADLOCK, ANSWERED])
    assert found.verdicts == {"stuck": "proved", "deadlock": "counterexample", "refusal": "counterexample"}
    assert set(found.deadlocks) == {"user-level locks"}
    assert len(found.findings[0].interleaving.steps) == 6


def test_a_change_of_a_table_between_a_reader_s_two_statements_is_a_deadlock():
    text = """
    CREATE TABLE t (id INT PRIMARY KEY);
    -- transaction use
    SELECT id FROM t; INSERT INTO t VALUES (1);
    -- transaction change
    ALTER TABLE t ADD COLUMN n INT;
    """
    found = explore(problem(text), [NO_DEADLOCK])
    assert found.verdicts == {"deadlock": "counterexample"}
    assert set(found.deadlocks) == {"metadata locks"}


# --- programs


async def nothing_to_return(session):
    await session.begin()
    await session.execute("UPDATE account SET balance = balance - 1 WHERE id = 1")
    await session.execute("UPDATE account SET balance = balance - 1 WHERE id = 2")
    await session.commit()


async def other_way_round(session):
    await session.begin()
    await session.execute("UPDATE account SET balance = balance - 1 WHERE id = 2")
    await session.execute("UPDATE account SET balance = balance - 1 WHERE id = 1")
    await session.commit()


async def broken(session):
    await session.execute("SELECT 1")
    raise ValueError("broken")


TABLES = [each for each in ACCOUNTS.split(";") if each.strip()]


def test_a_program_that_returns_nothing_is_not_refused_when_a_retry_of_it_succeeds():
    what = programs(Caller("one", nothing_to_return), Caller("two", other_way_round), setup=TABLES)
    found = explore(what, [NO_DEADLOCK, ANSWERED])
    assert found.verdicts == {"deadlock": "counterexample", "refusal": "proved"}
    assert set(found.outcomes) == {"ok, ok"}
    assert found.retries == 1


def test_a_program_that_is_broken_fails_the_exploration_with_its_error_and_nothing_is_left():
    what = programs(Caller("one", nothing_to_return), Caller("two", broken), setup=TABLES)
    server = Server(what)
    execution = Execution(what, server)
    for _ in range(2):
        execution.take(Choice("go", 0))
    with pytest.raises(ValueError, match="broken"):
        execution.take(Choice("go", 1))
    execution.close()
    fresh = Execution(what, server)
    assert fresh.engine.transactions() == []
    assert fresh.query(BALANCES) == [(100,), (100,)]
    fresh.close()
    with pytest.raises(ValueError, match="broken"):
        explore(what, [ENDS])


def test_a_program_that_is_broken_before_its_first_statement_fails_as_well():
    async def at_once(session):
        raise KeyError("at once")

    with pytest.raises(KeyError, match="at once"):
        explore(programs(Caller("one", at_once)), [ENDS])


def test_a_program_without_a_statement_has_ended_at_once():
    async def idle(session):
        return 5

    with walking(programs(Caller("one", idle))) as execution:
        assert execution.choices == []
        assert execution.ended[0].value == 5


def test_between_two_statements_of_one_text_others_may_go():
    async def sends_all_at_once(session):
        *_, read = await session.script(
            "SELECT balance INTO @b FROM account WHERE id = ?; UPDATE account SET balance = @b - ? WHERE id = ?;"
            " SELECT balance FROM account WHERE id = 1",
            (1, 10, 1),
        )
        return read.rows

    what = programs(Caller("one", sends_all_at_once), Caller("two", sends_all_at_once), setup=TABLES)
    with walking(what, "one", "two", "one", "two", "one", "two") as execution:
        assert execution.choices == []
        assert [each.args for each in execution.steps[::2]] == [[1], [10, 1], []]
        assert [each.value for each in execution.ended] == [[(90,)], [(90,)]]


def test_the_wrong_number_of_arguments_is_the_program_s_own_error():
    async def wrong(session):
        await session.execute("SELECT ?", (1, 2))

    with pytest.raises(ValueError, match="argument"):
        explore(programs(Caller("one", wrong)), [ENDS])


def test_a_statement_that_the_model_does_not_know_is_named():
    text = COUNTER.replace("SELECT n INTO @n FROM counter WHERE id = 1", "SELECT NO_SUCH_FUNCTION(1)")
    with pytest.raises(NotImplementedError, match="NO_SUCH_FUNCTION"):
        explore(problem(text), [ENDS])
