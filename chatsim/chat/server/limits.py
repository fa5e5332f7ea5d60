"""The limits of sessions: how much they may request, and how long a node waits for them."""

from __future__ import annotations

import math
from dataclasses import dataclass

from chatsim.chat.protocol import LARGEST_BODY, LARGEST_ID, REQUEST_LIMIT

__all__ = ["MOST_GROUP_MEMBERS", "BadLimitError", "Bucket", "Limits"]

MOST_GROUP_MEMBERS = 100_000
"""The largest number of members that a group may be allowed to have: each text writes two rows for each of them."""


class BadLimitError(ValueError):
    """A limit is invalid. The message names it, its value and what is allowed."""


@dataclass(frozen=True)
class Limits:
    """A node's limits.

    Attributes:
        devices: whether a user may have several sessions. Otherwise a login ends the earlier session, on every node
            that shares the presence of this one.
        expiry: the seconds of silence after which a session has ended (docs/source.md, 3.7).
        request_bytes: the largest body of a request, in bytes, up to 65,535. The default is the source's.
        queue_bytes: the largest number of bytes that wait to be sent to one session. With more, the session ends.
        rate: the average number of requests per second that a session may send. More requests have to wait.
        burst: the number of requests that it may send at once.
        grace: the seconds that running requests have to finish when the node closes.
        report: the seconds between two reports of a node to the directory.
        strangers: whether users who are no friends may open a chat and write to each other.
        user_leases: the largest number of database connections that one user's requests, from all sessions together,
            may have or wait for at the same time. Further requests wait, and their sessions are not read meanwhile.
        looks_up_users: whether a node looks an unknown user up before it creates a private chat among ``strangers``. A
            race does not: all its users exist, and it measures the creation alone.
        idle_transaction: the seconds without a statement after which the database ends a transaction of this node, and
            its connection. So long may a node that has stopped, without having ended, keep its locks.
        lock_wait: the seconds that a statement of this node waits for a lock of another transaction.
        text_characters: the largest length of a text, in characters. The default is the source's (docs/source.md, C21).
        group_members: the largest number of members of a group.
        recall_seconds: the time within which the author of a message may recall it.
        edit_seconds: the time within which the author of a text may edit it.
        login: the seconds that a new connection has until its login request arrives.
        connections: the number of connections that the node may have, logged in or not.
        per_address: the number of connections from one address (of IPv6, from one /64 network). None is
            `admission.PER_ADDRESS` for other machines, and no limit for loopback.
        arrivals: the average number of new connections per second from one address, if the number of its connections is
            limited. More are refused.
        arrivals_at_once: the number of new connections that may come from it at once.
        file_bytes: the largest size of an attachment, in bytes.
        user_file_bytes: the largest size of all attachments of one user, sent or half sent, in bytes. Each counts as
            4,096 bytes at least.
        upload_seconds: the seconds after which an upload that was not sent is removed.
        collection: the seconds between two looks of a node for uploads and files that are to be removed.

    Raises:
        BadLimitError: a value is not allowed.
    """

    devices: bool = True
    expiry: float = 20.0
    request_bytes: int = REQUEST_LIMIT
    queue_bytes: int = 1_048_576
    rate: float = 200.0
    burst: int = 200
    grace: float = 5.0
    report: float = 1.0
    strangers: bool = False
    user_leases: float = 2
    looks_up_users: bool = True
    idle_transaction: int = 10
    lock_wait: int = 5
    text_characters: int = 1_024
    group_members: int = 500
    recall_seconds: float = 120.0
    edit_seconds: float = 900.0
    login: float = 10.0
    connections: float = math.inf
    per_address: float | None = None
    arrivals: float = 20.0
    arrivals_at_once: int = 64
    file_bytes: int = 16_777_216
    user_file_bytes: int = 1_073_741_824
    upload_seconds: int = 86_400
    collection: float = 600.0

    def __post_init__(self) -> None:
        for name, least, most in (
            ("expiry", 0.001, math.inf),
            ("request_bytes", 64, LARGEST_BODY),
            ("queue_bytes", 1, math.inf),
            ("rate", 0.001, math.inf),
            ("burst", 1, math.inf),
            ("grace", 0, math.inf),
            ("report", 0.001, math.inf),
            ("user_leases", 1, math.inf),
            ("idle_transaction", 1, 31_536_000),
            ("lock_wait", 1, 1_073_741_824),
            ("text_characters", 1, 10_000),
            ("group_members", 1, MOST_GROUP_MEMBERS),
            ("recall_seconds", 0, math.inf),
            ("edit_seconds", 0, math.inf),
            ("login", 0.001, math.inf),
            ("connections", 1, math.inf),
            ("per_address", 1, math.inf),
            ("arrivals", 0.001, math.inf),
            ("arrivals_at_once", 1, math.inf),
            ("file_bytes", 1, LARGEST_ID),
            ("user_file_bytes", 1, LARGEST_ID),
            ("upload_seconds", 1, 31_536_000),
            ("collection", 0.001, math.inf),
        ):
            value = getattr(self, name)
            if value is not None and not least <= value <= most:
                raise BadLimitError(f"{name} is {value}; it must be between {least} and {most}")


class Bucket:
    """A token bucket. It says how long the next request must wait, so that there are at most ``rate`` per second.

    Args:
        rate: the tokens per second.
        burst: the largest number of tokens. The bucket is full at first.
        now: the time in seconds.
    """

    def __init__(self, rate: float, burst: int, now: float) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = float(burst)
        self._filled = now

    def take(self, now: float) -> float:
        """Take a token. Returns the seconds until it is available; 0 if it is now."""
        if self._rate == math.inf:
            return 0.0
        self._fill(now)
        self._tokens -= 1
        return max(0.0, -self._tokens / self._rate)

    def try_to_take(self, now: float) -> bool:
        """Take a token if one is available now. Returns whether one was."""
        if self._rate == math.inf:
            return True
        self._fill(now)
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def lose(self, tokens: float) -> None:
        """Take tokens that need not be there. They are owed: later ones replace them."""
        self._tokens -= tokens

    def is_full(self, now: float) -> bool:
        """Whether it has as many tokens as at first."""
        self._fill(now)
        return self._tokens == self._burst

    def _fill(self, now: float) -> None:
        self._tokens = min(self._burst, self._tokens + (now - self._filled) * self._rate)
        self._filled = now
