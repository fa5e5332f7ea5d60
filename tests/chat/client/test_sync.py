"""How a client catches up, request by request, against a server that is right, wrong, or gone, in virtual time."""

import asyncio
import contextlib
import functools
import inspect
import re
from collections import Counter

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted_server import (
    FORGETS,
    FREE,
    HANGS_UP,
    LATE,
    ME,
    OTHER,
    SILENCE,
    TWICE,
    PowerCutError,
    PowerCutStore,
    Server,
    login_for,
)

from chatsim.chat.client import sync
from chatsim.chat.client.cache import Cache, State
from chatsim.chat.client.connection import ClientError, DisconnectedError, LateError, RefusedError
from chatsim.chat.protocol import (
    CatchUpRequest,
    DeliveredRequest,
    ErrorCode,
    HistoryReply,
    HistoryRequest,
    ReadRequest,
    RevisionsReply,
    RevisionsRequest,
    ThreadStatesReply,
    ThreadStatesRequest,
)
from chatsim.simulation.loop import run
from chatsim.worlds.model.local_store import ModelStore

THREAD = 5


class Harness:
    """A server, and a client's connection and cache."""

    def __init__(self):
        self.server = Server()
        self.store = ModelStore(":memory:", FREE)
        self.cache = Cache(self.store, ME)
        self.stored = []

    async def connect(self):
        self.client, _ = await login_for(self.server)(lambda _: None)

    async def fetch(self, thread_id=THREAD):
        await sync.fetch(self.client, self.cache, thread_id)

    async def earlier(self, thread_id=THREAD):
        return await sync.earlier(self.client, self.cache, thread_id)

    async def refresh(self):
        await sync.refresh(self.client, self.cache)
        return [thread.thread_id for thread in await self.cache.behind()]

    async def catch_up(self):
        await sync.refresh(self.client, self.cache)
        await sync.catch_up(self.client, self.cache, self.stored.extend)

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


def with_harness(body):
    async def played(*args, **kwargs):
        harness = Harness()
        await harness.cache.open()
        await harness.server.open()
        await harness.connect()
        try:
            await body(harness, *args, **kwargs)
        finally:
            await harness.client.close()
            await harness.server.shut()
            await harness.cache.close()

    @functools.wraps(body)
    def test(*args, **kwargs):
        run(played(*args, **kwargs))

    parameters = list(inspect.signature(body).parameters.values())
    test.__signature__ = inspect.Signature(parameters[1:])  # the harness is no fixture
    return test


def numbers(first, last):
    return [str(number) for number in range(first, last + 1)]


# --- which threads there are


@with_harness
async def test_the_list_of_threads_is_read_to_its_end_and_those_with_news_are_told(harness):
    for thread_id in range(1, 26):
        harness.server.write(thread_id, *["hello"] * (thread_id % 2))
    assert await harness.refresh() == list(range(25, 0, -2))
    assert harness.server.of(ThreadStatesRequest) == [ThreadStatesRequest(0, before) for before in (0, 16, 6)]
    assert [thread.thread_id for thread in await harness.cache.threads()] == list(range(1, 26))
    await harness.fetch(1)
    harness.server.requests.clear()
    assert await harness.refresh() == list(range(25, 1, -2))
    assert harness.server.of(ThreadStatesRequest) == [ThreadStatesRequest(25, 0)]


@with_harness
async def test_a_list_of_threads_that_breaks_off_is_read_anew(harness):
    for thread_id in range(1, 26):
        harness.server.write(thread_id, "hello")
    harness.server.script[ThreadStatesRequest] += [lambda _, reply: [reply], HANGS_UP]
    with pytest.raises(DisconnectedError):
        await harness.refresh()
    harness.server.write(20, "moved to the front")
    await harness.connect()
    assert await harness.refresh() == [20, *range(25, 20, -1), *range(19, 0, -1)]


@pytest.mark.parametrize("again", [False, True], ids=["nothing more", "the same once more"])
@with_harness
async def test_a_list_of_threads_that_does_not_go_on_is_not_asked_for_for_ever(harness, again):
    for thread_id in range(1, 12):
        harness.server.write(thread_id, "hello")
    page = tuple(map(harness.server.state, range(11, 1, -1))) if again else ()
    wrong = ThreadStatesReply(0, load_more=True, threads=page)
    harness.server.script[ThreadStatesRequest] += [lambda _, reply: [reply], lambda *_: [wrong]]
    with harness.fails(sync.StuckError, "the list of threads does not go on before version 2"):
        await harness.refresh()
    assert len(await harness.cache.threads()) == 10
    assert await harness.refresh() == list(range(11, 0, -1))


@with_harness
async def test_a_list_of_threads_that_goes_back_to_what_is_known_is_not_asked_for_for_ever(harness):
    harness.server.write(1, "hello")
    assert await harness.refresh() == [1]
    harness.server.write(2, "hello")
    known = ThreadStatesReply(0, load_more=True, threads=(harness.server.state(2), harness.server.state(1)))
    harness.server.script[ThreadStatesRequest].append(lambda *_: [known])
    with harness.fails(sync.StuckError, "the list of threads does not go on before version 0"):
        await harness.refresh()


@with_harness
async def test_what_was_read_while_nobody_could_be_told_is_told(harness):
    for thread_id in (4, 5, 6):
        harness.server.write(thread_id, "a", "b", "c")
        harness.server.threads[thread_id].read[ME] = 1
    await harness.refresh()
    await harness.cache.note_read(5, ME, 3)
    await harness.cache.note_read(5, OTHER, 3)  # theirs is theirs to tell
    await harness.refresh()
    assert harness.server.of(ReadRequest) == [ReadRequest(5, 3)]
    await harness.refresh()
    assert harness.server.of(ReadRequest) == [ReadRequest(5, 3)]


@with_harness
async def test_a_mark_that_is_refused_keeps_nobody_waiting_and_is_told_the_next_time(harness):
    for thread_id in (4, 5):
        harness.server.write(thread_id, "a")
    await harness.refresh()
    await harness.cache.note_read(4, ME, 1)
    harness.server.script[ReadRequest].append(ErrorCode.LOAD_CHAT_FAILED)
    assert await harness.refresh() == [5, 4]
    assert harness.server.threads[4].read == Counter()
    await harness.refresh()
    assert harness.server.threads[4].read == Counter({ME: 1})


# --- what is missing of a thread


@with_harness
async def test_of_a_thread_that_is_new_here_the_newest_page_is_had_and_later_the_difference(harness):
    harness.server.write(THREAD, *numbers(1, 35))
    await harness.fetch()
    assert (await harness.here(), await harness.shown()) == ((26, 35), numbers(26, 35))
    harness.server.write(THREAD, *numbers(36, 60))
    harness.server.requests.clear()
    await harness.refresh()
    await harness.fetch()
    assert (await harness.here(), await harness.shown()) == ((26, 60), numbers(26, 60))
    assert [request.seq for request in harness.server.of(HistoryRequest)] == [35, 45, 55]


@with_harness
async def test_a_thread_that_is_nobodys_is_not_asked_for_again_and_again(harness):
    harness.server.write(THREAD + 1, "not this one")
    await harness.fetch()
    assert await harness.cache.thread(THREAD) is None
    assert (len(harness.server.of(ThreadStatesRequest)), harness.server.of(HistoryRequest)) == (1, [])


@with_harness
async def test_a_push_that_comes_while_a_thread_is_fetched_leaves_no_hole_behind_it(harness):
    harness.server.write(THREAD, *numbers(1, 25))
    await harness.refresh()

    async def pushed(*texts):
        await harness.cache.keep(THREAD, texts)

    first, second = harness.server.write(THREAD, "26", "27")
    await pushed(second)
    fetching = asyncio.create_task(harness.fetch())
    await asyncio.sleep(0.005)
    await pushed(first)
    (third,) = harness.server.write(THREAD, "28")
    await pushed(third)
    await fetching
    assert (await harness.here(), await harness.shown()) == ((18, 28), numbers(18, 28))


@with_harness
async def test_two_who_fetch_the_same_thread_do_not_stop_each_other(harness):
    harness.server.write(THREAD, "1")
    await harness.fetch()
    harness.server.write(THREAD, *numbers(2, 40))
    await harness.refresh()
    await asyncio.gather(harness.fetch(), harness.fetch())
    assert (await harness.here(), await harness.shown()) == ((1, 40), numbers(1, 40))


@pytest.mark.parametrize(
    ("fate", "error"),
    [(HANGS_UP, DisconnectedError), (SILENCE, LateError), (ErrorCode.LOAD_CHAT_FAILED, RefusedError)],
    ids=["broken off", "no answer", "refused"],
)
@pytest.mark.parametrize("pages", range(3))
@with_harness
async def test_whatever_breaks_a_fetch_off_it_goes_on_where_it_stopped(harness, fate, error, pages):
    harness.server.write(THREAD, "1")
    await harness.fetch()
    harness.server.write(THREAD, *numbers(2, 31))
    await harness.refresh()
    harness.server.requests.clear()
    harness.server.script[HistoryRequest] += [lambda _, reply: [reply]] * pages + [fate]
    with pytest.raises(error):
        await harness.fetch()
    reached = min(1 + 10 * pages, 31)
    assert await harness.here() == (1, reached)
    await harness.client.close()
    await harness.connect()
    await harness.fetch()
    assert (await harness.here(), await harness.shown()) == ((1, 31), numbers(1, 31))
    assert Counter(request.seq for request in harness.server.of(HistoryRequest))[reached] == 2


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
@with_harness
async def test_a_history_that_does_not_go_on_is_not_asked_for_for_ever(harness, wrong):
    harness.server.write(THREAD, "1")
    await harness.fetch()
    harness.server.write(THREAD, *numbers(2, 31))
    await harness.refresh()
    harness.server.script[HistoryRequest] += [lambda _, reply: [reply], wrong]
    with harness.fails(sync.StuckError, "the history of thread 5 does not go on after number 11"):
        await harness.fetch()
    assert await harness.here() == (1, 11)
    await harness.fetch()
    assert (await harness.here(), await harness.shown()) == ((1, 31), numbers(1, 31))


@with_harness
async def test_a_newest_page_with_a_hole_is_taken_as_far_as_it_goes_and_completed(harness):
    harness.server.write(THREAD, *numbers(1, 20))
    harness.server.script[HistoryRequest].append(
        lambda _, reply: [msgspec.structs.replace(reply, texts=(*reply.texts[:3], *reply.texts[5:]))]
    )
    await harness.fetch()
    assert (await harness.here(), await harness.shown()) == ((11, 20), numbers(11, 20))


# --- what is missing of many threads


def asked_for(harness):
    """What catch-ups have asked for: threads, and the bounds of what is wanted of them."""
    return [[*zip(each.threads, each.after, each.below, strict=True)] for each in harness.server.of(CatchUpRequest)]


@with_harness
async def test_the_newest_of_each_thread_is_asked_for_first_and_then_the_rest(harness):
    harness.server.write(4, "1")
    await harness.catch_up()
    harness.server.requests.clear()
    harness.server.write(4, *numbers(2, 60))
    harness.server.write(5, *numbers(1, 150))
    harness.server.write(6, *numbers(1, 3))
    await harness.catch_up()
    assert asked_for(harness) == [[(6, 0, 0), (5, 130, 0), (4, 40, 0)], [(5, 50, 131), (4, 1, 41)]]
    assert [await harness.here(thread_id) for thread_id in (4, 5, 6)] == [(1, 60), (51, 150), (1, 3)]
    assert await harness.shown(5) == numbers(51, 150)
    assert harness.server.of(HistoryRequest) == []


@with_harness
async def test_only_the_most_recent_threads_are_on_the_first_screen_and_no_request_is_too_large(harness):
    for thread_id in range(1, 101):
        harness.server.write(thread_id, *numbers(1, 25))
    await harness.catch_up()
    screen, *rest = asked_for(harness)
    assert screen == [(thread_id, 5, 0) for thread_id in range(100, 90, -1)]
    assert [len(each) for each in rest] == [30, 30, 30, 10]
    assert sorted(place for each in rest for place in each) == sorted(
        (thread_id, 0, 6 if thread_id > 90 else 0) for thread_id in range(1, 101)
    )
    for thread_id in range(1, 101):
        assert await harness.here(thread_id) == (1, 25)


@with_harness
async def test_requests_go_out_without_waiting_for_each_others_answers_but_not_all_at_once(harness):
    for thread_id in range(1, 401):
        harness.server.write(thread_id, "hello")
    harness.server.page = 500
    await harness.catch_up()
    at = Counter(harness.server.times(CatchUpRequest))
    assert len(harness.server.of(CatchUpRequest)) == 14
    assert max(at.values()) == 8


@with_harness
async def test_each_part_is_told_once_when_it_is_stored(harness):
    harness.server.write(4, *numbers(1, 15))
    harness.server.write(5, *numbers(1, 25))
    await harness.catch_up()
    seen = [(each.thread_id, text.seq) for each in harness.stored for text in each.texts]
    assert sorted(seen) == [(4, seq) for seq in range(1, 16)] + [(5, seq) for seq in range(1, 26)]


@with_harness
async def test_who_lacks_nothing_asks_for_nothing(harness):
    harness.server.write(THREAD, "1")
    await harness.catch_up()
    await harness.catch_up()
    assert len(harness.server.of(CatchUpRequest)) == 1


def all_but_the_last_part(_, *says):
    return [*says[:-2], says[-1]]


def no_part(_, *says):
    return [says[-1]]


@pytest.mark.parametrize("wrong", [all_but_the_last_part, no_part])
@with_harness
async def test_a_catch_up_that_ends_early_is_an_error_and_the_next_one_has_the_rest(harness, wrong):
    harness.server.write(THREAD, "1")
    await harness.catch_up()
    harness.server.write(THREAD, *numbers(2, 15))
    harness.server.script[CatchUpRequest].append(wrong)
    reached = 11 if wrong is all_but_the_last_part else 1
    with harness.fails(sync.StuckError, f"the history of thread 5 does not go on after number {reached}"):
        await harness.catch_up()
    assert await harness.here() == (1, reached)
    await harness.catch_up()
    assert (await harness.here(), await harness.shown()) == ((1, 15), numbers(1, 15))


@with_harness
async def test_a_thread_that_is_refused_does_not_keep_the_others_from_being_had(harness):
    for thread_id in (4, 5, 6):
        harness.server.write(thread_id, "hello")
    harness.server.script[CatchUpRequest].append(ErrorCode.NOT_A_MEMBER)
    harness.server.script[HistoryRequest] += [lambda _, reply: [reply]] * 2 + [ErrorCode.NOT_A_MEMBER]
    trouble = f"thread 5: error {int(ErrorCode.NOT_A_MEMBER)} (NOT_A_MEMBER) in answer to HistoryRequest"
    with harness.fails(ClientError, trouble):
        await harness.catch_up()
    assert [await harness.shown(thread_id) for thread_id in (4, 5, 6)] == [["hello"], [], ["hello"]]
    await harness.catch_up()
    assert await harness.shown(5) == ["hello"]


@pytest.mark.parametrize(
    ("fate", "error"),
    [(HANGS_UP, DisconnectedError), (FORGETS, DisconnectedError), (SILENCE, LateError), (LATE, LateError)],
    ids=["broken off", "broken off after", "no answer", "a late answer"],
)
@pytest.mark.parametrize("before", [0, 1])
@with_harness
async def test_whatever_breaks_a_catch_up_off_the_next_one_goes_on(harness, before, fate, error):
    harness.server.write(THREAD, "1")
    await harness.catch_up()
    harness.server.write(THREAD, *numbers(2, 60))
    harness.server.script[CatchUpRequest] += [lambda _, *says: says] * before + [fate]
    with pytest.raises(error):
        await harness.catch_up()
    await harness.again()
    harness.server.script.clear()
    await harness.catch_up()
    assert (await harness.here(), await harness.shown()) == ((1, 60), numbers(1, 60))


@with_harness
async def test_a_catch_up_that_is_answered_twice_ends_the_connection_and_repeats_nothing(harness):
    harness.server.write(THREAD, *numbers(1, 15))
    harness.server.script[CatchUpRequest].append(TWICE)
    await harness.catch_up()
    await harness.client.wait_ended()
    assert harness.client.ended == "message 1115 belongs to nothing that was asked"
    assert (await harness.here(), await harness.shown()) == ((1, 15), numbers(1, 15))


@with_harness
async def test_a_loss_of_power_between_any_two_parts_loses_and_repeats_nothing(harness):
    harness.server.page = 7
    harness.server.write(4, "1")
    await harness.catch_up()
    harness.server.write(4, *numbers(2, 60))
    harness.server.write(5, *numbers(1, 60))
    await sync.refresh(harness.client, harness.cache)
    kept = [await harness.store.execute(f"SELECT * FROM {table}") for table in ("thread", "message")]
    points = 0
    for left in range(1, 100):
        await harness.again()
        for table, rows in zip(("thread", "message"), kept, strict=True):
            await harness.store.execute(f"DELETE FROM {table}")
            for row in rows.rows:
                await harness.store.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})", row)
        device = PowerCutStore(harness.store)
        device.left = left
        try:
            await sync.catch_up(harness.client, Cache(device, ME))
            break
        except PowerCutError:
            points += 1
        await harness.again()
        await harness.catch_up()
        for thread_id in (4, 5):
            assert (await harness.here(thread_id), await harness.shown(thread_id)) == ((1, 60), numbers(1, 60))
    assert points > 15


# --- what a new client is owed: the newest hundred of each thread, whatever happens on the way


@pytest.mark.parametrize(
    ("fate", "error"),
    [(HANGS_UP, DisconnectedError), (SILENCE, LateError), (ErrorCode.RPC_FAILED, ClientError)],
    ids=["broken off", "no answer", "refused"],
)
@with_harness
async def test_the_rest_of_a_first_catch_up_stays_owed_until_it_is_here(harness, fate, error):
    harness.server.write(THREAD, *numbers(1, 60))
    harness.server.script[CatchUpRequest] += [lambda _, *says: says, fate]
    harness.server.script[HistoryRequest] += [ErrorCode.RPC_FAILED]
    with pytest.raises(error):
        await harness.catch_up()
    assert (await harness.here())[0] == 41, "of the first screen"
    await harness.again()
    harness.server.script.clear()
    assert await harness.refresh() == [THREAD]
    await harness.catch_up()
    assert (await harness.here(), await harness.shown()) == ((1, 60), numbers(1, 60))
    assert await harness.refresh() == []


@given(
    sizes=st.lists(st.integers(1, 130), min_size=1, max_size=3),
    page=st.integers(1, 40),
    left=st.integers(1, 25),
    pushed=st.booleans(),
)
def test_after_a_cut_anywhere_one_whole_sync_has_everything(sizes, page, left, pushed):
    @with_harness
    async def played(harness):
        harness.server.page = page
        for thread_id, size in enumerate(sizes, start=1):
            harness.server.write(thread_id, *numbers(1, size))
        await sync.refresh(harness.client, harness.cache)
        device = PowerCutStore(harness.store)
        device.left = left
        with contextlib.suppress(PowerCutError):
            await sync.catch_up(harness.client, Cache(device, ME))
        await harness.again()
        last = [*sizes]
        if pushed:  # what comes meanwhile is missing as well
            harness.server.write(1, str(sizes[0] + 1))
            last[0] += 1
        await harness.catch_up()
        for thread_id, (size, now) in enumerate(zip(sizes, last, strict=True), start=1):
            floor, cursor = await harness.here(thread_id)
            assert (floor <= max(1, size - 98), cursor) == (True, now)
            assert await harness.shown(thread_id) == numbers(floor, now)

    played()


# --- which messages have changed


async def content(harness, thread_id=THREAD):
    return [
        (text.seq, text.content, text.state is State.RECALLED) for text in await harness.cache.newest(thread_id, 99)
    ]


@with_harness
async def test_who_was_away_learns_which_messages_have_changed_and_those_that_were_not_here_are_as_they_are(harness):
    harness.server.write(THREAD, *numbers(1, 3))
    await harness.catch_up()
    harness.server.revise(THREAD, 1, "edited")
    harness.server.revise(THREAD, 3, None)
    harness.server.write(THREAD, *numbers(4, 5))
    harness.server.revise(THREAD, 5, "edited, too")
    await harness.catch_up()
    assert await content(harness) == [
        *((1, "edited", False), (2, "2", False), (3, "", True)),
        *((4, "4", False), (5, "edited, too", False)),
    ]
    assert harness.server.of(RevisionsRequest) == [RevisionsRequest(THREAD, 0)]
    assert await harness.cache.outdated() == []


@with_harness
async def test_changes_are_asked_for_beside_the_texts_and_not_where_nothing_has_changed(harness):
    for thread_id in (4, 5, 6):
        harness.server.write(thread_id, "1", "2")
    await harness.catch_up()
    harness.server.requests.clear()
    harness.server.revise(5, 1, "edited")
    harness.server.write(6, "3")
    await harness.catch_up()
    assert harness.server.of(RevisionsRequest) == [RevisionsRequest(5, 0)]
    assert harness.server.times(RevisionsRequest) == harness.server.times(CatchUpRequest), "at the same time"
    await harness.catch_up()
    assert len(harness.server.of(RevisionsRequest)) == 1


@with_harness
async def test_a_new_client_asks_for_no_changes_however_many_there_were(harness):
    harness.server.write(THREAD, *numbers(1, 150))
    for seq in (1, 100, 150):
        harness.server.revise(THREAD, seq, f"edited {seq}")
    await harness.catch_up()
    assert harness.server.of(RevisionsRequest) == []
    assert (await content(harness))[-1] == (150, "edited 150", False)
    while await harness.earlier():
        pass
    assert (await content(harness))[-1] == (150, "edited 150", False)
    assert harness.server.of(RevisionsRequest) == []


@with_harness
async def test_many_changes_come_page_by_page_and_after_an_interruption_go_on(harness):
    harness.server.write(THREAD, *numbers(1, 35))
    await harness.catch_up()
    for seq in range(1, 36):
        harness.server.revise(THREAD, seq, f"edited {seq}")
    harness.server.script[RevisionsRequest] += [lambda _, reply: [reply], HANGS_UP]
    with pytest.raises(DisconnectedError):
        await harness.catch_up()
    assert (await harness.cache.thread(THREAD)).revision == 10
    await harness.again()
    await harness.catch_up()
    assert await content(harness) == [(seq, f"edited {seq}", False) for seq in range(1, 36)]
    assert [request.revision for request in harness.server.of(RevisionsRequest)] == [0, 10, 10, 20, 30]


def no_changes(request, _):
    return [RevisionsReply(0, request.thread_id, load_more=True)]


@with_harness
async def test_changes_that_do_not_go_on_are_not_asked_for_for_ever(harness):
    harness.server.write(THREAD, "1")
    await harness.catch_up()
    harness.server.revise(THREAD, 1, "edited")
    harness.server.script[RevisionsRequest].append(no_changes)
    with harness.fails(ClientError, "the changes of thread 5 do not go on after number 0"):
        await harness.catch_up()
    await harness.catch_up()
    assert await content(harness) == [(1, "edited", False)]


@with_harness
async def test_changes_that_are_refused_do_not_keep_the_other_threads_from_being_had(harness):
    for thread_id in (4, 5):
        harness.server.write(thread_id, "1")
    await harness.catch_up()
    for thread_id in (4, 5):
        harness.server.revise(thread_id, 1, "edited")
        harness.server.write(thread_id, "2")
    harness.server.script[RevisionsRequest].append(ErrorCode.LOAD_CHAT_FAILED)
    with pytest.raises(ClientError):
        await harness.catch_up()
    assert sorted([(await content(harness, each))[0][1] for each in (4, 5)]) == ["1", "edited"]
    await harness.catch_up()
    assert [(await content(harness, each))[0][1] for each in (4, 5)] == ["edited"] * 2


@with_harness
async def test_a_thread_that_is_fetched_has_its_changes_too(harness):
    harness.server.write(THREAD, "1")
    await harness.fetch()
    harness.server.revise(THREAD, 1, "edited")
    await harness.refresh()
    await harness.fetch()
    assert await content(harness) == [(1, "edited", False)]


@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["write", "edit", "recall", "sync"]), st.integers(1, 6)), min_size=1, max_size=12
    ),
    page=st.integers(1, 3),
    left=st.integers(1, 12),
)
def test_after_a_cut_anywhere_one_whole_sync_has_every_message_as_it_is(steps, page, left):
    @with_harness
    async def played(harness):
        harness.server.page = page
        harness.server.write(THREAD, *numbers(1, 3))
        await harness.catch_up()
        for number, (what, seq) in enumerate(steps):
            texts = harness.server.threads[THREAD].texts
            match what:
                case "write":
                    harness.server.write(THREAD, str(len(texts) + 1))
                case "edit" if seq <= len(texts) and not texts[seq - 1].status:
                    harness.server.revise(THREAD, seq, f"edit {number}")
                case "recall" if seq <= len(texts) and not texts[seq - 1].status:
                    harness.server.revise(THREAD, seq, None)
                case "sync":
                    device = PowerCutStore(harness.store)
                    device.left = left
                    with contextlib.suppress(PowerCutError):
                        cut = Cache(device, ME)
                        await sync.refresh(harness.client, cut)
                        await sync.catch_up(harness.client, cut)
                    await harness.again()
        await harness.catch_up()
        assert await content(harness) == [
            (text.seq, text.content, text.status == 2) for text in harness.server.threads[THREAD].texts
        ]

    played()


# --- what has been delivered


@with_harness
async def test_what_is_here_is_reported_in_requests_that_are_not_too_large(harness):
    for thread_id in range(1, 36):
        harness.server.write(thread_id, "1", "2")
    await harness.catch_up()
    assert await sync.report_delivered(harness.client, harness.cache)
    assert not await sync.report_delivered(harness.client, harness.cache)
    assert not await sync.report_delivered(harness.client, harness.cache)
    one, two = harness.server.of(DeliveredRequest)
    assert (one.threads, one.seqs) == (tuple(range(1, 31)), (2,) * 30)
    assert (two.threads, two.seqs) == (tuple(range(31, 36)), (2,) * 5)


@with_harness
async def test_a_thread_that_one_has_left_does_not_keep_the_others_from_being_reported(harness):
    for thread_id in (4, 5, 6):
        harness.server.write(thread_id, "1")
    await harness.catch_up()
    refused = ErrorCode.NOT_A_MEMBER
    harness.server.script[DeliveredRequest] += [refused, lambda _, reply: [reply], refused, lambda _, reply: [reply]]
    assert not await sync.report_delivered(harness.client, harness.cache)
    assert [request.threads for request in harness.server.of(DeliveredRequest)] == [(4, 5, 6), (4,), (5,), (6,)]
    assert not await sync.report_delivered(harness.client, harness.cache)
    assert len(harness.server.of(DeliveredRequest)) == 4


@with_harness
async def test_a_report_that_fails_is_made_again(harness):
    harness.server.write(THREAD, "1")
    await harness.catch_up()
    harness.server.script[DeliveredRequest].append(ErrorCode.LOAD_CHAT_FAILED)
    with pytest.raises(RefusedError):
        await sync.report_delivered(harness.client, harness.cache)
    await sync.report_delivered(harness.client, harness.cache)
    assert len(harness.server.of(DeliveredRequest)) == 2


# --- a date


@with_harness
async def test_a_thread_is_loaded_from_an_early_message_on_by_one_request(harness):
    harness.server.write(THREAD, *numbers(1, 350))
    await harness.catch_up()
    harness.server.requests.clear()
    await sync.reach(harness.client, harness.cache, THREAD, 40)
    assert (await harness.here(), await harness.shown()) == ((40, 350), numbers(40, 350))
    assert asked_for(harness) == [[(THREAD, 39, 251)]]
    await sync.reach(harness.client, harness.cache, THREAD, 100)
    assert len(harness.server.requests) == 1, "it is here"


@with_harness
async def test_a_thread_that_is_new_here_is_loaded_from_there_on(harness):
    harness.server.write(THREAD, *numbers(1, 35))
    await sync.reach(harness.client, harness.cache, THREAD, 3)
    assert (await harness.here(), await harness.shown()) == ((3, 35), numbers(3, 35))


@pytest.mark.parametrize("wrong", [all_but_the_last_part, no_part])
@with_harness
async def test_a_date_that_is_not_reached_is_an_error(harness, wrong):
    harness.server.write(THREAD, *numbers(1, 35))
    await harness.fetch()
    harness.server.script[CatchUpRequest].append(wrong)
    with harness.fails(sync.StuckError, "the history of thread 5 does not go on before number 26"):
        await sync.reach(harness.client, harness.cache, THREAD, 3)
    assert await harness.here() == (26, 35)


# --- what came before


@with_harness
async def test_older_pages_are_had_one_by_one_until_the_thread_begins(harness):
    harness.server.write(THREAD, *numbers(1, 35))
    await harness.fetch()
    assert [await harness.earlier() for _ in range(4)] == [True, True, False, False]
    assert (await harness.here(), await harness.shown()) == ((1, 35), numbers(1, 35))
    assert [request.seq for request in harness.server.of(HistoryRequest) if request.backward] == [36, 26, 16, 6]


@with_harness
async def test_there_is_nothing_before_a_thread_that_is_not_known(harness):
    assert not await harness.earlier()
    assert harness.server.of(HistoryRequest) == []


def without_the_next(_, reply):
    return [msgspec.structs.replace(reply, texts=reply.texts[:-1])]


@pytest.mark.parametrize("wrong", [nothing, without_the_next])
@with_harness
async def test_older_pages_that_do_not_go_on_are_an_error(harness, wrong):
    harness.server.write(THREAD, *numbers(1, 35))
    await harness.fetch()
    harness.server.script[HistoryRequest].append(wrong)
    with harness.fails(ClientError, "the history of thread 5 does not go on before number 26"):
        await harness.earlier()
    assert (await harness.here(), await harness.shown()) == ((26, 35), numbers(26, 35))
    assert await harness.earlier()
    assert (await harness.here(), await harness.shown()) == ((16, 35), numbers(16, 35))
