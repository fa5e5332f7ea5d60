"""No figure is pyplot's: a notebook would show it a second time at the end of the cell."""

import matplotlib.pyplot as plt
import pandas as pd
import pytest
from deadlock_texts import mysql_8_0
from matplotlib.figure import Figure

from chatsim import figures
from chatsim.conformance.model_player import play
from chatsim.conformance.schedule import Schedule
from chatsim.db.deadlock import Deadlock, Lock, LockKind, Participant
from chatsim.db.deadlock_report.reader import deadlocks


def strategies():
    row = {"pattern": "same_pair", "goodput_per_s": 10.0, "p50_ms": 1.0, "p99_ms": 5.0}
    verdicts = {"upsert": "safe", "check_then_insert": "unsafe"}
    return figures.strategies(pd.DataFrame([row | {"strategy": name, "verdict": verdicts[name]} for name in verdicts]))


def catch_up():
    away = {"protocol": "bulk", "rtt_ms": 50.0, "first_screen_ms": 60.0, "caught_up_ms": 90.0, "lower_bound_ms": 50.0}
    direct = {"protocol": "direct", "writes_per_s": 100.0}
    cursors = [
        {"cursor": "message_id", "lost": 3, "verdict": "unsafe"},
        {"cursor": "user_version", "lost": 0, "verdict": "not tested"},
    ]
    return figures.catch_up(pd.DataFrame([which | cursor for which in (away, direct) for cursor in cursors]))


def delivery():
    row = {"path": "same", "presence": "process", "peers": "process", "p50_ms": 1.0, "p99_ms": None}
    return figures.delivery(pd.DataFrame([row | {"hop": hop} for hop in ("acknowledged", "pushed", "read")]))


def pages():
    row = {"strategy": "offset", "depth": "last", "page_size": 20}
    return figures.pages(pd.DataFrame([row | {"existing": n, "index_reads": n} for n in (100, 1_000)]))


def talk():
    rows = [("database", 40, 3, 0), ("node", 40, 3, 2)]
    return figures.talk(pd.DataFrame(rows, columns=["faults", "sent", "crashes", "anomalies"]))


def lock_steps():
    script = Schedule.of("a: SELECT * FROM t FOR UPDATE", setup=["CREATE TABLE t (id INT PRIMARY KEY)"])
    return figures.lock_steps(script, play(script), "t.PRIMARY")


def per_second():
    row = {"strategy": "upsert", "repeat": 1, "ok": 10, "p50_ms": 1.5}
    return figures.per_second(pd.DataFrame([row | {"second": second} for second in range(3)]), warm_up=1, ramp=2)


def mix():
    row = {"strategy": "upsert", "verdict": "safe", "goodput_per_s": 10.0, "p50_ms": 1.0, "p99_ms": 2.0}
    return figures.mix(pd.DataFrame([row | {"operation": each} for each in ("text", "all")]))


def wait_for_graph():
    gap = Lock("t", "PRIMARY", "X", LockKind.GAP, "(1)")
    both = tuple(Participant(number, number, "COMMIT", (gap,), gap, 2) for number in (1, 2))
    return figures.wait_for_graph(Deadlock(both, victim=1, raw=""))


def deadlock_kinds():
    return figures.deadlock_kinds(deadlocks(mysql_8_0()))


def curves():
    row = {"strategy": "upsert", "verdict": "safe", "goodput_per_s_low": 9.0, "goodput_per_s_high": 11.0}
    table = pd.DataFrame([row | {"clients": clients, "goodput_per_s": 10.0} for clients in (1, 100)])
    return figures.curves(table, along="clients", of="goodput_per_s", lines=["strategy"])


def predictions():
    row = {"case": "race", "measured": 10.0, "predicted": 11.0, "low": 9.0, "high": 12.0}
    words = {"goodput_per_s": "", "p50_ms": "the server varies"}
    return figures.predictions(
        pd.DataFrame([row | {"measure": name, "not judged": why} for name, why in words.items()])
    )


DRAWN = [
    strategies,
    deadlock_kinds,
    mix,
    catch_up,
    curves,
    delivery,
    pages,
    predictions,
    talk,
    lock_steps,
    per_second,
    wait_for_graph,
]


def test_the_warm_up_is_shaded_and_the_end_of_the_ramp_is_marked():
    row = {"operation": "text", "repeat": 1, "ok": 10, "p50_ms": 1.5}
    table = pd.DataFrame([row | {"second": second} for second in range(4)])
    for shape, named in (({}, []), ({"warm_up": 2}, ["warm-up, not measured"]), ({"ramp": 3}, ["end of the ramp"])):
        figure = figures.per_second(table, **shape)
        assert [each.get_text() for each in figure.legends[0].get_texts()] == ["text", *named]
        assert [*figure.axes[0].lines[0].get_xdata()] == [0.5, 1.5, 2.5, 3.5], "in the middle of each second"


def test_strategies_of_too_few_operations_are_drawn_without_latencies():
    row = {"pattern": "same_pair", "strategy": "upsert", "verdict": "safe", "goodput_per_s": 10.0}
    left, right = figures.strategies(pd.DataFrame([row | {"p50_ms": None, "p99_ms": None}])).axes
    assert (len(left.patches), right.get_xscale()) == (1, "linear")


@pytest.mark.parametrize("draw", DRAWN, ids=lambda draw: draw.__name__)
def test_a_figure_is_returned_and_none_is_left_open(draw, tmp_path):
    before = plt.get_fignums()
    figure = draw()
    assert isinstance(figure, Figure)
    assert plt.get_fignums() == before
    figure.savefig(tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 1_000


@pytest.mark.parametrize("draw", DRAWN, ids=lambda draw: draw.__name__)
def test_a_notebook_shows_it_as_a_picture(draw):
    assert draw()._repr_png_().startswith(b"\x89PNG")


def test_these_are_all_figures():
    assert sorted(draw.__name__ for draw in DRAWN) == sorted(figures.__all__)
