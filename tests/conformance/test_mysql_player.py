"""Schedules on a real server: who waits for whom, who dies, what is left."""

import pytest

from chatsim.conformance.mysql_player import play
from chatsim.conformance.schedule import Schedule, Step
from chatsim.worlds.mysql.world import MySQLWorld
from chatsim.worlds.world import WorldError

TABLE = "CREATE TABLE t (id INT PRIMARY KEY AUTO_INCREMENT, v VARCHAR(9))"


@pytest.fixture(autouse=True)
def leaves_no_schema(schemas):
    before = schemas()
    yield
    assert schemas() <= before


@pytest.fixture
def played(mysql_url):
    """The outcome of steps, each a session's name and a statement."""

    async def run(*steps, setup=(TABLE, "INSERT INTO t VALUES (1, 'a'), (2, 'b')"), **more):
        schedule = Schedule(
            id="here",
            sessions=sorted({session for session, _ in steps}),
            setup=list(setup),
            steps=[Step(number, session, sql) for number, (session, sql) in enumerate(steps, 1)],
            **more,
        )
        async with MySQLWorld() as world:
            return await play(world, schedule)

    return run


def ended(step):
    return [(each.session, each.step, each.errno or each.result) for each in step.completed]


async def test_a_waiter_is_told_with_whom_it_waits_for_and_ends_in_the_step_that_frees_it(played):
    outcome = await played(
        ("a", "BEGIN"),
        ("a", "UPDATE t SET v = 'x' WHERE id = 1"),
        ("b", "UPDATE t SET v = 'y' WHERE id = 1"),
        ("a", "COMMIT"),
    )
    waiting, freed = outcome.steps[2:]
    assert (waiting.blocked["b"].step, waiting.blocked["b"].on, waiting.blocked["b"].by) == (3, "lock", ["a"])
    assert ended(waiting) == []
    assert ("b", "t", "PRIMARY", "RECORD", "X,REC_NOT_GAP", "WAITING", "1") in waiting.locks
    assert sorted(ended(freed)) == [("a", 4, "ok"), ("b", 3, "ok")]
    assert freed.blocked == {}
    assert outcome.final["t"].rows == [[1, "y"], [2, "b"]]
    assert outcome.final["t"].next_auto_increment == 3


async def test_of_a_deadlock_one_dies_and_the_other_goes_on(played):
    outcome = await played(
        ("a", "BEGIN"),
        ("b", "BEGIN"),
        ("a", "UPDATE t SET v = 'x' WHERE id = 1"),
        ("b", "UPDATE t SET v = 'y' WHERE id = 2"),
        ("a", "UPDATE t SET v = 'x' WHERE id = 2"),
        ("b", "UPDATE t SET v = 'y' WHERE id = 1"),
    )
    assert {result for _, _, result in ended(outcome.steps[5])} == {1213, "ok"}


async def test_what_no_session_has_committed_is_not_there_at_the_end(played):
    outcome = await played(("a", "BEGIN"), ("a", "INSERT INTO t (v) VALUES ('gone')"))
    assert outcome.steps[1].completed[0].insert_id == 3
    assert [row[1] for row in outcome.final["t"].rows] == ["a", "b"]
    assert outcome.final["t"].next_auto_increment == 4


async def test_a_user_lock_is_waited_for_and_awaited_until_its_time_is_over(played):
    outcome = await played(("a", "SELECT GET_LOCK('x', 1)"), ("b", "SELECT GET_LOCK('x', 5)"), ("b", "@await"))
    assert outcome.steps[1].blocked["b"].on == "user_lock"
    assert outcome.steps[2].completed[0].rows == [[0]]


async def test_rows_errors_and_warnings_are_told(played):
    outcome = await played(
        ("a", "SELECT id, v, NULL, 1.5, COUNT(*) OVER () FROM t WHERE id > 99"),
        ("a", "SELECT v, SUM(id) FROM t GROUP BY v ORDER BY v"),
        ("a", "INSERT INTO t VALUES (1, 'again')"),
        ("a", "INSERT IGNORE INTO t VALUES (1, 'again')"),
        ("a", "SELEC 1"),
    )
    first, second, third, fourth, fifth = (step.completed[0] for step in outcome.steps)
    assert (first.result, first.rows) == ("rows", [])
    assert second.rows == [["a", 1], ["b", 2]]
    assert (third.errno, fifth.errno) == (1062, 1064)
    assert (fourth.result, fourth.affected, fourth.warnings) == ("ok", 0, [1062])


async def test_analyze_names_the_table_without_the_schema_which_is_another_one_each_time(played):
    outcome = await played(("a", "ANALYZE TABLE t"))
    assert outcome.steps[0].completed[0].rows == [["t", "analyze", "status", "OK"]]


async def test_a_step_for_a_session_that_waits_is_refused(played):
    with pytest.raises(WorldError, match="step 4 goes to b, which waits"):
        await played(
            ("a", "BEGIN"), ("a", "DELETE FROM t WHERE id = 1"), ("b", "DELETE FROM t WHERE id = 1"), ("b", "SELECT 1")
        )


async def test_a_setup_that_fails_is_named(played):
    with pytest.raises(WorldError, match="the setup of here fails: 1146"):
        await played(("a", "SELECT 1"), setup=["INSERT INTO nowhere VALUES (1)"])


async def test_a_server_that_is_set_otherwise_is_named(played):
    with pytest.raises(WorldError, match="here needs a server with innodb_autoinc_lock_mode = 0; this one has 2"):
        await played(("a", "SELECT 1"), server={"innodb_autoinc_lock_mode": 0})
