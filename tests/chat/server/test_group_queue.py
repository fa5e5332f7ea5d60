"""Pushes to the members of groups keep their order, wait for other work, and are dropped when there are too many."""

import asyncio
import functools
import logging

from chatsim.chat.protocol import ThreadNotice
from chatsim.chat.server.group_queue import GroupQueue
from chatsim.chat.server.push_queue import MOST_WAITING, PORTION
from chatsim.simulation.loop import run


def in_virtual_time(test):
    @functools.wraps(test)
    def play(*args, **kwargs):
        run(test(*args, **kwargs))

    return play


class Told:
    """A queue, and what it has pushed, in order: users and notices."""

    def __init__(self, delay=lambda _: 0.0):
        self.pushes = []
        self.tasks = []
        self.queue = GroupQueue("node1", self._push, self._spawn)
        self._delay = delay

    async def _push(self, uid, notice, but):
        await asyncio.sleep(self._delay(uid))
        self.pushes.append((uid, notice.thread_id, but))

    def _spawn(self, work):
        self.tasks.append(asyncio.create_task(work))

    async def all_done(self):
        await asyncio.gather(*self.tasks)

    def of(self, uid):
        return [number for user, number, _ in self.pushes if user == uid]


@in_virtual_time
async def test_each_member_is_pushed_to_in_order_however_long_another_one_takes():
    told = Told(delay=lambda uid: 0.01 * (uid % 7))
    members = range(1, 101)
    for number in range(10):
        told.queue.push(5, members, ThreadNotice(number), None)
    await told.all_done()
    assert len(told.tasks) == 1
    for uid in members:
        assert told.of(uid) == list(range(10))


@in_virtual_time
async def test_other_work_has_its_turn_after_each_portion():
    told = Told()
    for group in range(20):
        told.queue.push(group, range(100), ThreadNotice(1), None)
    done = 0
    while done < 20 * 100:
        await asyncio.sleep(0)
        assert len(told.pushes) - done <= PORTION
        done = len(told.pushes)
    await told.all_done()


@in_virtual_time
async def test_groups_do_not_wait_for_each_other():
    told = Told()
    told.queue.push(5, range(500), ThreadNotice(1), None)
    told.queue.push(6, range(1_000, 1_010), ThreadNotice(2), None)
    await told.all_done()
    assert [number for _, number, _ in told.pushes[-100:]] == [1] * 100, "the small one was done before"


@in_virtual_time
async def test_one_notice_too_many_is_dropped_and_logged_and_later_ones_go_on(caplog):
    caplog.set_level(logging.WARNING)
    told = Told()
    for number in range(MOST_WAITING + 5):
        told.queue.push(5, [1], ThreadNotice(number), None)
    await told.all_done()
    assert told.of(1) == list(range(MOST_WAITING))
    assert "1000 notices wait for group 5; one more is dropped" in caplog.text
    told.queue.push(5, [1], ThreadNotice(4711), None)
    await told.all_done()
    assert told.of(1)[-1] == 4711


@in_virtual_time
async def test_the_session_that_has_caused_a_notice_is_handed_on():
    told = Told()
    told.queue.push(5, [1, 2], ThreadNotice(1), "the session")
    await told.all_done()
    assert told.pushes == [(1, 1, "the session"), (2, 1, "the session")]
