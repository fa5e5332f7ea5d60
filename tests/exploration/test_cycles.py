"""The deadlocks of a step, by the locks in their cycles."""

from chatsim.db.mysql import database_error
from chatsim.exploration.choices import Choice
from chatsim.exploration.cycles import cycles
from chatsim.exploration.execution import Happened

VICTIM = (0, database_error(1213, "Deadlock found when trying to get lock; try restarting transaction"))


def test_a_victim_that_is_told_a_step_after_its_deadlock_is_not_one_of_metadata_locks():
    assert cycles(Happened(Choice("first", 0), answers=[VICTIM])) == []


def test_a_victim_of_a_deadlock_that_innodb_does_not_report_is_one_of_metadata_locks():
    assert cycles(Happened(Choice("go", 0), answers=[VICTIM], unreported=1)) == ["metadata locks"]


def test_user_level_locks_have_an_error_of_their_own():
    victim = (0, database_error(3058, "Deadlock found when trying to get user-level lock"))
    assert cycles(Happened(Choice("go", 0), answers=[victim])) == ["user-level locks"]
