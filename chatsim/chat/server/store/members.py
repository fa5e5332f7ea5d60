"""Who is a member of a thread. This is asked first, before anything is locked or read for a request.

The answer is looked up by keys that contain the user. So it costs the same for a thread that does not exist and for one
of other users, however long: no row of others is read. It is put into two session variables. ``@thread`` is the
thread's id, or NULL if the user is no member. ``@first`` is the number of the first message that the user may read, or
0 in a private chat. The statements that follow, in the same round trip, look for them, and so find and lock nothing for
a stranger. A second round trip would double the time of a page.

What changes a thread asks for the members again, behind the lock of the thread's row. What reads a group asks once more
after it has read, in the same round trip: somebody who was removed meanwhile is given nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chatsim.chat.protocol import ErrorCode
from chatsim.chat.server.refusal import RefusalError
from chatsim.chat.session_wrapper import SessionWrapper
from chatsim.db.session import Rows, Session

__all__ = [
    "IN_GROUP",
    "PAIR",
    "MembersOnly",
    "check_still",
    "no_member",
    "require",
    "require_still",
    "still_member",
    "thread_of",
]

PAIR = "SELECT user1_id, user2_id FROM private_chat WHERE thread_id = @thread"
"""The pair of the private chat ``@thread``."""

IN_GROUP = "SELECT user_id FROM group_chat_member WHERE thread_id = @thread AND user_id = ?"
"""Whether a user is a member of the group ``@thread``."""

_OF_USER = """
      SELECT thread_id, CAST(0 AS UNSIGNED) AS first_seq FROM private_chat FORCE INDEX (idx_private_user1_thread)
       WHERE user1_id = ? AND thread_id {among}
       UNION ALL
      SELECT thread_id, CAST(0 AS UNSIGNED) FROM private_chat FORCE INDEX (idx_private_user2_thread)
       WHERE user2_id = ? AND thread_id {among}
       UNION ALL
      SELECT thread_id, {first} FROM group_chat_member WHERE user_id = ? AND thread_id {among}"""

_FIRST = {True: "first_seq", False: "CAST(1 AS UNSIGNED)"}
"""The first message that a member of a group may read, if messages have numbers, and if not: there it is any."""

_THREAD = {
    numbered: "SELECT MAX(thread_id), MAX(first_seq) INTO @thread, @first"
    f" FROM ({_OF_USER.format(among='= ?', first=first)}) mine"
    for numbered, first in _FIRST.items()
}

_STILL = "SELECT @thread, @first, (SELECT {} FROM group_chat_member WHERE thread_id = @thread AND user_id = ?)"

_BEFORE_FIRST = """
    SELECT COALESCE(MAX(message_id), 0) INTO @before FROM chat_message FORCE INDEX (uniq_thread_seq)
     WHERE thread_id = @thread AND seq = GREATEST(@first, 1) - 1"""

_OWN_PART = {"seq": "seq >= @first", "message_id": "message_id > @before"}


def thread_of(uid: int, thread: int, *, numbered: bool = True) -> tuple[str, tuple[int, ...]]:
    """The statement, with its arguments, that sets ``@thread`` to ``thread`` if ``uid`` is a member, or else to NULL.

    It has to come before a ``BEGIN``: otherwise the transaction's view of the tables would be from before the lock.
    ``numbered`` says whether messages have numbers in the schema.
    """
    return _THREAD[numbered], (uid, thread) * 3


class MembersOnly(SessionWrapper):
    """A session through which only members of a thread can read, and only what they may read.

    For others it raises `RefusalError`. The first argument of each statement must be the thread. Where that is compared
    with ``thread_id``, only messages are read that the user may read.

    Args:
        tx: the session.
        thread: the thread.
        uid: the user who reads.
        numbered: whether messages have numbers in the schema.
        by: the column by which messages are read, ``seq`` or ``message_id``; None if others than messages are read.
    """

    def __init__(self, tx: Session, thread: int, uid: int, *, numbered: bool, by: str | None) -> None:
        super().__init__(tx)
        self._thread, self._uid, self._numbered = thread, uid, numbered
        self._by = by if numbered else None

    async def script(self, sql: str, args: Sequence[object] = ()) -> list[Rows]:
        """Run one statement, for a member."""
        assert args[0] == self._thread
        check, who = thread_of(self._uid, self._thread, numbered=self._numbered)
        before = f"{_BEFORE_FIRST}; " if self._by == "message_id" else ""
        readable = sql.replace("?", "@thread", 1)
        if self._by:
            readable = readable.replace("thread_id = @thread", f"thread_id = @thread AND {_OWN_PART[self._by]}", 1)
        still = still_member(numbered=self._numbered)
        *_, found, member = await super().script(f"{check}; {before}{readable}; {still}", (*who, *args[1:], self._uid))
        check_still(member, self._uid, self._thread)
        return [found]


def still_member(*, numbered: bool = True) -> str:
    """The statement, after what was read, that tells `check_still` whether the user has been a member all the time.

    Its argument is the user.
    """
    return _STILL.format(_FIRST[numbered])


def check_still(member: Rows, uid: int, thread: int) -> None:
    """Raise `RefusalError` if the user is no member, or was removed while the rows before were read."""
    ((there, first, first_now),) = member.rows
    if there is None or (first and first != first_now):
        raise no_member(uid, thread)


async def require(tx: Session, uid: int, threads: Sequence[int]) -> dict[int, int]:
    """From each thread to the number of the first message that ``uid`` may read; 0 in a private chat.

    Raises:
        RefusalError: the user is not a member of all these threads.
    """
    among = f"IN ({', '.join('?' * len(threads))})"
    found = await tx.execute(_OF_USER.format(among=among, first="first_seq"), (uid, *threads) * 3)
    first = {int(str(thread)): int(str(number)) for thread, number in found.rows}
    if strange := {*threads} - first.keys():
        raise no_member(uid, min(strange))
    return first


async def require_still(tx: Session, uid: int, first: Mapping[int, int]) -> None:
    """Raise `RefusalError` unless ``uid`` may read all these threads from the same number on as `require` has said."""
    now = await require(tx, uid, [*first])
    for thread, number in first.items():
        if now[thread] != number:
            raise no_member(uid, thread)


def no_member(uid: int, thread: int) -> RefusalError:
    """The refusal of a request for a thread that ``uid`` is no member of."""
    return RefusalError(ErrorCode.NOT_A_MEMBER, f"user {uid} is no member of thread {thread}")
