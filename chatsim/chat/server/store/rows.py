"""Turning rows into the structs of the wire, as many as fit into a frame."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, takewhile
from typing import TypeVar

import msgspec

from chatsim.chat.protocol import LARGEST_BODY

__all__ = ["fitting", "structs"]

T = TypeVar("T", bound=msgspec.Struct)


def structs(kind: type[T], rows: Sequence[tuple[object, ...]]) -> tuple[T, ...]:
    """Rows as structs. The columns are in the order of the fields. NULL becomes an empty string."""
    # the statements return the types of the wire; checking each value would take as long as reading it
    return tuple(
        kind(*row) if None not in row else kind(*("" if each is None else each for each in row)) for row in rows
    )


def fitting(reply: msgspec.Struct, entries: Sequence[T]) -> tuple[T, ...]:
    """As many of the first entries as fit into an empty list of ``reply``."""
    room = LARGEST_BODY - len(msgspec.json.encode(reply))
    if len(msgspec.json.encode(entries)) - len("[]") <= room:  # nearly always
        return tuple(entries)
    ends = accumulate(len(msgspec.json.encode(entry)) + len(",") for entry in entries)
    count = sum(1 for _ in takewhile(lambda end: end - len(",") <= room, ends))
    return tuple(entries[:count])
