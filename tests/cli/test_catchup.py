"""``chatsim catchup``: the same as the call beneath it, in a table or as JSON, and by its exit status."""

import json
import re

import pytest
from click.testing import CliRunner

from chatsim.cli import main

SMALL = ("--world", "model", "--threads", 3, "--missed", 4)


def catchup(*words):
    return CliRunner().invoke(main, ["catchup", *map(str, words)], prog_name="chatsim")


def rows(*words):
    result = catchup("--json", *words)
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def said(result):
    """What stands on standard error, without the progress bars that were wiped away."""
    return result.stderr.rpartition("\r")[2].strip()


def test_as_json_it_prints_one_object_a_line():
    found = rows("--protocols", "source,bulk", "--cursors", "message_id,user_version", "--rtt", "0,10", *SMALL)
    assert [(row["protocol"], row["cursor"], row["rtt_ms"]) for row in found] == [
        ("source", "message_id", 0),
        ("source", "message_id", 10),
        ("bulk", "user_version", 0),
        ("bulk", "user_version", 10),
    ]
    assert all(
        (row["world"], row["threads"], row["missed"], row["verdict"]) == ("model", 3, 4, "not tested") for row in found
    )


def test_every_option_reaches_the_rows():
    (row,) = rows("--protocols", "bulk", "--bandwidth", 8, "--quiet-threads", 2, "--writers", 1, "--seed", 9, *SMALL)
    assert {name: row[name] for name in ("bandwidth", "quiet_threads", "writers", "seed")} == {
        "bandwidth": 8,
        "quiet_threads": 2,
        "writers": 1,
        "seed": 9,
    }


def test_with_direct_it_says_how_far_writers_are_how_often_the_server_is_killed_and_how_often_it_is_run():
    words = ("--protocols", "direct", "--cursors", "user_version", *SMALL)
    (far,) = rows(*words, "--writer-rtt", 50, "--crashes", 1, "--repeats", 2)
    (near,) = rows(*words, "--writer-rtt", 1)
    assert (far["repeats"], far["crashes"], far["written"]) == (2, 2, 24)
    assert (near["repeats"], near["crashes"], near["written"]) == (1, 0, 12)
    assert near["writes_per_s"] > far["writes_per_s"]


def test_a_table_has_the_conditions_beneath_and_a_dash_for_what_is_not_measured():
    result = catchup("--protocols", "direct,bulk", "--cursors", "user_version", *SMALL)
    assert result.exit_code == 0
    assert re.search(r"direct +│ user_version +│ +0\.00 +│ +2 +│[^│]+│ +– +│ +– ", result.stdout)
    assert re.search(r"bulk +│ user_version +│ +50\.0 +│ +0 +│[^│]+│[^│]+│ +2 ", result.stdout)
    caption = " ".join(result.stdout.split())
    assert "model of InnoDB 9.7, profile durable, binary log on; protocols direct/bulk" in caption


def test_what_was_lost_is_proven_and_an_unsafe_cursor_that_must_pass_is_status_1():
    words = ("--world", "model", "--protocols", "direct", "--threads", 1, "--missed", 100)
    losing = catchup(*words, "--cursors", "message_id,user_version", "--must-pass", "message_id,user_version")
    assert losing.exit_code == 1
    assert re.search(
        r"message \d+ of thread 1 was never found: at [\d.]+ s the reader had seen message \d+, and not yet this one\n"
        r"  client \d, round \d+: write thread 1 at",
        losing.stdout,
    )
    assert said(losing) == "Not safe: message_id (direct, 0.0)"
    assert catchup(*words, "--cursors", "user_version", "--must-pass", "user_version").exit_code == 0


def test_it_is_saved_where_one_says(tmp_path):
    assert catchup("--protocols", "bulk", "--out", tmp_path / "kept", *SMALL).exit_code == 0
    assert {each.name for each in (tmp_path / "kept").iterdir()} == {
        *(
            "per-second.csv",
            "result.json",
            "samples.parquet",
            "summary.json",
            "environment.json",
            "config.toml",
            "summary.png",
            "history.jsonl",
        ),
    }


def test_a_run_in_the_model_is_checked_to_repeat_itself():
    assert catchup("--protocols", "bulk", "--writers", 2, "--check-determinism", *SMALL).exit_code == 0


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--protocols", "post"), "unknown protocols 'post'; there are: direct, source, wide_pages, pipelined, bulk"),
        (("--cursors", "id"), "unknown cursors 'id'; there are: message_id, overlap"),
        (("--rtt", "fast"), "rtt is 'fast'; it must be a number from 0 to 60,000 ms"),
        (("--rtt", "-1"), "rtt is -1.0; it must be a number from 0 to 60,000 ms"),
        (("--threads", 0), "threads is 0; it must be a whole number of at least 1"),
        (
            ("--cursors", "overlap", "--must-pass", "watermark"),
            "--must-pass names watermark, which --cursors leaves out",
        ),
    ],
)
def test_what_makes_no_sense_is_one_sentence_and_status_2(words, sentence):
    result = catchup("--world", "model", *words)
    assert result.exit_code == 2
    assert sentence in said(result)


def test_on_mysql_the_rows_are_those_of_the_model_but_for_the_times(mysql_url):
    words = ("--protocols", "bulk", "--rtt", 0, "--threads", 3, "--missed", 4)
    (real,), (modelled,) = (rows("--world", world, *words) for world in ("mysql", "model"))
    assert real.keys() == modelled.keys()
    for name in ("round_trips", "requests", "bytes", "lost", "repeated", "verdict"):
        assert real[name] == modelled[name]
