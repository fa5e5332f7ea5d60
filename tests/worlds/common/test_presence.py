"""What is in memory lapses to the moment, and is given back; nodes of one process call each other.

`test_registry` plays what presence and directory promise everywhere.
"""

import asyncio
import functools

from chatsim.chat.ports import Address, Device, NodeStatus
from chatsim.chat.protocol import ReadNotice
from chatsim.simulation.loop import run
from chatsim.worlds.common.presence import MemoryDirectory, MemoryPresence, ProcessPeers

EXPIRY = 20.0
PHONE, LAPTOP, TABLET = (Device(1, session, node) for session, node in (("s1", "n1"), ("s2", "n2"), ("s3", "n1")))
SOMEBODY_ELSES = Device(2, "s9", "n1")


def in_virtual_time(test):
    @functools.wraps(test)
    def play(*args, **kwargs):
        run(test(*args, **kwargs))

    return play


def status(name, *, sessions=0, report=1):
    return NodeStatus(name, Address("127.0.0.1", 9000), sessions, report)


async def present(*devices):
    presence = MemoryPresence(EXPIRY)
    for device in devices:
        await presence.enter(device, alone=False)
    return presence


# --- presence


@in_virtual_time
async def test_an_entry_lapses_exactly_when_its_expiry_is_over():
    presence = await present(PHONE)
    await asyncio.sleep(EXPIRY - 0.001)
    assert await presence.find(1) == [PHONE]
    await asyncio.sleep(0.001)
    assert await presence.find(1) == []


@in_virtual_time
async def test_what_is_found_is_not_changed_by_what_happens_later():
    presence = await present(PHONE, LAPTOP)
    found = await presence.find(1)
    await presence.leave(PHONE)
    assert found == [PHONE, LAPTOP]


@in_virtual_time
async def test_users_who_have_left_leave_nothing_behind():
    presence = MemoryPresence(EXPIRY)
    for uid in range(100):
        device = Device(uid, "s", "n")
        await presence.enter(device, alone=uid % 2 == 0)
        await presence.leave(device)
    assert not presence._users


# --- directory


@in_virtual_time
async def test_a_node_that_does_not_report_lapses_exactly_when_its_expiry_is_over():
    directory = MemoryDirectory(EXPIRY)
    await directory.announce(status("a"))
    await asyncio.sleep(1)
    await directory.announce(status("b"))
    await asyncio.sleep(EXPIRY - 1.001)
    assert await directory.nodes() == [status("a"), status("b")]
    await asyncio.sleep(0.001)
    assert await directory.nodes() == [status("b")]


# --- peers


class Notes:
    """A node that notes what its peers say."""

    def __init__(self):
        self.kicks, self.pushes = [], []

    async def kicked(self, device):
        self.kicks.append(device)

    async def pushed(self, device, notice):
        self.pushes.append((device, notice))


@in_virtual_time
async def test_a_kick_reaches_the_devices_node_only_and_one_for_an_unknown_node_is_lost():
    peers, heard = ProcessPeers(), {"n1": Notes(), "n2": Notes()}
    peers.nodes.update(heard)
    for device in (PHONE, LAPTOP, Device(1, "s4", "nowhere")):
        await peers.kick(device)
    assert {name: node.kicks for name, node in heard.items()} == {"n1": [PHONE], "n2": [LAPTOP]}


@in_virtual_time
async def test_a_push_reaches_the_devices_node_only_and_one_for_an_unknown_node_is_lost():
    peers, heard = ProcessPeers(), {"n1": Notes(), "n2": Notes()}
    peers.nodes.update(heard)
    for device in (PHONE, LAPTOP, Device(1, "s4", "nowhere")):
        await peers.push(device, ReadNotice(7, 1, 3))
    assert {name: node.pushes for name, node in heard.items()} == {
        "n1": [(PHONE, ReadNotice(7, 1, 3))],
        "n2": [(LAPTOP, ReadNotice(7, 1, 3))],
    }
