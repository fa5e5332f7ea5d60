"""The status server as the source's StatusService: where to log in, and with which token."""

import asyncio
import re
from contextlib import asynccontextmanager, suppress

import grpc
import grpc.aio
import pytest

from chatsim.chat.ports import Address, NodeStatus, RegistryError
from chatsim.chat.server.status import StatusServer
from chatsim.db.mysql import database_error
from chatsim.db.session import Rows
from chatsim.worlds.common.peers_pb2 import GetChatServerReq, GetChatServerRsp
from chatsim.worlds.common.presence import MemoryDirectory
from chatsim.worlds.common.tokens import SignedTokens
from chatsim.worlds.mysql import grpc_peers
from chatsim.worlds.mysql.grpc_status import status_service

UID = 2**40


class Gone(MemoryDirectory):
    """A directory that can't be asked."""

    async def nodes(self):
        raise RegistryError("Redis can't be used: it is gone")


class Users:
    """A database that has the users `UID` and 1; or one that can't be asked."""

    def __init__(self, *, gone=False):
        self.gone = gone

    @asynccontextmanager
    async def session(self, isolation=None):
        yield self

    async def execute(self, sql, args=()):
        if self.gone:
            raise database_error(2013, "it is gone")
        (uid,) = args
        return Rows([(1,)] if uid in (UID, 1) else [])


@asynccontextmanager
async def asking(status, users=None):
    """A function that sends the bytes of a request, and returns the reply."""
    async with status_service(status, users or Users()) as address:
        assert address.host == "127.0.0.1"
        async with grpc.aio.insecure_channel(str(address)) as channel:
            yield channel.unary_unary(
                "/message.StatusService/GetChatServer", response_deserializer=GetChatServerRsp.FromString
            )


def asked(directory, times=1, *, uid=UID, users=None):
    """The answers to so many who ask at once."""

    async def body():
        tokens = SignedTokens(b"key", lambda: 0.0)
        if not isinstance(directory, Gone):
            for name, port in directory.items():
                await there.announce(NodeStatus(name, Address("127.0.0.1", port), 0, 1))
        async with asking(StatusServer(there, tokens), users) as ask:
            request = GetChatServerReq(uid=uid).SerializeToString()
            answers = await asyncio.gather(*(ask(request, timeout=60) for _ in range(times)))
        for answer in answers:
            if not answer.error:
                await tokens.check(uid, answer.token)
        return answers

    there = directory if isinstance(directory, Gone) else MemoryDirectory(60)
    return asyncio.run(body())


def test_those_who_ask_at_once_are_spread_evenly_with_a_token_for_each():
    answers = asked({"node1": 8990, "node2": 8991}, times=10)
    assert sorted((answer.error, answer.host, answer.port) for answer in answers) == [
        *[(0, "127.0.0.1", "8990")] * 5,
        *[(0, "127.0.0.1", "8991")] * 5,
    ]


@pytest.mark.parametrize("directory", [{}, Gone(60)], ids=["no node", "no registry"])
def test_where_no_server_is_to_be_had_the_answer_is_the_sources_error(directory):
    (answer,) = asked(directory)
    assert (answer.error, answer.host, answer.port, answer.token) == (1002, "", "", "")


@pytest.mark.parametrize("uid", [0, -1, 999, 2**63 - 1, -(2**63)])
def test_there_is_no_token_for_a_user_that_there_is_not(uid):
    (answer,) = asked({"node1": 8990}, uid=uid)
    assert (answer.error, answer.host, answer.port, answer.token) == (1011, "", "", "")


def test_where_users_can_not_be_looked_up_there_is_no_token():
    (answer,) = asked({"node1": 8990}, users=Users(gone=True))
    assert (answer.error, answer.token) == (1002, "")


def test_a_request_that_can_not_be_decoded_is_refused_and_a_thousand_are_one_line_of_log(caplog):
    async def body():
        directory = MemoryDirectory(60)
        await directory.announce(NodeStatus("node1", Address("127.0.0.1", 8990), 0, 1))
        async with asking(StatusServer(directory, SignedTokens(b"key", lambda: 0.0))) as ask:
            for _ in range(20):
                answers = await asyncio.gather(
                    *(ask(b"\xff\xff\xff", timeout=60) for _ in range(50)), return_exceptions=True
                )
                assert {answer.code() for answer in answers} == {grpc.StatusCode.INVALID_ARGUMENT}
            return await ask(GetChatServerReq(uid=1).SerializeToString(), timeout=60)

    assert asyncio.run(body()).error == 0
    (line,) = caplog.records
    assert line.exc_info is None
    assert re.fullmatch(r"a call of ipv4:\S+ is malformed: .* \(1 so far\)", line.getMessage())


def test_callers_who_say_nothing_and_are_too_many_are_hung_up_on_and_others_are_served(monkeypatch):
    limits = dict(grpc_peers._LIMITS) | {"grpc.max_allowed_incoming_connections": 5}
    monkeypatch.setattr(grpc_peers, "_LIMITS", tuple(limits.items()))

    async def body():
        directory = MemoryDirectory(60)
        await directory.announce(NodeStatus("node1", Address("127.0.0.1", 8990), 0, 1))
        async with status_service(StatusServer(directory, SignedTokens(b"key", lambda: 0.0)), Users()) as address:
            silent = [await asyncio.open_connection(address.host, address.port) for _ in range(20)]
            ends = [asyncio.create_task(_end(reader)) for reader, _ in silent]
            while sum(end.done() for end in ends) < 15:
                await asyncio.wait([end for end in ends if not end.done()], return_when=asyncio.FIRST_COMPLETED)
            for _, writer in silent:
                writer.close()
            await asyncio.gather(*ends)
            async with grpc.aio.insecure_channel(str(address)) as channel:
                ask = channel.unary_unary(
                    "/message.StatusService/GetChatServer", response_deserializer=GetChatServerRsp.FromString
                )
                request = GetChatServerReq(uid=UID).SerializeToString()
                return await ask(request, timeout=60, wait_for_ready=True)

    assert asyncio.run(body()).error == 0


async def _end(reader):
    with suppress(ConnectionResetError):
        while await reader.read(1000):
            pass
