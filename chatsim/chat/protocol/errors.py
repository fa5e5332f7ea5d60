"""The numbers that a reply's ``error`` can have."""

from __future__ import annotations

from enum import IntEnum

__all__ = ["ErrorCode"]


class ErrorCode(IntEnum):
    """The values of a reply's ``error``.

    Values below 1101 are the source's (docs/source.md, 3.4); values from 1101 up are chatsim's own. A name that ends in
    ``FAILED`` means that the server could not do it now: the same request may succeed later.

    Attributes:
        SUCCESS: the request has been carried out.
        ERROR_JSON: the body is not valid; chatsim never sends it, it closes such a connection.
        RPC_FAILED: the server can't do this now; in message 1021, the server is closing.
        TOKEN_INVALID: the token is wrong or has expired; the connection ends.
        UID_INVALID: there is no such user, or the request names another user as its sender.
        CREATE_CHAT_FAILED: the private chat was not created; with oneself or an unknown user it never will be.
        LOAD_CHAT_FAILED: threads or messages could not be read, or a read position could not be stored.
        SEND_FAILED: it is not certain that the texts were stored; sending them again with the same unique ids is safe.
        NOT_A_MEMBER: there is no such thread, or the user is not a member, or the receiver is not.
        NOT_FRIENDS: only friends may do this.
        BAD_CONTENT: a text is empty or too long, a list is empty or too long, or a unique id is repeated or reserved.
        ALREADY_FRIENDS: the two users are friends already, so there is nothing to apply for.
        NO_APPLICATION: there is no application to accept.
        FRIENDS_FAILED: it is not certain that the application or acceptance was stored; repeating it is safe.
        NOT_IN_THIS_SCHEMA: the source's tables have nothing to store this in.
        NOT_ALLOWED: the user's role in the group does not allow this.
        MUTED: the user may not write in this group now.
        TOO_LATE: the message is too old to be recalled or edited.
        GROUP_FAILED: it is not certain that the change of the group was stored; repeating it is safe.
        FILE_REFUSED: the file's name, kind, size or checksum is wrong, the quota is used up, or there is no such file.
        FILE_FAILED: the bytes could not be stored or read, or it is unknown whether the attachment was sent; repeat it.
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
    NOT_ALLOWED = 1109
    MUTED = 1110
    TOO_LATE = 1111
    GROUP_FAILED = 1112
    FILE_REFUSED = 1113
    FILE_FAILED = 1114
