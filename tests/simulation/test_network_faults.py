"""What cuts, partitions and slow links do to connections."""

import asyncio

import pytest
from simulated_hosts import JITTER, LATENCY, Address, connected, lost, now, one_link, read, read_at

from chatsim.simulation.loop import run


class TestCut:
    def test_both_ends_learn_at_once(self):
        async def main():
            network = one_link()
            client, server = await connected(network)
            reading = [lost(end.read(1)) for end in (client, server)]
            await asyncio.sleep(1)
            network.cut("client", "server")
            assert await asyncio.gather(*reading) == [now(), now()] == [2.0, 2.0]
            for end in (client, server):
                assert await lost(end.write(b"x")) == await lost(end.read(1)) == 2.0

        run(main())

    def test_it_does_not_matter_who_is_named_first(self):
        async def main():
            network = one_link()
            client, server = await connected(network)
            network.cut("server", "client")
            assert await lost(client.read(1)) == await lost(server.read(1)) == 1.0

        run(main())

    def test_a_writer_that_waits_learns_it(self):
        async def main():
            network = one_link(window=10)
            client, server = await connected(network)
            writing = [lost(end.write(bytes(11))) for end in (client, server)]
            await asyncio.sleep(60)
            assert not any(task.done() for task in writing)
            network.cut("client", "server")
            assert await asyncio.gather(*writing) == [61, 61]

        run(main())

    def test_what_is_under_way_is_lost(self):
        async def main():
            network = one_link()
            client, server = await connected(network)
            await client.write(b"lost")
            await asyncio.sleep(LATENCY / 2)
            network.cut("client", "server")
            await asyncio.sleep(10)
            assert await lost(server.read(4)) == now()

        run(main())

    def test_what_has_come_and_is_not_read_is_lost_too(self):
        async def main():
            network = one_link()
            client, server = await connected(network)
            await client.write(b"lost")
            await asyncio.sleep(10)
            network.cut("client", "server")
            assert await lost(server.read(4)) == now()

        run(main())

    def test_closing_what_is_cut_is_harmless(self):
        async def main():
            network = one_link()
            ends = await connected(network)
            network.cut("client", "server")
            for end in ends * 2:
                await end.close()
            network.cut("client", "server")

        run(main())

    def test_a_close_under_way_is_lost(self):
        async def main():
            network = one_link()
            client, server = await connected(network)
            await client.write(b"last words")
            await client.close()
            network.cut("client", "server")
            assert await lost(server.read(10)) == 1.0

        run(main())

    def test_who_is_cut_off_while_the_peers_close_is_under_way_can_write_no_more(self):
        async def main():
            network = one_link()
            client, server = await connected(network)
            await client.close()
            network.cut("client", "server")
            await lost(server.write(b"x"))

        run(main())

    def test_who_has_read_to_the_end_has_not_lost_anything(self):
        async def main():
            network = one_link()
            client, server = await connected(network)
            await client.close()
            assert await server.read(1) == b""
            network.cut("client", "server")
            assert await server.read(1) == b""

        run(main())

    def test_new_connections_work(self):
        async def main():
            network = one_link()
            await connected(network)
            network.cut("client", "server")
            client, server = await connected(network)
            await client.write(b"hello")
            assert await read(server, 5) == b"hello"

        run(main())

    def test_a_connection_that_is_half_way_is_lost_when_the_server_has_it(self):
        async def main():
            network = one_link()
            connecting = asyncio.create_task(connected(network))
            await asyncio.sleep(LATENCY * 1.5)
            network.cut("client", "server")
            client, server = await connecting
            assert await lost(client.read(1)) == await lost(server.read(1)) == 2 * LATENCY

        run(main())

    def test_other_hosts_keep_theirs(self):
        async def main():
            network = one_link()
            pairs = [await connected(network, *pair) for pair in (("laptop", "server"), ("client", "laptop"))]
            await connected(network)
            network.cut("client", "server")
            for here, there in pairs:
                await here.write(b"hello")
                assert await read(there, 5) == b"hello"

        run(main())

    def test_a_cut_in_a_partition_loses_what_is_held_back(self):
        async def main():
            network = one_link()
            client, server = await connected(network)
            network.partition("client", "server")
            await client.write(b"lost")
            network.cut("client", "server")
            network.heal("client", "server")
            await asyncio.sleep(10)
            assert await lost(server.read(4)) == now()

        run(main())


class TestPartition:
    def test_nothing_passes_and_nobody_knows(self):
        async def main():
            network = one_link()
            client, server = await connected(network)
            network.partition("client", "server")
            for end in (client, server):
                await end.write(b"x")
            reading = [asyncio.create_task(end.read(1)) for end in (client, server)]
            await asyncio.sleep(3600)
            assert not any(task.done() for task in reading)

        run(main())

    def test_healing_delivers_everything_in_order_once(self):
        async def main():
            network = one_link(JITTER, bandwidth=1e3, seed=1)
            client, server = await connected(network)
            for number in range(100):
                if number == 30:
                    network.partition("client", "server")
                await client.write(number.to_bytes())
                await asyncio.sleep(0.001)
            network.heal("client", "server")
            for number in range(100, 130):
                await client.write(number.to_bytes())
            await client.close()
            assert await read(server, 130) == bytes(range(130))
            assert await server.read(1) == b""

        run(main())

    def test_what_was_held_back_takes_its_time_from_the_healing_on(self):
        async def main():
            network = one_link(bandwidth=1000.0)
            client, server = await connected(network)
            network.partition("client", "server")
            await client.write(bytes(250))
            await client.write(bytes(250))
            await asyncio.sleep(3599)
            network.heal("client", "server")
            assert [await read_at(server, 250) for _ in range(2)] == [3600.75, 3601.0]

        run(main())

    def test_healing_and_parting_twice_is_harmless(self):
        async def main():
            network = one_link()
            client, server = await connected(network)
            network.heal("client", "server")
            network.partition("client", "server")
            await client.write(b"a")
            network.partition("server", "client")
            await client.write(b"b")
            network.heal("server", "client")
            network.heal("client", "server")
            assert await read(server, 2) == b"ab"
            assert now() == 3 * LATENCY

        run(main())

    def test_a_writer_does_not_wait_for_the_healing_but_for_the_window(self):
        async def main():
            network = one_link(window=10)
            client, server = await connected(network)
            network.partition("client", "server")
            await client.write(bytes(10))
            writing = asyncio.create_task(client.write(b"x"))
            await asyncio.sleep(3600)
            assert not writing.done()
            network.heal("client", "server")
            await read(server, 11)
            await writing

        run(main())

    def test_connecting_hangs_until_the_healing(self):
        async def main():
            network = one_link()
            network.partition("client", "server")
            connecting = asyncio.create_task(connected(network))
            await asyncio.sleep(3600)
            assert not connecting.done()
            network.heal("client", "server")
            await connecting
            assert now() == 3601

        run(main())

    def test_a_refusal_hangs_too(self):
        async def main():
            network = one_link()
            network.partition("client", "server")
            refused = asyncio.create_task(network.host("client").connect(Address("server", 1)))
            await asyncio.sleep(3600)
            assert not refused.done()
            network.heal("client", "server")
            with pytest.raises(ConnectionRefusedError):
                await refused
            assert now() == 3601

        run(main())

    def test_one_that_gives_up_connecting_leaves_nothing_behind(self):
        async def main():
            accepted = []

            async def accept(stream):
                accepted.append(stream)

            network = one_link()
            listener = await network.host("server").listen(Address("server", 0), accept)
            network.partition("client", "server")
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(network.host("client").connect(listener.address), 60)
            network.heal("client", "server")
            await asyncio.sleep(60)
            assert not accepted

        run(main())

    def test_a_partition_when_a_connection_is_half_way_delays_the_rest(self):
        async def main():
            network, accepted = one_link(), asyncio.get_running_loop().create_future()

            async def accept(stream):
                accepted.set_result(now())
                assert await read(stream, 5) == b"hello"
                await stream.write(b"welcome")

            listener = await network.host("server").listen(Address("server", 0), accept)
            connecting = asyncio.create_task(network.host("client").connect(listener.address))
            await asyncio.sleep(LATENCY / 2)
            network.partition("client", "server")
            assert await accepted == LATENCY
            await asyncio.sleep(100 - LATENCY)
            assert not connecting.done()
            network.heal("client", "server")
            client = await connecting
            assert now() == 100 + LATENCY
            await client.write(b"hello")
            assert await read(client, 7) == b"welcome"

        run(main())

    def test_one_that_gives_up_half_way_in_a_partition_is_heard_of_after_it(self):
        async def main():
            network, ended = one_link(), asyncio.get_running_loop().create_future()

            async def accept(stream):
                assert await stream.read(1) == b""
                ended.set_result(now())

            listener = await network.host("server").listen(Address("server", 0), accept)
            connecting = asyncio.create_task(network.host("client").connect(listener.address))
            await asyncio.sleep(LATENCY * 1.5)
            network.partition("client", "server")
            connecting.cancel()
            await asyncio.wait([connecting])
            await asyncio.sleep(100 - now())
            assert not ended.done()
            network.heal("client", "server")
            assert await ended == 100 + LATENCY

        run(main())

    def test_a_close_in_a_partition_is_heard_of_after_it(self):
        async def main():
            network = one_link()
            client, server = await connected(network)
            network.partition("client", "server")
            await client.write(b"last words")
            await client.close()
            reading = asyncio.create_task(read_at(server, 10))
            await server.write(b"nobody reads this")
            await asyncio.sleep(99)
            assert not reading.done()
            network.heal("client", "server")
            assert await reading == 100 + LATENCY
            assert await server.read(1) == b""
            assert await lost(server.write(b"x")) == 100 + LATENCY

        run(main())

    def test_both_may_close_in_it(self):
        async def main():
            network = one_link()
            ends = await connected(network)
            network.partition("client", "server")
            for end in ends:
                await end.write(b"last words")
                await end.close()
            network.heal("client", "server")
            await asyncio.sleep(10)
            assert [await end.read(10) for end in ends] == [b"", b""]

        run(main())

    def test_what_was_sent_before_it_arrives_in_it(self):
        async def main():
            network = one_link()
            client, server = await connected(network)
            await client.write(b"x")
            network.partition("client", "server")
            assert await read_at(server, 1) == 3 * LATENCY

        run(main())

    def test_what_was_written_before_it_began_arrives_however_long_it_takes_to_be_sent(self):
        async def main():
            network = one_link(bandwidth=1.0)
            client, server = await connected(network)
            await client.write(b"first")
            await client.write(b"second")
            await asyncio.sleep(1)
            network.partition("client", "server")
            assert await read(server, 11) == b"firstsecond"

        run(main())

    def test_other_hosts_are_not_affected(self):
        async def main():
            network = one_link()
            network.partition("client", "server")
            for pair in (("laptop", "server"), ("client", "laptop"), ("server", "server"), ("server", "laptop")):
                here, there = await connected(network, *pair)
                await here.write(b"hello")
                assert await read(there, 5) == b"hello"

        run(main())


class TestSlow:
    def test_latency_and_sending_take_so_many_times_as_long(self):
        async def main():
            network = one_link(bandwidth=1000.0)
            client, server = await connected(network)
            network.slow("client", "server", 10)
            began = now()
            await client.write(bytes(250))
            await server.write(bytes(500))
            assert await read_at(server, 250) - began == 10 * (0.25 + LATENCY)
            assert await read_at(client, 500) - began == 10 * (0.5 + LATENCY)

        run(main())

    def test_the_factor_is_to_the_topologys_times_and_1_ends_it(self):
        async def main():
            network = one_link()
            client, server = await connected(network)
            for factor, expected in ((10, 5.0), (10, 5.0), (2, 1.0), (1, 0.5)):
                network.slow("client", "server", factor)
                began = now()
                await client.write(b"x")
                assert await read_at(server, 1) - began == expected

        run(main())

    def test_what_comes_after_the_slowness_does_not_overtake_what_came_in_it(self):
        async def main():
            network = one_link()
            client, server = await connected(network)
            network.slow("client", "server", 10)
            await client.write(b"slow")
            network.slow("client", "server", 1)
            await client.write(b"fast")
            assert await read(server, 8) == b"slowfast"
            assert now() == 2 * LATENCY + 10 * LATENCY

        run(main())

    def test_connecting_is_slow_too(self):
        async def main():
            network = one_link()
            network.slow("client", "server", 10)
            await connected(network)
            assert now() == 10 * 2 * LATENCY

        run(main())

    def test_other_hosts_are_not_slow(self):
        async def main():
            network = one_link()
            network.slow("client", "server", 10)
            await connected(network, "laptop")
            assert now() == 2 * LATENCY

        run(main())
