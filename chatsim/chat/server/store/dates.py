"""A thread's messages by date: what the source's index (thread_id, created_at) is for (docs/source.md, S13)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from chatsim.chat.protocol import DateReply, ErrorCode
from chatsim.chat.server.refusal import RefusalError
from chatsim.chat.server.store.texts import TIME
from chatsim.db.session import Session

__all__ = ["first_since", "time_of"]

_FORM = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2}) ([0-9]{2}):([0-9]{2}):([0-9]{2})")
_EARLIEST, _LATEST = "1970-01-01 00:00:01", "2038-01-19 03:14:07"
"""The bounds of the type TIMESTAMP."""


def time_of(said: str) -> str:
    """A time that a user has named, as the database takes it: within the bounds of its type.

    Raises:
        RefusalError: it is no time, or not in the form of a message's time.
    """
    found = _FORM.fullmatch(said)
    if not found or not _is_time([int(each) for each in found.groups()]):
        raise RefusalError(ErrorCode.BAD_CONTENT, f"{said!r} is no time in the form YYYY-MM-DD HH:MM:SS")
    return min(max(said, _EARLIEST), _LATEST)


def _is_time(numbers: Sequence[int]) -> bool:
    year, month, day, hour, minute, second = numbers
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    days = (31, 29 if leap else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
    return 1 <= month <= len(days) and 1 <= day <= days[month - 1] and hour < 24 and minute < 60 and second < 60


async def first_since(tx: Session, thread: int, time: str, *, numbered: bool) -> DateReply:
    """The first message of a thread that was sent at this time or later, and that the session may read.

    The session is a `MembersOnly`. What was written before a user was added to a group is not even passed over: the
    search begins at the time of the first message that the user may read.
    """
    if numbered:
        first = await tx.execute(
            f"SELECT {TIME} FROM chat_message FORCE INDEX (uniq_thread_seq) WHERE thread_id = ? ORDER BY seq LIMIT 1",
            (thread,),
        )
        time = max([time, *(str(earliest) for (earliest,) in first.rows)])
    found = await tx.execute(
        f"SELECT {'seq' if numbered else '0'}, message_id FROM chat_message FORCE INDEX (idx_thread_created)"
        " WHERE thread_id = ? AND created_at >= ? ORDER BY created_at, message_id LIMIT 1",
        (thread, time),
    )
    seq, message = (int(str(value)) for value in found.rows[0]) if found.rows else (0, 0)
    return DateReply(ErrorCode.SUCCESS, thread, seq, message)
