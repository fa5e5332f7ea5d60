"""What a `Network` promises: one body, played over TCP in real time and over the model in virtual time."""

import asyncio
import errno

import model_network
import pytest
from echo import ask, read_line, serve

from chatsim.chat.ports import Address
from chatsim.simulation.loop import run
from chatsim.worlds.mysql import tcp
from chatsim.worlds.mysql.delayed_network import DelayedNetwork
from chatsim.worlds.mysql.tcp import TcpNetwork
from chatsim.worlds.world import Distance

ANYWHERE = Address("127.0.0.1", 0)
BIG = 32 * 2**20  # bytes; more than the kernel's buffers of a connection may grow to


def over_tcp(body):
    asyncio.run(body(TcpNetwork()))


def over_model(body):
    run(body(model_network.network(latency=0.001)))


def from_afar(body):
    asyncio.run(body(DelayedNetwork(TcpNetwork(), Distance(rtt=0.002, bandwidth=1e9))))


def in_both_worlds(body):
    @pytest.mark.parametrize("play", [over_tcp, from_afar, over_model])
    def test(play):
        play(body)

    test.__doc__ = body.__doc__
    return test


async def read_all(stream):
    data = bytearray()
    while piece := await stream.read(65536):
        data += piece
    return bytes(data)


async def write_forever(stream):
    while True:
        await stream.write(bytes(1000))
        await asyncio.sleep(0)


async def one_connection(network):
    """The client's and the server's end of a connection whose accept lasts until the server's end is closed."""
    server_end = asyncio.get_running_loop().create_future()
    closed = asyncio.Event()

    async def accept(stream):
        server_end.set_result(stream)
        await closed.wait()

    listener = await network.listen(ANYWHERE, accept)
    client = await network.connect(listener.address)
    await listener.close()
    return client, await server_end, closed


@in_both_worlds
async def test_what_is_sent_comes_back(network):
    listener = await network.listen(ANYWHERE, serve)
    assert await ask(network, listener.address, "one", "two", "") == ["one", "two", ""]
    await listener.close()


@in_both_worlds
async def test_who_is_not_welcome_is_refused_or_hung_up_on_before_anybody_serves_him(network):
    asked, served = [], []

    async def accept(stream):
        served.append(stream)

    def welcomes(peer):
        asked.append(peer.host)
        return False

    listener = await network.listen(ANYWHERE, accept, welcomes)

    async def connect_and_read():
        stream = await network.connect(listener.address)
        try:
            await stream.read(1)
        finally:
            await stream.close()

    with pytest.raises(ConnectionError):
        await connect_and_read()
    assert (len(asked), served) == (1, [])
    await listener.close()


@in_both_worlds
async def test_connections_do_not_mix(network):
    listener = await network.listen(ANYWHERE, serve)
    words = [[f"{client}.{word}" for word in range(5)] for client in range(50)]
    async with asyncio.TaskGroup() as group:
        asks = [group.create_task(ask(network, listener.address, *w)) for w in words]
    assert [task.result() for task in asks] == words
    await listener.close()


@in_both_worlds
async def test_both_ends_know_each_other(network):
    client, server, _ = await one_connection(network)
    other, other_server, _ = await one_connection(network)
    assert client.peer.host == ANYWHERE.host
    assert server.peer.host in {ANYWHERE.host, model_network.HERE}
    assert len({client.peer, server.peer, other.peer, other_server.peer}) == 4
    for stream in (client, server, other, other_server):
        await stream.close()


@in_both_worlds
async def test_a_read_returns_no_more_than_its_limit(network):
    client, server, _ = await one_connection(network)
    await client.write(b"abcdef")
    assert len(first := await server.read(4)) <= 4
    await client.close()
    assert first + await read_all(server) == b"abcdef"
    await server.close()


@in_both_worlds
async def test_pieces_arrive_in_order(network):
    client, server, _ = await one_connection(network)
    for number in range(1000):
        await client.write(b"%d\n" % number)
    assert [await read_line(server) for _ in range(1000)] == [b"%d\n" % number for number in range(1000)]
    await client.close()
    await server.close()


@in_both_worlds
async def test_an_empty_write_is_not_an_end(network):
    client, server, _ = await one_connection(network)
    await client.write(b"")
    await client.write(b"x")
    assert await server.read(10) == b"x"
    await client.close()
    await server.close()


@in_both_worlds
async def test_what_was_written_before_a_close_arrives_and_then_the_end(network):
    client, server, _ = await one_connection(network)
    await client.write(b"last words")
    await client.close()
    assert await read_all(server) == b"last words"
    assert await server.read(1) == b""
    await server.close()


@in_both_worlds
async def test_a_write_under_way_when_its_stream_is_closed_arrives(network):
    client, server, _ = await one_connection(network)
    async with asyncio.TaskGroup() as group:
        group.create_task(client.write(bytes(BIG)))
        await asyncio.sleep(0)
        group.create_task(client.close())
        await asyncio.sleep(0)
        with pytest.raises(ConnectionResetError):
            await client.write(b"x")
        assert await read_all(server) == bytes(BIG)
    await server.close()


@in_both_worlds
async def test_a_stream_is_closed_when_accept_returns(network):
    async def say_goodbye(stream):
        await stream.write(b"bye")

    listener = await network.listen(ANYWHERE, say_goodbye)
    stream = await network.connect(listener.address)
    assert await read_all(stream) == b"bye"
    await stream.close()
    await listener.close()


@in_both_worlds
async def test_closing_twice_is_harmless(network):
    client, server, _ = await one_connection(network)
    await client.close()
    await client.close()
    assert await server.read(1) == b""
    await server.close()
    await server.close()


@in_both_worlds
async def test_a_closed_stream_takes_nothing(network):
    client, server, _ = await one_connection(network)
    await client.close()
    with pytest.raises(ConnectionResetError):
        await client.write(b"x")
    await server.close()


@in_both_worlds
async def test_closing_ends_the_read_under_way(network):
    client, server, _ = await one_connection(network)
    reading = asyncio.create_task(client.read(1))
    await asyncio.sleep(0)
    await client.close()
    assert await reading == b""
    await server.close()


@in_both_worlds
async def test_writing_to_a_peer_that_has_closed_fails_in_the_end(network):
    client, server, _ = await one_connection(network)
    await server.close()
    assert await client.read(1) == b""
    with pytest.raises(ConnectionResetError):
        await write_forever(client)
    await client.close()


@in_both_worlds
async def test_writing_more_than_a_peer_that_has_closed_could_hold_fails_at_once(network):
    client, server, _ = await one_connection(network)
    await server.close()
    assert await client.read(1) == b""
    with pytest.raises(ConnectionResetError):
        await client.write(bytes(BIG))
    await client.close()


@in_both_worlds
async def test_a_big_payload_arrives_whole(network):
    client, server, _ = await one_connection(network)
    payload = bytes(range(256)) * (BIG // 256)
    async with asyncio.TaskGroup() as group:
        reading = group.create_task(read_all(server))
        await client.write(payload)
        await client.close()
    assert reading.result() == payload
    await server.close()


@in_both_worlds
async def test_a_write_waits_while_the_peer_does_not_read(network):
    client, server, _ = await one_connection(network)
    listener = await network.listen(ANYWHERE, serve)
    writing = asyncio.create_task(client.write(bytes(BIG)))
    await ask(network, listener.address, *"meanwhile")
    assert not writing.done()
    left = BIG
    while left:
        left -= len(await server.read(left))
    await writing
    for closing in (client, server, listener):
        await closing.close()


@in_both_worlds
async def test_a_waiting_write_fails_when_the_peer_closes(network):
    client, server, _ = await one_connection(network)
    listener = await network.listen(ANYWHERE, serve)
    writing = asyncio.create_task(client.write(bytes(BIG)))
    await ask(network, listener.address, *"meanwhile")
    await server.close()
    with pytest.raises(ConnectionResetError):
        await writing
    await client.close()
    await listener.close()


@in_both_worlds
async def test_writers_on_one_stream_do_not_mix(network):
    client, server, _ = await one_connection(network)
    size = 200_000
    async with asyncio.TaskGroup() as group:
        reading = group.create_task(read_all(server))
        async with asyncio.TaskGroup() as writers:
            for letter in (b"a", b"b", b"c"):
                writers.create_task(client.write(letter * size))
        await client.close()
    assert reading.result() == b"a" * size + b"b" * size + b"c" * size
    await server.close()


@in_both_worlds
async def test_where_nobody_listens_a_connection_is_refused(network):
    listener = await network.listen(ANYWHERE, serve)
    await listener.close()
    with pytest.raises(ConnectionRefusedError) as refusal:
        await network.connect(listener.address)
    assert refusal.value.errno == errno.ECONNREFUSED


@in_both_worlds
async def test_an_address_has_one_listener(network):
    listener = await network.listen(ANYWHERE, serve)
    with pytest.raises(OSError, match=str(listener.address.port)) as error:
        await network.listen(listener.address, serve)
    assert error.value.errno == errno.EADDRINUSE
    assert await ask(network, listener.address, "still here") == ["still here"]
    await listener.close()
    await (await network.listen(listener.address, serve)).close()


@in_both_worlds
async def test_port_0_stands_for_a_free_one(network):
    listeners = [await network.listen(ANYWHERE, serve) for _ in range(3)]
    assert len({listener.address.port for listener in listeners} - {0}) == 3
    for listener in listeners:
        assert await ask(network, listener.address, "hello") == ["hello"]
        await listener.close()


@in_both_worlds
async def test_connections_outlive_their_listener(network):
    listener = await network.listen(ANYWHERE, serve)
    stream = await network.connect(listener.address)
    await stream.write(b"before\n")
    assert await read_line(stream) == b"before\n"
    await listener.close()
    await listener.close()
    await stream.write(b"after\n")
    assert await read_line(stream) == b"after\n"
    await stream.close()


@pytest.mark.parametrize("play", [over_tcp, over_model])
def test_an_accept_that_raises_costs_its_connection_only(play, caplog):
    async def accept(stream):
        if await read_line(stream) == b"fail\n":
            raise ValueError("no such word")
        await stream.write(b"fine\n")

    async def body(network):
        listener = await network.listen(ANYWHERE, accept)
        assert await ask(network, listener.address, "fail") == [""]
        assert await ask(network, listener.address, "work") == ["fine"]
        await listener.close()

    play(body)
    (record,) = caplog.records
    assert "is given up" in record.message
    assert "no such word" in caplog.text


@pytest.mark.parametrize("play", [over_tcp, over_model])
def test_a_world_may_end_while_accepts_run(play, caplog):
    """They are cancelled and their streams closed: nothing is logged, and nothing warns."""

    async def body(network):
        client, _, _ = await one_connection(network)
        await client.close()

    play(body)
    assert not caplog.records


class TestTcpNetwork:
    """What only TCP has to deal with."""

    def test_closing_gives_up_on_a_peer_that_does_not_read(self, monkeypatch):
        monkeypatch.setattr(tcp, "_LINGER", 0)

        async def body(network):
            client, server, _ = await one_connection(network)
            writing = asyncio.create_task(client.write(bytes(BIG)))
            await asyncio.sleep(0)
            await client.close()
            await client.close()
            with pytest.raises(ConnectionResetError):
                await writing
            assert len(await read_all(server)) < BIG
            await server.close()

        over_tcp(body)


class TestModelNetwork:
    """What only the model promises: times, and that they repeat."""

    def test_a_connection_costs_a_round_trip_and_so_does_a_question(self):
        async def body():
            clock, network = asyncio.get_running_loop().time, model_network.network(latency=0.5)
            listener = await network.listen(ANYWHERE, serve)
            stream = await network.connect(listener.address)
            assert clock() == 1.0
            await stream.write(b"x\n")
            assert clock() == 1.0
            assert await stream.read(2) == b"x\n"
            assert clock() == 2.0

        run(body())

    def test_a_refusal_costs_a_round_trip(self):
        async def body():
            with pytest.raises(ConnectionRefusedError, match=r"10\.0\.0\.1:7"):
                await model_network.network(latency=0.5).connect(Address("10.0.0.1", 7))
            assert asyncio.get_running_loop().time() == 1.0

        run(body())

    def test_a_writer_waits_for_all_but_a_window(self):
        async def body():
            network = model_network.network(latency=0.5, window=10)
            client, server, _ = await one_connection(network)
            await client.write(bytes(10))
            writing = asyncio.create_task(client.write(bytes(10)))
            await asyncio.sleep(3600)
            assert not writing.done()
            assert await server.read(9) == bytes(9)
            await asyncio.sleep(0)
            assert not writing.done()
            assert await server.read(1) == bytes(1)
            await writing

        run(body())

    def test_what_arrives_at_a_closed_end_is_dropped(self):
        async def body():
            client, server, _ = await one_connection(model_network.network(latency=0.5))
            await server.write(b"too late")
            await client.close()
            await asyncio.sleep(1)
            assert await client.read(10) == b""

        run(body())

    def test_a_connect_given_up_half_way_closes_the_other_end(self):
        async def body():
            ended = asyncio.Event()

            async def accept(stream):
                assert await stream.read(1) == b""
                ended.set()

            network = model_network.network(latency=0.5)
            listener = await network.listen(ANYWHERE, accept)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.75):
                    await network.connect(listener.address)
            await ended.wait()
            assert asyncio.get_running_loop().time() == 1.25

        run(body())

    def test_ports_and_times_are_the_same_in_every_run(self):
        def trace():
            seen = []

            async def accept(stream):
                seen.append((asyncio.get_running_loop().time(), str(stream.peer)))
                await serve(stream)

            async def body():
                network = model_network.network(latency=0.1)
                listeners = [await network.listen(ANYWHERE, accept) for _ in range(3)]
                async with asyncio.TaskGroup() as group:
                    for listener in listeners * 5:
                        group.create_task(ask(network, listener.address, str(listener.address)))

            run(body())
            return seen

        assert trace() == trace()
        assert len(trace()) == 15
