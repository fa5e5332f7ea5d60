"""Drawn schedules: the same for the same seed and number, and together they have all that can take locks."""

from chatsim.conformance.generation.numbered import NumberedSchedules
from chatsim.conformance.generation.shapes import RARE_SHAPES
from chatsim.conformance.generation.tables import DrawnTable

MANY = 60


def drawn(seed=1, **settings):
    source = NumberedSchedules(seed=seed, **settings)
    return [source.draw(number) for number in range(1, MANY + 1)]


def test_the_same_seed_draws_the_same_and_another_one_others():
    assert drawn() == drawn()
    assert drawn(seed=2) != drawn()


def test_a_schedule_hangs_on_its_number_not_on_those_before_it():
    assert NumberedSchedules(seed=1).draw(MANY) == drawn()[-1]


def test_there_are_as_many_sessions_as_asked_for():
    assert {len(each.sessions) for each in drawn(sessions=(2, 3))} == {2, 3}


def test_all_that_can_lock_is_drawn():
    schedules = drawn() + drawn(seed=2)
    assert {each.isolation for each in schedules} >= {"REPEATABLE READ", "READ COMMITTED", "SERIALIZABLE"}
    assert {each.purge for each in schedules} == {"eager", "held"}
    text = "\n".join(step.sql for each in schedules for step in each.steps)
    for words in (
        *("BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT one", "ROLLBACK TO one"),
        *("FOR UPDATE", "FOR SHARE", "NOWAIT", "SKIP LOCKED", "FORCE INDEX", "DESC LIMIT"),
        *("BETWEEN", " IN (", "IS NULL", "<=", ">="),
        *("INSERT INTO", "INSERT IGNORE", "ON DUPLICATE KEY UPDATE", "REPLACE INTO", "UPDATE", "DELETE FROM"),
        *(" IN (SELECT", "NOT IN (SELECT", "EXISTS (SELECT", "NOT EXISTS (SELECT", "= (SELECT M", "FOR UPDATE OF"),
        *(" JOIN ", "LEFT JOIN", "STRAIGHT_JOIN", "WITH d AS", ") AS d", "GROUP BY", "HAVING", "DISTINCT", "OVER ("),
        *(
            "UNION",
            "EXCEPT",
            "INTERSECT",
            "UPDATE IGNORE",
            "DELETE x",
            "DELETE FROM x",
            "INSERT INTO t (id, k, v) SELECT",
        ),
    ):
        assert words in text


def test_all_kinds_of_tables_are_drawn():
    text = "\n".join(each for schedule in drawn() + drawn(seed=2) for each in schedule.setup)
    text += "\n".join(DrawnTable("t", each).create for each in RARE_SHAPES)
    for words in (
        *("ENUM", "DECIMAL", "DATE NOT NULL", "DATETIME(3)", "CHAR(4)", "utf8mb4_bin", "JSON", "VARCHAR(2000)"),
        *("AUTO_INCREMENT", "STORED", "AS (v % 3)", "((k + v))", "(n(1))", "k DESC", "UNIQUE KEY", "CAST(j"),
        *("BY HASH", "BY RANGE", "FOREIGN KEY", "CREATE TRIGGER", "BEFORE", "AFTER", "REPEAT("),
    ):
        assert words in text


def test_a_child_table_comes_sometimes_and_always_when_asked_for():
    assert 0 < sum("FOREIGN KEY" in "".join(schedule.setup) for schedule in drawn()) < MANY / 3
    assert all("FOREIGN KEY" in schedule.setup[1] for schedule in drawn(foreign_keys=True))
