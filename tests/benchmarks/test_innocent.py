"""Innocent users beside a scripted server: what they count as answered, refused, and never answered."""

import asyncio
import json
import struct
from contextlib import asynccontextmanager

import pytest
from attacks import innocent
from attacks.frames import frame
from attacks.wire import Place, RefusedError

ANN, BOB = 1, 2
LOGIN, TEXT = 1005, 1017


async def welcome(number, body):
    return frame(number + 1, {"error": 0})


async def refuse_texts(number, body):
    return frame(number + 1, {"error": 1101 if number == TEXT else 0})


async def notify(number, body):
    return frame(1107, {"thread_id": 1, "uid": BOB, "seq": 1}) + frame(number + 1, {"error": 0})


async def refuse_logins(number, body):
    return frame(number + 1, {"error": 1002})


async def hang_up_on_texts(number, body):
    return b"" if number == TEXT else frame(number + 1, {"error": 0})


@asynccontextmanager
async def serving(answer):
    """A place whose server says to each request what ``answer`` returns; nothing is the end of the connection."""
    writers = []

    async def serve(reader, writer):
        writers.append(writer)
        try:
            while True:
                number, length = struct.unpack(">HH", await reader.readexactly(4))
                if not (said := await answer(number, json.loads(await reader.readexactly(length)))):
                    break
                writer.write(said)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    yield Place("127.0.0.1", port, {ANN: "t", BOB: "t"}, {(ANN, BOB): 1})
    server.close()
    for writer in writers:
        writer.close()
    await asyncio.sleep(0)


async def noticed(answer, monkeypatch, *, until):
    """What two users have noticed when ``until`` says that it is enough."""
    monkeypatch.setattr(innocent, "PER_SECOND", 200.0)
    stop = asyncio.Event()
    asked = []

    async def counted(number, body):
        asked.append(number)
        if until(asked):
            stop.set()
        return await answer(number, body)

    async with serving(counted) as place:
        run = await innocent.prepare(place, [ANN, BOB], "mine")
        return await run(stop), asked


def after(count):
    return lambda asked: len(asked) >= count


async def test_answered_requests_of_all_kinds_are_counted(monkeypatch):
    found, asked = await noticed(welcome, monkeypatch, until=after(60))
    assert set(found.latencies) == {"text", "heartbeat", "history", "states", "login"}
    assert not found.failed
    assert sum(len(each) for each in found.latencies.values()) == len(asked) - 2  # the first logins are not counted
    assert all(latency > 0 for each in found.latencies.values() for latency in each)


async def test_acknowledged_texts_are_named_each_once(monkeypatch):
    found, _ = await noticed(welcome, monkeypatch, until=after(60))
    assert len(found.acknowledged) == len(set(found.acknowledged)) == len(found.latencies["text"])
    assert {uid for uid, _ in found.acknowledged} == {ANN, BOB}


async def test_a_refused_request_has_failed_and_is_not_acknowledged(monkeypatch):
    found, _ = await noticed(refuse_texts, monkeypatch, until=after(60))
    assert found.failed["text: error 1101"] > 0
    assert "text" not in found.latencies
    assert found.acknowledged == []


async def test_notices_are_counted_and_are_no_answers(monkeypatch):
    found, _ = await noticed(notify, monkeypatch, until=after(60))
    assert found.notices[1107] > 0
    assert not found.failed


async def test_what_is_asked_on_a_connection_that_has_ended_is_not_answered(monkeypatch):
    found, _ = await noticed(hang_up_on_texts, monkeypatch, until=lambda asked: asked.count(LOGIN) > 6)
    assert found.failed["text: not answered"] > 0


async def test_users_who_may_not_log_in_are_an_error_before_anything_is_measured():
    async with serving(refuse_logins) as place:
        with pytest.raises(RefusedError, match="error 1002"):
            await innocent.prepare(place, [ANN, BOB], "mine")
        await asyncio.sleep(0)  # the connection is closed in the loop's next turn
