"""What the simulated network promises: times, order, addresses."""

import asyncio
import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulated_hosts import JITTER, LATENCY, Address, connected, now, one_link, read, read_at

from chatsim.simulation.links import Constant, Empirical, Link, Lognormal, Topology
from chatsim.simulation.loop import run
from chatsim.simulation.network import SimulatedNetwork


class TestTime:
    def test_a_transfer_takes_its_bytes_time_and_then_the_latency(self):
        async def main():
            client, server = await connected(one_link(bandwidth=1000.0))
            began = now()
            await client.write(bytes(250))
            assert now() == began
            assert await read_at(server, 250) - began == 0.25 + LATENCY

        run(main())

    def test_a_transfer_arrives_as_a_whole(self):
        async def main():
            client, server = await connected(one_link(bandwidth=1000.0))
            began = now()
            await client.write(bytes(250))
            assert await read_at(server, 1) - began == 0.25 + LATENCY

        run(main())

    def test_without_an_end_to_the_bandwidth_size_does_not_matter(self):
        async def main():
            client, server = await connected(one_link())
            began = now()
            await client.write(bytes(10**7))
            assert await read_at(server, 10**7) - began == LATENCY

        run(main())

    def test_a_later_transfer_waits_until_the_earlier_is_sent(self):
        async def main():
            client, server = await connected(one_link(bandwidth=1000.0))
            began = now()
            for _ in range(4):
                await client.write(bytes(250))
            assert [await read_at(server, 250) - began for _ in range(4)] == [0.75, 1.0, 1.25, 1.5]

        run(main())

    def test_a_link_that_has_been_idle_saves_nothing_up(self):
        async def main():
            client, server = await connected(one_link(bandwidth=1000.0))
            await asyncio.sleep(100)
            began = now()
            await client.write(bytes(250))
            assert await read_at(server, 250) - began == 0.25 + LATENCY

        run(main())

    def test_two_connections_between_the_same_hosts_share_the_bandwidth(self):
        async def main():
            network = one_link(bandwidth=1000.0)
            (one, its_end), (other, others_end) = await connected(network), await connected(network)
            began = now()
            for _ in range(2):
                await one.write(bytes(250))
                await other.write(bytes(250))
            assert [await read_at(end, 250) - began for end in (its_end, others_end) * 2] == [0.75, 1.0, 1.25, 1.5]

        run(main())

    def test_the_two_directions_do_not_share_it(self):
        async def main():
            client, server = await connected(one_link(bandwidth=1000.0))
            began = now()
            await client.write(bytes(250))
            await server.write(bytes(250))
            assert [await read_at(end, 250) - began for end in (client, server)] == [0.75, 0.75]

        run(main())

    def test_other_hosts_do_not_share_it(self):
        async def main():
            network = one_link(bandwidth=1000.0)
            ends = [await connected(network, *pair) for pair in (("a", "c"), ("b", "c"), ("a", "b"))]
            began = now()
            for here, _ in ends:
                await here.write(bytes(250))
            assert [await read_at(there, 250) - began for _, there in ends] == [0.75] * 3

        run(main())

    def test_each_direction_has_the_link_of_the_topology(self):
        async def main():
            near, far = Link(Constant(0.25)), Link(Constant(2.0))
            regions = {"client": "east", "server": "west"}
            network = SimulatedNetwork(
                Address, Topology(regions=regions, between={"east west": near, "west east": far})
            )
            client, server = await connected(network)
            assert now() == 2.25
            await client.write(b"x")
            assert await read_at(server, 1) == 2.5
            await server.write(b"x")
            assert await read_at(client, 1) == 4.5

        run(main())

    def test_a_host_reaches_itself_at_once(self):
        async def main():
            client, server = await connected(one_link(bandwidth=1.0), "client", "client")
            await client.write(bytes(1000))
            assert await read_at(server, 1000) == 0

        run(main())

    def test_what_a_link_carries_is_its_bandwidth(self):
        async def main():
            network = one_link(Lognormal(0.01, 0.5), bandwidth=1e6, seed=1)
            sizes = np.random.default_rng(2).integers(100, 2000, 5000).tolist()
            ends = [await connected(network) for _ in range(10)]
            began = now()
            for size, (client, _) in zip(sizes, itertools.cycle(ends), strict=False):
                await client.write(bytes(size))
            last = max([await read_at(server, sum(sizes[at::10])) for at, (_, server) in enumerate(ends)])
            return sum(sizes) / (last - began)

        assert run(main()) == pytest.approx(1e6, rel=0.01)

    def test_the_mean_latency_is_that_of_the_distribution(self):
        async def main():
            client, server = await connected(one_link(Lognormal(0.25, 0.3), bandwidth=1e6, seed=1))
            took = []
            for _ in range(20_000):
                began = now()
                await client.write(b"x")
                took.append(await read_at(server, 1) - began)
            return np.mean(took)

        assert run(main()) == pytest.approx(1e-6 + 0.25 * math.exp(0.3**2 / 2), rel=0.01)

    def test_the_same_seed_gives_the_same_times(self):
        async def main(seed):
            client, server = await connected(one_link(JITTER, seed=seed))
            await client.write(bytes(100))
            return await read_at(server, 100)

        assert run(main(1)) == run(main(1)) != run(main(2))


class TestOrder:
    def test_a_message_does_not_overtake_another_of_its_connection(self):
        async def main():
            client, server = await connected(one_link(JITTER, bandwidth=1e6, seed=1))
            sent = b"".join(number.to_bytes(2) for number in range(5000))
            for at in range(0, len(sent), 2):
                await client.write(sent[at : at + 2])
                await asyncio.sleep(0.001)
            assert await read(server, len(sent)) == sent

        run(main())

    def test_messages_of_other_connections_do_overtake(self):
        async def main():
            network = one_link(Empirical((0.1, 10.0)), seed=1)
            ends = [await connected(network) for _ in range(20)]
            for client, _ in ends:
                await client.write(b"x")
            arrivals = await asyncio.gather(*(read_at(server, 1) for _, server in ends))
            assert sorted(arrivals) != arrivals

        run(main())

    def test_the_end_does_not_overtake_what_was_written(self):
        async def main():
            network = one_link(JITTER, seed=1)
            for _ in range(200):
                client, server = await connected(network)
                await client.write(b"last words")
                await client.close()
                assert await read(server, 10) == b"last words"
                assert await server.read(1) == b""

        run(main())

    @settings(max_examples=100)
    @given(
        st.lists(
            st.tuples(st.sampled_from(["write", "partition", "heal", "slow"]), st.floats(0, 1), st.integers(1, 20)),
            max_size=30,
        ),
        st.integers(0, 1000),
    )
    def test_whatever_happens_all_arrives_in_order_exactly_once(self, steps, seed):
        async def main():
            network = one_link(JITTER, bandwidth=100.0, seed=seed)
            client, server = await connected(network)
            sent = b""
            for what, pause, size in steps:
                await asyncio.sleep(pause)
                if what == "write":
                    data = bytes((len(sent) + at) % 256 for at in range(size))
                    sent += data
                    await client.write(data)
                elif what == "slow":
                    network.slow("client", "server", size / 4)
                else:
                    getattr(network, what)("client", "server")
            await client.close()
            network.heal("client", "server")
            assert await read(server, len(sent)) == sent
            assert await server.read(1) == b""

        run(main())


class TestPeers:
    def test_a_peer_is_where_the_other_end_is(self):
        async def main():
            network = one_link()
            (one, its_end), (other, others_end) = await connected(network), await connected(network, "laptop")
            assert (one.peer.host, its_end.peer.host) == ("server", "client")
            assert (other.peer.host, others_end.peer.host) == ("server", "laptop")
            assert len({end.peer for end in (one, its_end, other, others_end)}) == 4

        run(main())
