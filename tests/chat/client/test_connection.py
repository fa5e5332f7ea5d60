"""The client against a server whose every word is scripted here, in virtual time."""

import asyncio
import functools
import struct

import model_network
import pytest

from chatsim.chat.client.connection import _PARTS, Client, ClientError, DisconnectedError, LateError, RefusedError
from chatsim.chat.ports import Address
from chatsim.chat.protocol import (
    FROM_CLIENT,
    AddFriendNotice,
    CatchUpPart,
    CatchUpReply,
    CatchUpRequest,
    CreatePrivateChatReply,
    CreatePrivateChatRequest,
    Decoder,
    ErrorCode,
    HeartbeatReply,
    HeartbeatRequest,
    HistoryReply,
    HistoryRequest,
    LoadThreadsReply,
    LoadThreadsRequest,
    LoginReply,
    LoginRequest,
    MessageTooLongError,
    OfflineNotice,
    TextNotice,
    Thread,
    ThreadTexts,
    encode,
)
from chatsim.simulation.loop import run

ANYWHERE = Address("127.0.0.1", 0)
NEVER = 1e9
ME = 7
WELCOME = LoginReply(0, uid=ME, name="ann")


def in_virtual_time(body):
    @functools.wraps(body)
    def test(*args, **kwargs):
        run(body(*args, **kwargs))

    return test


class Peer:
    """The server's end of a connection: it says and hears what the test wants."""

    def __init__(self, stream):
        self.stream = stream
        self._decoder = Decoder(FROM_CLIENT)

    async def hear(self):
        while (message := self._decoder.next_message()) is None:
            data = await self.stream.read(65536)
            if not data:
                return None
            self._decoder.feed(data)
        return message

    async def say(self, *messages):
        await self.stream.write(b"".join(map(encode, messages)))

    async def welcome(self):
        assert isinstance(await self.hear(), LoginRequest)
        await self.say(WELCOME)

    async def answer_heartbeats(self):
        """Answer each, and return when they came."""
        times = []
        while isinstance(message := await self.hear(), HeartbeatRequest):
            assert message.fromuid == ME
            times.append(now())
            await self.say(HeartbeatReply(0))
        assert message is None
        return times


def now():
    return asyncio.get_running_loop().time()


def names_of_tasks():
    return {task.get_name() for task in asyncio.all_tasks()}


def thread_of(other):
    """The reply to who asks for a chat with ``other``."""
    return CreatePrivateChatReply(0, ME, other, 100 + other)


def ask(client, other):
    return asyncio.create_task(client.create_private_chat(other))


async def connected(network=None, **options):
    """A client and the peer that it is connected to."""
    network = network or model_network.network()
    arrived = asyncio.get_running_loop().create_future()

    async def accept(stream):
        arrived.set_result(Peer(stream))
        await asyncio.Event().wait()

    listener = await network.listen(ANYWHERE, accept)
    client = await Client.connect(network, listener.address, **options)
    await listener.close()
    return client, await arrived


async def logged_in(network=None, *, heartbeat=NEVER, **options):
    client, peer = await connected(network, heartbeat=heartbeat, **options)
    async with asyncio.TaskGroup() as group:
        group.create_task(peer.welcome())
        assert await client.log_in(ME, "token") == WELCOME
    return client, peer


async def outcome(asking):
    """What became of a request that is to fail: the error's class and its message."""
    with pytest.raises(ClientError) as error:
        await asking
    return type(error.value), str(error.value)


# --- requests and replies


@in_virtual_time
async def test_a_login_says_who_and_gives_the_token_and_returns_the_profile():
    client, peer = await connected()
    asking = asyncio.create_task(client.log_in(ME, "secret"))
    assert await peer.hear() == LoginRequest(ME, "secret")
    assert client.uid is None
    await peer.say(WELCOME)
    assert await asking == WELCOME
    assert client.uid == ME


@pytest.mark.parametrize("together", [True, False])
@in_virtual_time
async def test_several_requests_in_flight_get_their_replies_in_the_order_they_were_asked(together):
    client, peer = await logged_in(model_network.network(latency=0.1))
    asking = [ask(client, other) for other in (4, 2, 3)]
    asked = [await peer.hear() for _ in asking]
    assert asked == [CreatePrivateChatRequest(ME, other) for other in (4, 2, 3)]
    replies = [thread_of(request.other_id) for request in asked]
    for reply in [replies] if together else [[reply] for reply in replies]:
        await peer.say(*reply)
    assert await asyncio.gather(*asking) == [104, 102, 103]


@in_virtual_time
async def test_requests_of_several_kinds_are_in_flight_together():
    client, peer = await logged_in()
    asking = [ask(client, 2), asyncio.create_task(client.threads()), ask(client, 3)]
    for _ in asking:
        await peer.hear()
    await peer.say(thread_of(2), LoadThreadsReply(0, ME), thread_of(3))
    assert await asyncio.gather(*asking) == [102, [], 103]


@in_virtual_time
async def test_a_reply_may_come_byte_by_byte():
    client, peer = await logged_in()
    asking = ask(client, 2)
    await peer.hear()
    for byte in encode(thread_of(2)):
        await peer.stream.write(bytes([byte]))
        await asyncio.sleep(0.01)
    assert await asking == 102


@in_virtual_time
async def test_a_request_that_is_given_up_by_its_caller_still_takes_its_reply():
    client, peer = await logged_in()
    given_up, asking = ask(client, 2), ask(client, 3)
    await peer.hear()
    given_up.cancel()
    await asyncio.wait([given_up])
    await peer.hear()
    await peer.say(thread_of(2), thread_of(3))
    assert await asking == 103


@pytest.mark.parametrize(("code", "name"), [(1012, "CREATE_CHAT_FAILED"), (1011, "UID_INVALID")])
@in_virtual_time
async def test_a_refusal_carries_the_code_and_its_name_and_the_connection_lasts(code, name):
    client, peer = await logged_in()
    asking = ask(client, 2)
    await peer.hear()
    await peer.say(CreatePrivateChatReply(code))
    with pytest.raises(
        RefusedError, match=rf"^error {code} \({name}\) in answer to CreatePrivateChatRequest$"
    ) as error:
        await asking
    assert error.value.code == code
    asking = ask(client, 3)
    await peer.hear()
    await peer.say(thread_of(3))
    assert await asking == 103


@in_virtual_time
async def test_a_refusal_with_a_code_of_a_later_server_is_a_refusal_too():
    client, peer = await logged_in()
    asking = ask(client, 2)
    await peer.hear()
    await peer.say(CreatePrivateChatReply(4711))
    with pytest.raises(RefusedError, match=r"error 4711 \(unknown to this client\)") as error:
        await asking
    assert error.value.code == 4711


@in_virtual_time
async def test_a_refused_login_is_no_login():
    client, peer = await connected(heartbeat=1)
    asking = asyncio.create_task(client.log_in(ME, "forged"))
    await peer.hear()
    await peer.say(LoginReply(1010))
    with pytest.raises(RefusedError, match="TOKEN_INVALID"):
        await asking
    assert client.uid is None
    assert "heartbeat of 7" not in names_of_tasks()


@pytest.mark.parametrize("ask_for", [lambda client: client.create_private_chat(2), lambda client: client.threads()])
@in_virtual_time
async def test_who_has_not_logged_in_is_told_to_before_anything_is_sent(ask_for):
    client, peer = await connected()
    with pytest.raises(RuntimeError, match="log in first"):
        await ask_for(client)
    await client.close()
    assert await peer.hear() is None


# --- the list of threads


@in_virtual_time
async def test_the_thread_list_is_asked_for_page_by_page_from_where_the_last_one_ended():
    client, peer = await logged_in()
    threads = [Thread(number, "private", ME, 100 + number) for number in (3, 5, 8, 9)]
    pages = [
        LoadThreadsReply(0, ME, load_more=True, next_last_id=5, threads=tuple(threads[:2])),
        LoadThreadsReply(0, ME, load_more=True, next_last_id=8, threads=(threads[2],)),
        LoadThreadsReply(0, ME, load_more=False, next_last_id=9, threads=(threads[3],)),
    ]
    asking = asyncio.create_task(client.threads())
    for after, page in zip((0, 5, 8), pages, strict=True):
        assert await peer.hear() == LoadThreadsRequest(ME, after)
        await peer.say(page)
    assert await asking == threads


@in_virtual_time
async def test_next_last_id_is_believed_whatever_the_ids_of_the_page_are():
    client, peer = await logged_in()
    asking = asyncio.create_task(client.threads())
    await peer.hear()
    await peer.say(LoadThreadsReply(0, ME, load_more=True, next_last_id=77))
    assert await peer.hear() == LoadThreadsRequest(ME, 77)
    await peer.say(LoadThreadsReply(0, ME))
    assert await asking == []


@in_virtual_time
async def test_a_page_that_is_refused_fails_the_whole_list():
    client, peer = await logged_in()
    asking = asyncio.create_task(client.threads())
    await peer.hear()
    await peer.say(LoadThreadsReply(0, ME, load_more=True, next_last_id=3, threads=(Thread(3, "group", 0, 0),)))
    await peer.hear()
    await peer.say(LoadThreadsReply(1013))
    with pytest.raises(RefusedError, match="LOAD_CHAT_FAILED"):
        await asking


# --- deadlines


@in_virtual_time
async def test_no_reply_within_the_deadline_is_a_late_error():
    client, _ = await logged_in(deadline=3)
    began = now()
    assert await outcome(ask(client, 2)) == (LateError, "no answer to CreatePrivateChatRequest within 3 s")
    assert now() == began + 3
    assert client.ended is None


@in_virtual_time
async def test_a_late_reply_is_dropped_and_the_next_request_gets_its_own():
    client, peer = await logged_in(deadline=3)
    with pytest.raises(LateError):
        await ask(client, 2)
    asking = ask(client, 3)
    assert (await peer.hear()).other_id == 2
    assert (await peer.hear()).other_id == 3
    await peer.say(thread_of(2))
    await asyncio.sleep(1)
    assert not asking.done()
    await peer.say(thread_of(3))
    assert await asking == 103


@in_virtual_time
async def test_a_late_reply_to_the_only_request_is_dropped_too():
    client, peer = await logged_in(deadline=3)
    with pytest.raises(LateError):
        await ask(client, 2)
    await peer.say(thread_of(2))
    await asyncio.sleep(1)
    assert client.ended is None
    asking = ask(client, 3)
    await peer.say(thread_of(3))
    assert await asking == 103


@in_virtual_time
async def test_each_request_has_a_deadline_of_its_own():
    client, peer = await logged_in(deadline=3)
    first = ask(client, 2)
    await asyncio.sleep(2)
    second = ask(client, 3)
    with pytest.raises(LateError):
        await first
    await peer.say(thread_of(2))
    await asyncio.sleep(1)
    await peer.say(thread_of(3))
    assert await second == 103


@in_virtual_time
async def test_a_server_that_does_not_read_does_not_hold_a_request_up_beyond_its_deadline():
    client, _ = await logged_in(model_network.network(window=0), deadline=3)
    asking = ask(client, 2)
    await asyncio.sleep(4)
    assert asking.done()
    assert (await outcome(asking))[0] is LateError


# --- how it ends


@in_virtual_time
async def test_where_nobody_listens_there_is_no_client():
    refused = (DisconnectedError, "no connection to 127.0.0.1:9: [Errno 111] nobody listens at 127.0.0.1:9")
    before = names_of_tasks()
    assert await outcome(Client.connect(model_network.network(), Address("127.0.0.1", 9))) == refused
    assert names_of_tasks() == before


@in_virtual_time
async def test_a_server_that_closes_ends_every_request_under_way_and_later_ones_at_once():
    client, peer = await logged_in()
    asking = [ask(client, other) for other in (2, 3, 4)]
    for _ in asking:
        await peer.hear()
    await peer.say(thread_of(2))
    await peer.stream.close()
    closed = (DisconnectedError, "closed by the server")
    assert await asking[0] == 102
    assert [await outcome(each) for each in asking[1:]] == [closed, closed]
    assert client.ended == "closed by the server"
    began = now()
    assert await outcome(client.create_private_chat(5)) == closed
    assert now() == began


@in_virtual_time
async def test_a_request_to_a_server_that_has_closed_unheard_is_disconnected():
    client, peer = await logged_in(model_network.network(latency=1))
    await peer.stream.close()
    assert client.ended is None
    assert await outcome(ask(client, 2)) == (DisconnectedError, "closed by the server")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "unknown message id 18516"),
        (struct.pack(">HH", 1028, 3) + b"{]}", "message 1028: JSON is malformed"),
        (encode(LoginRequest(ME, "token")), "unknown message id 1005"),
        (struct.pack(">HH", 1028, 2) + b"{}", "missing required field `error`"),
        (encode(HeartbeatReply(0)), "message 1024 answers nothing that was asked"),
    ],
    ids=["no frame", "no JSON", "a request", "a key is missing", "another's reply"],
)
@in_virtual_time
async def test_what_breaks_the_protocol_ends_the_connection_and_is_named(data, reason):
    client, peer = await logged_in()
    asking = [ask(client, 2), ask(client, 3)]
    for _ in asking:
        await peer.hear()
    await peer.stream.write(data)
    assert await peer.hear() is None, "the client has closed"
    assert reason in client.ended
    assert [await outcome(each) for each in asking] == [(DisconnectedError, client.ended)] * 2


@in_virtual_time
async def test_a_reply_too_many_ends_the_connection_after_the_one_that_was_asked_for():
    client, peer = await logged_in()
    asking = ask(client, 2)
    await peer.hear()
    await peer.say(thread_of(2), thread_of(2))
    assert await asking == 102
    assert await peer.hear() is None
    assert client.ended == "message 1028 answers nothing that was asked"


@in_virtual_time
async def test_a_reply_nobody_has_asked_for_ends_an_idle_connection():
    client, peer = await logged_in()
    await peer.say(thread_of(2))
    assert await peer.hear() is None
    assert client.ended == "message 1028 answers nothing that was asked"


@pytest.mark.parametrize("length", [1, 3, 4, 10])
@in_virtual_time
async def test_an_end_within_a_frame_is_named(length):
    client, peer = await logged_in()
    asking = ask(client, 2)
    await peer.hear()
    await peer.stream.write(encode(thread_of(2))[:length])
    await peer.stream.close()
    reason = f"the connection ended within a frame, after {length} bytes of it"
    assert await outcome(asking) == (DisconnectedError, reason)
    assert client.ended == reason


@pytest.mark.parametrize(
    ("error", "reason"),
    [(0, "ended by the server: logged in elsewhere"), (1002, "ended by the server: the node closes")],
)
@in_virtual_time
async def test_being_told_to_go_ends_the_client_with_a_reason_that_tells_kick_from_shutdown(error, reason):
    pushed = []
    client, peer = await logged_in(pushed=pushed.append)
    asking = [ask(client, 2), ask(client, 3)]
    for _ in asking:
        await peer.hear()
    await peer.say(thread_of(2), OfflineNotice(error, ME))
    await peer.stream.close()
    assert await asking[0] == 102
    assert await outcome(asking[1]) == (DisconnectedError, reason)
    assert await outcome(client.threads()) == (DisconnectedError, reason)
    assert pushed == [OfflineNotice(error, ME)]
    await client.close()
    assert client.ended == reason


@in_virtual_time
async def test_told_to_go_right_after_the_login_nothing_is_left_running():
    client, peer = await connected()
    before = names_of_tasks()
    asking = asyncio.create_task(client.log_in(ME, "token"))
    await peer.hear()
    await peer.say(WELCOME, OfflineNotice(0, ME))
    await peer.stream.close()
    assert await asking == WELCOME
    assert client.ended == "ended by the server: logged in elsewhere"
    await client.close()
    await asyncio.sleep(0)
    assert names_of_tasks() == {each for each in before if "client of" not in each}


@in_virtual_time
async def test_closing_ends_requests_under_way():
    client, peer = await logged_in()
    asking = ask(client, 2)
    await peer.hear()
    await client.close()
    assert await outcome(asking) == (DisconnectedError, "closed by this client")
    assert await outcome(client.threads()) == (DisconnectedError, "closed by this client")
    assert await peer.hear() is None


@pytest.mark.parametrize("by_server", [True, False])
@in_virtual_time
async def test_closing_twice_is_harmless_and_leaves_no_task_running(by_server):
    before = names_of_tasks()
    client, peer = await logged_in(heartbeat=1)
    assert {"client of 127.0.0.1:49152", "heartbeat of 7"} <= names_of_tasks()
    if by_server:
        await peer.stream.close()
        await asyncio.sleep(1)
    await client.close()
    await asyncio.gather(client.close(), client.close())
    assert client.ended == ("closed by the server" if by_server else "closed by this client")
    accepting = {name for name in names_of_tasks() if " from " in name}
    assert names_of_tasks() - accepting == before


# --- heartbeats


@in_virtual_time
async def test_heartbeats_are_sent_at_every_interval_from_the_login_on_and_not_before():
    client, peer = await connected(heartbeat=10)
    hearing = asyncio.create_task(peer.hear())
    await asyncio.sleep(35)
    assert not hearing.done()
    asking = asyncio.create_task(client.log_in(ME, "token"))
    assert isinstance(await hearing, LoginRequest)
    await peer.say(WELCOME)
    await asking
    beating = asyncio.create_task(peer.answer_heartbeats())
    await asyncio.sleep(35)
    await client.close()
    assert await beating == [45, 55, 65]


@in_virtual_time
async def test_heartbeats_go_on_beside_requests_and_their_replies_keep_their_places():
    client, peer = await logged_in(heartbeat=10, deadline=8)
    await asyncio.sleep(9)
    first = ask(client, 2)
    await asyncio.sleep(2)
    second = ask(client, 3)
    heard = [type(await peer.hear()) for _ in range(3)]
    assert heard == [CreatePrivateChatRequest, HeartbeatRequest, CreatePrivateChatRequest]
    await peer.say(thread_of(2), HeartbeatReply(0), thread_of(3))
    assert await asyncio.gather(first, second) == [102, 103]
    assert client.ended is None


@in_virtual_time
async def test_a_server_that_stops_answering_heartbeats_ends_the_client():
    client, peer = await logged_in(heartbeat=10, deadline=8)
    assert isinstance(await peer.hear(), HeartbeatRequest)
    await peer.say(HeartbeatReply(0))
    assert isinstance(await peer.hear(), HeartbeatRequest)
    assert now() == 20
    asking = ask(client, 2)
    await peer.hear()
    assert await peer.hear() is None, "the client has closed"
    assert now() == 28
    assert client.ended.startswith("the heartbeat failed: ")
    assert await outcome(client.threads()) == (DisconnectedError, client.ended)
    with pytest.raises(ClientError):
        await asking


@in_virtual_time
async def test_a_server_that_stops_reading_ends_the_client_too_and_whatever_waits_to_be_sent():
    client, _ = await logged_in(model_network.network(window=0), heartbeat=10, deadline=8)
    await asyncio.sleep(11)
    asking = ask(client, 2)
    await asyncio.sleep(6)
    assert client.ended is None
    assert not asking.done()
    await asyncio.sleep(2)
    assert client.ended.startswith("the heartbeat failed: ")
    assert await outcome(asking) == (DisconnectedError, client.ended)
    await client.close()
    assert "heartbeat of 7" not in names_of_tasks()


@in_virtual_time
async def test_a_refused_heartbeat_ends_the_client():
    client, peer = await logged_in(heartbeat=10)
    await peer.hear()
    await peer.say(HeartbeatReply(1011))
    assert await peer.hear() is None
    assert client.ended.startswith("the heartbeat failed: ")
    assert "UID_INVALID" in client.ended


@in_virtual_time
async def test_a_client_that_has_ended_sends_no_more_heartbeats():
    client, peer = await logged_in(heartbeat=10)
    await peer.say(OfflineNotice(0, ME))
    await asyncio.sleep(100)
    assert client.ended == "ended by the server: logged in elsewhere"
    await client.close()
    assert await peer.hear() is None


# --- what comes unasked


@in_virtual_time
async def test_what_the_server_says_unasked_reaches_the_callback_in_order_and_between_replies():
    pushed = []
    client, peer = await logged_in(pushed=pushed.append)
    notices = [TextNotice(0, 2, ME, number, ()) for number in (1, 2)]
    notices.append(AddFriendNotice(0, applyuid=3, name="bob", desc="", icon="", nick="", sex=0))
    asking = ask(client, 2)
    await peer.hear()
    await peer.say(notices[0], thread_of(2), *notices[1:])
    assert await asking == 102
    assert pushed == notices


@in_virtual_time
async def test_what_the_server_says_unasked_is_passed_over_where_nobody_wants_it():
    client, peer = await logged_in()
    asking = ask(client, 2)
    await peer.hear()
    await peer.say(TextNotice(0, 2, ME, 1, ()), thread_of(2))
    assert await asking == 102


@in_virtual_time
async def test_a_request_that_is_too_long_for_a_frame_is_not_sent_and_takes_no_reply():
    client, peer = await logged_in(deadline=3)
    with pytest.raises(MessageTooLongError):
        await client.request(LoginRequest(ME, "x" * 70_000), LoginReply)
    asking = ask(client, 2)
    await peer.hear()
    await peer.say(thread_of(2))
    assert await asking == 102


@in_virtual_time
async def test_who_is_told_to_go_goes_also_when_the_server_does_not_hang_up():
    client, peer = await logged_in()
    await peer.say(OfflineNotice(0, ME))
    await client.wait_ended()
    assert await peer.stream.read(1) == b""
    await client.close()


@pytest.mark.parametrize("error", [0, ErrorCode.LOAD_CHAT_FAILED])
@in_virtual_time
async def test_a_reply_about_another_thread_ends_the_connection_unless_it_is_a_refusal(error):
    client, peer = await logged_in()
    asking = asyncio.create_task(client.request(HistoryRequest(5, 0, backward=False), HistoryReply))
    await peer.hear()
    await peer.say(HistoryReply(error, 0 if error else 6))
    if error:
        assert await outcome(asking) == (RefusedError, "error 1013 (LOAD_CHAT_FAILED) in answer to HistoryRequest")
    else:
        assert await outcome(asking) == (DisconnectedError, "message 1102 answers nothing that was asked")
    await client.close()


@in_virtual_time
async def test_requests_under_way_end_with_the_reason_why_their_client_closes():
    client, _ = await logged_in()
    asking = ask(client, 2)
    await asyncio.sleep(0)
    await client.close("enough")
    assert await outcome(asking) == (DisconnectedError, "enough")


@in_virtual_time
async def test_a_client_closes_though_nobody_takes_the_parts_that_have_come():
    client, peer = await logged_in()
    parts = client.catch_up(CatchUpRequest((5,), (0,), (0,)))
    asking = asyncio.create_task(anext(parts))
    await peer.hear()
    await peer.say(*[CatchUpPart(())] * 10)
    await asking
    await asyncio.sleep(1)
    async with asyncio.timeout(1):
        await client.close()
    await parts.aclose()


# --- catching up


CATCH_UP = CatchUpRequest((5, 6), (0, 0), (0, 0))


def part(number):
    """A part that can be told from others."""
    return CatchUpPart((ThreadTexts(number, ()),))


def catching_up(client, request=CATCH_UP):
    """All that a catch-up gives, in a task."""

    async def take():
        return [each async for each in client.catch_up(request)]

    return asyncio.create_task(take())


@in_virtual_time
async def test_parts_come_in_order_before_the_reply_and_may_take_any_time_in_all():
    client, peer = await logged_in(deadline=3)
    asking = catching_up(client)
    assert await peer.hear() == CATCH_UP
    for number in range(10):
        await asyncio.sleep(2)
        await peer.say(part(number))
    await peer.say(CatchUpReply(0))
    assert await asking == [part(number) for number in range(10)]


@in_virtual_time
async def test_each_of_several_catch_ups_and_requests_in_flight_gets_what_is_its_own():
    client, peer = await logged_in()
    first, second, third = catching_up(client), ask(client, 2), catching_up(client)
    for _ in range(3):
        await peer.hear()
    await peer.say(part(1), part(2), CatchUpReply(0), thread_of(2), part(3), CatchUpReply(0))
    assert await asyncio.gather(first, second, third) == [[part(1), part(2)], 102, [part(3)]]


@in_virtual_time
async def test_what_is_pushed_between_parts_reaches_the_callback():
    pushed = []
    client, peer = await logged_in(pushed=pushed.append)
    asking = catching_up(client)
    await peer.hear()
    notice = TextNotice(0, 2, ME, 1, ())
    await peer.say(part(1), notice, part(2), CatchUpReply(0))
    assert await asking == [part(1), part(2)]
    assert pushed == [notice]


@pytest.mark.parametrize("parts", [0, 2])
@in_virtual_time
async def test_a_refused_catch_up_gives_what_came_before_and_then_the_refusal(parts):
    client, peer = await logged_in()
    asking, taken = client.catch_up(CATCH_UP), []

    async def take():
        async for each in asking:
            taken.append(each)  # noqa: PERF401

    taking = asyncio.create_task(take())
    await peer.hear()
    await peer.say(*map(part, range(parts)), CatchUpReply(ErrorCode.NOT_A_MEMBER))
    assert (await outcome(taking))[0] is RefusedError
    assert taken == [*map(part, range(parts))]
    assert client.ended is None


@in_virtual_time
async def test_who_takes_nothing_stops_the_reading_and_so_the_server_and_nothing_is_lost():
    client, peer = await logged_in(model_network.network(window=1_000))
    parts = client.catch_up(CATCH_UP)
    first = asyncio.create_task(anext(parts))
    await peer.hear()
    said = 0

    async def say_all():
        nonlocal said
        for number in range(1_000):
            await peer.say(part(number))
            said += 1
        await peer.say(CatchUpReply(0))

    saying = asyncio.create_task(say_all())
    assert await first == part(0)
    await asyncio.sleep(5)
    size = len(encode(part(0)))
    assert not saying.done()
    stopped = said
    assert stopped <= 1 + _PARTS + 3 * 1_000 / size, "what was taken, what waits, and what is under way"
    assert len(client._pending[0].parts) == _PARTS
    await asyncio.sleep(5)
    assert said == stopped
    assert [each async for each in parts] == [part(number) for number in range(1, 1_000)]
    await saying


@in_virtual_time
async def test_the_deadline_of_a_catch_up_counts_from_what_was_heard_last():
    client, peer = await logged_in(deadline=3)
    asking = catching_up(client)
    await asyncio.sleep(2)
    await peer.say(part(1))
    await asyncio.sleep(2)
    await peer.stream.write(encode(part(2))[:5])  # a long part on a slow line
    last = now()
    assert await outcome(asking) == (LateError, "no answer to CatchUpRequest within 3 s")
    assert now() == last + 3


@in_virtual_time
async def test_what_is_asked_behind_a_long_catch_up_has_its_deadline_behind_it():
    client, peer = await logged_in(deadline=3)
    first, second, third = catching_up(client), catching_up(client), ask(client, 2)
    for number in range(10):
        await asyncio.sleep(2)
        await peer.say(part(number))
    await peer.say(CatchUpReply(0))
    assert len(await first) == 10
    await asyncio.sleep(2)
    await peer.say(part(1), CatchUpReply(0))
    assert await second == [part(1)]
    last = now()
    assert await outcome(third) == (LateError, "no answer to CreatePrivateChatRequest within 3 s")
    assert now() == last + 3


@in_virtual_time
async def test_a_catch_up_that_nobody_answers_is_late_whatever_is_pushed_before_its_turn():
    client, peer = await logged_in(deadline=3)
    first, second = ask(client, 2), catching_up(client)
    for _ in range(5):
        await asyncio.sleep(1)
        await peer.say(TextNotice(0, 2, ME, 1, ()))
    assert {(await outcome(first))[0], (await outcome(second))[0]} == {LateError}


@in_virtual_time
async def test_a_heartbeat_behind_a_long_catch_up_does_not_end_the_connection():
    client, peer = await logged_in(heartbeat=10, deadline=8)
    asking = catching_up(client)
    for number in range(12):
        await asyncio.sleep(5)
        await peer.say(part(number))
    assert client.ended is None
    await peer.say(CatchUpReply(0))
    assert len(await asking) == 12
    assert [type(await peer.hear()) for _ in range(2)] == [CatchUpRequest, HeartbeatRequest]
    await peer.say(HeartbeatReply(0))
    assert isinstance(await peer.hear(), HeartbeatRequest)
    assert client.ended is None


@in_virtual_time
async def test_a_catch_up_that_stops_half_way_ends_the_connection_by_the_heartbeat_behind_it():
    client, peer = await logged_in(heartbeat=10, deadline=8)
    asking = catching_up(client)
    await asyncio.sleep(9)
    assert (await outcome(asking))[0] is LateError
    await peer.hear()
    assert isinstance(await peer.hear(), HeartbeatRequest)
    assert await peer.hear() is None, "the client has closed"
    assert now() == 18
    assert client.ended.startswith("the heartbeat failed: ")


@pytest.mark.parametrize("other", [True, False], ids=["a request's turn", "nothing asked"])
@in_virtual_time
async def test_a_part_nobody_asked_for_ends_the_connection(other):
    client, peer = await logged_in()
    asking = [ask(client, 2), catching_up(client)] if other else []
    for _ in asking:
        await peer.hear()
    await peer.say(part(1))
    assert await peer.hear() is None
    reason = "message 1115 belongs to nothing that was asked"
    assert client.ended == reason
    assert [await outcome(each) for each in asking] == [(DisconnectedError, reason)] * len(asking)


@pytest.mark.parametrize("before", [0, 1, _PARTS, 3 * _PARTS])
@in_virtual_time
async def test_who_gives_a_catch_up_up_half_way_hinders_nobody(before):
    client, peer = await logged_in()
    given_up = client.catch_up(CATCH_UP)
    first = asyncio.create_task(anext(given_up))
    await peer.hear()
    await peer.say(part(0), *[part(1)] * before)
    assert await first == part(0)
    await asyncio.sleep(1)
    asking = [ask(client, 2), catching_up(client)]
    await given_up.aclose()
    for _ in asking:
        await peer.hear()
    await peer.say(*[part(2)] * 50)
    await asyncio.sleep(1)
    assert len(client._pending[0].parts) <= _PARTS, "nobody keeps what nobody takes"
    await peer.say(CatchUpReply(0), thread_of(2), part(3), CatchUpReply(0))
    assert await asyncio.gather(*asking) == [102, [part(3)]]
    async with asyncio.timeout(1):
        await client.close()


@in_virtual_time
async def test_who_is_stopped_while_they_wait_for_a_part_hinders_nobody():
    client, peer = await logged_in()
    given_up, asking = catching_up(client), ask(client, 2)
    await asyncio.sleep(0)
    given_up.cancel()
    await asyncio.wait([given_up])
    await peer.say(*[part(1)] * 50, CatchUpReply(0), thread_of(2))
    assert await asking == 102


@in_virtual_time
async def test_a_connection_that_is_lost_in_the_middle_gives_what_came_and_then_the_reason():
    client, peer = await logged_in()
    parts = client.catch_up(CATCH_UP)
    first = asyncio.create_task(anext(parts))
    await peer.hear()
    await peer.say(*map(part, range(3)))
    assert await first == part(0)
    await peer.stream.close()
    await client.wait_ended()
    assert [await anext(parts), await anext(parts)] == [part(1), part(2)]
    assert await outcome(anext(parts)) == (DisconnectedError, "closed by the server")
    assert await outcome(anext(client.catch_up(CATCH_UP))) == (DisconnectedError, "closed by the server")
