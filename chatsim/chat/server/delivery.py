"""How what happens reaches the devices of those whom it concerns, on whatever node they are."""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from chatsim.chat.ports import Device, Peers, Presence, RegistryError
from chatsim.chat.protocol import (
    AcknowledgedText,
    AuthFriendNotice,
    Message,
    ReadNotice,
    TextNotice,
    TextsNotice,
    ThreadNotice,
)
from chatsim.chat.server.session import Session

__all__ = ["Delivery"]

_log = logging.getLogger(__name__)


class Delivery:
    """Tells users, beside whatever asked for it: nobody's reply waits for it.

    A device that can't be reached is not told. It has what it missed from its next catch-up: what is told was stored
    before. One that stays online catches up by itself now and then: it has a text at most `Patience.resync` of its
    messenger after it was stored, and the time that a look takes.

    Args:
        node: this node's name.
        sessions: this node's, by the device's session id.
        presence: which nodes a user is on.
        peers: the other nodes.
        spawn: runs a coroutine beside.
    """

    def __init__(
        self,
        node: str,
        sessions: Mapping[str, Session],
        presence: Presence,
        peers: Peers,
        spawn: Callable[[Coroutine[Any, Any, None]], object],
    ) -> None:
        self._node = node
        self._sessions = sessions
        self._presence = presence
        self._peers = peers
        self._spawn = spawn

    def tell(self, uid: int, notice: Message, *, but: Session | None = None) -> None:
        """Tell all devices of a user, ``but`` one that knows already."""
        self._spawn(self._tell(uid, notice, but))

    async def _tell(self, uid: int, notice: Message, but: Session | None) -> None:
        try:
            devices = await self._presence.find(uid)
        except RegistryError as error:
            what = type(notice).__name__
            _log.warning("%s: user %d is told of a %s on this node only: %s", self._node, uid, what, error)
            devices = [each.device for each in self._sessions.values() if each.device and each.uid == uid]
        for device in devices:
            if device.node != self._node:
                self._spawn(self._peers.push(device, notice))
            elif but is None or device != but.device:
                self.push(device, notice)

    def push(self, device: Device, notice: Message) -> bool:
        """Tell one of this node's devices, if it is still there; returns whether it is."""
        session = self._sessions.get(device.session)
        if session and (message := _in_dialect(notice, device.uid, feed=session.feed)):
            session.push(message)
        return session is not None


def _in_dialect(notice: Message, uid: int, *, feed: bool) -> Message | None:
    """A notice as ``uid``'s client understands it, or None if it has no use for it."""
    if feed:
        return notice
    match notice:
        case ReadNotice() | ThreadNotice():
            return None
        case AuthFriendNotice(fromuid=accepter) if accepter == uid:
            return None  # the source's takes whoever has accepted for the friend
        case TextsNotice():
            texts = tuple(
                AcknowledgedText(each.message_id, each.unique_id, each.content, each.status, each.chat_time)
                for each in notice.texts
            )
            return TextNotice(0, notice.fromuid, notice.touid, notice.thread_id, texts)
    return notice
