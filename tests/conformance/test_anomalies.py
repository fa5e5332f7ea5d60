"""Hermitage's anomalies: what the server's isolation levels prevent, and that the model prevents the same."""

import pytest

import chatsim
from chatsim.conformance import model_player
from chatsim.conformance.anomalies import ANOMALIES
from chatsim.conformance.anomaly_matrix import arrange
from chatsim.db.session import Isolation


@pytest.fixture(scope="module")
def modelled():
    return chatsim.run(chatsim.anomalies(world="model", progress=False)).happens


def lowest_that_prevents(found, name):
    return next((level for level in Isolation if not found[name][level.value]), None)


def test_each_level_prevents_what_the_one_below_it_does(modelled):
    for row in modelled.values():
        happens = list(row.values())
        assert happens == sorted(happens, reverse=True)


def test_a_dirty_write_is_prevented_at_any_level(modelled):
    assert lowest_that_prevents(modelled, "G0") is Isolation.READ_UNCOMMITTED


@pytest.mark.parametrize("name", ["G1a", "G1b", "G1c", "OTV"])
def test_what_is_not_committed_is_seen_at_read_uncommitted_only(modelled, name):
    assert lowest_that_prevents(modelled, name) is Isolation.READ_COMMITTED


@pytest.mark.parametrize("name", ["PMP", "G-single"])
def test_a_snapshot_holds_from_repeatable_read_on(modelled, name):
    assert lowest_that_prevents(modelled, name) is Isolation.REPEATABLE_READ


@pytest.mark.parametrize("name", ["PMP, writing", "G-single, writing", "P4", "G2-item", "G2"])
def test_a_snapshot_does_not_hold_for_what_is_written(modelled, name):
    assert lowest_that_prevents(modelled, name) is Isolation.SERIALIZABLE


def test_who_waits_goes_on_later_and_who_is_refused_no_further():
    (lost_update,) = [each for each in ANOMALIES if each.name == "P4"]
    schedule, numbers = arrange(lost_update, Isolation.SERIALIZABLE, model_player.play)
    ended = [each for step in model_player.play(schedule).steps for each in step.completed]
    assert [each.errno for each in ended if each.result == "error"] == [1213]
    assert len(numbers) == len(schedule.steps) == len(lost_update.steps) - 1  # the victim does not commit


async def test_the_matrix_of_mysql_is_that_of_the_model(mysql_url, modelled):
    found = await chatsim.anomalies(progress=False)
    assert found.happens == modelled
    assert found.server.startswith("MySQL ")


async def test_the_matrix_is_rows_and_a_table_in_a_notebook():
    found = await chatsim.anomalies(world=chatsim.Model(check_determinism=True), progress=False)
    rows = found.rows()
    assert [row["anomaly"] for row in rows] == [each.name for each in ANOMALIES]
    assert list(rows[0])[2:] == [level.value for level in Isolation]
    assert rows[0]["READ UNCOMMITTED"] == "prevented"
    html = found._repr_html_()
    assert html.count("<tr>") == len(ANOMALIES) + 1
    assert "<td>G1a</td>" in html
    assert "on the model of InnoDB" in html
    assert repr(found).splitlines()[0].startswith("anomaly  ")
    assert found.markdown().splitlines()[1] == "|---|---|---|---|---|---|"


@pytest.mark.parametrize("world", ["nope", None, 3, []])
async def test_an_unknown_world_is_named_with_those_there_are(world):
    with pytest.raises(chatsim.BadParameterError, match="there are: mysql, model"):
        await chatsim.anomalies(world=world)


async def test_progress_is_shown_unless_one_says_otherwise(capsys, monkeypatch):
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    await chatsim.anomalies(world="model")
    assert "schedule" in capsys.readouterr().err
    await chatsim.anomalies(world="model", progress=False)
    assert capsys.readouterr() == ("", "")
