"""Rows as the structs of the wire, and as many of them as a frame has room for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import msgspec

from chatsim.chat.protocol import LARGEST_BODY

__all__ = ["fitting", "structs"]

T = TypeVar("T", bound=msgspec.Struct)


def structs(kind: type[T], rows: Sequence[tuple[object, ...]]) -> tuple[T, ...]:
    """Rows as structs with the fields in the order of the columns; a NULL is an empty string."""
    # the statements give the types of the wire: to look at each value again took as long as to read it
    return tuple(
        kind(*row) if None not in row else kind(*("" if each is None else each for each in row)) for row in rows
    )


def fitting(reply: msgspec.Struct, entries: Sequence[T]) -> tuple[T, ...]:
    """As many entries, from the first, as ``reply`` has room for in a list that is empty so far."""
    room = LARGEST_BODY - len(msgspec.json.encode(reply))
    if len(msgspec.json.encode(entries)) <= room:  # as nearly always
        return tuple(entries)
    for count, entry in enumerate(entries):
        room -= len(msgspec.json.encode(entry)) + 1  # and a comma
        if room < 0:
            return tuple(entries[:count])
    return tuple(entries)
