"""Schedules drawn by chance: what they may be, what of them is played, and how a disagreement is made small."""

import msgspec
import pytest

from chatsim.conformance.comparison import without_row_ids
from chatsim.conformance.drawing import Report, Search, completed
from chatsim.conformance.model_player import play
from chatsim.conformance.schedule import Blocked, Completed, Schedule, ScheduleOutcome, Step, StepOutcome
from chatsim.worlds.world import WorldError

MANY = 60


def script(*steps, sessions=("a", "b", "c"), setup=(), **more):
    numbered = [Step(number, session, sql) for number, (session, sql) in enumerate(steps, 1)]
    return Schedule(id="here", sessions=list(sessions), setup=list(setup), steps=numbered, **more)


def drawn(seed=1, **settings):
    search = Search(play, play, seed=seed, **settings)
    return [search.draw(number) for number in range(1, MANY + 1)]


def world(effects):
    """A world in which a step's outcome hangs on its SQL: what ends, and who waits for whom after it."""

    def played(schedule):
        steps, blocked = [], {}
        for step in schedule.steps:
            if step.session in blocked:
                raise WorldError(f"{step.session} waits")
            ends, waits = effects.get(step.sql, ([step.session], {}))
            blocked = {name: each for name, each in blocked.items() if name not in ends}
            blocked |= {name: Blocked(step.n, "lock", by) for name, by in waits.items()}
            done = [Completed(name, step.n, "ok", affected=0) for name in ends]
            steps.append(StepOutcome(step.n, done, dict(blocked), []))
        return ScheduleOutcome(steps, {})

    return played


def sql(schedule):
    return [(step.session, step.sql) for step in schedule.steps]


# --- what is drawn


def test_the_same_seed_draws_the_same_and_another_one_others():
    assert drawn() == drawn()
    assert drawn(seed=2) != drawn()


def test_a_schedule_hangs_on_its_number_not_on_those_before_it():
    assert Search(play, play, seed=1).draw(MANY) == drawn()[-1]


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


@pytest.mark.parametrize("foreign_keys", [False, True])
def test_the_model_can_play_what_is_left_of_each(foreign_keys):
    for schedule in drawn(foreign_keys=foreign_keys):
        left, outcome = completed(schedule, play)
        assert [step.n for step in outcome.steps] == [step.n for step in left.steps]
        assert msgspec.json.decode(msgspec.json.encode(left), type=Schedule) == left


# --- what is left of it


def test_a_step_of_a_session_that_waits_is_left_out():
    model = world({"wait": ([], {"b": ["a"]}), "free": (["a", "b"], {})})
    left, _ = completed(script(("b", "BEGIN"), ("b", "wait"), ("b", "more"), ("a", "free"), ("b", "more")), model)
    assert sql(left) == [("b", "BEGIN"), ("b", "wait"), ("a", "free"), ("b", "more")]


def test_it_ends_before_two_are_freed_at_once():
    model = world({"wait": ([], {"b": ["a"]}), "too": ([], {"c": ["a"]}), "free": (["a", "b", "c"], {})})
    begin = [(name, "BEGIN") for name in "abc"]
    left, _ = completed(script(*begin, ("b", "wait"), ("c", "too"), ("a", "one"), ("a", "free"), ("a", "two")), model)
    assert sql(left) == [*begin, ("b", "wait"), ("c", "too"), ("a", "one")]


def test_nobody_is_left_waiting_who_would_commit_in_the_end():
    model = world({"wait": ([], {"b": ["a"]})})
    outside = script(("a", "BEGIN"), ("a", "one"), ("b", "wait"), ("a", "two"))
    assert sql(completed(outside, model)[0]) == [("a", "BEGIN"), ("a", "one")]
    inside = script(("a", "BEGIN"), ("b", "BEGIN"), ("b", "wait"))
    assert completed(inside, model)[0].steps == inside.steps
    counting = msgspec.structs.replace(inside, setup=["CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY)"])
    assert len(completed(counting, model)[0].steps) == 2


def test_only_sessions_that_do_something_are_left():
    assert completed(script(("b", "BEGIN")), world({}))[0].sessions == ["b"]


# --- rows without a key


def test_row_ids_are_numbered_as_they_come_up():
    def outcome(*ids):
        locks = [("a", "t", "k", "RECORD", "X", "GRANTED", f"'0x', 0x{each:012X}") for each in ids]
        return ScheduleOutcome([StepOutcome(1, [], {}, [("a", "t", None, "TABLE", "IX", "GRANTED", None), *locks])], {})

    assert without_row_ids(outcome(0x217, 0x21A)) == without_row_ids(outcome(0x500, 0x501)) == outcome(1, 2)


# --- the search


def searched(server, model, count=MANY, **settings):
    report = Report()
    Search(server, model, seed=1, patience=40, **settings).run(count, report, progress=False)
    return report


def test_a_world_agrees_with_itself():
    report = searched(play, play)
    assert report.agrees
    assert (report.played, report.unsettled, report.differing, report.disagreements) == (MANY, 0, [0, 0, 0], [])


def deaf(schedule):
    """A model that tells of no lock on records."""
    outcome = play(schedule)
    steps = [
        msgspec.structs.replace(step, locks=[lock for lock in step.locks or () if lock[3] == "TABLE"])
        for step in outcome.steps
    ]
    return msgspec.structs.replace(outcome, steps=steps)


def test_a_disagreement_is_made_small_and_can_be_replayed():
    report = searched(play, deaf, count=6)
    assert report.differing[:2] == [0, 0]
    assert report.differing[2] >= 1
    assert not report.agrees
    for each in report.disagreements:
        assert each.level == 2
        assert each.schedule.id.startswith("generated-1-")
        assert each.schedule.title.startswith(f"step {len(each.schedule.steps)}: missing ")
        assert each.schedule.expected == without_row_ids(play(each.schedule))
    assert min(len(each.schedule.steps) for each in report.disagreements) <= 2


def test_the_same_search_finds_the_same():
    assert searched(play, deaf, count=4).disagreements == searched(play, deaf, count=4).disagreements


def test_few_differing_locks_are_let_pass_and_no_other_difference():
    assert Report(played=100, differing=[0, 0, 2]).agrees
    assert not Report(played=100, differing=[0, 0, 3]).agrees
    assert not Report(played=1000, differing=[1, 0, 0]).agrees
    assert not Report(played=1000, differing=[0, 1, 0]).agrees


def test_a_model_that_breaks_disagrees_at_the_step_where_it_does():
    def fragile(schedule):
        if any(step.sql.startswith("DELETE") for step in schedule.steps):
            raise KeyError("no such record")
        return play(schedule)

    report = searched(play, fragile, count=3)
    assert report.differing[0] == report.differing[1] == report.differing[2] >= 1
    for each in report.disagreements:
        assert each.trouble == "KeyError: 'no such record'"
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
    assert report.unsettled >= 1


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

    report = Report()
    with pytest.raises(KeyboardInterrupt):
        Search(interrupted, model, seed=1).run(MANY, report, progress=False)
    assert (played[-1], played.count("server")) == ("server", at)
    assert len(report.disagreements) >= 1


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

    report = searched(slow, play, count=10)
    assert report.differing[0] >= 1
    assert any("expected to end: none" in str(each) for each in report.disagreements)
