"""Nodes tell each other the source's protobuf messages: over gRPC, and the same bytes over a link of the model."""

import asyncio
import logging
import struct
from contextlib import asynccontextmanager

import grpc
import grpc.aio
import model_network
import pytest
from crowds import running
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from hypothesis import given
from hypothesis import strategies as st
from scripted_database import scripted

from chatsim.chat.ports import Address, Device, NodeStatus
from chatsim.chat.protocol import (
    FROM_SERVER,
    AddFriendNotice,
    AuthFriendNotice,
    FirstText,
    NumberedText,
    OfflineNotice,
    ReadNotice,
    TextsNotice,
)
from chatsim.simulation.loop import run
from chatsim.worlds.common import peers
from chatsim.worlds.common import peers_pb2 as pb
from chatsim.worlds.common.presence import MemoryDirectory, ProcessPeers
from chatsim.worlds.model.costs import ModelCosts
from chatsim.worlds.model.network import ModelNetwork
from chatsim.worlds.model.peers import LinkPeers
from chatsim.worlds.model.platform import ModelPlatform
from chatsim.worlds.mysql.grpc_peers import GrpcPeers

DEVICE = Device(2**40, "of node 2", "node2")
TEXT = NumberedText(3, 2**50, 1019, "{a}", 0, "你好", 0, "2025-05-28 12:00:00")
NOTICE = TextsNotice(7, 1019, 1002, (TEXT,))


class Notes:
    """A node that notes what its peers say; it may have no such session, or never come to an end."""

    def __init__(self, *, there=True, hangs=False):
        self.calls, self._there, self._hangs = [], there, hangs
        self.begun = asyncio.Event()

    async def kicked(self, device):
        return await self.pushed(device, None)

    async def pushed(self, device, notice):
        self.begun.set()
        if self._hangs:
            await asyncio.Future()
        self.calls.append((device, notice))
        return self._there


# --- the messages

ids = st.integers(0, 2**63 - 1)
small = st.integers(0, 100)
said = st.text(max_size=20)
plain = st.builds(NumberedText, ids, ids, ids, said, st.just(0), said, small, said)
attached = st.builds(NumberedText, ids, ids, ids, said, st.integers(1, 2), said, small, said, ids)
numbered = plain | attached
firsts = st.builds(FirstText, ids, ids, ids, said, said)
applications = st.builds(AddFriendNotice, st.just(0), ids, said, said, said, small, said)
friendships = st.builds(
    AuthFriendNotice, st.just(0), ids, ids, said, said, said, small, st.lists(firsts, max_size=3).map(tuple)
)
texts = st.builds(TextsNotice, ids, ids, ids, st.lists(numbered, max_size=3).map(tuple))
others = st.builds(ReadNotice, ids, ids, ids) | st.builds(OfflineNotice, small, ids)


@given(
    st.builds(Device, ids, said.filter(bool), st.just("node2")), st.none() | applications | friendships | texts | others
)
def test_whatever_a_node_is_told_arrives_as_it_was_said(device, notice):
    call = peers.kick(device) if notice is None else peers.push(device, notice)
    node = Notes()
    arrived = call.method.request.FromString(call.request.SerializeToString())
    reply = asyncio.run(peers.answer(node, "node2", arrived))
    assert node.calls == [(device, notice)]
    assert isinstance(reply, call.method.reply)
    assert reply.error == 0


@pytest.mark.parametrize("notice", [None, NOTICE, ReadNotice(7, 1, 3)], ids=lambda each: type(each).__name__)
def test_the_reply_says_when_the_session_is_gone_and_repeats_who_was_meant(notice):
    call = peers.kick(DEVICE) if notice is None else peers.push(DEVICE, notice)
    reply = asyncio.run(peers.answer(Notes(there=False), "node2", call.request))
    assert reply.error == 1011
    if notice is NOTICE:
        assert (reply.fromuid, reply.touid, reply.thread_id) == (1019, 1002, 7)


def the_sources():
    """The source's own messages, as its chapter declares them: every id an int32."""
    proto = descriptor_pb2.FileDescriptorProto(name="source.proto", package="source", syntax="proto3")
    kinds = {"i": descriptor_pb2.FieldDescriptorProto.TYPE_INT32, "s": descriptor_pb2.FieldDescriptorProto.TYPE_STRING}
    for name, fields in {
        "AddFriendMsg": ["i sender_id", "s unique_id", "i msg_id", "i thread_id", "s msgcontent"],
        "AuthFriendReq": ["i fromuid", "i touid", "AddFriendMsg textmsgs"],
        "TextChatData": ["s unique_id", "i msg_id", "s msgcontent", "s chat_time"],
        "TextChatMsgReq": ["i fromuid", "i touid", "i thread_id", "TextChatData textmsgs"],
        "KickUserReq": ["i uid"],
    }.items():
        message = proto.message_type.add(name=name)
        for number, (kind, field) in enumerate((each.split() for each in fields), start=1):
            entry = message.field.add(name=field, number=number)
            if kind in kinds:
                entry.label, entry.type = entry.LABEL_OPTIONAL, kinds[kind]
            else:
                entry.label, entry.type, entry.type_name = entry.LABEL_REPEATED, entry.TYPE_MESSAGE, f".source.{kind}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(proto)
    return {
        message.name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"source.{message.name}"))
        for message in proto.message_type
    }


def test_a_server_of_the_sources_reads_ours_by_its_own_names_and_numbers():
    source = the_sources()
    opening = (FirstText(1019, 5, 7, "", "Hi!"), FirstText(1002, 6, 7, "", "We are friends now!"))
    friends = AuthFriendNotice(0, 1002, 1019, "bob", "", "", 0, opening)
    for notice, name, expected in (
        (NOTICE, "TextChatMsgReq", {"fromuid": 1019, "touid": 1002, "thread_id": 7}),
        (friends, "AuthFriendReq", {"fromuid": 1002, "touid": 1019}),
        (None, "KickUserReq", {"uid": 1002}),
    ):
        device = Device(1002, "s", "node2")
        call = peers.kick(device) if notice is None else peers.push(device, notice)
        read = source[name].FromString(call.request.SerializeToString())
        assert {field: getattr(read, field) for field in expected} == expected
        if notice is NOTICE:
            assert [(each.unique_id, each.msgcontent, each.chat_time) for each in read.textmsgs] == [
                ("{a}", "你好", "2025-05-28 12:00:00")
            ]
        if notice is friends:
            assert [(each.sender_id, each.msg_id, each.thread_id, each.msgcontent) for each in read.textmsgs] == [
                (1019, 5, 7, "Hi!"),
                (1002, 6, 7, "We are friends now!"),
            ]


def test_the_status_of_a_text_crosses_nodes_which_the_sources_does_not():
    call = peers.push(DEVICE, TextsNotice(7, 1, 2, (NumberedText(1, 2, 1, "a", 0, "x", 2, "then"),)))
    node = Notes()
    asyncio.run(peers.answer(node, "node2", call.request))
    ((_, notice),) = node.calls
    assert notice.texts[0].status == 2


def test_every_message_that_has_a_method_of_the_sources_uses_it():
    by_type = {type(each): peers.push(DEVICE, each).method.name for each in (NOTICE, ReadNotice(7, 1, 3))}
    assert by_type == {TextsNotice: "NotifyTextChatMsg", ReadNotice: "Push"}
    assert list(peers.METHODS) == [
        *("NotifyAddFriend", "NotifyAuthFriend", "NotifyTextChatMsg", "NotifyKickUser"),
        "Push",
    ]
    assert set(FROM_SERVER) >= {1011, 1015, 1109}


# --- what carries them


@asynccontextmanager
async def by_grpc(nodes):
    directory = MemoryDirectory(1_000)
    async with asyncio.TaskGroup() as group:
        done = asyncio.Event()
        opened = []
        for name, node in nodes.items():
            carrier = GrpcPeers(name, directory)
            ready = asyncio.Event()

            async def serve(carrier=carrier, name=name, node=node, ready=ready):
                async with carrier.serve(node):
                    await directory.announce(NodeStatus(name, Address("127.0.0.1", 1), 0, 1, carrier.address))
                    ready.set()
                    await done.wait()

            group.create_task(serve())
            await ready.wait()
            opened.append(carrier)
        try:
            yield opened[0]
        finally:
            done.set()


@asynccontextmanager
async def by_link(nodes):
    network = model_network.network(latency=0.01)
    carriers = {name: LinkPeers(network, name) for name in nodes}
    async with carriers["node1"].serve(nodes["node1"]), carriers["node2"].serve(nodes["node2"]):
        yield carriers["node1"]


@asynccontextmanager
async def by_calling(nodes):
    there = ProcessPeers()
    there.nodes.update(nodes)
    yield there


CARRIERS = {"process": (by_calling, run), "link": (by_link, run), "grpc": (by_grpc, asyncio.run)}


@pytest.fixture(params=list(CARRIERS))
def carrier(request):
    return CARRIERS[request.param]


@pytest.fixture(params=["link", "grpc"])
def wire(request):
    return CARRIERS[request.param]


def test_a_kick_and_a_push_reach_the_devices_node_only_in_order_and_an_unknown_node_is_nobody(carrier):
    carrying, play = carrier

    async def body():
        nodes = {"node1": Notes(), "node2": Notes()}
        async with carrying(nodes) as there:
            await there.kick(Device(1, "s", "nowhere"))
            await there.push(Device(1, "s", "nowhere"), NOTICE)
            await there.kick(DEVICE)
            for seq in range(20):
                await there.push(DEVICE, ReadNotice(7, 1, seq))
            assert nodes["node2"].calls == [(DEVICE, None), *((DEVICE, ReadNotice(7, 1, seq)) for seq in range(20))]
            assert nodes["node1"].calls == []

    play(body())


def test_one_connection_carries_all_that_is_said_at_once(wire):
    carrying, play = wire

    async def body():
        nodes = {"node1": Notes(), "node2": Notes()}
        async with carrying(nodes) as there:
            await asyncio.gather(*(there.push(DEVICE, ReadNotice(7, 1, seq)) for seq in range(300)))
        assert sorted(notice.seq for _, notice in nodes["node2"].calls) == list(range(300))

    play(body())


def test_what_a_peer_does_not_answer_is_given_up_at_the_deadline_and_logged(wire, caplog, monkeypatch):
    carrying, play = wire
    monkeypatch.setattr(peers, "DEADLINE", 0.2)

    async def body():
        nodes = {"node1": Notes(), "node2": Notes(hangs=True)}
        async with carrying(nodes) as there:
            await there.push(DEVICE, NOTICE)
            assert nodes["node2"].begun.is_set()

    with caplog.at_level(logging.WARNING):
        play(body())
    assert f"NotifyTextChatMsg of user {DEVICE.uid} did not reach node2: " in caplog.text


def test_a_peer_that_has_begun_anew_elsewhere_is_found_again():
    async def body():
        directory, node = MemoryDirectory(1_000), Notes()
        one, before, after = (GrpcPeers(name, directory) for name in ("node1", "node2", "node2"))
        async with before.serve(Notes()):
            await directory.announce(NodeStatus("node2", Address("127.0.0.1", 1), 0, 1, before.address))
            await one.push(DEVICE, NOTICE)
        async with after.serve(node):
            await directory.announce(NodeStatus("node2", Address("127.0.0.1", 1), 0, 1, after.address))
            async with asyncio.timeout(60):
                while not node.calls:
                    await one.push(DEVICE, NOTICE)
                    await asyncio.sleep(0.05)  # it is looked up once a second
        await one.close()
        assert node.calls[0] == (DEVICE, NOTICE)

    asyncio.run(body())


def test_what_no_peer_would_say_is_refused():
    async def body():
        there = GrpcPeers("node2", MemoryDirectory(1))
        node = Notes()
        async with there.serve(node), grpc.aio.insecure_channel(str(there.address)) as channel:
            push = channel.unary_unary(
                "/message.ChatService/Push",
                request_serializer=pb.PushReq.SerializeToString,
                response_deserializer=pb.PushRsp.FromString,
            )
            for frame in (b"", b"\xff\xff\0\0", b"\x03\xff\0\x02{", b"\x03\xff\0\x02{}"):
                with pytest.raises(grpc.aio.AioRpcError) as refused:
                    await push(pb.PushReq(uid=1, session="s", frame=frame), timeout=10)
                assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
        assert node.calls == []

    asyncio.run(body())


# --- a peer that hangs


def test_a_peer_that_hangs_keeps_a_bounded_number_of_bytes_waiting_for_a_bounded_time(caplog):
    async def body():
        async def never(call):
            await asyncio.Future()

        queue, call = peers.PeerQueue("node2", never), peers.push(DEVICE, NOTICE)
        sending = [asyncio.create_task(queue.send(DEVICE, call)) for _ in range(5_000)]
        await asyncio.sleep(0)
        waiting = [task for task in sending if not task.done()]
        size = call.request.ByteSize() + 1_024
        assert len(waiting) == peers.QUEUE_BYTES // size, "the rest is dropped at once"
        await asyncio.sleep(peers.DEADLINE)
        assert all(task.done() for task in sending)
        assert queue._waiting == 0

    with caplog.at_level(logging.WARNING):
        run(body())
    assert caplog.text.count("too many calls wait for node2; new ones are dropped") == 1
    assert " calls to node2 were dropped" in caplog.text


def test_a_peer_that_was_slow_gets_the_calls_that_come_after():
    async def body():
        gate, calls = asyncio.Event(), []

        async def carry(call):
            await gate.wait()
            calls.append(call)
            return pb.TextChatMsgRsp()

        queue, call = peers.PeerQueue("node2", carry), peers.push(DEVICE, NOTICE)
        sending = [asyncio.create_task(queue.send(DEVICE, call)) for _ in range(2_000)]
        await asyncio.sleep(1)
        gate.set()
        await asyncio.gather(*sending)
        arrived = len(calls)
        assert arrived < 2_000
        await queue.send(DEVICE, call)
        assert len(calls) == arrived + 1

    run(body())


# --- in a cluster of the model


def test_a_login_on_one_node_ends_the_session_on_another_across_the_network():
    async def main():
        platform = ModelPlatform(ModelCosts.read(), seed=1, database=scripted)
        async with running(platform, nodes=2, devices=False) as there:
            first = await there.log_in(7, there.nodes[0].address, deadline=5)
            second = await there.log_in(7, there.nodes[1].address, deadline=5)
            await asyncio.sleep(0.01)
            assert first.ended == "ended by the server: logged in elsewhere"
            assert second.ended is None
            assert [device.node for device in await there.presence.find(7)] == ["node2"]
            await second.close()

    run(main())


def test_a_kick_that_a_partition_holds_up_is_made_good_when_presence_is_next_refreshed():
    async def main():
        platform = ModelPlatform(ModelCosts.read(), seed=1, database=scripted)
        async with running(platform, nodes=2, devices=False) as there:
            platform.network.partition("node1", "node2")
            first = await there.log_in(7, there.nodes[0].address, deadline=5)
            second = await there.log_in(7, there.nodes[1].address, deadline=5)
            await asyncio.sleep(5.1)
            assert first.ended == "ended by the server: logged in elsewhere"
            assert second.ended is None
            platform.network.heal("node1", "node2")
            await second.close()

    run(main())


def test_what_no_peer_would_say_ends_its_connection_in_the_model_and_is_one_line_of_log(caplog):
    async def body():
        network, node = ModelNetwork(), Notes()
        async with LinkPeers(network.host("node2"), "node2").serve(node):
            for method, said in ((99, b""), (1, b"\xff\xff"), (5, pb.PushReq(frame=b"\x03\xff").SerializeToString())):
                stream = await network.host("elsewhere").connect(Address("node2", 50055))
                await stream.write(struct.pack(">IBBI", 1, method, 0, len(said)) + said)
                assert await stream.read(100) == b""
                await stream.close()
        assert node.calls == []

    run(body())
    (line,) = caplog.records
    assert line.exc_info is None
    assert "is malformed: there is no method 99 (1 so far)" in line.getMessage()
