"""ENUM and SET: manual, "The ENUM Type" and "The SET Type"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import ClassVar, cast

from chatsim.innodb.storage.collations import DEFAULT, Collation
from chatsim.innodb.storage.column_types.base import BadValueError, ColumnType, UnusableError
from chatsim.innodb.storage.values import Value, as_number, as_text

__all__ = ["Enumeration", "MemberSet"]

_ONE_BYTE = 255  # members whose number fits into one byte


def _position(members: Sequence[str], text: str, collation: Collation) -> int | None:
    """The number of a member, from 1; None if there is none of this name."""
    wanted = collation.key(text.rstrip(" "))
    return next((at for at, each in enumerate(members, start=1) if collation.key(each) == wanted), None)


@dataclass(frozen=True)
class _Numbered(ColumnType):
    """A type whose values are texts that stand for numbers.

    Attributes:
        members: its members, in their order.
        collation: which texts name the same member.
    """

    collated: ClassVar[bool] = True
    numbered: ClassVar[bool] = True

    members: tuple[str, ...]
    collation: Collation = field(default=DEFAULT)

    @property
    def has_ranges(self) -> bool:
        """Members have no order that an index is searched by."""
        return False

    def number(self, value: Value) -> int | float | Decimal:
        """The number of a value, as a double."""
        return float(cast("int", self.order(value))) if isinstance(value, str) else as_number(value)

    def shown(self, value: Value) -> str:
        """The number of a value."""
        return str(self.order(value))


@dataclass(frozen=True)
class Enumeration(_Numbered):
    """ENUM: one of its members, ordered as they are declared."""

    @property
    def checked_again(self) -> bool:
        """A member is compared as a text, too."""
        return True

    def store(self, value: Value) -> Value:
        """The member, by its name or its number from 1."""
        if isinstance(value, str | bytes):
            text = as_text(value)
            number = _position(self.members, text, self.collation)
            if number is None and text.strip().isdigit():
                number = int(text)
        else:
            number = round(as_number(value))
        if number is None or not 1 <= number <= len(self.members):
            raise BadValueError(1265, "Data truncated", "")
        return self.members[number - 1]

    def order(self, value: Value) -> object:
        """Its number."""
        return self.members.index(as_text(value)) + 1 if value else 0

    def sought(self, value: Value, operator: str) -> object | None:
        """A number is searched for as a number, a text as a member; no index is searched for a range of either."""
        if operator not in ("=", "<=>", "in"):
            raise UnusableError
        if not isinstance(value, str | bytes):
            return as_number(value)
        return _position(self.members, as_text(value), self.collation) or 0  # 0 is what no member is stored as

    @property
    def key_size(self) -> int:
        """One byte, or two for many members."""
        return 1 if len(self.members) <= _ONE_BYTE else 2

    @property
    def zero(self) -> Value:
        """The first member."""
        return self.members[0]


@dataclass(frozen=True)
class MemberSet(_Numbered):
    """SET: some of its members, each of which is a bit of a number."""

    def store(self, value: Value) -> Value:
        """The members, by their names with commas between, or by the number of their bits."""
        if not isinstance(value, str | bytes):
            bits = round(as_number(value))
            known = (1 << len(self.members)) - 1
            if not 0 <= bits <= known:
                raise BadValueError(1265, "Data truncated", self._named(bits & known))
            return self._named(bits)
        places = [_position(self.members, each, self.collation) for each in as_text(value).split(",") if each]
        bits = sum(1 << at - 1 for at in {each for each in places if each is not None})
        if None in places:
            raise BadValueError(1265, "Data truncated", self._named(bits))
        return self._named(bits)

    def _named(self, bits: int) -> str:
        return ",".join(each for at, each in enumerate(self.members) if bits >> at & 1)

    def order(self, value: Value) -> object:
        """The number of its bits."""
        return sum(1 << self.members.index(each) for each in as_text(value).split(",") if each)

    def sought(self, value: Value, operator: str) -> object | None:
        """A number is searched for as a number, a text as members; no index is searched for a range of either."""
        if operator not in ("=", "<=>", "in"):
            raise UnusableError
        if not isinstance(value, str | bytes):
            return as_number(value)
        return super().sought(value, operator)

    @property
    def key_size(self) -> int:
        """One, two, three, four or eight bytes."""
        size = (len(self.members) + 7) // 8
        return size if size <= 4 else 8

    @property
    def zero(self) -> Value:
        """No member."""
        return ""
