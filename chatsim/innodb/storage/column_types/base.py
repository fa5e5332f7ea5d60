"""What a column type is."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar, cast

from chatsim.innodb.storage.collations import CONNECTION
from chatsim.innodb.storage.values import Value, as_number, as_text

__all__ = ["OUT_OF_RANGE", "TRUNCATED", "BadValueError", "ColumnType", "UnusableError", "place"]

OUT_OF_RANGE, TRUNCATED, DEPRECATED_DELIMITER = 1264, 1265, 4095
WARNINGS = {OUT_OF_RANGE: "Out of range value", TRUNCATED: "Data truncated"}


class UnusableError(Exception):
    """An index can't be used to search for a value, because its type is sorted in another order."""


class BadValueError(Exception):
    """A value can't be stored in a column as it is.

    Args:
        errno: MySQL's number of the error.
        reason: the text of the error, up to the column.
        kept: the value that is stored instead: with IGNORE, or where the ``sql_mode`` is not strict.
        warns: the number of the warning then, if it is another one.
        harmless: it is stored in a strict ``sql_mode``, too, with a note.
        hopeless: nothing can be stored instead.

    Attributes:
        errno, kept, harmless, hopeless: as given.
    """

    def __init__(
        self,
        errno: int,
        reason: str,
        kept: Value = None,
        *,
        warns: int | None = None,
        harmless: bool = False,
        hopeless: bool = False,
    ) -> None:
        super().__init__(errno, reason)
        self.errno = errno
        self._reason = reason
        self._warns = warns
        self.kept = kept
        self.harmless = harmless
        self.hopeless = hopeless

    def message(self, table: str, column: str, row: int) -> str:
        """The text of the error, for a column of a row of a statement."""
        if self.hopeless:
            return f"{self._reason} in value for column '{table}.{column}'."
        if self.errno == DEPRECATED_DELIMITER:
            return f"{self._reason} at row {row} is deprecated. Prefer the standard '-'."
        return f"{self._reason} for column '{column}' at row {row}"

    def warning(self, table: str, column: str, row: int) -> tuple[int, str]:
        """The number and text of the warning about the value that is stored instead."""
        if self._warns is None:
            return self.errno, self.message(table, column, row)
        return self._warns, f"{WARNINGS[self._warns]} for column '{column}' at row {row}"


@dataclass(frozen=True)
class ColumnType:
    """The type of a column: `store` converts a value for the column, `order` gives its sort key in an index.

    Attributes:
        size: the approximate size of a value in bytes, for the optimizer and for pages.
    """

    collated: ClassVar[bool] = False
    """Whether its values are sorted by other keys than themselves."""

    numbered: ClassVar[bool] = False
    """Whether its values stand for numbers, which are compared and calculated with (see `number`)."""

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

    @property
    def checked_again(self) -> bool:
        """Whether a row that is looked up by a constant may have another value, so that the equality is checked again.

        In the server: ``ref_lookup_subsumes_comparison``.
        """
        return False

    @property
    def has_ranges(self) -> bool:
        """Whether an index is searched for a range of values, and not only for single ones."""
        return True

    def stored(self, value: Value) -> int | None:
        """The size of a value in a record, in bytes; None for NULL."""
        return None if value is None else self.size

    def number(self, value: Value) -> int | float | Decimal:
        """A value that is not NULL, as a number."""
        return as_number(value)

    def shown(self, value: Value) -> str:
        """A value that is not NULL, as ``data_locks`` shows it."""
        return as_text(value)

    def prefix(self, value: Value, length: int) -> Value:
        """The first characters or bytes of a value: what an index of a prefix has of it."""
        raise NotImplementedError

    def prefix_order(self, key: object, length: int) -> object:
        """The sort key of the first characters or bytes of a value, from the value's sort key."""
        raise NotImplementedError

    @property
    def packed_size(self) -> int:
        """The size of a value in a row that the server has read, in bytes."""
        return self.key_size

    @property
    def key_size(self) -> int:
        """The bytes of a value in a key, as EXPLAIN's ``key_len`` counts them."""
        return self.size

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
    return cast("Value", CONNECTION.order(value)) if isinstance(value, str) else value
