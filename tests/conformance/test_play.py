"""``chatsim.play`` takes what names a world for the experiments, and nothing that would do nothing."""

import asyncio
import itertools

import pytest

import chatsim
from chatsim.conformance import model_player
from chatsim.simulation.determinism import DivergenceError

WAITS = chatsim.Schedule.of(
    """
    a: BEGIN
    a: SELECT * FROM t WHERE id = 2 FOR UPDATE
    b: INSERT INTO t VALUES (2)
    """,
    setup=["CREATE TABLE t (id INT PRIMARY KEY)", "INSERT INTO t VALUES (1), (3)"],
)


@pytest.mark.parametrize("world", ["model", chatsim.Model(), chatsim.Model(check_determinism=True)])
async def test_in_the_model(world):
    outcome = await chatsim.play(WAITS, world=world)
    assert outcome.steps[-1].blocked["b"].by == ["a"]


async def test_on_a_server(mysql_url):
    for world in ("mysql", chatsim.MySQL(mysql_url=mysql_url)):
        outcome = await chatsim.play(WAITS, world=world)
        assert outcome.steps[-1].blocked["b"].by == ["a"]


async def test_a_schedule_that_does_not_repeat_itself_is_told_if_one_asks(monkeypatch):
    names = itertools.count()
    whole = model_player._play

    async def other(schedule, *, log_bin):
        for _ in range(next(names)):
            await asyncio.sleep(1)
        return await whole(schedule, log_bin=log_bin)

    monkeypatch.setattr(model_player, "_play", other)
    await chatsim.play(WAITS, world="model")
    with pytest.raises(DivergenceError):
        await chatsim.play(WAITS, world=chatsim.Model(check_determinism=True))


async def test_costs_would_do_nothing_and_are_refused(tmp_path):
    with pytest.raises(chatsim.BadParameterError, match="costs do nothing here"):
        await chatsim.play(WAITS, world=chatsim.Model(costs=tmp_path / "costs.toml"))


@pytest.mark.parametrize("world", ["nope", "", None, 3, []])
async def test_an_unknown_world_is_named_with_those_there_are(world):
    with pytest.raises(chatsim.BadParameterError) as raised:
        await chatsim.play(WAITS, world=world)
    assert str(raised.value) == f"unknown world {world!r}; there are: mysql, model"


async def test_a_json_document_is_a_text_of_the_outcome_which_can_be_saved():
    schedule = chatsim.Schedule.of("a: SELECT '[1]' AS t, CAST('[1]' AS JSON) AS j", setup=[])
    outcome = await chatsim.play(schedule, world="model")
    (answer,) = outcome.steps[0].completed
    assert [type(each) for each in answer.rows[0]] == [str, str]


@pytest.mark.parametrize("query", ["SELECT id, COUNT(*) FROM t GROUP BY a", "SELECT b FROM gone"])
async def test_a_view_that_cannot_be_read_at_the_end_is_left_out(query):
    steps = "a: CREATE TABLE gone (b INT)\na: CREATE VIEW v AS " + query + "\na: DROP TABLE gone"
    schedule = chatsim.Schedule.of(steps, setup=["CREATE TABLE t (id INT PRIMARY KEY, a INT)"])
    outcome = await chatsim.play(schedule, world="model")
    assert sorted(outcome.final) == ["t"]
