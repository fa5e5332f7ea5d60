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
    """The first message on a connection: the user, and the token from the status server.

    ``feed`` is chatsim's own. A client that sets it gets new texts as `TextsNotice`, and not as `TextNotice`.
    """

    ID = 1005
    uid: Id
    token: str
    feed: bool = False


class FriendApplication(Part, frozen=True):
    """A friend application in the reply to a login. ``desc`` is the greeting, as in `AddFriendNotice`."""

    name: str
    uid: Id
    icon: str
    nick: str
    sex: int
    desc: str
    status: int


class FriendEntry(Part, frozen=True):
    """A friend in the reply to a login. ``back`` is the user's own name for this friend."""

    name: str
    uid: Id
    icon: str
    nick: str
    sex: int
    desc: str
    back: str


class LoginReply(Message, frozen=True):
    """The user's profile, applications and friends. ``pwd`` is always empty; the source sends the password back."""

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
    """This connection ends: the user has logged in elsewhere (``error`` 0), or the server is closing (1002)."""

    ID = 1021
    error: int
    uid: Id


class HeartbeatRequest(Message, frozen=True):
    """Tells the server that the client is still connected."""

    ID = 1023
    fromuid: Id


class HeartbeatReply(Message, frozen=True):
    """Tells the client that the server is still connected."""

    ID = 1024
    error: int
