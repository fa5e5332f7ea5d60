"""What a column type is."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar, cast

from chatsim.innodb.storage.values import Value, as_number, collate

__all__ = ["BadValueError", "ColumnType", "UnusableError", "place"]


class UnusableError(Exception):
    """An index can't be used to search for a value, because its type is sorted in another order."""


class BadValueError(Exception):
    """A value can't be stored in a column.

    Attributes:
        errno: MySQL's number of the error.
        reason: the text of the error, with ``{column}`` and ``{row}`` in it.
        kept: the value that IGNORE stores instead.
    """

    def __init__(self, errno: int, reason: str, kept: Value) -> None:
        super().__init__(errno, reason)
        self.errno = errno
        self.reason = reason
        self.kept = kept


@dataclass(frozen=True)
class ColumnType:
    """The type of a column: `store` converts a value for the column, `order` gives its sort key in an index.

    Attributes:
        size: the approximate size of a value in bytes, for the optimizer and for pages.
    """

    collated: ClassVar[bool] = False
    """Whether its values are sorted by other keys than themselves."""

    size: int

    def store(self, value: Value) -> Value:
        """The stored form of a value that is not NULL. Raises `BadValueError`."""
        raise NotImplementedError

    def order(self, value: Value) -> object:
        """The sort key of a value that is not NULL."""
        return value

    def sought(self, value: Value, operator: str) -> object | None:
        """The sort key to search for, for a comparison (``=``, ``<`` …) with ``value``; None if nothing can match.

        Raises:
            UnusableError: an index can't be used for this comparison.
        """
        try:
            return self.order(self.store(value))
        except BadValueError as error:
            if operator in ("=", "<=>", "in"):
                return None
            raise UnusableError from error

    def stored(self, value: Value) -> int | None:
        """The size of a value in a record, in bytes; None for NULL."""
        return None if value is None else self.size

    def number(self, value: Value) -> int | float | Decimal:
        """A value that is not NULL, as a number."""
        return as_number(value)

    @property
    def zero(self) -> Value:
        """The value of a NOT NULL column without a default, if none is given."""
        return 0


def place(value: Value, kind: ColumnType | None = None) -> Value:
    """The key by which a value is sorted and grouped: a text by its collation, an ENUM by its number.

    Args:
        value: the value.
        kind: the type of its column; None if it is not from a column.
    """
    if value is None:
        return None
    if kind is not None and kind.collated:
        return cast("Value", kind.order(value))
    return collate(value) if isinstance(value, str) else value
