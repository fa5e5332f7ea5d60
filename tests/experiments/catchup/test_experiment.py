"""Cursors and ways to catch up compared: what is a row, what a result says, what is refused."""

import asyncio
import re

import matplotlib.pyplot as plt
import pytest

from chatsim.experiments.catchup.cursors import CURSORS
from chatsim.experiments.catchup.experiment import CatchUp
from chatsim.experiments.catchup.protocols import PROTOCOLS
from chatsim.experiments.runner import run
from chatsim.worlds.world import BadParameterError

SMALL = {"threads": 3, "missed": 4}
KEYS = {
    *("protocol", "cursor", "world", "rtt_ms", "bandwidth", "threads", "missed", "quiet_threads", "writers"),
    *("round_trips", "bytes", "first_screen_ms", "caught_up_ms", "lower_bound_ms", "lost", "repeated", "verdict"),
}


def measured(world="model", **parameters):
    return asyncio.run(run(CatchUp(**parameters), world, progress=False))


def test_a_row_is_a_protocol_with_a_cursor_that_it_goes_by_at_a_distance():
    result = measured(rtt=(0, 50), **SMALL)
    pairs = [(name, cursor) for name, each in PROTOCOLS.items() for cursor in each.cursors]
    assert [(row["protocol"], row["cursor"], row["rtt_ms"]) for row in result.rows()] == [
        *(("direct", cursor, 0.0) for cursor in CURSORS),
        *((*pair, rtt) for pair in pairs for rtt in (0, 50)),
    ]
    columns = {tuple(row) for row in result.rows()}
    assert all(set(each) >= KEYS for each in columns)
    assert result.conditions().startswith(
        "model of InnoDB 9.7, profile durable, binary log on; protocols direct/source/wide_pages/pipelined/bulk, "
    )


def test_both_worlds_agree_on_every_verdict_and_count(mysql_url):
    parameters = {"protocols": "source,wide_pages,pipelined,bulk", "rtt": (0,), **SMALL}
    counted = ("protocol", "cursor", "round_trips", "requests", "bytes", "lost", "repeated", "verdict")
    real, modelled = (
        [[row[name] for name in counted] for row in measured(world, **parameters).rows()]
        for world in ("mysql", "model")
    )
    assert real == modelled


def test_so_many_write_with_direct_as_were_asked_for_and_the_caption_says_how_many():
    given = {"protocols": "direct", "cursors": "message_id", "threads": 1, "missed": 20}
    alone, three, two = (measured(**given, writers=writers) for writers in (1, 3, 0))
    assert [each.rows()[0]["writers"] for each in (alone, three, two)] == [1, 3, 2]
    assert [each.rows()[0]["verdict"] for each in (alone, two)] == ["not tested", "unsafe"], "one can't be overtaken"
    for result, said in ((alone, "writers 1,"), (three, "writers 3,"), (two, "writers 2,")):
        assert f" {said} " in result.conditions()
    assert " writers 0, with direct 2, " in CatchUp(**SMALL).setting()
    assert " writers 0," in CatchUp(protocols="bulk").setting()


def test_a_cursor_that_loses_is_told_with_its_proof():
    result = measured(protocols="direct", cursors="message_id,user_version", threads=1, missed=100)
    losing, safe = result.rows()
    assert (losing["verdict"], safe["verdict"], safe["lost"]) == ("unsafe", "safe", 0)
    assert losing["lost"] > 0
    assert (losing["writers"], losing["written"]) == (2, 100)  # one alone can't be overtaken
    (variant, _) = result.variants
    anomalies = variant.verdict.anomalies
    assert len(anomalies) == losing["lost"]
    assert losing["why"].startswith(anomalies[0].sentence)
    assert any(len(each.steps) == 2 for each in anomalies), "who was overtaken, and by whom"
    assert {step.kind for each in anomalies for step in each.steps} == {"write"}


def test_repetitions_are_one_row_with_the_sums_and_the_seed_of_the_first_that_lost():
    (row,) = measured(protocols="direct", cursors="message_id", threads=1, missed=20, repeats=8, seed=3).rows()
    assert (row["repeats"], row["seed"], row["written"]) == (8, 3, 160)
    first = re.match(
        r"\d of 8 repetitions, the first with seed (\d+): message \d+ of thread 1 was never found", row["why"]
    )
    assert 3 <= int(first[1]) < 11
    assert (row["verdict"], row["lost"] > 0) == ("unsafe", True)


def test_a_server_that_is_killed_is_counted():
    (row,) = measured(protocols="direct", cursors="user_version", crashes=2, repeats=2, **SMALL).rows()
    assert (row["crashes"], row["verdict"]) == (4, "safe")
    assert row["refused"] >= 4


def test_what_is_not_measured_is_a_dash():
    said = repr(measured(protocols="direct", cursors="user_version", **SMALL))
    assert "None" not in said
    assert said.count("–") == 5


def test_one_seed_gives_the_same_rows():
    parameters = {"writers": 2, "cursors": "message_id_locked,user_version", "seed": 4, **SMALL}
    assert measured(**parameters).rows() == measured(**parameters).rows()


def test_a_result_is_saved_with_its_picture_whatever_is_in_it(tmp_path):
    for protocols in ("direct", "bulk", "direct,bulk"):
        home = measured(protocols=protocols, cursors="user_version", **SMALL).save(tmp_path / protocols)
        assert plt.imread(home / "summary.png").shape[1] == 1_500


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        (
            {"protocols": "bulk,post"},
            "unknown protocols 'post'; there are: direct, source, wide_pages, pipelined, bulk",
        ),
        ({"cursors": "message_id,id"}, "unknown cursors 'id'; there are: message_id, overlap"),
        ({"threads": 0}, "threads is 0; it must be a whole number of at least 1"),
        ({"missed": 0}, "missed is 0; it must be a whole number of at least 1"),
        ({"quiet_threads": -1}, "quiet_threads is -1; it must be a whole number of at least 0"),
        ({"history": 0}, "history is 0; it must be a whole number of at least 1"),
        ({"writers": -1}, "writers is -1; it must be a whole number of at least 0"),
        ({"batch": 0}, "batch is 0; it must be a whole number of at least 1"),
        ({"writer_rtt": -1}, "writer_rtt is -1; it must be a number from 0 to 60,000 ms"),
        ({"crashes": -1}, "crashes is -1; it must be a whole number of at least 0"),
        ({"repeats": 0}, "repeats is 0; it must be a whole number of at least 1"),
        ({"bandwidth": 0}, "bandwidth is 0; it must be a number from 0.001 to 1,000,000 Mbit/s"),
        ({"bandwidth": float("nan")}, "bandwidth is nan; it must be a number from 0.001 to 1,000,000 Mbit/s"),
        ({"rtt": ()}, "rtt is empty; name at least one"),
        ({"rtt": (50, -1)}, "rtt is -1; it must be a number from 0 to 60,000 ms"),
        ({"protocols": "bulk", "cursors": "watermark,overlap"}, "no protocol of bulk goes by watermark, overlap"),
    ],
)
def test_a_parameter_that_makes_no_sense_is_named(parameters, sentence):
    with pytest.raises(BadParameterError, match=f"^{sentence}"):
        CatchUp(**parameters)
