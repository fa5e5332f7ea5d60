"""A simulated network between hosts, and what its tests ask of a connection."""

import asyncio
import math
from typing import NamedTuple

import numpy as np
import pytest

from chatsim.simulation.links import Constant, Link, Lognormal, Topology
from chatsim.simulation.network import SimulatedNetwork

LATENCY = 0.5


class Address(NamedTuple):
    host: str
    port: int


JITTER = Lognormal(0.1, 1.0)


def now():
    return asyncio.get_running_loop().time()


def one_link(latency=LATENCY, bandwidth=math.inf, window=2**40, seed=0):
    """A network with the same link between all hosts."""
    latency = Constant(latency) if isinstance(latency, float) else latency
    return SimulatedNetwork(Address, Topology(Link(latency, bandwidth)), window=window, rng=np.random.default_rng(seed))


async def connected(network, here="client", there="server"):
    """Both ends of a new connection; the listener's is closed when the test ends."""
    theirs = asyncio.get_running_loop().create_future()

    async def accept(stream):
        theirs.set_result(stream)
        await asyncio.Event().wait()

    listener = await network.host(there).listen(Address(there, 0), accept)
    ours = await network.host(here).connect(listener.address)
    await listener.close()
    return ours, await theirs


async def read(stream, size):
    data = b""
    while len(data) < size:
        piece = await stream.read(size - len(data))
        assert piece
        data += piece
    return data


async def read_at(stream, size):
    """When so many bytes have been read."""
    await read(stream, size)
    return now()


def lost(awaitable):
    """A task that asserts that it ends in a lost connection, and says when."""

    async def watch():
        with pytest.raises(ConnectionResetError):
            await awaitable
        return now()

    return asyncio.create_task(watch())


async def settle():
    for _ in range(10):
        await asyncio.sleep(0)
