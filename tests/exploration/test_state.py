"""Which states of a server are equal: what decides about what follows is told apart, and nothing else is."""

import dataclasses

import pytest
from exploration.steps import open_choices, problem, step, walking
from hypothesis import given, settings
from hypothesis import strategies as st

from chatsim.exploration import state
from chatsim.innodb.server.engine import Engine
from chatsim.innodb.server.session import EngineSession

TABLES = """
CREATE TABLE t (id INT PRIMARY KEY, v INT, KEY (v));
CREATE TABLE u (id INT AUTO_INCREMENT PRIMARY KEY, v INT);
INSERT INTO t VALUES (1, 10), (2, 20), (3, 30);
INSERT INTO u (v) VALUES (1);
"""


def digest(text, *lines, isolation="READ COMMITTED", **switches):
    """The digest of the state behind some choices."""
    with walking(problem(text, isolation, **switches), *lines) as execution:
        return execution.digest()


def two(one, other):
    """Two different callers."""
    return f"{TABLES}\n-- transaction a\n{one};\n-- transaction b\n{other};"


# --- what is looked at

OF_NO_SESSION = {
    *("engine", "connection_id", "works", "sleeps"),  # who it is
    *("_metadata_locks", "trx", "branch", "temporary", "statements"),  # looked at elsewhere
    *("noted", "_causes", "_current", "_auto_inc_locked", "_statement_view"),  # of the statement under way
    "tables_opened",  # a count
    *("unanswered", "_waits", "interruption"),  # of commits that take time, and of KILL from other sessions
}
"""The attributes of a session that are not in its form."""


def attributes(cls):
    slots = [name for each in cls.__mro__ for name in getattr(each, "__slots__", ())]
    fields = [each.name for each in dataclasses.fields(cls)] if dataclasses.is_dataclass(cls) else []
    return {*slots, *fields}


@pytest.mark.parametrize("cls", state.RELEVANT, ids=lambda cls: cls.__name__)
def test_every_attribute_is_either_looked_at_or_known_to_decide_nothing(cls):
    relevant, irrelevant = set(state.RELEVANT[cls]), set(state.IRRELEVANT.get(cls, ()))
    assert relevant | irrelevant == attributes(cls)
    assert not relevant & irrelevant


def test_every_attribute_of_a_session_is_either_looked_at_or_known_to_decide_nothing():
    session = EngineSession(Engine(lambda: 0.0, purges=False))
    assert set(vars(session)) == {*state._SESSION, *OF_NO_SESSION}


# --- equal


def test_orders_of_statements_that_do_not_concern_each_other_come_to_the_same_state():
    text = two("UPDATE t SET v = v + 1 WHERE id = 1", "UPDATE t SET v = v + 1 WHERE id = 3")
    assert digest(text, "a", "b", "a", "b") == digest(text, "b", "b", "a", "a")
    assert digest(text, "a", "a", "a", "b", "b", "b") == digest(text, "b", "b", "b", "a", "a", "a")


def test_callers_that_are_alike_stand_for_each_other():
    text = TABLES + "-- transaction a\nUPDATE t SET v = v + 1 WHERE id = 1;"
    assert digest(text, "a1", "a1") == digest(text, "a2", "a2")
    other = two("UPDATE t SET v = v + 1 WHERE id = 1", "UPDATE t SET v = v + 1 WHERE id = 1")
    assert digest(other, "a", "a") != digest(other, "b", "b")


def test_a_state_is_the_same_in_every_execution():
    text = two("UPDATE t SET v = 5 WHERE v > 15", "INSERT INTO t VALUES (9, 25)")
    lines = ["a", "b", "a", "b"]
    assert digest(text, *lines) == digest(text, *lines)


WORK = [
    "SELECT v FROM t WHERE id = {}",
    "UPDATE t SET v = 7 WHERE id = {}",
    "SELECT v FROM t WHERE id = {} FOR UPDATE",
    "DELETE FROM t WHERE id = {}",
    "INSERT INTO u (v) VALUES ({})",
]


@settings(max_examples=30)
@given(st.lists(st.sampled_from(WORK), min_size=1, max_size=3), st.permutations(["a"] * 4 + ["b"] * 4))
def test_transactions_over_tables_of_their_own_come_to_one_state_in_whatever_order(work, order):
    tables = TABLES + TABLES.replace(" t ", " t2 ").replace(" u ", " u2 ")
    mine = ";".join(each.format(1) for each in work)
    yours = mine.replace(" t ", " t2 ").replace(" u ", " u2 ")
    text = f"{tables}\n-- transaction a\n{mine};\n-- transaction b\n{yours};"

    def end(names):
        with walking(problem(text, "REPEATABLE READ")) as execution:
            for name in [*names, *["a", "b"] * 4]:
                if name in open_choices(execution):
                    step(execution, name)
            assert execution.choices == []
            return execution.digest()

    assert end(order) == end(sorted(order))


# --- told apart


def test_who_waits_in_front_of_whom():
    share = "SELECT v FROM t WHERE id = 1 FOR UPDATE"
    text = two(share, share) + f"\n-- transaction c\n{share};"
    begun = ["a", "b", "c", "a"]
    assert digest(text, *begun, "b", "c") != digest(text, *begun, "c", "b")


def test_how_many_have_begun_to_wait_since_somebody_did():
    """More may wait later: then it decides about the next lock whether there have been three or four."""
    lock = "SELECT v FROM t WHERE id = {} FOR UPDATE"
    turns = "; COMMIT; BEGIN; ".join([lock.format(3)] * 5)
    text = two(lock.format(1), lock.format(1)) + f"\n-- transaction c\n{turns};\n-- transaction d\n{turns};"
    begun, one_waits_for_another = "abcdab", "dcdcdc"
    three, four = (server(text, *begun, *one_waits_for_another * times) for times in (3, 4))
    assert three != four


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("SELECT id FROM t WHERE id = 1 FOR SHARE", "SELECT id FROM t WHERE id = 1 FOR UPDATE"),
        ("SELECT id FROM t WHERE id = 1", "SELECT id FROM t WHERE id = 1 FOR SHARE"),
        ("UPDATE t SET v = 10 WHERE id = 1", "SELECT id FROM t WHERE id = 1 FOR UPDATE"),  # changes nothing
    ],
    ids=["mode", "none", "same"],
)
@pytest.mark.parametrize("isolation", ["READ COMMITTED", "REPEATABLE READ"])
def test_the_modes_of_locks(one, other, isolation):
    found = []
    for sql in (one, other):
        with walking(problem(two(sql, "SELECT 1"), isolation), "a", "a") as execution:
            found.append(execution.digest()[1])
    assert found[0] != found[1]


def server(text, *lines, isolation="REPEATABLE READ"):
    """The digest of the server alone."""
    return digest(text, *lines, isolation=isolation)[1]


def test_whether_a_read_view_is_older_than_a_commit():
    text = two("SELECT v FROM t WHERE id = 3", "UPDATE t SET v = 11 WHERE id = 1")
    assert server(text, "a", "a", "b", "b", "b") != server(text, "a", "b", "b", "b", "a")
    assert digest(text, "a", "a", "b", "b", "b") == digest(text, "a", "b", "a", "b", "b")


def test_the_next_value_of_auto_increment():
    text = two("INSERT INTO u (v) VALUES (5); ROLLBACK", "SELECT 1")
    nothing = two("SELECT v FROM u WHERE id = 9; ROLLBACK", "SELECT 1")
    assert server(text, *"aaa") != server(nothing, *"aaa")


def test_what_a_rollback_would_bring_back():
    plain = two("UPDATE t SET v = 11 WHERE id = 1", "SELECT 1")
    twice = two("UPDATE t SET v = 12 WHERE id = 1; UPDATE t SET v = 11 WHERE id = 1", "SELECT 1")
    assert server(plain, *"aa") != server(twice, *"aaa")


@pytest.mark.parametrize(
    "sql",
    [
        "SET @x = 2",
        "SET SESSION innodb_lock_wait_timeout = 7",
        "SET SESSION sql_mode = ''",
        "SET foreign_key_checks = 0",
        "SET SESSION TRANSACTION READ ONLY",
        "SAVEPOINT s",
    ],
)
def test_what_a_session_has_set(sql):
    with walking(problem(two(f"SELECT 1; {sql}", "SELECT 1")), "a", "a") as execution:
        session = execution._clients[0].session
        before = state.session_form(session)
        step(execution, "a")
        assert state.session_form(session) != before


def test_what_was_analyzed():
    add = "INSERT INTO u (v) VALUES (5)"
    text = two("ANALYZE TABLE u", add)
    assert server(text, *"aaa", *"bbb") != server(text, *"bbb", *"aaa")


def test_the_name_of_the_schema():
    assert server(two("USE mine", "SELECT 1"), *"aaa") != server(two("USE yours", "SELECT 1"), *"aaa")


def test_how_many_numbers_were_drawn():
    draw = "SELECT 1 FROM t WHERE RAND() > 2 AND v >= 20"
    text = two(draw, "DELETE FROM t WHERE id = 3")
    assert server(text, *"aaabbb") != server(text, *"bbbaaa")


def test_a_user_variable_that_two_orders_set_differently():
    text = two("SELECT v INTO @v FROM t WHERE id = 1; SELECT 1", "UPDATE t SET v = 11 WHERE id = 1")
    assert digest(text, *"aabbb") != digest(text, *"abbba")


def test_metadata_locks():
    text = two("SELECT 1 FROM t LIMIT 0", "SELECT 1")
    other = two("SELECT 1", "SELECT 1")
    assert server(text, *"aa") != server(other, *"aa")


def test_user_level_locks():
    text = two("DO GET_LOCK('x', 1)", "SELECT 1")
    other = two("DO GET_LOCK('y', 1)", "SELECT 1")
    assert len({server(each, *"aa") for each in (text, other, two("DO 1", "SELECT 1"))}) == 3


# --- what is not in the tables of the server

IN_A_TEMPORARY_TABLE = two(
    "CREATE TEMPORARY TABLE x (v INT); INSERT INTO x SELECT v FROM t WHERE id = 1; SELECT 1;"
    "UPDATE u SET v = (SELECT v FROM x) WHERE id = 1",
    "UPDATE t SET v = 11 WHERE id = 1",
)
PREPARED = two(
    "SELECT CONCAT('UPDATE u SET v = ', v) INTO @s FROM t WHERE id = 1; PREPARE p FROM @s; SET @s = ''; EXECUTE p",
    "UPDATE t SET v = 11 WHERE id = 1",
)


@pytest.mark.parametrize("text", [IN_A_TEMPORARY_TABLE, PREPARED], ids=["temporary", "prepared"])
def test_what_a_session_has_kept_of_rows_that_have_changed_since(text):
    assert digest(text, *"aaaabbb") != digest(text, *"abbbaaa")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("CREATE OR REPLACE VIEW w AS SELECT 1 AS n", "CREATE OR REPLACE VIEW w AS SELECT 2 AS n"),
        ("ALTER TABLE u ADD COLUMN x INT", "ALTER TABLE u ADD COLUMN y INT"),
        (
            "CREATE TRIGGER ta BEFORE INSERT ON u FOR EACH ROW SET NEW.v = 1",
            "CREATE TRIGGER tb BEFORE INSERT ON u FOR EACH ROW SET NEW.v = 2",
        ),
    ],
    ids=["views", "columns", "triggers"],
)
def test_what_definitions_have_become(one, other):
    text = two(one, other)
    assert digest(text, *"aaabbb") != digest(text, *"bbbaaa")


def test_the_rows_of_a_table_that_has_been_altered():
    text = two("UPDATE t SET v = 11 WHERE id = 1", "UPDATE t SET v = 12 WHERE id = 1")
    text += "\n-- transaction c\nALTER TABLE t ADD COLUMN w INT;"
    assert digest(text, *"aaabbbccc") != digest(text, *"bbbaaaccc")
