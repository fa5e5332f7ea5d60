"""asyncio code beside SimPy processes; runs that repeat themselves; progress and traces."""

import asyncio

import pytest
import simpy

from chatsim.simulation.loop import current_loop, run


def now():
    return asyncio.get_running_loop().time()


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
