"""How a run ends: by its result, an error, an interruption, or because nothing is left to happen."""

import asyncio
import gc
import itertools
import signal
import threading

import pytest
import simpy

from chatsim.simulation.loop import SimPyEventLoop, current_loop, run
from chatsim.simulation.suspension import StalledError


def now():
    return asyncio.get_running_loop().time()


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

    def test_an_interrupt_in_a_task_of_a_group_is_not_reported_either(self, caplog):
        async def interrupted():
            raise KeyboardInterrupt

        async def main():
            async with asyncio.TaskGroup() as group:
                group.create_task(interrupted())

        gc.collect()
        caplog.clear()
        with pytest.raises(KeyboardInterrupt):
            run(main())
        gc.collect()
        assert not caplog.records

    def test_an_error_of_a_task_that_is_cancelled_at_the_end_is_reported(self, caplog):
        async def fails():
            try:
                await asyncio.Event().wait()
            finally:
                raise ValueError("in the end")

        async def main():
            task = asyncio.create_task(fails())
            await asyncio.sleep(1)
            assert not task.done()

        run(main())
        assert [str(record.exc_info[1]) for record in caplog.records] == ["in the end"]

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
        assert "main (test_loop_end.py:" in where_main
        assert "TaskGroup.__aexit__ (taskgroups.py:" in where_main
        assert "wait_for_word (test_loop_end.py:" in where_listener
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
