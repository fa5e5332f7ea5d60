"""What machines promise: queues as by the textbook, and each request's work done once before it can be read."""

import asyncio
import heapq
import math
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatsim.chat.ports import Address
from chatsim.worlds.model.links import Constant, Link, Topology
from chatsim.worlds.model.loop import run
from chatsim.worlds.model.machines import Machine, WorkedNetwork
from chatsim.worlds.model.network import ModelNetwork

SERVICE = {1005: 1.0, 1023: 0.25}
LATENCY = 0.5


def now():
    return asyncio.get_running_loop().time()


def frame(number, body=b""):
    return struct.pack(">HH", number, len(body)) + body


LOGIN, HEARTBEAT, UNKNOWN = frame(1005, b'{"uid": 1}'), frame(1023), frame(4711, bytes(1005))


# What queueing theory says of Poisson arrivals, exponential work with a mean of 1, and so many cores: `offered` is the
# load in cores. Erlang's formula C, from his B, which is a recursion.


def waiting_probability(cores, offered):
    blocked = 1.0
    for core in range(1, cores + 1):
        blocked = offered * blocked / (core + offered * blocked)
    utilisation = offered / cores
    return blocked / (1 - utilisation * (1 - blocked))


def mean_wait(cores, offered):
    return waiting_probability(cores, offered) / (cores - offered)


def recursion(cores, gaps, work):
    """How long each customer waits, by Kiefer and Wolfowitz: he takes the core that is free first."""
    free, arrival, waits = [0.0] * cores, 0.0, []
    for gap, seconds in zip(gaps, work, strict=True):
        arrival += gap
        begin = max(arrival, free[0])
        heapq.heapreplace(free, begin + seconds)
        waits.append(begin - arrival)
    return waits


def recursions(cores, offered, customers, runs, seed):
    """The same with many independent runs at once: the waits, a row for each customer after the first few hundred."""
    rng, warm_up = np.random.default_rng(seed), 300
    free, waits = np.zeros((runs, cores)), np.empty((customers, runs))
    for customer in range(-warm_up, customers):
        free = np.maximum(free - rng.exponential(1 / offered, (runs, 1)), 0.0)
        free.sort(axis=1)
        waits[customer] = free[:, 0]  # those of the warm-up are overwritten
        free[:, 0] += rng.exponential(1.0, runs)
    return waits


def served(cores, gaps, work):
    """What customers see on a `Machine`: their waits, the mean number there, and the share of time a core works."""

    async def main():
        machine, loop = Machine(cores), asyncio.get_running_loop()
        waits, here, area, since = [], 0, 0.0, 0.0

        def count(change):
            nonlocal here, area, since
            area += here * (now() - since)
            here, since = here + change, now()

        async def customer(number, seconds):
            arrived = now()
            count(+1)
            await machine.work(seconds)
            count(-1)
            waits[number] = now() - arrived - seconds

        tasks = []
        for number, (gap, seconds) in enumerate(zip(gaps, work, strict=True)):
            await asyncio.sleep(gap)
            waits.append(math.nan)
            tasks.append(loop.create_task(customer(number, seconds)))
        await asyncio.wait(tasks)
        return np.array(waits), area / now(), machine.worked / cores / now()

    return run(main())


def even_exponentials(rng, mean, number):
    """Exponential numbers in random order, whose distribution is as even as can be: their mean is not up to chance."""
    return (-mean * np.log1p(-(np.arange(number) + 0.5) / number))[rng.permutation(number)].tolist()


class TestQueue:
    """Waits are those of a recursion, customer by customer, and the recursion's mean is Erlang's.

    Directly it would take some million customers, and minutes, to have a mean within 1 %.
    """

    CASES = pytest.mark.parametrize(("cores", "offered"), [(1, 0.6), (2, 1.2), (4, 2.8)])

    @CASES
    def test_the_waits_are_as_theory_says(self, cores, offered):
        rng, number = np.random.default_rng(cores), 20_000
        gaps, work = even_exponentials(rng, 1 / offered, number), even_exponentials(rng, 1.0, number)
        waits, there, utilisation = served(cores, gaps, work)
        by_recursion = np.array(recursion(cores, gaps, work))
        assert waits == pytest.approx(by_recursion, abs=1e-6)

        reference = recursions(cores, offered, customers=1500, runs=4000, seed=cores)
        expected = mean_wait(cores, offered)
        assert reference.mean() == pytest.approx(expected, rel=0.01)
        assert (reference > 0).mean() == pytest.approx(waiting_probability(cores, offered), rel=0.01)
        corrected = waits.mean() - by_recursion.mean() + reference.mean()
        assert corrected == pytest.approx(expected, rel=0.01)

        # Little's law, for the run itself: those who wait, and those who are served
        assert there == pytest.approx(offered * (waits.mean() + 1), rel=0.01)
        assert utilisation == pytest.approx(offered / cores, rel=0.01)

    def test_erlangs_formula_for_one_core_is_the_textbooks(self):
        assert waiting_probability(1, 0.6) == pytest.approx(0.6)
        assert mean_wait(1, 0.6) == pytest.approx(0.6 / 0.4)
        assert waiting_probability(2, 1.0) == pytest.approx(1 / 3)


class TestMachine:
    def test_work_on_a_free_core_takes_its_time(self):
        async def main():
            machine = Machine(1)
            await machine.work(2.5)
            assert (now(), machine.worked) == (2.5, 2.5)

        run(main())

    @pytest.mark.parametrize(("cores", "ends"), [(1, [1, 2, 3, 4]), (2, [1, 1, 2, 2]), (4, [1, 1, 1, 1])])
    def test_so_many_work_at_once(self, cores, ends):
        async def main():
            machine, seen = Machine(cores), []

            async def work():
                await machine.work(1)
                seen.append(now())

            await asyncio.gather(*(work() for _ in range(4)))
            assert seen == ends
            assert machine.worked == 4

        run(main())

    def test_who_comes_first_is_served_first(self):
        async def main():
            machine, began = Machine(2), []

            async def work(number):
                await asyncio.sleep(number / 1000)
                await machine.work((number * 7919 % 13 + 1) / 10)
                began.append((now() - (number * 7919 % 13 + 1) / 10, number))

            await asyncio.gather(*map(work, range(100)))
            assert [number for _, number in sorted((round(time, 9), number) for time, number in began)] == [*range(100)]

        run(main())

    def test_those_of_the_same_instant_are_served_as_they_asked(self):
        async def main():
            machine, seen = Machine(1), []

            async def work(number):
                await machine.work(1)
                seen.append(number)

            await asyncio.gather(*map(work, range(20)))
            assert seen == list(range(20))

        run(main())

    def test_work_given_up_frees_its_core_and_is_not_counted(self):
        async def main():
            machine = Machine(1)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(machine.work(100), 10)
            assert machine.worked == 0
            await machine.work(1)
            assert (now(), machine.worked) == (11, 1)

        run(main())

    def test_the_next_begins_when_work_is_given_up(self):
        async def main():
            machine = Machine(1)
            first = asyncio.create_task(machine.work(100))
            second = asyncio.create_task(machine.work(1))
            await asyncio.sleep(10)
            first.cancel()
            await second
            assert (now(), machine.worked) == (11, 1)

        run(main())

    def test_who_gives_up_waiting_is_passed_over(self):
        async def main():
            machine = Machine(1)
            first, second, third = (asyncio.create_task(machine.work(1)) for _ in range(3))
            await asyncio.sleep(0.5)
            second.cancel()
            await asyncio.wait([first, second, third])
            assert (second.cancelled(), now(), machine.worked) == (True, 2, 2)

        run(main())

    def test_who_gives_up_at_the_instant_of_his_turn_frees_the_core(self):
        async def main():
            machine = Machine(1)
            first, second, third = (asyncio.create_task(machine.work(1)) for _ in range(3))
            first.add_done_callback(lambda _: second.cancel())
            await asyncio.wait([first, second, third])
            assert (second.cancelled(), now(), machine.worked) == (True, 2, 2)

        run(main())

    def test_machines_do_not_share_cores(self):
        async def main():
            await asyncio.gather(*(Machine(1).work(1) for _ in range(10)))
            assert now() == 1

        run(main())


class Site:
    """A machine behind a network, and what its sessions have read, with the time of each piece."""

    def __init__(self, cores=1, limit=65536):
        self.network = ModelNetwork(Topology(Link(Constant(LATENCY))))
        self.machine = Machine(cores)
        self.worked = WorkedNetwork(self.network.host("node"), lambda: self.machine, SERVICE)
        self.limit = limit
        self.seen = []
        self.ended = asyncio.Event()

    async def listen(self):
        self.listener = await self.worked.listen(Address("node", 0), self._accept)
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
        site = await Site(limit=limit).listen()
        stream = await site.connect()
        for piece in pieces:
            await stream.write(piece)
            await asyncio.sleep(1)
        await stream.close()
        await site.ended.wait()
        assert site.read == b"".join(pieces)
        return site.machine.worked

    return run(main())


MIXED = LOGIN + HEARTBEAT + UNKNOWN + HEARTBEAT + LOGIN


class TestWorkedNetwork:
    def test_a_request_can_be_read_when_its_work_is_done(self):
        async def main():
            site = await Site().listen()
            stream = await site.connect()
            began = now()
            await stream.write(LOGIN)
            await asyncio.sleep(10)
            assert site.seen == [(began + LATENCY + 1.0, LOGIN)]
            assert site.machine.worked == 1.0

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
            site = Site()

            async def accept(stream):
                await stream.read(100)
                await stream.write(LOGIN)

            listener = await site.worked.listen(Address("node", 0), accept)
            stream = await site.network.host("client").connect(listener.address)
            began = now()
            await stream.write(HEARTBEAT)
            assert await stream.read(100) == LOGIN
            assert now() - began == 2 * LATENCY + 0.25
            assert await stream.read(100) == b""
            assert site.machine.worked == 0.25

        run(main())

    def test_who_connects_from_there_is_not_charged(self):
        async def main():
            site = Site()

            async def accept(stream):
                assert await stream.read(100) == LOGIN
                await stream.write(LOGIN)

            listener = await site.network.host("other").listen(Address("other", 0), accept)
            stream = await site.worked.connect(listener.address)
            await stream.write(LOGIN)
            assert await stream.read(100) == LOGIN
            assert (now(), site.machine.worked) == (4 * LATENCY, 0.0)

        run(main())

    @pytest.mark.parametrize(("cores", "times"), [(1, [1.0, 2.0]), (2, [1.0, 1.0])])
    def test_two_sessions_of_a_machine_queue_for_its_cores(self, cores, times):
        async def main():
            site = await Site(cores).listen()
            streams = [await site.connect(host) for host in ("laptop", "telephone")]
            began = now()
            for stream in streams:
                await stream.write(LOGIN)
            await asyncio.sleep(10)
            assert [time - began - LATENCY for time, _ in site.seen] == times
            assert site.machine.worked == 2.0

        run(main())

    def test_two_listeners_of_a_machine_share_its_cores(self):
        async def main():
            site = await Site().listen()
            other = await site.worked.listen(Address("node", 0), site._accept)
            streams = [await site.connect(), await site.network.host("client").connect(other.address)]
            began = now()
            for stream in streams:
                await stream.write(LOGIN)
            await asyncio.sleep(10)
            assert [time - began - LATENCY for time, _ in site.seen] == [1.0, 2.0]

        run(main())

    def test_frames_of_one_session_are_worked_on_one_after_the_other(self):
        async def main():
            site = await Site(cores=4).listen()
            stream = await site.connect()
            began = now()
            await stream.write(LOGIN)
            await stream.write(LOGIN)
            await asyncio.sleep(10)
            assert [time - began - LATENCY for time, _ in site.seen] == [2.0]

        run(main())

    def test_who_hangs_up_while_his_request_is_worked_on_is_charged_all_the_same(self):
        async def main():
            site = await Site().listen()
            stream = await site.connect()
            await stream.write(LOGIN)
            await stream.close()
            await asyncio.sleep(10)
            assert (site.read, site.ended.is_set(), site.machine.worked) == (LOGIN, True, 1.0)

        run(main())

    def test_a_read_that_is_given_up_while_the_machine_works_takes_nothing(self):
        async def main():
            site, data = Site(), []

            async def accept(stream):
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(stream.read(100), 1.5)
                data.append(await stream.read(100))

            listener = await site.worked.listen(Address("node", 0), accept)
            stream = await site.network.host("client").connect(listener.address)
            await stream.write(LOGIN)
            await asyncio.sleep(10)
            await stream.close()
            await asyncio.sleep(10)
            assert data == [LOGIN]

        run(main())

    def test_addresses_are_those_of_the_network_below(self):
        async def main():
            site, peers = Site(), []

            async def accept(stream):
                peers.append(stream.peer.host)

            listener = await site.worked.listen(Address("node", 0), accept)
            stream = await site.network.host("client").connect(listener.address)
            assert (peers, stream.peer) == (["client"], listener.address)
            with pytest.raises(OSError, match="address in use"):
                await site.worked.listen(listener.address, accept)
            await listener.close()
            with pytest.raises(ConnectionRefusedError):
                await site.network.host("client").connect(listener.address)

        run(main())
