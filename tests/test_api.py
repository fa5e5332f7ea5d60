"""What a notebook imports: these names, and nothing else."""

import ast
import inspect
import re
from importlib.metadata import version
from pathlib import Path
from pkgutil import resolve_name

import pytest

import chatsim
from chatsim.chat.creation import STRATEGIES, CreationStrategy
from chatsim.conformance.schedule import BadScheduleError
from chatsim.worlds.world import BadParameterError, WorldError


def test_the_docstrings_list_is_exactly_what_is_public():
    listed = re.findall(r"^- `(\w+)`: ", chatsim.__doc__, re.MULTILINE)
    assert sorted(listed) == chatsim.__all__
    assert len(set(listed)) == len(listed)


def test_dir_names_all_that_is_public():
    assert {*chatsim.__all__, "__version__"} <= {*dir(chatsim)}


def test_type_checkers_see_the_same_names_and_modules_as_are_imported():
    tree = ast.parse(Path(chatsim.__file__).read_text())
    (checked,) = (each for each in tree.body if isinstance(each, ast.If) and ast.unparse(each.test) == "TYPE_CHECKING")
    imports = [each for each in checked.body if isinstance(each, ast.ImportFrom)]
    seen = {
        (name.asname or name.name): resolve_name(f"{each.module}:{name.name}")
        for each in imports
        for name in each.names
    }
    assert sorted(seen) == chatsim.__all__
    for name, value in seen.items():
        assert getattr(chatsim, name) is value, name


def test_a_name_that_is_not_there_is_an_ordinary_error():
    with pytest.raises(AttributeError, match=r"^module 'chatsim' has no attribute 'rase'$"):
        chatsim.rase  # noqa: B018


def test_the_version_is_that_of_the_package():
    assert chatsim.__version__ == version("chatsim")


def test_every_public_name_is_there_and_says_what_it_is():
    for name in chatsim.__all__:
        assert inspect.getdoc(getattr(chatsim, name)), name


def test_strategies_gives_a_copy_of_those_shipped():
    shipped = chatsim.strategies()
    assert shipped == STRATEGIES
    assert all(isinstance(each, CreationStrategy) for each in shipped.values())
    shipped.clear()
    assert chatsim.strategies() == STRATEGIES


def test_run_is_for_callers_without_an_event_loop():
    async def answer():
        return 42

    assert chatsim.run(answer()) == 42


def test_run_raises_what_the_coroutine_raises():
    async def fail():
        raise KeyError("it")

    with pytest.raises(KeyError, match="it"):
        chatsim.run(fail())


def test_a_race_gives_a_result_with_its_rows(mysql_url, schemas):
    before = schemas()
    result = chatsim.run(chatsim.race(strategies="one_round_trip", clients=2, rounds=2, seed=9, progress=False))
    assert isinstance(result, chatsim.Result)
    (row,) = result.rows()
    assert (row["strategy"], row["verdict"], row["operations"], row["seed"]) == ("one_round_trip", "safe", 4, 9)
    assert row["engine"] == "MySQL"
    assert row["server_version"]
    assert result.environment["rung"] == "url"
    assert schemas() <= before


def test_a_race_runs_on_the_server_that_is_named(mysql_url, monkeypatch):
    monkeypatch.setenv("CHATSIM_MYSQL_URL", "mysql://root@127.0.0.1:1")
    there = chatsim.MySQL(mysql_url=mysql_url)
    result = chatsim.run(chatsim.race(world=there, strategies="upsert", clients=2, rounds=2, progress=False))
    assert len(result.variants) == 1


def test_a_race_shows_its_progress_unless_told_otherwise(mysql_url, capsys):
    parameters = {"strategies": "upsert", "clients": 2, "rounds": 2}
    chatsim.run(chatsim.race(**parameters))
    assert "same_pair: upsert" in capsys.readouterr().err
    chatsim.run(chatsim.race(**parameters, progress=False))
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("world", ["nope", "", None, 3])
def test_an_unknown_world_is_named_with_those_there_are(world):
    with pytest.raises(BadParameterError) as raised:
        chatsim.run(chatsim.race(world=world))
    assert str(raised.value) == f"unknown world {world!r}; there are: mysql, model"


def test_a_world_that_cannot_be_had_is_one_sentence():
    with pytest.raises(WorldError, match=r"^MySQL at mysql://root@127\.0\.0\.1:1 can't be used: [^\n]*$"):
        chatsim.run(chatsim.race(world=chatsim.MySQL(mysql_url="mysql://root@127.0.0.1:1")))


def test_a_race_in_the_model_needs_no_server(monkeypatch):
    monkeypatch.setenv("CHATSIM_MYSQL_URL", "mysql://root@127.0.0.1:1")
    parameters = {"strategies": "for_update", "pattern": "strangers", "clients": 4, "rounds": 5, "progress": False}
    first, second = (chatsim.run(chatsim.race(world=world, **parameters)) for world in ("model", chatsim.Model()))
    assert first.rows() == second.rows()
    (row,) = first.rows()
    assert (row["world"], row["engine"], row["verdict"]) == ("model", "model of InnoDB", "not tested")


def test_a_line_of_a_script_that_has_no_session_is_named():
    with pytest.raises(BadScheduleError, match="'SELECT 1' is not of the form 'session: SQL'"):
        chatsim.Schedule.of("a: BEGIN\nSELECT 1")


def test_pages_gives_a_result_with_a_row_for_each_page_measured_and_ones_own_way_among_them():
    @chatsim.paging_strategy("history", order="newest")
    async def mine(tx, thread, cursor, size):
        """Bets on nothing new."""
        found = await tx.execute(
            "SELECT message_id FROM chat_message WHERE thread_id = ? AND message_id < ?"
            " ORDER BY message_id DESC LIMIT ?",
            (thread, cursor or 2**63, size + 1),
        )
        page = found.rows[:size]
        return chatsim.Page(page, page[-1][0] if page else cursor, more=len(found.rows) > size)

    parameters = {"what": "history", "existing": 30, "page_size": 5, "rounds": 1, "depths": "first", "writers": "all"}
    result = chatsim.run(chatsim.pages(world="model", strategies=[mine, "offset"], progress=False, **parameters))
    assert isinstance(result, chatsim.Result)
    assert [(row["strategy"], row["verdict"]) for row in result.rows()] == [("mine", "safe"), ("offset", "unsafe")]
    with pytest.raises(BadParameterError, match="unknown world 'nope'; there are: mysql, model"):
        chatsim.run(chatsim.pages(world="nope"))


def test_the_ways_to_page_that_are_shipped_are_a_copy():
    shipped = chatsim.paging_strategies("history")
    assert {"keyset", "offset"} <= {*shipped}
    shipped.clear()
    assert chatsim.paging_strategies("history")


def test_a_catch_up_gives_a_result_with_its_rows(mysql_url, schemas):
    before = schemas()
    parameters = {"protocols": "bulk", "rtt": 0, "threads": 2, "missed": 3, "progress": False}
    real = chatsim.run(chatsim.catchup(**parameters))
    modelled, again = (chatsim.run(chatsim.catchup(world=world, **parameters)) for world in ("model", chatsim.Model()))
    assert isinstance(real, chatsim.Result)
    assert re.search(r"bulk user_version +0\.00 +0 +not tested ", repr(real))
    assert modelled.rows() == again.rows()
    assert [(row["world"], row["verdict"]) for row in real.rows() + modelled.rows()] == [
        ("mysql", "not tested"),
        ("model", "not tested"),
    ]
    assert schemas() <= before
    with pytest.raises(BadParameterError, match="unknown world 'nope'; there are: mysql, model"):
        chatsim.run(chatsim.catchup(world="nope"))
