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


STOCK = "CREATE TABLE stock (id INT PRIMARY KEY, amount INT NOT NULL);"


@pytest.fixture
def tables(tmp_path):
    path = tmp_path / "tables.sql"
    path.write_text(STOCK)
    return path


@pytest.mark.parametrize("name", ["draft.sql", "draft.json"])
def test_a_draft_is_written_that_the_schedule_command_plays(tmp_path, report, tables, name):
    path = tmp_path / name
    shown = deadlock(report, "--tables", tables, "--draft", path)
    assert shown.exit_code == 0
    assert "In the model, it ends in the same cycle of waits. Play it with: chatsim schedule --world" in shown.stderr
    played = CliRunner().invoke(main, ["schedule", "--world", "model", str(path)])
    assert played.exit_code == 0
    assert "Deadlock at step 6:\n ┌─▶ transaction 1 (a): UPDATE stock" in played.stdout
    data = json.loads(CliRunner().invoke(main, ["schedule", "--world", "model", "--json", str(path)]).stdout)
    assert data["deadlocks"]["6"][0]["explanation"].startswith("Transaction 1 (a: UPDATE stock")


def test_of_many_the_latest_of_the_most_frequent_kind_is_drafted(tmp_path, report, tables):
    other = tmp_path / "other"
    other.write_text(mysql_5_1() + mysql_8_0().replace("2944", "3944").replace("07:51:55", "08:00:00"))
    assert deadlock(report, other, "--tables", tables, "--draft", tmp_path / "draft.sql").exit_code == 0
    assert (tmp_path / "draft.sql").read_text().startswith("-- A draft from the report of a deadlock of 2024-08-04 08:")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"--draft": "draft.sql"}, "--draft writes a schedule with the tables of --tables: give both"),
        ({"--tables": "tables.sql"}, "--draft writes a schedule with the tables of --tables: give both"),
        ({"--tables": "no-such", "--draft": "draft.sql"}, "no-such: No such file or directory"),
        ({"--tables": "tables.sql", "--draft": "tables.sql"}, "tables.sql is there already: name another file"),
        ({"--tables": "tables.sql", "--draft": "no/draft.sql"}, "no/draft.sql: No such file or directory"),
        ({"--tables": "bad.sql", "--draft": "draft.sql"}, "the tables can't be made in the model: "),
    ],
)
def test_what_can_not_be_drafted(tmp_path, report, tables, given, message):
    (tmp_path / "bad.sql").write_text("CREATE TABLE stock (id INT PRIMARY KEY")
    args = [part for name, value in given.items() for part in (name, tmp_path / value)]
    shown = deadlock(report, *args)
    assert shown.exit_code == 2
    assert message in shown.stderr
    assert not (tmp_path / "draft.sql").exists()
