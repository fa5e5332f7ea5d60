"""What a node's messages cost: each request's work is done once before it can be read."""

import asyncio
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatsim.chat.ports import Address
from chatsim.simulation.cpu import CPU
from chatsim.simulation.links import Constant, Link, Topology
from chatsim.simulation.loop import run
from chatsim.worlds.model.network import ModelNetwork
from chatsim.worlds.model.service_time import ServiceTimeNetwork

SERVICE = {1005: 1.0, 1023: 0.25}
LATENCY = 0.5


def now():
    return asyncio.get_running_loop().time()


def frame(number, body=b""):
    return struct.pack(">HH", number, len(body)) + body


LOGIN, HEARTBEAT, UNKNOWN = frame(1005, b'{"uid": 1}'), frame(1023), frame(4711, bytes(1005))


class Node:
    """A machine behind a network, and what its sessions have read, with the time of each piece."""

    def __init__(self, cores=1, limit=65536):
        self.network = ModelNetwork(Topology(Link(Constant(LATENCY))))
        self.cpu = CPU(cores)
        self.service_time = ServiceTimeNetwork(self.network.host("node"), lambda: self.cpu, SERVICE)
        self.limit = limit
        self.seen = []
        self.ended = asyncio.Event()

    async def listen(self):
        self.listener = await self.service_time.listen(Address("node", 0), self._accept)
        return self

    async def _accept(self, stream):
        while data := await stream.read(self.limit):
            self.seen.append((now(), data))
        self.ended.set()

    async def connect(self, host="client"):
        return await self.network.host(host).connect(self.listener.address)

    @property
    def read(self):
        return b"".join(data for _, data in self.seen)


def work_of(*pieces, limit=65536):
    """The work that these pieces are, sent by one session a second after the other and then closed."""

    async def main():
        node = await Node(limit=limit).listen()
        stream = await node.connect()
        for piece in pieces:
            await stream.write(piece)
            await asyncio.sleep(1)
        await stream.close()
        await node.ended.wait()
        assert node.read == b"".join(pieces)
        return node.cpu.busy_seconds

    return run(main())


MIXED = LOGIN + HEARTBEAT + UNKNOWN + HEARTBEAT + LOGIN


def test_a_reply_takes_its_time_and_is_not_written_by_a_node_that_dies_meanwhile():
    async def main():
        network, cpu = ModelNetwork(Topology(Link(Constant(LATENCY)))), CPU(1)
        replies = []

        async def accept(stream):
            replies.append(asyncio.current_task())
            await stream.read(99)
            await stream.write(b"reply")

        timed = ServiceTimeNetwork(network.host("node"), lambda: cpu, {}, write=2.0)
        listener = await timed.listen(Address("node", 0), accept)
        first, second = [await network.host("client").connect(listener.address) for _ in range(2)]
        await first.write(b"one")
        begun = now()
        assert (await first.read(99), now() - begun) == (b"reply", 2 * LATENCY + 2.0)
        await second.write(b"two")
        await asyncio.sleep(LATENCY + 1.0)
        replies[1].cancel()
        await second.close()
        await asyncio.sleep(9)
        assert cpu.busy_seconds == 2.0
        return await second.read(99)

    assert run(main()) == b""


def test_each_byte_of_a_reply_takes_its_time():
    async def main():
        network, cpu = ModelNetwork(Topology(Link(Constant(LATENCY)))), CPU(1)

        async def accept(stream):
            await stream.read(99)
            await stream.write(b"reply")

        timed = ServiceTimeNetwork(network.host("node"), lambda: cpu, {}, write=2.0, byte=0.25)
        listener = await timed.listen(Address("node", 0), accept)
        stream = await network.host("client").connect(listener.address)
        begun = now()
        await stream.write(b"a longer request")
        assert (await stream.read(99), now() - begun) == (b"reply", 2 * LATENCY + 2.0 + 5 * 0.25)

    run(main())


class TestServiceTimeNetwork:
    def test_a_request_can_be_read_when_its_work_is_done(self):
        async def main():
            node = await Node().listen()
            stream = await node.connect()
            began = now()
            await stream.write(LOGIN)
            await asyncio.sleep(10)
            assert node.seen == [(began + LATENCY + 1.0, LOGIN)]
            assert node.cpu.busy_seconds == 1.0

        run(main())

    @pytest.mark.parametrize(
        ("data", "work"),
        [(LOGIN, 1.0), (HEARTBEAT, 0.25), (UNKNOWN, 0.0), (MIXED, 2.5), (HEARTBEAT * 8, 2.0), (b"", 0)],
    )
    def test_each_frame_is_work_by_its_id_once(self, data, work):
        assert work_of(data) == work

    @pytest.mark.parametrize("limit", [1, 2, 3, 4, 5, 7, 100])
    def test_it_does_not_matter_how_much_is_read_at_a_time(self, limit):
        assert work_of(MIXED, limit=limit) == 2.5

    @pytest.mark.parametrize("at", range(len(LOGIN + HEARTBEAT + LOGIN) + 1))
    def test_nor_where_they_are_split(self, at):
        data = LOGIN + HEARTBEAT + LOGIN
        assert work_of(data[:at], data[at:]) == 2.25

    def test_nor_when_they_come_byte_by_byte(self):
        assert work_of(*(bytes([byte]) for byte in LOGIN + HEARTBEAT + LOGIN)) == 2.25

    @settings(max_examples=50)
    @given(st.lists(st.sampled_from([LOGIN, HEARTBEAT, UNKNOWN, frame(0), frame(1, LOGIN)])), st.data())
    def test_nor_how_many_are_split_or_glued_together(self, frames, data):
        whole = b"".join(frames)
        cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=10)))
        pieces = [whole[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
        assert work_of(*pieces) == sum({LOGIN: 1.0, HEARTBEAT: 0.25}.get(each, 0.0) for each in frames)

    @pytest.mark.parametrize("length", range(1, len(LOGIN)))
    def test_a_frame_that_is_cut_off_is_work_as_soon_as_its_header_is_there(self, length):
        assert work_of(LOGIN[:length]) == (1.0 if length >= 4 else 0.0)

    def test_what_looks_like_a_request_within_a_body_is_none(self):
        assert work_of(frame(4711, LOGIN * 100) + HEARTBEAT) == 0.25

    @settings(max_examples=50)
    @given(st.lists(st.binary(max_size=50), max_size=10))
    def test_garbage_is_no_reason_to_fall_over(self, pieces):
        pieces = [piece.replace(b"\x03", b"\x02") for piece in pieces]  # 1005 and 1023 begin with a 3
        assert work_of(*pieces) == 0.0

    def test_what_is_sent_back_is_no_work(self):
        async def main():
            node = Node()

            async def accept(stream):
                await stream.read(100)
                await stream.write(LOGIN)

            listener = await node.service_time.listen(Address("node", 0), accept)
            stream = await node.network.host("client").connect(listener.address)
            began = now()
            await stream.write(HEARTBEAT)
            assert await stream.read(100) == LOGIN
            assert now() - began == 2 * LATENCY + 0.25
            assert await stream.read(100) == b""
            assert node.cpu.busy_seconds == 0.25

        run(main())

    def test_who_connects_from_there_is_not_charged(self):
        async def main():
            node = Node()

            async def accept(stream):
                assert await stream.read(100) == LOGIN
                await stream.write(LOGIN)

            listener = await node.network.host("other").listen(Address("other", 0), accept)
            stream = await node.service_time.connect(listener.address)
            await stream.write(LOGIN)
            assert await stream.read(100) == LOGIN
            assert (now(), node.cpu.busy_seconds) == (4 * LATENCY, 0.0)

        run(main())

    @pytest.mark.parametrize(("cores", "times"), [(1, [1.0, 2.0]), (2, [1.0, 1.0])])
    def test_two_sessions_of_a_machine_queue_for_its_cores(self, cores, times):
        async def main():
            node = await Node(cores).listen()
            streams = [await node.connect(host) for host in ("laptop", "telephone")]
            began = now()
            for stream in streams:
                await stream.write(LOGIN)
            await asyncio.sleep(10)
            assert [time - began - LATENCY for time, _ in node.seen] == times
            assert node.cpu.busy_seconds == 2.0

        run(main())

    def test_two_listeners_of_a_machine_share_its_cores(self):
        async def main():
            node = await Node().listen()
            other = await node.service_time.listen(Address("node", 0), node._accept)
            streams = [await node.connect(), await node.network.host("client").connect(other.address)]
            began = now()
            for stream in streams:
                await stream.write(LOGIN)
            await asyncio.sleep(10)
            assert [time - began - LATENCY for time, _ in node.seen] == [1.0, 2.0]

        run(main())

    def test_frames_of_one_session_are_worked_on_one_after_the_other(self):
        async def main():
            node = await Node(cores=4).listen()
            stream = await node.connect()
            began = now()
            await stream.write(LOGIN)
            await stream.write(LOGIN)
            await asyncio.sleep(10)
            assert [time - began - LATENCY for time, _ in node.seen] == [2.0]

        run(main())

    def test_who_hangs_up_while_his_request_is_worked_on_is_charged_all_the_same(self):
        async def main():
            node = await Node().listen()
            stream = await node.connect()
            await stream.write(LOGIN)
            await stream.close()
            await asyncio.sleep(10)
            assert (node.read, node.ended.is_set(), node.cpu.busy_seconds) == (LOGIN, True, 1.0)

        run(main())

    def test_a_read_that_is_given_up_while_the_machine_works_takes_nothing(self):
        async def main():
            node, data = Node(), []

            async def accept(stream):
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(stream.read(100), 1.5)
                data.append(await stream.read(100))

            listener = await node.service_time.listen(Address("node", 0), accept)
            stream = await node.network.host("client").connect(listener.address)
            await stream.write(LOGIN)
            await asyncio.sleep(10)
            await stream.close()
            await asyncio.sleep(10)
            assert data == [LOGIN]

        run(main())

    def test_addresses_are_those_of_the_network_below(self):
        async def main():
            node, peers = Node(), []

            async def accept(stream):
                peers.append(stream.peer.host)

            listener = await node.service_time.listen(Address("node", 0), accept)
            stream = await node.network.host("client").connect(listener.address)
            assert (peers, stream.peer) == (["client"], listener.address)
            with pytest.raises(OSError, match="address in use"):
                await node.service_time.listen(listener.address, accept)
            await listener.close()
            with pytest.raises(ConnectionRefusedError):
                await node.network.host("client").connect(listener.address)

        run(main())
