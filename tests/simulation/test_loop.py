"""Virtual time and the order of callbacks, and what asyncio code may rely on in them."""

import asyncio
import contextvars
import gc
import itertools
import time

import pytest
import simpy

from chatsim.simulation.loop import SimPyEventLoop, current_loop, run
from chatsim.simulation.suspension import StalledError


def now():
    return asyncio.get_running_loop().time()


class CountingEnvironment(simpy.Environment):
    """An environment that counts the events it has processed."""

    steps = 0

    def step(self):
        self.steps += 1
        super().step()


class TestTime:
    def test_an_hour_takes_no_time(self):
        async def main():
            await asyncio.sleep(3600)
            return now()

        started = time.monotonic()
        assert run(main()) == 3600
        assert time.monotonic() - started < 60

    def test_time_is_the_environments(self):
        async def main():
            await asyncio.sleep(1)
            return now(), current_loop().env.now

        assert run(main(), env=simpy.Environment(initial_time=100)) == (101, 101)

    def test_timers_run_by_time_and_then_by_age(self):
        seen = []

        async def main():
            loop = asyncio.get_running_loop()
            for delay, letter in [(2, "d"), (1, "a"), (2, "e"), (1, "b"), (1, "c")]:
                loop.call_later(delay, seen.append, letter)
            await asyncio.sleep(2)

        run(main())
        assert seen == ["a", "b", "c", "d", "e"]

    def test_a_timer_in_the_past_runs_now(self):
        async def main():
            await asyncio.sleep(5)
            past = asyncio.get_running_loop().create_future()
            asyncio.get_running_loop().call_at(1, past.set_result, None)
            await past
            return now()

        assert run(main()) == 5

    def test_no_timer_runs_early(self):
        """However the sums of floating point numbers are rounded."""

        async def main():
            loop, late = asyncio.get_running_loop(), []
            for step in range(1, 500):
                loop.call_at(step * 0.1, lambda due: late.append(now() - due), step * 0.1)
                loop.call_at(step / 7, lambda due: late.append(now() - due), step / 7)
            await asyncio.sleep(100)
            return late

        late = run(main())
        assert len(late) == 998
        assert min(late) >= 0
        assert max(late) < 1e-12

    def test_a_timer_at_infinity_never_runs(self):
        async def main():
            async with asyncio.timeout(float("inf")):
                await asyncio.Event().wait()

        with pytest.raises(StalledError) as stall:
            run(main())
        assert stall.value.now == 0

    def test_a_cancelled_timer_does_not_run(self):
        seen = []

        async def main():
            loop = asyncio.get_running_loop()
            timers = [loop.call_later(1, seen.append, number) for number in range(4)]
            timers[0].cancel()
            timers[2].cancel()
            await asyncio.sleep(2)

        run(main())
        assert seen == [1, 3]

    def test_cancelled_timers_are_forgotten(self):
        """`asyncio.timeout` leaves one behind each time; a long run must not drown in them."""

        async def main():
            current_loop().call_later(100, print)  # what lies behind it doesn't come to the front
            for _ in range(10_000):
                async with asyncio.timeout(3600):
                    await asyncio.sleep(0.001)
            gc.collect()
            timers = sum(isinstance(thing, asyncio.TimerHandle) for thing in gc.get_objects())
            return timers, len(current_loop().env._queue)

        timers, events = run(main())
        assert timers < 200
        assert events < 10


class TestInstant:
    def test_all_that_is_ready_runs_in_one_event(self):
        env = CountingEnvironment()

        async def main():
            before = env.steps
            queue = asyncio.Queue()
            async with asyncio.TaskGroup() as group:
                for number in range(100):
                    group.create_task(queue.put(number))
                    group.create_task(queue.get())
            return env.steps - before

        assert run(main(), env=env) == 0

    def test_timers_of_one_instant_share_an_event(self):
        env = CountingEnvironment()

        async def main():
            before = env.steps
            await asyncio.gather(*(asyncio.sleep(1) for _ in range(100)))
            return env.steps - before

        assert run(main(), env=env) == 1

    def test_time_moves_only_when_nothing_is_ready(self):
        async def spin():
            for _ in range(1000):
                await asyncio.sleep(0)
            return now()

        async def main():
            asyncio.get_running_loop().call_later(1e-9, lambda: None)
            return await asyncio.create_task(spin())

        assert run(main()) == 0

    def test_the_run_ends_with_main_whatever_else_is_ready(self):
        async def spin():
            for _ in itertools.count():
                await asyncio.sleep(0)

        async def main():
            spinning = asyncio.create_task(spin())
            await asyncio.sleep(0)
            return spinning

        assert run(main()).cancelled()


class TestAsyncio:
    def test_queues(self):
        async def produce(queue):
            for number in range(5):
                await asyncio.sleep(1)
                await queue.put((number, now()))

        async def main():
            queue = asyncio.Queue(maxsize=1)
            async with asyncio.TaskGroup() as group:
                group.create_task(produce(queue))
                return [await queue.get() for _ in range(5)]

        assert run(main()) == [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5)]

    def test_locks_are_had_in_the_order_asked_for(self):
        async def hold(lock, name, seen):
            async with lock:
                await asyncio.sleep(1)
                seen.append((name, now()))

        async def main():
            lock, seen = asyncio.Lock(), []
            await asyncio.gather(*(hold(lock, name, seen) for name in "abc"))
            return seen

        assert run(main()) == [("a", 1), ("b", 2), ("c", 3)]

    def test_timeout(self):
        async def main():
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(1.5):
                    await asyncio.sleep(10)
            return now()

        assert run(main()) == 1.5

    def test_wait_for(self):
        async def main():
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(asyncio.Event().wait(), 2)
            return await asyncio.wait_for(asyncio.sleep(1, "in time"), 2), now()

        assert run(main()) == ("in time", 3)

    def test_gather_in_the_order_of_its_arguments(self):
        async def main():
            return await asyncio.gather(*(asyncio.sleep(delay, delay) for delay in (3, 1, 2))), now()

        assert run(main()) == ([3, 1, 2], 3)

    def test_as_completed_in_the_order_of_time(self):
        async def main():
            return [await each for each in asyncio.as_completed([asyncio.sleep(d, d) for d in (3, 1, 2)])]

        assert run(main()) == [1, 2, 3]

    def test_a_task_group_cancels_the_others_when_one_fails(self):
        async def fail():
            await asyncio.sleep(1)
            raise ValueError("x")

        async def sleep():
            try:
                await asyncio.sleep(100)
            finally:
                ends.append(now())

        async def main():
            async with asyncio.TaskGroup() as group:
                group.create_task(sleep())
                group.create_task(fail())

        ends = []
        with pytest.raises(ExceptionGroup, match="unhandled errors"):
            run(main())
        assert ends == [1]

    def test_cancellation_may_take_its_time(self):
        async def sleep():
            try:
                await asyncio.sleep(100)
            finally:
                await asyncio.sleep(1)

        async def main():
            task = asyncio.create_task(sleep())
            await asyncio.sleep(5)
            task.cancel()
            await asyncio.wait([task])
            return task.cancelled(), now()

        assert run(main()) == (True, 6)

    def test_a_shielded_task_goes_on(self):
        async def main():
            task = asyncio.create_task(asyncio.sleep(3, "done"))
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(1):
                    await asyncio.shield(task)
            return await task, now()

        assert run(main()) == ("done", 3)

    def test_context_variables_belong_to_their_task(self):
        who = contextvars.ContextVar("who", default="nobody")

        async def be(name):
            who.set(name)
            await asyncio.sleep(1)
            asyncio.get_running_loop().call_later(1, lambda: seen.append(who.get()))
            await asyncio.sleep(2)
            return who.get()

        async def main():
            return await asyncio.gather(be("a"), be("b")), who.get()

        seen = []
        assert run(main()) == (["a", "b"], "nobody")
        assert seen == ["a", "b"]

    def test_an_exception_nobody_waits_for_is_logged(self, caplog):
        async def main():
            asyncio.get_running_loop().call_soon(lambda: 1 / 0)
            await asyncio.sleep(1)

        run(main())
        assert "Exception in callback" in caplog.text
        assert "ZeroDivisionError" in caplog.text

    def test_an_exception_nobody_waits_for_goes_to_the_handler_set(self, caplog):
        seen = []

        async def main():
            loop = asyncio.get_running_loop()
            loop.set_exception_handler(lambda loop, context: seen.append((loop, context["exception"])))
            loop.call_soon(lambda: 1 / 0)
            await asyncio.sleep(1)
            return loop

        loop = run(main())
        ((where, what),) = seen
        assert where is loop
        assert isinstance(what, ZeroDivisionError)
        assert not caplog.records


class TestAbsent:
    """What would need the real world says so."""

    @pytest.mark.parametrize(
        ("name", "attempt"),
        [
            ("run_in_executor", lambda: asyncio.to_thread(print)),
            ("create_connection", lambda: asyncio.open_connection("127.0.0.1", 1)),
            ("create_server", lambda: asyncio.start_server(print, "127.0.0.1", 0)),
            ("subprocess_exec", lambda: asyncio.create_subprocess_exec("true")),
            ("subprocess_shell", lambda: asyncio.create_subprocess_shell("true")),
        ],
    )
    def test_asyncios_functions(self, name, attempt):
        async def main():
            with pytest.raises(NotImplementedError, match=f"^{name} does not exist in virtual time: use a port"):
                await attempt()

        run(main())

    @pytest.mark.parametrize(
        "name",
        ["add_reader", "add_signal_handler", "add_writer", "getaddrinfo", "sock_connect", "sock_recv", "start_tls"],
    )
    def test_the_loops_methods(self, name):
        async def main():
            with pytest.raises(NotImplementedError, match=f"^{name} does not exist"):
                getattr(asyncio.get_running_loop(), name)("whatever")

        run(main())

    def test_no_method_is_left_without_a_word(self):
        inherited = [
            name
            for name, method in vars(asyncio.AbstractEventLoop).items()
            if not name.startswith("__") and getattr(SimPyEventLoop, name) is method
        ]
        assert inherited == []
