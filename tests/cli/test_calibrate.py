"""``chatsim calibrate``, as it is typed."""

import tomllib

import pytest
from click.testing import CliRunner

from chatsim.cli import main


@pytest.mark.slow
def test_the_costs_of_a_real_server_are_written_and_can_be_used(tmp_path):
    file = tmp_path / "costs.toml"
    words = ["calibrate", "--mysql-via", "unpacked", "--seconds", "0.05", "--rounds", "2", "--out", str(file)]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.output
    assert "database.statement = " in done.stdout
    costs = tomllib.loads(file.read_text())
    assert costs["database"]["statement"] > 0
    assert costs["client"]["request"] > 0
    raced = [
        "race",
        "--world",
        "model",
        "--strategies",
        "one_round_trip",
        "--rounds",
        "2",
        "--costs",
        str(file),
        "--json",
    ]
    assert CliRunner().invoke(main, raced).exit_code == 0


def test_wrong_words_are_one_sentence():
    done = CliRunner().invoke(main, ["calibrate", "--rounds", "0"])
    assert (done.exit_code, done.stderr) == (2, "Error: rounds is 0; it must be a whole number of at least 1\n")
