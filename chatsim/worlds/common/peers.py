"""The calls between nodes, as the protobuf messages of ``peers.proto``. gRPC or the simulated network carries them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import DecodeError
from google.protobuf.message import Message as Protobuf

from chatsim.chat.ports import Device, Peer, RegistryError
from chatsim.chat.protocol import (
    FROM_SERVER,
    AddFriendNotice,
    AuthFriendNotice,
    Decoder,
    ErrorCode,
    FirstText,
    Message,
    NumberedText,
    ProtocolError,
    TextsNotice,
    encode,
)
from chatsim.worlds.common import peers_pb2 as pb

__all__ = [
    "DEADLINE",
    "METHODS",
    "QUEUE_BYTES",
    "Call",
    "Method",
    "PeerQueue",
    "UnreachableError",
    "answer",
    "kick",
    "push",
]

_log = logging.getLogger(__name__)

DEADLINE = 5.0
"""The largest time of a call to a peer in seconds, including the time in the queue."""

QUEUE_BYTES = 1_048_576
"""The largest size of the calls that wait for one peer, in bytes; `_OVERHEAD` is added for the objects of each."""

_OVERHEAD = 1_024
_AT_ONCE = 64


class UnreachableError(Exception):
    """A call did not reach its peer. The message has the reason."""


@dataclass(frozen=True)
class Method:
    """A method of the ChatService.

    Attributes:
        name: its name.
        number: its position in the service, from 1.
        request, reply: the classes of its messages.
    """

    name: str
    number: int
    request: type[Protobuf]
    reply: type[Protobuf]


METHODS = {
    method.name: Method(method.name, number, getattr(pb, method.input_type.name), getattr(pb, method.output_type.name))
    for number, method in enumerate(pb.DESCRIPTOR.services_by_name["ChatService"].methods, start=1)
}


@dataclass(frozen=True)
class Call:
    """A method and its request."""

    method: Method
    request: Any  # a protobuf message of the method's


def kick(device: Device) -> Call:
    """The call that ends the session of ``device``, since the user has logged in elsewhere."""
    return Call(METHODS["NotifyKickUser"], pb.KickUserReq(uid=device.uid, session=device.session))


def push(device: Device, notice: Message) -> Call:
    """The call that pushes a notice to ``device``. If the source has no method for it, it is chatsim's ``Push``."""
    session, uid = device.session, device.uid
    match notice:
        case AddFriendNotice(error=0):
            card = {name: getattr(notice, name) for name in ("applyuid", "name", "desc", "icon", "nick", "sex")}
            return Call(METHODS["NotifyAddFriend"], pb.AddFriendReq(**card, touid=uid, session=session))
        case AuthFriendNotice(error=0):
            opening = [
                pb.AddFriendMsg(
                    sender_id=text.sender,
                    unique_id=text.unique_id,
                    msg_id=text.msg_id,
                    thread_id=text.thread_id,
                    msgcontent=text.msg_content,
                )
                for text in notice.chat_datas
            ]
            card = {name: getattr(notice, name) for name in ("fromuid", "touid", "name", "nick", "icon", "sex")}
            befriended = pb.AuthFriendReq(**card, textmsgs=opening, uid=uid, session=session)
            return Call(METHODS["NotifyAuthFriend"], befriended)
        case TextsNotice() if not any(text.msg_type for text in notice.texts):  # the source has no attachments
            texts = [
                pb.TextChatData(
                    unique_id=text.unique_id,
                    msg_id=text.message_id,
                    msgcontent=text.content,
                    chat_time=text.chat_time,
                    seq=text.seq,
                    sender=text.sender,
                    msg_type=text.msg_type,
                    status=text.status,
                )
                for text in notice.texts
            ]
            whose = {name: getattr(notice, name) for name in ("thread_id", "fromuid", "touid")}
            pushed = pb.TextChatMsgReq(**whose, textmsgs=texts, uid=uid, session=session)
            return Call(METHODS["NotifyTextChatMsg"], pushed)
    return Call(METHODS["Push"], pb.PushReq(uid=uid, session=session, frame=encode(notice)))


async def answer(node: Peer, name: str, request: Any) -> Any:
    """Carry out a peer's call to the node ``name``. Returns the reply, which says whether the session was there.

    Raises:
        ProtocolError: the request does not contain a complete notice.
    """
    match request:
        case pb.KickUserReq():
            there = await node.kicked(Device(request.uid, request.session, name))
            return pb.KickUserRsp(error=_error(there=there), uid=request.uid)
        case pb.AddFriendReq():
            applied = AddFriendNotice(
                *(0, request.applyuid, request.name, request.desc, request.icon, request.sex, request.nick)
            )
            there = await node.pushed(_device(request, request.touid, name), applied)
            return pb.AddFriendRsp(error=_error(there=there), applyuid=request.applyuid, touid=request.touid)
        case pb.AuthFriendReq():
            opening = tuple(
                FirstText(text.sender_id, text.msg_id, text.thread_id, text.unique_id, text.msgcontent)
                for text in request.textmsgs
            )
            befriended = AuthFriendNotice(
                *(0, request.fromuid, request.touid, request.name, request.nick, request.icon, request.sex), opening
            )
            there = await node.pushed(_device(request, request.uid, name), befriended)
            return pb.AuthFriendRsp(error=_error(there=there), fromuid=request.fromuid, touid=request.touid)
        case pb.TextChatMsgReq(thread_id=thread, fromuid=sender, touid=receiver):
            texts = tuple(
                NumberedText(
                    *(text.seq, text.msg_id, text.sender, text.unique_id),
                    *(text.msg_type, text.msgcontent, text.status, text.chat_time),
                )
                for text in request.textmsgs
            )
            there = await node.pushed(_device(request, request.uid, name), TextsNotice(thread, sender, receiver, texts))
            return pb.TextChatMsgRsp(error=_error(there=there), fromuid=sender, touid=receiver, thread_id=thread)
    decoder = Decoder(FROM_SERVER)
    decoder.feed(request.frame)
    notice = decoder.next_message()
    decoder.end()
    if notice is None:
        raise ProtocolError("a push without a frame")
    return pb.PushRsp(error=_error(there=await node.pushed(_device(request, request.uid, name), notice)))


def _device(request: Any, uid: int, node: str) -> Device:
    return Device(uid, request.session, node)


def _error(*, there: bool) -> ErrorCode:
    return ErrorCode.SUCCESS if there else ErrorCode.UID_INVALID


class PeerQueue:
    """The calls from a node to one peer. They begin in order; a limited number runs at the same time, the others wait.

    A call is dropped if too many wait, or if it was not answered within `DEADLINE`. Both are logged. No data is lost:
    a pushed text was stored before, and a session that should have been kicked ends when its presence is refreshed. A
    peer that hangs costs at most `QUEUE_BYTES`, until `DEADLINE` after the last call.

    Args:
        peer: the peer's name.
        carry: makes a call. It raises `UnreachableError`.
    """

    def __init__(self, peer: str, carry: Callable[[Call], Awaitable[Any]]) -> None:
        self._peer = peer
        self._carry = carry
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._waiting = 0
        self._dropped = 0

    async def send(self, device: Device, call: Call) -> None:
        """Make a call about one of the peer's sessions, or drop it. Returns within `DEADLINE` in both cases."""
        size = call.request.ByteSize() + _OVERHEAD
        if self._waiting + size > QUEUE_BYTES:
            if not self._dropped:
                _log.warning("too many calls wait for %s; new ones are dropped", self._peer)
            self._dropped += 1
            return
        self._waiting += size
        try:
            async with asyncio.timeout(DEADLINE), self._turns:
                reply = await self._carry(call)
        except (UnreachableError, RegistryError, TimeoutError, DecodeError) as error:
            reason = str(error) or f"no answer within {DEADLINE:g} s"
            _log.warning("%s of user %d did not reach %s: %s", call.method.name, device.uid, self._peer, reason)
        else:
            if reply.error:
                _log.info("%s has no session %s of user %d any more", self._peer, device.session, device.uid)
        finally:
            self._waiting -= size
            if self._dropped and not self._waiting:
                _log.warning("%d calls to %s were dropped", self._dropped, self._peer)
                self._dropped = 0
