"""A client that remembers, against a server that goes away, forgets, and is wrong, in virtual time."""

import asyncio
import functools
import inspect
import math
import sqlite3
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted_server import (
    FORGETS,
    FREE,
    HANGS_UP,
    LATE,
    ME,
    OTHER,
    PATIENCE,
    SILENCE,
    TWICE,
    PowerCutError,
    PowerCutStore,
    Server,
    contents,
    login_for,
    messenger,
    now,
)

from chatsim.chat.client.cache import State, WrongOwnerError
from chatsim.chat.client.connection import DisconnectedError, RefusedError
from chatsim.chat.client.messenger import Event, Messenger, MessengerClosedError, Status, Timing
from chatsim.chat.client.outbox import TextTooLongError
from chatsim.chat.ports import LocalStoreError, LocalStoreUnavailableError, Many
from chatsim.chat.protocol import (
    AddFriendNotice,
    AuthFriendNotice,
    CatchUpPart,
    CatchUpRequest,
    CreatePrivateChatRequest,
    DeliveredRequest,
    EditRequest,
    ErrorCode,
    FirstText,
    FriendApplication,
    FriendEntry,
    HistoryRequest,
    LoginReply,
    LoginRequest,
    ReadNotice,
    ReadRequest,
    RecallRequest,
    RevisionsRequest,
    TextRequest,
    TextsNotice,
    ThreadStatesRequest,
)
from chatsim.simulation.loop import run
from chatsim.worlds.model.costs import StoreCosts
from chatsim.worlds.model.local_store import ModelStore

THREAD = 5
A_WHILE = 3.0  # for what takes no more than some requests, and a reconnect
UNREAD, SENDING, FAILED = State.UNREAD, State.SENDING, State.FAILED
BOSS = FriendEntry("bob", OTHER, "", "bobby", 1, "", "boss")


class Harness:
    """A server, and messengers that are closed at the end."""

    def __init__(self):
        self.server = Server()
        self.opened = []

    def new(self, *args, **options):
        made = messenger(self.server, *args, **options)
        self.opened.append(made)
        return made

    async def open(self, *args, **options):
        made = self.new(*args, **options)
        await made.open()
        return made

    async def ready(self, *args, **options):
        made = await self.open(*args, **options)
        await asyncio.sleep(A_WHILE)
        assert (made.status, made.trouble) == (Status.READY, None)
        return made

    def stored(self, thread_id=THREAD):
        return [text.content for text in self.server.threads[thread_id].texts if text.sender == ME]


def with_harness(body):
    async def played(*args, **kwargs):
        harness = Harness()
        await harness.server.open()
        await body(harness, *args, **kwargs)
        for made in harness.opened:
            await made.close()
        await harness.server.shut()
        await asyncio.sleep(0)
        left = {task.get_name() for task in asyncio.all_tasks() if task is not asyncio.current_task()}
        assert not {name for name in left if "127.0.0.1" not in name}

    @functools.wraps(body)
    def test(*args, **kwargs):
        run(played(*args, **kwargs))

    parameters = list(inspect.signature(body).parameters.values())
    test.__signature__ = inspect.Signature(parameters[1:])  # the harness is no fixture
    return test


def numbers(first, last):
    return [str(number) for number in range(first, last + 1)]


async def shown(made, thread_id=THREAD):
    return [content for _, content, _ in await contents(made, thread_id)]


# --- coming, going, coming back


@with_harness
async def test_it_connects_catches_up_and_is_ready(harness):
    harness.server.write(THREAD, *numbers(1, 35))
    harness.server.write(THREAD + 1, "hello")
    made = await harness.ready()
    assert made.statuses == [(Status.SYNCING, None), (Status.READY, None)]
    assert await shown(made) == numbers(1, 35)
    assert await shown(made, THREAD + 1) == ["hello"]
    assert harness.server.of(HistoryRequest) == []
    assert {Event(THREAD), Event(THREAD + 1), Event()} == {*made.events}


@with_harness
async def test_who_comes_back_has_what_was_said_meanwhile_and_the_threads_that_are_new(harness):
    harness.server.write(THREAD, "1")
    made = await harness.ready()
    await harness.server.shut()
    await asyncio.sleep(A_WHILE)
    assert made.status is Status.CONNECTING
    harness.server.write(THREAD, *numbers(2, 31))
    harness.server.write(THREAD + 1, "we have not met")
    await harness.server.open()
    await asyncio.sleep(40)
    assert made.status is Status.READY
    assert await shown(made) == numbers(1, 31)
    assert await shown(made, THREAD + 1) == ["we have not met"]


async def attempts(harness, count, *, seed=1, timing):
    """The pauses between so many tries to connect where nobody is."""
    times = []
    enough = asyncio.Event()

    async def log_in(_):
        times.append(now())
        if len(times) == count:
            enough.set()
        raise DisconnectedError("nobody there")

    made = await harness.open(log_in=log_in, seed=seed, timing=timing)
    await enough.wait()
    assert (made.status, made.trouble) == (Status.CONNECTING, "nobody there")
    await made.close()
    return np.diff(times)


@with_harness
async def test_pauses_between_two_tries_double_up_to_the_longest_and_are_a_matter_of_chance(harness):
    timing = Timing(shortest=1.0, longest=30.0)
    pauses = [await attempts(harness, 12, seed=seed, timing=timing) for seed in range(40)]
    most = [min(30.0, 2.0**failures) for failures in range(1, 12)]
    for tries, limit in zip(np.transpose(pauses), most, strict=True):
        assert 0.5 <= tries.min() < 0.5 + limit / 4
        assert limit * 3 / 4 < tries.max() <= limit


@with_harness
async def test_who_was_away_for_a_month_still_tries(harness):
    pauses = await attempts(harness, 2_000, timing=Timing(longest=1_000.0))
    assert max(pauses) <= 1_000.0


@with_harness
async def test_a_server_that_drops_everybody_at_once_is_left_in_peace_longer_and_longer(harness):
    made = await harness.ready(timing=Timing(longest=100.0))
    harness.server.script[ThreadStatesRequest] += [HANGS_UP] * 1_000
    await harness.server.hang_up()
    await asyncio.sleep(3_600)
    pauses = np.diff(harness.server.times(LoginRequest)[1:])
    assert len(pauses) < 150
    assert max(pauses[:3]) < 4.0
    assert 25.0 < max(pauses) <= 101.0
    harness.server.script.clear()
    await asyncio.sleep(200)
    assert made.status is Status.READY
    await harness.server.hang_up()
    await asyncio.sleep(0.5)
    assert made.status is Status.READY  # it had lasted: the pause is short again


@with_harness
async def test_who_has_logged_in_elsewhere_stays_away(harness):
    made = await harness.ready()
    await harness.server.kick()
    await asyncio.sleep(600)
    assert (made.status, made.trouble) == (Status.CLOSED, "ended by the server: logged in elsewhere")
    assert harness.server.of(LoginRequest) == [LoginRequest(ME, "token", feed=True)]
    harness.server.threads[THREAD].append(OTHER, "x", "x")
    made.synchronise()
    await asyncio.sleep(600)
    assert made.status is Status.CLOSED
    assert made.statuses[-1] == (Status.CLOSED, "ended by the server: logged in elsewhere")


@with_harness
async def test_who_is_told_to_go_in_the_middle_of_a_fetch_is_not_ready_afterwards(harness):
    harness.server.write(THREAD, "1")
    made = await harness.ready(costs=StoreCosts(call=0.0, row=0.0, commit=0.05))
    (text,) = harness.server.write(THREAD, "2", "3")[1:]
    await harness.server.push(THREAD, text)
    await asyncio.sleep(0.15)  # it has asked for the rest, or is storing it
    await harness.server.kick()
    await asyncio.sleep(A_WHILE)
    assert made.statuses[-1] == (Status.CLOSED, "ended by the server: logged in elsewhere")


@pytest.mark.parametrize("code", [ErrorCode.TOKEN_INVALID, ErrorCode.UID_INVALID])
@with_harness
async def test_who_may_not_log_in_does_not_try_again(harness, code):
    harness.server.script[LoginRequest].append(code)
    made = await harness.open()
    await asyncio.sleep(600)
    assert made.statuses == [(Status.CLOSED, f"error {int(code)} ({code.name}) in answer to LoginRequest")]
    assert len(harness.server.of(LoginRequest)) == 1


@with_harness
async def test_a_login_that_fails_is_tried_again(harness):
    harness.server.script[LoginRequest] += [ErrorCode.RPC_FAILED, HANGS_UP, SILENCE]
    made = await harness.open()
    await asyncio.sleep(30)
    assert made.status is Status.READY
    troubles = [trouble for status, trouble in made.statuses if status is Status.CONNECTING]
    assert troubles == [
        "error 1002 (RPC_FAILED) in answer to LoginRequest",
        "closed by the server",
        "no answer to LoginRequest within 5 s",
    ]


@with_harness
async def test_more_notices_than_it_can_hear_make_it_come_back_and_have_all(harness):
    harness.server.write(THREAD, "1")
    made = await harness.ready(costs=StoreCosts(call=0.0, row=0.0, commit=0.01))
    texts = harness.server.write(THREAD, *numbers(2, 1_200))
    await harness.server.say(*[TextsNotice(THREAD, OTHER, ME, (text,)) for text in texts])
    await asyncio.sleep(60)
    assert (Status.CONNECTING, "more than 1000 notices wait to be handled") in made.statuses
    assert await shown(made) == numbers(201, 1_200)
    assert (await made.cache.thread(THREAD)).cursor == 1_200
    assert made.status is Status.READY


@with_harness
async def test_more_notices_than_it_can_hear_before_it_is_logged_in_are_a_login_that_failed(harness):
    notices = [ReadNotice(THREAD, OTHER, 1)] * 1_001
    harness.server.script[LoginRequest].append(lambda _, reply: [*notices, reply])
    made = await harness.ready(costs=StoreCosts(call=0.0, row=0.0, commit=0.001))
    assert made.statuses[0] == (Status.CONNECTING, "more than 1000 notices wait to be handled")


# --- catching up


FATES = [HANGS_UP, FORGETS, SILENCE, LATE, TWICE, ErrorCode.LOAD_CHAT_FAILED]
NAMES = ["broken off", "broken off after", "no answer", "a late answer", "two answers", "refused"]


@pytest.mark.parametrize("fate", FATES, ids=NAMES)
@pytest.mark.parametrize("kind", [ThreadStatesRequest, CatchUpRequest])
@with_harness
async def test_whatever_happens_to_a_request_syncing_ends_and_can_be_tried_again(harness, kind, fate):
    harness.server.page = 15
    harness.server.write(THREAD, *numbers(1, 15))
    harness.server.write(THREAD + 1, "hello")
    harness.server.script[kind].append(fate)
    made = await harness.open(log_in=login_for(harness.server, heartbeat=2 * PATIENCE), timing=Timing(resync=600.0))
    await asyncio.sleep(5 * PATIENCE)
    assert made.status in {Status.STALE, Status.READY}
    assert (made.trouble is None) == (made.status is Status.READY)
    if made.status is Status.STALE:
        assert fate in {SILENCE, LATE, ErrorCode.LOAD_CHAT_FAILED}
        made.synchronise()
        await asyncio.sleep(5 * PATIENCE)
    assert made.status is Status.READY
    assert (await shown(made), await shown(made, THREAD + 1)) == (numbers(1, 15), ["hello"])


@pytest.mark.parametrize("fate", FATES, ids=NAMES)
@with_harness
async def test_whatever_happens_while_a_hole_is_filled_it_is_filled_in_the_end(harness, fate):
    harness.server.write(THREAD, "1")
    log_in = login_for(harness.server, heartbeat=2 * PATIENCE)
    made = await harness.ready(log_in=log_in, timing=Timing(resync=600.0))
    harness.server.script[HistoryRequest].append(fate)
    await harness.server.push(THREAD, harness.server.write(THREAD, *numbers(2, 31))[-1])
    await asyncio.sleep(5 * PATIENCE)
    assert len(harness.server.of(HistoryRequest)) >= 1
    assert (made.trouble is None) == (made.status is Status.READY)
    if made.status is Status.STALE:
        assert fate in {SILENCE, LATE, ErrorCode.LOAD_CHAT_FAILED}
        made.synchronise()
        await asyncio.sleep(5 * PATIENCE)
    assert made.status is Status.READY
    assert await shown(made) == numbers(1, 31)
    assert (await made.cache.thread(THREAD)).cursor == 31


@pytest.mark.parametrize("loads", [True, False])
@with_harness
async def test_what_could_not_be_had_is_tried_again_by_and_by(harness, loads):
    harness.server.write(THREAD, "1")
    made = await harness.ready(loads=loads)
    harness.server.script[HistoryRequest] += [ErrorCode.LOAD_CHAT_FAILED] * 2
    text = harness.server.write(THREAD, "2", "3")[-1]
    await harness.server.push(THREAD, text)
    await asyncio.sleep(A_WHILE)
    trouble = f"thread {THREAD}: error 1013 (LOAD_CHAT_FAILED) in answer to HistoryRequest"
    assert (made.status, made.trouble) == (Status.STALE, trouble)
    await asyncio.sleep(60)
    assert (made.status, made.trouble) == (Status.STALE, trouble)
    await asyncio.sleep(60)
    assert made.status is Status.READY
    assert await shown(made) == numbers(1, 3)


def without_thread_4(_, *says):
    *parts, reply = says
    return [*(CatchUpPart(tuple(each for each in part.threads if each.thread_id != 4)) for part in parts), reply]


@with_harness
async def test_a_thread_that_is_refused_does_not_keep_the_others_from_coming(harness):
    for thread_id in (4, 5, 6):
        harness.server.write(thread_id, "hello")
    harness.server.script[CatchUpRequest].append(ErrorCode.NOT_A_MEMBER)
    harness.server.script[HistoryRequest] += [lambda _, reply: [reply]] * 2 + [ErrorCode.NOT_A_MEMBER]  # 6, and 5
    made = await harness.open(timing=Timing(resync=600.0))
    await asyncio.sleep(A_WHILE)
    code = int(ErrorCode.NOT_A_MEMBER)
    trouble = f"thread 5: error {code} (NOT_A_MEMBER) in answer to HistoryRequest"
    assert (made.status, made.trouble) == (Status.STALE, trouble)
    assert [await shown(made, thread_id) for thread_id in (4, 5, 6)] == [["hello"], [], ["hello"]]
    assert {Event(4), Event(6)} <= {*made.events}
    made.synchronise()
    await asyncio.sleep(A_WHILE)
    assert await shown(made, 5) == ["hello"]
    assert made.status is Status.READY


@with_harness
async def test_a_thread_that_can_not_be_had_does_not_keep_the_others_from_coming(harness):
    for thread_id in (4, 5, 6):
        harness.server.write(thread_id, "hello")
    harness.server.script[CatchUpRequest].append(without_thread_4)
    made = await harness.open(timing=Timing(resync=600.0))
    await asyncio.sleep(A_WHILE)
    assert made.trouble == "the history of thread 4 does not go on after number 0"
    assert [await shown(made, thread_id) for thread_id in (4, 5, 6)] == [[], ["hello"], ["hello"]]
    made.synchronise()
    await asyncio.sleep(A_WHILE)
    assert await shown(made, 4) == ["hello"]
    assert made.status is Status.READY


@with_harness
async def test_who_does_not_want_to_sync_is_told_what_is_new_and_loads_when_they_do(harness):
    harness.server.write(THREAD, *numbers(1, 5))
    harness.server.write(THREAD + 1, "long ago")
    made = await harness.ready(loads=False)
    assert harness.server.of(ThreadStatesRequest) == harness.server.of(HistoryRequest) == []
    await harness.server.push(THREAD, *harness.server.write(THREAD, "6"))
    await asyncio.sleep(200)
    assert (await shown(made), await shown(made, THREAD + 1)) == (numbers(1, 6), [])
    made.synchronise()
    await asyncio.sleep(A_WHILE)
    assert await shown(made, THREAD + 1) == ["long ago"]
    assert made.statuses == [(Status.READY, None), (Status.SYNCING, None), (Status.READY, None)]
    await harness.server.shut()
    harness.server.write(THREAD + 1, "now")
    await harness.server.open()
    await asyncio.sleep(A_WHILE)
    assert await shown(made, THREAD + 1) == ["long ago", "now"]


@with_harness
async def test_a_push_that_was_lost_is_missed_no_longer_than_until_the_next_look(harness):
    harness.server.write(THREAD, "1")
    made = await harness.ready()
    harness.server.write(THREAD, "2")
    await asyncio.sleep(61)
    assert await shown(made) == ["1", "2"]


# --- hearing


@with_harness
async def test_a_push_with_a_hole_before_it_is_shown_at_once_and_the_hole_is_filled(harness):
    harness.server.write(THREAD, *numbers(1, 3))
    made = await harness.ready()
    last = harness.server.write(THREAD, *numbers(4, 30))[-1]
    harness.server.script[HistoryRequest].append(SILENCE)
    await harness.server.push(THREAD, last)
    await asyncio.sleep(1.0)
    assert await shown(made) == ["1", "2", "3", "30"]
    assert (await made.cache.thread(THREAD)).cursor == 3
    made.synchronise()
    await asyncio.sleep(2 * PATIENCE)
    assert await shown(made) == numbers(1, 30)
    assert (await made.cache.thread(THREAD)).cursor == 30


@with_harness
async def test_pushes_in_the_wrong_order_and_twice_are_kept_once_and_in_order(harness):
    made = await harness.ready()
    harness.server.threads[THREAD].append(OTHER, "1", "1")
    for at in (3, 1, 3, 2, 0, 1):
        while len(harness.server.threads[THREAD].texts) < 4:
            harness.server.write(THREAD, str(len(harness.server.threads[THREAD].texts) + 1))
        await harness.server.push(THREAD, harness.server.threads[THREAD].texts[at])
    await asyncio.sleep(A_WHILE)
    assert await shown(made) == numbers(1, 4)


@with_harness
async def test_a_push_for_a_thread_that_is_not_known_fetches_the_thread(harness):
    made = await harness.ready(loads=False)
    harness.server.write(THREAD, *numbers(1, 14))
    await harness.server.push(THREAD, *harness.server.write(THREAD, "15"))
    await asyncio.sleep(A_WHILE)
    assert await shown(made) == numbers(6, 15)
    assert Event(THREAD) in made.events


@with_harness
async def test_a_notice_of_no_texts_says_nothing(harness):
    made = await harness.ready()
    await harness.server.say(TextsNotice(THREAD, OTHER, ME, ()))
    await asyncio.sleep(A_WHILE)
    assert made.status is Status.READY


class Gate(PowerCutStore):
    """A device whose next transaction with a certain statement waits until it is let go."""

    def __init__(self, store):
        super().__init__(store)
        self.before = self.after = "nothing"
        self.reached, self.open = asyncio.Event(), asyncio.Event()

    def stop(self, *, before="nothing", after="nothing"):
        self.before, self.after = before, after
        self.reached.clear()
        self.open.clear()

    async def transaction(self, statements):
        await self._pass("before", statements)
        done = await super().transaction(statements)
        await self._pass("after", statements)
        return done

    async def _pass(self, when, statements):
        if any(getattr(self, when) in (each.sql if isinstance(each, Many) else each[0]) for each in statements):
            setattr(self, when, "nothing")
            self.reached.set()
            await self.open.wait()


@with_harness
async def test_what_is_missed_while_an_older_look_is_ending_is_looked_for_again(harness):
    gate = Gate(ModelStore(":memory:", FREE))
    harness.server.write(THREAD, "1")
    gate.stop(after="INSERT OR IGNORE INTO message")  # all has come that the look was for
    made = await harness.open(store=gate, timing=Timing(resync=600.0))
    await gate.reached.wait()
    await harness.server.hang_up()
    harness.server.write(THREAD + 1, "meanwhile")
    await asyncio.sleep(A_WHILE)  # it is connected again, while the old look goes on
    assert len(harness.server.of(LoginRequest)) == 2
    gate.open.set()
    await asyncio.sleep(A_WHILE)
    assert await shown(made, THREAD + 1) == ["meanwhile"]
    assert made.status is Status.READY


@with_harness
async def test_a_gap_that_opens_while_the_thread_is_being_fetched_is_fetched_once_more(harness):
    gate = Gate(ModelStore(":memory:", FREE))
    harness.server.write(THREAD, "1")
    made = await harness.ready(store=gate, timing=Timing(resync=600.0))
    harness.server.write(THREAD, *numbers(2, 5))
    gate.stop(after="INSERT OR IGNORE INTO message")
    made.synchronise()
    await gate.reached.wait()  # the page is stored, and the fetch is about to end
    last = harness.server.write(THREAD, "6", "7")[-1]
    await harness.server.push(THREAD, last)
    await asyncio.sleep(A_WHILE)
    gate.open.set()
    await asyncio.sleep(A_WHILE)
    assert await shown(made) == numbers(1, 7)
    assert (await made.cache.thread(THREAD)).cursor == 7


@with_harness
async def test_a_fetch_that_ends_when_the_connection_has_gone_makes_nobody_ready(harness):
    gate = Gate(ModelStore(":memory:", FREE))
    harness.server.write(THREAD, "1")
    gate.stop(after="INSERT OR IGNORE INTO message")
    made = await harness.open(store=gate)
    await gate.reached.wait()
    await harness.server.shut()
    await asyncio.sleep(A_WHILE)
    made.statuses.clear()
    gate.open.set()
    await asyncio.sleep(A_WHILE)
    assert {status for status, _ in made.statuses} == {Status.CONNECTING}


@with_harness
async def test_the_others_marks_are_heard_and_ones_own_are_told(harness):
    harness.server.write(THREAD, "1", "2")
    made = await harness.ready()
    await made.send(THREAD, "3")
    await asyncio.sleep(A_WHILE)
    await harness.server.say(ReadNotice(THREAD, OTHER, 3))
    await asyncio.sleep(A_WHILE)
    assert [state for _, _, state in await contents(made, THREAD)] == [UNREAD, UNREAD, State.READ]
    await made.read(THREAD)
    await made.read(THREAD)
    assert harness.server.of(ReadRequest) == [ReadRequest(THREAD, 3)]
    assert await made.cache.unread(await made.cache.thread(THREAD)) == 0


@pytest.mark.parametrize(("reader", "reports"), [(OTHER, [ReadRequest(THREAD, 2)]), (ME, [])])
@with_harness
async def test_a_mark_of_ones_own_is_reported_by_the_device_that_made_it_and_one_of_the_other_reports_nothing(
    harness, reader, reports
):
    harness.server.write(THREAD, "1", "2")
    made = await harness.ready()
    await made.cache.note_read(THREAD, ME, 2)
    await harness.server.say(ReadNotice(THREAD, reader, 2))
    await asyncio.sleep(A_WHILE)
    await harness.server.hang_up()
    await asyncio.sleep(A_WHILE)
    assert harness.server.of(ReadRequest) == reports


@with_harness
async def test_a_pushed_text_without_a_hole_before_it_is_not_asked_for_and_one_with_a_hole_is(harness):
    harness.server.write(THREAD, "1")
    made = await harness.ready()
    (second,) = harness.server.write(THREAD, "2")
    await harness.server.push(THREAD, second)
    await asyncio.sleep(A_WHILE)
    assert (await shown(made), harness.server.of(HistoryRequest)) == (["1", "2"], [])
    _, fourth = harness.server.write(THREAD, "3", "4")
    await harness.server.push(THREAD, fourth)
    await asyncio.sleep(A_WHILE)
    assert await shown(made) == ["1", "2", "3", "4"]
    assert len(harness.server.of(HistoryRequest)) == 1


@with_harness
async def test_what_is_read_while_there_is_no_connection_is_told_with_the_next(harness):
    harness.server.write(THREAD, "1", "2")
    made = await harness.ready()
    await harness.server.shut()
    await asyncio.sleep(A_WHILE)
    with pytest.raises(DisconnectedError):
        await made.read(THREAD)
    assert [state for _, _, state in await contents(made, THREAD)] == [State.READ] * 2
    await harness.server.open()
    await asyncio.sleep(A_WHILE)
    assert harness.server.threads[THREAD].read[ME] == 2


# --- recalls, edits, receipts


@with_harness
async def test_a_recall_and_an_edit_change_what_is_shown_when_the_server_says_so(harness):
    harness.server.write(THREAD, "1", sender=ME)
    harness.server.write(THREAD, "2")
    harness.server.write(THREAD, "3", sender=ME)
    made = await harness.ready()
    await made.edit(THREAD, 1, "one")
    await made.recall(THREAD, 3)
    await asyncio.sleep(A_WHILE)
    assert await contents(made, THREAD) == [(1, "one", UNREAD), (2, "2", UNREAD), (3, "", State.RECALLED)]
    assert [text.edited for text in await made.cache.newest(THREAD, 9)] == [True, False, False]
    assert harness.server.of(RevisionsRequest) == [], "each notice was the next one"


@with_harness
async def test_a_change_whose_push_is_lost_is_learnt_of_with_the_next_look(harness):
    harness.server.write(THREAD, "1", sender=ME)
    made = await harness.ready(timing=Timing(resync=60.0))
    harness.server.mute = True
    await made.edit(THREAD, 1, "one")
    await asyncio.sleep(A_WHILE)
    assert await shown(made) == ["1"]
    await asyncio.sleep(60)
    assert await shown(made) == ["one"]


@with_harness
async def test_a_push_of_a_change_with_one_missing_before_it_fetches_the_changes(harness):
    harness.server.write(THREAD, "1", "2")
    made = await harness.ready()
    harness.server.revise(THREAD, 1, "one")
    await harness.server.tell_revised(THREAD, harness.server.revise(THREAD, 2, "two"))
    await asyncio.sleep(A_WHILE)
    assert await shown(made) == ["one", "two"]
    assert harness.server.of(RevisionsRequest) == [RevisionsRequest(THREAD, 0)]
    assert made.status is Status.READY


@with_harness
async def test_a_push_of_a_change_in_a_thread_that_is_not_known_fetches_the_thread(harness):
    made = await harness.ready()
    harness.server.write(THREAD, "1", "2")
    await harness.server.tell_revised(THREAD, harness.server.revise(THREAD, 2, None))
    await asyncio.sleep(A_WHILE)
    assert await contents(made, THREAD) == [(1, "1", UNREAD), (2, "", State.RECALLED)]


@pytest.mark.parametrize("code", [ErrorCode.TOO_LATE, ErrorCode.NOT_ALLOWED])
@with_harness
async def test_a_change_that_is_refused_is_raised_and_changes_nothing(harness, code):
    harness.server.write(THREAD, "1", sender=ME)
    made = await harness.ready()
    harness.server.script[RecallRequest].append(code)
    with pytest.raises(RefusedError):
        await made.recall(THREAD, 1)
    assert await shown(made) == ["1"]


@with_harness
async def test_what_is_not_here_can_not_be_changed(harness):
    harness.server.write(THREAD, "1")
    made = await harness.ready()
    for change in (made.recall(THREAD, 2), made.edit(THREAD + 1, 1, "x")):
        with pytest.raises(KeyError):
            await change
    assert harness.server.of(RecallRequest) + harness.server.of(EditRequest) == []


@with_harness
async def test_what_has_come_is_reported_a_while_later_all_of_it_at_once(harness):
    harness.server.write(THREAD, "1")
    await harness.ready(timing=Timing(receipts=5.0))
    await asyncio.sleep(5)
    assert harness.server.of(DeliveredRequest) == [DeliveredRequest((THREAD,), (1,))]
    for thread_id in (THREAD, THREAD + 1):
        for text in harness.server.write(thread_id, "a", "b", "c"):
            await harness.server.push(thread_id, text)
            await asyncio.sleep(0.1)
    await asyncio.sleep(10)
    assert harness.server.of(DeliveredRequest)[1:] == [DeliveredRequest((THREAD, THREAD + 1), (4, 3))]


@with_harness
async def test_what_is_read_soon_and_what_one_has_sent_is_not_reported_as_delivered(harness):
    harness.server.write(THREAD, "1")
    made = await harness.ready(timing=Timing(receipts=5.0))
    await made.read(THREAD)
    await made.send(THREAD, "2")
    await asyncio.sleep(20)
    assert harness.server.of(DeliveredRequest) == []


@with_harness
async def test_what_has_come_while_nobody_could_be_told_is_reported_with_the_next_connection(harness):
    harness.server.write(THREAD, "1")
    harness.server.script[DeliveredRequest] += [HANGS_UP]
    await harness.ready()
    await asyncio.sleep(20)
    assert harness.server.of(DeliveredRequest) == [DeliveredRequest((THREAD,), (1,))] * 2


@with_harness
async def test_the_other_has_got_a_text_and_then_has_read_it(harness):
    harness.server.write(THREAD, "1", "2", sender=ME)
    made = await harness.ready()
    await harness.server.tell_delivered(THREAD, OTHER, 2)
    await harness.server.say(ReadNotice(THREAD, OTHER, 1))
    await asyncio.sleep(A_WHILE)
    assert [state for _, _, state in await contents(made, THREAD)] == [State.READ, State.DELIVERED]
    receipts = await made.receipts(THREAD, 2)
    assert (receipts.members, receipts.delivered, receipts.read) == (1, 1, 0)


@with_harness
async def test_a_thread_is_loaded_from_a_date_on(harness):
    harness.server.write(THREAD, *numbers(1, 250))
    made = await harness.ready()
    assert await made.jump(THREAD, "2000-01-01 00:00:00") == 1
    assert await shown(made) == numbers(1, 250)
    assert await made.jump(THREAD, "2030-01-01 00:00:00") == 0


@with_harness
async def test_what_another_device_has_read_of_a_long_thread_leaves_the_number_that_the_server_has_counted(harness):
    harness.server.write(THREAD, *numbers(1, 50), sender=ME)
    harness.server.write(THREAD, *numbers(51, 250))
    made = await harness.ready()
    (head,) = await made.cache.heads()
    assert (head.thread.floor > 51, head.unread) == (True, 200)
    harness.server._changed(THREAD).read[ME] = 20
    await harness.server.say(ReadNotice(THREAD, ME, 20))
    await asyncio.sleep(A_WHILE)
    (head,) = await made.cache.heads()
    assert head.unread == 200, "none of the twenty was another's"


# --- friends


@with_harness
async def test_a_login_says_who_the_friends_are_and_who_wants_to_be_one(harness):
    friend = FriendEntry("bob", 2, "", "bobby", 1, "", "bob the builder")
    wanting, old = (FriendApplication("eve", uid, "", "", 0, "hi", status) for uid, status in ((3, 0), (4, 1)))
    harness.server.profile = LoginReply(0, uid=ME, name="ann", apply_list=(wanting, old), friend_list=(friend,))
    made = await harness.ready()
    assert made.profile == harness.server.profile
    assert made.applications == {3: wanting}
    assert await made.cache.friends() == {2: "bob the builder"}


@with_harness
async def test_an_application_is_heard_and_when_it_is_accepted_one_can_write_at_once(harness):
    made = await harness.ready()
    await harness.server.say(AddFriendNotice(0, OTHER, "bob", "let me in", "icon", 1, "bobby"))
    await asyncio.sleep(A_WHILE)
    assert made.applications == {OTHER: FriendApplication("bob", OTHER, "icon", "bobby", 1, "let me in", 0)}
    thread_id = await made.accept(OTHER, "boss")
    await made.send(thread_id, "hello")
    assert (made.applications, await made.cache.friends()) == ({}, {OTHER: "boss"})
    await asyncio.sleep(A_WHILE)
    assert await shown(made, thread_id) == ["we are friends", "hello"]


@with_harness
async def test_who_has_applied_is_told_of_the_friendship_and_has_its_thread_and_the_name_they_gave(harness):
    made = await harness.ready()
    await made.apply(OTHER, "let me in", "boss")
    (text,) = harness.server.write(THREAD, "we are friends")
    first = FirstText(OTHER, text.message_id, THREAD, "", text.content)
    await harness.server.say(AuthFriendNotice(0, OTHER, ME, "bob", "bobby", "", 1, (first,)))
    await asyncio.sleep(A_WHILE)
    assert await made.cache.friends() == {OTHER: "boss"}
    assert await shown(made) == ["we are friends"]


@pytest.mark.parametrize(("known", "name"), [({}, "bobby"), ({"friend_list": (BOSS,)}, "boss")])
@with_harness
async def test_a_friendship_without_a_name_of_ones_own_has_the_friends_and_takes_none_away(harness, known, name):
    harness.server.profile = LoginReply(0, uid=ME, name="ann", **known)
    made = await harness.ready()
    await harness.server.say(AuthFriendNotice(0, OTHER, ME, "bob", "bobby", "", 1, ()))
    await asyncio.sleep(A_WHILE)
    assert await made.cache.friends() == {OTHER: name}


@with_harness
async def test_a_chat_with_somebody_is_made_once(harness):
    made = await harness.ready()
    assert await made.chat_with(OTHER) == await made.chat_with(OTHER) == 100 + OTHER
    assert len(harness.server.of(CreatePrivateChatRequest)) == 1
    await harness.server.shut()
    await asyncio.sleep(A_WHILE)
    assert await made.chat_with(OTHER) == 100 + OTHER
    with pytest.raises(DisconnectedError):
        await made.chat_with(OTHER + 1)


# --- sending


async def sent_by(made, *texts, thread_id=THREAD):
    for text in texts:
        assert (await made.send(thread_id, text)).state is SENDING


@with_harness
async def test_what_is_sent_is_shown_at_once_and_comes_back_with_its_number(harness):
    harness.server.write(THREAD, "1")
    made = await harness.ready()
    await sent_by(made, "2", "3")
    assert await contents(made, THREAD) == [(1, "1", UNREAD), (None, "2", SENDING), (None, "3", SENDING)]
    await asyncio.sleep(A_WHILE)
    assert await contents(made, THREAD) == [(1, "1", UNREAD), (2, "2", UNREAD), (3, "3", UNREAD)]
    assert await made.cache.pending() == []


@with_harness
async def test_what_is_sent_where_nobody_listens_goes_out_in_its_order_when_somebody_does(harness, tmp_path):
    harness.server.write(THREAD, "1")
    made = await harness.ready(tmp_path / "local.db")
    await harness.server.shut()
    await sent_by(made, *numbers(2, 60))
    await asyncio.sleep(100)
    await made.close()
    harness.opened.remove(made)
    await harness.server.open()
    again = await harness.ready(tmp_path / "local.db", seed=2)
    await sent_by(again, "61")
    await asyncio.sleep(A_WHILE)
    assert harness.stored() == numbers(2, 61)
    assert await shown(again) == numbers(1, 61)


@pytest.mark.parametrize("fate", [HANGS_UP, FORGETS, SILENCE, LATE, TWICE], ids=NAMES[:-1])
@with_harness
async def test_whatever_happens_on_the_way_a_text_is_stored_and_shown_once(harness, fate):
    harness.server.write(THREAD, "1")
    made = await harness.ready()
    harness.server.script[TextRequest].append(fate)
    await sent_by(made, "2")
    await asyncio.sleep(5 * PATIENCE)
    assert harness.stored() == ["2"]
    await sent_by(made, "3", "4")
    await asyncio.sleep(2 * PATIENCE)
    assert harness.stored() == ["2", "3", "4"]
    assert await contents(made, THREAD) == [(seq, str(seq), UNREAD) for seq in (1, 2, 3, 4)]
    assert made.status is Status.READY


@with_harness
async def test_what_is_acknowledged_and_never_comes_back_is_shown_until_the_next_look(harness):
    harness.server.write(THREAD, "1")
    made = await harness.ready()
    harness.server.mute = True
    await sent_by(made, "2")
    await asyncio.sleep(A_WHILE)
    assert await contents(made, THREAD) == [(1, "1", UNREAD), (None, "2", UNREAD)]
    await asyncio.sleep(60)
    assert await contents(made, THREAD) == [(1, "1", UNREAD), (2, "2", UNREAD)]


@with_harness
async def test_a_server_that_can_not_store_is_asked_again_after_longer_and_longer_pauses(harness):
    harness.server.write(THREAD, "1")
    made = await harness.ready(timing=Timing(longest=20.0))
    harness.server.script[TextRequest] += [ErrorCode.SEND_FAILED] * 12
    await sent_by(made, "2")
    await asyncio.sleep(200)
    pauses = np.diff(harness.server.times(TextRequest))
    assert len(pauses) == 12
    assert max(pauses[:2]) < 2.0
    assert 5.0 < max(pauses) <= 21.0
    assert harness.stored() == ["2"]


@with_harness
async def test_a_text_that_can_not_be_sent_in_time_has_failed_and_can_be_sent_again(harness):
    harness.server.write(THREAD, "1")
    made = await harness.ready(timing=Timing(give_up=50.0))
    await harness.server.shut()
    first = await made.send(THREAD, "first")
    await asyncio.sleep(30)
    await sent_by(made, "second")
    await asyncio.sleep(20 - 0.01)
    assert [state for *_, state in await contents(made, THREAD)] == [UNREAD, SENDING, SENDING]
    made.events.clear()
    await asyncio.sleep(0.02)
    assert [state for *_, state in await contents(made, THREAD)] == [UNREAD, FAILED, SENDING]
    assert Event(THREAD) in made.events
    await made.send_again(first.unique_id)
    await harness.server.open()
    await asyncio.sleep(31)
    assert harness.stored() == ["first", "second"]
    assert [state for *_, state in await contents(made, THREAD)] == [UNREAD] * 3


@pytest.mark.parametrize("jump", [-86_400.0, 86_400.0, 1.7e9])
@with_harness
async def test_a_text_that_waits_while_the_messenger_is_closed_has_all_its_time_whatever_the_clock_says(
    harness, tmp_path, jump
):
    """No clock of one process tells the next one how long it was closed: the machine's own can be set meanwhile."""
    harness.server.write(THREAD, "1")
    made = await harness.ready(tmp_path / "local.db")
    await harness.server.shut()
    await made.send(THREAD, "waits")
    ((pending,),) = (await made.cache._store.execute("SELECT deadline FROM outbox")).rows
    await made.cache._store.execute("UPDATE outbox SET deadline = ?", (pending + jump,))
    await made.close()
    made = await harness.open(tmp_path / "local.db", timing=Timing(give_up=50.0))
    await asyncio.sleep(49)
    assert [state for *_, state in await contents(made, THREAD)] == [UNREAD, SENDING]
    await asyncio.sleep(2)
    assert [state for *_, state in await contents(made, THREAD)] == [UNREAD, FAILED]


@with_harness
async def test_a_text_that_has_failed_here_and_was_stored_there_is_shown_as_what_it_is(harness):
    harness.server.write(THREAD, "1")
    made = await harness.ready(timing=Timing(give_up=20.0, longest=1.0))
    harness.server.script[TextRequest].append(FORGETS)
    harness.server.script[LoginRequest] += [HANGS_UP] * 100
    await sent_by(made, "2")
    await asyncio.sleep(25)
    assert await contents(made, THREAD) == [(1, "1", UNREAD), (None, "2", FAILED)]
    harness.server.script.clear()
    await asyncio.sleep(A_WHILE)
    assert await contents(made, THREAD) == [(1, "1", UNREAD), (2, "2", UNREAD)]


@with_harness
async def test_a_text_that_is_refused_has_failed_and_the_others_are_sent(harness):
    harness.server.write(THREAD, "1")
    made = await harness.ready()
    harness.server.refuses = lambda request: any(text.content == "no" for text in request.text_array)
    await sent_by(made, "2", "no", "3")
    await asyncio.sleep(A_WHILE)
    assert harness.stored() == ["2", "3"]
    assert (await contents(made, THREAD))[-1] == (None, "no", FAILED)


@with_harness
async def test_a_text_for_nowhere_or_too_long_is_not_taken(harness):
    harness.server.write(THREAD, "1")
    made = await harness.ready()
    with pytest.raises(KeyError, match="77"):
        await made.send(77, "hello")
    with pytest.raises(TextTooLongError):
        await made.send(THREAD, "漢" * 1_000)
    assert await shown(made) == ["1"]


# --- when the device fails, and the end


@with_harness
async def test_a_memory_that_fails_ends_all_of_it_and_is_told(harness):
    device = PowerCutStore(ModelStore(":memory:", FREE))
    harness.server.write(THREAD, "1")
    made = await harness.ready(store=device)
    harness.opened.remove(made)
    device.left = 0
    device.error = LocalStoreError("the file is no database")
    await harness.server.push(THREAD, *harness.server.write(THREAD, "2"))
    await asyncio.sleep(600)
    assert made.statuses[-1] == (Status.CLOSED, "the file is no database")
    assert harness.server.sessions == []
    assert len(harness.server.of(LoginRequest)) == 1
    device.left = math.inf  # if it worked again, nothing would send a text
    with pytest.raises(MessengerClosedError, match="the file is no database"):
        await made.send(THREAD, "3")
    with pytest.raises(MessengerClosedError, match="the file is no database"):
        await made.send_again("some text")
    assert await made.cache.pending() == []
    with pytest.raises(LocalStoreError, match="the file is no database"):
        await made.close()
    assert (made.status, made.trouble) == (Status.CLOSED, "the file is no database")


def locked(path):
    """Another process that has the local database for itself, as a backup has."""
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    return other


@pytest.mark.parametrize("loads", [True, False])
@with_harness
async def test_a_store_that_another_process_has_locked_is_used_again_when_it_is_free(harness, tmp_path, loads):
    harness.server.write(THREAD, "1")
    first = await harness.ready(tmp_path / "local.db")
    await first.close()
    made = await harness.ready(tmp_path / "local.db", loads=loads)
    other = locked(tmp_path / "local.db")
    await harness.server.push(THREAD, *harness.server.write(THREAD, "2"))
    await asyncio.sleep(A_WHILE)
    assert made.status is Status.NO_STORE
    assert "locked" in made.trouble
    assert harness.server.sessions == []
    with pytest.raises(LocalStoreUnavailableError, match="locked"):
        await made.send(THREAD, "not taken")
    await asyncio.sleep(600)
    assert made.status is Status.NO_STORE
    other.close()
    await asyncio.sleep(60)
    assert (made.status, made.trouble) == (Status.READY, None)
    await sent_by(made, "3")
    await asyncio.sleep(A_WHILE)
    assert harness.stored() == ["3"]
    assert await shown(made) == ["1", "2", "3"]


@with_harness
async def test_a_full_disk_stops_nothing_for_good(harness, tmp_path):
    store = ModelStore(str(tmp_path / "local.db"), FREE)
    harness.server.write(THREAD, "1")
    made = await harness.ready(store=store)
    pages = (await store.execute("PRAGMA page_count")).scalar()
    await store.execute(f"PRAGMA max_page_count = {pages}")
    await harness.server.push(THREAD, *harness.server.write(THREAD, *["x" * 1_000] * 50))
    await asyncio.sleep(A_WHILE)
    assert made.status is Status.NO_STORE
    assert "full" in made.trouble
    await store.execute("PRAGMA max_page_count = 1000000")
    await asyncio.sleep(60)
    assert (made.status, made.trouble) == (Status.READY, None)
    assert len(await shown(made)) == 51


@with_harness
async def test_wherever_a_store_fails_for_a_while_everything_is_there_afterwards(harness):
    """Also what a first catch-up owes, and a notice that was being handled."""
    harness.server.write(THREAD, *numbers(1, 60))
    harness.server.write(THREAD + 1, "hello")
    for left in range(1, 40):
        device = PowerCutStore(ModelStore(":memory:", FREE), lasting=True)
        made = await harness.open(store=device)
        device.left, device.error = left, LocalStoreUnavailableError("locked")
        await asyncio.sleep(0.5)
        await harness.server.push(THREAD, *harness.server.write(THREAD, f"pushed {left}"))
        await asyncio.sleep(A_WHILE)
        failed = made.status is Status.NO_STORE
        assert failed or (made.status, device.left >= 0) == (Status.READY, True), left
        device.left = math.inf
        await asyncio.sleep(60)
        assert (made.status, made.trouble) == (Status.READY, None)
        there = [(text.seq, text.content) for text in harness.server.threads[THREAD].texts]
        assert [(seq, text) for seq, text, _ in await contents(made, THREAD)] == there[-100:]
        assert await shown(made, THREAD + 1) == ["hello"]
        await made.close()
        if not failed:
            break
    assert 5 < left < 39


@with_harness
async def test_a_text_that_waits_when_the_store_is_locked_is_sent_once_when_it_is_free(harness, tmp_path):
    harness.server.write(THREAD, "1")
    made = await harness.ready(tmp_path / "local.db")
    await harness.server.shut()
    await made.send(THREAD, "2")
    other = locked(tmp_path / "local.db")
    await harness.server.open()
    await asyncio.sleep(100)
    assert made.status is Status.NO_STORE
    other.close()
    await asyncio.sleep(60)
    assert harness.stored() == ["2"]
    assert await shown(made) == ["1", "2"]


@with_harness
async def test_a_messenger_may_be_closed_while_its_store_is_locked(harness, tmp_path):
    harness.server.write(THREAD, "1")
    made = await harness.ready(tmp_path / "local.db")
    other = locked(tmp_path / "local.db")
    await harness.server.push(THREAD, *harness.server.write(THREAD, "2"))
    await asyncio.sleep(A_WHILE)
    assert made.status is Status.NO_STORE
    await made.close()
    assert made.status is Status.CLOSED
    other.close()


@with_harness
async def test_a_messenger_takes_a_text_only_while_it_is_open(harness, tmp_path):
    harness.server.write(THREAD, "1")
    made = harness.new(tmp_path / "local.db")
    with pytest.raises(MessengerClosedError):
        await made.send(THREAD, "before")
    await made.open()
    await asyncio.sleep(A_WHILE)
    await made.close()
    with pytest.raises(MessengerClosedError):
        await made.send(THREAD, "after")
    again = await harness.ready(tmp_path / "local.db")
    await harness.server.kick()
    await asyncio.sleep(A_WHILE)
    with pytest.raises(MessengerClosedError, match="logged in elsewhere"):
        await again.send(THREAD, "after the server has ended it")
    assert harness.stored() == []


@with_harness
async def test_a_memory_of_somebody_else_is_not_opened(harness, tmp_path):
    made = await harness.open(tmp_path / "local.db")
    await made.close()
    store = ModelStore(str(tmp_path / "local.db"), FREE)
    other = Messenger(OTHER, login_for(harness.server), store, rng=np.random.default_rng(1))
    with pytest.raises(WrongOwnerError):
        await other.open()
    await other.close()


@with_harness
async def test_it_can_be_closed_at_any_time_and_twice(harness):
    costs = StoreCosts(call=0.00025, row=0.001, commit=0.003)
    harness.server.write(THREAD, *numbers(1, 30))
    await harness.new().close()
    for steps in range(40):
        made = await harness.open(costs=costs)
        await asyncio.sleep(steps * 0.005)
        if made.status is Status.READY:
            await sent_by(made, "x")
            await asyncio.sleep(steps * 0.001)
        await made.close()
        await made.close()
        assert (made.status, made.trouble) == (Status.CLOSED, None)
        await asyncio.sleep(1)
        assert harness.server.sessions == []
    assert harness.stored()


@with_harness
async def test_closing_may_be_given_up_and_all_ends_anyway(harness):
    made = await harness.ready()
    closing = asyncio.create_task(made.close())
    await asyncio.sleep(0)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    await asyncio.sleep(1)
    assert made.status is Status.CLOSED
    assert harness.server.sessions == []


# --- all at once


async def day_of(made, harness):
    """It catches up, is pushed to, and says three things; returns those that it was told are safe."""
    safe = []
    with suppress(PowerCutError, MessengerClosedError):
        await made.open()
        await asyncio.sleep(1)
        for text in "abc":
            await made.send(THREAD, text)
            safe.append(text)
            if text == "b":
                last = harness.server.write(THREAD, "between", "after")[-1]
                await harness.server.push(THREAD, last)
        await asyncio.sleep(1)
        await made.read(THREAD)
    return safe


@with_harness
async def test_a_loss_of_power_between_any_two_transactions_loses_and_repeats_nothing(harness):
    points = 0
    for left in range(1, 1_000):
        store = ModelStore(":memory:", FREE)
        device = PowerCutStore(store, lasting=True)
        device.left = left
        harness.server.threads.clear()
        harness.server.write(THREAD, *numbers(1, 12))
        harness.server.write(THREAD + 1, "hello")

        made = messenger(harness.server, store=device)
        safe = await day_of(made, harness)
        lasted = device.left > 0
        with suppress(PowerCutError):
            await made.close()

        again = await harness.ready(store=PowerCutStore(store, lasting=True), seed=2)
        mine = harness.stored()
        assert mine in (safe, [*safe, *"abc"[len(safe) :][:1]])  # of the last one it could not be told
        there = [(text.seq, text.content) for text in harness.server.threads[THREAD].texts]
        assert [(seq, text) for seq, text, _ in await contents(again, THREAD)] == there
        assert await shown(again, THREAD + 1) == ["hello"]
        assert await again.cache.pending() == await again.cache.on_their_way(THREAD) == []
        thread = await again.cache.thread(THREAD)
        assert harness.server.threads[THREAD].read[ME] == thread.read_by(ME)
        await again.close()
        await store.close()
        if lasted:
            break
        points += 1
    assert points > 30


_KINDS = st.sampled_from([ThreadStatesRequest, CatchUpRequest, HistoryRequest, TextRequest, LoginRequest])
_FATES = st.sampled_from([None, None, HANGS_UP, FORGETS, SILENCE, LATE, TWICE, ErrorCode.RPC_FAILED])
_STEPS = st.tuples(
    st.sampled_from(["write", "push", "send", "hang up", "go away", "wait"]), st.sampled_from([THREAD, THREAD + 1])
)


async def take(step, thread_id, number, harness, made):
    """A step of a day with trouble."""
    match step:
        case "write":
            harness.server.write(thread_id, f"written {number}")
        case "push":
            *_, told = harness.server.write(thread_id, f"lost {number}", f"pushed {number}")
            await harness.server.push(thread_id, told)
        case "send":
            await made.send(thread_id, f"sent {number}")
        case "hang up":
            await harness.server.hang_up()
        case "go away":
            await harness.server.shut()
            await asyncio.sleep(0.1)
            await harness.server.open()
        case "wait":
            await asyncio.sleep(0.03)


@settings(max_examples=60)
@given(st.lists(_STEPS, max_size=20), st.dictionaries(_KINDS, st.lists(_FATES)), st.integers(0, 2**32))
def test_after_any_trouble_everything_is_there_once_and_in_order(day, fates, seed):
    @with_harness
    async def body(harness):
        for thread_id in (THREAD, THREAD + 1):
            harness.server.write(thread_id, *numbers(1, 8))
        log_in = login_for(harness.server, heartbeat=2 * PATIENCE)
        made = await harness.ready(seed=seed, log_in=log_in, costs=StoreCosts(call=0.00025, row=0.001, commit=0.003))
        for kind, these in fates.items():
            harness.server.script[kind] += these
        for number, (step, thread_id) in enumerate(day):
            await take(step, thread_id, number, harness, made)
        await asyncio.sleep(PATIENCE)
        harness.server.script.clear()
        await asyncio.sleep(200)
        assert (made.status, made.trouble) == (Status.READY, None)
        assert await made.cache.pending() == []
        for thread_id in (THREAD, THREAD + 1):
            there = [(text.seq, text.content) for text in harness.server.threads[thread_id].texts]
            assert [(seq, text) for seq, text, _ in await contents(made, thread_id)] == there
            sends = [f"sent {number}" for number, step in enumerate(day) if step == ("send", thread_id)]
            assert harness.stored(thread_id) == sends

    body()
