"""Calibration finds the costs that a server has: those of a model are known, and are found again."""

import re

import pytest

import chatsim
from chatsim.experiments.calibration import calibrate as module
from chatsim.experiments.calibration.fit import Round, fit, fitted
from chatsim.experiments.calibration.messages import KINDS, Handled
from chatsim.experiments.calibration.micro import MICROS, Measurement, OwnWork
from chatsim.experiments.calibration.stores import SCRIPTS, Stored
from chatsim.worlds.model.costs import ModelCosts
from chatsim.worlds.world import BadParameterError, WorldError

pytestmark = pytest.mark.slow

SERVICE = {
    "HeartbeatRequest": 30e-6,
    "LoginRequest": 600e-6,
    "CreatePrivateChatRequest": 100e-6,
    "LoadThreadsRequest": 200e-6,
    "ThreadStatesRequest": 150e-6,
    "LoadMessagesRequest": 300e-6,
    "HistoryRequest": 400e-6,
    "CatchUpRequest": 500e-6,
    "ReadRequest": 110e-6,
    "TextRequest": 120e-6,
}

TRUTH = {
    "machine": {"cores": 2},
    "client": {
        "request": 80e-6,
        "statement": 10e-6,
        "value": 0.4e-6,
        "failure": 50e-6,
        "operation": 150e-6,
        "wake": 20e-6,
        "cold": 250e-6,
    },
    "node": {"write": 20e-6, "byte": 20e-9, "service": SERVICE},
    "database": {
        "request": 20e-6,
        "statement": 40e-6,
        "character": 0.2e-6,
        "table": 10e-6,
        "temporary": 25e-6,
        "record": 2e-6,
        "fetch": 3e-6,
        "value": 0.3e-6,
        "write": 15e-6,
        "undo": 25e-6,
        "wait": 300e-6,
        "detection": 200e-6,
        "transaction": 60e-6,
        "group": 100e-6,
        "wake": 30e-6,
        "cold": 400e-6,
        "flush": {"kind": "empirical", "seconds": [100e-6, 150e-6, 200e-6]},
        "commit": 0.0,
    },
    "network": {"link": {"latency": {"kind": "constant", "seconds": 30e-6}, "bandwidth": 1e18}},
    "store": {"call": 30e-6, "row": 2e-6, "commit": 0.0},
}


@pytest.fixture(scope="module")
def found():
    return chatsim.run(chatsim.calibrate(world=chatsim.Model(costs=TRUTH), seconds=0.03, rounds=2, progress=False))


def test_the_costs_of_a_model_are_found_again(found):
    """How often several callers find a program idle is not measured, but follows from how busy it is, roughly."""
    true = {
        "client.request": 80e-6,
        "client.statement": 10e-6,
        "client.value": 0.4e-6,
        "client.failure": 50e-6,
        "client.operation": 150e-6,
        "client.wake": 20e-6,
        "client.cold": 250e-6,
        "database.request": 20e-6,
        "database.statement": 40e-6,
        "database.character": 0.2e-6,
        "database.table": 10e-6,
        "database.temporary": 25e-6,
        "database.record": 2e-6,
        "database.fetch": 3e-6,
        "database.value": 0.3e-6,
        "database.write": 15e-6,
        "database.undo": 25e-6,
        "database.wait": 300e-6,
        "database.detection": 200e-6,
        "database.transaction": 60e-6,
        "database.group": 100e-6,
        "database.wake": 30e-6,
        "database.cold": 400e-6,
        "network.link.latency": 30e-6,
        "database.flush": 150e-6,
        "node.write": 20e-6,
        "node.byte": 20e-9,
        "store.call": 30e-6,
        "store.row": 2e-6,
        **{f"node.service.{name}": seconds for name, seconds in SERVICE.items()},
    }
    costs, rough = found.fit.best.costs, {"client.statement", "database.wake", "node.byte"}
    assert costs.keys() == true.keys()
    for name, seconds in true.items():
        assert costs[name] == pytest.approx(seconds, rel=0.3 if name in rough else 0.1), name


def test_the_distribution_of_a_flush_is_found_again(found):
    assert min(found.fit.best.flush) == pytest.approx(100e-6, rel=0.02)
    assert max(found.fit.best.flush) == pytest.approx(200e-6, rel=0.02)


def test_a_cost_is_within_its_interval(found):
    for name, value in found.fit.best.costs.items():
        low, high = found.fit.interval(name)
        assert low <= value * 1.001
        assert value <= high * 1.001


def test_costs_that_could_be_the_true_ones_can_be_drawn(found):
    drawn = [ModelCosts.read(found.drawn(number)) for number in (0, 1, 10_000)]
    assert [each.database.statement for each in drawn] == pytest.approx([40e-6] * 3, rel=0.05)


def test_the_costs_are_those_of_a_machine_that_everything_shares_and_can_be_read(found, tmp_path):
    costs = ModelCosts.read(found.save(tmp_path / "costs.toml"))
    assert costs == ModelCosts.read(found.costs)
    assert costs.machine.cores == found.cores
    assert costs.database.statement == pytest.approx(40e-6, rel=0.05)


def test_a_race_with_the_costs_that_were_found_is_as_fast_as_one_with_the_true_ones(found):
    def goodput(costs):
        race = chatsim.race(
            world=chatsim.Model(costs=costs),
            strategies="one_round_trip",
            pattern="strangers",
            clients=8,
            rounds=50,
            progress=False,
        )
        return chatsim.run(race).variants[0]["goodput_per_s"]

    mine = {**found.costs, "machine": {"cores": 2}}  # those of this machine may be others
    assert goodput(mine) == pytest.approx(goodput(TRUTH), rel=0.05)


def test_the_text_says_what_was_measured_and_with_which_intervals(found):
    text = found.text()
    assert text.startswith(f"# Measured on {found.date} by `chatsim calibrate`: 2 rounds.\n")
    assert "model of InnoDB 9.7, profile durable" in text
    assert re.search(r"^#   database\.record = (2|1\.99) \((2|1\.99) to (2|2\.01)\)$", text, re.MULTILINE)
    assert repr(found) == text


def test_the_measurements_are_a_table(found):
    table = found.measurements
    assert len(table) == 2 * (sum(len(each.callers) for each in MICROS) + len(KINDS) + len(SCRIPTS))
    row = table[(table.what == "nothing") & (table.callers == 1) & (table["round"] == 1)].iloc[0]
    assert row.client_cpu_us == pytest.approx(90 + 20, rel=0.05)  # and a little, since it becomes a little cold
    assert row.server_cpu_us == pytest.approx(60 + 30, rel=0.1)
    assert row.p50_us == pytest.approx(90 + 20 + 60 + 30 + 2 * 30, rel=0.05)
    after_a_pause = table[(table.what == "a row is read, after a pause") & (table["round"] == 1)].iloc[0]
    at_once = table[(table.what == "a row is read") & (table.callers == 1) & (table["round"] == 1)].iloc[0]
    assert after_a_pause.client_cpu_us - at_once.client_cpu_us == pytest.approx(250 + 20, rel=0.1)
    assert after_a_pause.server_cpu_us - at_once.server_cpu_us == pytest.approx(400, rel=0.1)


def test_a_message_is_in_the_table_with_what_it_costs_this_process(found):
    table = found.measurements.set_index(["what", "round"])
    told = table.loc[("TextRequest, 8 devices are told", 1)]
    alone = table.loc[("TextRequest", 1)]
    sizes = {(each.kind.name, each.kind.devices): each.size for each in found.rounds[0].messages}
    notices = sizes["TextRequest", 8] - sizes["TextRequest", 0]
    assert told.client_cpu_us - alone.client_cpu_us == pytest.approx(8 * 20 + notices * 0.02, rel=0.05)
    heartbeat = table.loc[("HeartbeatRequest", 2)].client_cpu_us
    assert heartbeat == pytest.approx(30 + 20 + sizes["HeartbeatRequest", 0] * 0.02 + 20, rel=0.1)


def measurement(micro, *, callers=1, client=100e-6, server=50e-6, latencies=(1e-3,)):
    return Measurement(micro, callers, 10, 1.0, 1.0, micro.written, 0.5, micro.commits, client, server, latencies)


def messages(client=300e-6):
    return [Handled(kind, 10, client, 0.0, 1.0, 1.0, 100 + kind.values) for kind in KINDS]


STORES = [Stored(script, 100e-6) for script in SCRIPTS]


def test_no_cost_is_negative_however_odd_the_measurements():
    odd = [measurement(micro, server=1e-6 if micro.commits else 9e-3, latencies=[1e-6]) for micro in MICROS]
    found = fitted([Round(odd, messages(), STORES, [OwnWork(0, 0, 0, 1e-6), OwnWork(4, 4, 0, 0.0)], [1e-6])])
    assert min(found.costs.values()) >= 0
    assert min(found.flush) >= 0


def test_one_round_has_no_interval_but_the_value_itself():
    import numpy as np

    found = fit(
        [Round([measurement(micro) for micro in MICROS], messages(), STORES, [OwnWork(4, 4, 0, 1e-4)], [1e-3])],
        np.random.default_rng(1),
    )
    assert [found.interval(name) for name in found.best.costs] == [
        (value, value) for value in found.best.costs.values()
    ]


def test_a_server_whose_processor_time_can_not_be_seen_is_refused(monkeypatch):
    from chatsim.worlds.world import Costs

    class Blind:
        async def costs(self):
            return Costs(0, 0, 0, 0)

    with pytest.raises(WorldError, match="a calibration needs a MySQL on this machine, not in a container"):
        chatsim.run(module.prepare(Blind(), "hardened"))


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"seconds": 0}, "seconds is 0; it must be above 0"),
        ({"rounds": 0}, "rounds is 0; it must be a whole number of at least 1"),
        ({"world": "mars"}, "unknown world 'mars'"),
    ],
)
def test_wrong_parameters_are_refused(wrong, says):
    with pytest.raises(BadParameterError, match=says):
        chatsim.run(chatsim.calibrate(**wrong))


def test_a_model_in_which_an_operation_takes_no_time_is_calibrated():
    free = chatsim.Model(costs={"machine": {"cores": 2}, "client": {"request": 0.0}, "database": {"commit": 0.0}})
    found = chatsim.run(chatsim.calibrate(world=free, seconds=0.01, rounds=1, progress=False))
    assert found.costs["client"]["operation"] == pytest.approx(0.0, abs=1e-6)
