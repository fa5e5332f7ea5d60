"""The base classes of all messages: JSON objects and ids."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec

__all__ = ["LARGEST_ID", "Id", "Message", "Part"]

LARGEST_ID = 2**63 - 1
"""The largest id. The tables have BIGINT UNSIGNED, but many JSON readers can't read larger numbers."""

Id = Annotated[int, msgspec.Meta(ge=0, le=LARGEST_ID)]
"""A user, thread or message id."""


class Part(msgspec.Struct, frozen=True):
    """A JSON object on the wire. A reader ignores keys that it does not know."""


class Message(Part, frozen=True):
    """The body of a frame. Each subclass has its message id in ``ID``."""

    ID: ClassVar[int]
