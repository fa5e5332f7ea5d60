"""The table of messages: which ones a client may send, which ones a server may send, and which one answers which."""

from __future__ import annotations

from collections.abc import Mapping

from chatsim.chat.protocol.attachments import (
    AttachmentReply,
    AttachmentRequest,
    ChunkReply,
    ChunkRequest,
    DownloadReply,
    DownloadRequest,
    UploadReply,
    UploadRequest,
)
from chatsim.chat.protocol.catchup import CatchUpPart, CatchUpReply, CatchUpRequest
from chatsim.chat.protocol.friends import (
    AddFriendNotice,
    AddFriendReply,
    AddFriendRequest,
    AuthFriendNotice,
    AuthFriendReply,
    AuthFriendRequest,
    SearchUserReply,
    SearchUserRequest,
)
from chatsim.chat.protocol.groups import (
    AddMembersReply,
    AddMembersRequest,
    CreateGroupReply,
    CreateGroupRequest,
    MembersReply,
    MembersRequest,
    MuteReply,
    MuteRequest,
    RemoveMemberReply,
    RemoveMemberRequest,
    RenameGroupReply,
    RenameGroupRequest,
    SetRoleReply,
    SetRoleRequest,
)
from chatsim.chat.protocol.login import HeartbeatReply, HeartbeatRequest, LoginReply, LoginRequest, OfflineNotice
from chatsim.chat.protocol.parts import Message
from chatsim.chat.protocol.receipts import (
    DeliveredNotice,
    DeliveredReply,
    DeliveredRequest,
    ReceiptsReply,
    ReceiptsRequest,
)
from chatsim.chat.protocol.revisions import (
    EditReply,
    EditRequest,
    RecallReply,
    RecallRequest,
    RevisedNotice,
    RevisionsReply,
    RevisionsRequest,
)
from chatsim.chat.protocol.texts import (
    DateReply,
    DateRequest,
    HistoryReply,
    HistoryRequest,
    LoadMessagesReply,
    LoadMessagesRequest,
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
    ThreadNotice,
    ThreadStatesReply,
    ThreadStatesRequest,
)

__all__ = ["FROM_CLIENT", "FROM_SERVER", "REPLY"]


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
    CreateGroupRequest,
    AddMembersRequest,
    RemoveMemberRequest,
    RenameGroupRequest,
    SetRoleRequest,
    MuteRequest,
    MembersRequest,
    UploadRequest,
    ChunkRequest,
    AttachmentRequest,
    DownloadRequest,
    RecallRequest,
    EditRequest,
    RevisionsRequest,
    ReceiptsRequest,
    DeliveredRequest,
    DateRequest,
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
    CreateGroupReply,
    AddMembersReply,
    RemoveMemberReply,
    RenameGroupReply,
    SetRoleReply,
    MuteReply,
    MembersReply,
    UploadReply,
    ChunkReply,
    AttachmentReply,
    DownloadReply,
    RecallReply,
    EditReply,
    RevisedNotice,
    RevisionsReply,
    ReceiptsReply,
    DeliveredReply,
    DeliveredNotice,
    DateReply,
)
"""What a server may send, by message id."""

REPLY: Mapping[type[Message], type[Message]] = {
    request: FROM_SERVER[number + 1] for number, request in FROM_CLIENT.items()
}
"""From the id of a request to the id of its reply. Replies have no number: they come in the order of the requests."""
