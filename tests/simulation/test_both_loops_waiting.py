"""Queues, timeouts and task groups: the same on asyncio's own loop and in virtual time."""

import asyncio
import contextlib

import pytest
from both_loops import Stories, assert_the_same_on_both_loops

story = Stories()


# Queues


@story(since=(3, 13))
async def a_queue_shut_down_lets_those_who_wait_go(t):
    empty, full = asyncio.Queue(), asyncio.Queue(1)
    full.put_nowait("last")
    waiting = asyncio.gather(t.end("get", empty.get()), t.end("put", full.put(1)), t.end("join", full.join()))
    await t.pause(2)
    empty.shutdown()
    full.shutdown()
    await t.pause(2)
    await t.end("the rest", full.get())
    full.task_done()
    await waiting
    await t.end("nothing more", full.get())


@story
async def a_full_queue_holds_its_producer_up(t):
    async def produce():
        for number in range(5):
            await queue.put(number)
            t.say("put", number, queue.qsize(), queue.full())

    queue = asyncio.Queue(maxsize=2)
    producing = asyncio.create_task(produce())
    for _ in range(5):
        await t.pause(2)
        t.say("got", await queue.get())
    await producing
    with pytest.raises(asyncio.QueueEmpty):
        queue.get_nowait()


@story
async def three_workers_share_the_jobs(t):
    async def work(name):
        while True:
            units = await jobs.get()
            await t.pause(units)
            t.say(name, "did", units)
            jobs.task_done()

    jobs = asyncio.Queue()
    for units in (4, 6, 14, 6, 6, 8, 8, 8):
        jobs.put_nowait(units)
    workers = [asyncio.create_task(work(name)) for name in "abc"]
    await t.tell("all done", jobs.join())
    for worker in workers:
        worker.cancel()
    t.say(await asyncio.gather(*workers, return_exceptions=True) == [], [worker.cancelled() for worker in workers])
    with pytest.raises(ValueError, match="called too many times"):
        jobs.task_done()


@story
async def the_urgent_comes_first_and_on_a_stack_the_last(t):
    for queue in (asyncio.PriorityQueue(3), asyncio.LifoQueue(3)):
        putting = asyncio.gather(*(t.tell("put", queue.put(item)) for item in [(3, "c"), (1, "a"), (5, "e"), (0, "z")]))
        await t.pause(2)
        while not queue.empty():
            t.say(await queue.get(), putting.done())
            await asyncio.sleep(0)


@story
async def a_pipeline_in_a_task_group_drains_to_its_end(t):
    async def stage(name, units, inbox, outbox):
        while (item := await inbox.get()) is not None:
            await t.pause(units)
            t.say(name, item)
            await outbox.put(item + name)
        await outbox.put(None)

    a, b, c = asyncio.Queue(1), asyncio.Queue(1), asyncio.Queue()
    async with asyncio.TaskGroup() as group:
        group.create_task(stage("cut", 2, a, b))
        group.create_task(stage("sewn", 8, b, c))
        for cloth in ("red ", "blue ", "green ", None):
            await a.put(cloth)
            t.say("handed over", cloth)
    t.say([c.get_nowait() for _ in range(c.qsize())])


@story
async def a_consumer_keeps_up_for_a_thousand_hours(t):
    async def produce():
        for delivery in range(1, 51):
            await asyncio.sleep(t.at(2 * delivery) - asyncio.get_running_loop().time())
            for part in range(delivery % 4):
                await queue.put((delivery, part))
        await queue.put(None)

    async def consume():
        while (item := await queue.get()) is not None:
            t.say(item)

    queue = asyncio.Queue(maxsize=2)
    await asyncio.gather(produce(), consume())


# Timeouts


@story
async def of_two_timeouts_the_earlier_fires_or_both(t):
    for outer_units, inner_units, cleaning in ((8, 2, 0), (2, 8, 2), (4, 2, 6)):
        try:
            async with t.timeout(outer_units) as outer:
                with contextlib.suppress(TimeoutError):
                    async with t.timeout(inner_units) as inner:
                        await t.cleanup("work", 20, cleaning)
                await t.tell("more work", t.pause(10))
        except TimeoutError as error:
            t.say(inner.expired(), outer.expired(), repr(error.__cause__), asyncio.current_task().cancelling())


@story
async def a_deadline_in_the_past_lets_nothing_wait(t):
    await t.pause(4)
    for timeout in (asyncio.timeout_at(t.at(2)), t.timeout(0)):
        with contextlib.suppress(TimeoutError):
            async with timeout:
                t.say("this much is done")
                await t.tell("waiting", t.pause(2))
    await t.end("pending", asyncio.wait_for(asyncio.Event().wait(), 0))
    task = asyncio.create_task(t.cleanup("work", 10, cleaning=2))
    await t.pause(2)
    await t.end("late", asyncio.wait_for(task, -1))


@story
async def wait_for_sees_the_cleanup_out(t):
    await t.end("too long", asyncio.wait_for(t.cleanup("work", 10, cleaning=4), 2 * t.unit))
    await t.end("failing", asyncio.wait_for(t.cleanup("work", 10, 2, LookupError("x")), 2 * t.unit))
    await t.end("in time", asyncio.wait_for(t.pause(2, "result"), 6 * t.unit))
    waiting = asyncio.create_task(asyncio.wait_for(t.cleanup("work", 10, cleaning=2), None))
    t.later(2, waiting.cancel, "enough")
    await t.end("cancelled", waiting)


@story
async def a_deadline_moves(t):
    for units in (2, 8, None):
        with contextlib.suppress(TimeoutError):
            async with t.timeout(4) as deadline:
                deadline.reschedule(units and asyncio.get_running_loop().time() + units * t.unit)
                await t.tell(f"within {units}", t.pause(10))
        t.say(deadline.expired(), deadline.when() is None)
    with pytest.raises(RuntimeError, match="Cannot change state"):
        deadline.reschedule(None)


@story
async def a_timeout_swallowed_inside_is_not_raised(t):
    async with t.timeout(2) as timeout:
        await t.end("work", t.pause(10))
        await t.tell("more work", t.pause(2))
    t.say(timeout.expired(), asyncio.current_task().cancelling())


@story
async def a_cancel_at_the_moment_of_a_timeout_wins(t):
    async def work():
        async with t.timeout(10) as timeout:
            timeouts.append(timeout)
            await t.pause(20)

    def both():
        timeouts[0].reschedule(asyncio.get_running_loop().time())
        task.cancel("from outside")

    timeouts = []
    task = asyncio.create_task(t.tell("work", work()))
    t.later(2, both)
    await asyncio.wait([task])
    t.say(task.cancelled(), task.cancelling(), timeouts[0].expired())


# Task groups


@story
async def errors_of_several_kinds_are_told_apart(t):
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(t.tell("early", t.pause(2)))
            group.create_task(t.cleanup("first", 20, 2, TypeError("first")))
            group.create_task(t.cleanup("second", 20, 4, KeyError("second")))
            group.create_task(t.fail(4, ValueError("third")))
            group.create_task(t.cleanup("fourth", 20, 6, ValueError("fourth")))
            group.create_task(t.cleanup("fifth", 20, 8))
            await t.tell("the body", t.pause(30))
    except* ValueError as errors:
        t.say("values", repr(errors))
    except* (TypeError, KeyError) as errors:
        t.say("others", repr(errors), asyncio.current_task().cancelling())


@story
async def groups_in_groups_fail_alone_or_are_cancelled(t):
    async def nest():
        async with asyncio.TaskGroup() as inner:
            inner.create_task(t.cleanup("inner child", 20, cleaning=2))
            inner.create_task(t.cleanup("another", 20, 4, KeyError("cleanup")))

    try:
        async with asyncio.TaskGroup() as outer:
            outer.create_task(t.tell("nest", nest()))
            try:
                async with asyncio.TaskGroup() as inner:
                    inner.create_task(t.cleanup("sibling", 20))
                    inner.create_task(t.fail(2, ValueError("inner")))
            except* ValueError as errors:
                t.say("alone", repr(errors))
            outer.create_task(t.fail(2, LookupError("outer")))
    except* LookupError as errors:
        t.say(repr(errors))


@story
async def a_child_has_children_as_long_as_its_group_lives(t):
    async def spawn(depth):
        await t.tell(depth, t.pause(2))
        if depth:
            group.create_task(spawn(depth - 1))

    async with asyncio.TaskGroup() as group:
        group.create_task(spawn(3))
    late = t.pause(1)
    with pytest.raises(RuntimeError, match="is finished"):
        group.create_task(late)
    late.close()


@story
async def a_group_cancelled_from_outside_cancels_its_children(t):
    async def lead():
        async with asyncio.TaskGroup() as group:
            group.create_task(t.cleanup("first", 10, cleaning=4))
            group.create_task(t.cleanup("second", 10, cleaning=6))

    task = asyncio.create_task(t.tell("group", lead()))
    t.later(2, task.cancel)
    t.later(4, task.cancel)  # while it waits for its children
    await asyncio.wait([task])
    t.say(task.cancelled(), task.cancelling())


@story
async def a_group_runs_out_of_time(t):
    try:
        async with t.timeout(4), asyncio.TaskGroup() as group:
            group.create_task(t.tell("quick", t.pause(2)))
            group.create_task(t.cleanup("slow", 10, cleaning=2))
    except TimeoutError as error:
        t.say(repr(error.__cause__))
    try:
        async with t.timeout(4), asyncio.TaskGroup() as group:
            group.create_task(t.cleanup("slow", 10, 2, ValueError("x")))
    except* ValueError as errors:
        t.say(repr(errors), asyncio.current_task().cancelling())


@pytest.mark.parametrize("body", story.all)
def test_it_goes_as_on_the_real_loop(body):
    assert_the_same_on_both_loops(body)
