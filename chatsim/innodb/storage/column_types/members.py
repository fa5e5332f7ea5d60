"""ENUM: manual, "The ENUM Type"."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar, cast

from chatsim.innodb.storage.column_types.base import BadValueError, ColumnType, UnusableError
from chatsim.innodb.storage.values import Value, as_number, as_text, collate

__all__ = ["Enumeration"]


@dataclass(frozen=True)
class Enumeration(ColumnType):
    """ENUM: one of its members, ordered as they are declared."""

    collated: ClassVar[bool] = True

    members: tuple[str, ...]

    def store(self, value: Value) -> Value:
        """The member, by its name or its number from 1."""
        if isinstance(value, int) and 1 <= value <= len(self.members):
            return self.members[value - 1]
        wanted = collate(as_text(value))
        for member in self.members:
            if collate(member) == wanted:
                return member
        raise BadValueError(1265, "Data truncated for column '{column}' at row {row}", "")

    def order(self, value: Value) -> object:
        """Its number."""
        return self.members.index(as_text(value)) + 1 if value else 0

    def sought(self, value: Value, operator: str) -> object | None:
        """A number is searched for as a number. A text must be a member, since the order is not that of texts."""
        if not isinstance(value, str | bytes):
            return as_number(value)
        if operator not in ("=", "<=>", "in"):
            raise UnusableError
        wanted = collate(as_text(value))
        return next((at for at, each in enumerate(self.members, start=1) if collate(each) == wanted), None)

    def number(self, value: Value) -> int | float | Decimal:
        """Its number, as a double."""
        return float(cast("int", self.order(value)))

    @property
    def zero(self) -> Value:
        """The first member."""
        return self.members[0]
