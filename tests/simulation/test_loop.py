"""What asyncio code and SimPy processes may rely on in virtual time."""

import asyncio
import contextvars
import gc
import itertools
import signal
import threading
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


class TestEnd:
    """When main is done, nothing goes on."""

    def test_what_main_raises_is_raised(self):
        async def main():
            await asyncio.sleep(1)
            raise LookupError("x")

        with pytest.raises(LookupError, match="x"):
            run(main())

    def test_pending_tasks_are_cancelled_oldest_first(self):
        ends = []

        async def wait(name):
            try:
                await asyncio.Event().wait()
            finally:
                ends.append(name)

        async def main():
            for name in range(1000):
                asyncio.create_task(asyncio.sleep(0) if name % 50 else wait(name))  # noqa: RUF006 - the loop keeps it
            await asyncio.sleep(1)

        run(main())
        assert ends == list(range(0, 1000, 50))

    @pytest.mark.parametrize("interrupt", [KeyboardInterrupt, SystemExit])
    def test_an_interrupt_leaves_nothing_running(self, interrupt):
        ends = []

        async def wait():
            try:
                await asyncio.Event().wait()
            finally:
                ends.append(now())

        async def stop():
            await asyncio.sleep(2)
            raise interrupt

        async def main():
            async with asyncio.TaskGroup() as group:
                group.create_task(wait())
                group.create_task(stop())

        with pytest.raises(interrupt):
            run(main())
        assert ends == [2]

    def test_an_interrupt_is_not_reported_twice(self, caplog):
        async def main():
            raise KeyboardInterrupt

        gc.collect()  # what other tests have left
        caplog.clear()
        with pytest.raises(KeyboardInterrupt):
            run(main())
        gc.collect()
        assert not caplog.records

    def test_an_interrupt_between_callbacks_does_too(self):
        def interrupt():
            raise KeyboardInterrupt

        async def main():
            asyncio.get_running_loop().call_soon(interrupt)
            asyncio.get_running_loop().call_soon(seen.append, "the rest")
            await asyncio.sleep(1)

        seen = []
        with pytest.raises(KeyboardInterrupt):
            run(main())
        assert seen == ["the rest"]  # while main was being cancelled

    def test_another_thread_may_stop_it(self):
        async def main():
            loop, task = asyncio.get_running_loop(), asyncio.current_task()
            threading.Thread(target=loop.call_soon_threadsafe, args=[task.cancel]).start()
            for _ in itertools.count():
                await asyncio.sleep(1)

        with pytest.raises(asyncio.CancelledError):
            run(main())

    def test_ctrl_c_cancels_main(self):
        async def main():
            try:
                signal.raise_signal(signal.SIGINT)
                await asyncio.sleep(3600)
            finally:
                await asyncio.sleep(1)
                ends.append(now())

        ends = []
        with pytest.raises(KeyboardInterrupt):
            run(main())
        assert ends == [1]

    def test_async_generators_left_half_way_are_closed_oldest_first(self):
        ends, kept = [], []

        async def count(name):
            try:
                for number in itertools.count():
                    yield number
            finally:
                await asyncio.sleep(1)
                ends.append((name, now()))

        async def main():
            for name in range(50):
                kept.append(count(name))
                await anext(kept[-1])

        run(main())
        assert ends == [(name, name + 1) for name in range(50)]

    def test_an_async_generator_nobody_has_any_more_is_closed(self):
        ends = []

        async def count():
            try:
                yield 1
            finally:
                await asyncio.sleep(1)
                ends.append(now())

        async def main():
            async for _ in count():
                break
            await asyncio.sleep(5)

        run(main())
        assert ends == [1]

    def test_what_was_ready_at_a_stop_runs_at_once_after_it(self):
        loop, seen = SimPyEventLoop(), []
        loop.call_soon(loop.stop)
        loop.call_soon(lambda: seen.append(loop.time()))
        loop.run_forever()
        assert seen == []
        loop.call_later(1, loop.stop)
        loop.run_forever()
        assert seen == [0]
        loop.close()

    def test_a_closed_loop_takes_nothing(self):
        async def main():
            return asyncio.get_running_loop()

        loop = run(main())
        assert loop.is_closed()
        for call in (lambda: loop.call_soon(print), lambda: loop.call_later(1, print), loop.run_forever):
            with pytest.raises(RuntimeError, match="closed"):
                call()

    def test_an_environment_outlives_its_loop(self):
        env = simpy.Environment()
        seen = []

        async def main():
            asyncio.get_running_loop().call_later(10, seen.append, "never")
            await asyncio.sleep(1)

        run(main(), env=env)
        run(main(), env=env)
        env.run(until=100)
        assert seen == []


class TestStall:
    def test_it_says_who_waits_where(self):
        async def wait_for_word(queue):
            return await queue.get()

        async def main():
            queue = asyncio.Queue()
            async with asyncio.TaskGroup() as group:
                group.create_task(wait_for_word(queue), name="listener")
                await asyncio.sleep(7)

        with pytest.raises(StalledError) as stall:
            run(main())
        assert stall.value.now == 7
        (first, where_main), (second, where_listener) = stall.value.waiting
        assert (first, second) == ("Task-1", "listener")
        assert "main (test_loop.py:" in where_main
        assert "TaskGroup.__aexit__ (taskgroups.py:" in where_main
        assert "wait_for_word (test_loop.py:" in where_listener
        assert " > Queue.get (queues.py:" in where_listener
        assert str(stall.value).startswith("at 7 s nothing is left to happen")
        assert "\n  listener: " in str(stall.value)

    def test_those_who_wait_are_cancelled(self):
        async def main():
            try:
                await asyncio.Event().wait()
            finally:
                ends.append(now())

        ends = []
        with pytest.raises(StalledError):
            run(main())
        assert ends == [0]

    def test_a_waiting_task_is_no_stall_while_main_goes_on(self):
        async def main():
            task = asyncio.create_task(asyncio.Event().wait())
            await asyncio.sleep(1)
            return task.done()

        assert run(main()) is False

    def test_the_garbage_collector_takes_no_waiting_task(self):
        async def wait():
            await asyncio.get_running_loop().create_future()

        async def main():
            asyncio.create_task(wait(), name="forgotten")  # noqa: RUF006 - the point of the test
            await asyncio.sleep(1)
            gc.collect()
            await asyncio.get_running_loop().create_future()

        with pytest.raises(StalledError, match="forgotten"):
            run(main())


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


class TestSimPy:
    def test_a_coroutine_waits_for_a_process(self):
        def work(env):
            yield env.timeout(3)
            return "done"

        async def main():
            loop = current_loop()
            return await loop.wait(loop.env.process(work(loop.env))), now()

        assert run(main()) == ("done", 3)

    def test_an_event_of_the_past_has_its_value(self):
        async def main():
            loop = current_loop()
            event = loop.env.timeout(1, "value")
            await asyncio.sleep(2)
            return await loop.wait(event), now()

        assert run(main()) == ("value", 2)

    def test_a_failure_is_raised_where_it_is_waited_for(self):
        async def main():
            loop = current_loop()
            event = loop.env.event()
            loop.call_later(1, event.fail, LookupError("x"))
            with pytest.raises(LookupError, match="x"):
                await loop.wait(event)
            with pytest.raises(LookupError, match="x"):
                await loop.wait(event)
            return now()

        assert run(main()) == 1

    def test_a_failure_nobody_waits_for_ends_the_run(self):
        def fail(env):
            yield env.timeout(1)
            raise LookupError("x")

        async def main():
            loop = current_loop()
            process = loop.env.process(fail(loop.env))
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.5):
                    await loop.wait(process)
            await asyncio.sleep(10)

        with pytest.raises(LookupError, match="x"):
            run(main())

    def test_a_failure_at_the_instant_its_waiter_is_cancelled_ends_the_run_too(self):
        def fail_and_cancel(env, event, waiting):
            yield env.timeout(1)
            event.fail(LookupError("x"))
            waiting.cancel()

        async def main():
            loop = current_loop()
            event = loop.env.event()
            waiting = asyncio.create_task(loop.wait(event))
            loop.env.process(fail_and_cancel(loop.env, event, waiting))
            await asyncio.sleep(10)

        with pytest.raises(LookupError, match="x"):
            run(main())

    def test_a_wait_given_up_leaves_nothing_at_its_event(self):
        async def main():
            event = current_loop().env.event()
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(current_loop().wait(event), 1)
            return event.callbacks

        assert run(main()) == []

    def test_a_request_given_up_takes_nothing(self):
        async def take(store):
            with store.get() as got:
                return await current_loop().wait(got)

        async def main():
            store = simpy.Store(current_loop().env)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(take(store), 1)
            await current_loop().wait(store.put("kept"))
            return store.items

        assert run(main()) == ["kept"]

    def test_a_process_waits_for_a_task(self):
        seen = []

        def watch(loop, task):
            seen.append((yield loop.event(task)))
            seen.append((yield loop.event(asyncio.sleep(1, "a coroutine will do"))))
            seen.append(loop.time())

        async def main():
            loop = current_loop()
            task = asyncio.create_task(asyncio.sleep(2, "a task"))
            await loop.wait(loop.env.process(watch(loop, task)))

        run(main())
        assert seen == ["a task", "a coroutine will do", 3]

    def test_a_task_fails_in_the_process_that_waits_for_it(self):
        async def fail():
            raise LookupError("x")

        def watch(loop):
            with pytest.raises(LookupError, match="x"):
                yield loop.event(fail())
            task = loop.create_task(asyncio.sleep(10))
            loop.call_later(1, task.cancel)
            with pytest.raises(asyncio.CancelledError):
                yield loop.event(task)
            return loop.time()

        async def main():
            loop = current_loop()
            return await loop.wait(loop.env.process(watch(loop)))

        assert run(main()) == 1

    def test_processes_and_tasks_share_the_time(self):
        seen = []

        def tick(env):
            for _ in range(3):
                yield env.timeout(2)
                seen.append(("process", env.now))

        async def main():
            current_loop().env.process(tick(current_loop().env))
            for _ in range(3):
                await asyncio.sleep(1.5)
                seen.append(("task", now()))
            await asyncio.sleep(10)

        run(main())
        assert seen == [
            ("task", 1.5),
            ("process", 2),
            ("task", 3),
            ("process", 4),
            ("task", 4.5),
            ("process", 6),
        ]


class TestPlace:
    """It runs wherever it is called."""

    def test_in_a_worker_thread(self):
        async def main():
            return await asyncio.to_thread(run, asyncio.sleep(3600, "done"))

        assert asyncio.run(main()) == "done"

    async def test_inside_a_running_loop(self):
        outer, task = asyncio.get_running_loop(), asyncio.current_task()

        async def main():
            await asyncio.sleep(3600)
            return asyncio.get_running_loop() is not outer, asyncio.current_task() is not task

        assert run(main()) == (True, True)
        assert asyncio.get_running_loop() is outer
        assert asyncio.current_task() is task
        await asyncio.sleep(0)

    async def test_inside_a_running_loop_when_it_fails(self):
        outer, task = asyncio.get_running_loop(), asyncio.current_task()
        with pytest.raises(StalledError):
            run(asyncio.Event().wait())
        assert asyncio.get_running_loop() is outer
        assert asyncio.current_task() is task

    def test_inside_itself(self):
        async def main():
            await asyncio.sleep(1)
            return run(asyncio.sleep(5, "inner")), now()

        assert run(main()) == ("inner", 1)

    def test_with_asyncios_own_runner(self):
        with asyncio.Runner(loop_factory=SimPyEventLoop) as runner:
            assert runner.run(asyncio.sleep(3600, 1)) == 1
            assert runner.run(asyncio.sleep(3600, 2)) == 2
            assert runner.get_loop().time() == 7200

    async def test_a_loop_does_not_start_over_another(self):
        loop = SimPyEventLoop()
        with pytest.raises(RuntimeError, match="running in this thread already"):
            loop.run_forever()
        loop.close()

    async def test_there_is_no_current_loop_outside(self):
        with pytest.raises(RuntimeError, match="not in virtual time"):
            current_loop()


class TestRepetition:
    def test_a_run_repeats_itself(self):
        """Through cancellations, sets of tasks and default names, whatever the process has done before."""

        def trace():
            seen = []

            async def work(number):
                try:
                    await asyncio.sleep(number % 7)
                    seen.append((now(), asyncio.current_task().get_name()))
                    await asyncio.sleep(number % 11 + 10)
                except asyncio.CancelledError:
                    seen.append((now(), "cancelled", asyncio.current_task().get_name()))
                    raise

            async def fail():
                await asyncio.sleep(5)
                raise ValueError("x")

            async def main():
                tasks = {asyncio.create_task(work(number)) for number in range(100)}
                done, pending = await asyncio.wait(tasks, timeout=15)
                seen.extend(task.get_name() for group in (done, pending) for task in group)
                async with asyncio.TaskGroup() as group:
                    for number in range(100):
                        group.create_task(work(number))
                    group.create_task(fail())

            with pytest.raises(ExceptionGroup):
                run(main())
            return seen

        first = trace()
        clutter = [object() for _ in range(1001)]
        assert trace() == first
        assert len(first) > 300
        del clutter

    def test_tasks_are_counted_by_their_loop(self):
        async def main():
            return asyncio.current_task().get_name(), asyncio.create_task(asyncio.sleep(0)).get_name()

        assert run(main()) == run(main()) == ("Task-1", "Task-2")


# --- progress


def test_a_progress_bar_advances_with_virtual_time():
    class Bar:
        n = 0.0
        seen = ()

        def update(self, by):
            self.n += by
            self.seen += (self.n,)

    async def main():
        for seconds in (1, 0, 2.5, 10):
            await asyncio.sleep(seconds)

    bar = Bar()
    run(main(), bar=bar)
    assert bar.seen == (1.0, 3.5, 13.5)


def test_a_trace_is_shown_every_callback_with_its_time_before_it_runs():
    seen = []

    async def main():
        await asyncio.sleep(2)
        seen.append("slept")

    run(main(), trace=lambda time, what: seen.append((time, what.partition(" (")[0])))
    assert any(
        time == 2.0 and what.startswith("Task-1 at test_a_trace")
        for time, what in (each for each in seen if each != "slept")
    )
    assert seen.index("slept") > seen.index((2.0, "_set_result_unless_cancelled"))
