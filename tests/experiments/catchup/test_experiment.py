"""Cursors and ways to catch up compared: what is a row, what a report says, what is refused."""

import asyncio
import re

import matplotlib.pyplot as plt
import pytest

from chatsim.experiments.catchup.away import PROTOCOLS
from chatsim.experiments.catchup.cursors import CURSORS, UnknownCursorError
from chatsim.experiments.catchup.experiment import CatchUp
from chatsim.experiments.creation.experiment import BadParameterError
from chatsim.worlds.model.settings import Model
from chatsim.worlds.mysql.world import MySQLWorld

SMALL = {"threads": 3, "missed": 4}
KEYS = {
    *("protocol", "cursor", "world", "rtt_ms", "bandwidth", "threads", "missed", "quiet_threads", "writers"),
    *("round_trips", "bytes", "first_screen_ms", "caught_up_ms", "lower_bound_ms", "lost", "repeated", "verdict"),
}


def reported(world="model", **parameters):
    catching_up = CatchUp(**parameters)

    async def measure(there):
        report = catching_up.report(there.name)
        await catching_up.run(there, report, progress=False)
        return report

    async def on_mysql():
        async with MySQLWorld() as there:
            return await measure(there)

    return Model().run(measure, seed=catching_up.seed) if world == "model" else asyncio.run(on_mysql())


def test_a_row_is_a_protocol_with_a_cursor_that_it_goes_by_at_a_distance():
    report = reported(rtt=(0, 50), **SMALL)
    pairs = [(name, cursor) for name, each in PROTOCOLS.items() for cursor in each.cursors]
    assert [(row["protocol"], row["cursor"], row["rtt_ms"]) for row in report.rows] == [
        *(("direct", cursor, 0.0) for cursor in CURSORS),
        *((*pair, rtt) for pair in pairs for rtt in (0, 50)),
    ]
    columns = {tuple(row) for row in report.rows}
    assert all(set(each) >= KEYS for each in columns)
    assert report.conditions().startswith("model of InnoDB 9.7, profile durable; experiment catchup, world model")


def test_both_worlds_agree_on_every_verdict_and_count(mysql_url):
    parameters = {"protocols": "source,wide_pages,pipelined,bulk", "rtt": (0,), **SMALL}
    counted = ("protocol", "cursor", "round_trips", "requests", "bytes", "lost", "repeated", "verdict")
    real, modelled = (
        [[row[name] for name in counted] for row in reported(world, **parameters).rows] for world in ("mysql", "model")
    )
    assert real == modelled


def test_a_cursor_that_loses_is_told_with_its_proof():
    report = reported(protocols="direct", cursors="message_id,user_version", threads=1, missed=100)
    losing, safe = report.rows
    assert (losing["verdict"], safe["verdict"], safe["lost"]) == ("unsafe", "safe", 0)
    assert losing["lost"] > 0
    assert (losing["writers"], losing["written"]) == (2, 100)  # one alone can't be overtaken
    assert list(report.notes) == ["direct-message_id-0ms"]
    assert "\n  seen     writer " in report.notes["direct-message_id-0ms"]


def test_several_runs_are_one_row_with_the_sums_and_the_seed_of_the_first_that_lost():
    (row,) = reported(protocols="direct", cursors="message_id", threads=1, missed=20, runs=8, seed=3).rows
    assert (row["runs"], row["seed"], row["written"]) == (8, 3, 160)
    first = re.match(r"seed (\d+): (\d+) of 20 acknowledged messages were never found\n", row["why"])
    assert 3 <= int(first[1]) < 11
    assert (row["verdict"], row["lost"] >= int(first[2]) > 0) == ("unsafe", True)


def test_a_server_that_is_killed_is_counted():
    (row,) = reported(protocols="direct", cursors="user_version", crashes=2, runs=2, **SMALL).rows
    assert (row["crashes"], row["verdict"]) == (4, "safe")
    assert row["refused"] >= 4


def test_what_is_not_measured_is_a_dash():
    said = repr(reported(protocols="direct", cursors="user_version", **SMALL))
    assert "None" not in said
    assert said.count("–") == 5


def test_one_seed_gives_the_same_rows():
    parameters = {"writers": 2, "cursors": "message_id_locked,user_version", "seed": 4, **SMALL}
    assert reported(**parameters).rows == reported(**parameters).rows


def test_a_report_is_saved_with_its_picture_whatever_is_in_it(tmp_path):
    for protocols in ("direct", "bulk", "direct,bulk"):
        home = reported(protocols=protocols, cursors="user_version", **SMALL).save(tmp_path / protocols)
        assert plt.imread(home / "summary.png").shape[1] == 1_500


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"protocols": "bulk,post"}, "unknown protocol 'post'; there are: direct, source, wide_pages, pipelined, bulk"),
        ({"threads": 0}, "threads is 0; it must be at least 1"),
        ({"missed": 0}, "missed is 0; it must be at least 1"),
        ({"quiet_threads": -1}, "quiet_threads is -1; it must be at least 0"),
        ({"history": 0}, "history is 0; it must be at least 1"),
        ({"writers": -1}, "writers is -1; it must be at least 0"),
        ({"batch": 0}, "batch is 0; it must be at least 1"),
        ({"writer_rtt": -1}, "writer_rtt is -1; it must be at least 0"),
        ({"crashes": -1}, "crashes is -1; it must be at least 0"),
        ({"runs": 0}, "runs is 0; it must be at least 1"),
        ({"bandwidth": 0}, "bandwidth is 0; it must be at least 0.001"),
        ({"bandwidth": float("nan")}, "bandwidth is nan; it must be at least 0.001"),
        ({"rtt": ()}, r"rtt is \(\); it must be one or several times in ms, none below 0"),
        ({"rtt": (50, -1)}, r"rtt is \(50, -1\); it must be one or several times in ms, none below 0"),
        ({"protocols": "bulk", "cursors": "watermark,overlap"}, "no protocol of bulk goes by watermark, overlap"),
    ],
)
def test_a_parameter_that_makes_no_sense_is_named(parameters, sentence):
    with pytest.raises(BadParameterError, match=f"^{sentence}"):
        CatchUp(**parameters)


def test_an_unknown_cursor_is_named_with_those_there_are():
    with pytest.raises(UnknownCursorError, match="unknown cursor 'id'; there are: message_id, overlap"):
        CatchUp(cursors="message_id,id")
