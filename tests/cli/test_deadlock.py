"""``chatsim deadlock``: from a pasted report to the reason, without a server."""

import json

import pytest
from click.testing import CliRunner
from deadlock_texts import mysql_5_1, mysql_8_0

from chatsim.cli import main
from chatsim.db.deadlock import Deadlock


def deadlock(*args, text=None):
    return CliRunner().invoke(main, ["deadlock", *map(str, args)], input=text)


@pytest.fixture
def report(tmp_path):
    path = tmp_path / "status.txt"
    path.write_text(mysql_8_0())
    return path


def test_one_is_drawn_and_explained(report):
    shown = deadlock(report)
    assert shown.exit_code == 0
    assert shown.stdout.splitlines() == [
        " ┌─▶ transaction 1: UPDATE stock SET amount = amount - 1 WHERE id = 2",
        " │   │  holds record (1) of stock.PRIMARY (X)",
        " │   │  waits for record (2) of stock.PRIMARY (X)",
        " │   ▼",
        " │   transaction 2, rolled back: UPDATE stock SET amount = 0 WHERE id = 1",
        " │   │  holds record (2) of stock.PRIMARY (X)",
        " │   │  waits for record (1) of stock.PRIMARY (X)",
        " └───┘",
        "",
        *Deadlock.read(mysql_8_0()).explain().splitlines(),
    ]


def test_the_standard_input_is_read_if_no_file_is_named(report):
    assert deadlock(text=mysql_8_0()).stdout == deadlock("-", text=mysql_8_0()).stdout == deadlock(report).stdout


def test_powershell_writes_utf_16(tmp_path, report):
    (tmp_path / "wide.txt").write_bytes(mysql_8_0().encode("utf-16"))
    assert deadlock(tmp_path / "wide.txt").stdout == deadlock(report).stdout


def test_several_are_counted_by_kind_and_the_most_frequent_comes_first(tmp_path, report):
    (tmp_path / "log").write_text(mysql_5_1() + mysql_8_0().replace("2944", "3944").replace("07:51:55", "08:00:00"))
    lines = deadlock(tmp_path / "log", report).stdout.splitlines()
    assert lines[0] == "3 deadlocks of 2 kinds, from 110902  2:24:47 to 2024-08-04 07:51:55."
    assert "1. 2 times, about stock.PRIMARY; the latest, of 2024-08-04 07:51:55:" in lines
    assert "2. 1 time, about stock.PRIMARY:" in lines
    assert sum(line.startswith(" ┌─▶ ") for line in lines) == 2


def test_json_has_every_deadlock_and_the_kinds(tmp_path, report):
    other = tmp_path / "old"
    other.write_text(mysql_5_1())
    found = json.loads(deadlock("--json", report, other).stdout)
    assert [each["victim"] for each in found["deadlocks"]] == [2, 2]
    assert found["deadlocks"][0]["participants"][0]["waits"] == {
        "table": "stock",
        "index": "PRIMARY",
        "mode": "X",
        "kind": "record",
        "record": "(2)",
        "schema": "shop",
        "deleted": False,
    }
    assert found["deadlocks"][0]["explanation"].startswith("Transaction 1 (UPDATE stock")
    assert [(each["count"], each["deadlocks"]) for each in found["kinds"]] == [(1, [0]), (1, [1])]


def test_what_is_cut_off_is_said_and_the_rest_explained(report):
    report.write_text(mysql_8_0().partition("*** (2) WAITING")[0])
    shown = deadlock(report)
    assert shown.exit_code == 0
    assert shown.stdout.splitlines()[-1] == "The end of the report is cut off."


@pytest.mark.parametrize("text", ["", "hello\n", "\x00\xff"])
def test_a_text_without_a_deadlock_is_an_error(text):
    shown = deadlock(text=text)
    assert shown.exit_code == 2
    assert shown.stderr.startswith("Error: there is no deadlock in this text; SHOW ENGINE INNODB STATUS prints")
    assert shown.stdout == ""


def test_a_file_that_is_not_there_is_an_error(tmp_path):
    shown = deadlock(tmp_path / "no-such")
    assert (shown.exit_code, shown.stderr) == (
        2,
        f"Error: {tmp_path}/no-such can't be read: No such file or directory\n",
    )
