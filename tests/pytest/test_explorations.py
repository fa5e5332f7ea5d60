"""Transactions that are explored for an assertion: what passes, what fails, and what its failure says."""

import asyncio
import random
import traceback
from functools import partial

import pytest

from chatsim import BadParameterError, DuplicateKeyError, WorldError, strategies
from chatsim.conformance.transactions import BadTransactionsError
from chatsim.pytest import assert_no_deadlock, assert_serializable
from chatsim.pytest.drawing import limited

ACCOUNTS = """
CREATE TABLE account (id INT PRIMARY KEY, balance INT NOT NULL);
INSERT INTO account VALUES (1, 100), (2, 100);
"""
THERE = "UPDATE account SET balance = balance - 10 WHERE id = 1; UPDATE account SET balance = balance + 10 WHERE id = 2"
BACK = "UPDATE account SET balance = balance - 10 WHERE id = 2; UPDATE account SET balance = balance + 10 WHERE id = 1"
MISSING_ROW = "SELECT balance FROM account WHERE id = 3 FOR UPDATE; INSERT INTO account VALUES (3, 0)"


class TooPoorError(Exception):
    """There is not as much on the account."""


async def withdraw(tx, account, amount, *, lock=" FOR UPDATE"):
    await tx.begin()
    balance = (await tx.execute(f"SELECT balance FROM account WHERE id = ?{lock}", (account,))).scalar()
    if balance < amount:
        raise TooPoorError(f"{balance} is too little")
    await tx.execute("UPDATE account SET balance = ? WHERE id = ?", (balance - amount, account))
    await tx.commit()


def failure(assertion, *args, **given):
    with pytest.raises(AssertionError) as failed:
        assertion(*args, **{"tables": ACCOUNTS} | given)
    return str(failed.value)


# --- what passes


def test_transactions_that_lock_in_one_order_pass():
    found = assert_no_deadlock(THERE, tables=ACCOUNTS)
    assert found.proved
    assert found.found.verdicts.keys() == {"stuck", "deadlock"}


def test_with_more_than_three_callers_orders_are_left_out_that_concern_nobody_else():
    two = assert_no_deadlock(THERE, tables=ACCOUNTS)
    four = assert_no_deadlock([THERE, THERE], tables=ACCOUNTS)
    assert (two.found.interleavings, four.found.interleavings) == (24, None)
    assert four.found.states < 200


def test_functions_with_values_pass():
    assert_no_deadlock(partial(withdraw, account=1, amount=10), tables=ACCOUNTS)
    assert_serializable(partial(withdraw, account=1, amount=10), tables=ACCOUNTS)
    assert_serializable(lambda tx: withdraw(tx, 1, 10), tables=ACCOUNTS)


def test_an_answer_of_the_functions_own_is_an_answer():
    most = partial(withdraw, account=1, amount=100)
    assert_serializable(most, tables=ACCOUNTS, may_raise=TooPoorError)


def test_an_error_of_the_database_may_be_an_answer_too():
    async def open_account(tx):
        await tx.execute("INSERT INTO account VALUES (3, 0)")

    assert_serializable(open_account, tables=ACCOUNTS, may_raise=DuplicateKeyError)


def test_a_strategy_of_the_chats_is_explored_with_its_own_tables():
    assert assert_no_deadlock(strategies()["insert_first"]).name == "insert_first"


def test_it_is_called_in_an_async_test_in_the_same_way():
    async def test():
        assert_no_deadlock(THERE, tables=ACCOUNTS)

    asyncio.run(test())


def test_the_level_of_isolation_counts():
    assert "deadlock" in failure(assert_no_deadlock, MISSING_ROW)
    assert_no_deadlock(MISSING_ROW, tables=ACCOUNTS, isolation="READ COMMITTED")


# --- what fails


def test_a_deadlock_is_drawn_with_its_steps_its_cycle_and_why_its_victim_died():
    text = failure(assert_no_deadlock, {"there": THERE, "back": BACK}, copies=1)
    first, *lines = text.splitlines()
    assert first == "there, back: “no deadlock” does not hold. The shortest order that shows it:"
    assert [line.split(maxsplit=2)[:2] for line in lines if line.lstrip()[0].isdigit()] == [
        *(["1.", "there"], ["2.", "there"], ["3.", "back"], ["4.", "back"], ["5.", "there"], ["6.", "back"]),
    ]
    assert "    there waits for back" in text
    assert "┌─▶ transaction 1" in text
    assert "holds record (1) of account.PRIMARY (X)" in text
    assert "Of two equal ones, the last to wait dies." in " ".join(text.split())
    assert len(lines) < 30
    assert max(map(len, lines)) <= 110


def test_locks_of_gaps_count():
    text = failure(assert_no_deadlock, MISSING_ROW)
    assert "holds the gap after the last row of account.PRIMARY (X)" in text


def test_a_lost_update_is_drawn_with_what_was_read():
    text = failure(assert_serializable, partial(withdraw, account=1, amount=10, lock=""))
    assert text.startswith("withdraw1, withdraw2: “the outcome is that of some serial order” does not hold.")
    assert text.count("reads [[100]]") == 2


def test_a_strategys_deadlock_is_drawn_as_well():
    text = failure(assert_no_deadlock, strategies()["for_update"], tables=None)
    assert "the gap after the last row of private_chat" in text


def test_callers_who_wait_for_each_other_for_ever_fail():
    locks = {
        "one": "SELECT GET_LOCK('a', 9); SELECT balance FROM account WHERE id = 1 FOR UPDATE; COMMIT",
        "two": "SELECT balance FROM account WHERE id = 1 FOR UPDATE; SELECT GET_LOCK('a', 9); COMMIT",
    }
    assert "“nobody waits for ever” does not hold" in failure(assert_no_deadlock, locks, copies=1)


def test_a_search_that_ends_early_is_called_inconclusive():
    text = failure(assert_no_deadlock, THERE, states=3)
    assert text.startswith("inconclusive: nothing was found against stuck, deadlock, but not all states were seen")
    assert "or larger states=" in text


def test_of_many_lines_the_middle_ones_are_left_out_and_long_ones_are_cut():
    lines = limited([str(number) * 50 for number in range(100)]).splitlines()
    assert [len(lines), lines[30], lines[0], lines[-1][:2]] == [61, "  … 40 lines …", "0" * 50, "99"]
    assert limited(["x" * 200]) == "x" * 109 + "…"


# --- what would test nothing


@pytest.mark.parametrize(
    ("transactions", "given", "says"),
    [
        ([], {}, "not tested: there is no transaction"),
        (THERE, {"copies": 1}, "not tested: one caller alone meets nobody"),
        (strategies()["upsert"], {"copies": 1, "tables": None}, "not tested: one caller alone meets nobody"),
    ],
)
def test_nothing_tested_fails(transactions, given, says):
    assert says in failure(assert_no_deadlock, transactions, **given)


def test_a_function_that_executes_nothing_tests_nothing():
    async def idle(tx):
        return 7

    assert failure(assert_no_deadlock, idle) == "not tested: transaction idle1 executes no statement"


# --- wrong use


async def no_plain_value(tx):
    await tx.execute("SELECT 1")
    return object()


def ordinary(tx):
    return 7


async def pauses(tx):
    await asyncio.sleep(1)
    await tx.execute("SELECT 1 FROM account")


async def two_at_once(tx):
    await asyncio.gather(tx.execute("SELECT 1 FROM account"), tx.execute("SELECT 2 FROM account"))


async def has_a_thread(tx):
    await asyncio.to_thread(print)


async def draws(tx):
    await tx.execute("INSERT INTO account VALUES (?, 0)", (random.randrange(10, 10**9),))


@pytest.mark.parametrize(
    ("transactions", "given", "error", "says"),
    [
        (7, {}, BadParameterError, "transactions is 7; a transaction is SQL text, or an async function"),
        ([THERE, None], {}, BadParameterError, "transaction t2 is None; a transaction is SQL text"),
        (ordinary, {}, BadParameterError, "transaction ordinary is no 'async def' over a session: it returns 7"),
        (pauses, {}, BadParameterError, "transaction pauses1 waits for something else than the database"),
        (two_at_once, {}, BadParameterError, "transaction two_at_once1 waits .* or asks it for two things at once"),
        (has_a_thread, {}, BadParameterError, "transaction has_a_thread needs a thread or a socket"),
        (draws, {}, BadParameterError, "transaction draws1 does not do the same each time: 'INSERT INTO account"),
        (no_plain_value, {}, BadParameterError, "transaction no_plain_value returns <object object at"),
        ("-- nothing", {}, BadTransactionsError, "transaction t1 has no statement"),
        ("UPDATE account SET balance = :b", {}, BadTransactionsError, "transaction t1 uses :b"),
        ("SELECT * FROM accounts", {}, BadParameterError, "transaction t11 fails even when it runs alone: 1146"),
        (THERE, {"tables": None}, BadParameterError, "fails even when it runs alone: 1146.*account.* doesn't exist"),
        (
            THERE,
            {"tables": "INSERT INTO nowhere VALUES (1)"},
            BadParameterError,
            "tables: 1146.*, at: INSERT INTO nowhere",
        ),
        (THERE, {"may_raise": "TooPoorError"}, BadParameterError, "may_raise has 'TooPoorError'; it can be a class"),
        (THERE, {"copies": 0}, BadParameterError, "copies is 0; it must be at least 1"),
        (THERE, {"isolation": "CHAOS"}, BadParameterError, "unknown isolation level 'CHAOS'"),
        (THERE, {"copys": 2}, BadParameterError, "there is no parameter 'copys'; an exploration has: callers, deaths"),
        ({"a": THERE, "a1": THERE}, {"copies": 11}, BadParameterError, "two callers have one name: a1, a2"),
        (strategies()["upsert"], {}, BadParameterError, "a creation strategy has the tables of the chat"),
        ("LOCK INSTANCE FOR BACKUP", {}, WorldError, "transaction t11: the model does not know a statement"),
    ],
    ids=lambda each: getattr(each, "__name__", None),
)
def test_wrong_use_is_one_error_that_names_the_culprit(transactions, given, error, says):
    with pytest.raises(error, match=says):
        assert_no_deadlock(transactions, **{"tables": ACCOUNTS} | given)


def test_the_migration_that_fails_is_named(tmp_path):
    (tmp_path / "1.sql").write_text(ACCOUNTS)
    (tmp_path / "2.sql").write_text("ALTER TABLE account ADD KEY (no_such)")
    with pytest.raises(BadParameterError, match=r"2\.sql: 1072.*, at: ALTER TABLE account ADD KEY \(no_such\)"):
        assert_no_deadlock(THERE, tables=tmp_path)


def test_an_error_of_the_functions_own_says_how_it_could_be_an_answer():
    with pytest.raises(TooPoorError, match="100 is too little") as raised:
        assert_no_deadlock(partial(withdraw, account=1, amount=101), tables=ACCOUNTS)
    own = [frame.name for frame in traceback.extract_tb(raised.value.__traceback__) if frame.filename == __file__]
    assert own == [test_an_error_of_the_functions_own_says_how_it_could_be_an_answer.__name__, "withdraw"]
    assert raised.value.__notes__ == [
        "raised by transaction withdraw; if that is one of its answers, name the class in may_raise"
    ]


def test_ctrl_c_ends_the_tests_and_is_no_verdict():
    calls = []

    async def interrupted(tx):
        await tx.execute("UPDATE account SET balance = 0 WHERE id = 1")
        calls.append(1)
        if len(calls) > 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        assert_no_deadlock(interrupted, tables=ACCOUNTS)


# --- on a server that is named


def test_a_counterexample_is_played_on_the_server_that_is_named(mysql_url):
    async def test():
        return failure(assert_no_deadlock, {"there": THERE, "back": BACK}, copies=1)

    assert failure(assert_no_deadlock, MISSING_ROW).splitlines()[-1] == "The named MySQL does the same."
    assert asyncio.run(test()).splitlines()[-1] == "The named MySQL does the same."


def test_a_server_that_is_named_and_is_not_there_is_said(monkeypatch):
    monkeypatch.setenv("CHATSIM_MYSQL_URL", "mysql://root@127.0.0.1:1")
    assert "It was not played on MySQL: " in failure(assert_no_deadlock, MISSING_ROW)


def test_without_one_nothing_is_said_of_mysql(monkeypatch):
    monkeypatch.delenv("CHATSIM_MYSQL_URL", raising=False)
    assert "MySQL" not in failure(assert_no_deadlock, MISSING_ROW)
