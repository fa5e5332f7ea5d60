"""Nodes in the model reach each other over links, by the bytes that gRPC would carry."""

import asyncio
import logging

import modelled
import pytest
from crowds import running
from scripted import scripted

from chatsim.chat.ports import Address, Device
from chatsim.chat.protocol import ReadNotice
from chatsim.worlds.model.costs import ModelCosts
from chatsim.worlds.model.loop import run
from chatsim.worlds.model.peers import LinkPeers, listening_for_peers
from chatsim.worlds.model.site import ModelSite
from chatsim.worlds.peers_pb2 import KickUserReq, KickUserRsp

DEVICE = Device(2**40, "of node 2", "node2")


NOTICE = ReadNotice(7, 2**40, 3)


class Notes:
    """A node that notes when its peers say what."""

    def __init__(self):
        self.heard = []

    async def kicked(self, device):
        self.heard.append((now(), device, None))

    async def pushed(self, device, notice):
        self.heard.append((now(), device, notice))


def now():
    return asyncio.get_running_loop().time()


def test_a_kick_reaches_the_devices_node_and_no_other_after_the_links_latency():
    async def main():
        network, there, elsewhere = modelled.network(latency=0.5), Notes(), Notes()
        async with listening_for_peers(network, "node2", there), listening_for_peers(network, "node3", elsewhere):
            await LinkPeers(network).kick(DEVICE)
        assert there.heard == [(1.5, DEVICE, None)]
        assert elsewhere.heard == []
        assert now() == 2.0

    run(main())


def test_a_push_reaches_the_devices_node_whole():
    async def main():
        network, there = modelled.network(latency=0.5), Notes()
        async with listening_for_peers(network, "node2", there):
            await LinkPeers(network).push(DEVICE, NOTICE)
        assert there.heard == [(1.5, DEVICE, NOTICE)]

    run(main())


def test_the_bytes_are_the_protobuf_message_in_grpcs_frame():
    async def main():
        network, heard = modelled.network(), []

        async def accept(stream):
            heard.append(await stream.read(100))
            reply = KickUserRsp(error=0, uid=1).SerializeToString()
            await stream.write(b"\0" + len(reply).to_bytes(4, "big") + reply)

        listener = await network.listen(Address("node2", 50055), accept)
        await LinkPeers(network).kick(Device(1, "s", "node2"))
        await listener.close()
        body = KickUserReq(uid=1, session="s").SerializeToString()
        assert body == b"\x08\x01\x12\x01s"
        assert heard == [b"K\0" + len(body).to_bytes(4, "big") + body]

    run(main())


async def silent(stream):
    await stream.read(100)
    await asyncio.sleep(1_000)


async def garbage(stream):
    await stream.read(100)
    await stream.write(b"\0\0\0\0\x03\xff\xff\xff")


async def short(stream):
    await stream.read(100)
    await stream.write(b"\0\0")


@pytest.mark.parametrize(
    "accept", [silent, garbage, short, None], ids=lambda accept: getattr(accept, "__name__", "none")
)
def test_a_peer_that_can_not_be_told_is_logged_and_holds_nobody_up_for_longer_than_the_deadline(accept, caplog):
    async def main():
        network = modelled.network(latency=0.5)
        listener = await network.listen(Address("node2", 50055), accept) if accept else None
        with caplog.at_level(logging.WARNING):
            await LinkPeers(network).kick(DEVICE)
        assert now() <= 5
        if listener:
            await listener.close()

    run(main())
    assert f"node2 could not be told of user {DEVICE.uid}'s KickUserReq" in caplog.text


def test_a_login_on_one_node_ends_the_session_on_another_across_the_network():
    async def main():
        site = ModelSite(ModelCosts.read(), seed=1, database=scripted)
        async with running(site, nodes=2, devices=False) as there:
            first = await there.log_in(7, there.nodes[0].address, deadline=5)
            second = await there.log_in(7, there.nodes[1].address, deadline=5)
            await asyncio.sleep(0.01)
            assert first.ended == "told to go: logged in elsewhere"
            assert second.ended is None
            assert [device.node for device in await there.presence.find(7)] == ["node2"]
            await second.close()

    run(main())


def test_a_kick_that_a_partition_holds_up_is_made_good_when_presence_is_next_refreshed():
    async def main():
        site = ModelSite(ModelCosts.read(), seed=1, database=scripted)
        async with running(site, nodes=2, devices=False) as there:
            site.network.part("node1", "node2")
            first = await there.log_in(7, there.nodes[0].address, deadline=5)
            second = await there.log_in(7, there.nodes[1].address, deadline=5)
            await asyncio.sleep(5.1)
            assert first.ended == "told to go: logged in elsewhere"
            assert second.ended is None
            site.network.heal("node1", "node2")
            await second.close()

    run(main())
