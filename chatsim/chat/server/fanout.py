"""Fan-out: a notice is sent to all devices of the users that it concerns, on every node."""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

from chatsim.chat.ports import Device, Peers, Presence, RegistryError
from chatsim.chat.protocol import (
    AcknowledgedText,
    AuthFriendNotice,
    DeliveredNotice,
    Message,
    ReadNotice,
    RevisedNotice,
    TextNotice,
    TextsNotice,
    ThreadNotice,
)
from chatsim.chat.server.group_queue import GroupQueue
from chatsim.chat.server.push_queue import PushQueue
from chatsim.chat.server.session import ClientSession

__all__ = ["FanOut"]

_log = logging.getLogger(__name__)


class FanOut:
    """Pushes notices to the devices of users, in tasks of its own: no reply waits for a push.

    A push that does not reach its device is lost, but no data is lost: a text is stored before it is pushed, so the
    device gets it with its next catch-up. A device that stays online catches up regularly. It has a text at most
    `Timing.resync` of its messenger, and the time of one catch-up, after the text was stored.

    Args:
        node: this node's name.
        sessions: this node's sessions, by the device's session id.
        presence: which nodes a user is on.
        peers: calls the other nodes.
        spawn: runs a coroutine as a task.
    """

    def __init__(
        self,
        node: str,
        sessions: Mapping[str, ClientSession],
        presence: Presence,
        peers: Peers,
        spawn: Callable[[Coroutine[Any, Any, None]], object],
    ) -> None:
        self._node = node
        self._sessions = sessions
        self._presence = presence
        self._peers = peers
        self._spawn = spawn
        self._queue = PushQueue(node, self._push, spawn)
        self._groups = GroupQueue(node, self._push_to_user, spawn)

    def push_to_user(self, uid: int, notice: Message, *, but: ClientSession | None = None) -> None:
        """Push a notice to all devices of a user, except ``but``, whose request has caused it."""
        self._spawn(self._push_to_user(uid, notice, but))

    def push_to_group(
        self, thread: int, uids: Sequence[int], notice: Message, *, but: ClientSession | None = None
    ) -> None:
        """Push a notice to all devices of the members of a group, except ``but``.

        The notices of one group reach each member in the order of the calls.
        """
        self._groups.push(thread, uids, notice, but)

    async def _push_to_user(self, uid: int, notice: Message, but: ClientSession | None) -> None:
        try:
            devices = await self._presence.find(uid)
        except RegistryError as error:
            kind = type(notice).__name__
            _log.warning("%s: a %s is pushed to user %d on this node only: %s", self._node, kind, uid, error)
            devices = [each.device for each in self._sessions.values() if each.device and each.uid == uid]
        not_to = but.device if but is not None else None
        self._queue.push(uid, [device for device in devices if device != not_to], notice)

    def _push(self, device: Device, notice: Message) -> None:
        if device.node == self._node:
            self.push(device, notice)
        else:
            self._spawn(self._peers.push(device, notice))

    def push(self, device: Device, notice: Message) -> bool:
        """Push a notice to one of this node's devices. Returns whether the device has a session here."""
        session = self._sessions.get(device.session)
        if session and (message := _in_dialect(notice, device.uid, feed=session.feed)):
            session.push(message)
        return session is not None


def _in_dialect(notice: Message, uid: int, *, feed: bool) -> Message | None:
    """The notice in the form that ``uid``'s client understands, or None if it understands none."""
    if feed:
        return notice
    match notice:
        case DeliveredNotice() | ReadNotice() | RevisedNotice() | ThreadNotice():
            return None
        case AuthFriendNotice(fromuid=accepter) if accepter == uid:
            return None  # the source's client would take the accepting user for the new friend
        case TextsNotice():
            texts = tuple(
                AcknowledgedText(each.message_id, each.unique_id, each.content, each.status, each.chat_time)
                for each in notice.texts
            )
            return TextNotice(0, notice.fromuid, notice.touid, notice.thread_id, texts)
    return notice
