"""A client that remembers, against a server that goes away, forgets, and is wrong, in virtual time."""

import asyncio
import functools
import inspect
from contextlib import suppress

import numpy as np
import pytest
from chatting import (
    FORGETS,
    FREE,
    HANGS_UP,
    LATE,
    ME,
    OTHER,
    PATIENCE,
    SILENCE,
    TWICE,
    Device,
    PowerCutError,
    Server,
    contents,
    door,
    messenger,
    now,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from chatsim.chat.client.cache import State, WrongOwnerError
from chatsim.chat.client.connection import DisconnectedError
from chatsim.chat.client.messenger import Event, Messenger, Patience, Status
from chatsim.chat.client.outbox import TextTooLongError
from chatsim.chat.ports import LocalStoreError, Many
from chatsim.chat.protocol import (
    AddFriendNotice,
    AuthFriendNotice,
    CatchUpPart,
    CatchUpRequest,
    CreatePrivateChatRequest,
    ErrorCode,
    FirstText,
    FriendApplication,
    FriendEntry,
    HistoryRequest,
    LoginReply,
    LoginRequest,
    ReadNotice,
    ReadRequest,
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


class House:
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


def in_a_house(body):
    async def played(*args, **kwargs):
        house = House()
        await house.server.open()
        await body(house, *args, **kwargs)
        for made in house.opened:
            await made.close()
        await house.server.shut()
        await asyncio.sleep(0)
        left = {task.get_name() for task in asyncio.all_tasks() if task is not asyncio.current_task()}
        assert not {name for name in left if "127.0.0.1" not in name}

    @functools.wraps(body)
    def test(*args, **kwargs):
        run(played(*args, **kwargs))

    parameters = list(inspect.signature(body).parameters.values())
    test.__signature__ = inspect.Signature(parameters[1:])  # the house is no fixture
    return test


def numbers(first, last):
    return [str(number) for number in range(first, last + 1)]


async def shown(made, thread_id=THREAD):
    return [content for _, content, _ in await contents(made, thread_id)]


# --- coming, going, coming back


@in_a_house
async def test_it_connects_catches_up_and_is_ready(house):
    house.server.write(THREAD, *numbers(1, 35))
    house.server.write(THREAD + 1, "hello")
    made = await house.ready()
    assert made.statuses == [(Status.SYNCING, None), (Status.READY, None)]
    assert await shown(made) == numbers(1, 35)
    assert await shown(made, THREAD + 1) == ["hello"]
    assert house.server.of(HistoryRequest) == []
    assert {Event(THREAD), Event(THREAD + 1), Event()} == {*made.events}


@in_a_house
async def test_who_comes_back_has_what_was_said_meanwhile_and_the_threads_that_are_new(house):
    house.server.write(THREAD, "1")
    made = await house.ready()
    await house.server.shut()
    await asyncio.sleep(A_WHILE)
    assert made.status is Status.CONNECTING
    house.server.write(THREAD, *numbers(2, 31))
    house.server.write(THREAD + 1, "we have not met")
    await house.server.open()
    await asyncio.sleep(40)
    assert made.status is Status.READY
    assert await shown(made) == numbers(1, 31)
    assert await shown(made, THREAD + 1) == ["we have not met"]


async def attempts(house, count, *, seed=1, patience):
    """The pauses between so many tries to connect where nobody is."""
    times = []
    enough = asyncio.Event()

    async def enter(_):
        times.append(now())
        if len(times) == count:
            enough.set()
        raise DisconnectedError("nobody there")

    made = await house.open(enter=enter, seed=seed, patience=patience)
    await enough.wait()
    assert (made.status, made.trouble) == (Status.CONNECTING, "nobody there")
    await made.close()
    return np.diff(times)


@in_a_house
async def test_pauses_between_two_tries_double_up_to_the_longest_and_are_a_matter_of_chance(house):
    patience = Patience(shortest=1.0, longest=30.0)
    pauses = [await attempts(house, 12, seed=seed, patience=patience) for seed in range(40)]
    most = [min(30.0, 2.0**failures) for failures in range(1, 12)]
    for tries, limit in zip(np.transpose(pauses), most, strict=True):
        assert 0.5 <= tries.min() < 0.5 + limit / 4
        assert limit * 3 / 4 < tries.max() <= limit


@in_a_house
async def test_who_was_away_for_a_month_still_tries(house):
    pauses = await attempts(house, 2_000, patience=Patience(longest=1_000.0))
    assert max(pauses) <= 1_000.0


@in_a_house
async def test_a_server_that_drops_everybody_at_once_is_left_in_peace_longer_and_longer(house):
    made = await house.ready(patience=Patience(longest=100.0))
    house.server.script[ThreadStatesRequest] += [HANGS_UP] * 1_000
    await house.server.hang_up()
    await asyncio.sleep(3_600)
    pauses = np.diff(house.server.times(LoginRequest)[1:])
    assert len(pauses) < 150
    assert max(pauses[:3]) < 4.0
    assert 25.0 < max(pauses) <= 101.0
    house.server.script.clear()
    await asyncio.sleep(200)
    assert made.status is Status.READY
    await house.server.hang_up()
    await asyncio.sleep(0.5)
    assert made.status is Status.READY  # it had lasted: the pause is short again


@in_a_house
async def test_who_has_logged_in_elsewhere_stays_away(house):
    made = await house.ready()
    await house.server.kick()
    await asyncio.sleep(600)
    assert (made.status, made.trouble) == (Status.CLOSED, "told to go: logged in elsewhere")
    assert house.server.of(LoginRequest) == [LoginRequest(ME, "token", feed=True)]
    house.server.threads[THREAD].append(OTHER, "x", "x")
    made.synchronise()
    await asyncio.sleep(600)
    assert made.status is Status.CLOSED
    assert made.statuses[-1] == (Status.CLOSED, "told to go: logged in elsewhere")


@in_a_house
async def test_who_is_told_to_go_in_the_middle_of_a_fetch_is_not_ready_afterwards(house):
    house.server.write(THREAD, "1")
    made = await house.ready(costs=StoreCosts(statement=0.0, commit=0.05))
    (text,) = house.server.write(THREAD, "2", "3")[1:]
    await house.server.push(THREAD, text)
    await asyncio.sleep(0.15)  # it has asked for the rest, or is storing it
    await house.server.kick()
    await asyncio.sleep(A_WHILE)
    assert made.statuses[-1] == (Status.CLOSED, "told to go: logged in elsewhere")


@pytest.mark.parametrize("code", [ErrorCode.TOKEN_INVALID, ErrorCode.UID_INVALID])
@in_a_house
async def test_who_may_not_log_in_does_not_try_again(house, code):
    house.server.script[LoginRequest].append(code)
    made = await house.open()
    await asyncio.sleep(600)
    assert made.statuses == [(Status.CLOSED, f"error {int(code)} ({code.name}) in answer to LoginRequest")]
    assert len(house.server.of(LoginRequest)) == 1


@in_a_house
async def test_a_login_that_fails_is_tried_again(house):
    house.server.script[LoginRequest] += [ErrorCode.RPC_FAILED, HANGS_UP, SILENCE]
    made = await house.open()
    await asyncio.sleep(30)
    assert made.status is Status.READY
    troubles = [trouble for status, trouble in made.statuses if status is Status.CONNECTING]
    assert troubles == [
        "error 1002 (RPC_FAILED) in answer to LoginRequest",
        "closed by the server",
        "no answer to LoginRequest within 5 s",
    ]


@in_a_house
async def test_more_notices_than_it_can_hear_make_it_come_back_and_have_all(house):
    house.server.write(THREAD, "1")
    made = await house.ready(costs=StoreCosts(statement=0.0, commit=0.01))
    texts = house.server.write(THREAD, *numbers(2, 1_200))
    await house.server.say(*[TextsNotice(THREAD, OTHER, ME, (text,)) for text in texts])
    await asyncio.sleep(60)
    assert (Status.CONNECTING, "more than 1000 notices wait to be heard") in made.statuses
    assert await shown(made) == numbers(201, 1_200)
    assert (await made.cache.thread(THREAD)).cursor == 1_200
    assert made.status is Status.READY


@in_a_house
async def test_more_notices_than_it_can_hear_before_it_is_logged_in_are_a_login_that_failed(house):
    notices = [ReadNotice(THREAD, OTHER, 1)] * 1_001
    house.server.script[LoginRequest].append(lambda _, reply: [*notices, reply])
    made = await house.ready(costs=StoreCosts(statement=0.0, commit=0.001))
    assert made.statuses[0] == (Status.CONNECTING, "more than 1000 notices wait to be heard")


# --- catching up


FATES = [HANGS_UP, FORGETS, SILENCE, LATE, TWICE, ErrorCode.LOAD_CHAT_FAILED]
NAMES = ["broken off", "broken off after", "no answer", "a late answer", "two answers", "refused"]


@pytest.mark.parametrize("fate", FATES, ids=NAMES)
@pytest.mark.parametrize("kind", [ThreadStatesRequest, CatchUpRequest])
@in_a_house
async def test_whatever_happens_to_a_request_syncing_ends_and_can_be_tried_again(house, kind, fate):
    house.server.page = 15
    house.server.write(THREAD, *numbers(1, 15))
    house.server.write(THREAD + 1, "hello")
    house.server.script[kind].append(fate)
    made = await house.open(enter=door(house.server, heartbeat=2 * PATIENCE), patience=Patience(resync=600.0))
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
@in_a_house
async def test_whatever_happens_while_a_hole_is_filled_it_is_filled_in_the_end(house, fate):
    house.server.write(THREAD, "1")
    enter = door(house.server, heartbeat=2 * PATIENCE)
    made = await house.ready(enter=enter, patience=Patience(resync=600.0))
    house.server.script[HistoryRequest].append(fate)
    await house.server.push(THREAD, house.server.write(THREAD, *numbers(2, 31))[-1])
    await asyncio.sleep(5 * PATIENCE)
    assert len(house.server.of(HistoryRequest)) >= 1
    assert (made.trouble is None) == (made.status is Status.READY)
    if made.status is Status.STALE:
        assert fate in {SILENCE, LATE, ErrorCode.LOAD_CHAT_FAILED}
        made.synchronise()
        await asyncio.sleep(5 * PATIENCE)
    assert made.status is Status.READY
    assert await shown(made) == numbers(1, 31)
    assert (await made.cache.thread(THREAD)).cursor == 31


@pytest.mark.parametrize("loads", [True, False])
@in_a_house
async def test_what_could_not_be_had_is_tried_again_by_and_by(house, loads):
    house.server.write(THREAD, "1")
    made = await house.ready(loads=loads)
    house.server.script[HistoryRequest] += [ErrorCode.LOAD_CHAT_FAILED] * 2
    text = house.server.write(THREAD, "2", "3")[-1]
    await house.server.push(THREAD, text)
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


@in_a_house
async def test_a_thread_that_is_refused_does_not_keep_the_others_from_coming(house):
    for thread_id in (4, 5, 6):
        house.server.write(thread_id, "hello")
    house.server.script[CatchUpRequest].append(ErrorCode.NOT_A_MEMBER)
    house.server.script[HistoryRequest] += [lambda _, reply: [reply]] * 2 + [ErrorCode.NOT_A_MEMBER]  # 6, and 5
    made = await house.open(patience=Patience(resync=600.0))
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


@in_a_house
async def test_a_thread_that_can_not_be_had_does_not_keep_the_others_from_coming(house):
    for thread_id in (4, 5, 6):
        house.server.write(thread_id, "hello")
    house.server.script[CatchUpRequest].append(without_thread_4)
    made = await house.open(patience=Patience(resync=600.0))
    await asyncio.sleep(A_WHILE)
    assert made.trouble == "the history of thread 4 does not go on after number 0"
    assert [await shown(made, thread_id) for thread_id in (4, 5, 6)] == [[], ["hello"], ["hello"]]
    made.synchronise()
    await asyncio.sleep(A_WHILE)
    assert await shown(made, 4) == ["hello"]
    assert made.status is Status.READY


@in_a_house
async def test_who_does_not_want_to_sync_is_told_what_is_new_and_loads_when_they_do(house):
    house.server.write(THREAD, *numbers(1, 5))
    house.server.write(THREAD + 1, "long ago")
    made = await house.ready(loads=False)
    assert house.server.of(ThreadStatesRequest) == house.server.of(HistoryRequest) == []
    await house.server.push(THREAD, *house.server.write(THREAD, "6"))
    await asyncio.sleep(200)
    assert (await shown(made), await shown(made, THREAD + 1)) == (numbers(1, 6), [])
    made.synchronise()
    await asyncio.sleep(A_WHILE)
    assert await shown(made, THREAD + 1) == ["long ago"]
    assert made.statuses == [(Status.READY, None), (Status.SYNCING, None), (Status.READY, None)]
    await house.server.shut()
    house.server.write(THREAD + 1, "now")
    await house.server.open()
    await asyncio.sleep(A_WHILE)
    assert await shown(made, THREAD + 1) == ["long ago", "now"]


@in_a_house
async def test_a_push_that_was_lost_is_missed_no_longer_than_until_the_next_look(house):
    house.server.write(THREAD, "1")
    made = await house.ready()
    house.server.write(THREAD, "2")
    await asyncio.sleep(61)
    assert await shown(made) == ["1", "2"]


# --- hearing


@in_a_house
async def test_a_push_with_a_hole_before_it_is_shown_at_once_and_the_hole_is_filled(house):
    house.server.write(THREAD, *numbers(1, 3))
    made = await house.ready()
    last = house.server.write(THREAD, *numbers(4, 30))[-1]
    house.server.script[HistoryRequest].append(SILENCE)
    await house.server.push(THREAD, last)
    await asyncio.sleep(1.0)
    assert await shown(made) == ["1", "2", "3", "30"]
    assert (await made.cache.thread(THREAD)).cursor == 3
    made.synchronise()
    await asyncio.sleep(2 * PATIENCE)
    assert await shown(made) == numbers(1, 30)
    assert (await made.cache.thread(THREAD)).cursor == 30


@in_a_house
async def test_pushes_in_the_wrong_order_and_twice_are_kept_once_and_in_order(house):
    made = await house.ready()
    house.server.threads[THREAD].append(OTHER, "1", "1")
    for at in (3, 1, 3, 2, 0, 1):
        while len(house.server.threads[THREAD].texts) < 4:
            house.server.write(THREAD, str(len(house.server.threads[THREAD].texts) + 1))
        await house.server.push(THREAD, house.server.threads[THREAD].texts[at])
    await asyncio.sleep(A_WHILE)
    assert await shown(made) == numbers(1, 4)


@in_a_house
async def test_a_push_for_a_thread_that_is_not_known_fetches_the_thread(house):
    made = await house.ready(loads=False)
    house.server.write(THREAD, *numbers(1, 14))
    await house.server.push(THREAD, *house.server.write(THREAD, "15"))
    await asyncio.sleep(A_WHILE)
    assert await shown(made) == numbers(6, 15)
    assert Event(THREAD) in made.events


@in_a_house
async def test_a_notice_of_no_texts_says_nothing(house):
    made = await house.ready()
    await house.server.say(TextsNotice(THREAD, OTHER, ME, ()))
    await asyncio.sleep(A_WHILE)
    assert made.status is Status.READY


class Gate(Device):
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


@in_a_house
async def test_what_is_missed_while_an_older_look_is_ending_is_looked_for_again(house):
    gate = Gate(ModelStore(":memory:", FREE))
    house.server.write(THREAD, "1")
    gate.stop(after="INSERT OR IGNORE INTO message")  # all has come that the look was for
    made = await house.open(store=gate, patience=Patience(resync=600.0))
    await gate.reached.wait()
    await house.server.hang_up()
    house.server.write(THREAD + 1, "meanwhile")
    await asyncio.sleep(A_WHILE)  # it is connected again, while the old look goes on
    assert len(house.server.of(LoginRequest)) == 2
    gate.open.set()
    await asyncio.sleep(A_WHILE)
    assert await shown(made, THREAD + 1) == ["meanwhile"]
    assert made.status is Status.READY


@in_a_house
async def test_a_gap_that_opens_while_the_thread_is_being_fetched_is_fetched_once_more(house):
    gate = Gate(ModelStore(":memory:", FREE))
    house.server.write(THREAD, "1")
    made = await house.ready(store=gate, patience=Patience(resync=600.0))
    house.server.write(THREAD, *numbers(2, 5))
    gate.stop(after="INSERT OR IGNORE INTO message")
    made.synchronise()
    await gate.reached.wait()  # the page is stored, and the fetch is about to end
    last = house.server.write(THREAD, "6", "7")[-1]
    await house.server.push(THREAD, last)
    await asyncio.sleep(A_WHILE)
    gate.open.set()
    await asyncio.sleep(A_WHILE)
    assert await shown(made) == numbers(1, 7)
    assert (await made.cache.thread(THREAD)).cursor == 7


@in_a_house
async def test_a_fetch_that_ends_when_the_connection_has_gone_makes_nobody_ready(house):
    gate = Gate(ModelStore(":memory:", FREE))
    house.server.write(THREAD, "1")
    gate.stop(after="INSERT OR IGNORE INTO message")
    made = await house.open(store=gate)
    await gate.reached.wait()
    await house.server.shut()
    await asyncio.sleep(A_WHILE)
    made.statuses.clear()
    gate.open.set()
    await asyncio.sleep(A_WHILE)
    assert {status for status, _ in made.statuses} == {Status.CONNECTING}


@in_a_house
async def test_the_others_marks_are_heard_and_ones_own_are_told(house):
    house.server.write(THREAD, "1", "2")
    made = await house.ready()
    await made.send(THREAD, "3")
    await asyncio.sleep(A_WHILE)
    await house.server.say(ReadNotice(THREAD, OTHER, 3))
    await asyncio.sleep(A_WHILE)
    assert [state for _, _, state in await contents(made, THREAD)] == [UNREAD, UNREAD, State.READ]
    await made.read(THREAD)
    await made.read(THREAD)
    assert house.server.of(ReadRequest) == [ReadRequest(THREAD, 3)]
    assert await made.cache.unread(await made.cache.thread(THREAD)) == 0


@in_a_house
async def test_what_is_read_while_there_is_no_connection_is_told_with_the_next(house):
    house.server.write(THREAD, "1", "2")
    made = await house.ready()
    await house.server.shut()
    await asyncio.sleep(A_WHILE)
    with pytest.raises(DisconnectedError):
        await made.read(THREAD)
    assert [state for _, _, state in await contents(made, THREAD)] == [State.READ] * 2
    await house.server.open()
    await asyncio.sleep(A_WHILE)
    assert house.server.threads[THREAD].read[ME] == 2


# --- friends


@in_a_house
async def test_a_login_says_who_the_friends_are_and_who_wants_to_be_one(house):
    friend = FriendEntry("bob", 2, "", "bobby", 1, "", "bob the builder")
    wanting, old = (FriendApplication("eve", uid, "", "", 0, "hi", status) for uid, status in ((3, 0), (4, 1)))
    house.server.profile = LoginReply(0, uid=ME, name="ann", apply_list=(wanting, old), friend_list=(friend,))
    made = await house.ready()
    assert made.profile == house.server.profile
    assert made.applications == {3: wanting}
    assert await made.cache.friends() == {2: "bob the builder"}


@in_a_house
async def test_an_application_is_heard_and_when_it_is_accepted_one_can_write_at_once(house):
    made = await house.ready()
    await house.server.say(AddFriendNotice(0, OTHER, "bob", "let me in", "icon", 1, "bobby"))
    await asyncio.sleep(A_WHILE)
    assert made.applications == {OTHER: FriendApplication("bob", OTHER, "icon", "bobby", 1, "let me in", 0)}
    thread_id = await made.accept(OTHER, "boss")
    await made.send(thread_id, "hello")
    assert (made.applications, await made.cache.friends()) == ({}, {OTHER: "boss"})
    await asyncio.sleep(A_WHILE)
    assert await shown(made, thread_id) == ["we are friends", "hello"]


@in_a_house
async def test_who_has_applied_is_told_of_the_friendship_and_has_its_thread_and_the_name_they_gave(house):
    made = await house.ready()
    await made.apply(OTHER, "let me in", "boss")
    (text,) = house.server.write(THREAD, "we are friends")
    first = FirstText(OTHER, text.message_id, THREAD, "", text.content)
    await house.server.say(AuthFriendNotice(0, OTHER, ME, "bob", "bobby", "", 1, (first,)))
    await asyncio.sleep(A_WHILE)
    assert await made.cache.friends() == {OTHER: "boss"}
    assert await shown(made) == ["we are friends"]


@in_a_house
async def test_a_chat_with_somebody_is_made_once(house):
    made = await house.ready()
    assert await made.chat_with(OTHER) == await made.chat_with(OTHER) == 100 + OTHER
    assert len(house.server.of(CreatePrivateChatRequest)) == 1
    await house.server.shut()
    await asyncio.sleep(A_WHILE)
    assert await made.chat_with(OTHER) == 100 + OTHER
    with pytest.raises(DisconnectedError):
        await made.chat_with(OTHER + 1)


# --- sending


async def sent_by(made, *texts, thread_id=THREAD):
    for text in texts:
        assert (await made.send(thread_id, text)).state is SENDING


@in_a_house
async def test_what_is_sent_is_shown_at_once_and_comes_back_with_its_number(house):
    house.server.write(THREAD, "1")
    made = await house.ready()
    await sent_by(made, "2", "3")
    assert await contents(made, THREAD) == [(1, "1", UNREAD), (None, "2", SENDING), (None, "3", SENDING)]
    await asyncio.sleep(A_WHILE)
    assert await contents(made, THREAD) == [(1, "1", UNREAD), (2, "2", UNREAD), (3, "3", UNREAD)]
    assert await made.cache.pending() == []


@in_a_house
async def test_what_is_sent_where_nobody_listens_goes_out_in_its_order_when_somebody_does(house, tmp_path):
    house.server.write(THREAD, "1")
    made = await house.ready(tmp_path / "local.db")
    await house.server.shut()
    await sent_by(made, *numbers(2, 60))
    await asyncio.sleep(100)
    await made.close()
    house.opened.remove(made)
    await house.server.open()
    again = await house.ready(tmp_path / "local.db", seed=2)
    await sent_by(again, "61")
    await asyncio.sleep(A_WHILE)
    assert house.stored() == numbers(2, 61)
    assert await shown(again) == numbers(1, 61)


@pytest.mark.parametrize("fate", [HANGS_UP, FORGETS, SILENCE, LATE, TWICE], ids=NAMES[:-1])
@in_a_house
async def test_whatever_happens_on_the_way_a_text_is_stored_and_shown_once(house, fate):
    house.server.write(THREAD, "1")
    made = await house.ready()
    house.server.script[TextRequest].append(fate)
    await sent_by(made, "2")
    await asyncio.sleep(5 * PATIENCE)
    assert house.stored() == ["2"]
    await sent_by(made, "3", "4")
    await asyncio.sleep(2 * PATIENCE)
    assert house.stored() == ["2", "3", "4"]
    assert await contents(made, THREAD) == [(seq, str(seq), UNREAD) for seq in (1, 2, 3, 4)]
    assert made.status is Status.READY


@in_a_house
async def test_what_is_acknowledged_and_never_comes_back_is_shown_until_the_next_look(house):
    house.server.write(THREAD, "1")
    made = await house.ready()
    house.server.mute = True
    await sent_by(made, "2")
    await asyncio.sleep(A_WHILE)
    assert await contents(made, THREAD) == [(1, "1", UNREAD), (None, "2", UNREAD)]
    await asyncio.sleep(60)
    assert await contents(made, THREAD) == [(1, "1", UNREAD), (2, "2", UNREAD)]


@in_a_house
async def test_a_server_that_can_not_store_is_asked_again_after_longer_and_longer_pauses(house):
    house.server.write(THREAD, "1")
    made = await house.ready(patience=Patience(longest=20.0))
    house.server.script[TextRequest] += [ErrorCode.SEND_FAILED] * 12
    await sent_by(made, "2")
    await asyncio.sleep(200)
    pauses = np.diff(house.server.times(TextRequest))
    assert len(pauses) == 12
    assert max(pauses[:2]) < 2.0
    assert 5.0 < max(pauses) <= 21.0
    assert house.stored() == ["2"]


@in_a_house
async def test_a_text_that_can_not_be_sent_in_time_has_failed_and_can_be_sent_again(house):
    house.server.write(THREAD, "1")
    made = await house.ready(patience=Patience(give_up=50.0))
    await house.server.shut()
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
    await house.server.open()
    await asyncio.sleep(31)
    assert house.stored() == ["first", "second"]
    assert [state for *_, state in await contents(made, THREAD)] == [UNREAD] * 3


@in_a_house
async def test_a_text_that_has_failed_here_and_was_stored_there_is_shown_as_what_it_is(house):
    house.server.write(THREAD, "1")
    made = await house.ready(patience=Patience(give_up=20.0, longest=1.0))
    house.server.script[TextRequest].append(FORGETS)
    house.server.script[LoginRequest] += [HANGS_UP] * 100
    await sent_by(made, "2")
    await asyncio.sleep(25)
    assert await contents(made, THREAD) == [(1, "1", UNREAD), (None, "2", FAILED)]
    house.server.script.clear()
    await asyncio.sleep(A_WHILE)
    assert await contents(made, THREAD) == [(1, "1", UNREAD), (2, "2", UNREAD)]


@in_a_house
async def test_a_text_that_is_refused_has_failed_and_the_others_are_sent(house):
    house.server.write(THREAD, "1")
    made = await house.ready()
    house.server.refuses = lambda request: any(text.content == "no" for text in request.text_array)
    await sent_by(made, "2", "no", "3")
    await asyncio.sleep(A_WHILE)
    assert house.stored() == ["2", "3"]
    assert (await contents(made, THREAD))[-1] == (None, "no", FAILED)


@in_a_house
async def test_a_text_for_nowhere_or_too_long_is_not_taken(house):
    house.server.write(THREAD, "1")
    made = await house.ready()
    with pytest.raises(KeyError, match="77"):
        await made.send(77, "hello")
    with pytest.raises(TextTooLongError):
        await made.send(THREAD, "漢" * 1_000)
    assert await shown(made) == ["1"]


# --- when the device fails, and the end


@in_a_house
async def test_a_memory_that_fails_ends_all_of_it_and_is_told(house):
    device = Device(ModelStore(":memory:", FREE))
    house.server.write(THREAD, "1")
    made = await house.ready(store=device)
    house.opened.remove(made)
    device.left = 0
    device.error = LocalStoreError("the disk is full")
    await house.server.push(THREAD, *house.server.write(THREAD, "2"))
    await asyncio.sleep(600)
    assert made.statuses[-1] == (Status.CLOSED, "the disk is full")
    assert house.server.sessions == []
    assert len(house.server.of(LoginRequest)) == 1
    with pytest.raises(LocalStoreError, match="the disk is full"):
        await made.send(THREAD, "3")
    with pytest.raises(LocalStoreError, match="the disk is full"):
        await made.close()
    assert (made.status, made.trouble) == (Status.CLOSED, "the disk is full")


@in_a_house
async def test_a_memory_of_somebody_else_is_not_opened(house, tmp_path):
    made = await house.open(tmp_path / "local.db")
    await made.close()
    store = ModelStore(str(tmp_path / "local.db"), FREE)
    other = Messenger(OTHER, door(house.server), store, clock=now, rng=np.random.default_rng(1))
    with pytest.raises(WrongOwnerError):
        await other.open()
    await other.close()


@in_a_house
async def test_it_can_be_closed_at_any_time_and_twice(house):
    costs = StoreCosts(statement=0.001, commit=0.003)
    house.server.write(THREAD, *numbers(1, 30))
    await house.new().close()
    for steps in range(40):
        made = await house.open(costs=costs)
        await asyncio.sleep(steps * 0.005)
        if made.status is Status.READY:
            await sent_by(made, "x")
            await asyncio.sleep(steps * 0.001)
        await made.close()
        await made.close()
        assert (made.status, made.trouble) == (Status.CLOSED, None)
        await asyncio.sleep(1)
        assert house.server.sessions == []
    assert house.stored()


@in_a_house
async def test_closing_may_be_given_up_and_all_ends_anyway(house):
    made = await house.ready()
    closing = asyncio.create_task(made.close())
    await asyncio.sleep(0)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    await asyncio.sleep(1)
    assert made.status is Status.CLOSED
    assert house.server.sessions == []


# --- all at once


async def day_of(made, house):
    """It catches up, is pushed to, and says three things; returns those that it was told are safe."""
    safe = []
    with suppress(PowerCutError):
        await made.open()
        await asyncio.sleep(1)
        for text in "abc":
            await made.send(THREAD, text)
            safe.append(text)
            if text == "b":
                last = house.server.write(THREAD, "between", "after")[-1]
                await house.server.push(THREAD, last)
        await asyncio.sleep(1)
        await made.read(THREAD)
    return safe


@in_a_house
async def test_a_loss_of_power_between_any_two_transactions_loses_and_repeats_nothing(house):
    points = 0
    for left in range(1, 1_000):
        store = ModelStore(":memory:", FREE)
        device = Device(store, lasting=True)
        device.left = left
        house.server.threads.clear()
        house.server.write(THREAD, *numbers(1, 12))
        house.server.write(THREAD + 1, "hello")

        made = messenger(house.server, store=device)
        safe = await day_of(made, house)
        lasted = device.left > 0
        with suppress(PowerCutError):
            await made.close()

        again = await house.ready(store=Device(store, lasting=True), seed=2)
        mine = house.stored()
        assert mine in (safe, [*safe, *"abc"[len(safe) :][:1]])  # of the last one it could not be told
        there = [(text.seq, text.content) for text in house.server.threads[THREAD].texts]
        assert [(seq, text) for seq, text, _ in await contents(again, THREAD)] == there
        assert await shown(again, THREAD + 1) == ["hello"]
        assert await again.cache.pending() == await again.cache.on_their_way(THREAD) == []
        thread = await again.cache.thread(THREAD)
        assert house.server.threads[THREAD].read[ME] == thread.read_by(ME)
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


async def take(step, thread_id, number, house, made):
    """A step of a day with trouble."""
    match step:
        case "write":
            house.server.write(thread_id, f"written {number}")
        case "push":
            *_, told = house.server.write(thread_id, f"lost {number}", f"pushed {number}")
            await house.server.push(thread_id, told)
        case "send":
            await made.send(thread_id, f"sent {number}")
        case "hang up":
            await house.server.hang_up()
        case "go away":
            await house.server.shut()
            await asyncio.sleep(0.1)
            await house.server.open()
        case "wait":
            await asyncio.sleep(0.03)


@settings(max_examples=60)
@given(st.lists(_STEPS, max_size=20), st.dictionaries(_KINDS, st.lists(_FATES)), st.integers(0, 2**32))
def test_after_any_trouble_everything_is_there_once_and_in_order(day, fates, seed):
    @in_a_house
    async def body(house):
        for thread_id in (THREAD, THREAD + 1):
            house.server.write(thread_id, *numbers(1, 8))
        enter = door(house.server, heartbeat=2 * PATIENCE)
        made = await house.ready(seed=seed, enter=enter, costs=StoreCosts(statement=0.001, commit=0.003))
        for kind, these in fates.items():
            house.server.script[kind] += these
        for number, (step, thread_id) in enumerate(day):
            await take(step, thread_id, number, house, made)
        await asyncio.sleep(PATIENCE)
        house.server.script.clear()
        await asyncio.sleep(200)
        assert (made.status, made.trouble) == (Status.READY, None)
        assert await made.cache.pending() == []
        for thread_id in (THREAD, THREAD + 1):
            there = [(text.seq, text.content) for text in house.server.threads[thread_id].texts]
            assert [(seq, text) for seq, text, _ in await contents(made, thread_id)] == there
            sends = [f"sent {number}" for number, step in enumerate(day) if step == ("send", thread_id)]
            assert house.stored(thread_id) == sends

    body()
