"""Messages about users: looking for one, applying for a friendship, accepting it."""

from __future__ import annotations

from chatsim.chat.protocol.parts import Id, Message, Part

__all__ = [
    "AddFriendNotice",
    "AddFriendReply",
    "AddFriendRequest",
    "AuthFriendNotice",
    "AuthFriendReply",
    "AuthFriendRequest",
    "FirstText",
    "SearchUserReply",
    "SearchUserRequest",
]


class SearchUserRequest(Message, frozen=True):
    """Search for a user. ``uid`` is what was typed: digits are a user id, anything else is a name."""

    ID = 1007
    uid: str


class SearchUserReply(Message, frozen=True):
    """The user that was found. If there is none, ``error`` is 1011."""

    ID = 1008
    error: int
    uid: Id = 0
    name: str = ""
    nick: str = ""
    desc: str = ""
    sex: int = 0
    icon: str = ""


class AddFriendRequest(Message, frozen=True):
    """Apply for a friendship. ``applyname`` is the greeting, ``bakname`` the sender's own name for the other user."""

    ID = 1009
    uid: Id
    applyname: str
    bakname: str
    touid: Id


class AddFriendReply(Message, frozen=True):
    """The application has been stored."""

    ID = 1010
    error: int


class AddFriendNotice(Message, frozen=True):
    """Another user applies for a friendship."""

    ID = 1011
    error: int
    applyuid: Id
    name: str
    desc: str
    icon: str
    sex: int
    nick: str


class FirstText(Part, frozen=True):
    """One of the first messages in the thread of two new friends."""

    sender: Id
    msg_id: Id
    thread_id: Id
    unique_id: str
    msg_content: str


class AuthFriendRequest(Message, frozen=True):
    """Accept an application. ``back`` is the sender's own name for the other user."""

    ID = 1013
    fromuid: Id
    touid: Id
    back: str


class AuthFriendReply(Message, frozen=True):
    """Tells the user who accepted: the other user's profile, and the first messages of the thread."""

    ID = 1014
    error: int
    uid: Id = 0
    name: str = ""
    nick: str = ""
    icon: str = ""
    sex: int = 0
    chat_datas: tuple[FirstText, ...] = ()


class AuthFriendNotice(Message, frozen=True):
    """Tells the user who had applied that the application was accepted."""

    ID = 1015
    error: int
    fromuid: Id
    touid: Id
    name: str
    nick: str
    icon: str
    sex: int
    chat_datas: tuple[FirstText, ...]
