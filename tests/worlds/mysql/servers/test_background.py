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
from chatsim.experiments.catchup.experiment import CatchUp
from chatsim.experiments.mix.experiment import Mix
from chatsim.experiments.runner import place
from chatsim.experiments.talk.experiment import Talk
from chatsim.worlds.mysql import driver
from chatsim.worlds.mysql.servers import background, debian, ladder, private
from chatsim.worlds.mysql.servers.mysqld import MySQL, Profile
from chatsim.worlds.mysql.settings import Servers

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


# it is used


@pytest.fixture
def running():
    """The one in the background."""
    return background.start(QUICK)


@pytest.fixture
def nothing_else(monkeypatch):
    """Fails the test should another rung be tried."""
    for rung in (ladder.Container, ladder.OnPath, ladder.Unpacked):
        monkeypatch.setattr(rung, "open", lambda rung: pytest.fail(f"{rung.name} was tried"))


@pytest.mark.needs("apt")
@pytest.mark.usefixtures("nothing_else")
def test_one_that_runs_is_used_by_itself_and_so_it_is_said(running, call, home):
    small = ["--strategies", "upsert", "--clients", "2", "--rounds", "3", "--out", str(home / "out")]
    status, output, said = call("race", *small)
    assert status == 0
    using = f"The MySQL in the background is used ({running.url}, profile quick); --mysql-via takes another."
    assert said.splitlines()[0] == using
    environment = json.loads((home / "out" / "environment.json").read_text())
    assert (environment["rung"], environment["profile"]) == ("background", "quick")
    assert "in the background, profile quick" in " ".join(output.split())
    assert using not in call("race", "--quiet", *small)[2]
    assert background.running() == running, "it is left running"
    assert ask(running.url, "SHOW DATABASES LIKE 'chatsim%'") == (), "and clean"
    assert call("mysql", "clean") == (0, "nothing to drop\n", "")


@pytest.mark.needs("apt")
def test_one_that_is_named_is_used_instead(running, mysql_url, monkeypatch):
    for servers in (Servers(mysql_url=mysql_url), Servers()):
        with servers.mysql() as server:
            assert (server.rung, server.url) == ("url", mysql_url)
        assert servers.announcement() is None
        monkeypatch.setenv("CHATSIM_MYSQL_URL", mysql_url)


@pytest.mark.needs("apt")
@pytest.mark.parametrize(
    "servers",
    [
        Servers(mysql_via="unpacked", profile="quick"),
        Servers(profile="quick").alone(),
        Servers(profile="quick", settings=(("max_connections", "99"),)),
    ],
    ids=["another way", "alone", "settings"],
)
@pytest.mark.usefixtures("running")
def test_it_is_not_used_where_another_way_an_own_one_or_settings_are_asked_for(servers, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    assert servers.announcement() is None
    with servers.mysql() as server:
        assert (server.rung in ("path", "unpacked"), server.own) == (True, True)


@pytest.mark.parametrize("given", [{"crashes": 1}, {"crashes": 2, "faults": "redis,host"}])
def test_what_kills_the_server_does_not_use_it(given):
    assert place(Talk(**given), Servers()) == Servers(background=False)
    assert place(CatchUp(protocols="direct", crashes=1), Servers()) == Servers(background=False)


def test_what_kills_no_server_may_use_it():
    for experiment in (Talk(crashes=0), Talk(faults="node"), CatchUp(), Mix()):
        assert place(experiment, Servers()) == Servers()


def test_one_that_does_not_answer_is_not_used_and_so_it_is_said(home, caplog, monkeypatch):
    me = psutil.Process()
    url = f"mysql://root@127.0.0.1:{private.free_port()}"
    (home / "mysql-in-background.json").write_text(
        json.dumps({"url": url, "pid": me.pid, "started": me.create_time(), "profile": "quick"})
    )
    for rung in (ladder.Container, ladder.OnPath):
        monkeypatch.setattr(rung, "open", unavailable)
    monkeypatch.setattr(ladder.Unpacked, "open", lambda _: "the next one")
    assert ladder.climb(QUICK) == "the next one"
    assert Servers().announcement() is None
    assert {record.levelname for record in caplog.records} == {"WARNING"}
    (said,) = caplog.messages  # once, and it is not asked again
    assert said.startswith(f"The MySQL in the background is not used: MySQL at {url} can't be used: ")
    (home / "mysql-in-background.json").unlink()


def unavailable(_):
    raise ladder.UnavailableError("not here")


# as a user


@pytest.mark.needs("apt")
def test_it_outlives_the_command_that_starts_it(call):
    port = private.free_port()
    done = command("mysql", "start", "--profile", "quick", "--port", str(port))
    url = f"mysql://root@127.0.0.1:{port}"
    assert (done.returncode, done.stdout) == (0, f"{url}\n")
    hint = "It is used from now on, unless another one is named. To stop it: chatsim mysql stop\n"
    assert done.stderr == hint
    assert ask(url, "SELECT 1") == ((1,),)

    assert call("mysql", "start") == (0, f"{url}\n", f"{AGAIN}\n{hint}")
    assert f"\n* background {url}\n" in call("mysql")[1]

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
        "- background none is running (`chatsim mysql start`)",
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


def test_clean_needs_a_server_that_is_named_or_in_the_background(call):
    said = "no MySQL is named, and none runs in the background: give --mysql-url, or set CHATSIM_MYSQL_URL"
    assert call("mysql", "clean") == (2, "", f"Error: {said}\n")


def test_clean_on_a_server_that_is_not_there_is_one_sentence(call):
    status, output, said = call("mysql", "clean", "--mysql-url", f"mysql://root@127.0.0.1:{private.free_port()}")
    assert (status, output) == (2, "")
    assert said.startswith("Error: ")
    assert said.count("\n") == 1


@pytest.mark.needs("apt")
def test_fetch_says_where_it_is(call):
    status, output, _ = call("mysql", "fetch")
    assert (status, output) == (0, f"{debian.folder(QUICK.packages) / 'root'}{os.linesep}")
