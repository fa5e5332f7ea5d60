"""What asyncio does in its corners, it does in virtual time too: the same stories, played on both loops.

The real loop looks at its timers between one turn of what is ready and the next, the model's only when nothing is: no
story lets a timer come due while others run. Nor does one hang on the order of a set, or on garbage collection.
"""

import asyncio
import contextlib
import contextvars
import inspect
import sys

import pytest

from chatsim.simulation.loop import SimPyEventLoop, run

REAL_UNITS = (0.01, 0.1)  # seconds; where the first is too short for a busy machine, the next one counts
MODEL_UNIT = 36_000.0  # ten hours

STORIES = []


def story(function=None, *, since=(3, 11)):
    """Have a function tell its story on both loops, from a version of Python on."""
    if function is None:
        return lambda function: story(function, since=since)
    marks = pytest.mark.skipif(sys.version_info < since, reason=f"Python {since[0]}.{since[1]}")
    STORIES.append(pytest.param(function, id=function.__name__.replace("_", " "), marks=marks))
    return function


class Teller:
    """What a story tells, and when: in units since its beginning. Things happen at even units."""

    def __init__(self, unit, new_loop):
        self.unit, self.new_loop, self.began, self.transcript = unit, new_loop, None, []

    def now(self):
        loop = asyncio.get_running_loop()
        self.began = loop.time() if self.began is None else self.began
        units = (loop.time() - self.began) / self.unit
        return units if self.new_loop is SimPyEventLoop else int(units / 2 + 0.01) * 2

    def at(self, units):
        """The loop's time so many units after the beginning."""
        self.now()
        return self.began + units * self.unit

    def say(self, *what):
        self.transcript.append((self.now(), *what))

    async def pause(self, units, result=None):
        return await asyncio.sleep(units * self.unit, result)

    async def fail(self, units, error):
        await self.pause(units)
        raise error

    def timeout(self, units):
        return asyncio.timeout(units * self.unit)

    def later(self, units, callback, *args):
        return asyncio.get_running_loop().call_later(units * self.unit, callback, *args)

    async def tell(self, name, awaitable):
        """Say how it ends, and end in the same way."""
        try:
            result = await awaitable
        except BaseException as error:
            self.say(name, repr(error))
            raise
        self.say(name, result)
        return result

    async def end(self, name, awaitable):
        """Say how it ends, and go on."""
        with contextlib.suppress(Exception, asyncio.CancelledError):
            return await self.tell(name, awaitable)

    async def cleanup(self, name, units, cleaning=0, error=None):
        """Pause, and whatever ends that, clean up after it; only then say so, or fail."""
        ending = "done"
        try:
            await self.pause(units)
        except asyncio.CancelledError as cancelled:
            ending = repr(cancelled)
            raise
        finally:
            await self.tell(f"cleanup of {name}, {ending}", self.pause(cleaning))
            if error:
                raise error


def play(tale, unit, new_loop):
    teller = Teller(unit, new_loop)

    async def main():
        teller.say("the beginning")
        await asyncio.wait_for(tale(teller), 1000 * unit)  # rather than hang
        teller.say("the end")

    if not inspect.iscoroutinefunction(tale):
        tale(teller)
    elif new_loop is SimPyEventLoop:
        run(main())
    else:
        asyncio.run(main())
    return teller.transcript


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


# Cancellation


@story
async def what_a_cancelled_waiter_was_to_have_goes_to_the_next(t):
    """The first of three is cancelled as it waits, the second as it is woken."""

    async def hear():
        async with condition:
            await condition.wait()

    async def notify():
        async with condition:
            condition.notify(2)
            await t.pause(2)

    lock, semaphore, event, condition = asyncio.Lock(), asyncio.Semaphore(0), asyncio.Event(), asyncio.Condition()
    empty, full, notifying = asyncio.Queue(), asyncio.Queue(1), []
    full.put_nowait("first")
    await lock.acquire()
    for acquire, release in (
        (lock.acquire, lock.release),
        (semaphore.acquire, semaphore.release),
        (event.wait, event.set),
        (empty.get, lambda: empty.put_nowait("item")),
        (lambda: full.put("second"), full.get_nowait),
        (hear, lambda: notifying.append(asyncio.create_task(notify()))),
    ):
        tasks = [asyncio.create_task(t.end(number, acquire())) for number in range(3)]
        t.later(2, tasks[0].cancel)
        await t.pause(4)
        release()
        tasks[1].cancel()
        await t.end("in time", asyncio.wait_for(tasks[2], 6 * t.unit))
    t.say(lock.locked(), semaphore.locked(), full.get_nowait(), empty.empty(), condition.locked())


@story
async def a_cancel_swallowed_once_is_asked_for_again(t):
    async def stubborn():
        await t.end("first", t.pause(20))
        t.say(asyncio.current_task().cancelling())
        await t.tell("second", t.pause(20))

    task = asyncio.create_task(stubborn())
    for units in (2, 4):
        t.later(units, task.cancel, f"at {units}")
    await asyncio.wait([task])
    t.say(task.cancelled(), task.cancelling(), task.cancel())


@story
async def a_cancel_breaks_a_cleanup_off(t):
    task = asyncio.create_task(t.cleanup("work", 20, cleaning=20))
    for units in (2, 6):
        t.later(units, task.cancel, f"at {units}")
    await t.end("task", task)


@story
async def a_cancel_is_taken_back(t):
    async def work():
        for _ in range(2):
            await t.end("work", t.pause(10))
        t.say(asyncio.current_task().uncancel(), asyncio.current_task().uncancel(), asyncio.current_task().uncancel())
        async with t.timeout(10):
            return await t.tell("as if nothing had happened", t.pause(2, "result"))

    task = asyncio.create_task(work())
    t.later(2, task.cancel)
    t.later(4, task.cancel)
    t.say(await task, task.cancelled())


@story
async def a_task_cancelled_before_it_began_never_does(t):
    task = asyncio.create_task(t.cleanup("work", 2))
    t.say(task.cancel("early"), task.cancelled(), task.cancelling())
    await t.end("task", task)
    asyncio.current_task().cancel("myself")
    t.say("until the next await")
    await t.end("main", t.pause(2))


@story
async def a_cancel_goes_down_the_chain_of_tasks(t):
    async def wait_for_next(depth):
        if depth:
            await t.tell(depth, asyncio.create_task(wait_for_next(depth - 1)))
        await t.cleanup("the deepest", 10, cleaning=2)

    task = asyncio.create_task(wait_for_next(3))
    t.later(2, task.cancel, "down")
    await t.end("task", task)


# Shield, gather, wait


@story
async def a_shield_is_closed_from_above_and_open_from_below(t):
    task = asyncio.create_task(t.tell("work", t.pause(6, "result")))
    waiting = asyncio.create_task(t.end("waiting", asyncio.shield(task)))
    t.later(2, waiting.cancel)
    await waiting
    t.say(task.done(), await asyncio.shield(task))
    task = asyncio.create_task(t.cleanup("work", 10, cleaning=2))
    t.later(2, lambda: task.cancel("from below"))
    await t.end("cancelled", asyncio.shield(task))
    await t.end("failing", asyncio.shield(t.fail(2, ValueError("x"))))


@story
async def a_gather_fails_at_once_or_keeps_the_errors(t):
    for return_exceptions in (False, True):
        other = asyncio.create_task(t.tell("other", t.pause(8, "other's")))
        cancelled = asyncio.create_task(t.pause(20))
        t.later(4, cancelled.cancel)
        works = (t.fail(2, KeyError("x")), other, cancelled, t.fail(6, ValueError("y")), other)
        with contextlib.suppress(KeyError):
            results = await asyncio.gather(*works, return_exceptions=return_exceptions)
            t.say([repr(result) for result in results], await asyncio.gather())
        t.say(other.done(), await other)


@story
async def a_cancelled_gather_cancels_all(t):
    for return_exceptions in (False, True):
        works = (t.cleanup(name, 10, cleaning) for name, cleaning in (("first", 2), ("second", 4)))
        gathering = asyncio.gather(*works, return_exceptions=return_exceptions)
        t.later(2, gathering.cancel)
        await t.end("gather", gathering)
        await t.pause(6)


@story
async def wait_returns_at_the_first_each_time(t):
    pending = {asyncio.create_task(t.pause(units), name=f"{units} units") for units in (6, 2, 4)}
    pending |= {asyncio.create_task(t.fail(8, ValueError("x")), name="failing")}
    while pending:
        done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        t.say([(task.get_name(), repr(task.exception())) for task in done], len(pending))


@story
async def wait_returns_at_the_first_error_or_in_time(t):
    tasks = [asyncio.create_task(work) for work in (t.pause(2), t.fail(4, ValueError("x")), t.pause(8), t.pause(20))]
    for options in ({"return_when": asyncio.FIRST_EXCEPTION}, {"timeout": 6 * t.unit}):
        done, pending = await asyncio.wait(tasks, **options)
        t.say([task in done for task in tasks], len(pending), [repr(task.exception()) for task in tasks[:2]])
    t.say([task.cancel() for task in tasks])
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    t.say(len(done), len(pending))


@story
async def as_completed_runs_out_of_time(t):
    tasks = [asyncio.create_task(t.pause(units, units)) for units in (10, 2, 4)]
    tasks.append(asyncio.create_task(t.fail(6, ValueError("x"))))
    for each in asyncio.as_completed(tasks, timeout=8 * t.unit):
        await t.end("next", each)
    t.say([task.done() for task in tasks], await tasks[0])


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


@pytest.mark.parametrize("body", STORIES)
def test_it_goes_as_on_the_real_loop(body):
    in_virtual_time = play(body, MODEL_UNIT, SimPyEventLoop)
    for unit in REAL_UNITS:
        in_real_time = play(body, unit, asyncio.new_event_loop)
        if in_virtual_time == in_real_time:
            break
    assert in_virtual_time == in_real_time
