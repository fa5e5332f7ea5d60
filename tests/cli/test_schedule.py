"""``chatsim schedule`` plays every file that it is given, and leaves a server that somebody named as it was."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from importlib import import_module

import msgspec
import pytest
from click.testing import CliRunner

from chatsim.cli import main
from chatsim.conformance import model_player
from chatsim.worlds.mysql import driver

WAITS = {
    "id": "waits",
    "sessions": ["a", "b"],
    "steps": [
        {"n": 1, "session": "a", "sql": "SELECT GET_LOCK('x', 1)"},
        {"n": 2, "session": "b", "sql": "SELECT GET_LOCK('x', 1000)"},
        {"n": 3, "session": "b", "sql": "@await"},
    ],
}
MONITOR = (
    "SELECT (SELECT COUNT(*) FROM performance_schema.metadata_locks"
    " WHERE OBJECT_NAME = 'x' AND LOCK_STATUS = 'PENDING'),"
    " @@GLOBAL.innodb_monitor_enable, @@GLOBAL.innodb_monitor_disable,"
    " (SELECT STATUS FROM information_schema.INNODB_METRICS WHERE NAME = 'purge_invoked')"
)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "waits.json"
    path.write_text(json.dumps(WAITS))
    return path


def test_ctrl_c_in_the_middle_puts_back_what_was_changed(mysql_url, schemas, file):
    known = schemas()
    before = row(mysql_url)
    with subprocess.Popen(
        [sys.executable, "-m", "chatsim", "schedule", str(file)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"CHATSIM_MYSQL_URL": mysql_url},
    ) as process:
        while row(mysql_url)[0] == before[0]:
            assert process.poll() is None, process.communicate()[1].decode()
            time.sleep(0.01)
        assert row(mysql_url)[1:] == ("purge_invoked", before[2], "enabled")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode == 130
    assert row(mysql_url) == before
    assert schemas() <= known


@pytest.mark.parametrize("command", ["schedule", "anomalies"])
def test_the_help_names_what_is_changed_meanwhile(command):
    words = " ".join(CliRunner().invoke(main, [command, "--help"]).output.split())
    assert "innodb_monitor_enable" in words
    assert "put back" in words


def row(mysql_url):
    async def ask():
        session = await driver.connect(mysql_url)
        rows = (await session.execute(MONITOR)).rows
        await session.close()
        return rows[0]

    return asyncio.run(ask())


# --- every file is played

CROSSING = """
setup: CREATE TABLE t (id INT PRIMARY KEY, v INT)
setup: INSERT INTO t VALUES (1, 10), (2, 20)
a: BEGIN
a: UPDATE t SET v = 11 WHERE id = 1
b: BEGIN
b: UPDATE t SET v = 21 WHERE id = 2
b: UPDATE t SET v = 12 WHERE id = 1
a: UPDATE t SET v = 22 WHERE id = 2
"""
REFUSED = "a: SELECT 1\na: CALL p()\na: SELECT 2"


@pytest.fixture
def files(tmp_path):
    for name, text in (("bad.json", "{"), ("crossing.txt", CROSSING), ("refused.txt", REFUSED)):
        (tmp_path / name).write_text(text)
    return [str(path) for path in sorted(tmp_path.iterdir())]


def schedule(*words, **options):
    return CliRunner().invoke(main, ["schedule", *words], **options)


def test_each_file_has_a_line_of_json_with_its_id_also_if_it_cannot_be_played(files):
    result = schedule("--world", "model", "--json", *files)
    bad, crossing, refused = map(json.loads, result.stdout.splitlines())
    assert bad["id"] == "bad"
    assert "Input data was truncated" in bad["error"]
    assert (crossing["id"], len(crossing["steps"]), crossing["deadlocks"]["6"][0]["victim"]) == ("crossing", 6, 2)
    assert crossing["final"]["t"]["rows"] == [[1, 10], [2, 20]]
    assert (refused["id"], refused["step"], len(refused["steps"])) == ("refused", 2, 1)
    assert refused["error"].startswith("refused, step 2 (a: CALL p()): the model's SQL has no ")
    assert result.exit_code == 2


def test_what_was_played_is_shown_with_its_deadlock_and_what_was_not_is_said(files):
    result = schedule("--world", "model", *files)
    assert "Deadlock at step 6:\n ┌─▶ transaction 1 (b): UPDATE t SET v = 12 WHERE id = 1\n" in result.stdout
    assert "\nTransaction 1 (b: UPDATE t SET v = 12 WHERE id = 1) holds" in result.stdout
    assert "SELECT 1" in result.stdout, "the steps before the one that is refused"
    bad, refused = result.stderr.splitlines()
    assert bad.startswith("not run: ")
    assert refused.startswith("not run: refused, step 2 (a: CALL p())")
    assert result.exit_code == 2


def test_a_schedule_comes_from_the_standard_input():
    result = schedule("--world", "model", "--json", "-", input=CROSSING)
    assert json.loads(result.stdout)["id"] == "schedule"
    assert result.exit_code == 0


def test_a_check_counts_what_was_played_and_says_what_expects_nothing(files):
    result = schedule("--world", "model", "--check", *files)
    assert result.stdout.startswith("who waits, who ends: 0 of 0 agree\n")
    assert "not run: crossing does not say what to expect" in result.stderr
    assert result.exit_code == 2


@pytest.mark.slow
def test_both_worlds_are_compared_without_a_recorded_outcome(mysql_url, files):
    result = schedule("--world", "both", "--json", "--mysql-url", mysql_url, files[1])
    line = json.loads(result.stdout)
    assert line["differences"] == [None, None, None]
    assert line["mysql"]["final"] == line["model"]["final"]
    assert result.exit_code == 0
    result = schedule("--world", "both", "--mysql-url", mysql_url, *files)
    assert result.stdout.splitlines()[0] == "who waits, who ends: 1 of 1 agree"
    assert result.stderr.count("not run: ") == 2
    assert result.exit_code == 2


@pytest.mark.slow
def test_a_difference_between_the_worlds_is_told_with_status_1(mysql_url, files, monkeypatch):
    whole = model_player.play
    monkeypatch.setattr(model_player, "play", lambda each, **_: msgspec.structs.replace(whole(each), final={}))
    result = schedule("--world", "both", "--mysql-url", mysql_url, files[1])
    assert result.stdout.startswith("crossing: at the end t was expected to be ")
    assert result.exit_code == 1


@pytest.mark.slow
def test_a_table_whose_name_is_a_reserved_word_is_set_up_on_the_server(mysql_url):
    script = "setup: CREATE TABLE `option` (`key` INT PRIMARY KEY)\na: INSERT INTO `option` VALUES (1)"
    result = schedule("--json", "--mysql-url", mysql_url, "-", input=script)
    assert json.loads(result.stdout)["final"]["option"]["rows"] == [[1]]


def test_checking_against_the_files_and_between_the_worlds_is_not_both():
    result = schedule("--world", "both", "--check", "x.json")
    assert result.stderr == (
        "Error: --world both compares the worlds with each other, --check with the files: give either\n"
    )
    assert result.exit_code == 2


def test_the_model_has_a_binary_log_in_both_worlds_if_the_server_has(monkeypatch, files):
    seen, whole = [], model_player.play

    def play(schedule, *, log_bin=False):
        seen.append(log_bin)
        return whole(schedule, log_bin=log_bin)

    @contextmanager
    def server(_):
        yield whole, True

    monkeypatch.setattr(model_player, "play", play)
    monkeypatch.setattr(import_module("chatsim.cli.schedule"), "_mysql", server)
    schedule("--world", "both", files[1])
    assert seen == [True]
