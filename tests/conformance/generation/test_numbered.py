"""Drawn schedules: the same for the same seed and number, and together they have all that can take locks."""

from chatsim.conformance.generation.numbered import NumberedSchedules

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
    ):
        assert words in text


def test_a_child_table_comes_only_when_asked_for():
    assert not any("FOREIGN KEY" in each for schedule in drawn() for each in schedule.setup)
    assert all("FOREIGN KEY" in schedule.setup[1] for schedule in drawn(foreign_keys=True))
