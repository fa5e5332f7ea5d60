"""``chatsim schedule`` on a server that somebody named leaves its settings as they were, also after Ctrl-C."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time

import pytest
from click.testing import CliRunner

from chatsim.cli import main
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
