"""Random schedules are played in both worlds, and those on which the worlds differ are shrunk."""

import functools

import msgspec
import pytest

from chatsim.conformance import model_player
from chatsim.conformance.comparison import without_row_ids
from chatsim.conformance.differential import DifferentialReport, DifferentialTest
from chatsim.conformance.schedule import Blocked, Schedule, ScheduleOutcome, StepOutcome
from chatsim.worlds.world import WorldError

MANY = 60


@functools.cache
def _played(schedule):
    return model_player.play(msgspec.json.decode(schedule, type=Schedule))


def play(schedule):
    """What the model makes of a schedule; here the same ones are played again and again."""
    return _played(msgspec.json.encode(schedule))


def searched(server, model, count=MANY, budget=10):
    report = DifferentialReport()
    DifferentialTest(server, model, seed=1, budget=budget).run(count, report, progress=False)
    return report


def test_a_world_agrees_with_itself():
    report = searched(play, play)
    assert report.agrees
    assert (report.played, report.unstable, report.differing, report.disagreements) == (MANY, 0, [0, 0, 0], [])


def deaf(schedule):
    """A model that tells of no lock on records."""
    outcome = play(schedule)
    steps = [
        msgspec.structs.replace(step, locks=[lock for lock in step.locks or () if lock[3] == "TABLE"])
        for step in outcome.steps
    ]
    return msgspec.structs.replace(outcome, steps=steps)


def test_a_disagreement_is_made_small_and_can_be_replayed():
    report = searched(play, deaf, count=4)
    assert report.differing[:2] == [0, 0]
    assert report.differing[2] >= 1
    assert not report.agrees
    for each in report.disagreements:
        assert each.level == 2
        assert each.schedule.id.startswith("generated-1-")
        assert each.schedule.title.startswith(f"step {len(each.schedule.steps)}: missing ")
        assert each.schedule.expected == without_row_ids(play(each.schedule))
    assert min(len(each.schedule.steps) for each in report.disagreements) <= 2


@pytest.mark.parametrize("budget", [1, 3])
def test_a_search_ends_when_its_budget_is_spent(budget):
    """Hypothesis alone would go on for five minutes, whether anything may be played or not."""
    plays = []

    def server(schedule):
        plays.append(schedule)
        return play(schedule)

    drawn = []

    def model(schedule):
        drawn.append(schedule)
        return deaf(schedule)

    report = DifferentialReport()
    DifferentialTest(server, model, seed=1, budget=budget).run(1, report, progress=False)
    assert len(report.disagreements) == 1
    assert len({msgspec.json.encode(each) for each in plays}) <= 1 + 2 * budget
    assert len(drawn) <= 300


def test_disagreements_are_left_as_they_were_drawn_if_they_are_not_to_be_shrunk():
    report = DifferentialReport()
    DifferentialTest(play, deaf, seed=1, shrinks=False).run(1, report, progress=False)
    (found,) = report.disagreements
    assert len(found.schedule.steps) > 2
    assert found.level == 2


def test_the_same_search_finds_the_same():
    first, second = (searched(play, deaf, count=2, budget=5) for _ in range(2))
    assert first.disagreements == second.disagreements != []


def test_few_differing_locks_are_let_pass_and_no_other_difference():
    assert DifferentialReport(played=100, differing=[0, 0, 2]).agrees
    assert not DifferentialReport(played=100, differing=[0, 0, 3]).agrees
    assert not DifferentialReport(played=1000, differing=[1, 0, 0]).agrees
    assert not DifferentialReport(played=1000, differing=[0, 1, 0]).agrees


@pytest.mark.slow
def test_a_model_that_breaks_disagrees_at_the_step_where_it_does():
    def fragile(schedule):
        if any(step.sql.startswith("DELETE") for step in schedule.steps):
            raise KeyError("no such record")
        return play(schedule)

    report = searched(play, fragile, count=3)
    assert report.differing[0] == report.differing[1] == report.differing[2] >= 1
    for each in report.disagreements:
        assert each.model_error == "KeyError: 'no such record'"
        assert each.schedule.steps[-1].sql.startswith("DELETE")


def test_what_the_model_has_not_is_counted_by_its_reason():
    def small(schedule):
        if any("REPLACE" in step.sql for step in schedule.steps):
            raise WorldError("REPLACE is not in the model")
        return play(schedule)

    report = searched(play, small)
    assert report.not_modelled["REPLACE is not in the model"] >= 1
    assert report.played + report.not_modelled.total() == MANY
    assert report.agrees


def test_where_the_server_disagrees_with_itself_nobody_is_wrong():
    turns = iter(range(100_000))

    def fickle(schedule):
        outcome = play(schedule)
        return msgspec.structs.replace(outcome, final={} if next(turns) % 2 else outcome.final)

    report = searched(fickle, deaf, count=5)
    assert report.disagreements == []
    assert report.unstable >= 1


@pytest.mark.parametrize("at", [12, 13, 24, 40])
def test_after_ctrl_c_what_had_been_found_is_there_and_nothing_more_is_played(at):
    played = []

    def interrupted(schedule):
        played.append("server")
        if played.count("server") == at:
            raise KeyboardInterrupt
        return play(schedule)

    def model(schedule):
        played.append("model")
        return deaf(schedule)

    report = DifferentialReport()
    with pytest.raises(KeyboardInterrupt):
        DifferentialTest(interrupted, model, seed=1).run(MANY, report, progress=False)
    assert (played[-1], played.count("server")) == ("server", at)
    assert len(report.disagreements) >= 1


@pytest.mark.slow
def test_a_session_that_waits_only_on_the_server_is_a_disagreement():
    """The server refuses the steps that the model lets it have."""

    def slow(schedule):
        steps, waiting = [], None
        for step, after in zip(schedule.steps, play(schedule).steps, strict=True):
            if step.session == waiting:
                raise WorldError(f"{waiting} waits")
            if "FOR UPDATE" in step.sql:
                waiting = step.session
                steps.append(StepOutcome(step.n, [], {waiting: Blocked(step.n, "lock", [])}, []))
            else:
                steps.append(after)
        return ScheduleOutcome(steps, {})

    report = searched(slow, play, count=4)
    assert report.differing[0] >= 1
    assert any("expected to end: none" in str(each) for each in report.disagreements)
