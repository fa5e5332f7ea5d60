"""TCP under a shortage of descriptors: accepting pauses, that is said once, and it goes on afterwards."""

import json
import resource
import socket
import subprocess
import sys
from contextlib import ExitStack

import pytest

SERVER = """
import asyncio, json, logging, resource, sys
from chatsim.chat.ports import Address
from chatsim.worlds.mysql.tcp import TcpNetwork

soft, hard = map(int, sys.argv[1:])
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
logging.basicConfig(level=logging.WARNING, format="%(message)s")

async def echo(stream):
    while data := await stream.read(100):
        await stream.write(data)

async def main():
    listener = await TcpNetwork().listen(Address("127.0.0.1", 0), echo)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    print(json.dumps([listener.address.port, listener.capacity, *limits]), flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await listener.close()

asyncio.run(main())
"""


@pytest.fixture
def server():
    """A function that starts a server with limits of its own; what it has said is in `said` after `end`."""
    with ExitStack() as stack:

        def start(soft, hard):
            process = subprocess.Popen(
                [sys.executable, "-c", SERVER, str(soft), str(hard)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            stack.enter_context(process)
            stack.callback(process.kill)
            return process, *json.loads(process.stdout.readline())

        yield start


def test_where_descriptors_run_out_accepting_pauses_says_it_once_and_goes_on(server):
    process, port, *_ = server(64, 64)
    with ExitStack() as stack:
        old = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=30))
        crowd = [stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=30)) for _ in range(200)]
        waiting = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=30))
        waiting.sendall(b"?")
        old.sendall(b"old")
        assert old.recv(3) == b"old", "who was there is served"
        for each in crowd:
            each.close()
        assert waiting.recv(1) == b"?", "who has waited is accepted"
    _, said = process.communicate("")
    assert process.returncode == 0
    (line,) = said.splitlines()
    assert line == f"127.0.0.1:{port} accepts no connections for the moment: Too many open files (1 so far)"


def test_the_soft_limit_is_raised_to_the_hard_one(server):
    process, _, capacity, soft, hard = server(100, 1_000)
    assert (soft, hard, capacity) == (1_000, 1_000, 744)
    process.communicate("")


def test_a_limit_that_is_large_enough_is_left_alone(server):
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    process, _, capacity, soft, hard = server(most, most)
    assert (soft, hard) == (most, most)
    assert capacity >= 1
    process.communicate("")
