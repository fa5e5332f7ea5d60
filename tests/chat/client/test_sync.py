"""How a client catches up, request by request, against a server that is right, wrong, or gone, in virtual time."""

import asyncio
import functools
import inspect
import re
from collections import Counter

import msgspec
import pytest
from chatting import FORGETS, FREE, HANGS_UP, LATE, ME, OTHER, SILENCE, TWICE, Device, PowerCutError, Server, door

from chatsim.chat.client import sync
from chatsim.chat.client.cache import Cache
from chatsim.chat.client.connection import ClientError, DisconnectedError, LateError, RefusedError
from chatsim.chat.protocol import (
    CatchUpRequest,
    ErrorCode,
    HistoryReply,
    HistoryRequest,
    ReadRequest,
    ThreadStatesReply,
    ThreadStatesRequest,
)
from chatsim.simulation.loop import run
from chatsim.worlds.model.local_store import ModelStore

THREAD = 5


class House:
    """A server, and a client's connection and cache."""

    def __init__(self):
        self.server = Server()
        self.store = ModelStore(":memory:", FREE)
        self.cache = Cache(self.store, ME)
        self.told = []

    async def connect(self):
        self.client, _ = await door(self.server)(lambda _: None)

    async def fetch(self, thread_id=THREAD):
        await sync.fetch(self.client, self.cache, thread_id)

    async def earlier(self, thread_id=THREAD):
        return await sync.earlier(self.client, self.cache, thread_id)

    async def refresh(self):
        await sync.refresh(self.client, self.cache)
        return [thread.thread_id for thread in await self.cache.behind()]

    async def catch_up(self):
        await sync.refresh(self.client, self.cache)
        await sync.catch_up(self.client, self.cache, self.told.extend)

    async def again(self):
        await self.client.close()
        await self.connect()

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
    assert await house.refresh() == list(range(25, 0, -2))
    assert house.server.of(ThreadStatesRequest) == [ThreadStatesRequest(0, before) for before in (0, 16, 6)]
    assert [thread.thread_id for thread in await house.cache.threads()] == list(range(1, 26))
    await house.fetch(1)
    house.server.heard.clear()
    assert await house.refresh() == list(range(25, 1, -2))
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
    assert await house.refresh() == [20, *range(25, 20, -1), *range(19, 0, -1)]


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
    assert await house.refresh() == list(range(11, 0, -1))


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
    assert await house.refresh() == [5, 4]
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


# --- what is missing of many threads


def asked_for(house):
    """What catch-ups have asked for: threads, and the bounds of what is wanted of them."""
    return [[*zip(each.threads, each.after, each.below, strict=True)] for each in house.server.of(CatchUpRequest)]


@in_a_house
async def test_the_newest_of_each_thread_is_asked_for_first_and_then_the_rest(house):
    house.server.write(4, "1")
    await house.catch_up()
    house.server.heard.clear()
    house.server.write(4, *numbers(2, 60))
    house.server.write(5, *numbers(1, 150))
    house.server.write(6, *numbers(1, 3))
    await house.catch_up()
    assert asked_for(house) == [[(6, 0, 0), (5, 130, 0), (4, 40, 0)], [(5, 50, 131), (4, 1, 41)]]
    assert [await house.here(thread_id) for thread_id in (4, 5, 6)] == [(1, 60), (51, 150), (1, 3)]
    assert await house.shown(5) == numbers(51, 150)
    assert house.server.of(HistoryRequest) == []


@in_a_house
async def test_only_the_most_recent_threads_are_on_the_first_screen_and_no_request_is_too_large(house):
    for thread_id in range(1, 101):
        house.server.write(thread_id, *numbers(1, 25))
    await house.catch_up()
    screen, *rest = asked_for(house)
    assert screen == [(thread_id, 5, 0) for thread_id in range(100, 90, -1)]
    assert [len(each) for each in rest] == [30, 30, 30, 10]
    assert sorted(place for each in rest for place in each) == sorted(
        (thread_id, 0, 6 if thread_id > 90 else 0) for thread_id in range(1, 101)
    )
    for thread_id in range(1, 101):
        assert await house.here(thread_id) == (1, 25)


@in_a_house
async def test_requests_go_out_without_waiting_for_each_others_answers_but_not_all_at_once(house):
    for thread_id in range(1, 401):
        house.server.write(thread_id, "hello")
    house.server.page = 500
    await house.catch_up()
    at = Counter(house.server.times(CatchUpRequest))
    assert len(house.server.of(CatchUpRequest)) == 14
    assert max(at.values()) == 8


@in_a_house
async def test_each_part_is_told_once_when_it_is_stored(house):
    house.server.write(4, *numbers(1, 15))
    house.server.write(5, *numbers(1, 25))
    await house.catch_up()
    seen = [(each.thread_id, text.seq) for each in house.told for text in each.texts]
    assert sorted(seen) == [(4, seq) for seq in range(1, 16)] + [(5, seq) for seq in range(1, 26)]


@in_a_house
async def test_who_lacks_nothing_asks_for_nothing(house):
    house.server.write(THREAD, "1")
    await house.catch_up()
    await house.catch_up()
    assert len(house.server.of(CatchUpRequest)) == 1


def all_but_the_last_part(_, *says):
    return [*says[:-2], says[-1]]


def no_part(_, *says):
    return [says[-1]]


@pytest.mark.parametrize("wrong", [all_but_the_last_part, no_part])
@in_a_house
async def test_a_catch_up_that_ends_early_is_an_error_and_the_next_one_has_the_rest(house, wrong):
    house.server.write(THREAD, "1")
    await house.catch_up()
    house.server.write(THREAD, *numbers(2, 15))
    house.server.script[CatchUpRequest].append(wrong)
    reached = 11 if wrong is all_but_the_last_part else 1
    with house.fails(sync.StuckError, f"the history of thread 5 does not go on after number {reached}"):
        await house.catch_up()
    assert await house.here() == (1, reached)
    await house.catch_up()
    assert (await house.here(), await house.shown()) == ((1, 15), numbers(1, 15))


@in_a_house
async def test_a_thread_that_is_refused_does_not_keep_the_others_from_being_had(house):
    for thread_id in (4, 5, 6):
        house.server.write(thread_id, "hello")
    house.server.script[CatchUpRequest].append(ErrorCode.NOT_A_MEMBER)
    house.server.script[HistoryRequest] += [lambda _, reply: [reply]] * 2 + [ErrorCode.NOT_A_MEMBER]
    trouble = f"thread 5: error {int(ErrorCode.NOT_A_MEMBER)} (NOT_A_MEMBER) in answer to HistoryRequest"
    with house.fails(ClientError, trouble):
        await house.catch_up()
    assert [await house.shown(thread_id) for thread_id in (4, 5, 6)] == [["hello"], [], ["hello"]]
    await house.catch_up()
    assert await house.shown(5) == ["hello"]


@pytest.mark.parametrize(
    ("fate", "error"),
    [(HANGS_UP, DisconnectedError), (FORGETS, DisconnectedError), (SILENCE, LateError), (LATE, LateError)],
    ids=["broken off", "broken off after", "no answer", "a late answer"],
)
@pytest.mark.parametrize("before", [0, 1])
@in_a_house
async def test_whatever_breaks_a_catch_up_off_the_next_one_goes_on(house, before, fate, error):
    house.server.write(THREAD, "1")
    await house.catch_up()
    house.server.write(THREAD, *numbers(2, 60))
    house.server.script[CatchUpRequest] += [lambda _, *says: says] * before + [fate]
    with pytest.raises(error):
        await house.catch_up()
    await house.again()
    house.server.script.clear()
    await house.catch_up()
    assert (await house.here(), await house.shown()) == ((1, 60), numbers(1, 60))


@in_a_house
async def test_a_catch_up_that_is_answered_twice_ends_the_connection_and_repeats_nothing(house):
    house.server.write(THREAD, *numbers(1, 15))
    house.server.script[CatchUpRequest].append(TWICE)
    await house.catch_up()
    await house.client.wait_ended()
    assert house.client.ended == "message 1115 belongs to nothing that was asked"
    assert (await house.here(), await house.shown()) == ((1, 15), numbers(1, 15))


@in_a_house
async def test_a_loss_of_power_between_any_two_parts_loses_and_repeats_nothing(house):
    house.server.page = 7
    house.server.write(4, "1")
    await house.catch_up()
    house.server.write(4, *numbers(2, 60))
    house.server.write(5, *numbers(1, 60))
    await sync.refresh(house.client, house.cache)
    kept = [await house.store.execute(f"SELECT * FROM {table}") for table in ("thread", "message")]
    points = 0
    for left in range(1, 100):
        await house.again()
        for table, rows in zip(("thread", "message"), kept, strict=True):
            await house.store.execute(f"DELETE FROM {table}")
            for row in rows.rows:
                await house.store.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})", row)
        device = Device(house.store)
        device.left = left
        try:
            await sync.catch_up(house.client, Cache(device, ME))
            break
        except PowerCutError:
            points += 1
        await house.again()
        await house.catch_up()
        assert (await house.here(4), await house.shown(4)) == ((1, 60), numbers(1, 60))
        assert (await house.here(5))[1] == 60
        while await house.earlier(5):
            pass
        assert await house.shown(5) == numbers(1, 60)
    assert points > 15


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
