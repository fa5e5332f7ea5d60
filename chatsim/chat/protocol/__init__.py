"""The wire: message ids, payloads and the frame codec.

Ids, keys and types are the source's (docs/source.md, 1.2 and 3.3), so that a client that was written for its server can
talk to this one. Messages and errors that the source does not have are numbered from 1101 up. ``docs/protocol.md``
lists all of them. There is a module for each topic; other code imports all names from this package.
"""

from __future__ import annotations

from chatsim.chat.protocol.catchup import CatchUpPart, CatchUpReply, CatchUpRequest, ThreadTexts
from chatsim.chat.protocol.errors import ErrorCode
from chatsim.chat.protocol.framing import (
    LARGEST_BODY,
    REQUEST_LIMIT,
    Decoder,
    MessageTooLongError,
    ProtocolError,
    encode,
)
from chatsim.chat.protocol.friends import (
    AddFriendNotice,
    AddFriendReply,
    AddFriendRequest,
    AuthFriendNotice,
    AuthFriendReply,
    AuthFriendRequest,
    FirstText,
    SearchUserReply,
    SearchUserRequest,
)
from chatsim.chat.protocol.login import (
    FriendApplication,
    FriendEntry,
    HeartbeatReply,
    HeartbeatRequest,
    LoginReply,
    LoginRequest,
    OfflineNotice,
)
from chatsim.chat.protocol.parts import LARGEST_ID, Id, Message
from chatsim.chat.protocol.table import FROM_CLIENT, FROM_SERVER, REPLY
from chatsim.chat.protocol.texts import (
    AcknowledgedText,
    HistoryReply,
    HistoryRequest,
    HistoryText,
    LoadMessagesReply,
    LoadMessagesRequest,
    NumberedText,
    OutgoingText,
    TextNotice,
    TextReply,
    TextRequest,
    TextsNotice,
)
from chatsim.chat.protocol.threads import (
    CreatePrivateChatReply,
    CreatePrivateChatRequest,
    LoadThreadsReply,
    LoadThreadsRequest,
    ReadNotice,
    ReadReply,
    ReadRequest,
    Thread,
    ThreadNotice,
    ThreadState,
    ThreadStatesReply,
    ThreadStatesRequest,
)

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
