"""The page of a comparison has its conditions, and says what is near and what misses."""

import pytest

from chatsim.experiments.calibration.calibrate import Calibration
from chatsim.experiments.calibration.fit import Fit, Fitted
from chatsim.experiments.fidelity.fidelity import Fidelity
from chatsim.experiments.fidelity.judging import Comparison
from chatsim.experiments.fidelity.page import page, write_page

CASE = "race, 3 clients"
COMMAND = "chatsim fidelity --page docs/predictions.md"
COSTS = {
    **dict.fromkeys(("client.request", "client.statement", "database.statement", "node.write", "node.byte"), 1e-5),
    "network.link.latency": 3e-5,
}
ENVIRONMENT = {
    "engine": "MySQL",
    "server_version": "9.7.4",
    "profile": "durable",
    "machine": "x86_64",
    "cores": 2,
    "started": "2026-11-30T03:00:00+00:00",
}


def comparison(measured, predicted, measure="goodput_per_s", name="mine"):
    return Comparison((CASE, (name, "strangers")), measure, measured, predicted)


def found(*comparisons, **more):
    best = Fitted(COSTS, [1e-3])
    calibration = Calibration(Fit(best, [best]), [], ENVIRONMENT, 2, "2026-11-30", 0.01)
    given = {"environment": ENVIRONMENT, "runs": (9, 10), "other_load": 0.02, **more}
    return Fidelity(calibration, comparisons, {CASE: "race"}, **given)


def rows(text, heading):
    """The rows of the table under a heading."""
    part = text.partition(f"# {heading}\n")[2].split("\n#")[0]
    return [line[2:-2].split(" | ") for line in part.splitlines() if line.startswith("| ")][1:]


NEAR = comparison([100.0, 101.0, 99.0], [99.0, 103.0])
FAR = comparison([100.0, 101.0, 99.0], [150.0, 160.0], name="other")
SHAKY = comparison([60.0, 100.0, 140.0], [100.0], "p50_ms")


def test_it_says_when_where_and_by_which_command_it_was_made():
    text = page(found(NEAR), COMMAND, "predictions.png")
    for words in ("2026-11-30", "MySQL 9.7.4, profile durable", "x86_64, 2 cores", "0.02 cores", f"$ {COMMAND}"):
        assert words in text
    assert "measured 9 times, in turns with the others, and predicted 10 times" in text
    assert "(predictions.png)" in text
    assert "The machine was busy" not in text


def test_a_busy_machine_is_named_first():
    assert "**The machine was busy**" in page(found(NEAR, other_load=0.5), COMMAND, "p.png")


def test_each_measure_has_its_error_beside_the_goal_and_the_servers_own_spread():
    table = rows(page(found(NEAR, FAR, SHAKY), COMMAND, "p.png"), "In short")
    assert table[0] == ["race", "`goodput_per_s`", "2", "0", "28.0 %", "5.0 %", "50.0 %", "1.0 %"]
    assert table[1][:4] == ["race", "`p50_ms`", "0", "1"]
    assert "Of 2 judged values, 50.0 % are within" in page(found(NEAR, FAR, SHAKY), COMMAND, "p.png")


def test_what_misses_most_is_listed_and_what_is_near_is_not():
    text = page(found(NEAR, FAR, SHAKY), COMMAND, "p.png")
    assert rows(text, "What misses most") == [
        [CASE, "other, strangers", "`goodput_per_s`", "100", "155", "55.0 %", "11.0"]
    ]
    assert "What misses most" not in page(found(NEAR), COMMAND, "p.png")


def test_every_value_is_there_also_what_is_not_judged():
    text = page(found(NEAR, FAR, SHAKY), COMMAND, "p.png")
    assert [row[-1] for row in rows(text, "Race: `goodput_per_s`")] == ["yes", "no"]
    assert [row[-1] for row in rows(text, "Race: `p50_ms`")] == ["not judged: the server varies"]


def test_it_says_where_another_way_is_nearer_than_the_model():
    beside = [
        {"case": CASE, "variant": "mine", "the model": 0.02, "straight lines": 0.05, "mean value analysis": None},
        {"case": CASE, "variant": "other", "the model": 0.55, "straight lines": 0.04, "mean value analysis": None},
    ]
    text = page(found(NEAR, FAR, beside=beside), COMMAND, "p.png")
    assert "The model is nearest in 1 of 2 points." in text
    assert rows(text, "Other ways to predict throughput")[1] == [CASE, "other", "55.0 %", "4.0 %", ""]


def test_the_order_of_strategies_is_said_for_each_case_and_pattern():
    faster = comparison([200.0, 201.0], [300.0], name="other")
    text = page(found(NEAR, faster), COMMAND, "p.png")
    assert rows(text, "The order of strategies") == [[CASE, "strangers", "1.00"]]
    assert "The order of strategies" not in page(found(NEAR), COMMAND, "p.png")


@pytest.mark.parametrize("folder", ["", "new"])
def test_it_is_written_with_its_figure_beside_it(tmp_path, folder):
    path = tmp_path / folder / "predictions.md"
    write_page(found(NEAR), path, COMMAND)
    assert path.read_text().startswith("# Predictions beside measurements\n")
    assert path.with_suffix(".png").stat().st_size > 5_000
