"""How a client catches up, request by request, against a server that is right, wrong, or gone, in virtual time."""

import asyncio
import functools
import inspect
import re
from collections import Counter

import msgspec
import pytest
from chatting import FREE, HANGS_UP, ME, OTHER, SILENCE, Server, door

from chatsim.chat.client import sync
from chatsim.chat.client.cache import Cache
from chatsim.chat.client.connection import ClientError, DisconnectedError, LateError, RefusedError
from chatsim.chat.protocol import (
    ErrorCode,
    HistoryReply,
    HistoryRequest,
    ReadRequest,
    ThreadStatesReply,
    ThreadStatesRequest,
)
from chatsim.worlds.model.local_store import ModelStore
from chatsim.worlds.model.loop import run

THREAD = 5


class House:
    """A server, and a client's connection and cache."""

    def __init__(self):
        self.server = Server()
        self.cache = Cache(ModelStore(":memory:", FREE), ME)

    async def connect(self):
        self.client, _ = await door(self.server)(lambda _: None)

    async def fetch(self, thread_id=THREAD):
        await sync.fetch(self.client, self.cache, thread_id)

    async def earlier(self, thread_id=THREAD):
        return await sync.earlier(self.client, self.cache, thread_id)

    async def refresh(self):
        return [thread.thread_id for thread in await sync.refresh(self.client, self.cache)]

    async def here(self, thread_id=THREAD):
        thread = await self.cache.thread(thread_id)
        return thread.floor, thread.cursor

    async def shown(self, thread_id=THREAD):
        return [text.content for text in await self.cache.newest(thread_id, 1000)]

    def fails(self, error, message):
        return pytest.raises(error, match=re.escape(message))


def in_a_house(body):
    async def played(*args, **kwargs):
        house = House()
        await house.cache.open()
        await house.server.open()
        await house.connect()
        try:
            await body(house, *args, **kwargs)
        finally:
            await house.client.close()
            await house.server.shut()
            await house.cache.close()

    @functools.wraps(body)
    def test(*args, **kwargs):
        run(played(*args, **kwargs))

    parameters = list(inspect.signature(body).parameters.values())
    test.__signature__ = inspect.Signature(parameters[1:])  # the house is no fixture
    return test


def numbers(first, last):
    return [str(number) for number in range(first, last + 1)]


# --- which threads there are


@in_a_house
async def test_the_list_of_threads_is_read_to_its_end_and_those_with_news_are_told(house):
    for thread_id in range(1, 26):
        house.server.write(thread_id, *["hello"] * (thread_id % 2))
    assert await house.refresh() == list(range(1, 26, 2))
    assert house.server.of(ThreadStatesRequest) == [ThreadStatesRequest(0, before) for before in (0, 16, 6)]
    assert [thread.thread_id for thread in await house.cache.threads()] == list(range(1, 26))
    await house.fetch(1)
    house.server.heard.clear()
    assert await house.refresh() == list(range(3, 26, 2))
    assert house.server.of(ThreadStatesRequest) == [ThreadStatesRequest(25, 0)]


@in_a_house
async def test_a_list_of_threads_that_breaks_off_is_read_anew(house):
    for thread_id in range(1, 26):
        house.server.write(thread_id, "hello")
    house.server.script[ThreadStatesRequest] += [lambda _, reply: [reply], HANGS_UP]
    with pytest.raises(DisconnectedError):
        await house.refresh()
    house.server.write(20, "moved to the front")
    await house.connect()
    assert await house.refresh() == list(range(1, 26))


@pytest.mark.parametrize("again", [False, True], ids=["nothing more", "the same once more"])
@in_a_house
async def test_a_list_of_threads_that_does_not_go_on_is_not_asked_for_for_ever(house, again):
    for thread_id in range(1, 12):
        house.server.write(thread_id, "hello")
    page = tuple(map(house.server.state, range(11, 1, -1))) if again else ()
    wrong = ThreadStatesReply(0, load_more=True, threads=page)
    house.server.script[ThreadStatesRequest] += [lambda _, reply: [reply], lambda *_: [wrong]]
    with house.fails(sync.StuckError, "the list of threads does not go on before version 2"):
        await house.refresh()
    assert len(await house.cache.threads()) == 10
    assert await house.refresh() == list(range(1, 12))


@in_a_house
async def test_what_was_read_while_nobody_could_be_told_is_told(house):
    for thread_id in (4, 5, 6):
        house.server.write(thread_id, "a", "b", "c")
        house.server.threads[thread_id].read[ME] = 1
    await house.refresh()
    await house.cache.note_read(5, ME, 3)
    await house.cache.note_read(5, OTHER, 3)  # theirs is theirs to tell
    await house.refresh()
    assert house.server.of(ReadRequest) == [ReadRequest(5, 3)]
    await house.refresh()
    assert house.server.of(ReadRequest) == [ReadRequest(5, 3)]


@in_a_house
async def test_a_mark_that_is_refused_keeps_nobody_waiting_and_is_told_the_next_time(house):
    for thread_id in (4, 5):
        house.server.write(thread_id, "a")
    await house.refresh()
    await house.cache.note_read(4, ME, 1)
    house.server.script[ReadRequest].append(ErrorCode.LOAD_CHAT_FAILED)
    assert await house.refresh() == [4, 5]
    assert house.server.threads[4].read == Counter()
    await house.refresh()
    assert house.server.threads[4].read == Counter({ME: 1})


# --- what is missing of a thread


@in_a_house
async def test_of_a_thread_that_is_new_here_the_newest_page_is_had_and_later_the_difference(house):
    house.server.write(THREAD, *numbers(1, 35))
    await house.fetch()
    assert (await house.here(), await house.shown()) == ((26, 35), numbers(26, 35))
    house.server.write(THREAD, *numbers(36, 60))
    house.server.heard.clear()
    await house.refresh()
    await house.fetch()
    assert (await house.here(), await house.shown()) == ((26, 60), numbers(26, 60))
    assert [request.seq for request in house.server.of(HistoryRequest)] == [35, 45, 55]


@in_a_house
async def test_a_thread_that_is_nobodys_is_not_asked_for_again_and_again(house):
    house.server.write(THREAD + 1, "not this one")
    await house.fetch()
    assert await house.cache.thread(THREAD) is None
    assert (len(house.server.of(ThreadStatesRequest)), house.server.of(HistoryRequest)) == (1, [])


@in_a_house
async def test_a_push_that_comes_while_a_thread_is_fetched_leaves_no_hole_behind_it(house):
    house.server.write(THREAD, *numbers(1, 25))
    await house.refresh()

    async def pushed(*texts):
        await house.cache.keep(THREAD, texts)

    first, second = house.server.write(THREAD, "26", "27")
    await pushed(second)
    fetching = asyncio.create_task(house.fetch())
    await asyncio.sleep(0.005)
    await pushed(first)
    (third,) = house.server.write(THREAD, "28")
    await pushed(third)
    await fetching
    assert (await house.here(), await house.shown()) == ((18, 28), numbers(18, 28))


@in_a_house
async def test_two_who_fetch_the_same_thread_do_not_stop_each_other(house):
    house.server.write(THREAD, "1")
    await house.fetch()
    house.server.write(THREAD, *numbers(2, 40))
    await house.refresh()
    await asyncio.gather(house.fetch(), house.fetch())
    assert (await house.here(), await house.shown()) == ((1, 40), numbers(1, 40))


@pytest.mark.parametrize(
    ("fate", "error"),
    [(HANGS_UP, DisconnectedError), (SILENCE, LateError), (ErrorCode.LOAD_CHAT_FAILED, RefusedError)],
    ids=["broken off", "no answer", "refused"],
)
@pytest.mark.parametrize("pages", range(3))
@in_a_house
async def test_whatever_breaks_a_fetch_off_it_goes_on_where_it_stopped(house, fate, error, pages):
    house.server.write(THREAD, "1")
    await house.fetch()
    house.server.write(THREAD, *numbers(2, 31))
    await house.refresh()
    house.server.heard.clear()
    house.server.script[HistoryRequest] += [lambda _, reply: [reply]] * pages + [fate]
    with pytest.raises(error):
        await house.fetch()
    reached = min(1 + 10 * pages, 31)
    assert await house.here() == (1, reached)
    await house.client.close()
    await house.connect()
    await house.fetch()
    assert (await house.here(), await house.shown()) == ((1, 31), numbers(1, 31))
    assert Counter(request.seq for request in house.server.of(HistoryRequest))[reached] == 2


def nothing(request, _):
    return [HistoryReply(0, request.thread_id, load_more=True)]


def the_same_again(_, reply):
    same = tuple(msgspec.structs.replace(text, seq=text.seq - 10) for text in reply.texts)
    return [msgspec.structs.replace(reply, texts=same)]


def the_end(request, _):
    return [HistoryReply(0, request.thread_id, load_more=False)]


def with_a_hole(_, reply):
    return [msgspec.structs.replace(reply, texts=reply.texts[1:])]


@pytest.mark.parametrize("wrong", [nothing, the_same_again, the_end, with_a_hole])
@in_a_house
async def test_a_history_that_does_not_go_on_is_not_asked_for_for_ever(house, wrong):
    house.server.write(THREAD, "1")
    await house.fetch()
    house.server.write(THREAD, *numbers(2, 31))
    await house.refresh()
    house.server.script[HistoryRequest] += [lambda _, reply: [reply], wrong]
    with house.fails(sync.StuckError, "the history of thread 5 does not go on after number 11"):
        await house.fetch()
    assert await house.here() == (1, 11)
    await house.fetch()
    assert (await house.here(), await house.shown()) == ((1, 31), numbers(1, 31))


@in_a_house
async def test_a_newest_page_with_a_hole_is_taken_as_far_as_it_goes_and_completed(house):
    house.server.write(THREAD, *numbers(1, 20))
    house.server.script[HistoryRequest].append(
        lambda _, reply: [msgspec.structs.replace(reply, texts=(*reply.texts[:3], *reply.texts[5:]))]
    )
    await house.fetch()
    assert (await house.here(), await house.shown()) == ((11, 20), numbers(11, 20))


# --- what came before


@in_a_house
async def test_older_pages_are_had_one_by_one_until_the_thread_begins(house):
    house.server.write(THREAD, *numbers(1, 35))
    await house.fetch()
    assert [await house.earlier() for _ in range(4)] == [True, True, False, False]
    assert (await house.here(), await house.shown()) == ((1, 35), numbers(1, 35))
    assert [request.seq for request in house.server.of(HistoryRequest) if request.backward] == [36, 26, 16, 6]


@in_a_house
async def test_there_is_nothing_before_a_thread_that_is_not_known(house):
    assert not await house.earlier()
    assert house.server.of(HistoryRequest) == []


def without_the_next(_, reply):
    return [msgspec.structs.replace(reply, texts=reply.texts[:-1])]


@pytest.mark.parametrize("wrong", [nothing, without_the_next])
@in_a_house
async def test_older_pages_that_do_not_go_on_are_an_error(house, wrong):
    house.server.write(THREAD, *numbers(1, 35))
    await house.fetch()
    house.server.script[HistoryRequest].append(wrong)
    with house.fails(ClientError, "the history of thread 5 does not go on before number 26"):
        await house.earlier()
    assert (await house.here(), await house.shown()) == ((26, 35), numbers(26, 35))
    assert await house.earlier()
    assert (await house.here(), await house.shown()) == ((16, 35), numbers(16, 35))
