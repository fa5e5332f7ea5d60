"""The wire: message ids, payloads and the frame codec. Bytes in, messages out; no I/O.

A frame is a header of four bytes, message id and body length, both unsigned 16-bit big-endian; then the body, a JSON
object in UTF-8 (system document, 3.2). Ids, keys and types are the source's (1.2 and 3.3), so that a client written for
its server can talk to this one. What the source has no message for has an id from 1101 up, and so have the errors that
it has no code for. ``docs/protocol.md`` has all of them in a table.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from enum import IntEnum
from functools import cache
from typing import Annotated, ClassVar

import msgspec

__all__ = [
    "FROM_CLIENT",
    "FROM_SERVER",
    "LARGEST_BODY",
    "LARGEST_ID",
    "REPLY",
    "REQUEST_LIMIT",
    "AcknowledgedText",
    "AddFriendNotice",
    "AddFriendReply",
    "AddFriendRequest",
    "AuthFriendNotice",
    "AuthFriendReply",
    "AuthFriendRequest",
    "CatchUpPart",
    "CatchUpReply",
    "CatchUpRequest",
    "CreatePrivateChatReply",
    "CreatePrivateChatRequest",
    "Decoder",
    "ErrorCode",
    "FirstText",
    "FriendApplication",
    "FriendEntry",
    "HeartbeatReply",
    "HeartbeatRequest",
    "HistoryReply",
    "HistoryRequest",
    "HistoryText",
    "Id",
    "LoadMessagesReply",
    "LoadMessagesRequest",
    "LoadThreadsReply",
    "LoadThreadsRequest",
    "LoginReply",
    "LoginRequest",
    "Message",
    "MessageTooLongError",
    "NumberedText",
    "OfflineNotice",
    "OutgoingText",
    "ProtocolError",
    "ReadNotice",
    "ReadReply",
    "ReadRequest",
    "SearchUserReply",
    "SearchUserRequest",
    "TextNotice",
    "TextReply",
    "TextRequest",
    "TextsNotice",
    "Thread",
    "ThreadNotice",
    "ThreadState",
    "ThreadStatesReply",
    "ThreadStatesRequest",
    "ThreadTexts",
    "encode",
]

LARGEST_BODY = 65_535
"""What the header's length can say, in bytes."""

REQUEST_LIMIT = 2_048
"""The source's limit for a body that a client sends, in bytes."""

_HEADER = struct.Struct(">HH")

LARGEST_ID = 2**63 - 1
"""Ids are BIGINT UNSIGNED in the tables, but many JSON readers end here."""

Id = Annotated[int, msgspec.Meta(ge=0, le=LARGEST_ID)]
"""A user, thread or message id."""


class ErrorCode(IntEnum):
    """The values of a reply's ``error``: the source's (system document, 3.4), and from 1101 up those it has none for.

    Those that end in ``FAILED`` are the server's trouble: the same request may succeed later.

    Attributes:
        SUCCESS: it is done.
        ERROR_JSON: what came is no message; never sent here, where such a connection ends.
        RPC_FAILED: the server can't do it now; in a message 1021: it closes.
        TOKEN_INVALID: the token proves nothing; the connection ends.
        UID_INVALID: there is no such user, or the request says it is from somebody else.
        CREATE_CHAT_FAILED: the private chat could not be made, or can't be: with oneself, or with nobody.
        LOAD_CHAT_FAILED: threads or messages could not be read, or what was read could not be noted.
        SEND_FAILED: the texts may not be stored; to send them again under their names is safe.
        NOT_A_MEMBER: there is no such thread, or who asks is not in it, or who is to read is not.
        NOT_FRIENDS: that is for friends only.
        BAD_CONTENT: nothing is said, or asked for, or too much, or a name is used twice.
        ALREADY_FRIENDS: there is nothing to apply for.
        NO_APPLICATION: there is nothing to accept.
        FRIENDS_FAILED: the application or the acceptance may not be stored; to repeat it is safe.
        NOT_IN_THIS_SCHEMA: the source's tables don't have that.
    """

    SUCCESS = 0
    ERROR_JSON = 1001
    RPC_FAILED = 1002
    TOKEN_INVALID = 1010
    UID_INVALID = 1011
    CREATE_CHAT_FAILED = 1012
    LOAD_CHAT_FAILED = 1013
    SEND_FAILED = 1101
    NOT_A_MEMBER = 1102
    NOT_FRIENDS = 1103
    BAD_CONTENT = 1104
    ALREADY_FRIENDS = 1105
    NO_APPLICATION = 1106
    FRIENDS_FAILED = 1107
    NOT_IN_THIS_SCHEMA = 1108


class ProtocolError(Exception):
    """The peer broke the protocol, for the reason in the message; the connection is over."""


class MessageTooLongError(ValueError):
    """A message's body is longer than the header can say."""


class _Part(msgspec.Struct, frozen=True):
    """A JSON object of the wire. Keys that it does not name are passed over when they arrive."""


class Message(_Part, frozen=True):
    """A body; each subclass has its message id."""

    ID: ClassVar[int]


# --- login, presence


class LoginRequest(Message, frozen=True, omit_defaults=True):
    """The first message on a connection: who, and the token that the status server gave.

    ``feed`` is not the source's: a client that says it is told of texts by `TextsNotice`, not by `TextNotice`.
    """

    ID = 1005
    uid: Id
    token: str
    feed: bool = False


class FriendApplication(_Part, frozen=True):
    """Someone who wants to be a friend, in a login's reply; ``desc`` is their greeting, as in `AddFriendNotice`."""

    name: str
    uid: Id
    icon: str
    nick: str
    sex: int
    desc: str
    status: int


class FriendEntry(_Part, frozen=True):
    """A friend, in a login's reply; ``back`` is the name one has given them."""

    name: str
    uid: Id
    icon: str
    nick: str
    sex: int
    desc: str
    back: str


class LoginReply(Message, frozen=True):
    """Who the user is. ``pwd`` is always empty here; the source sends the password back."""

    ID = 1006
    error: int
    uid: Id = 0
    pwd: str = ""
    name: str = ""
    email: str = ""
    nick: str = ""
    desc: str = ""
    sex: int = 0
    icon: str = ""
    apply_list: tuple[FriendApplication, ...] = ()
    friend_list: tuple[FriendEntry, ...] = ()


class OfflineNotice(Message, frozen=True):
    """This connection ends: the user has logged in elsewhere (``error`` 0), or the server closes (1002)."""

    ID = 1021
    error: int
    uid: Id


class HeartbeatRequest(Message, frozen=True):
    """The client is still there."""

    ID = 1023
    fromuid: Id


class HeartbeatReply(Message, frozen=True):
    """So is the server."""

    ID = 1024
    error: int


# --- friends


class SearchUserRequest(Message, frozen=True):
    """Look for a user; ``uid`` is what was typed: digits are an id, anything else a name."""

    ID = 1007
    uid: str


class SearchUserReply(Message, frozen=True):
    """The user that was found. No such user: an error 1011."""

    ID = 1008
    error: int
    uid: Id = 0
    name: str = ""
    nick: str = ""
    desc: str = ""
    sex: int = 0
    icon: str = ""


class AddFriendRequest(Message, frozen=True):
    """Apply for a friendship; ``applyname`` is the greeting, ``bakname`` the name one gives the other."""

    ID = 1009
    uid: Id
    applyname: str
    bakname: str
    touid: Id


class AddFriendReply(Message, frozen=True):
    """The application is stored."""

    ID = 1010
    error: int


class AddFriendNotice(Message, frozen=True):
    """Somebody applies for a friendship."""

    ID = 1011
    error: int
    applyuid: Id
    name: str
    desc: str
    icon: str
    sex: int
    nick: str


class FirstText(_Part, frozen=True):
    """One of the messages that open a friendship's thread."""

    sender: Id
    msg_id: Id
    thread_id: Id
    unique_id: str
    msg_content: str


class AuthFriendRequest(Message, frozen=True):
    """Accept an application; ``back`` is the name one gives the other."""

    ID = 1013
    fromuid: Id
    touid: Id
    back: str


class AuthFriendReply(Message, frozen=True):
    """The friendship, to who accepted it: the other's profile, and the thread's first messages."""

    ID = 1014
    error: int
    uid: Id = 0
    name: str = ""
    nick: str = ""
    icon: str = ""
    sex: int = 0
    chat_datas: tuple[FirstText, ...] = ()


class AuthFriendNotice(Message, frozen=True):
    """The friendship, to who had applied for it."""

    ID = 1015
    error: int
    fromuid: Id
    touid: Id
    name: str
    nick: str
    icon: str
    sex: int
    chat_datas: tuple[FirstText, ...]


# --- texts


class OutgoingText(_Part, frozen=True):
    """A text as its author sends it."""

    content: str
    unique_id: str


class TextRequest(Message, frozen=True):
    """A batch of texts into one thread."""

    ID = 1017
    fromuid: Id
    touid: Id
    thread_id: Id
    text_array: tuple[OutgoingText, ...]


class AcknowledgedText(_Part, frozen=True):
    """A text as it was stored."""

    message_id: Id
    unique_id: str
    content: str
    status: int
    chat_time: str


class TextReply(Message, frozen=True):
    """The texts are stored: to their author."""

    ID = 1018
    error: int
    fromuid: Id = 0
    touid: Id = 0
    thread_id: Id = 0
    chat_datas: tuple[AcknowledgedText, ...] = ()


class TextNotice(Message, frozen=True):
    """The texts, to who is to read them."""

    ID = 1019
    error: int
    fromuid: Id
    touid: Id
    thread_id: Id
    chat_datas: tuple[AcknowledgedText, ...]


# --- threads and history


class LoadThreadsRequest(Message, frozen=True):
    """The user's threads after ``thread_id``, 0 for the first page."""

    ID = 1025
    uid: Id
    thread_id: Id


class Thread(_Part, frozen=True):
    """A thread; a group's user ids are 0."""

    thread_id: Id
    type: str
    user1_id: Id
    user2_id: Id


class LoadThreadsReply(Message, frozen=True):
    """A page of threads, and where the next one begins."""

    ID = 1026
    error: int
    uid: Id = 0
    load_more: bool = False
    next_last_id: Id = 0
    threads: tuple[Thread, ...] = ()


class CreatePrivateChatRequest(Message, frozen=True):
    """The thread with ``other_id``, made if there is none."""

    ID = 1027
    uid: Id
    other_id: Id


class CreatePrivateChatReply(Message, frozen=True):
    """The thread of the two."""

    ID = 1028
    error: int
    uid: Id = 0
    other_id: Id = 0
    thread_id: Id = 0


class LoadMessagesRequest(Message, frozen=True):
    """A thread's messages after ``message_id``."""

    ID = 1029
    thread_id: Id
    message_id: Id


class HistoryText(_Part, frozen=True):
    """A message of a thread's history; the source's ``unique_id`` is the number 0."""

    sender: Id
    msg_id: Id
    thread_id: Id
    unique_id: int
    msg_content: str
    chat_time: str


class LoadMessagesReply(Message, frozen=True):
    """A page of history, and where the next one begins."""

    ID = 1030
    error: int
    thread_id: Id = 0
    last_message_id: Id = 0
    load_more: bool = False
    chat_datas: tuple[HistoryText, ...] = ()


# --- what the source has no message for


class NumberedText(_Part, frozen=True):
    """A message with its number in the thread: ``seq`` counts from 1 and leaves nothing out."""

    seq: Id
    message_id: Id
    sender: Id
    unique_id: str
    msg_type: int
    content: str
    status: int
    chat_time: str


class HistoryRequest(Message, frozen=True):
    """A thread's messages next to number ``seq``: those above it, or with ``backward`` those below."""

    ID = 1101
    thread_id: Id
    seq: Id
    backward: bool


class HistoryReply(Message, frozen=True):
    """A page of history, by number, the one next to ``seq`` for certain; whether there are more in that direction."""

    ID = 1102
    error: int
    thread_id: Id = 0
    load_more: bool = False
    texts: tuple[NumberedText, ...] = ()


class ThreadState(_Part, frozen=True):
    """A thread as the user has it.

    ``last_seq`` is the number of its last message, ``read1`` and ``read2`` how far ``user1_id`` and ``user2_id`` have
    read, ``version`` the user's number for what last happened to it, ``unread`` how many of others' messages they have
    not read.
    """

    thread_id: Id
    type: str
    user1_id: Id
    user2_id: Id
    last_seq: Id
    read1: Id
    read2: Id
    version: Id
    unread: Id


class ThreadStatesRequest(Message, frozen=True):
    """The user's threads to which something has happened after version ``since``, and before ``before`` if not 0."""

    ID = 1103
    since: Id
    before: Id


class ThreadStatesReply(Message, frozen=True):
    """A page of threads, newest version first."""

    ID = 1104
    error: int
    load_more: bool = False
    threads: tuple[ThreadState, ...] = ()


class ReadRequest(Message, frozen=True):
    """The user has read the thread up to ``seq``."""

    ID = 1105
    thread_id: Id
    seq: Id


class ReadReply(Message, frozen=True):
    """That is noted."""

    ID = 1106
    error: int


class ReadNotice(Message, frozen=True):
    """``uid`` has read the thread up to ``seq``."""

    ID = 1107
    thread_id: Id
    uid: Id
    seq: Id


class TextsNotice(Message, frozen=True):
    """New texts in a thread, to all devices of its members whose clients want the feed; ``touid`` is 0 in a group."""

    ID = 1109
    thread_id: Id
    fromuid: Id
    touid: Id
    texts: tuple[NumberedText, ...]


class ThreadNotice(Message, frozen=True):
    """Something has happened to a thread, or it is new: the user's thread states tell what."""

    ID = 1111
    thread_id: Id


class CatchUpRequest(Message, frozen=True):
    """What is above number ``after[i]`` in thread ``threads[i]``, and below number ``below[i]`` if that is not 0."""

    ID = 1113
    threads: tuple[Id, ...]
    after: tuple[Id, ...]
    below: tuple[Id, ...]


class CatchUpReply(Message, frozen=True):
    """All of it has been sent, in the parts that came before."""

    ID = 1114
    error: int


class ThreadTexts(_Part, frozen=True):
    """Messages of one thread, by number."""

    thread_id: Id
    texts: tuple[NumberedText, ...]


class CatchUpPart(Message, frozen=True):
    """A part of what a `CatchUpRequest` asks for; as many of them as it takes come before the reply."""

    ID = 1115
    threads: tuple[ThreadTexts, ...]


def _by_id(*messages: type[Message]) -> Mapping[int, type[Message]]:
    return {message.ID: message for message in messages}


FROM_CLIENT = _by_id(
    LoginRequest,
    SearchUserRequest,
    AddFriendRequest,
    AuthFriendRequest,
    TextRequest,
    HeartbeatRequest,
    LoadThreadsRequest,
    CreatePrivateChatRequest,
    LoadMessagesRequest,
    HistoryRequest,
    ThreadStatesRequest,
    ReadRequest,
    CatchUpRequest,
)
"""What a client may send, by message id."""

FROM_SERVER = _by_id(
    LoginReply,
    SearchUserReply,
    AddFriendReply,
    AddFriendNotice,
    AuthFriendReply,
    AuthFriendNotice,
    TextReply,
    TextNotice,
    OfflineNotice,
    HeartbeatReply,
    LoadThreadsReply,
    CreatePrivateChatReply,
    LoadMessagesReply,
    HistoryReply,
    ThreadStatesReply,
    ReadReply,
    ReadNotice,
    TextsNotice,
    ThreadNotice,
    CatchUpReply,
    CatchUpPart,
)
"""What a server may send, by message id."""


REPLY: Mapping[type[Message], type[Message]] = {
    request: FROM_SERVER[number + 1] for number, request in FROM_CLIENT.items()
}
"""What answers a request. Replies carry no request's number: they come in the order of the requests."""


def encode(message: Message) -> bytes:
    """The frame of a message. Raises `MessageTooLongError`."""
    body = msgspec.json.encode(message)
    if len(body) > LARGEST_BODY:
        raise MessageTooLongError(
            f"message {message.ID} has {len(body)} bytes, more than the {LARGEST_BODY} of a frame"
        )
    return _HEADER.pack(message.ID, len(body)) + body


@cache
def _decoder(message: type[Message]) -> msgspec.json.Decoder[Message]:
    """One for all connections: it has no state, and takes longer to make than to use."""
    return msgspec.json.Decoder(message)


class Decoder:
    """Turns what a peer sends into messages.

    Args:
        known: what that peer may send, `FROM_CLIENT` or `FROM_SERVER`.
        limit: the most bytes of a body.
    """

    def __init__(self, known: Mapping[int, type[Message]], limit: int = LARGEST_BODY) -> None:
        self._decoders = {number: _decoder(message) for number, message in known.items()}
        self._limit = limit
        self._buffer = bytearray()

    def feed(self, data: bytes) -> None:
        """Take what has arrived."""
        self._buffer += data

    def next_message(self) -> Message | None:
        """The next whole message, or None until more has arrived.

        Raises:
            ProtocolError: what has arrived is no message; it stays so.
        """
        if len(self._buffer) < _HEADER.size:
            return None
        number, length = _HEADER.unpack_from(self._buffer)
        if number not in self._decoders:
            raise ProtocolError(f"unknown message id {number}")
        if length > self._limit:
            raise ProtocolError(f"message {number} has {length} bytes, more than the {self._limit} allowed")
        end = _HEADER.size + length
        if len(self._buffer) < end:
            return None
        try:
            message = self._decoders[number].decode(memoryview(self._buffer)[_HEADER.size : end])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ProtocolError(f"message {number}: {error}") from error
        del self._buffer[:end]
        return message

    def end(self) -> None:
        """The peer has closed. Raises `ProtocolError` if that was within a frame."""
        if self._buffer:
            raise ProtocolError(f"the connection ended within a frame, after {len(self._buffer)} bytes of it")
