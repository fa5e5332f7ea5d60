"""An event loop in which a caller goes on only when it is told to, and in which no time passes."""

import asyncio

import pytest

from chatsim.exploration.stepped_loop import SteppedLoop


@pytest.fixture
def loop():
    return SteppedLoop()


@pytest.fixture
def said():
    return []


async def says(said, *words):
    for word in words:
        said.append(word)
        await asyncio.sleep(0)


def test_a_caller_runs_when_it_is_told_to_until_it_waits_and_nobody_else_does(loop, said):
    gate = loop.create_future()

    async def waits():
        said.append("before")
        await gate
        said.append("behind")

    loop.start(0, waits())
    loop.start(1, says(said, "other"))
    assert said == []
    loop.run(0)
    assert said == ["before"]
    loop.run(1)
    assert said == ["before", "other"]
    gate.set_result(None)
    assert loop.ready == [0]
    loop.run(0)
    assert said == ["before", "other", "behind"]
    assert loop.ready == []


def test_those_who_can_go_on_are_named_in_the_order_in_which_they_were_woken(loop):
    gates = {caller: loop.create_future() for caller in range(3)}

    async def waits(gate):
        await gate

    for caller, gate in gates.items():
        loop.start(caller, waits(gate))
        loop.run(caller)
    for caller in (2, 0):
        gates[caller].set_result(None)
    assert loop.ready == [2, 0]


def test_tasks_belong_to_the_caller_whose_task_makes_them(loop, said):
    async def makes():
        await asyncio.gather(says(said, "one"), says(said, "two"))

    loop.start(5, makes())
    loop.run(4)
    assert said == []
    loop.run(5)
    assert sorted(said) == ["one", "two"]


def test_no_timer_runs_by_itself_and_a_wait_takes_too_long_only_if_it_is_told_to(loop, said):
    async def impatient():
        try:
            async with asyncio.timeout(5):
                await loop.create_future()
        except TimeoutError:
            said.append(f"too long at {loop.time()}")

    loop.start(0, impatient())
    assert not loop.waits_in_time(0)
    loop.run(0)
    assert (loop.ready, said) == ([], [])
    assert loop.waits_in_time(0)
    assert not loop.waits_in_time(1)
    loop.time_out(0)
    loop.run(0)
    assert said == ["too long at 0.0"]
    assert not loop.waits_in_time(0)


def test_a_wait_that_has_ended_in_time_can_not_take_too_long(loop):
    gate = loop.create_future()

    async def patient():
        async with asyncio.timeout(5):
            await gate
        await loop.create_future()

    loop.start(0, patient())
    loop.run(0)
    gate.set_result(None)
    loop.run(0)
    assert not loop.waits_in_time(0)
    with pytest.raises(StopIteration):
        loop.time_out(0)


def test_work_of_nobody_is_run_to_its_end(loop, said):
    loop.start(0, says(said, "caller"))

    async def work():
        await asyncio.sleep(0)
        return 7

    assert loop.complete(work()) == 7
    assert said == []
    loop.run(0)
    assert said == ["caller"]


def test_work_of_nobody_that_waits_for_somebody_is_an_error(loop):
    with pytest.raises(asyncio.InvalidStateError):
        loop.complete(asyncio.wait_for(loop.create_future(), None))


def test_the_error_of_a_callback_is_raised_where_it_is_run_and_the_loop_goes_on(loop, said):
    loop.call_soon(lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        loop.run(None)
    loop.start(1, says(said, "fine"))
    loop.run(1)
    assert said == ["fine"]


def test_a_caller_that_is_given_up_is_no_error(loop):
    waits = loop.start(0, asyncio.wait_for(loop.create_future(), 5))
    loop.run(0)
    waits.cancel()
    loop.run(0)
    assert waits.cancelled()
    assert not loop.waits_in_time(0)


async def test_it_runs_within_another_loop_and_leaves_that_one_alone(said):
    outer = asyncio.get_running_loop()
    inner = SteppedLoop()
    inner.start(0, says(said, "inner"))
    inner.run(0)
    assert said == ["inner"]
    assert asyncio.get_running_loop() is outer
    assert not inner.is_running()
