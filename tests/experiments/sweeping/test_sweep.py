"""A sweep: the same rows on any executor, nothing measured twice, and where each strategy reaches its limit."""

import asyncio
import os
import signal
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context

import pytest

import chatsim
from chatsim.experiments.parameters import BadParameterError
from chatsim.experiments.sweeping.measuring import measure
from chatsim.experiments.sweeping.sweep import Sweep
from chatsim.worlds.world import WorldError

pytestmark = pytest.mark.slow

FIXED = {"strategies": "for_update,one_round_trip", "pattern": "strangers", "rounds": 3}


class Here(Executor):
    """Runs each task at once, and notes its argument. From task number ``ends`` on, all fail as in a lost worker."""

    def __init__(self, ends=None):
        self.measured, self.ends = [], ends

    def submit(self, function, setting):
        future = Future()
        if self.ends is not None and len(self.measured) >= self.ends:
            future.set_exception(BrokenProcessPool("a worker was killed"))
            return future
        self.measured.append((setting.varied, setting.seed))
        future.set_running_or_notify_cancel()
        try:
            future.set_result(function(setting))
        except Exception as error:  # noqa: BLE001 - as an executor does
            future.set_exception(error)
        return future


def swept(executor=None, *, seeds=2, clients=(2, 4), out=None, **more):
    given = {"progress": False, "executor": executor, **FIXED, **more}
    return chatsim.run(chatsim.sweep("race", vary={"clients": [*clients]}, seeds=seeds, out=out, **given))


async def test_it_can_be_awaited_beside_other_work():
    found = await chatsim.sweep("race", vary={"clients": [2]}, seeds=1, executor=Here(), progress=False, **FIXED)
    assert len(found.rows) == 2


def test_there_is_a_row_for_each_setting_seed_and_variant_in_their_order():
    rows = swept(Here()).rows
    assert [*zip(rows["clients"], rows["seed"], rows["strategy"], strict=True)] == [
        (clients, seed, strategy)
        for clients in (2, 4)
        for seed in (1, 2)
        for strategy in ("for_update", "one_round_trip")
    ]
    assert {"goodput_per_s", "p50_ms", "deadlocks_per_op", "bottleneck", "utilisation: CPU of database"} <= {*rows}


def test_a_row_is_what_the_experiment_measures():
    rows = swept(Here(), seeds=[5], clients=[3]).rows
    alone = chatsim.run(chatsim.race(world="model", clients=3, seed=5, progress=False, **FIXED)).summary()
    for measure_ in ("goodput_per_s", "round_trips_per_op", "lock_waits_per_op"):
        assert [*rows[measure_]] == [*alone[measure_]]


def test_processes_give_the_same_rows():
    here = swept(Here())
    assert swept(workers=2).measured == here.measured
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        assert swept(pool).measured == here.measured


def test_a_sweep_that_was_stopped_goes_on_and_measures_nothing_twice(tmp_path):
    first, second, third = Here(ends=3), Here(), Here()
    with pytest.raises(BrokenProcessPool):
        swept(first, out=tmp_path)
    found = swept(second, out=tmp_path)
    assert len(first.measured) == 3
    assert len(second.measured) == 1
    assert found.measured == swept(third, out=tmp_path).measured == swept(Here()).measured
    assert third.measured == []


def test_more_seeds_and_values_later_measure_only_what_is_new(tmp_path):
    swept(Here(), out=tmp_path)
    more = Here()
    found = swept(more, seeds=3, clients=(2, 4, 6), out=tmp_path)
    assert more.measured == [({"clients": 2}, 3), ({"clients": 4}, 3), *(({"clients": 6}, seed) for seed in (1, 2, 3))]
    assert len(found.rows) == 18


def test_each_finished_setting_is_told_also_one_of_an_earlier_sweep(tmp_path):
    told = []

    def note(setting, rows):
        told.append((setting.varied["clients"], setting.seed, len(rows)))

    swept(Here(), seeds=1, clients=[2], out=tmp_path)
    swept(Here(), seeds=1, clients=[2, 4], out=tmp_path, on_finished=note)
    assert told == [(2, 1, 2), (4, 1, 2)]


def test_a_setting_that_can_not_be_run_does_not_stop_the_others(monkeypatch):
    def fails(setting):
        if setting.varied["clients"] == 4:
            raise WorldError("it can't be run")
        return measure(setting)

    monkeypatch.setattr("chatsim.experiments.sweeping.running.measure", fails)
    found = swept(Here(), seeds=1, clients=(2, 4, 6))
    assert {*found.rows["clients"]} == {2, 6}
    assert [(setting.varied, why) for setting, why in found.failed] == [({"clients": 4}, "it can't be run")]


def test_the_summary_has_means_over_seeds_with_intervals():
    summary = swept(Here(), seeds=3).summary()
    assert [*summary["seeds"]] == [3] * 4
    rows = swept(Here(), seeds=3).rows
    some = rows[(rows.clients == 4) & (rows.strategy == "for_update")]["goodput_per_s"]
    row = summary[(summary.clients == 4) & (summary.strategy == "for_update")].iloc[0]
    assert row.goodput_per_s == pytest.approx(some.mean())
    assert row.goodput_per_s_low < row.goodput_per_s < row.goodput_per_s_high
    assert swept(Here(), seeds=1).summary()["goodput_per_s_low"].isna().all()


def curve(*points, verdict="safe"):
    """A sweep whose strategy has these goodputs, by the number of clients; the last word is the bottleneck."""
    rows = [
        {
            "clients": clients,
            "seed": 1,
            "strategy": "mine",
            "verdict": verdict,
            "goodput_per_s": goodput,
            "bottleneck": name,
            "bottleneck_utilisation": 0.5,
        }
        for clients, goodput, name in points
    ]
    return Sweep("race", ["clients"], {"fixed": {}, "seeds": [1]}, measured=rows)


def test_the_limits_are_the_peak_its_bottleneck_and_where_it_falls():
    (row,) = curve((1, 10, "log"), (4, 100, "CPU"), (8, 95, "CPU"), (16, 80, "locks")).limits().to_dict("records")
    assert (row["strategy"], row["at"], row["peak"], row["falls_from"], row["bottleneck"]) == (
        "mine",
        4,
        100,
        16,
        "CPU",
    )


def test_a_curve_that_does_not_fall_says_so():
    (row,) = curve((1, 10, "log"), (4, 100, "CPU")).limits().to_dict("records")
    assert row["falls_from"] is None


def test_one_seed_that_is_unsafe_makes_the_variant_unsafe():
    sweep = curve((1, 10, "log"))
    sweep.measured.append({**sweep.measured[0], "seed": 2, "verdict": "unsafe"})
    assert [*sweep.summary()["verdict"]] == ["unsafe"]


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"along": "nodes"}, "along is 'nodes'; numbers that vary here: clients"),
        ({"of": "speed"}, "of is 'speed'; the measures are: clients, seeds, goodput_per_s"),
    ],
)
def test_a_wrong_name_is_refused_with_those_that_there_are(asked, says):
    with pytest.raises(BadParameterError, match=says):
        curve((1, 10, "log")).limits(**asked)
    with pytest.raises(BadParameterError, match=says):
        curve((1, 10, "log")).plot(**asked)


def test_the_figure_has_a_line_for_each_variant():
    figure = swept(Here()).plot()
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [
        "for_update, strangers",
        "one_round_trip, strangers",
    ]
    assert axes.get_xlabel() == "clients"


def test_it_is_saved_as_tables_with_what_repeats_it(tmp_path):
    found = swept(Here(), out=tmp_path)
    assert {each.name for each in tmp_path.iterdir()} >= {"rows.csv", "summary.csv", "sweep.json", "settings.jsonl"}
    assert (tmp_path / "rows.csv").read_text().startswith("clients,seed,strategy")
    assert "for_update" in repr(found)
    assert "<table" in found._repr_html_()


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"world": "mysql"}, "a sweep runs in the model"),
        ({"workers": 2, "dask": "tcp://127.0.0.1:1"}, "executor, workers and dask say where a sweep runs"),
        ({"workers": 0}, "workers is 0; it must be a whole number of at least 1"),
        ({"clint": 3}, "race has no parameter 'clint'"),
    ],
)
def test_wrong_arguments_are_refused_before_anything_runs(wrong, says):
    with pytest.raises(BadParameterError, match=says):
        chatsim.run(chatsim.sweep("race", vary={"clients": [2]}, progress=False, **wrong))


def test_a_dask_scheduler_that_is_not_there_is_named():
    pytest.importorskip("distributed")
    with pytest.raises(WorldError, match=r"there is no Dask scheduler at tcp://127\.0\.0\.1:1"):
        swept(dask="tcp://127.0.0.1:1")


def test_a_dask_cluster_gives_the_same_rows_and_a_worker_that_is_killed_loses_none():
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50
    ) as cluster:
        victim = next(iter(cluster.workers.values())).pid
        killed = []

        def kill_once(_setting, _rows):
            if not killed:
                killed.append(victim)
                os.kill(victim, signal.SIGKILL)

        found = swept(dask=cluster.scheduler_address, seeds=4, on_finished=kill_once)
    assert killed == [victim]
    assert found.measured == swept(Here(), seeds=4).measured


async def test_an_interrupt_keeps_what_has_finished_and_leaves_no_process(tmp_path):
    finished = asyncio.Event()
    sweeping = asyncio.ensure_future(
        chatsim.sweep(
            "race",
            vary={"clients": [2]},
            seeds=500,
            workers=1,
            out=tmp_path,
            progress=False,
            on_finished=lambda *_: finished.set(),
            **FIXED,
        )
    )
    await finished.wait()
    sweeping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sweeping
    import multiprocessing

    assert multiprocessing.active_children() == []
    kept = len((tmp_path / "settings.jsonl").read_text().splitlines())
    assert 0 < kept < 500
