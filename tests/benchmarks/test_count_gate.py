"""The count gate: costs are measured, recorded with a line each, and what differs is named."""

import gc
import json
import sys

import costs
import pytest
from counting import gate
from counting.cases import Case

CASE = Case("a case", run=None)


def record(path, **by_server):
    path.write_text(json.dumps(by_server))
    return gate.Record.read(path)


def test_what_differs_is_named_with_the_case_and_both_values():
    recorded = gate.Record({"server": {"a case: kept": 1, "a case: more": 1_000, "a case: gone": 2, "other: left": 3}})
    found = recorded.differences("server", {"a case: kept": 1, "a case: more": 1_200, "a case: fresh": 4}, [CASE])
    assert [*map(str, found)] == [
        "a case: fresh: 4, and nothing is recorded",
        "a case: gone: 2 is recorded, and it is not measured any more",
        "a case: more: 1,000 -> 1,200 (+200)",
    ]


def test_a_cost_that_falls_is_named_too():
    (found,) = gate.Record({"server": {"a case: less": 3}}).differences("server", {"a case: less": 1}, [CASE])
    assert str(found) == "a case: less: 3 -> 1 (-2)"


def test_a_server_without_recorded_costs_is_an_error():
    with pytest.raises(gate.BadRecordError, match="no costs are recorded for MySQL 1; there are those of: the model"):
        gate.Record({"the model": {}}).differences("MySQL 1", {}, [])


def test_what_is_written_has_a_sorted_line_for_each_cost(tmp_path):
    recorded = gate.Record({"b": {"a case: y": 1, "a case: old": 1, "other: x": 2}, "a": {"a case: x": 3}})
    recorded.replace("b", {"a case: z": 5, "a case: y": 4}, [CASE])
    recorded.write(tmp_path / "costs.json")
    assert (tmp_path / "costs.json").read_text().splitlines() == [
        *("{", ' "a": {', '  "a case: x": 3', " },"),
        *(' "b": {', '  "a case: y": 4,', '  "a case: z": 5,', '  "other: x": 2', " }", "}"),
    ]
    assert gate.Record.read(tmp_path / "costs.json").by_server == recorded.by_server


@pytest.mark.parametrize("text", ["", "[]", '{"server": 1}', '{"server": {"cost": "one"}}', "\xff"])
def test_a_file_that_is_no_record_is_an_error(tmp_path, text):
    path = tmp_path / "costs.json"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(gate.BadRecordError, match=r"costs\.json"):
        gate.Record.read(path)


def test_a_file_that_is_not_there_has_no_costs(tmp_path):
    assert gate.Record.read(tmp_path / "none.json").by_server == {}


def test_no_name_of_a_case_is_the_beginning_of_another():
    names = [f"{case.name}: " for case in gate.all_cases()]
    assert len({*names}) == len(names)
    assert not [(one, other) for one in names for other in names if one != other and other.startswith(one)]


def run(monkeypatch, capsys, *words):
    monkeypatch.setattr(sys, "argv", ["costs.py", *map(str, words)])
    status = costs.main()
    said = capsys.readouterr()
    return status, said.out, said.err


def test_the_command_records_compares_and_fails(monkeypatch, capsys, tmp_path):
    path = tmp_path / "costs.json"
    words = ("--world", "model", "--only", "one caller creates by upsert", "--file", path)
    status, _, complaint = run(monkeypatch, capsys, *words)
    assert (status, complaint.split(";")[0]) == (2, "Error: no costs are recorded for the model")
    assert run(monkeypatch, capsys, *words, "--write")[0] == 0
    assert run(monkeypatch, capsys, *words)[0] == 0
    cost = "one caller creates by upsert: new chat, round trips"
    path.write_text(path.read_text().replace(f'"{cost}": 4', f'"{cost}": 3'))
    status, said, hint = run(monkeypatch, capsys, *words)
    assert status == 1
    assert f"the model: {cost}: 3 -> 4 (+1)" in said
    assert "make costs WRITE=1" in hint


def test_a_name_that_no_case_has_is_an_error(monkeypatch, capsys):
    status, _, complaint = run(monkeypatch, capsys, "--only", "nonsense")
    assert (status, complaint) == (2, "Error: no case has 'nonsense' in its name\n")


def test_no_garbage_is_collected_while_the_model_is_measured():
    async def run(_):
        return {"collector": gc.isenabled()}

    assert gate.in_model([Case("a case", run)]) == {"a case: collector": False}
    assert gc.isenabled()


def test_what_depends_on_which_connection_is_free_is_not_compared_on_a_server():
    varying = ("database round trips", "statements", "rows examined")
    for server, recorded in gate.Record.read(gate.RECORDED).by_server.items():
        found = [cost for cost in recorded if cost.startswith("a catch-up") and cost.endswith(varying)]
        assert bool(found) == (server == gate.MODEL)
    catching_up = [case for case in gate.all_cases("a catch-up") if case.one_caller]
    assert all(name.endswith(tuple(case.timed)) for case in catching_up for name in varying)


def test_the_costs_of_one_caller_are_recorded_for_a_server_too():
    servers = gate.Record.read(gate.RECORDED).by_server
    assert gate.MODEL in servers
    names = {case.name for case in gate.all_cases() if case.one_caller}
    for server, recorded in servers.items():
        if server != gate.MODEL:
            assert {cost.partition(": ")[0] for cost in recorded} == names
