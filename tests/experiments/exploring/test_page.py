"""The page of explored strategies: it can be ended at any time, goes on where it was, and shows what was found."""

import json

import pytest

from chatsim.experiments.exploring import cases as module
from chatsim.experiments.exploring.cases import Kept, cases
from chatsim.experiments.exploring.page import main

SMALL = ["--callers", "2", "--strategies", "one_round_trip,upsert", "--cursors", ""]


class Explorations:
    """Counts explorations; the one with a given number, from 0, is killed."""

    def __init__(self, monkeypatch, killed=None):
        self.count = 0
        explored = module.Exploring.strategy

        def explore(how, strategy):
            self.count += 1
            if self.count - 1 == killed:
                raise KeyboardInterrupt
            return explored(how, strategy)

        monkeypatch.setattr(module.Exploring, "strategy", explore)


@pytest.fixture
def run(tmp_path):
    def run(*more):
        main(["--out", str(tmp_path / "page.md"), "--kept", str(tmp_path / "kept.jsonl"), *SMALL, *more])
        return (tmp_path / "page.md").read_text()

    return run


def rows(page):
    return [line for line in page.splitlines() if line.startswith("| `")]


def test_a_command_that_was_killed_goes_on_and_repeats_nothing(run, tmp_path, monkeypatch):
    wanted = len(list(cases([2], ["one_round_trip", "upsert"])))
    with monkeypatch.context() as patch:
        first = Explorations(patch, killed=5)
        with pytest.raises(SystemExit, match="130"):
            run()
    assert first.count == 6
    kept = tmp_path / "kept.jsonl"
    kept.write_text(kept.read_text() + kept.read_text()[:100])  # killed while it wrote a line
    with monkeypatch.context() as patch:
        second = Explorations(patch)
        page = run()
    assert second.count == wanted - 5
    assert len(list(map(json.loads, kept.read_text().splitlines()))) == wanted
    with monkeypatch.context() as patch:
        third = Explorations(patch)
        assert run() == page
    assert third.count == 0


def test_each_case_has_its_counts_and_its_shortest_counterexamples(run):
    found = rows(run())
    assert "| `one_round_trip` | proved |" in found
    assert "| `upsert` | orphans, serializable |" in found
    assert "| `one_round_trip` | **READ COMMITTED** | nothing, neighbours | 50 | 22 | 2 ok: 2 | proved |" in found
    assert (
        "| `upsert` | REPEATABLE READ | nothing, neighbours | 50 | 20 | 2 ok: 2 | orphans in 8, serializable in 8 |"
        in found
    )


def test_a_case_without_time_is_inconclusive_and_done_again_with_more(run, monkeypatch):
    page = run("--seconds", "0", "--strategies", "upsert")
    assert "| `upsert` | inconclusive |" in rows(page)
    again = Explorations(monkeypatch)
    assert "inconclusive |" not in "\n".join(rows(run("--strategies", "upsert")))
    assert again.count == len(list(cases([2], ["upsert"])))


def test_a_file_that_holds_something_else_is_refused(tmp_path):
    path = tmp_path / "kept.jsonl"
    path.write_text('{"case": {"strategy": "upsert"}}\n')
    with pytest.raises(ValueError, match="says nothing about a case"):
        Kept(path)
    path.write_text("no JSON\n")
    with pytest.raises(ValueError, match="Expecting value"):
        Kept(path)


def test_an_unknown_strategy_is_refused(run, capsys):
    with pytest.raises(SystemExit, match="2"):
        run("--strategies", "upsert,no_such")
    assert "'no_such' is no shipped creation strategy" in capsys.readouterr().err


def test_kinds_of_cursor_have_a_row_for_all_that_may_be_new(run):
    found = rows(run("--strategies", "upsert", "--cursors", "message_id,user_log"))
    assert "| `message_id` | message | 560 | 138 | skipped in 8 |" in found
    assert [line.split(" | ")[1:2] + line.split(" | ")[4:] for line in found if line.startswith("| `user_log`")] == [
        ["message", "proved |"],
        ["thread", "proved |"],
        ["change", "proved |"],
    ]
    with pytest.raises(SystemExit, match="2"):
        run("--cursors", "mine")
