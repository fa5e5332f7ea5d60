"""A session, from the other end of its connection, in virtual time; each test ends with nothing left running."""

import asyncio
import functools
import math
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import model_network
import pytest

from chatsim.chat.ports import Address, Device
from chatsim.chat.protocol import (
    FROM_CLIENT,
    FROM_SERVER,
    Decoder,
    ErrorCode,
    LoadThreadsReply,
    LoadThreadsRequest,
    LoginRequest,
    OfflineNotice,
    ProtocolError,
    Thread,
    encode,
)
from chatsim.chat.server.limits import Limits
from chatsim.chat.server.session import ClientSession, SessionEndedError
from chatsim.simulation.loop import current_loop, run

ADDRESS = Address("127.0.0.1", 9000)
FAREWELL = OfflineNotice(0, 0)
NOTICE = OfflineNotice(7, 7)


def now():
    return asyncio.get_running_loop().time()


def in_virtual_time(test):
    @functools.wraps(test)
    def play(*args, **kwargs):
        async def main():
            await test(*args, **kwargs)
            await asyncio.sleep(1)  # what the network has under way arrives
            assert asyncio.all_tasks() == {asyncio.current_task()}
            assert all(timer.cancelled() for _, _, timer in current_loop()._timers)

        run(main())

    return play


def asking(number):
    return LoadThreadsRequest(1, number)


def answering(number):
    return LoadThreadsReply(0, 1, next_last_id=number)


async def echo(session, request):
    return answering(request.thread_id)


def sorry(_session, request, _error):
    """The reply to a request after an error that no handler expects."""
    return LoadThreadsReply(1013, next_last_id=request.thread_id)


class Slow:
    """Answers like `echo`, after a while, and notes when each request began."""

    def __init__(self, seconds):
        self.begun = []
        self.answered = []
        self._seconds = seconds

    async def __call__(self, _session, request):
        self.begun.append((request.thread_id, now()))
        await asyncio.sleep(self._seconds)
        self.answered.append(request.thread_id)
        return answering(request.thread_id)


@dataclass
class Visit:
    """The client's end of a connection, the session at the other end, and what came of that.

    Attributes:
        stream, session: the two ends.
        ended: what `ClientSession.serve` returns or raises.
    """

    stream: object
    session: ClientSession
    ended: asyncio.Future
    decoder: Decoder = field(default_factory=lambda: Decoder(FROM_SERVER))

    async def send(self, *requests):
        await self.stream.write(b"".join(map(encode, requests)))

    async def next(self):
        """The next message of the session, None when it has closed."""
        while (message := self.decoder.next_message()) is None:
            data = await self.stream.read(65_536)
            if not data:
                self.decoder.end()
                return None
            self.decoder.feed(data)
        return message

    async def rest(self):
        """All messages up to the end."""
        return [message async for message in self]

    def __aiter__(self):
        return self

    async def __anext__(self):
        if (message := await self.next()) is None:
            raise StopAsyncIteration
        return message


@asynccontextmanager
async def visit(answer=echo, *, window=65_536, latency=0.0, **limits):
    """A client that has connected; it closes at the end of the block, and the session has then ended, too.

    It need not log in: where a test says nothing else, there is no deadline for that.
    """
    limits = {"login": math.inf} | limits
    network = model_network.network(latency=latency, window=window)
    loop = asyncio.get_running_loop()
    opened, ended = loop.create_future(), loop.create_future()
    tasks = []

    async def accept(stream):
        session = ClientSession(
            stream, FROM_CLIENT, Limits(**limits), lambda work: tasks.append(asyncio.create_task(work))
        )
        opened.set_result(session)
        try:
            ended.set_result(await session.serve(answer, sorry))
        except Exception as error:  # noqa: BLE001 - the test is told
            ended.set_exception(error)

    listener = await network.listen(ADDRESS, accept)
    stream = await network.connect(ADDRESS)
    visitor = Visit(stream, await opened, ended)
    yield visitor
    await stream.close()
    await asyncio.wait([ended])
    await asyncio.gather(*tasks)
    await listener.close()


# --- requests and replies


@in_virtual_time
async def test_requests_are_answered_in_their_order_one_after_the_other():
    slow = Slow(1.0)
    async with visit(slow) as client:
        for number in range(5):
            await client.send(asking(number))
        assert [await client.next() for _ in range(5)] == [answering(number) for number in range(5)]
    assert slow.begun == [(number, number) for number in range(5)]


@in_virtual_time
async def test_two_requests_in_one_chunk_are_two_requests():
    async with visit() as client:
        await client.send(asking(1), asking(2))
        assert [await client.next(), await client.next()] == [answering(1), answering(2)]


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7])
@in_virtual_time
async def test_a_request_may_come_in_many_chunks(size):
    frames = encode(asking(1)) + encode(asking(2))
    async with visit() as client:
        for start in range(0, len(frames), size):
            await client.stream.write(frames[start : start + size])
            await asyncio.sleep(0.1)
        assert [await client.next(), await client.next()] == [answering(1), answering(2)]


@in_virtual_time
async def test_a_client_that_closes_between_frames_has_done_nothing_wrong():
    async with visit() as client:
        await client.send(asking(1))
        await client.next()
        await client.stream.close()
        assert await client.ended == "closed by the client"


@in_virtual_time
async def test_a_client_that_closes_while_its_request_runs_does_not_end_the_request():
    slow = Slow(100.0)
    async with visit(slow) as client:
        await client.send(asking(1), asking(2))
        await asyncio.sleep(1)
        await client.stream.close()
        await client.ended
        assert now() == 100
    assert slow.answered == [1]


@pytest.mark.parametrize(
    "bad", [lambda: {}["who"], lambda: LoadThreadsReply(0, threads=(Thread(1, "x" * 70_000, 1, 2),)), lambda: 1 // 0]
)
@in_virtual_time
async def test_an_error_that_no_handler_expects_is_answered_and_the_session_goes_on(bad):
    async def broken(session, request):
        return bad() if request.thread_id == 1 else answering(request.thread_id)

    async with visit(broken) as client:
        await client.send(asking(1))
        await client.send(asking(2))
        assert [await client.next(), await client.next()] == [sorry(None, asking(1), None), answering(2)]


# --- garbage


@pytest.mark.parametrize(
    ("garbage", "reason"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", "unknown message id 18245"),
        (bytes(4), "unknown message id 0"),
        (b"\x03\xff\x00\x04nope", "message 1023: JSON is malformed"),
        (b"\x03\xff\x00\x02[]", "message 1023: Expected `object`, got `array`"),
        (b"\x03\xff\x08\x01", "message 1023 has 2049 bytes, more than the 2048 allowed"),
    ],
)
@in_virtual_time
async def test_garbage_is_a_protocol_error_after_what_came_before_it_has_been_answered(garbage, reason):
    async with visit() as client:
        await client.stream.write(encode(asking(1)) + garbage + encode(asking(2)))
        assert await client.rest() == [answering(1)]
        with pytest.raises(ProtocolError, match=reason):
            await client.ended


@in_virtual_time
async def test_a_client_that_closes_within_a_frame_breaks_the_protocol():
    cut = encode(asking(1))[:-1]
    async with visit() as client:
        await client.stream.write(cut)
        await client.stream.close()
        with pytest.raises(ProtocolError, match=f"the connection ended within a frame, after {len(cut)} bytes of it"):
            await client.ended


# --- silence


@pytest.mark.parametrize("expiry", [0.001, 1.0, 20.0, 86_400.0])
@in_virtual_time
async def test_silence_ends_a_session_exactly_when_its_expiry_is_over(expiry):
    async with visit(expiry=expiry) as client:
        assert await client.ended == f"silent for {expiry:g} s"
        assert now() == expiry
        assert await client.rest() == []


@in_virtual_time
async def test_a_client_has_until_the_deadline_to_log_in():
    async with visit(login=3.0) as client:
        assert await client.next() is None
        assert now() == 3.0
    assert await client.ended == "no login within 3 s"


@in_virtual_time
async def test_bytes_do_not_move_the_deadline_of_the_login():
    async with visit(login=3.0) as client:
        for byte in encode(asking(1))[:-1]:
            await client.stream.write(bytes([byte]))
            await asyncio.sleep(0.1)
        assert await client.next() is None
        assert now() == 3.0


@in_virtual_time
async def test_a_login_that_is_being_answered_may_take_its_time():
    async def log_in(session, request):
        await asyncio.sleep(5)
        session.device = Device(1, "s", "node1")
        return answering(request.thread_id)

    async with visit(log_in, login=3.0) as client:
        await client.send(asking(1))
        assert await client.next() == answering(1)
        await asyncio.sleep(10)
        assert client.session.uid == 1
        assert not client.ended.done(), "there is no deadline after the login"


@in_virtual_time
async def test_silence_counts_from_the_last_request():
    async with visit(expiry=20.0) as client:
        for _ in range(5):
            await asyncio.sleep(19.5)
            await client.send(asking(1))
            assert await client.next() == answering(1)
        assert await client.ended == "silent for 20 s"
        assert now() == 5 * 19.5 + 20


@in_virtual_time
async def test_a_slow_answer_is_not_silence_which_counts_from_its_end():
    async with visit(Slow(100.0), expiry=20.0) as client:
        await client.send(asking(1))
        assert await client.next() == answering(1)
        assert now() == 100
        assert await client.ended == "silent for 20 s"
        assert now() == 120


@in_virtual_time
async def test_slow_answers_to_a_client_that_asks_all_the_while_end_nothing():
    async with visit(Slow(100.0), expiry=20.0) as client:
        await client.send(*map(asking, range(10)))
        assert [await client.next() for _ in range(10)] == [answering(number) for number in range(10)]
        assert now() == 1_000


@pytest.mark.parametrize("gap", [0.5, 1.0, 3.0, 19.0])
@pytest.mark.parametrize("requests", [0, 1])
@in_virtual_time
async def test_a_byte_now_and_then_is_silence(gap, requests):
    async def dribble(client):
        for byte in encode(LoginRequest(1, "x" * 1_000)):
            await client.stream.write(bytes([byte]))
            await asyncio.sleep(gap)

    async with visit(expiry=20.0) as client:
        await client.send(*[asking(1)] * requests)
        client.decoder.feed(await client.stream.read(1_000) if requests else b"")
        dribbling = asyncio.create_task(dribble(client))
        await asyncio.wait([client.ended, dribbling], return_when=asyncio.FIRST_COMPLETED)
        assert now() == 20
        assert client.ended.result() == "silent for 20 s"
        dribbling.cancel()
        await asyncio.wait([dribbling])


# --- clients that do not read


@in_virtual_time
async def test_a_client_that_does_not_read_its_reply_is_ended():
    async with visit(window=10, expiry=20.0) as client:
        await client.send(asking(1))
        assert await client.ended == "has not read what it was sent for 20 s"
        assert now() == 20


@in_virtual_time
async def test_it_is_ended_whatever_it_sends_meanwhile():
    async def chatter(client):
        while True:
            await asyncio.sleep(3)
            await client.send(asking(1))

    async with visit(window=10, expiry=20.0) as client:
        client.session.push(NOTICE)
        chattering = asyncio.create_task(chatter(client))
        assert await client.ended == "has not read what it was sent for 20 s"
        assert now() == 20
        chattering.cancel()
        await asyncio.wait([chattering])


@in_virtual_time
async def test_a_client_that_reads_late_is_kept():
    async with visit(window=10, expiry=20.0) as client:
        for number in range(5):
            await client.send(asking(number))
            await asyncio.sleep(19)
            assert await client.next() == answering(number)
        assert now() == 5 * 19
        assert not client.ended.done()


@in_virtual_time
async def test_a_session_that_is_told_to_end_does_not_wait_for_ever_for_its_farewell_to_be_read():
    async with visit(window=10, expiry=20.0) as client:
        await asyncio.sleep(5)
        await client.session.end("enough", ErrorCode.SUCCESS)
        assert now() == 25
        assert await client.ended == "enough"


@pytest.mark.parametrize("queue_bytes", [1, 1_000, 20_000])
@in_virtual_time
async def test_what_waits_to_be_sent_is_bounded_and_more_of_it_ends_the_session(queue_bytes):
    async with visit(window=10, queue_bytes=queue_bytes) as client:
        for _ in range(10_000):
            client.session.push(NOTICE)
            if client.session._unsent > queue_bytes + len(encode(NOTICE)):
                pytest.fail("more is queued than may be")
        reason = await client.ended
        sent = await client.rest()
        assert now() == 0
    frames = queue_bytes // len(encode(NOTICE)) + 1
    assert sent == [NOTICE] * frames
    assert reason == f"{frames * len(encode(NOTICE))} bytes wait to be sent"


@pytest.mark.parametrize(("less", "frames"), [(0, 4), (1, 3)])
@in_virtual_time
async def test_as_many_bytes_as_the_limit_may_wait_and_one_more_ends_the_session_with_the_next_push(less, frames):
    size = len(encode(NOTICE))
    async with visit(window=1_000_000, queue_bytes=3 * size - less) as client:
        for _ in range(frames):
            client.session.push(NOTICE)
        assert client.session._ending is None
        client.session.push(NOTICE)
        assert await client.ended == f"{frames * size} bytes wait to be sent"
        assert await client.rest() == [NOTICE] * frames


@in_virtual_time
async def test_what_is_being_written_counts_as_waiting():
    async with visit(window=10, queue_bytes=100, expiry=20.0) as client:
        for _ in range(100):
            client.session.push(NOTICE)
            await asyncio.sleep(0.01)
        assert (await client.ended).endswith(" bytes wait to be sent")
        assert now() < 20


@in_virtual_time
async def test_a_client_that_reads_may_be_sent_any_amount():
    async with visit(window=10, queue_bytes=100) as client:
        for _ in range(1_000):
            client.session.push(NOTICE)
            assert await client.next() == NOTICE
        assert not client.ended.done()


# --- what nobody asked for


@in_virtual_time
async def test_what_is_pushed_arrives_in_its_order_and_does_not_wait_for_the_request_that_runs():
    notices = [OfflineNotice(0, uid) for uid in range(20)]
    async with visit(Slow(10.0)) as client:
        await client.send(asking(1))
        await asyncio.sleep(1)
        for notice in notices:
            client.session.push(notice)
        assert [await client.next() for _ in notices] == notices
        assert now() == 1
        assert await client.next() == answering(1)


@in_virtual_time
async def test_pushes_and_replies_do_not_mix_within_a_frame():
    async with visit(window=10, latency=0.001) as client:
        await client.send(*map(asking, range(50)))
        got = []
        for _ in range(50):
            client.session.push(NOTICE)
            got += [await client.next(), await client.next()]
        assert [message for message in got if message != NOTICE] == [answering(number) for number in range(50)]


@in_virtual_time
async def test_what_is_pushed_to_a_session_that_has_ended_is_passed_over():
    async with visit() as client:
        await client.session.end("enough", ErrorCode.SUCCESS)
        client.session.push(NOTICE)
        assert await client.rest() == [FAREWELL]


@in_virtual_time
async def test_what_is_pushed_to_a_client_that_has_gone_harms_nobody():
    async with visit() as client:
        await client.stream.close()
        client.session.push(NOTICE)
        assert await client.ended == "closed by the client"
        client.session.push(NOTICE)


# --- the end


@in_virtual_time
async def test_an_idle_session_that_is_told_to_end_says_farewell_and_closes():
    async with visit() as client:
        await client.session.end("enough", ErrorCode.SUCCESS)
        assert await client.rest() == [FAREWELL]
        assert await client.ended == "enough"
        assert now() == 0


@in_virtual_time
async def test_the_request_that_runs_is_answered_before_the_farewell_and_none_after_it():
    slow = Slow(10.0)
    async with visit(slow) as client:
        await client.send(asking(1), asking(2), asking(3))
        await asyncio.sleep(1)
        ending = asyncio.create_task(client.session.end("enough", ErrorCode.SUCCESS))
        await asyncio.sleep(1)
        await client.send(asking(4))
        assert await client.rest() == [answering(1), FAREWELL]
        assert now() == 10
        await ending
        assert await client.ended == "enough"
    assert slow.answered == [1]


@in_virtual_time
async def test_an_end_waits_for_a_request_longer_than_the_expiry():
    async with visit(Slow(100.0), expiry=20.0) as client:
        await client.send(asking(1))
        await asyncio.sleep(1)
        await client.session.end("enough", ErrorCode.SUCCESS)
        assert now() == 100
        assert await client.rest() == [answering(1), FAREWELL]


@in_virtual_time
async def test_a_session_ends_once_however_often_it_is_told_to():
    async with visit(Slow(10.0)) as client:
        await client.send(asking(1))
        await asyncio.sleep(1)
        ends = [client.session.end(reason, ErrorCode.SUCCESS) for reason in ("the first", "the second", "the third")]
        await asyncio.gather(*ends)
        assert await client.rest() == [answering(1), FAREWELL]
        assert await client.ended == "the first"


@in_virtual_time
async def test_a_request_that_waits_for_its_turn_by_the_rate_is_not_answered_after_an_end():
    slow = Slow(0.0)
    async with visit(slow, rate=1.0, burst=1) as client:
        await client.send(asking(1), asking(2))
        await asyncio.sleep(0.5)
        await client.session.end("enough", ErrorCode.SUCCESS)
        assert await client.rest() == [answering(1), FAREWELL]
        assert await client.ended == "enough"
    assert slow.answered == [1]


@in_virtual_time
async def test_a_client_that_goes_while_its_session_is_told_to_end_holds_up_nobody():
    async with visit(Slow(10.0)) as client:
        await client.send(asking(1))
        await asyncio.sleep(1)
        await client.stream.close()
        await client.session.end("enough", ErrorCode.SUCCESS)
        assert await client.ended == "enough"
        assert now() == 10


@in_virtual_time
async def test_a_request_that_ends_its_session_has_its_farewell_told_and_the_connection_closed():
    answered = []

    async def refuse(session, request):
        answered.append(request.thread_id)
        if request.thread_id == 2:
            raise SessionEndedError("not you", FAREWELL)
        return answering(request.thread_id)

    async with visit(refuse, latency=0.1) as client:
        await client.send(asking(1), asking(2), asking(3))
        assert await client.rest() == [answering(1), FAREWELL]
        assert await client.ended == "not you"
        with pytest.raises(ConnectionResetError):
            await client.send(asking(4))
    assert answered == [1, 2]


@in_virtual_time
async def test_a_farewell_that_is_not_read_holds_up_nobody_for_longer_than_the_expiry():
    async def refuse(session, request):
        raise SessionEndedError("not you", FAREWELL)

    async with visit(refuse, window=10, expiry=20.0) as client:
        await client.send(asking(1))
        assert await client.ended == "not you"
        assert now() == 20


# --- the rate


@in_virtual_time
async def test_the_rate_delays_requests_and_loses_none():
    slow = Slow(0.0)
    async with visit(slow, rate=2.0, burst=3) as client:
        await client.send(*map(asking, range(9)))
        assert [await client.next() for _ in range(9)] == [answering(number) for number in range(9)]
    assert [begun for _, begun in slow.begun] == [0, 0, 0, 0.5, 1, 1.5, 2, 2.5, 3]


@in_virtual_time
async def test_a_client_that_keeps_to_the_rate_is_never_delayed():
    slow = Slow(0.0)
    async with visit(slow, rate=2.0, burst=1) as client:
        for number in range(20):
            await client.send(asking(number))
            assert await client.next() == answering(number)
            await asyncio.sleep(0.5)
    assert [begun for _, begun in slow.begun] == [number / 2 for number in range(20)]


@in_virtual_time
async def test_what_is_pushed_is_not_delayed_by_the_rate():
    async with visit(rate=0.1, burst=1) as client:
        await client.send(asking(1), asking(2))
        assert await client.next() == answering(1)
        client.session.push(NOTICE)
        assert await client.next() == NOTICE
        assert now() == 0


@in_virtual_time
async def test_one_sessions_haste_is_its_own_loss():
    async with visit(rate=1.0, burst=1) as hasty, visit(rate=1.0, burst=1) as calm:
        await hasty.send(*map(asking, range(10)))
        await calm.send(asking(1))
        assert await calm.next() == answering(1)
        assert now() == 0


# --- an end is an end, and a wait of the session's own making is nobody's silence


@in_virtual_time
async def test_an_end_does_not_wait_for_what_the_rate_still_holds_back():
    async with visit(rate=1.0, burst=1) as client:
        await client.send(*map(asking, range(300)))
        await asyncio.sleep(0.5)
        await client.session.end("enough", ErrorCode.SUCCESS)
        assert await client.ended == "enough"
        assert now() == 0.5


@in_virtual_time
async def test_a_break_does_not_wait_for_what_the_rate_still_holds_back():
    async with visit(rate=1.0, burst=1, queue_bytes=1, window=1_000_000) as client:
        await client.send(*map(asking, range(300)))
        await asyncio.sleep(0.5)
        client.session.push(NOTICE)
        client.session.push(NOTICE)
        assert "bytes wait to be sent" in await client.ended
        assert now() == 0.5


@in_virtual_time
async def test_the_wait_that_the_rate_imposes_is_not_the_clients_silence():
    async with visit(rate=0.01, burst=1, expiry=20.0) as client:
        await client.send(asking(1), asking(2))
        assert await client.next() == answering(1)
        assert await client.next() == answering(2)
        assert now() == 100


@in_virtual_time
async def test_a_silent_client_is_ended_in_time_also_when_it_does_not_read_either():
    async with visit(window=10, expiry=20.0) as client:
        await asyncio.sleep(15)
        client.session.push(NOTICE)
        assert await client.ended == "silent for 20 s"
        assert now() == 20


@in_virtual_time
async def test_however_much_is_pushed_to_a_client_that_does_not_read_one_task_sends_it():
    async with visit(window=10) as client:
        before = len(asyncio.all_tasks())
        for _ in range(10_000):
            client.session.push(NOTICE)
            await asyncio.sleep(0)
        assert len(asyncio.all_tasks()) <= before + 2
        assert len(await client.rest()) == 10_000


class Dripping:
    """A stream that gives its reader what is missing, and notes how much that was."""

    def __init__(self, data):
        self.asked = []
        self._data = data

    async def read(self, limit, least):
        self.asked.append(least)
        data, self._data = self._data[:least], self._data[least:]
        return data

    async def write(self, data):
        pass


@in_virtual_time
async def test_it_asks_the_network_for_whole_headers_and_whole_bodies():
    request = encode(asking(1))
    stream = Dripping(request * 2)
    session = ClientSession(stream, FROM_CLIENT, Limits(), asyncio.ensure_future)
    assert await session.serve(echo, sorry) == "closed by the client"
    assert stream.asked == [4, len(request) - 4] * 2 + [4]
