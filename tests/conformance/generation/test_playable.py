"""The part of a drawn schedule that can be played and has only one outcome."""

import msgspec
import pytest

from chatsim.conformance.generation.numbered import NumberedSchedules
from chatsim.conformance.generation.playable import playable_part
from chatsim.conformance.model_player import play
from chatsim.conformance.schedule import (
    Blocked,
    Completed,
    NotPlayedError,
    Schedule,
    ScheduleOutcome,
    StepOutcome,
    number_steps,
)

MANY = 60


def script(*steps, sessions=("a", "b", "c"), setup=(), **more):
    return Schedule(id="here", sessions=list(sessions), setup=list(setup), steps=number_steps(steps), **more)


def world(effects):
    """A world in which a step's outcome hangs on its SQL: what ends, and who waits for whom after it."""

    def played(schedule):
        steps, blocked = [], {}
        for step in schedule.steps:
            if step.session in blocked:
                raise NotPlayedError(schedule.id, f"{step.session} waits", step, steps)
            ends, waits = effects.get(step.sql, ([step.session], {}))
            blocked = {name: each for name, each in blocked.items() if name not in ends}
            blocked |= {name: Blocked(step.n, "lock", by) for name, by in waits.items()}
            done = [Completed(name, step.n, "ok", affected=0) for name in ends]
            steps.append(StepOutcome(step.n, done, dict(blocked), []))
        return ScheduleOutcome(steps, {})

    return played


def sql(schedule):
    return [(step.session, step.sql) for step in schedule.steps]


def test_a_step_of_a_session_that_waits_is_left_out():
    model = world({"wait": ([], {"b": ["a"]}), "free": (["a", "b"], {})})
    left, _ = playable_part(script(("b", "BEGIN"), ("b", "wait"), ("b", "more"), ("a", "free"), ("b", "more")), model)
    assert sql(left) == [("b", "BEGIN"), ("b", "wait"), ("a", "free"), ("b", "more")]


def test_it_ends_before_two_are_freed_at_once():
    model = world({"wait": ([], {"b": ["a"]}), "too": ([], {"c": ["a"]}), "free": (["a", "b", "c"], {})})
    begin = [(name, "BEGIN") for name in "abc"]
    left, _ = playable_part(
        script(*begin, ("b", "wait"), ("c", "too"), ("a", "one"), ("a", "free"), ("a", "two")), model
    )
    assert sql(left) == [*begin, ("b", "wait"), ("c", "too"), ("a", "one")]


def test_nobody_is_left_waiting_who_would_commit_in_the_end():
    model = world({"wait": ([], {"b": ["a"]})})
    outside = script(("a", "BEGIN"), ("a", "one"), ("b", "wait"), ("a", "two"))
    assert sql(playable_part(outside, model)[0]) == [("a", "BEGIN"), ("a", "one")]
    inside = script(("a", "BEGIN"), ("b", "BEGIN"), ("b", "wait"))
    assert playable_part(inside, model)[0].steps == inside.steps
    counting = msgspec.structs.replace(inside, setup=["CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY)"])
    assert len(playable_part(counting, model)[0].steps) == 2


def test_only_sessions_that_do_something_are_left():
    assert playable_part(script(("b", "BEGIN")), world({}))[0].sessions == ["b"]


@pytest.mark.parametrize("foreign_keys", [False, True])
def test_the_model_can_play_what_is_left_of_each(foreign_keys):
    source = NumberedSchedules(seed=1, foreign_keys=foreign_keys)
    for schedule in map(source.draw, range(1, MANY + 1)):
        left, outcome = playable_part(schedule, play)
        assert [step.n for step in outcome.steps] == [step.n for step in left.steps]
        assert msgspec.json.decode(msgspec.json.encode(left), type=Schedule) == left
