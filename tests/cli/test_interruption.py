"""Ctrl-C and SIGTERM end every command that uses MySQL, also while mysqld hangs: here it is stopped by SIGSTOP."""

import asyncio
import os
import pty
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest
from foreign import CHATSIM

from chatsim.worlds.mysql import driver
from chatsim.worlds.mysql.settings import Servers
from chatsim.worlds.mysql.stale_schemas import PREFIX, drop_stale_schemas

pytestmark = pytest.mark.needs("apt")

PATIENCE = 60  # seconds; without the mend, it hangs for ever
OTHERS = """SELECT id FROM performance_schema.processlist
            WHERE id <> CONNECTION_ID() AND user NOT IN ('event_scheduler', 'system user')"""
LONG = ["--rounds", "10000"]
SCHEDULES = Path(__file__).parents[1] / "conformance" / "schedules"
RUNS = {
    "serve": ["serve"],
    "serve in processes": ["serve", "--processes", "--nodes", "2"],
    "node": ["node", "--schema", "mysql"],
    "race": ["race", "--strategies", "for_update", *LONG],
    "race through the stack": ["race", "--layer", "stack", "--strategies", "upsert", *LONG],
    "pages": ["pages", "--what", "threads", "--existing", "1000000"],
    "catchup": ["catchup", "--protocols", "source", "--threads", "2000"],
    "delivery": ["delivery", "--texts", "2000"],
    "talk": ["talk", "--texts", "100000", "--crashes", "0"],
    "schedule": ["schedule", *map(str, sorted(SCHEDULES.rglob("*.json"))[:200])],
    "schedule --generate": ["schedule", "--generate", "100000", "--check"],
    "anomalies": ["anomalies"],
}
ASKS = {
    "mysql": ["mysql"],
    "mysql clean": ["mysql", "clean"],
    "mysql migrate": ["mysql", "migrate", "mysql"],
    "race": ["race", "--strategies", "upsert"],
    "serve": ["serve"],
}


class Mysqld:
    """A private server, which can be stopped and continued."""

    def __init__(self, server):
        self.url = server.url
        self.port = driver.address(server.url).port
        (self._process,) = psutil.Process(server.instance.pid).children()

    def schemas(self):
        """The schemas of chatsim that are there."""
        return {name for (name,) in self._rows(f"SHOW DATABASES LIKE '{PREFIX}%'")}

    def rest(self):
        """Wait until nobody is connected: a command that exited at once may have sent what makes a schema."""
        until = time.monotonic() + PATIENCE
        while self._rows(OTHERS):
            assert time.monotonic() < until
            time.sleep(0.02)

    def _rows(self, query):
        async def answer():
            session = await driver.connect(self.url)
            try:
                return (await session.execute(query)).rows
            finally:
                await session.close()

        return asyncio.run(answer())

    @contextmanager
    def stopped(self):
        self._process.suspend()
        try:
            yield
        finally:
            self._process.resume()


@pytest.fixture(scope="module")
def mysqld():
    with Servers(profile="quick", mysql_via="unpacked").mysql() as server:
        yield Mysqld(server)
        asyncio.run(drop_stale_schemas(server.url))


class Command:
    """A command in a session of its own."""

    def __init__(self, mysqld, words):
        self._mysqld = mysqld
        self._port = mysqld.port
        self.process = subprocess.Popen(
            [*CHATSIM, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"CHATSIM_MYSQL_URL": mysqld.url, "CHATSIM_TOKEN_KEY": "00"},
            start_new_session=True,
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with self.process:
            self.process.kill()

    def connects(self, sockets=1):
        """Wait until it, and the processes that it has started, have so many connections to the server."""
        until = time.monotonic() + PATIENCE
        while sum(map(self._connections, self.family())) < sockets:
            assert self.process.poll() is None, self.process.stderr.read()
            assert time.monotonic() < until
            time.sleep(0.02)

    def makes_a_schema(self, before):
        """Wait until there is a schema beside those of before: from now on it can't end without the server."""
        until = time.monotonic() + PATIENCE
        while not self._mysqld.schemas() - before:
            assert self.process.poll() is None, self.process.stderr.read()
            assert time.monotonic() < until
            time.sleep(0.02)

    def family(self):
        own = psutil.Process(self.process.pid)
        return [own, *own.children(recursive=True)]

    def _connections(self, process):
        try:
            return sum(each.raddr.port == self._port for each in process.net_connections("tcp") if each.raddr)
        except psutil.Error:
            return 0

    def end(self, number, again=None):
        """Send a signal, and wait for the end of everything that it has started; the exit status, and what it says.

        With ``again``, send that until it ends: two signals may arrive as one.
        """
        family = self.family()
        self.process.send_signal(number)
        while again is not None:
            try:
                self.process.wait(0.2)
                break
            except subprocess.TimeoutExpired:
                self.process.send_signal(again)
        _, said = self.process.communicate(timeout=PATIENCE)
        _, alive = psutil.wait_procs(family, timeout=PATIENCE)
        assert not [each for each in alive if each.status() != psutil.STATUS_ZOMBIE]
        assert "Traceback" not in said
        return self.process.returncode, said


def command(mysqld, words):
    return Command(mysqld, words)


def some_now(*quick):
    """All runs, of which only some belong to the first tier."""
    return [pytest.param(what, marks=() if what in quick else pytest.mark.slow) for what in RUNS]


@pytest.mark.parametrize("what", some_now("serve", "race"))
def test_the_first_signal_ends_a_command_whose_server_hangs(mysqld, what):
    with command(mysqld, RUNS[what]) as running:
        running.connects(3 if what in {"serve in processes", "race through the stack"} else 1)
        with mysqld.stopped():
            status, _ = running.end(signal.SIGINT)
    assert status == (0 if what == "node" else 130), "a node without clients has nothing to wait for, and ends in order"


def test_sigterm_ends_it_as_ctrl_c_does_and_what_is_left_behind_is_said(mysqld):
    with command(mysqld, RUNS["serve"]) as running:
        assert running.process.stdout.readline(), "it runs, and has a schema"
        with mysqld.stopped():
            status, said = running.end(signal.SIGTERM)
    assert status == 143
    assert "is left behind; `chatsim mysql clean` drops it" in said


@pytest.mark.parametrize("what", some_now("serve in processes", "race through the stack", "schedule"))
def test_the_second_signal_ends_it_at_once(mysqld, what):
    mysqld.rest()
    before = mysqld.schemas()
    with command(mysqld, RUNS[what]) as running:
        if what == "node":
            running.connects()
        else:
            running.makes_a_schema(before)
        with mysqld.stopped():
            status, said = running.end(signal.SIGTERM, signal.SIGINT)
    if what != "node":
        assert status == 143
        assert "Interrupted again; exits at once.\n" in said


@pytest.mark.parametrize("what", ASKS)
def test_a_command_that_waits_for_the_first_answer_ends_too(mysqld, what):
    with mysqld.stopped(), command(mysqld, ASKS[what]) as running:
        running.connects()
        assert running.end(signal.SIGINT)[0] == 130


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_chat_ends_too_though_its_screen_has_handlers_of_its_own(number, status):
    here, there = pty.openpty()
    login = '{"host": "127.0.0.1", "port": 9, "uid": 1, "token": "x"}'  # nobody is there: it tries again and again
    with subprocess.Popen([*CHATSIM, "chat", login], stdin=there, stdout=there, stderr=subprocess.PIPE) as process:
        os.close(there)
        shown = b""
        while b"\x1b[?2004h" not in shown:  # bracketed paste: the screen has the terminal
            shown += os.read(here, 4096)
        process.send_signal(number)
        with suppress(OSError):  # the other end is closed
            while os.read(here, 4096):
                pass
        os.close(here)
        said = process.stderr.read()
    assert (process.returncode, said) == (status, b"Interrupted.\n")


INTERRUPTED_IMPORT = """
import os, sys

module, number, sys.argv = sys.argv[1], int(sys.argv[2]), ["chatsim", *sys.argv[3:]]

class Interrupter:
    def find_spec(self, name, path=None, target=None):
        if name == module:
            sys.meta_path.remove(self)
            os.kill(os.getpid(), number)

sys.meta_path.insert(0, Interrupter())
from chatsim.__main__ import run
run()
"""


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("module", ["click", "chatsim.cli.race", "numpy", "chatsim.worlds.model.world", "sqlglot"])
def test_a_signal_while_modules_are_imported_ends_it_without_a_traceback(module, number, status):
    words = ["race", "--world", "model", "--strategies", "upsert", "--clients", "2", "--rounds", "1"]
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED_IMPORT, module, str(number.value), *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert done.returncode == status
    assert "Traceback" not in done.stderr
    assert "Interrupted" in done.stderr


if __name__ == "__main__":
    # python test_interruption.py: how long each command takes to end
    with Servers(profile="quick", mysql_via="unpacked").mysql() as server:
        there = Mysqld(server)
        for name in sys.argv[1:] or RUNS:
            for numbers in ((signal.SIGINT,), (signal.SIGTERM, signal.SIGINT)):
                with command(there, RUNS[name]) as it:
                    it.connects()
                    time.sleep(1)
                    with there.stopped():
                        begun = time.monotonic()
                        print(  # noqa: T201
                            name, it.end(*numbers), round(time.monotonic() - begun, 2), flush=True
                        )
