"""The fidelity of the model, tried where it is true: on a model in place of the server."""

import pytest

import chatsim
from chatsim.experiments.parameters import BadParameterError
from chatsim.worlds.world import WorldError

pytestmark = pytest.mark.slow

TRUTH = chatsim.Model(
    costs={
        "machine": {"cores": 2},
        "client": {"request": 80e-6, "statement": 10e-6},
        "database": {
            "statement": 40e-6,
            "record": 2e-6,
            "write": 15e-6,
            "transaction": 60e-6,
            "flush": 100e-6,
            "commit": 0.0,
        },
        "network": {"link": {"latency": {"kind": "constant", "seconds": 30e-6}}},
    }
)
FAST = {
    "world": TRUTH,
    "strategies": ["one_round_trip", "insert_first"],
    "patterns": ["strangers"],
    "clients": [3],
    "operations": 60,
    "repeats": 2,
    "predictions": 2,
    "busy": True,
    "progress": False,
}


@pytest.fixture(scope="module")
def calibration():
    return chatsim.run(chatsim.calibrate(world=TRUTH, seconds=0.02, rounds=2, progress=False))


@pytest.fixture(scope="module")
def found(calibration):
    return chatsim.run(chatsim.fidelity(**FAST, calibration=calibration, fitted_clients=[1, 2, 4, 8]))


def test_a_true_model_predicts_what_is_measured(found):
    by_measure = {each.measure: each for each in found.judgements}
    assert by_measure["goodput_per_s"].judged == 2
    assert by_measure["goodput_per_s"].error < 0.02
    assert by_measure["p50_ms"].error < 0.05
    assert by_measure["goodput_per_s"].met
    assert found.ranking == {("race, 3 clients", "strangers"): pytest.approx(1.0)}


def test_the_points_are_not_those_of_the_fit(found):
    assert {*found.table["case"]} == {"race, 3 clients"}
    assert found.runs == (2, 2)


def test_the_model_is_compared_with_other_ways_to_predict(found):
    (errors,) = found.baselines().to_dict("records")
    assert {*errors} == {"the model", "Universal Scalability Law", "straight lines", "mean value analysis"}
    assert errors["the model"] <= min(errors.values()) + 0.02


def test_it_is_saved_with_its_figure_and_its_costs(found, tmp_path):
    found.save(tmp_path / "new")
    names = {"fidelity.csv", "summary.csv", "fidelity.png", "costs.toml"}
    assert {each.name for each in (tmp_path / "new").iterdir()} == names
    assert "2 runs measured, 2 predicted" in repr(found)


def test_a_busy_machine_is_not_judged_by(calibration, monkeypatch):
    class Busy:
        def cores(self):
            return 0.5

    monkeypatch.setattr("chatsim.experiments.fidelity.fidelity.OtherLoad", Busy)
    with pytest.raises(WorldError, match=r"other programs took 0\.50 cores of this machine meanwhile"):
        chatsim.run(chatsim.fidelity(**{**FAST, "busy": False}, calibration=calibration))


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"repeats": 0}, "repeats is 0; it must be a whole number of at least 1"),
        ({"predictions": 0}, "predictions is 0"),
        ({"patterns": ["rain"]}, "unknown pattern 'rain'; there are: same_pair"),
        ({"clients": [0]}, "clients is 0"),
        ({"fitted_clients": [2, 3]}, "fitted_clients has 3, which is to be predicted"),
        ({"world": "mars"}, "unknown world 'mars'"),
    ],
)
def test_wrong_parameters_are_refused_before_anything_is_measured(wrong, says):
    with pytest.raises(BadParameterError, match=says):
        chatsim.run(chatsim.fidelity(**{**FAST, **wrong}))


def test_an_unknown_strategy_is_named():
    with pytest.raises(chatsim.UnknownStrategyError, match="magic"):
        chatsim.run(chatsim.fidelity(**{**FAST, "strategies": ["magic"]}))
