"""TCP under attack: a shortage of descriptors, and bytes that come one at a time."""

import asyncio
import gc
import json
import resource
import socket
import subprocess
import sys
import weakref
from contextlib import ExitStack

import pytest

from chatsim.chat.ports import Address
from chatsim.worlds.mysql.tcp import TcpNetwork

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


class Pair:
    """The two ends of a connection: a socket, and the stream that a server reads."""

    async def __aenter__(self):
        self._accepted = asyncio.get_running_loop().create_future()
        self._over = asyncio.Event()
        self._listener = await TcpNetwork().listen(Address("127.0.0.1", 0), self._accept)
        self.socket = socket.create_connection((self._listener.address.host, self._listener.address.port))
        self.stream = await self._accepted
        return self

    async def __aexit__(self, *_):
        self.socket.close()
        await self.stream.close()
        self._over.set()
        await self._listener.close()
        await asyncio.sleep(0)

    async def _accept(self, stream):
        self._accepted.set_result(stream)
        await self._over.wait()


async def begun(work):
    """A task that waits already."""
    task = asyncio.create_task(work)
    await asyncio.sleep(0)
    return task


async def several_turns():
    """Let the loop look for bytes that have arrived, several times."""
    for _ in range(20):
        await asyncio.sleep(0.001)


async def test_a_reader_is_not_woken_before_so_much_is_there_as_it_has_asked_for():
    async with Pair() as pair:
        reading = await begun(pair.stream.read(100, 5))
        for byte in b"four":
            pair.socket.send(bytes([byte]))
            await several_turns()
        assert not reading.done()
        pair.socket.send(b"!")
        assert await reading == b"four!"


async def test_a_reader_that_asks_for_less_afterwards_gets_what_is_there():
    async with Pair() as pair:
        pair.socket.send(b"123456")
        assert await pair.stream.read(100, 5) == b"123456"
        reading = await begun(pair.stream.read(100, 1_000))
        pair.socket.send(b"a little")
        await several_turns()
        assert not reading.done()
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        assert await pair.stream.read(100, 1) == b"a little"


async def test_the_end_wakes_a_reader_whatever_it_has_asked_for():
    async with Pair() as pair:
        reading = await begun(pair.stream.read(100, 1_000))
        pair.socket.send(b"bye")
        pair.socket.shutdown(socket.SHUT_WR)
        assert await reading == b"bye"
        assert await pair.stream.read(100, 1_000) == b""


@pytest.mark.parametrize("first", ["client", "server"])
async def test_a_connection_that_has_ended_leaves_nothing_for_the_garbage_collector(first):
    sockets = []

    async def accept(stream):
        sockets.append(weakref.ref(stream._socket))
        while data := await stream.read(100, 2):
            await stream.write(data)
            if first == "server":
                return

    network = TcpNetwork()
    listener = await network.listen(Address("127.0.0.1", 0), accept)
    gc.disable()
    try:
        client = await network.connect(listener.address)
        sockets.append(weakref.ref(client._socket))
        await client.write(b"hello")
        assert await client.read(100) == b"hello"
        if first == "server":
            assert await client.read(100) == b""
        await client.close()
        del client
        await until(lambda: all(each() is None for each in sockets))
    finally:
        gc.enable()
    await listener.close()


@pytest.fixture
async def listening():
    """A function that listens, and returns the listener and a list of the peers that are served, in order."""
    listeners = []

    async def listen(welcomes=None):
        served, over = [], asyncio.Event()

        async def accept(stream):
            served.append(stream.peer.host)
            await over.wait()

        listener = await TcpNetwork().listen(Address("127.0.0.1", 0), accept, welcomes)
        listeners.append((listener, over))
        return listener, served

    yield listen
    for listener, over in listeners:
        over.set()
        await listener.close()
    await several_turns()


def connected(stack, listener, source):
    where = (listener.address.host, listener.address.port)
    return stack.enter_context(socket.create_connection(where, timeout=30, source_address=(source, 0)))


async def until(true):
    while not true():  # noqa: ASYNC110
        await asyncio.sleep(0)


async def test_newcomers_from_an_address_do_not_wait_for_the_crowd_from_another(listening):
    listener, served = await listening()
    with ExitStack() as stack:
        for _ in range(20):
            connected(stack, listener, "127.0.0.2")
        connected(stack, listener, "127.0.0.3")
        await until(lambda: len(served) == 21)
    assert served.index("127.0.0.3") <= 2


async def test_newcomers_from_a_welcome_address_come_before_those_from_a_thousand_others(listening):
    listener, served = await listening(lambda peer: 2 if peer.host == "127.0.0.9" else 1)
    with ExitStack() as stack:
        for number in range(200):
            connected(stack, listener, f"127.0.1.{number + 1}")
        connected(stack, listener, "127.0.0.9")
        await until(lambda: len(served) == 201)
    assert served.index("127.0.0.9") < 8


async def test_of_more_newcomers_than_can_wait_the_least_welcome_and_newest_are_reset(listening, monkeypatch):
    monkeypatch.setattr("chatsim.worlds.mysql.tcp._ARRIVED", 10)
    listener, served = await listening(lambda peer: {"127.0.0.2": 1, "127.0.0.3": 2}[peer.host])
    with ExitStack() as stack:
        crowd = [connected(stack, listener, "127.0.0.2") for _ in range(20)]
        for _ in range(8):
            connected(stack, listener, "127.0.0.3")
        await until(lambda: len(served) == 10)
        assert sorted(served) == ["127.0.0.2"] * 2 + ["127.0.0.3"] * 8
        for each in crowd[2:]:
            with pytest.raises(ConnectionResetError):
                each.recv(1)


async def test_who_is_not_welcome_is_reset_and_nothing_is_made_for_him(listening):
    asked = []

    def welcomes(peer):
        asked.append(peer.host)
        return peer.host != "127.0.0.2"

    listener, served = await listening(welcomes)
    with ExitStack() as stack:
        crowd = [connected(stack, listener, "127.0.0.2") for _ in range(100)]
        connected(stack, listener, "127.0.0.3")
        await until(lambda: served)
        assert served == ["127.0.0.3"]
        assert asked == ["127.0.0.2"] * 100 + ["127.0.0.3"]
        for each in crowd:
            with pytest.raises(ConnectionResetError):
                each.recv(1)


async def test_who_has_arrived_and_is_not_served_yet_is_hung_up_on_when_the_listener_closes(listening):
    listener, served = await listening()
    with ExitStack() as stack:
        crowd = [connected(stack, listener, "127.0.0.2") for _ in range(40)]
        await until(lambda: served)
        await listener.close()
        assert len(served) < 40
        for each in crowd[-3:]:
            assert each.recv(1) == b""
