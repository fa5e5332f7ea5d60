"""What a report says of a transaction: its ids, its size, and its statement."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["AboutTransaction", "about"]

_TRANSACTION = re.compile(r"TRANSACTION\s+(?:0\s+)?(?P<id>[0-9A-F]+),")
_STRUCTS = re.compile(
    r"(?P<structs>\d+)\s+lock\s+struct\(?s?\)?,\s+heap\s+size\s+\d+"
    r"(?:,\s+\d+\s+row\s+lock\(?s?\)?)?(?:,\s+undo\s+log\s+entries\s+(?P<changes>\d+))?"
)
_THREAD = re.compile(r"(?:MySQL|MariaDB)\s+thread\s+id\s+(?P<id>\d+)(?:,|\s|$)")
_QUERY = re.compile(r"query\s+id\s+\d+[ \t]*(?P<rest>[^\n]*)\n?")
_SQL = (
    r"(?:/\*|\(?\s*SELECT\b|INSERT\b|UPDATE\b(?!\s*$)|DELETE\b|REPLACE\b|WITH\b|LOAD\b|CALL\b|ALTER\b|CREATE\b|DROP\b"
    r"|TRUNCATE\b|LOCK\b|OPTIMIZE\b|BEGIN\b|COMMIT\b|START\b|SET\b|XA\b|TABLE\b|DO\b|EXECUTE\b|RENAME\b|ANALYZE\b|--|\#)"
)
_STARTS = re.compile(rf"\s*{_SQL}", re.IGNORECASE)
_STATE = re.compile(r"[\w .:@/-]+")
_WITHIN = re.compile(
    r"\s(?:update\s+)?((?:insert|replace|delete|select|with|update)\s+\S.*)", re.IGNORECASE | re.DOTALL
)


@dataclass(frozen=True, slots=True)
class AboutTransaction:
    """Who a transaction is.

    Attributes:
        transaction_id: the server's number of it; empty if the report does not have it.
        connection_id: of its session; 0 if the report does not have it.
        statement: what it was doing; empty if the report does not have it.
        weight: its lock structs plus its undo records; None if the report does not have them.
        changes: its undo records; None if the report does not have the line about them.
    """

    transaction_id: str
    connection_id: int
    statement: str
    weight: int | None
    changes: int | None


def about(body: str) -> AboutTransaction:
    """Read what stands below the heading of a transaction: at most four lines, then its statement."""
    trx, structs, thread = _TRANSACTION.search(body), _STRUCTS.search(body), _THREAD.search(body)
    changes = int(structs["changes"] or 0) if structs else None
    return AboutTransaction(
        trx["id"] if trx else "",
        int(thread["id"]) if thread else 0,
        _statement(body[thread.end() :]) if thread else "",
        int(structs["structs"]) + changes if structs and changes is not None else None,
        changes,
    )


def _statement(after: str) -> str:
    """The statement in the text after ``MySQL thread id 7``, which begins on a line of its own.

    Pasting may have broken the line before it, or may have joined the two.
    """
    query = _QUERY.search(after)
    if query is None:
        return after.partition("\n")[2].strip()
    below = after[query.end() :].strip()
    first = below.partition("\n")[0]
    if below and (_STARTS.match(below) or query["rest"].strip()):
        return _from_a_broken_line(below)
    if joined := _WITHIN.search(f" {first if below else query['rest']}"):
        return (joined[1] + below[len(first) :]).strip()
    return _from_a_broken_line(below[len(first) :].strip())


def _from_a_broken_line(text: str) -> str:
    """The text, without a first line that is the rest of the one before the statement."""
    first, _, rest = text.partition("\n")
    return rest.strip() if not _STARTS.match(first) and _STATE.fullmatch(first) and _STARTS.match(rest) else text
