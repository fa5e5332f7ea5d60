"""Two outcomes of a schedule are compared at three levels, and the first difference of each is a sentence."""

import msgspec
import pytest

from chatsim.conformance.comparison import compare, without_row_ids
from chatsim.conformance.schedule import (
    Alternative,
    Blocked,
    Completed,
    FinalTable,
    Schedule,
    ScheduleOutcome,
    Step,
    StepOutcome,
)

GAP = ("a", "t", "PRIMARY", "RECORD", "X,GAP", "GRANTED", "4")
EXPECTED = ScheduleOutcome(
    [
        StepOutcome(1, [Completed("a", 1, "ok", affected=1)], {}, [GAP]),
        StepOutcome(2, [], {"b": Blocked(2, "lock", ["a"])}, [GAP]),
        StepOutcome(3, [Completed("a", 3, "ok", affected=0), Completed("b", 2, "rows", rows=[[1]])], {}, []),
    ],
    {"t": FinalTable(["id"], [[1]])},
)
SCHEDULE = Schedule(
    id="here",
    sessions=["a", "b"],
    steps=[Step(1, "a", "one"), Step(2, "b", "two"), Step(3, "a", "COMMIT")],
    expected=EXPECTED,
)


def changed(number, **changes):
    steps = list(EXPECTED.steps)
    steps[number - 1] = msgspec.structs.replace(steps[number - 1], **changes)
    return ScheduleOutcome(steps, EXPECTED.final)


def test_what_is_as_expected_agrees_at_all_levels():
    comparison = compare(SCHEDULE, EXPECTED)
    assert comparison.agrees
    assert comparison.differences == (None, None, None)


def test_in_which_order_statements_end_within_a_step_does_not_matter():
    assert compare(SCHEDULE, changed(3, completed=EXPECTED.steps[2].completed[::-1])).agrees


def test_one_of_the_alternatives_is_as_good_as_what_is_expected():
    other = changed(1, completed=[Completed("a", 1, "ok", affected=2)])
    raced = msgspec.structs.replace(SCHEDULE, alternatives=[Alternative(EXPECTED, 3), Alternative(other, 1)])
    assert compare(raced, other).agrees
    assert compare(raced, EXPECTED).agrees
    assert not compare(raced, changed(2, blocked={})).agrees


@pytest.mark.parametrize(
    ("outcome", "level", "sentence"),
    [
        (changed(2, blocked={}), 0, "step 2: expected to wait: "),
        (changed(2, blocked={"b": Blocked(2, "lock", ["c"])}), 0, "step 2: expected to wait: "),
        (
            changed(1, completed=[Completed("a", 1, "error", errno=1062)]),
            0,
            "step 1: expected to end: a (step 1, ok); ended: a (step 1, 1062)",
        ),
        (
            changed(1, completed=[Completed("a", 1, "ok", affected=2)]),
            1,
            "step 1: a expected (1, None, None, None)",
        ),
        (ScheduleOutcome(EXPECTED.steps, {"t": FinalTable(["id"], [[2]])}), 1, "at the end t was expected to be "),
        (ScheduleOutcome(EXPECTED.steps, {}), 1, "at the end t was expected to be "),
        (
            changed(1, locks=[]),
            2,
            "step 1: missing [('a', 't', 'PRIMARY', 'RECORD', 'X,GAP', 'GRANTED', '4')]",
        ),
    ],
)
def test_the_first_difference_of_a_level_is_told(outcome, level, sentence):
    comparison = compare(SCHEDULE, outcome)
    assert not comparison.agrees
    assert comparison.differences[level].startswith(sentence)
    assert comparison.differences[:level] == (None,) * level


def test_for_whom_a_user_lock_is_waited_for_is_not_compared():
    waits = changed(2, blocked={"b": Blocked(2, "user_lock", [])})
    told = changed(2, blocked={"b": Blocked(2, "user_lock", ["a"])})
    assert compare(msgspec.structs.replace(SCHEDULE, expected=waits), told).agrees


def test_locks_that_are_not_told_or_are_not_the_same_in_every_run_are_not_compared():
    assert compare(SCHEDULE, changed(1, locks=None)).agrees
    assert compare(msgspec.structs.replace(SCHEDULE, unstable_locks_at=[1]), changed(1, locks=[])).agrees


def test_after_several_are_freed_at_once_another_outcome_may_be_right():
    racing = msgspec.structs.replace(SCHEDULE, concurrent_wakeups=[2])
    assert compare(racing, changed(3, completed=[])).raced
    assert compare(racing, changed(3, completed=[])).agrees
    assert not compare(racing, changed(1, completed=[])).agrees


def test_a_schedule_that_expects_nothing_can_not_be_compared():
    with pytest.raises(ValueError, match="here does not say what to expect"):
        compare(msgspec.structs.replace(SCHEDULE, expected=None), EXPECTED)


def test_row_ids_are_numbered_as_they_come_up():
    def outcome(*ids):
        locks = [("a", "t", "k", "RECORD", "X", "GRANTED", f"'0x', 0x{each:012X}") for each in ids]
        return ScheduleOutcome([StepOutcome(1, [], {}, [("a", "t", None, "TABLE", "IX", "GRANTED", None), *locks])], {})

    assert without_row_ids(outcome(0x217, 0x21A)) == without_row_ids(outcome(0x500, 0x501)) == outcome(1, 2)
