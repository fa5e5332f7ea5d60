"""A history is one record per operation; it survives being written and read, and makes a tidy table."""

import json

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatsim.experiments.history import Operation, Outcome, frame, read, write

GOT = Operation(
    client=3,
    round=1,
    uid=20,
    other=10,
    intended=0.5,
    start=0.75,
    end=1.0,
    outcome=Outcome.OK,
    attempts=2,
    refusals=(1213,),
    thread=7,
)
LOST = Operation(
    client=4,
    round=0,
    uid=10,
    other=20,
    intended=0.0,
    start=0.0,
    end=2.0,
    outcome=Outcome.UNKNOWN,
    attempts=1,
    refusals=(2013,),
    thread=None,
)

moments = st.floats(0, 1e6, allow_nan=False)
operations = st.builds(
    Operation,
    client=st.integers(0),
    round=st.integers(0),
    uid=st.integers(1),
    other=st.integers(1),
    intended=moments,
    start=moments,
    end=moments,
    outcome=st.sampled_from(Outcome),
    attempts=st.integers(1),
    refusals=st.lists(st.integers(1, 9999)).map(tuple),
    thread=st.none() | st.integers(1),
)
names = st.text(max_size=20)


def test_an_operation_reads_as_a_sentence():
    assert str(GOT) == ("client 3, round 1, asked for 20 with 10 at 0.7500 s, got thread 7 at 1.0000 s after 1213")
    assert str(LOST).endswith("asked for 10 with 20 at 0.0000 s, unknown at 2.0000 s after 2013")


def test_the_pair_has_the_smaller_id_first():
    assert GOT.pair == LOST.pair == (10, 20)


def test_the_frame_has_a_row_per_operation_and_a_column_per_field():
    table = frame([GOT, LOST])
    assert list(table.columns) == [*Operation.__dataclass_fields__, "latency_ms", "service_ms"]
    assert list(table["client"]) == [3, 4]
    assert list(table["outcome"]) == ["ok", "unknown"]
    assert list(table["refusals"]) == [(1213,), (2013,)]


def test_latency_counts_from_the_intended_start_and_service_time_does_not_in_milliseconds():
    table = frame([GOT, LOST])
    assert list(table["latency_ms"]) == [500.0, 2000.0]
    assert list(table["service_ms"]) == [250.0, 2000.0]


def test_a_thread_id_stays_a_whole_number_beside_one_that_is_missing():
    threads = frame([GOT, LOST])["thread"]
    assert threads.dtype == "Int64"
    assert threads[0] == 7
    assert threads[1] is pd.NA


def test_the_frame_of_nothing_has_all_columns():
    assert list(frame([]).columns) == list(frame([GOT]).columns)
    assert len(frame([])) == 0


@given(st.lists(st.tuples(st.fixed_dictionaries({"strategy": names, "pattern": names}), operations), max_size=8))
def test_what_was_written_is_read(tmp_path_factory, records):
    path = tmp_path_factory.mktemp("history") / "history.jsonl"
    write(path, records)
    assert read(path) == records


def test_a_line_is_one_json_object_with_the_variant_first(tmp_path):
    write(tmp_path / "h.jsonl", [({"strategy": "mine"}, GOT)])
    (line,) = (tmp_path / "h.jsonl").read_text().splitlines()
    fields = json.loads(line)
    assert list(fields) == ["strategy", *Operation.__dataclass_fields__]
    assert (fields["outcome"], fields["refusals"], fields["thread"]) == ("ok", [1213], 7)


@pytest.mark.parametrize(
    "broken",
    ["{", "[]", "7", "null", '{"client": 1}', "", "outcome: ok", '{"outcome": "maybe"}'],
    ids=["cut", "a list", "a number", "null", "fields missing", "empty", "no JSON", "hardly anything"],
)
def test_a_broken_line_is_named(broken, tmp_path):
    path = tmp_path / "history.jsonl"
    write(path, [({"strategy": "mine"}, GOT)])
    path.write_text(f"{path.read_text()}{broken}\n{path.read_text()}")
    with pytest.raises(ValueError, match=r"history\.jsonl, line 2: not an operation"):
        read(path)


def test_a_line_with_an_unknown_outcome_word_is_named(tmp_path):
    path = tmp_path / "history.jsonl"
    write(path, [({}, GOT)])
    path.write_text(path.read_text().replace('"ok"', '"perhaps"'))
    with pytest.raises(ValueError, match=r"history\.jsonl, line 1: not an operation .*perhaps"):
        read(path)
