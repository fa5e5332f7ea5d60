"""``chatsim compare``: two saved results, by their folders."""

import json

import pytest
from click.testing import CliRunner

from chatsim.cli import main

SMALL = ("--world", "model", "--strategies", "upsert,user_row", "--clients", "2", "--rounds", "10")


def chatsim(*words):
    return CliRunner().invoke(main, [*map(str, words)], prog_name="chatsim")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """The same race twice: once as usual with three repetitions, and once where a flush takes longer."""
    home = tmp_path_factory.mktemp("results")
    costs = home / "slow.toml"
    costs.write_text("[database]\nflush = 0.05\n")
    for name, words in (("usual", ()), ("slow", ("--costs", costs))):
        assert chatsim("race", *SMALL, "--repeats", 3, "--out", home / name, *words).exit_code == 0
    return home / "usual", home / "slow"


def test_it_says_by_how_much_and_that_the_costs_are_not_the_same(folders):
    result = chatsim("compare", *folders, "--wide")
    assert result.exit_code == 0, result.output
    assert "higher" in result.stdout
    assert "Not the same environment: costs.database.flush is" in result.stdout


def test_as_json_a_row_is_a_measure_of_a_variant(folders):
    result = chatsim("compare", *folders, "--json")
    rows = [*map(json.loads, result.stdout.splitlines())]
    slow = {row["strategy"]: row for row in rows if row["measure"] == "goodput_per_s"}
    assert [*slow] == ["upsert", "user_row"]
    assert all(row["low"] <= row["ratio"] <= row["high"] < 1 for row in slow.values())
    assert "costs.database.flush" in result.stderr


def test_what_is_no_result_is_named(folders, tmp_path):
    result = chatsim("compare", folders[0], tmp_path)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"Error: {tmp_path} has no saved result")


def test_a_folder_takes_results_of_one_experiment_only(folders):
    before = (folders[0] / "result.json").read_text()
    result = chatsim("talk", "--world", "model", "--texts", 1, "--out", folders[0])
    assert result.exit_code == 2
    assert "has a result of race; save that of talk into another folder" in result.stderr
    assert (folders[0] / "result.json").read_text() == before


def test_a_result_has_the_command_that_made_it_without_passwords(folders, monkeypatch):
    monkeypatch.setattr("sys.argv", ["chatsim", "race", "--mysql-url", "mysql://me:secret@host:1", "--seed", "3"])
    assert chatsim("race", *SMALL, "--out", folders[0]).exit_code == 0
    environment = json.loads((folders[0] / "environment.json").read_text())
    assert environment["command"] == "chatsim race --mysql-url mysql://me:…@host:1 --seed 3"
