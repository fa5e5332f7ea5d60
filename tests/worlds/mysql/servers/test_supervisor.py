"""The process between a private server and its owner: it ends the server in order, whenever it is told to."""

import subprocess
import sys

import pytest

SERVER = "trap 'echo in order > {home}/ended; exit' TERM; touch {home}/ready; while :; do sleep 0.01; done"
TOLD_TO_END_WHILE_IT_STARTS_THE_SERVER = """
import os, signal, subprocess, sys, threading, time
from pathlib import Path
from chatsim.worlds.mysql.servers import supervisor

kind, home, *command = sys.argv[1:]
start, end, ended = subprocess.Popen, supervisor._Server.end, threading.Event()

def slowly(*args, **more):
    child = start(*args, **more)
    while not (Path(home) / "ready").exists():
        time.sleep(0.01)
    if kind == "KEPT":
        os.kill(os.getpid(), signal.SIGTERM)
    else:
        ended.wait()
    return child

def noted(server):
    end(server)
    ended.set()

subprocess.Popen, supervisor._Server.end = slowly, noted
supervisor.main(kind, Path(home) / "data", command)
"""


@pytest.mark.parametrize("kind", ["KEPT", "OWNED"])
def test_told_to_end_while_it_starts_the_server_it_ends_that_in_order(kind, tmp_path):
    """One that is kept is told by a signal; one that is owned by the end of its standard input."""
    (tmp_path / "data").mkdir()
    program = [sys.executable, "-c", TOLD_TO_END_WHILE_IT_STARTS_THE_SERVER]
    server = ["sh", "-c", SERVER.format(home=tmp_path)]
    subprocess.run([*program, kind, tmp_path, *server], stdin=subprocess.DEVNULL, check=True, timeout=60)
    assert (tmp_path / "ended").read_text() == "in order\n"
    assert not (tmp_path / "data").exists()
