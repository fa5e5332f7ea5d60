"""What a node says no to."""

from __future__ import annotations

from chatsim.chat.protocol import ErrorCode

__all__ = ["RefusalError"]


class RefusalError(Exception):
    """A request is refused, for the reason in the message; nothing was changed.

    Attributes:
        code: what the client is told.
    """

    def __init__(self, code: ErrorCode, reason: str) -> None:
        super().__init__(reason)
        self.code = code
