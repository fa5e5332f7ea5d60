"""User variables and system variables of a session."""

import pytest
from engine_sessions import alone, interleaved


def test_a_variable_is_null_until_it_is_set_and_its_name_is_the_same_in_any_case():
    assert alone("SELECT @a", "SET @A = 5, @b = 'x'", "SELECT @a, @B", "SET @a := NULL", "SELECT @a") == [
        *([(None,)], 0, [(5, "x")]),
        *(0, [(None,)]),
    ]


def test_variables_are_a_sessions_own_and_outlive_a_rollback():
    assert interleaved("A: BEGIN", "A: SET @a = 5", "A: ROLLBACK", "A: SELECT @a", "B: SELECT @a")[3:] == [
        [(5,)],
        [(None,)],
    ]


def test_the_last_number_is_a_sessions_own():
    outcomes = interleaved(
        *(
            "A: CREATE TABLE n (id INT AUTO_INCREMENT PRIMARY KEY)",
            "A: INSERT INTO n VALUES ()",
            "B: INSERT INTO n VALUES ()",
        ),
        *("A: SELECT LAST_INSERT_ID()", "B: SELECT LAST_INSERT_ID()", "A: SELECT CONNECTION_ID() <> 0"),
    )
    assert outcomes[3:] == [[(1,)], [(2,)], [(1,)]]


@pytest.mark.parametrize(
    ("sql", "name", "value"),
    [
        (None, "autocommit", 1),
        ("SET autocommit = 0", "autocommit", 0),
        ("SET innodb_lock_wait_timeout = 7", "innodb_lock_wait_timeout", 7),
        ("SET SESSION innodb_lock_wait_timeout = 7", "session.innodb_lock_wait_timeout", 7),
        (None, "innodb_lock_wait_timeout", 50),
        (None, "innodb_autoinc_lock_mode", 2),
        (None, "transaction_isolation", "REPEATABLE-READ"),
    ],
)
def test_a_system_variable_is_as_it_was_set(sql, name, value):
    assert alone(*([sql] if sql else []), f"SELECT @@{name}")[-1] == [(value,)]


def test_a_system_variable_that_there_is_not_is_refused_by_name():
    assert alone("SELECT @@nope", "SET nope = 1") == ["1193: Unknown system variable 'nope'"] * 2


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SET transaction_isolation = 'nope'", "1231: "),
        ("SET autocommit = 2", "1231: "),
        ("SET innodb_lock_wait_timeout = 'a'", "1232: "),
        ("SET GLOBAL autocommit = 0", "the model's SQL has no"),
        ("SET @@GLOBAL.autocommit = 0", "the model's SQL has no"),
        ("SET GLOBAL TRANSACTION ISOLATION LEVEL SERIALIZABLE", "the model's SQL has no"),
    ],
)
def test_a_setting_that_cannot_be_is_refused(sql, said):
    assert alone(sql)[0].startswith(said)


def test_switches_and_names_are_set_in_words():
    assert alone("SET autocommit = OFF", "SET NAMES utf8mb4", "SELECT @@autocommit")[-1] == [(0,)]


def test_several_values_go_into_several_variables():
    assert alone("SELECT 1, 2 INTO @a, @b", "SELECT @a, @b")[-1] == [(1, 2)]
