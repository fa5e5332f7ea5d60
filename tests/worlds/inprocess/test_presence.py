"""Who is where, and which nodes there are: what nobody refreshes lapses; what was replaced harms nobody."""

import asyncio
import functools

import pytest

from chatsim.chat.ports import Address, Device, NodeStatus
from chatsim.chat.protocol import ReadNotice
from chatsim.worlds.inprocess.presence import MemoryDirectory, MemoryPresence, ProcessPeers
from chatsim.worlds.model.loop import run

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
async def test_nobody_is_there_at_first():
    assert await MemoryPresence(EXPIRY).find(1) == []


@in_virtual_time
async def test_a_user_may_have_several_devices_and_they_are_found_oldest_first():
    presence = MemoryPresence(EXPIRY)
    for device in (LAPTOP, PHONE, SOMEBODY_ELSES, TABLET):
        assert await presence.enter(device, alone=False) == []
    assert await presence.find(1) == [LAPTOP, PHONE, TABLET]
    assert await presence.find(2) == [SOMEBODY_ELSES]


@in_virtual_time
async def test_a_refresh_does_not_make_a_device_younger():
    presence = await present(PHONE, LAPTOP)
    assert await presence.refresh([PHONE]) == []
    assert await presence.find(1) == [PHONE, LAPTOP]


@in_virtual_time
async def test_whoever_enters_alone_is_told_who_gives_way_and_is_the_only_one():
    presence = await present(PHONE, LAPTOP, SOMEBODY_ELSES)
    assert await presence.enter(TABLET, alone=True) == [PHONE, LAPTOP]
    assert await presence.find(1) == [TABLET]
    assert await presence.find(2) == [SOMEBODY_ELSES]


@in_virtual_time
async def test_whoever_enters_alone_where_nobody_is_replaces_nobody():
    presence = await present(SOMEBODY_ELSES)
    assert await presence.enter(PHONE, alone=True) == []


@in_virtual_time
async def test_a_device_that_has_lapsed_does_not_give_way_again():
    presence = await present(PHONE)
    await asyncio.sleep(EXPIRY)
    assert await presence.enter(LAPTOP, alone=True) == []


@in_virtual_time
async def test_of_a_crowd_that_enters_alone_one_stays_and_each_other_one_gives_way_once():
    presence = MemoryPresence(EXPIRY)
    crowd = [Device(1, f"s{number}", "n1") for number in range(50)]
    gave_way = await asyncio.gather(*(presence.enter(device, alone=True) for device in crowd))
    (winner,) = await presence.find(1)
    losers = [device for devices in gave_way for device in devices]
    assert len(losers) == len(set(losers)) == 49
    assert {winner, *losers} == set(crowd)


@in_virtual_time
async def test_an_entry_lapses_exactly_when_its_expiry_is_over():
    presence = await present(PHONE)
    await asyncio.sleep(EXPIRY - 0.001)
    assert await presence.find(1) == [PHONE]
    await asyncio.sleep(0.001)
    assert await presence.find(1) == []


@in_virtual_time
async def test_a_refresh_keeps_that_device_and_no_other_from_lapsing():
    presence = await present(PHONE, LAPTOP)
    await asyncio.sleep(EXPIRY - 1)
    assert await presence.refresh([PHONE]) == []
    await asyncio.sleep(1)
    assert await presence.find(1) == [PHONE]
    await asyncio.sleep(EXPIRY - 1)
    assert await presence.find(1) == []


@in_virtual_time
async def test_a_device_that_has_lapsed_is_not_brought_back_by_a_refresh():
    presence = await present(PHONE)
    await asyncio.sleep(EXPIRY)
    assert await presence.refresh([PHONE]) == [PHONE]
    assert await presence.find(1) == []


@in_virtual_time
async def test_a_device_that_has_given_way_can_not_refresh():
    presence = await present(PHONE)
    await presence.enter(LAPTOP, alone=True)
    assert await presence.refresh([PHONE]) == [PHONE]
    assert await presence.find(1) == [LAPTOP]


@in_virtual_time
async def test_a_device_that_leaves_is_gone_and_the_others_stay():
    presence = await present(PHONE, LAPTOP)
    await presence.leave(PHONE)
    assert await presence.find(1) == [LAPTOP]
    assert await presence.refresh([PHONE]) == [PHONE]


@pytest.mark.parametrize(
    "late", [PHONE, SOMEBODY_ELSES, Device(1, "s2", "n1"), Device(1, "s1", "n2"), Device(3, "s2", "n2")]
)
@in_virtual_time
async def test_a_leave_of_whoever_is_not_there_harms_nobody(late):
    presence = await present(PHONE)
    await presence.enter(LAPTOP, alone=True)
    await presence.leave(late)
    await presence.leave(late)
    assert await presence.find(1) == [LAPTOP]


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
async def test_nodes_are_listed_by_name_as_they_last_said():
    directory = MemoryDirectory(EXPIRY)
    for node in (status("b"), status("a"), status("c"), status("a", sessions=7, report=2)):
        await directory.announce(node)
    assert await directory.nodes() == [status("a", sessions=7, report=2), status("b"), status("c")]


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


@in_virtual_time
async def test_a_node_that_has_lapsed_is_back_with_its_next_report():
    directory = MemoryDirectory(EXPIRY)
    await directory.announce(status("a"))
    await asyncio.sleep(EXPIRY)
    assert await directory.nodes() == []
    await directory.announce(status("a", report=2))
    assert await directory.nodes() == [status("a", report=2)]


@in_virtual_time
async def test_a_node_that_is_withdrawn_is_gone_at_once_and_may_be_withdrawn_twice():
    directory = MemoryDirectory(EXPIRY)
    await directory.announce(status("a"))
    await directory.announce(status("b"))
    for _ in range(2):
        await directory.withdraw("a")
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
