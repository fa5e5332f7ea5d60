"""A played schedule is shown as a table of steps, with its deadlocks explained."""

import pytest

from chatsim import play
from chatsim.conformance.display import cells, explained
from chatsim.conformance.model_player import play as play_in_the_model
from chatsim.conformance.schedule import NotPlayedError, Schedule

SETUP = ["CREATE TABLE t (id INT PRIMARY KEY, v INT)", "INSERT INTO t VALUES (1, 10), (2, 20)"]

CROSSING = Schedule.of(
    """
    a: BEGIN
    a: UPDATE t SET v = 11 WHERE id = 1
    b: BEGIN
    b: UPDATE t SET v = 21 WHERE id = 2
    b: UPDATE t SET v = 12 WHERE id = 1
    a: UPDATE t SET v = 22 WHERE id = 2
    """,
    setup=SETUP,
    name="crossing <two>",
)

DEADLOCK = """Deadlock at step 6:
Transaction 1 (b: UPDATE t SET v = 12 WHERE id = 1) holds record (2) of t.PRIMARY (X) and waits for record (1) of \
t.PRIMARY (X), behind transaction 2.
Transaction 2 (a: UPDATE t SET v = 22 WHERE id = 2) holds record (1) of t.PRIMARY (X) and waits for record (2) of \
t.PRIMARY (X), behind transaction 1.
Transaction 2 died (1213); the weights (locks plus undo records) were 4, 4. \
Of two equal ones, the last to wait dies."""


def test_each_step_has_a_cell_for_each_session():
    rows = dict(cells(CROSSING, play_in_the_model(CROSSING).steps))
    a, b = rows[5]
    assert (a.statement, a.results, a.waits) == ("", [], "")
    assert (b.statement, b.results, b.waits) == ("UPDATE t SET v = 12 WHERE id = 1", [], "waits for a")
    assert b.locks[-1] == "t PRIMARY RECORD X,REC_NOT_GAP WAITING 1"
    a, b = rows[6]
    assert a.results == ["1213: Deadlock found when trying to get lock; try restarting transaction"]
    assert b.results == ["ok, 1 rows"]


def test_a_deadlock_is_explained_by_the_names_of_the_sessions():
    assert [*explained(play_in_the_model(CROSSING))] == [DEADLOCK]


TWICE = Schedule.of(
    """
    a: BEGIN
    a: SELECT * FROM t WHERE id = 1 FOR SHARE
    b: BEGIN
    b: SELECT * FROM t WHERE id = 1 FOR SHARE
    c: BEGIN
    c: UPDATE t SET v = 9 WHERE id = 2
    c: INSERT INTO t VALUES (7, 7), (8, 8), (9, 9)
    a: SELECT * FROM t WHERE id = 2 FOR UPDATE
    b: SELECT * FROM t WHERE id = 2 FOR UPDATE
    c: UPDATE t SET v = 3 WHERE id = 1
    """,
    setup=SETUP,
)
"""The last step closes two cycles of waits."""


def test_each_of_two_deadlocks_at_one_step_is_explained():
    texts = [*explained(play_in_the_model(TWICE))]
    assert [text.splitlines()[0] for text in texts] == ["Deadlock at step 10:"] * 2
    assert sorted(text.splitlines()[1][:31] for text in texts) == [
        "Transaction 1 (a: SELECT * FROM",
        "Transaction 1 (b: SELECT * FROM",
    ]


async def test_of_two_deadlocks_at_one_step_the_server_reports_the_latest_and_that_is_said(mysql_url):
    deadlock, note = explained(await play(TWICE))
    assert deadlock.startswith("Deadlock at step 10:\nTransaction 1 (")
    assert note == (
        "One more statement ended with 1213 at step 10. The server reports only the latest deadlock, and only those of"
        " locks on rows and tables."
    )


@pytest.mark.slow
async def test_a_deadlock_on_a_server_is_explained_in_the_same_words(mysql_url):
    assert [*explained(await play(CROSSING))] == [DEADLOCK]


async def test_a_notebook_shows_the_steps_the_deadlock_and_the_tables():
    shown = (await play(CROSSING, world="model"))._repr_html_()
    assert "<b>crossing &lt;two&gt;</b>" in shown
    assert "<th style='text-align:left'>b</th>" in shown
    assert "<code>UPDATE t SET v = 12 WHERE id = 1</code><br><i>waits for a</i>" in shown
    assert "Transaction 2 died (1213)" in shown
    assert "<p>t (id, v): [[1, 12], [2, 21]]</p>" not in shown, "b has not committed"
    assert "<p>t (id, v): [[1, 10], [2, 20]]</p>" in shown


async def test_a_text_can_be_played():
    played = await play("setup: CREATE TABLE t (id INT PRIMARY KEY)\na: INSERT INTO t VALUES (7)", world="model")
    assert played.final["t"].rows == [[7]]


def test_a_refused_statement_names_its_step_keeps_the_steps_before_it_and_says_the_way_out():
    script = Schedule.of("a: INSERT INTO t VALUES (3, 3)\nb: CALL p()\na: SELECT 1", setup=SETUP, name="mine")
    with pytest.raises(NotPlayedError) as caught:
        play_in_the_model(script)
    assert str(caught.value).startswith("mine, step 2 (b: CALL p()): the model's SQL has no ")
    assert str(caught.value).endswith("; world mysql can play it")
    assert caught.value.step == script.steps[1]
    assert [step.completed[0].affected for step in caught.value.before] == [1]


def test_a_refused_setup_is_named():
    with pytest.raises(NotPlayedError, match=r"^the setup of mine fails: ") as caught:
        play_in_the_model(Schedule.of("a: SELECT 1", setup=["CALL p()"], name="mine"))
    assert caught.value.step is None
    assert caught.value.before == []
