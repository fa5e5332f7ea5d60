"""Interleavings as schedules: in the model and on a server they do what the exploration saw."""

import pytest
from exploration import books
from exploration.steps import problem, programs, walking

from chatsim.chat.creation import named
from chatsim.conformance import model_player
from chatsim.conformance.replay import NotReplayableError, replays, schedule_of
from chatsim.conformance.schedule import KILL
from chatsim.conformance.transactions import parse
from chatsim.db.errors import DatabaseError
from chatsim.experiments.exploring.explored import Explored
from chatsim.experiments.exploring.exploring import Exploring
from chatsim.experiments.exploring.patterns import PATTERNS, PRESENT
from chatsim.exploration.callers import Caller
from chatsim.exploration.questions import Question
from chatsim.exploration.verdict import Exploration, Finding, Interleaving
from chatsim.worlds.mysql.settings import Servers

BOOKS = {name: text for name, text in vars(books).items() if isinstance(text, str) and "-- transaction" in text}
PAY = books.ACCOUNTS + "-- transaction pay\nUPDATE account SET balance = balance - 1 WHERE id = 1;"


def scheduled(what, *lines):
    """The schedule of some choices."""
    with walking(what, *lines) as execution:
        return schedule_of(Interleaving([each.name for each in what.callers], execution.steps), what, "here")


def steps(schedule):
    return [f"{each.session}: {each.sql.split()[0]}" for each in schedule.steps]


# --- what a schedule says


def test_each_statement_is_a_step_of_its_caller_over_the_tables_of_the_problem():
    schedule = scheduled(problem(PAY, "READ COMMITTED"), "pay1", "pay2", "pay1", "pay1")
    assert steps(schedule) == ["pay1: BEGIN", "pay2: BEGIN", "pay1: UPDATE", "pay1: COMMIT"]
    assert [each.n for each in schedule.steps] == [1, 2, 3, 4]
    assert schedule.isolation == "READ COMMITTED"
    assert schedule.sessions == ["pay1", "pay2"]
    assert [sql.split()[0] for sql in schedule.setup] == ["CREATE", "INSERT"]


def test_a_caller_that_dies_is_a_session_that_is_killed():
    schedule = scheduled(problem(PAY, deaths=1), "pay1", "pay1", "pay1 dies", "pay2")
    assert steps(schedule) == ["pay1: BEGIN", "pay1: UPDATE", f"pay1: {KILL}", "pay2: BEGIN"]


def test_a_lost_reply_is_a_kill_behind_the_statement_and_behind_its_wait():
    schedule = scheduled(problem(PAY, losses=1), "pay1", "pay1", "pay1 loses")
    assert steps(schedule) == ["pay1: BEGIN", "pay1: UPDATE", "pay1: COMMIT", f"pay1: {KILL}"]
    schedule = scheduled(problem(PAY, losses=1), "pay1", "pay2", "pay1", "pay2 loses", "pay1")
    assert steps(schedule)[-3:] == ["pay2: UPDATE", "pay1: COMMIT", f"pay2: {KILL}"]


NAMES = """
CREATE TABLE t (id INT PRIMARY KEY);
-- transaction keeps
DO GET_LOCK('x', 10);
-- transaction waits
DO GET_LOCK('x', 10);
"""


def test_a_caller_that_ends_with_locks_is_killed_so_that_others_go_on():
    schedule = scheduled(problem(NAMES), *["keeps"] * 2, *["waits"] * 2, "keeps", "waits")
    assert steps(schedule)[-4:] == ["keeps: COMMIT", f"keeps: {KILL}", "waits: COMMIT", f"waits: {KILL}"]
    assert [each.session for each in model_player.play(schedule).steps[-3].completed] == ["waits"]


def test_a_caller_that_tries_again_over_a_new_connection_is_killed_in_between():
    async def leaves_it_open(session):
        await session.begin()
        await session.execute("UPDATE account SET balance = 0 WHERE id = 1")
        await session.execute("INSERT INTO account VALUES (1, 1)")

    what = programs(Caller("one", leaves_it_open), setup=books.ACCOUNTS.strip().split(";")[:2], retries=1)
    assert steps(scheduled(what, *["one"] * 4))[2:] == ["one: INSERT", f"one: {KILL}", "one: BEGIN"]


def test_who_of_several_waiters_goes_on_first_is_a_race_of_the_server():
    readers = books.ACCOUNTS + (
        "-- transaction write\nUPDATE account SET balance = 0 WHERE id = 1;\n"
        "-- transaction read\nSELECT balance FROM account WHERE id = 1 FOR SHARE;\n"
        "-- transaction look\nSELECT balance FROM account WHERE id = 1 FOR SHARE;"
    )
    schedule = scheduled(problem(readers), *["write", "read", "look", "write", "read", "look", "write"], "look first")
    assert len(schedule.steps) == 7
    assert schedule.concurrent_wakeups == [7]


PAGES = """
CREATE TABLE page (
  id INT AUTO_INCREMENT PRIMARY KEY, url VARCHAR(9), slug VARCHAR(9), hits INT NOT NULL DEFAULT 1,
  UNIQUE KEY url (url), UNIQUE KEY slug (slug)
);
-- transaction put(url, slug)
INSERT INTO page (url, slug) VALUES (:url, :slug) ON DUPLICATE KEY UPDATE hits = hits + 1;
-- call put('a', 'y')
-- call put('b', 'y')
-- call put('a', 'x')
"""


@pytest.mark.parametrize(("first", "has_one"), [("put3", True), ("put2", False)])
def test_what_happens_only_if_the_server_lets_another_waiter_go_on_first_has_no_schedule(first, has_one):
    """The first commit lets both others go; whoever goes on first locks what the other one needs."""
    what = problem(PAGES, "READ COMMITTED")
    with walking(what, *["put1", "put2", "put3"] * 2, "put1", f"{first} first", first) as execution:
        found = Interleaving([each.name for each in what.callers], list(execution.steps))
    explored = Explored.of("t", Exploration(what, ["x"], findings=[Finding("x", found)]), [Question("x", "x")])
    example = explored.counterexamples["x"]
    assert (example.schedule is not None) is has_one
    assert ("the server's choice" in example.why) is not has_one


def test_a_wait_that_takes_too_long_can_not_be_forced():
    with pytest.raises(NotReplayableError, match="takes too long"):
        scheduled(problem(PAY, timeouts=1), "pay1", "pay2", "pay1", "pay2", "pay2 times out")


def test_the_clock_of_the_model_stands_still_on_the_server_as_well():
    schedule = scheduled(problem(PAY.replace("- 1 WHERE", "- 1 WHERE NOW() > 0 AND")), "pay1", "pay1")
    assert [each.sql for each in schedule.steps[:2]] == ["SET SESSION timestamp = 1700000000"] * 2


@pytest.mark.parametrize(
    ("value", "literal"),
    [
        (None, "NULL"),
        (True, "1"),
        (-5, "-5"),
        (1.5, "1.5"),
        (b"\x00'", "x'0027'"),
        ("it's \\", r"'it''s \\'"),
    ],
)
def test_arguments_become_literals(value, literal):
    async def asks(session):
        await session.execute("SELECT ?, 'why?'", (value,))

    assert scheduled(programs(Caller("one", asks)), "one").steps[0].sql == f"SELECT {literal}, 'why?'"


# --- the model plays what the exploration saw


def answers_seen(interleaving):
    """What each statement was answered, by its caller."""
    return [
        (interleaving.callers[caller], answer.errno if isinstance(answer, DatabaseError) else len(answer[0].rows))
        for step in interleaving.steps
        for caller, answer in step.answers
    ]


def answers_played(schedule):
    outcome = model_player.play(schedule)
    return [(each.session, each.errno or len(each.rows or ())) for step in outcome.steps for each in step.completed]


@pytest.mark.parametrize("isolation", ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"])
@pytest.mark.parametrize("name", BOOKS)
def test_counterexamples_play_in_the_model_as_they_were_seen(name, isolation):
    explored = Exploring(isolation=isolation).transactions(parse(BOOKS[name]), name)
    for finding in explored.found.findings:
        schedule = explored.counterexamples[finding.question].schedule
        assert sorted(answers_played(schedule)) == sorted(answers_seen(finding.interleaving))


# --- a server plays what the model does


def assert_replayed(schedules, mysql_url):
    for comparison in replays(schedules, Servers(mysql_url=mysql_url)):
        assert comparison.agrees, (comparison.schedule, comparison.differences)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("isolation", "more"),
    [("READ COMMITTED", []), ("REPEATABLE READ", [{"deaths": 1}, {"losses": 1}]), ("SERIALIZABLE", [])],
)
def test_counterexamples_of_books_end_on_a_server_as_predicted(mysql_url, isolation, more):
    schedules = [
        example.schedule
        for name, text in BOOKS.items()
        for switches in ({}, *more)
        for example in Exploring(isolation=isolation, retries=1, **switches)
        .transactions(parse(text), name)
        .counterexamples.values()
    ]
    assert len(schedules) > 5
    assert_replayed(schedules, mysql_url)


STRATEGIES = [each for each in named("all") if not each.uses_locks]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("present", "switches"),
    [*((each, {}) for each in PRESENT), ("nothing", {"deaths": 1}), ("nothing", {"losses": 1})],
    ids=str,
)
def test_counterexamples_of_strategies_end_on_a_server_as_predicted(mysql_url, present, switches):
    schedules = [
        example.schedule
        for strategy in STRATEGIES
        for tables in ("hardened", "source")
        for pattern in PATTERNS
        for example in Exploring(tables=tables, pattern=pattern, present=present, **switches)
        .strategy(strategy)
        .counterexamples.values()
        if example.schedule is not None
    ]
    assert schedules
    assert_replayed(schedules, mysql_url)
