"""A history is one record per operation; it survives being written and read, and makes a tidy table."""

import asyncio
import json

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatsim.db.errors import ConnectionLostError, DatabaseError, DeadlockError, Kind
from chatsim.experiments.history import Operation, Outcome, Recorder, frame, read, write

GOT = Operation(
    client=3,
    round=1,
    kind="create",
    asked={"uid": 20, "other": 10},
    intended=0.5,
    start=0.75,
    end=1.0,
    outcome=Outcome.OK,
    attempts=2,
    refusals=(Kind.DEADLOCK,),
    value={"thread": 7},
)
LOST = Operation(
    client=4,
    round=0,
    kind="create",
    asked={"uid": 10, "other": 20},
    intended=0.0,
    start=0.0,
    end=2.0,
    outcome=Outcome.UNKNOWN,
    attempts=1,
    refusals=(Kind.CONNECTION_LOST,),
)

values = st.integers() | st.text(max_size=8) | st.lists(st.integers(), max_size=3)
"""What is plain enough for a line of JSON."""

moments = st.floats(0, 1e6, allow_nan=False)
operations = st.builds(
    Operation,
    client=st.integers(0),
    round=st.integers(0),
    kind=st.sampled_from(["create", "write", "page"]),
    asked=st.dictionaries(st.text(max_size=8), values, max_size=3),
    intended=moments,
    start=moments,
    end=moments,
    outcome=st.sampled_from(Outcome),
    attempts=st.integers(1),
    refusals=st.lists(st.sampled_from(Kind)).map(tuple),
    value=st.dictionaries(st.text(max_size=8), values, max_size=3),
    reason=st.text(max_size=20),
)
names = st.text(max_size=20)


def test_an_operation_reads_as_a_sentence():
    assert str(GOT) == ("client 3, round 1: create uid 20, other 10 at 0.7500 s, thread 7 at 1.0000 s after deadlock")
    assert str(LOST).endswith("create uid 10, other 20 at 0.0000 s, unknown at 2.0000 s after connection lost")


def test_a_sentence_says_why_it_was_refused_and_shortens_what_is_long():
    refused = Operation(0, 0, "send", {"content": "x" * 100}, 0.0, 0.0, 0.5, Outcome.FAIL, reason="1213: Deadlock")
    assert str(refused) == f"client 0, round 0: send content {'x' * 59}… at 0.0000 s, fail at 0.5000 s (1213: Deadlock)"
    assert "s, ok at" in str(Operation(0, 0, "send", {}, 0.0, 0.0, 0.5)), "what gives nothing has gone well"


def test_the_frame_has_a_row_per_operation_and_a_column_per_field():
    table = frame([GOT, LOST])
    fields = [name for name in Operation.__dataclass_fields__ if name not in {"asked", "value"}]
    assert list(table.columns) == [*fields, "uid", "other", "thread", "latency_ms", "service_ms"]
    assert list(table["client"]) == [3, 4]
    assert list(table["outcome"]) == ["ok", "unknown"]
    assert list(table["refusals"]) == [("deadlock",), ("connection lost",)]


def test_latency_counts_from_the_intended_start_and_service_time_does_not_in_milliseconds():
    table = frame([GOT, LOST])
    assert list(table["latency_ms"]) == [500.0, 2000.0]
    assert list(table["service_ms"]) == [250.0, 2000.0]


def test_a_thread_id_stays_a_whole_number_beside_one_that_is_missing():
    threads = frame([GOT, LOST])["thread"]
    assert threads.dtype == "Int64"
    assert threads[0] == 7
    assert threads[1] is pd.NA


def test_the_frame_of_nothing_has_all_columns_but_what_was_asked_and_got():
    assert [*frame([]).columns] == [name for name in frame([GOT]).columns if name not in {"uid", "other", "thread"}]
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
    assert (fields["outcome"], fields["refusals"], fields["value"]) == ("ok", ["deadlock"], {"thread": 7})


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


# --- recording


def recorded(call, **options):
    """The record of one operation, on a loop whose clock has been set by nobody."""

    async def body():
        recorder = Recorder(4, asyncio.get_running_loop().time())
        return await recorder.record("create", {"uid": 1}, call, turn=2, **options)

    return asyncio.run(body())


def test_what_ends_well_is_recorded_with_what_the_caller_got():
    async def call(refused):
        refused(DeadlockError(1213, "once"))
        return {"thread": 7}

    got = recorded(call)
    assert (got.client, got.round, got.kind, got.asked, got.value) == (4, 2, "create", {"uid": 1}, {"thread": 7})
    assert (got.outcome, got.attempts, got.refusals, got.reason) == (Outcome.OK, 2, (Kind.DEADLOCK,), "")
    assert 0 <= got.intended == got.start <= got.end


@pytest.mark.parametrize(
    ("met", "outcome"),
    [
        ([DeadlockError(1213, "gone")], Outcome.FAIL),
        ([ConnectionLostError(2013, "gone")], Outcome.UNKNOWN),
        ([ConnectionLostError(2013, "gone"), DeadlockError(1213, "gone")], Outcome.UNKNOWN),
    ],
    ids=["refused", "lost", "lost, and then refused"],
)
def test_what_is_refused_is_recorded_with_its_causes_and_is_unknown_if_any_try_was_lost(met, outcome):
    async def call(refused):
        for error in met:
            refused(error)
        raise met[-1]

    got = recorded(call)
    assert (got.outcome, got.value, got.attempts) == (outcome, {}, len(met))
    assert got.refusals == tuple(error.kind for error in met)
    assert got.reason == str(met[-1])


def test_a_refusal_that_is_no_databases_is_a_try_too_and_may_be_in_doubt():
    async def call(_):
        raise KeyError("nobody")

    got = recorded(call, refusable=(KeyError,), in_doubt=lambda: True)
    assert (got.outcome, got.attempts, got.refusals) == (Outcome.UNKNOWN, 1, ())
    assert recorded(call, refusable=(KeyError,)).outcome is Outcome.FAIL


@pytest.mark.parametrize("refusable", [(), (KeyError,)])
def test_an_error_that_is_no_outcome_is_raised(refusable):
    async def call(_):
        raise DatabaseError(1064, "misspelt")

    with pytest.raises(DatabaseError, match="misspelt"):
        recorded(call, refusable=refusable)


def test_latency_can_be_counted_from_when_it_was_due():
    async def call(_):
        return {}

    got = recorded(call, intended=-1e9)
    assert got.intended < got.start
