"""What a user does about other users: searching, becoming friends, and opening a private chat."""

from __future__ import annotations

from collections.abc import Sequence

from chatsim.chat.client import sync
from chatsim.chat.client.acting import Acting
from chatsim.chat.client.event import Event
from chatsim.chat.protocol import (
    AddFriendReply,
    AddFriendRequest,
    AuthFriendReply,
    AuthFriendRequest,
    FirstText,
    FriendApplication,
    FriendEntry,
    SearchUserReply,
    SearchUserRequest,
)

__all__ = ["FriendActions"]


class FriendActions(Acting):
    """The methods of a messenger that are about other users.

    Attributes:
        applications: the friend applications of other users, by user id.
    """

    applications: dict[int, FriendApplication]
    _names: dict[int, str]  # the user's own names for those to whom the user has applied

    def _request_fetch(self, thread_id: int, *, state: bool = False) -> None:
        raise NotImplementedError

    async def search(self, typed: str) -> SearchUserReply:
        """Search for a user by id or name. Raises `ClientError`."""
        return await self._ask(SearchUserRequest(typed), SearchUserReply)

    async def apply(self, uid: int, greeting: str = "", back: str = "") -> None:
        """Apply for a friendship. ``back`` is the user's own name for the other user. Raises `ClientError`."""
        await self._ask(AddFriendRequest(self.cache.uid, greeting, back, uid), AddFriendReply)
        self._names[uid] = back

    async def accept(self, uid: int, back: str = "") -> int:
        """Accept an application. Returns the thread. Raises `ClientError`."""
        connection = self._online()
        reply = await connection.request(AuthFriendRequest(self.cache.uid, uid, back), AuthFriendReply)
        friend = FriendEntry(reply.name, uid, reply.icon, reply.nick, reply.sex, "", back)
        await self._note_friend(friend, reply.chat_datas)
        if not reply.chat_datas:
            return await self.chat_with(uid)
        thread_id = reply.chat_datas[0].thread_id
        if await self.cache.thread(thread_id) is None:  # what they do next may be in it
            await sync.refresh(connection, self.cache)
        return thread_id

    async def chat_with(self, uid: int) -> int:
        """The thread of the private chat with a user, which is created if there is none. Raises `ClientError`."""
        for thread in await self.cache.threads():
            if {thread.user1_id, thread.user2_id} == {self.cache.uid, uid}:
                return thread.thread_id
        connection = self._online()
        thread_id = await connection.create_private_chat(uid)
        await sync.fetch(connection, self.cache, thread_id)
        self._changed(Event(thread_id))
        return thread_id

    async def _note_friend(self, friend: FriendEntry, opening: Sequence[FirstText]) -> None:
        self.applications.pop(friend.uid, None)
        if friend.back or friend.uid not in await self.cache.friends():
            await self.cache.note_friends([friend])
        for text in opening:
            self._request_fetch(text.thread_id)
        self._changed(Event())
