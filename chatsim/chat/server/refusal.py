"""The exception of a handler that refuses a request."""

from __future__ import annotations

from chatsim.chat.protocol import ErrorCode

__all__ = ["RefusalError"]


class RefusalError(Exception):
    """A request is refused. The message has the reason. Nothing was changed.

    Attributes:
        code: the error of the reply.
    """

    def __init__(self, code: ErrorCode, reason: str) -> None:
        super().__init__(reason)
        self.code = code
