"""``chatsim pages`` says the same as the calls beneath it, in a table or as JSON, and by its exit status."""

import asyncio
import json

import pytest
from click.testing import CliRunner

from chatsim.cli import main
from chatsim.worlds.mysql.stale_schemas import drop_stale_schemas

SMALL = ["--existing", "30", "--page-size", "5", "--rounds", "1"]
MODEL = ["--world", "model", *SMALL]
KEYS = {
    *("strategy", "what", "world", "existing", "depth", "page_size", "index_reads", "rows_examined", "round_trips"),
    *("bytes", "p50_ms", "p99_ms", "messages_per_s", "repeated", "skipped", "verdict"),
}


def pages(*words):
    return CliRunner().invoke(main, ["pages", *words], prog_name="chatsim")


def rows(result):
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_as_json_it_prints_one_object_a_line_for_each_page_measured(mysql_url):
    result = pages("--json", *SMALL, "--strategies", "offset,union_limited", "--writers", "none,inserts")
    asyncio.run(drop_stale_schemas(mysql_url))
    assert result.exit_code == 0
    found = rows(result)
    assert [(row["strategy"], row["depth"], row["writers"]) for row in found] == [
        (strategy, depth, writers)
        for strategy in ("offset", "union_limited")
        for depth in ("first", "middle", "last")
        for writers in ("none", "inserts")
    ]
    for row in found:
        assert set(row) >= KEYS
        assert (row["what"], row["world"], row["existing"], row["page_size"]) == ("threads", "mysql", 30, 5)
    assert {row["verdict"] for row in found if row["strategy"] == "union_limited"} == {"not tested", "safe"}


def test_it_prints_a_table_with_its_conditions():
    result = pages(*MODEL, "--what", "history", "--strategies", "keyset,by_time")
    assert result.exit_code == 0
    assert "Reading page by page" in result.stdout
    assert "entries/s, stack" in " ".join(result.stdout.split())
    assert "model of InnoDB 9.7" in result.stdout
    assert "page size 5" in result.stdout


def test_each_cost_is_printed_once_whoever_writes():
    given = ("--what", "history", "--strategies", "keyset", "--depths", "first", "--writers", "none,inserts,all")
    result = pages(*MODEL, "--wide", *given)
    lines = [line.split("│")[1:-1] for line in result.stdout.splitlines() if line.startswith("│")]
    cells = [[cell.strip() for cell in line] for line in lines]
    assert [line[3] for line in cells] == ["none", "inserts", "all"]
    first, *others = ([*line[5:7], *line[9:]] for line in cells)
    assert all(first)
    assert others == [[""] * len(first)] * 2
    assert {row["index_reads"] for row in rows(pages(*MODEL, "--json", *given))} == {int(first[0])}, (
        "JSON has it in each"
    )


def test_a_strategy_that_must_pass_and_does_not_is_exit_status_1():
    result = pages(*MODEL, "--what", "history", "--strategies", "keyset,by_time", "--must-pass", "by_time,keyset")
    assert result.exit_code == 1
    said = result.stderr.rpartition("\r")[2].strip()
    assert said.startswith("Not safe: by_time (30, first, none; 30, first, all; 30, middle, none; ")
    assert pages(*MODEL, "--what", "history", "--strategies", "keyset,by_time", "--must-pass", "keyset").exit_code == 0


def test_explain_shows_how_each_page_was_read_and_leaves_the_json_alone():
    result = pages(*MODEL, "--json", "--explain", "--strategies", "by_activity", "--depths", "first")
    assert len(rows(result)) == 2
    assert "plan: by_activity, first" in result.stderr
    assert "of user_thread.idx_user_activity" in result.stderr
    assert "500 members" in result.stderr
    shown = pages(*MODEL, "--explain", "--what", "history", "--strategies", "keyset", "--depths", "first")
    assert "The first page of 30: 6 of chat_message.idx_thread_message" in shown.stdout


def test_out_saves_the_result_with_the_plans(tmp_path):
    result = pages(*MODEL, "--strategies", "offset", "--depths", "last", "--out", str(tmp_path / "here"))
    assert result.exit_code == 0
    assert {path.name for path in (tmp_path / "here").iterdir()} == {
        "samples.parquet",
        "summary.json",
        "result.json",
        "environment.json",
        "config.toml",
        "history.jsonl",
        "per-second.csv",
        "per-second.png",
        "note-plan-offset-last.txt",
        "summary.png",
    }


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--strategies", "nope"], "Error: unknown paging strategy 'nope' of threads; there are: source_cte, offset,"),
        (["--what", "history", "--strategies", "source_cte"], "Error: unknown paging strategy 'source_cte' of history"),
        (["--depths", "deep"], "Error: unknown depths 'deep'; there are: first, middle, last"),
        (["--existing", "0"], "Error: existing is 0; it must be a whole number of at least 1"),
        (
            ["--strategies", "offset", "--must-pass", "union_limited"],
            "Error: --must-pass names union_limited, which --strategies leaves out",
        ),
        (["--world", "model", "--mysql-url", "mysql://x"], "Error: which server to use is said for --world mysql"),
    ],
)
def test_a_wrong_word_is_one_sentence_and_exit_status_2(words, said):
    result = pages(*words)
    assert result.exit_code == 2
    assert result.stderr.startswith(said)
    assert result.stdout == ""
