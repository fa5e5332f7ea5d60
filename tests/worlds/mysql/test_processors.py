"""The processor time of a server on this machine, and of this process."""

import os
import subprocess
import sys
from types import SimpleNamespace

import psutil
import pytest

from chatsim.db.mysql import database_error
from chatsim.db.session import Rows
from chatsim.worlds.mysql import processors
from chatsim.worlds.mysql.settings import Servers
from chatsim.worlds.mysql.world import MySQLWorld


class Admin:
    """A session whose server says this of itself."""

    def __init__(self, *row, fails=None):
        self.row, self.fails = row, fails

    async def execute(self, _sql):
        if self.fails:
            raise self.fails
        return Rows([self.row])


@pytest.fixture
def here(monkeypatch):
    monkeypatch.setattr("socket.gethostname", lambda: "here")


async def test_a_server_of_another_machine_has_no_process_here(here):
    assert await processors.server_process(Admin("there", "/run/mysqld.pid", 3306)) is None


@pytest.mark.parametrize("text", ["", "soon", "999999999"])
async def test_a_pid_file_that_names_no_process_here_is_none(here, tmp_path, text):
    (tmp_path / "mysqld.pid").write_text(text)
    assert await processors.server_process(Admin("here", str(tmp_path / "mysqld.pid"), 3306)) is None


async def test_a_process_that_does_not_listen_on_the_port_is_another_one(here, tmp_path):
    (tmp_path / "mysqld.pid").write_text(f"{os.getpid()}\n")
    assert await processors.server_process(Admin("here", str(tmp_path / "mysqld.pid"), 1)) is None


async def test_a_server_that_does_not_tell_is_none():
    assert await processors.server_process(Admin(fails=database_error(1193, "Unknown system variable"))) is None


def test_this_process_is_always_there():
    assert {*processors.busy(None)} == {"interpreter"}


def test_a_process_has_its_processor_time_until_it_has_ended():
    work = "end = time.process_time() + 0.05\nwhile time.process_time() < end: pass"
    code = f"import time\n{work}\nprint(flush=True)\ninput()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        there = psutil.Process(process.pid)
        assert 0.05 <= processors.busy(there)["CPU of database"].seconds < 5
        process.stdin.close()
    assert "CPU of database" not in processors.busy(there)


def test_without_a_clock_for_each_process_it_is_that_of_psutil(monkeypatch):
    monkeypatch.setattr(processors, "_HAS_CLOCKS", False)
    process = SimpleNamespace(pid=1, cpu_times=lambda: SimpleNamespace(user=3.0, system=0.5))
    assert processors.busy(process)["CPU of database"].seconds == 3.5


@pytest.mark.slow
async def test_a_server_of_ones_own_works_while_it_is_asked():
    async with MySQLWorld(Servers(mysql_via="unpacked")) as world:
        before = await world.costs()
        for _ in range(30):
            await world.admin.execute("SELECT SHA2(REPEAT('a', 3000000), 256)")
        spent = (await world.costs() - before).busy
    assert spent["CPU of database"].seconds > 0.02
    assert spent["interpreter"].seconds > 0
