"""Locks, generators, contexts and callbacks: the same on asyncio's own loop and in virtual time."""

import asyncio
import contextlib
import contextvars

import pytest
from both_loops import Stories, assert_the_same_on_both_loops

story = Stories()


# Locks and their like


@story
async def a_condition_wakes_as_many_as_it_is_told(t):
    async def wait(name, needed):
        async with condition:
            await condition.wait_for(lambda: len(stock) >= needed)
            t.say(name, [stock.pop() for _ in range(needed)])

    stock, condition = [], asyncio.Condition()
    waiting = [asyncio.create_task(wait(name, needed)) for name, needed in (("a", 3), ("b", 1), ("c", 2))]
    for item in range(6):
        await t.pause(2)
        async with condition:
            stock.append(item)
            condition.notify(1 + item % 3)
            t.say("delivered", item)
    await asyncio.gather(*waiting)
    with pytest.raises(RuntimeError, match="un-acquired"):
        condition.notify()


@story
async def a_barrier_opens_for_the_last_or_breaks(t):
    async def arrive(units):
        for lap in range(2):
            await t.pause(units)
            await t.tell((units, lap), barrier.wait())

    barrier = asyncio.Barrier(3)
    await asyncio.gather(*(arrive(units) for units in (2, 8, 4)))
    for breaking in (barrier.reset, barrier.abort):
        waiting = [asyncio.create_task(t.end(name, barrier.wait())) for name in "ab"]
        t.later(2, waiting[0].cancel)  # the others don't mind
        await t.pause(4)
        t.say(barrier.n_waiting, barrier.broken)
        await breaking()
        await waiting[1]
    await t.end("c", barrier.wait())


@story
async def a_semaphore_lets_two_in_at_a_time(t):
    async def visit(name, units):
        async with semaphore:
            t.say(name, "enters", semaphore.locked())
            await t.pause(units)
        t.say(name, "leaves", semaphore.locked())

    semaphore = asyncio.BoundedSemaphore(2)
    await asyncio.gather(*(visit(name, units) for name, units in zip("abcde", (2, 4, 6, 8, 6), strict=True)))
    with pytest.raises(ValueError, match="released too many times"):
        semaphore.release()


@story
async def nobody_overtakes_at_a_semaphore(t):
    semaphore = asyncio.Semaphore(1)
    await semaphore.acquire()
    waiting = asyncio.create_task(t.tell("who waited", semaphore.acquire()))
    await t.pause(2)
    semaphore.release()
    t.later(2, semaphore.release)
    await t.tell("who came at the last moment", semaphore.acquire())
    await waiting


@story
async def an_event_cleared_at_once_still_wakes(t):
    event = asyncio.Event()
    waiting = asyncio.gather(*(t.tell(name, event.wait()) for name in "ab"))
    await t.pause(2)
    event.set()
    event.clear()
    late = asyncio.create_task(t.end("late", asyncio.wait_for(event.wait(), 4 * t.unit)))
    t.say(await waiting, event.is_set())
    await late


# Async generators


@story
async def an_abandoned_generator_is_closed_behind_the_scenes(t):
    async def count():
        try:
            yield 1
        finally:
            await t.tell("cleanup", t.pause(4))
            raise ValueError("x")

    async def abandon():
        async for _ in count():
            break

    asyncio.get_running_loop().set_exception_handler(lambda _, context: t.say("reported", repr(context["exception"])))
    await t.tell("abandoned", abandon())
    await t.tell("meanwhile", t.pause(2))
    await t.pause(4)


@story
async def a_generator_is_closed_asked_and_thrown_at(t):
    async def count():
        number = 0
        while True:
            try:
                number = (yield number) or number + 1
                await t.pause(2)
            except ValueError as error:
                t.say("thrown", repr(error))
            finally:
                await t.pause(2)

    counting = count()
    t.say(await anext(counting), await counting.asend(10), await counting.athrow(ValueError("x")))
    await t.tell("next", anext(counting))
    await t.tell("closed", counting.aclose())
    await t.end("no more", anext(counting))


@story
async def a_cancel_unwinds_through_a_generator(t):
    async def count():
        try:
            for number in range(10):
                await t.pause(2)
                yield number
        finally:
            await t.tell("cleanup", t.pause(2))

    async def consume():
        async with contextlib.aclosing(count()) as numbers:
            async for number in numbers:
                t.say(number)
                await t.pause(4 * number)

    for units in (3, 5):  # in the generator, in the consumer
        task = asyncio.create_task(t.tell("consumer", consume()))
        t.later(units * 2, task.cancel)
        await asyncio.wait([task])


# Context variables and eager tasks


@story
async def a_context_is_copied_or_shared(t):
    async def work(name):
        before = color.get()
        color.set(name)
        await t.pause(2)
        t.say(before, color.get())

    color = contextvars.ContextVar("color", default="none")
    shared = contextvars.copy_context()
    async with asyncio.TaskGroup() as group:
        group.create_task(work("red"))
        color.set("blue")
        group.create_task(work("green"))
        group.create_task(work("black"), context=shared)
    await asyncio.create_task(work("white"), context=shared)
    done = asyncio.get_running_loop().create_future()
    done.add_done_callback(lambda _: t.say("callback", color.get()))
    done.add_done_callback(lambda _: t.say("callback", color.get()), context=shared)
    t.later(2, lambda: (color.set("lost"), done.set_result(None)))
    await asyncio.wait_for(done, 4 * t.unit)
    t.say(color.get())


@story(since=(3, 12))
async def an_eager_task_begins_before_its_creator_goes_on(t):
    def start(work):
        task = asyncio.eager_task_factory(asyncio.get_running_loop(), work)
        t.say("started", task.done())
        return task

    async def at_once(result):
        t.say("at once", asyncio.current_task() is main)
        return result

    main = asyncio.current_task()
    tasks = [start(at_once("result")), start(t.tell("work", t.pause(2))), start(t.fail(0, KeyError()))]
    lazy = asyncio.create_task(at_once("lazy"))
    t.say("created", len(asyncio.all_tasks()), asyncio.current_task() is main)
    t.say([repr(result) for result in await asyncio.gather(*tasks, lazy, return_exceptions=True)])


# The loop and its callbacks


@story
async def callbacks_run_in_turn_and_timers_in_time(t):
    def chain(name, links):
        t.say(name, links)
        if links:
            loop.call_soon(chain, name, links - 1)

    loop = asyncio.get_running_loop()
    handles = [loop.call_soon(chain, name, 2) for name in "abc"]
    handles += [loop.call_at(t.at(units), t.say, units) for units in (6, 2, 4, 12)]
    handles[1].cancel()
    loop.call_soon(handles[2].cancel)  # too late
    doomed = []
    loop.call_soon(lambda: doomed.pop().cancel())
    doomed.append(loop.call_soon(t.say, "never"))
    t.later(8, handles[3].cancel)  # too late
    t.later(10, handles[6].cancel)
    await t.pause(14)
    t.say([handle.cancelled() for handle in handles], handles[3] > handles[4])


@story
async def everything_takes_as_many_turns_as_ever(t):
    """A metronome ticks once a turn: what happens in between must keep its beat."""

    async def tick():
        for tick in range(80):
            t.say("tick", tick)
            await asyncio.sleep(0)

    async def nothing(result=None):
        return result

    async def group():
        async with asyncio.TaskGroup() as group:
            group.create_task(nothing())

    lock, queue, event = asyncio.Lock(), asyncio.Queue(1), asyncio.Event()
    ticking = asyncio.create_task(tick())
    await t.tell("task", asyncio.create_task(nothing()))
    await t.tell("gather", asyncio.gather(nothing(1), asyncio.gather(nothing(2), nothing(3))))
    await t.tell("group", group())
    await t.tell("wait_for", asyncio.wait_for(nothing(), 2 * t.unit))
    await t.tell("shield", asyncio.shield(nothing()))
    await t.tell("put and get", asyncio.gather(queue.put(1), queue.put(2), queue.get(), queue.get()))
    await t.tell("lock", asyncio.gather(*(asyncio.wait_for(lock.acquire(), 2 * t.unit), t.pause(0))))
    asyncio.get_running_loop().call_soon(event.set)
    await t.tell("event", event.wait())
    task = asyncio.create_task(t.pause(20))
    task.cancel()
    await t.end("cancelled", task)
    for each in asyncio.as_completed([nothing(), nothing()]):
        await t.tell("completed", each)
    await t.tell("ticking", ticking)


@story
async def futures_wake_and_call_back_in_order(t):
    futures = [asyncio.get_running_loop().create_future() for _ in range(4)]
    for number, future in enumerate(futures):
        future.add_done_callback(t.transcript.append)
        future.add_done_callback(lambda future, number=number: t.say(number, "called back", future.cancelled()))
        future.remove_done_callback(t.transcript.append)
    waiting = asyncio.gather(*(t.end(number, future) for number, future in enumerate(futures)))
    await t.pause(2)
    futures[2].set_result("result")
    futures[0].cancel("message")
    futures[3].set_exception(KeyError("x"))
    futures[1].set_result(None)
    await waiting
    futures[2].add_done_callback(lambda _: t.say("late"))
    t.say("not yet", futures[2].cancel(), await futures[2])
    with pytest.raises(asyncio.InvalidStateError):
        futures[2].set_exception(ValueError())


@story
def a_runner_runs_more_than_once(t):
    async def visit(name):
        t.say(name, color.get(), asyncio.get_running_loop() is runner.get_loop())
        color.set(name)
        tasks.append(asyncio.create_task(t.cleanup(f"left by {name}", 4, cleaning=2)))
        await t.pause(2)
        return name

    color, tasks = contextvars.ContextVar("color", default="none"), []
    with asyncio.Runner(loop_factory=t.new_loop) as runner:
        t.transcript += [runner.run(visit("red")), runner.run(visit("blue"))]
        with pytest.raises(LookupError, match="x"):
            runner.run(t.fail(2, LookupError("x")))
        t.transcript.append([task.done() for task in tasks])
        runner.run(visit("green"))
    t.transcript.append([task.cancelled() for task in tasks])
    with pytest.raises(RuntimeError, match="closed"):
        runner.get_loop()


@story
async def errors_nobody_waits_for_are_reported(t):
    def report(loop, context):
        message = context["message"]
        t.say(message[:21], repr(context["exception"]), sorted(context.keys() - {"message", "exception"}))

    def fail(*_):
        raise ValueError("in a callback")

    async def work():
        await t.pause(6)
        raise LookupError("in a task")

    loop = asyncio.get_running_loop()
    loop.set_exception_handler(report)
    t.say(loop.get_exception_handler() is report)
    loop.call_soon(fail)
    loop.call_soon(t.say, "the next one runs")
    t.later(2, fail)
    future, forgotten = loop.create_future(), loop.create_future()
    future.add_done_callback(fail)
    future.add_done_callback(lambda _: t.say("the next one runs"))
    t.later(4, future.set_result, None)
    t.later(4, forgotten.set_exception, KeyError("in a future"))
    task = asyncio.create_task(work())
    await t.pause(8)
    t.say("the others are reported when they are forgotten")
    del forgotten
    del task


@pytest.mark.parametrize("body", story.all)
def test_it_goes_as_on_the_real_loop(body):
    assert_the_same_on_both_loops(body)
