"""``chatsim sweep``, as it is typed."""

import json

import pytest
from click.testing import CliRunner

from chatsim.cli import main

SMALL = ("sweep", "race", "--set", "strategies=one_round_trip", "--set", "rounds=2", "--workers", "1")


def typed(*words, **options):
    return CliRunner().invoke(main, [*map(str, words)], **options)


@pytest.mark.slow
def test_a_row_is_printed_for_each_setting_and_a_table_of_limits(tmp_path):
    done = typed(
        *SMALL, "--vary", "clients=2,4", "--vary", "database.flush=0.0001,0.01", "--seeds", 1, "--out", tmp_path
    )
    assert done.exit_code == 0, done.output
    assert "database.flush" in done.stdout
    assert "Where goodput_per_s is largest, along clients:" in done.stdout
    again = typed(
        *SMALL,
        "--vary",
        "clients=2,4",
        "--vary",
        "database.flush=0.0001,0.01",
        "--seeds",
        1,
        "--json",
        "--out",
        tmp_path,
    )
    rows = [json.loads(line) for line in again.stdout.splitlines()]
    assert [(row["clients"], row["database.flush"]) for row in rows] == [(2, 1e-4), (2, 0.01), (4, 1e-4), (4, 0.01)]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("sweep", "rice", "--vary", "clients=1"), "unknown experiment 'rice'; there are: race,"),
        ((*SMALL, "--vary", "clients"), "--vary clients: write NAME=VALUE"),
        ((*SMALL, "--set", "=3"), "--set =3: write NAME=VALUE"),
        ((*SMALL, "--vary", "clients=two"), "clients is 'two'; it must be a whole number of at least 1"),
        ((*SMALL, "--vary", "clint=2"), "race has no parameter 'clint'"),
        (
            (*SMALL, "--vary", "database.flush=soon"),
            "database.flush is 'soon'; it must be a value as in a file of costs",
        ),
        ((*SMALL, "--vary", "database.flash=1"), "unknown field `flash`"),
        ((*SMALL, "--vary", "clients=1", "--seeds", "0"), "there are no seeds"),
        ((*SMALL, "--vary", "clients=1", "--dask", "tcp://127.0.0.1:1"), "executor, workers and dask"),
    ],
)
def test_wrong_words_are_one_sentence(words, says):
    done = typed(*words)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith("Error: ")
    assert says in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_the_help_says_what_can_vary():
    shown = typed("sweep", "--help").stdout
    assert "database.flush" in shown
    assert "--dask ADDRESS" in shown
