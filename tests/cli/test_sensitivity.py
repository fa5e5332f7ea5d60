"""``chatsim sensitivity``, as it is typed."""

import json

import pytest
from click.testing import CliRunner

from chatsim.cli import main


def sensitivity(*words):
    return CliRunner().invoke(main, ["sensitivity", *words])


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("tides", "unknown experiment 'tides'"),
        ("race --set clients", "--set clients: write NAME=VALUE"),
        ("race --set clients=none", "clients is 'none'"),
        ("race --change 0", "change is 0.0; it must be between 0 and 1"),
        ("race --costs no-such.toml", "the costs can't be read"),
    ],
)
def test_wrong_words_are_one_sentence(words, says):
    done = sensitivity(*words.split())
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith("Error: ")
    assert says in done.stderr


@pytest.mark.slow
def test_a_table_says_which_cost_matters(tmp_path):
    file = tmp_path / "costs.toml"
    file.write_text("[database]\nstatement = 1e-3\nflush = 1e-3\n")
    words = "race --set strategies=one_round_trip --set pattern=strangers --set clients=2 --set rounds=5 --seeds 1"
    done = sensitivity(*words.split(), "--costs", str(file), "--workers", "1")
    assert done.exit_code == 0, done.output
    assert "database.statement" in done.stdout
    assert "race in the model, each cost from 80% to 120% of it" in done.stdout
    as_json = sensitivity(*words.split(), "--costs", str(file), "--workers", "1", "--json")
    assert [json.loads(line)["cost"] for line in as_json.stdout.splitlines()] == [
        "database.statement",
        "database.flush",
    ]
