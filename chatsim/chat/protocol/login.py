"""Messages about a session: login, heartbeats, and the notice that ends it."""

from __future__ import annotations

from chatsim.chat.protocol.parts import Id, Message, Part

__all__ = [
    "FriendApplication",
    "FriendEntry",
    "HeartbeatReply",
    "HeartbeatRequest",
    "LoginReply",
    "LoginRequest",
    "OfflineNotice",
]


class LoginRequest(Message, frozen=True, omit_defaults=True):
    """The first message on a connection: who, and the token that the status server gave.

    ``feed`` is not the source's: a client that says it is told of texts by `TextsNotice`, not by `TextNotice`.
    """

    ID = 1005
    uid: Id
    token: str
    feed: bool = False


class FriendApplication(Part, frozen=True):
    """Someone who wants to be a friend, in a login's reply; ``desc`` is their greeting, as in `AddFriendNotice`."""

    name: str
    uid: Id
    icon: str
    nick: str
    sex: int
    desc: str
    status: int


class FriendEntry(Part, frozen=True):
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
