"""``chatsim talk``: people talk while servers are killed; a row says what became of their texts."""

import json

from click.testing import CliRunner

from chatsim.cli import main


def talk(*words):
    return CliRunner().invoke(main, ["talk", "--world", "model", *map(str, words)], prog_name="chatsim")


def test_as_json_it_is_a_row_with_every_option_in_it():
    words = ("--pairs", 2, "--texts", 4, "--crashes", 2, "--faults", "database,node", "--down", 0.25, "--seed", 5)
    result = talk("--json", *words)
    assert result.exit_code == 0, result.output
    (row,) = map(json.loads, result.stdout.splitlines())
    assert {name: row[name] for name in ("world", "faults", "sent", "crashes", "anomalies", "verdict")} == {
        "world": "model",
        "faults": "database/node",
        "sent": 16,
        "crashes": 2,
        "anomalies": 0,
        "verdict": "safe",
    }
    assert (row["pairs"], row["texts"], row["down"], row["seed"], row["lapses"]) == (2, 4, 0.25, 5, False)
    assert row["seconds"] > 0.25


def test_it_prints_a_table_with_its_conditions():
    result = talk("--texts", 3)
    assert result.exit_code == 0
    text = " ".join(result.stdout.split())
    assert "Talking while servers are killed" in text
    assert "faults database, down 0.0, nodes 2" in text
    assert "safe" in text


def test_it_is_saved_where_one_says_with_every_text(tmp_path):
    assert talk("--texts", 3, "--out", tmp_path).exit_code == 0
    assert len((tmp_path / "history.jsonl").read_text().splitlines()) == 6
    assert (tmp_path / "summary.png").exists()


def test_who_must_be_offline_in_the_end_is_looked_for_if_one_says():
    (row,) = map(json.loads, talk("--texts", 2, "--faults", "node", "--lapses", "--json").stdout.splitlines())
    assert (row["lapses"], row["verdict"]) == (True, "safe")


def test_what_is_not_safe_gives_1():
    result = talk("--texts", 3, "--patience", 0)
    assert result.exit_code == 1
    assert "not everybody has everything 0 s after the last text" in " ".join(result.stdout.split())
    assert result.stderr.splitlines()[-1] == "Not safe: database"
