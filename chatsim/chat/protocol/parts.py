"""What all messages are made of: JSON objects, ids, and the base of a message."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec

__all__ = ["LARGEST_ID", "Id", "Message", "Part"]

LARGEST_ID = 2**63 - 1
"""Ids are BIGINT UNSIGNED in the tables, but many JSON readers end here."""

Id = Annotated[int, msgspec.Meta(ge=0, le=LARGEST_ID)]
"""A user, thread or message id."""


class Part(msgspec.Struct, frozen=True):
    """A JSON object of the wire. Keys that it does not name are passed over when they arrive."""


class Message(Part, frozen=True):
    """A body; each subclass has its message id."""

    ID: ClassVar[int]
