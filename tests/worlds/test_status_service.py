"""The status server as the source's StatusService: where to log in, and with which token."""

import asyncio

import grpc.aio
import pytest

from chatsim.chat.ports import Address, NodeStatus, RegistryError
from chatsim.chat.server.status import StatusServer
from chatsim.worlds.common.peers_pb2 import GetChatServerReq, GetChatServerRsp
from chatsim.worlds.common.presence import MemoryDirectory
from chatsim.worlds.common.tokens import SignedTokens
from chatsim.worlds.mysql.grpc_status import status_service

UID = 2**40


class Gone(MemoryDirectory):
    """A directory that can't be asked."""

    async def nodes(self):
        raise RegistryError("Redis can't be used: it is gone")


def asked(directory, times=1):
    """The answers to so many who ask at once."""

    async def body():
        tokens = SignedTokens(b"key", lambda: 0.0)
        if not isinstance(directory, Gone):
            for name, port in directory.items():
                await there.announce(NodeStatus(name, Address("127.0.0.1", port), 0, 1))
        async with status_service(StatusServer(there, tokens)) as address:
            assert address.host == "127.0.0.1"
            async with grpc.aio.insecure_channel(str(address)) as channel:
                ask = channel.unary_unary(
                    "/message.StatusService/GetChatServer",
                    request_serializer=GetChatServerReq.SerializeToString,
                    response_deserializer=GetChatServerRsp.FromString,
                )
                answers = await asyncio.gather(*(ask(GetChatServerReq(uid=UID), timeout=60) for _ in range(times)))
        for answer in answers:
            if not answer.error:
                await tokens.check(UID, answer.token)
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
