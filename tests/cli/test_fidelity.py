"""``chatsim fidelity``, as it is typed."""

from functools import partial

import pytest
from click.testing import CliRunner

from chatsim.cli import main
from chatsim.experiments.fidelity import fidelity


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("--clients 3,many", "--clients has 'many'; it must have whole numbers, separated by commas"),
        ("--clients 0", "clients is 0; it must be a whole number of at least 1"),
        ("--patterns rain", "unknown pattern 'rain'"),
        ("--strategies magic", "magic"),
        ("--experiments talk", "unknown experiment 'talk'; there are: race, pages, catchup, delivery"),
        ("--layer moon", "unknown layer 'moon'"),
        ("--experiments delivery", "delivery is measured through the stack; add the layer stack"),
        ("--layer stack --pool 0", "pool is 0"),
    ],
)
def test_wrong_words_are_one_sentence(words, says):
    done = CliRunner().invoke(main, ["fidelity", *words.split()])
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith("Error: ")
    assert says in done.stderr


@pytest.mark.slow
def test_predictions_are_printed_beside_measurements(tmp_path, monkeypatch):
    monkeypatch.setattr(fidelity, "calibrated", partial(fidelity.calibrated, seconds=0.05, rounds=2))
    page = tmp_path / "predictions.md"
    words = (
        "fidelity --mysql-via unpacked --strategies one_round_trip,insert_first --patterns strangers --clients 3"
        " --fitted-clients 1,2,4 --operations 60 --repeats 2 --predictions 2 --busy"
    )
    done = CliRunner().invoke(main, [*words.split(), "--out", str(tmp_path), "--page", str(page)])
    assert done.exit_code == 0, done.output
    assert "goodput_per_s" in done.stdout
    assert "Median relative error of the throughput:" in done.stdout
    assert "Kendall's tau" in done.stdout
    assert (tmp_path / "fidelity.png").stat().st_size > 10_000
    assert "server | MySQL" in page.read_text()
    assert page.with_suffix(".png").stat().st_size > 10_000
