"""Who is a member of a thread. This is asked first, before anything is locked or read for a request.

The answer is looked up by keys that contain the user. So it costs the same for a thread that does not exist and for one
of other users, however long: no row of others is read. It is put into the session variable ``@thread``: the thread's
id, or NULL if the user is no member. The statements that follow, in the same round trip, look for ``@thread``, and so
find and lock nothing for a stranger. A second round trip would double the time of a page.

What changes a thread asks for the members again, behind the lock of the thread's row.
"""

from __future__ import annotations

from collections.abc import Sequence

from chatsim.chat.protocol import ErrorCode
from chatsim.chat.server.refusal import RefusalError
from chatsim.chat.session_wrapper import SessionWrapper
from chatsim.db.session import Rows, Session

__all__ = ["MEMBERS", "MembersOnly", "no_member", "require", "thread_of"]

MEMBERS = """
    SELECT user1_id, user2_id FROM private_chat WHERE thread_id = @thread;
    SELECT user_id FROM group_chat_member WHERE thread_id = @thread"""
"""The members of ``@thread``: the pair of a private chat, and the users of a group."""

_OF_USER = """
      SELECT thread_id FROM private_chat FORCE INDEX (idx_private_user1_thread) WHERE user1_id = ? AND thread_id {0}
       UNION ALL
      SELECT thread_id FROM private_chat FORCE INDEX (idx_private_user2_thread) WHERE user2_id = ? AND thread_id {0}
       UNION ALL
      SELECT thread_id FROM group_chat_member WHERE user_id = ? AND thread_id {0}"""

_THREAD = f"SELECT MAX(thread_id) INTO @thread FROM ({_OF_USER.format('= ?')}) mine"


def thread_of(uid: int, thread: int) -> tuple[str, tuple[int, ...]]:
    """The statement, with its arguments, that sets ``@thread`` to ``thread`` if ``uid`` is a member, or else to NULL.

    It has to come before a ``BEGIN``: otherwise the transaction's view of the tables would be from before the lock.
    """
    return _THREAD, (uid, thread) * 3


class MembersOnly(SessionWrapper):
    """A session through which only members of a thread can read. For others it raises `RefusalError`.

    The first argument of each statement must be the thread.

    Args:
        tx: the session.
        thread: the thread.
        uid: the user who reads.
    """

    def __init__(self, tx: Session, thread: int, uid: int) -> None:
        super().__init__(tx)
        self._thread, self._uid = thread, uid

    async def script(self, sql: str, args: Sequence[object] = ()) -> list[Rows]:
        """Run one statement, for a member."""
        assert args[0] == self._thread
        check, who = thread_of(self._uid, self._thread)
        _, found, member = await super().script(
            f"{check}; {sql.replace('?', '@thread', 1)}; SELECT @thread", (*who, *args[1:])
        )
        if member.scalar() is None:
            raise no_member(self._uid, self._thread)
        return [found]


async def require(tx: Session, uid: int, threads: Sequence[int]) -> None:
    """Raise `RefusalError` unless ``uid`` is a member of all these threads."""
    among = f"IN ({', '.join('?' * len(threads))})"
    found = await tx.execute(_OF_USER.format(among), (uid, *threads) * 3)
    if strange := {*threads} - {thread for (thread,) in found.rows}:
        raise no_member(uid, min(strange))


def no_member(uid: int, thread: int) -> RefusalError:
    """The refusal of a request for a thread that ``uid`` is no member of."""
    return RefusalError(ErrorCode.NOT_A_MEMBER, f"user {uid} is no member of thread {thread}")
