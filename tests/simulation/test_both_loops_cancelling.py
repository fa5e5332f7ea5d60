"""Cancellation, shield, gather and wait: the same on asyncio's own loop and in virtual time."""

import asyncio
import contextlib

import pytest
from both_loops import Stories, assert_the_same_on_both_loops

story = Stories()


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


@pytest.mark.parametrize("body", story.all)
def test_it_goes_as_on_the_real_loop(body):
    assert_the_same_on_both_loops(body)
