"""Messages about groups: creating one, its members, their roles, and who may not write."""

from __future__ import annotations

from chatsim.chat.protocol.parts import Id, Message, Part

__all__ = [
    "AddMembersReply",
    "AddMembersRequest",
    "CreateGroupReply",
    "CreateGroupRequest",
    "Member",
    "MembersReply",
    "MembersRequest",
    "MuteReply",
    "MuteRequest",
    "RemoveMemberReply",
    "RemoveMemberRequest",
    "RenameGroupReply",
    "RenameGroupRequest",
    "SetRoleReply",
    "SetRoleRequest",
]


class CreateGroupRequest(Message, frozen=True):
    """Create a group of the sender, who becomes its creator, and of ``members``.

    ``unique_id`` is the sender's own name for the request: a request that is sent again gets the same group.
    """

    ID = 1117
    name: str
    unique_id: str
    members: tuple[Id, ...]


class CreateGroupReply(Message, frozen=True):
    """The new group's thread."""

    ID = 1118
    error: int
    thread_id: Id = 0


class AddMembersRequest(Message, frozen=True):
    """Add users to a group. Those who are members already stay as they are."""

    ID = 1119
    thread_id: Id
    members: tuple[Id, ...]


class AddMembersReply(Message, frozen=True):
    """All of them are members."""

    ID = 1120
    error: int


class RemoveMemberRequest(Message, frozen=True):
    """Remove a member from a group; with the sender's own id, leave it."""

    ID = 1121
    thread_id: Id
    user_id: Id


class RemoveMemberReply(Message, frozen=True):
    """The user is no member."""

    ID = 1122
    error: int


class RenameGroupRequest(Message, frozen=True):
    """Give a group another name."""

    ID = 1123
    thread_id: Id
    name: str


class RenameGroupReply(Message, frozen=True):
    """The group has this name."""

    ID = 1124
    error: int


class SetRoleRequest(Message, frozen=True):
    """Give a member a role: 0 member, 1 admin, 2 creator. With 2 the sender hands the group over, and is an admin."""

    ID = 1125
    thread_id: Id
    user_id: Id
    role: int


class SetRoleReply(Message, frozen=True):
    """The member has this role."""

    ID = 1126
    error: int


class MuteRequest(Message, frozen=True):
    """Let a member write nothing for so many seconds; 0 seconds let them write again."""

    ID = 1127
    thread_id: Id
    user_id: Id
    seconds: Id


class MuteReply(Message, frozen=True):
    """The member is muted, or is not any more."""

    ID = 1128
    error: int


class MembersRequest(Message, frozen=True):
    """Ask for a group's members with an id above ``after``; 0 is the first page."""

    ID = 1129
    thread_id: Id
    after: Id


class Member(Part, frozen=True):
    """A member of a group. ``nick`` is the name to show.

    ``muted_until`` is empty for a member who may write. ``delivered`` and ``read`` are positions, as numbers of
    messages.
    """

    uid: Id
    nick: str
    role: int
    muted_until: str
    delivered: Id
    read: Id


class MembersReply(Message, frozen=True):
    """A page of members, ordered by id. ``roster`` is the number of changes of members, roles and mutes so far."""

    ID = 1130
    error: int
    thread_id: Id = 0
    load_more: bool = False
    roster: Id = 0
    members: tuple[Member, ...] = ()
