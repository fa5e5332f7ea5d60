"""Pushes to a user with many devices wait for other work, and not the other way round."""

import asyncio
import functools

from chatsim.chat.ports import Device
from chatsim.chat.protocol import OfflineNotice
from chatsim.chat.server.push_queue import MOST_WAITING, PORTION, PushQueue
from chatsim.simulation.loop import run


def in_virtual_time(test):
    @functools.wraps(test)
    def play(*args, **kwargs):
        run(test(*args, **kwargs))

    return play


def devices(uid, count):
    return [Device(uid, str(number), "node1") for number in range(count)]


def notice(number):
    return OfflineNotice(0, number)


class Told:
    """A queue, and what it has pushed, in order."""

    def __init__(self):
        self.pushes = []
        self.tasks = []
        self.queue = PushQueue("node1", lambda *push: self.pushes.append(push), self._spawn)

    def _spawn(self, work):
        self.tasks.append(asyncio.create_task(work))

    async def all_done(self):
        await asyncio.gather(*self.tasks)
        assert len(self.tasks) <= 1, "one task for all that waits"


@in_virtual_time
async def test_a_user_with_few_devices_is_pushed_to_at_once():
    told = Told()
    told.queue.push(1, devices(1, PORTION), notice(1))
    assert told.pushes == [(device, notice(1)) for device in devices(1, PORTION)]
    assert told.tasks == []


@in_virtual_time
async def test_other_work_has_its_turn_after_each_portion():
    told = Told()
    for number in range(20):
        told.queue.push(1, devices(1, 400), notice(number))
    assert told.pushes == []
    done = 0
    while done < 20 * 400:
        await asyncio.sleep(0)
        assert len(told.pushes) - done <= PORTION
        done = len(told.pushes)
    await told.all_done()


@in_virtual_time
async def test_another_user_does_not_wait_for_those_of_a_crowd():
    told = Told()
    for number in range(20):
        told.queue.push(1, devices(1, 400), notice(number))
    await asyncio.sleep(0)
    told.queue.push(2, devices(2, 1), notice(1))
    assert told.pushes[-1] == (*devices(2, 1), notice(1))
    assert len(told.pushes) == PORTION + 1
    await told.all_done()


@in_virtual_time
async def test_two_crowds_take_turns():
    told = Told()
    told.queue.push(1, devices(1, 400), notice(1))
    told.queue.push(2, devices(2, 100), notice(2))
    await told.all_done()
    assert [device.uid for device, _ in told.pushes] == [1, 2] * 100 + [1] * 300


@in_virtual_time
async def test_each_device_has_each_notice_once_and_in_order():
    told = Told()
    for number in range(5):
        told.queue.push(1, devices(1, 50 - 10 * number), notice(number))  # the last ones have few devices
        await asyncio.sleep(0)
    await told.all_done()
    for index, device in enumerate(devices(1, 50)):
        heard = [said for whom, said in told.pushes if whom == device]
        assert heard == [notice(number) for number in range(5) if index < 50 - 10 * number]


@in_virtual_time
async def test_what_waits_for_a_user_is_bounded_and_said_once(caplog):
    told = Told()
    for number in range(MOST_WAITING + 500):
        told.queue.push(1, devices(1, PORTION + 1), notice(number))
    told.queue.push(2, devices(2, PORTION + 1), notice(7))
    await told.all_done()
    assert len(told.pushes) == (MOST_WAITING + 1) * (PORTION + 1)
    assert caplog.messages == ["node1: 1000 notices wait for user 1; one more is dropped (1 so far)"]


@in_virtual_time
async def test_a_crowd_can_be_pushed_to_again_later():
    told = Told()
    for number in range(2):
        told.queue.push(1, devices(1, 40), notice(number))
        await told.all_done()
        told.tasks.clear()
    assert len(told.pushes) == 80
