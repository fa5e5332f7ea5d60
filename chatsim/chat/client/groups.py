"""What a user does with groups. Each change is carried out by the server; then the client loads what has changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

from chatsim.chat.client import sync
from chatsim.chat.client.acting import Acting
from chatsim.chat.client.connection import RefusedError
from chatsim.chat.client.event import Event
from chatsim.chat.client.outbox import unique_id
from chatsim.chat.protocol import (
    AddMembersReply,
    AddMembersRequest,
    CreateGroupReply,
    CreateGroupRequest,
    ErrorCode,
    Member,
    MembersReply,
    MembersRequest,
    Message,
    MuteReply,
    MuteRequest,
    RemoveMemberReply,
    RemoveMemberRequest,
    RenameGroupReply,
    RenameGroupRequest,
    SetRoleReply,
    SetRoleRequest,
)

if TYPE_CHECKING:
    import numpy as np

__all__ = ["GroupActions"]

R = TypeVar("R", bound=Message)


class GroupActions(Acting):
    """The methods of a messenger that are about groups. All of them raise `ClientError`.

    After an error that leaves open whether a change was carried out, it may be repeated: it changes nothing twice.
    """

    _rng: np.random.Generator

    def new_unique_id(self) -> str:
        """A unique id for `create_group`."""
        return unique_id(self._rng)

    async def create_group(self, name: str, members: Sequence[int], unique: str | None = None) -> int:
        """Create a group of the user and of ``members``. Returns its thread.

        Args:
            name: the group's name.
            members: the other members, by their ids.
            unique: from `new_unique_id`. With the id of an earlier call it returns the group that was created then.
        """
        request = CreateGroupRequest(name, unique or self.new_unique_id(), tuple(members))
        made = await self._online().request(request, CreateGroupReply)
        await self._load_change(made.thread_id)
        return made.thread_id

    async def add(self, thread_id: int, users: Sequence[int]) -> None:
        """Add users to a group."""
        await self._change(thread_id, AddMembersRequest(thread_id, tuple(users)), AddMembersReply)

    async def remove(self, thread_id: int, uid: int) -> None:
        """Remove a member from a group."""
        await self._change(thread_id, RemoveMemberRequest(thread_id, uid), RemoveMemberReply)

    async def leave(self, thread_id: int) -> None:
        """Leave a group. It goes from the thread list; its messages stay in the local database."""
        try:
            await self.remove(thread_id, self.cache.uid)
        except RefusedError as error:
            if error.code != ErrorCode.NOT_A_MEMBER:
                raise
            await self._load_change(thread_id)  # the user was removed meanwhile

    async def rename(self, thread_id: int, name: str) -> None:
        """Give a group another name."""
        await self._change(thread_id, RenameGroupRequest(thread_id, name), RenameGroupReply)

    async def set_role(self, thread_id: int, uid: int, role: int) -> None:
        """Give a member a role: 0 member, 1 admin, 2 creator. With 2 the group is handed over."""
        await self._change(thread_id, SetRoleRequest(thread_id, uid, role), SetRoleReply)

    async def mute(self, thread_id: int, uid: int, seconds: int) -> None:
        """Let a member write nothing for so many seconds; with 0, let them write again."""
        await self._change(thread_id, MuteRequest(thread_id, uid, seconds), MuteReply)

    async def members(self, thread_id: int) -> list[Member]:
        """The members of a group, by id. They are loaded if they have changed since they were last loaded.

        How far they have the group, and have read it, is known only when they are loaded, and 0 otherwise.
        """
        if (known := await self.cache.members(thread_id)) is not None:
            return known
        found, roster = list[Member](), 0
        more, after = True, 0
        while more:
            page = await self._online().request(MembersRequest(thread_id, after), MembersReply)
            roster = min(roster, page.roster) if found else page.roster  # a later change is loaded with the next call
            found += page.members
            more = page.load_more
            if more and not (page.members and page.members[-1].uid > after):
                raise sync.StuckError(f"the members of thread {thread_id} do not go on after user {after}")
            after = page.members[-1].uid if page.members else after
        await self.cache.note_members(thread_id, roster, found)
        self._changed(Event(thread_id))
        return found

    async def _change(self, thread_id: int, request: Message, reply: type[R]) -> None:
        await self._online().request(request, reply)
        await self._load_change(thread_id)

    async def _load_change(self, thread_id: int) -> None:
        await sync.follow(self._online(), self.cache, thread_id)
        self._changed(Event(thread_id))
