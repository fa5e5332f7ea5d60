"""Connections over a distance: as late, and as thick, as it says. (What every network promises: ../test_network.py)."""

import asyncio

import pytest
from echo import read_line, serve

from chatsim.chat.ports import Address
from chatsim.simulation.links import Constant, Link
from chatsim.simulation.loop import run
from chatsim.worlds.model.network import ModelNetwork
from chatsim.worlds.mysql.delayed_network import DelayedNetwork
from chatsim.worlds.world import Distance


class Near:
    """A network without any distance, in virtual time, so that what the distance adds is exact."""

    def __init__(self):
        self._host = ModelNetwork().host("here")

    def __getattr__(self, name):
        return getattr(self._host, name)


async def echo_after(distance, data, network=None):
    """How long it takes to connect, and then until ``data`` is back, in seconds."""
    clock = asyncio.get_running_loop().time
    far = DelayedNetwork(Near(), distance) if network is None else network
    listener = await far.listen(Address("here", 0), serve)
    begun = clock()
    stream = await far.connect(listener.address)
    connected = clock()
    sending = asyncio.create_task(stream.write(data))
    assert await read_line(stream) == data
    await sending
    ended = clock()
    await stream.close()
    await listener.close()
    return connected - begun, ended - connected


def test_a_round_trip_takes_as_long_as_it_says():
    assert run(echo_after(Distance(rtt=0.2), b"hello\n")) == pytest.approx((0.2, 0.2))


def test_bytes_take_as_long_as_the_bandwidth_says_in_each_direction():
    _, echoing = run(echo_after(Distance(rtt=0.2, bandwidth=1_000), b"x" * 999 + b"\n"))
    assert echoing == pytest.approx(0.2 + 2 * 1.0)


def test_the_model_puts_a_machine_as_far_away():
    async def body():
        network = ModelNetwork()
        network.place("client", Link(Constant(0.1), 1_000))
        listener = await network.host("here").listen(Address("here", 0), serve)
        clock = asyncio.get_running_loop().time
        begun = clock()
        stream = await network.host("client").connect(listener.address)
        connected = clock()
        await stream.write(b"x" * 999 + b"\n")
        await read_line(stream)
        ended = clock()
        await stream.close()
        await listener.close()
        return connected - begun, ended - connected

    assert run(body()) == pytest.approx((0.2, 0.2 + 2 * 1.0))


def relayed(body, accept=serve, *, gone=False):
    """Run ``body(stream)`` on a connection that is relayed to who accepts far away, if they are not ``gone``."""

    async def whole():
        network = Near()
        listener = await network.listen(Address("here", 0), accept)
        if gone:
            await listener.close()
        async with DelayedNetwork(network, Distance(rtt=0.2)).relay(Address("here", 0), listener.address) as near:
            await body(await network.connect(near))
        await listener.close()

    run(whole())


def test_what_is_relayed_takes_as_long_as_the_distance_says_and_comes_back_as_it_was():
    async def body(stream):
        clock = asyncio.get_running_loop().time
        times = [clock()]
        for line in (b"hello\n", b"again\n"):
            await stream.write(line)
            assert await read_line(stream) == line
            times.append(clock())
        await stream.close()
        assert times[1] - times[0] == pytest.approx(0.2 + 0.2)  # the first waits until it is connected
        assert times[2] - times[1] == pytest.approx(0.2)

    relayed(body)


def test_when_one_end_of_what_is_relayed_closes_the_other_sees_the_end():
    ended = asyncio.Event()

    async def accept(stream):
        while await stream.read(1):
            pass
        ended.set()

    async def body(stream):
        await stream.write(b"hello\n")
        await stream.close()
        await ended.wait()

    relayed(body, accept)


@pytest.mark.parametrize("after", [0.0, 0.1, 0.25, 0.35])
def test_who_leaves_while_something_is_under_way_leaves_nothing_open(after):
    there, ended = [], []

    async def accept(stream):
        there.append(stream)
        while await stream.read(1):
            pass
        ended.append(stream)

    async def whole():
        network = Near()
        listener = await network.listen(Address("here", 0), accept)
        async with DelayedNetwork(network, Distance(rtt=0.2)).relay(Address("here", 0), listener.address) as near:
            stream = await network.connect(near)
            await stream.write(b"hello\n")
            await asyncio.sleep(after)
            await stream.close()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert [task for task in left if "accept" not in repr(task)] == []
        await asyncio.sleep(1)
        await listener.close()

    run(whole())
    assert there == ended


def test_a_close_that_nobody_waits_for_any_longer_closes_all_the_same():
    ended = asyncio.Event()

    async def accept(stream):
        while await stream.read(1):
            pass
        ended.set()

    async def whole():
        network = Near()
        listener = await network.listen(Address("here", 0), accept)
        stream = await DelayedNetwork(network, Distance(rtt=10.0)).connect(listener.address)
        await stream.write(b"hello\n")
        closing = asyncio.create_task(stream.close())
        await asyncio.sleep(1)
        closing.cancel()
        await asyncio.wait([closing])
        await ended.wait()
        await listener.close()

    run(whole())


def test_where_nobody_is_to_relay_to_the_connection_ends():
    async def body(stream):
        assert await stream.read(1) == b""
        await stream.close()

    relayed(body, gone=True)
