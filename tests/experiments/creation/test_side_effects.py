"""What a strategy leaves behind beside the chats that were asked for is found, and named: in tables and connections."""

import asyncio
import contextlib
import dataclasses

import pytest

from chatsim.chat.creation import STRATEGIES, StrategyError, creation_strategy
from chatsim.db.session import Isolation
from chatsim.experiments.checks import Word
from chatsim.experiments.creation.experiment import Race
from chatsim.experiments.creation.side_effects import check_contents, check_states
from chatsim.experiments.history import Outcome
from chatsim.experiments.runner import run, run_here
from chatsim.worlds.model.settings import Model
from chatsim.worlds.mysql.settings import Servers
from chatsim.worlds.world import TableContents

SMALL = {"clients": 4, "rounds": 3, "existing": 20}
ALONE = {"clients": 1, "rounds": 6, "existing": 20}
HONEST = STRATEGIES["insert_ignore"]


def in_model(race):
    result = race.result("model")
    run_here(race, Model(), result, progress=False)
    return result


def on_mysql(race):
    return asyncio.run(run(race, progress=False))


def planted(*statements, isolation="READ COMMITTED"):
    """A strategy that does what it should; and after its sixth call something else, once."""
    left = [*statements]
    calls = []

    @creation_strategy(isolation=isolation)
    async def plants(tx, low, high):
        thread = await HONEST(tx, low, high)
        calls.append(thread)
        while left and len(calls) >= 6:
            await tx.execute(left.pop(0))
        return thread

    return plants


# what is planted, and what is said of it; in both worlds alike
TABLES = {
    "chats deleted": (
        "DELETE FROM private_chat WHERE thread_id <= 5",
        "private_chat has lost 5 rows that nobody asked to delete, such as (1, ",
    ),
    "a pair rewritten": (
        "UPDATE private_chat SET user1_id = 7, user2_id = 8 WHERE thread_id = 3",
        "private_chat has 1 row that nobody asked to change, such as (3, ",
    ),
    "a chat's thread rewritten": (
        "UPDATE private_chat SET thread_id = 9999 WHERE thread_id = 3",
        "private_chat has lost 1 row that nobody asked to delete, such as (3, ",
    ),
    "a chat of people who never asked": (
        "INSERT INTO private_chat (thread_id, user1_id, user2_id) VALUES (99999, 5, 6)",
        "private_chat has 1 row more that nobody asked for, such as (99999, 5, 6, ",
    ),
    "a thread made a group": (
        "UPDATE chat_thread SET type = 'group' WHERE id = 4",
        "chat_thread has 1 row that nobody asked to change, such as (4, private, ",
    ),
    "a group added": (
        "INSERT INTO chat_thread (type) VALUES ('group')",
        "chat_thread has 1 row more that nobody asked for, such as (",
    ),
    "a member added": (
        "INSERT INTO group_chat_member (thread_id, user_id) VALUES (1, 5)",
        "group_chat_member has 1 row more that nobody asked for, such as (1, 5, 0, ",
    ),
    "a message added": (
        "INSERT INTO chat_message (thread_id, sender_id, recv_id, content) VALUES (1, 5, 6, 'hello')",
        "chat_message has 1 row more that nobody asked for, such as (1, 1, 5, 6, hello, ",
    ),
    "friends added": (
        "INSERT INTO friend (self_id, friend_id) VALUES (5, 6)",
        "friend has 1 row more that nobody asked for, such as (1, 5, 6, )",
    ),
    "a user changed": (
        "UPDATE user SET nick = 'Bob' ORDER BY uid LIMIT 1",
        "user has 1 row that nobody asked to change, such as (1, ",
    ),
    "users deleted": ("DELETE FROM user", "user has lost 12 rows that nobody asked to delete, such as (1, "),
    "a user added": (
        "INSERT INTO user (uid, email) VALUES (5, 'five')",
        "user has 1 row more that nobody asked for, such as (13, 5, , five, ",
    ),
    "users truncated": ("TRUNCATE TABLE user", "user has lost 12 rows that nobody asked to delete, such as (1, "),
    "a table created": ("CREATE TABLE mine (id INT PRIMARY KEY)", "mine was created"),
    "a table dropped": ("DROP TABLE friend_apply", "friend_apply was dropped"),
    "an index created": (
        "CREATE INDEX mine ON private_chat (created_at)",
        "private_chat was altered: with KEY `mine` (`created_at`)",
    ),
    "a column added": ("ALTER TABLE chat_thread ADD COLUMN name INT", "chat_thread was altered: with `name` "),
}
CONNECTIONS = {
    "an advisory lock kept": ("DO GET_LOCK('mine', 0)", "a connection came back with the advisory lock mine"),
    "the isolation level changed": (
        "SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE",
        "a connection came back with transaction_isolation = SERIALIZABLE",
    ),
    "autocommit off": ("SET autocommit = 0", "a connection came back with autocommit = OFF"),
    "a user variable kept": ("SET @mine = 5", "a connection came back with the user variable @mine"),
    "a variable changed": (
        "SET SESSION innodb_lock_wait_timeout = 7",
        "a connection came back with innodb_lock_wait_timeout = 7",
    ),
}
ON_MYSQL = {
    "an index dropped": (
        "ALTER TABLE private_chat DROP INDEX idx_private_user2_thread",
        "private_chat was altered: without KEY `idx_private_user2_thread` (`user2_id`,`thread_id`)",
    ),
    "a trigger created": (
        "CREATE TRIGGER mine BEFORE INSERT ON friend FOR EACH ROW SET NEW.back = 'x'",
        "trigger mine was created",
    ),
    "a view created": ("CREATE VIEW mine AS SELECT 1", "mine was created"),
    "a table renamed": ("RENAME TABLE friend TO foe", "friend was dropped (and 1 more)"),
    "tables locked for reading": (
        "LOCK TABLES user READ",
        "a connection came back with LOCK TABLES user",
    ),
    "a temporary table kept": (
        "CREATE TEMPORARY TABLE mine (id INT)",
        "a connection came back with a temporary table",
    ),
    "a prepared statement kept": (
        "PREPARE mine FROM 'SELECT 1'",
        "a connection came back with the prepared statement mine",
    ),
    "another mode": ("SET SESSION sql_mode = 'ANSI'", "a connection came back with sql_mode = "),
    "a handler open": (
        "HANDLER user OPEN",
        "a connection came back with a transaction or handler open on the table user",
    ),
}


def verdict_on(result):
    (variant,) = result.variants
    return variant.verdict


def all_planted(faults):
    """A race of a strategy for each fault, which has its name."""
    strategies = [dataclasses.replace(planted(statement), name=name) for name, (statement, _) in faults.items()]
    return Race(strategies=strategies, **ALONE)


@pytest.fixture(scope="module")
def modelled():
    return verdicts(in_model(all_planted(TABLES | CONNECTIONS)))


@pytest.fixture(scope="module")
def real(mysql_url):
    race = all_planted(TABLES | CONNECTIONS | ON_MYSQL)
    return verdicts(asyncio.run(run(race, Servers(mysql_url=mysql_url), progress=False)))


def verdicts(result):
    return {each["strategy"]: each.verdict for each in result.variants}


@pytest.mark.parametrize("what", TABLES | CONNECTIONS)
def test_what_is_planted_is_unsafe_and_named(modelled, what):
    _, sentence = (TABLES | CONNECTIONS)[what]
    assert modelled[what].word is Word.UNSAFE
    assert modelled[what].why.startswith(sentence)


@pytest.mark.parametrize("what", TABLES | CONNECTIONS | ON_MYSQL)
def test_so_it_is_on_mysql(real, what):
    _, sentence = (TABLES | CONNECTIONS | ON_MYSQL)[what]
    assert real[what].word is Word.UNSAFE
    assert real[what].why.startswith(sentence)


@pytest.mark.parametrize("layer", ["store", "stack"])
def test_nothing_is_said_of_a_strategy_that_leaves_nothing_behind(layer):
    verdict = verdict_on(in_model(Race(strategies=planted(), layer=layer, **SMALL)))
    assert (verdict.word, verdict.why) == (Word.SAFE, "12 operations on 3 pairs: one thread each, and all got it")


@pytest.mark.parametrize("what", ["chats deleted", "an advisory lock kept", "a user variable kept", "a table created"])
@pytest.mark.parametrize("where", [in_model, on_mysql])
def test_it_is_found_through_the_stack_as_well(where, what, mysql_url):
    statement, sentence = (TABLES | CONNECTIONS)[what]
    verdict = verdict_on(where(Race(strategies=planted(statement), layer="stack", nodes=2, **SMALL)))
    assert verdict.word is Word.UNSAFE
    assert verdict.why.startswith(sentence)


def test_the_tables_that_hold_the_chats_may_be_gone_themselves():
    calls = []

    @creation_strategy()
    async def drops(tx, low, high):
        thread = await HONEST(tx, low, high)
        calls.append(thread)
        if len(calls) == 12:
            await tx.execute("DROP TABLE private_chat")
        return thread

    verdict = verdict_on(in_model(Race(strategies=drops, **SMALL)))
    assert (verdict.word, verdict.why) == (Word.UNSAFE, "private_chat was dropped")


def test_more_threads_than_tries_are_unsafe_and_an_orphan_for_each_try_is_not():
    @creation_strategy()
    async def wastes(tx, low, high):
        for _ in range(2):
            await tx.execute("INSERT INTO chat_thread (type) VALUES ('private')")
        return await HONEST(tx, low, high)

    verdict = verdict_on(in_model(Race(strategies=wastes, **SMALL)))
    assert (verdict.word, verdict.why) == (Word.UNSAFE, "chat_thread has 27 new rows after 12 tries")
    assert verdict_on(in_model(Race(strategies="upsert", **SMALL))).word is Word.SAFE


@pytest.mark.parametrize("where", [in_model, on_mysql])
def test_a_transaction_that_stays_open_is_named_with_its_strategy(where, mysql_url):
    with pytest.raises(StrategyError, match="strategy 'plants' returned with its transaction open"):
        where(Race(strategies=planted("BEGIN"), **SMALL))


def test_what_the_model_does_not_have_is_refused_by_its_name():
    with pytest.raises(StrategyError, match=r"'plants' raised NotImplementedError: .*CALL"):
        in_model(Race(strategies=planted("CALL p()"), **SMALL))


# --- a deadline


def hanging(how):
    """A strategy whose third operation does not end."""
    calls = []

    @creation_strategy()
    async def hangs(tx, low, high):
        calls.append(low)
        if len(calls) == 3:
            await how(tx)
        return await HONEST(tx, low, high)

    return hangs


async def waits(tx):
    await tx.begin()
    await asyncio.Event().wait()


async def sleeps(tx):
    await tx.execute("DO GET_LOCK('mine', -1)")
    await tx.begin()
    await asyncio.Event().wait()


async def hears_nothing(tx):
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.Event().wait()


@pytest.mark.parametrize("layer", ["store", "stack"])
@pytest.mark.parametrize("how", [waits, sleeps])
@pytest.mark.parametrize("where", [in_model, on_mysql])
def test_an_operation_that_does_not_end_is_an_error_and_ends_the_race(where, how, layer, mysql_url):
    race = Race(strategies=hanging(how), deadline=0.5, layer=layer, clients=2, rounds=50)
    (variant,) = where(race).variants
    (late,) = [each for each in variant.operations if each.outcome is not Outcome.OK]
    assert late.outcome is Outcome.UNKNOWN
    assert late.end - late.start == pytest.approx(0.5, abs=0.01) or where is on_mysql
    assert late.reason == "overdue: it has not ended within 0.5 s"
    assert variant.verdict.word is Word.ERRORS
    assert variant.verdict.why.startswith(
        f"1 of {len(variant.operations)} callers got no thread: 1 by overdue; for one,"
    )
    assert variant.verdict.why.endswith(
        f"; {100 - len(variant.operations)} of 100 operations have not been carried out"
    )


def test_who_does_not_let_itself_be_stopped_is_overdue_nevertheless():
    (variant,) = in_model(Race(strategies=hanging(hears_nothing), deadline=2, clients=2, rounds=5)).variants
    assert [each.reason for each in variant.operations if each.reason] == ["overdue: it has not ended within 2 s"]


def test_locked_tables_do_not_hang_the_race_for_good_and_are_named(mysql_url):
    @creation_strategy()
    async def locks(tx, low, high):
        thread = await HONEST(tx, low, high)
        await tx.execute("LOCK TABLES private_chat WRITE")  # who has come first keeps the others waiting
        return thread

    race = Race(strategies=locks, deadline=1, clients=4, rounds=50)
    (variant,) = on_mysql(race).variants
    assert variant.verdict.word is Word.UNSAFE
    assert variant.verdict.why == "a connection came back with LOCK TABLES private_chat"
    assert {each.reason.partition(":")[0] for each in variant.operations} == {"", "overdue"}


def test_a_deadline_that_is_met_changes_nothing():
    first, second = (in_model(Race(strategies="for_update", deadline=each, **SMALL)) for each in (5, 500))
    assert [each.operations for each in first.variants] == [each.operations for each in second.variants]


# --- the checks by themselves

BEFORE = {
    "chat_thread": TableContents(("`id`", "`type`"), [(1, "private")]),
    "private_chat": TableContents(("`thread_id`",), [(1, 10, 20)]),
    "user_thread": TableContents(("`user_id`", "`thread_id`"), [(10, 1, 5)]),
    "user": TableContents(("`id`", "`uid`"), [(1, 10), (2, 20)]),
}


def found(tries=2, **rows):
    after = {name: TableContents(each.definition, rows.get(name, each.rows)) for name, each in BEFORE.items()}
    return [each.sentence for each in check_contents(BEFORE, after, asked={(10, 30)}, tries=tries)]


@pytest.mark.parametrize(
    ("rows", "sentences"),
    [
        ({}, []),
        ({"private_chat": [(1, 10, 20), (2, 10, 30)], "chat_thread": [(1, "private"), (2, "private")]}, []),
        ({"private_chat": [(1, 10, 20), (2, 30, 10)]}, []),
        ({"private_chat": [(1, 10, 30)]}, []),
        ({"user_thread": [(10, 1, 6), (30, 2, 1)]}, []),
        (
            {"user_thread": [(10, 1, 5), (20, 1, 1)]},
            ["user_thread has 1 row more that nobody asked for, such as (20, 1, 1)"],
        ),
        ({"user": [(1, 10)]}, ["user has lost 1 row that nobody asked to delete, such as (2, 20)"]),
        (
            {"user": [(1, 11), (2, 21)]},
            ["user has 2 rows that nobody asked to change, such as (1, 10), which is (1, 11) now"],
        ),
    ],
)
def test_operations_explain_their_own_chats_and_nothing_else(rows, sentences):
    assert found(**rows) == sentences


def test_a_definition_whose_lines_have_another_order_was_altered_too():
    after = BEFORE | {"user": TableContents(("`uid`", "`id`"), [(10, 1), (20, 2)])}
    (anomaly,) = check_contents(BEFORE, after, asked=(), tries=0)
    assert anomaly.sentence == "user was altered: its columns or keys have another order"


@pytest.mark.parametrize(
    ("before", "after", "sentences"),
    [
        ({"autocommit = ON": 4}, {"autocommit = ON": 2}, []),
        ({"autocommit = ON": 4}, {"autocommit = OFF": 1}, ["a connection came back with autocommit = OFF"]),
        ({"autocommit = ON": 4}, {"sql_mode = ANSI": 1}, []),
        ({}, {"the advisory lock x": 3}, ["3 connections came back with the advisory lock x"]),
        (
            {"transaction_isolation = REPEATABLE-READ": 4},
            {"transaction_isolation = READ-COMMITTED": 4, "transaction_isolation = SERIALIZABLE": 1},
            ["a connection came back with transaction_isolation = SERIALIZABLE"],
        ),
        (None, {"the advisory lock x": 3}, []),
        ({}, None, []),
    ],
)
def test_a_connection_must_come_back_as_it_was_leased(before, after, sentences):
    assert [each.sentence for each in check_states(before, after, Isolation.READ_COMMITTED)] == sentences
