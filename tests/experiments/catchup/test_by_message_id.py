"""The source's way to catch up, page by page, against a server whose every page is scripted, in virtual time."""

import asyncio
import functools

import pytest
from scripted_server import FREE, PowerCutError, PowerCutStore

from chatsim.chat.client.connection import DisconnectedError
from chatsim.chat.client.sync import StuckError
from chatsim.chat.protocol import (
    HistoryText,
    LoadMessagesReply,
    LoadMessagesRequest,
    LoadThreadsReply,
    LoadThreadsRequest,
    Thread,
)
from chatsim.experiments.catchup.by_message_id import Ledger, catch_up
from chatsim.simulation.loop import run
from chatsim.worlds.model.local_store import ModelStore

ME, OTHER = 7, 8
PAGE = 2
TIME = "2024-01-01 00:00:00"


class Node:
    """Answers as the source's server does; it may be made to hang up or to go round in circles.

    Attributes:
        threads: message ids, by thread.
        heard: the requests, in order.
        most: how many were under way at once.
        left: how many requests it answers before it hangs up.
        circling: the thread whose pages do not go on.
    """

    uid = ME

    def __init__(self, threads):
        self.threads = threads
        self.requests = []
        self.most = self._now = 0
        self.left = float("inf")
        self.circling = None

    async def request(self, message, reply):
        self.requests.append(message)
        self._now += 1
        self.most = max(self.most, self._now)
        await asyncio.sleep(0.01)
        self._now -= 1
        if self.left < 1:
            raise DisconnectedError("closed by the server")
        self.left -= 1
        answer = self._threads(message) if isinstance(message, LoadThreadsRequest) else self._messages(message)
        assert isinstance(answer, reply)
        return answer

    def _threads(self, request):
        ids = sorted(thread for thread in self.threads if thread > request.thread_id)
        page = tuple(Thread(thread, "private", ME, OTHER) for thread in ids[:PAGE])
        last = page[-1].thread_id if page else request.thread_id
        return LoadThreadsReply(0, ME, load_more=len(ids) > PAGE, next_last_id=last, threads=page)

    def _messages(self, request):
        ids = [number for number in self.threads[request.thread_id] if number > request.message_id]
        if request.thread_id == self.circling:
            ids = self.threads[request.thread_id][: PAGE + 1]
        page = tuple(HistoryText(OTHER, number, request.thread_id, 0, f"text {number}", TIME) for number in ids[:PAGE])
        last = page[-1].msg_id if page else request.message_id
        return LoadMessagesReply(0, request.thread_id, last, load_more=len(ids) > PAGE, chat_datas=page)

    def asked(self):
        """The threads and cursors that messages were asked for with."""
        return [(each.thread_id, each.message_id) for each in self.requests if isinstance(each, LoadMessagesRequest)]


def with_a_ledger(body):
    async def played():
        store = ModelStore(":memory:", FREE)
        ledger = Ledger(store)
        await ledger.open()
        try:
            await body(ledger)
        finally:
            await store.close()

    @functools.wraps(body)
    def test():
        run(played())

    del test.__wrapped__  # its arguments are no fixtures
    return test


async def ids(ledger):
    return sorted([each.message_id for each in await ledger.messages()])


@with_a_ledger
async def test_the_list_is_read_to_its_end_and_then_one_thread_after_the_other(ledger):
    node = Node({1: [10, 13, 15], 4: [], 9: [11, 12]})
    pages = []
    await catch_up(node, ledger, stored=pages.append)
    assert node.requests[:2] == [LoadThreadsRequest(ME, 0), LoadThreadsRequest(ME, 4)]
    assert node.asked() == [(1, 0), (1, 13), (4, 0), (9, 0)]
    assert pages == [[10, 13], [15], [], [11, 12]]
    assert await ledger.cursors() == [(1, 15), (4, 0), (9, 12)]
    assert await ids(ledger) == [10, 11, 12, 13, 15]
    assert node.most == 1


@with_a_ledger
async def test_who_comes_back_asks_for_newer_threads_and_every_known_one_from_its_cursor_on(ledger):
    node = Node({1: [10], 4: [11]})
    await catch_up(node, ledger)
    node.requests.clear()
    node.threads[1].append(20)
    node.threads[9] = [21]
    await catch_up(node, ledger)
    assert node.requests[0] == LoadThreadsRequest(ME, 4)
    assert node.asked() == [(1, 10), (4, 11), (9, 0)]
    assert await ids(ledger) == [10, 11, 20, 21]


@with_a_ledger
async def test_an_id_below_the_cursor_is_never_seen_again(ledger):
    """P4: what commits late is lost to it; the lab counts that."""
    node = Node({1: [10, 12]})
    await catch_up(node, ledger)
    node.threads[1] = [10, 11, 12, 13]
    await catch_up(node, ledger)
    assert await ids(ledger) == [10, 12, 13]


@with_a_ledger
async def test_several_threads_are_asked_at_once_if_one_wants_and_no_more_than_that(ledger):
    node = Node({thread: [100 * thread, 100 * thread + 1, 100 * thread + 2] for thread in range(1, 11)})
    await catch_up(node, ledger, at_once=4)
    assert node.most == 4
    assert await ids(ledger) == sorted(number for ids in node.threads.values() for number in ids)
    assert await ledger.cursors() == [(thread, 100 * thread + 2) for thread in range(1, 11)]


@pytest.mark.parametrize("at_once", [1, 3])
def test_a_history_that_does_not_go_on_is_not_asked_for_for_ever(at_once):
    @with_a_ledger
    async def body(ledger):
        node = Node({1: [10, 11, 12], 4: [13]})
        node.circling = 1
        with pytest.raises(StuckError, match="the history of thread 1 does not go on after message 11"):
            await catch_up(node, ledger, at_once=at_once)
        assert node.asked().count((1, 11)) == 1
        assert await ledger.cursors() == [(1, 11), (4, 13 if at_once > 1 else 0)]

    body()


@with_a_ledger
async def test_whatever_breaks_it_off_the_next_one_goes_on_from_each_cursor(ledger):
    for left in range(9):
        node = Node({1: [10, 13, 15], 4: [20], 9: [11, 12, 14, 16]})
        node.left = left
        try:
            await catch_up(node, ledger, at_once=2)
        except DisconnectedError:
            assert len(node.requests) > left
        there = set(await ids(ledger))
        for thread, cursor in await ledger.cursors():
            assert {number for number in node.threads[thread] if number <= cursor} <= there
            assert not {number for number in node.threads[thread] if number > cursor} & there
    assert await ids(ledger) == [10, 11, 12, 13, 14, 15, 16, 20]


@with_a_ledger
async def test_a_page_and_its_cursor_are_kept_together_or_not_at_all(ledger):
    store, points = ledger._store, 0
    for left in range(100):
        node = Node({1: [10, 13, 15], 4: [20, 21, 22, 23, 24]})
        device = PowerCutStore(store)
        device.left = left
        for table in ("thread", "message"):
            await store.execute(f"DELETE FROM {table}")
        try:
            await catch_up(node, Ledger(device))
            break
        except PowerCutError:
            points += 1
        there = await ids(ledger)
        known = await ledger.cursors()
        assert there == sorted(number for thread, at in known for number in node.threads[thread] if number <= at)
        await catch_up(node, ledger)
        assert await ids(ledger) == [10, 13, 15, 20, 21, 22, 23, 24]
    assert points > 5
