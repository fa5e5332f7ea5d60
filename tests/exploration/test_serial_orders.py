"""Whether an end could have come of the callers one after the other."""

import pytest
from exploration.books import ACCOUNTS, COUNTER
from exploration.steps import problem, walking

from chatsim.exploration.search import explore
from chatsim.exploration.serial_orders import MOST_CALLERS, serializable

SKEW = """
CREATE TABLE doctor (id INT PRIMARY KEY, on_call INT NOT NULL);
INSERT INTO doctor VALUES (1, 1), (2, 1);
-- transaction leave(me)
SELECT COUNT(*) INTO @others FROM doctor WHERE on_call = 1;
UPDATE doctor SET on_call = 0 WHERE id = :me AND @others > 1;
-- call leave(1)
-- call leave(2)
"""

TWO_ROWS = "CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, v INT UNIQUE);\n"

INSERTS = TWO_ROWS + (
    "-- transaction seven\nINSERT INTO t (v) VALUES (7);\n-- transaction eight\nINSERT INTO t (v) VALUES (8);"
)

PAY = ACCOUNTS + "-- transaction pay\nUPDATE account SET balance = balance - 1 WHERE id = 1;"


def is_serializable(text, isolation="REPEATABLE READ", **switches):
    what = problem(text, isolation, **switches)
    return explore(what, [serializable(what)]).verdict("serializable") == "proved"


def explained(what, *lines):
    """Whether some serial order explains the end of one interleaving."""
    question = serializable(what)
    with walking(what, *lines) as execution:
        assert execution.choices == []
        return not question.at_end(execution)


def test_an_update_that_is_lost_is_explained_by_no_order():
    what = problem(COUNTER)
    assert not explained(what, *["count1", "count2"] * 4)
    assert explained(what, *["count1"] * 4, *["count2"] * 4)
    assert explained(what, *["count2"] * 4, *["count1"] * 4)


@pytest.mark.parametrize(
    ("isolation", "holds"),
    [("READ UNCOMMITTED", False), ("READ COMMITTED", False), ("REPEATABLE READ", False), ("SERIALIZABLE", True)],
)
def test_write_skew_is_possible_at_all_levels_but_serializable(isolation, holds):
    assert is_serializable(SKEW, isolation) is holds


def test_what_was_only_read_counts_as_well():
    text = ACCOUNTS + (
        "-- transaction move\nUPDATE account SET balance = balance - 10 WHERE id = 1;"
        "UPDATE account SET balance = balance + 10 WHERE id = 2;\n"
        "-- transaction look\nSELECT balance FROM account WHERE id = 1; SELECT balance FROM account WHERE id = 2;"
    )
    assert is_serializable(text, "REPEATABLE READ")
    assert not is_serializable(text, "READ COMMITTED")  # the first row before, the second one behind


def test_ids_that_differ_only_by_a_try_that_was_rolled_back_are_no_difference():
    text = TWO_ROWS + (
        "-- transaction tries\nINSERT INTO t (v) VALUES (7); ROLLBACK;\n"
        "-- transaction does\nINSERT INTO t (v) VALUES (8); SELECT id, v FROM t;"
    )
    assert is_serializable(text, "READ COMMITTED")


def test_ids_in_the_order_in_which_nobody_could_have_got_them_are_a_difference():
    what = problem(INSERTS)
    assert explained(what, *["seven"] * 3, *["eight"] * 3)
    assert explained(what, *["eight"] * 3, *["seven"] * 3)
    assert is_serializable(INSERTS)


def test_an_id_that_a_foreign_key_refers_to_is_compared_as_the_id_itself():
    text = """
    CREATE TABLE parent (id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(9));
    CREATE TABLE child (parent INT, name VARCHAR(9), FOREIGN KEY (parent) REFERENCES parent (id));
    -- transaction family(name)
    INSERT INTO parent (name) VALUES (:name); INSERT INTO child VALUES (LAST_INSERT_ID(), :name);
    -- transaction tries
    INSERT INTO parent (name) VALUES ('never'); ROLLBACK;
    -- call family('a')
    -- call family('b')
    -- call tries
    """
    assert is_serializable(text, "READ COMMITTED")


def test_a_caller_that_was_refused_has_done_nothing():
    text = TWO_ROWS + "-- transaction put\nINSERT INTO t (v) VALUES (7);"
    assert is_serializable(text, retries=0)


def test_of_a_caller_that_died_everything_or_nothing_is_done():
    assert is_serializable(PAY, deaths=1)
    committed_before = PAY + "COMMIT; SELECT 1;"
    what = problem(committed_before, deaths=1)
    assert explained(what, *["pay1"] * 3, "pay1 dies", *["pay2"] * 5)
    halves = ACCOUNTS + (
        "-- transaction pay\nUPDATE account SET balance = balance - 1 WHERE id = 1; COMMIT;"
        "UPDATE account SET balance = balance + 1 WHERE id = 2; COMMIT;"
    )
    assert not explained(problem(halves, deaths=1), *["pay1"] * 3, "pay1 dies", *["pay2"] * 5)


def test_behind_a_lost_reply_to_the_commit_both_is_possible_but_not_twice():
    assert is_serializable(PAY, losses=1, retries=0)
    assert not is_serializable(PAY, losses=1, retries=1)


@pytest.mark.parametrize("copies", [MOST_CALLERS + 1, 20])
def test_too_many_callers_are_refused_with_the_most_that_there_can_be(copies):
    with pytest.raises(ValueError, match=rf"of {copies} callers .* of {MOST_CALLERS}"):
        serializable(problem(PAY, copies=copies))
