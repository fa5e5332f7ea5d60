"""One MySQL between commands, called as `chatsim mysql` and as functions."""

import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import pytest
from click.testing import CliRunner

from chatsim.cli import main
from chatsim.db.errors import DatabaseError
from chatsim.worlds.mysql import driver
from chatsim.worlds.mysql.servers import background, debian, ladder, private
from chatsim.worlds.mysql.servers.mysqld import MySQL, Profile

QUICK = MySQL(Profile.QUICK)

AGAIN = "A MySQL is running in the background already; its settings are as they are."


@pytest.fixture(autouse=True)
def home(monkeypatch):
    """A cache and a folder for instances of this test's own; what it left running is ended.

    The unpacked server is the shared one.
    """
    shared = debian.cache()
    with tempfile.TemporaryDirectory(prefix="home-") as folder:
        for name in ("mysql", "templates"):
            (shared / name).mkdir(parents=True, exist_ok=True)
            (Path(folder) / name).symlink_to(shared / name)
        monkeypatch.setenv("CHATSIM_CACHE", folder)
        monkeypatch.setenv("TMPDIR", folder)
        monkeypatch.setattr(tempfile, "tempdir", None)
        monkeypatch.delenv("CHATSIM_MYSQL_URL", raising=False)
        yield Path(folder)
        background.stop()
        assert list(Path(folder).glob("chatsim-*")) == []


@pytest.fixture
def call():
    """A function that calls the command line in this process; gives the exit status, output and error output."""

    def call(*words):
        done = CliRunner().invoke(main, words)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done.exit_code, done.stdout, done.stderr

    return call


def command(*words):
    """The command line in a process of its own."""
    script = [sys.executable, "-m", "chatsim", *words]
    return subprocess.run(script, capture_output=True, text=True, check=False, timeout=60)


def ask(url, sql):
    async def asking():
        session = await driver.connect(url)
        rows = await session.execute(sql)
        await session.close()
        return rows.rows

    return asyncio.run(asking())


def wait_until(true, seconds=15):
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.01)


# as functions


@pytest.mark.needs("apt")
def test_it_runs_from_start_to_stop(home):
    assert background.running() is None
    there = background.start(QUICK)
    assert background.running() == there
    assert ask(there.url, "SELECT @@log_bin") == ((0,),)
    assert background.stop() == there
    assert background.running() is None
    assert list(home.glob("chatsim-*")) == list(home.glob("*.json")) == []
    with pytest.raises(DatabaseError):
        ask(there.url, "SELECT 1")


@pytest.mark.needs("apt")
def test_one_that_was_killed_is_noticed_and_another_can_be_started(home):
    killed = background.start(QUICK)
    (server,) = psutil.Process(killed.pid).children()
    psutil.Process(killed.pid).terminate()
    wait_until(lambda: background.running() is None)
    wait_until(lambda: not server.is_running() or server.status() == psutil.STATUS_ZOMBIE)
    there = background.start(QUICK)
    assert there.pid != killed.pid
    assert background.running() == there


def test_stopping_nothing_is_harmless():
    assert background.stop() is None


@pytest.mark.parametrize(
    "note", ["", "{", "[]", "{}", '{"url": "mysql://root@127.0.0.1:1"}', '{"url": "", "pid": "me", "started": 0}']
)
def test_a_note_that_makes_no_sense_is_no_server(home, note):
    (home / "mysql-in-background.json").write_text(note)
    assert background.running() is None
    assert background.stop() is None


def test_another_process_with_the_number_in_the_note_is_no_server_and_is_left_alone(home):
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as bystander:
        noted = {"url": "mysql://root@127.0.0.1:1", "pid": bystander.pid, "started": 1.0}
        (home / "mysql-in-background.json").write_text(json.dumps(noted))
        assert background.running() is None
        assert background.stop() is None
        assert bystander.poll() is None
        bystander.communicate(b"\n")


def test_a_port_in_use_leaves_no_note(home):
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(private.StartError, match="is in use"):
        background.start(QUICK, taken.getsockname()[1])
    assert list(home.glob("*.json")) == []


def test_a_machine_without_a_server_program_says_so(monkeypatch, home):
    (home / "mysql").unlink()
    monkeypatch.setenv("PATH", str(home))
    with pytest.raises(
        ladder.NoServerError, match=r"path: no mysqld on the PATH; unpacked: apt-get is not on the PATH"
    ):
        background.start(QUICK)


# as a user


@pytest.mark.needs("apt")
def test_it_outlives_the_command_that_starts_it(call):
    port = private.free_port()
    done = command("mysql", "start", "--profile", "quick", "--port", str(port))
    url = f"mysql://root@127.0.0.1:{port}"
    assert (done.returncode, done.stdout) == (0, f"{url}\n")
    hint = f"To use it: export CHATSIM_MYSQL_URL={url}\nTo stop it: chatsim mysql stop\n"
    assert done.stderr == hint
    assert ask(url, "SELECT 1") == ((1,),)

    assert call("mysql", "start") == (0, f"{url}\n", f"{AGAIN}\n{hint}")
    assert call("mysql")[1].endswith(f"In the background: {url}\n")

    done = command("mysql", "stop")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"stopped {url}\n", "")
    assert background.running() is None


def test_mysql_shows_every_rung_and_which_is_used(call, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    monkeypatch.setattr(debian, "is_unpacked", lambda _: True)
    monkeypatch.setattr(ladder.shutil, "which", lambda _: None)
    status, output, _ = call("mysql")
    assert status == 0
    assert output.splitlines() == [
        "- url        no URL is named (set CHATSIM_MYSQL_URL)",
        "- container  no Docker engine answers",
        "- path       no mysqld on the PATH",
        f"* unpacked   {debian.folder(QUICK.packages)}",
        "",
        "* is used   + could be used instead   - can't be used",
    ]


def test_mysql_says_what_is_wrong_with_the_one_that_is_named(call):
    port = private.free_port()
    said = call("mysql", "--mysql-url", f"mysql://me:sesame@127.0.0.1:{port}")[1]
    first, *others, _, _ = said.splitlines()
    assert first.endswith("it is named, so no other server is used instead")
    assert not [line for line in others if line.startswith("*")]
    assert first.startswith(f"- url        MySQL at mysql://me:***@127.0.0.1:{port} can't be used: ")
    assert call("mysql", "--mysql-url", "postgres://db")[1].startswith(
        "- url        'postgres://db' is not of the form"
    )


def test_stop_without_one_says_so(call):
    assert call("mysql", "stop") == (0, "no MySQL was running in the background\n", "")


@pytest.mark.parametrize("port", ["0", "65536", "many"])
def test_a_port_that_can_not_be_is_refused(call, port):
    status, _, said = call("mysql", "start", "--port", port)
    assert status == 2
    assert "Invalid value for '--port'" in said


def test_clean_drops_what_killed_runs_left_and_nothing_else(call, mysql_url):
    ask(mysql_url, "CREATE DATABASE chatsim_0123456789ab")
    ask(mysql_url, "CREATE DATABASE chatsim_mine")
    try:
        status, output, _ = call("mysql", "clean", "--mysql-url", mysql_url)
        assert status == 0
        assert "chatsim_0123456789ab" in output
        assert "chatsim_mine" not in output
        assert call("mysql", "clean", "--mysql-url", mysql_url) == (0, "nothing to drop\n", "")
        left = {name for (name,) in ask(mysql_url, "SHOW DATABASES LIKE 'chatsim%'")}
        assert left == {"chatsim_mine"}
    finally:
        ask(mysql_url, "DROP DATABASE chatsim_mine")


def test_clean_takes_the_server_of_the_environment(call, mysql_url, monkeypatch):
    monkeypatch.setenv("CHATSIM_MYSQL_URL", mysql_url)
    assert call("mysql", "clean")[0] == 0


def test_clean_needs_a_server_that_is_named(call):
    assert call("mysql", "clean") == (2, "", "Error: no MySQL is named: give --mysql-url, or set CHATSIM_MYSQL_URL\n")


def test_clean_on_a_server_that_is_not_there_is_one_sentence(call):
    status, output, said = call("mysql", "clean", "--mysql-url", f"mysql://root@127.0.0.1:{private.free_port()}")
    assert (status, output) == (2, "")
    assert said.startswith("Error: ")
    assert said.count("\n") == 1


@pytest.mark.needs("apt")
def test_fetch_says_where_it_is(call):
    status, output, _ = call("mysql", "fetch")
    assert (status, output) == (0, f"{debian.folder(QUICK.packages) / 'root'}{os.linesep}")
