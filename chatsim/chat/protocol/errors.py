"""The numbers that a reply's ``error`` can have."""

from __future__ import annotations

from enum import IntEnum

__all__ = ["ErrorCode"]


class ErrorCode(IntEnum):
    """The values of a reply's ``error``: the source's (docs/source.md, 3.4), and from 1101 up those it has none for.

    Those that end in ``FAILED`` are the server's trouble: the same request may succeed later.

    Attributes:
        SUCCESS: it is done.
        ERROR_JSON: what came is no message; never sent here, where such a connection ends.
        RPC_FAILED: the server can't do it now; in a message 1021: it closes.
        TOKEN_INVALID: the token proves nothing; the connection ends.
        UID_INVALID: there is no such user, or the request says it is from somebody else.
        CREATE_CHAT_FAILED: the private chat could not be made, or can't be: with oneself, or with nobody.
        LOAD_CHAT_FAILED: threads or messages could not be read, or what was read could not be noted.
        SEND_FAILED: the texts may not be stored; to send them again under their names is safe.
        NOT_A_MEMBER: there is no such thread, or who asks is not in it, or who is to read is not.
        NOT_FRIENDS: that is for friends only.
        BAD_CONTENT: nothing is said, or asked for, or too much, or a name is used twice.
        ALREADY_FRIENDS: there is nothing to apply for.
        NO_APPLICATION: there is nothing to accept.
        FRIENDS_FAILED: the application or the acceptance may not be stored; to repeat it is safe.
        NOT_IN_THIS_SCHEMA: the source's tables don't have that.
    """

    SUCCESS = 0
    ERROR_JSON = 1001
    RPC_FAILED = 1002
    TOKEN_INVALID = 1010
    UID_INVALID = 1011
    CREATE_CHAT_FAILED = 1012
    LOAD_CHAT_FAILED = 1013
    SEND_FAILED = 1101
    NOT_A_MEMBER = 1102
    NOT_FRIENDS = 1103
    BAD_CONTENT = 1104
    ALREADY_FRIENDS = 1105
    NO_APPLICATION = 1106
    FRIENDS_FAILED = 1107
    NOT_IN_THIS_SCHEMA = 1108
