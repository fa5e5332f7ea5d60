"""Arrays of values of one type, in multi-valued indexes: manual, "Multi-Valued Indexes"."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from chatsim.db.errors import DatabaseError
from chatsim.db.mysql import database_error
from chatsim.innodb.storage.column_types.base import OUT_OF_RANGE, BadValueError, ColumnType
from chatsim.innodb.storage.column_types.documents import printed_json
from chatsim.innodb.storage.column_types.moments import Moment, TimeOfDay
from chatsim.innodb.storage.column_types.numbers import Decimals, Integer
from chatsim.innodb.storage.column_types.texts import Binary, Text
from chatsim.innodb.storage.values import ArrayValue, Document, Value, as_text

__all__ = ["TypedArray"]

_NO_ARRAYS = {dict: "OBJECT", bool: "BOOLEAN"}
"""What is neither an array nor an array of one."""

_LENGTH = 2
"""The bytes of the length of a text in a key."""

_POINTER = 12
"""The bytes of an array in a row that the server has read, from which on error 1062 shows all of it."""

_MEMBERS: tuple[tuple[type[ColumnType], tuple[type, ...]], ...] = (
    (Integer, (int,)),
    (Decimals, (Decimal,)),
    (Text, (str,)),
    (Binary, (str,)),
    (Moment, (str, date)),
    (TimeOfDay, (str, timedelta)),
)
"""The values by which MEMBER OF finds elements of a type."""


@dataclass(frozen=True)
class TypedArray(ColumnType):
    """The elements of a JSON array as values of one type: those of a multi-valued key part.

    In a row, the column has an `ArrayValue` or NULL; an index has an entry for each element. So all that is asked about
    a value in an index is about an element.

    Attributes:
        element: the type of the elements.
        index: the name of the index, for messages.
    """

    element: ColumnType
    index: str = field(compare=False)

    def values_of(self, found: Any) -> ArrayValue:
        """The elements of a part of a document, each once, in order; a scalar is an array of one.

        Raises:
            DatabaseError: it can't be an array of this type (1235, 3751, 3752, 3903, 3904, 3907, 3908).
        """
        if type(found) in _NO_ARRAYS:
            what = f"CAST-ing JSON {_NO_ARRAYS[type(found)]} type to array"
            raise database_error(1235, f"This version of MySQL doesn't yet support '{what}'")
        return self._array([self._converted(each) for each in (found if isinstance(found, list) else [found])])

    def _array(self, values: Sequence[Value]) -> ArrayValue:
        by_key: dict[Any, Value] = {}
        for each in values:
            by_key.setdefault(self.element.order(each), each)
        ordered = tuple(by_key[key] for key in sorted(by_key))
        shown = printed_json([_in_json(each) for each in ordered])
        return ArrayValue(shown, ordered, values[-1] if values else None)

    def _converted(self, part: Any) -> Value:
        """An element as a value of the type. Raises as `values_of` does."""
        if isinstance(part, list | dict):
            message = f"Cannot store an array or an object in a scalar key part of the index '{self.index}'."
            raise database_error(3908, message)
        if part is None:
            raise self._error(3903, "Invalid JSON value for CAST", end=".")
        if isinstance(self.element, Text | Binary):
            return self._text(part)
        return self._moment(part) if isinstance(self.element, Moment | TimeOfDay) else self._number(part)

    def _moment(self, part: Any) -> Value:
        """An element as a time: only a text can be one."""
        if not isinstance(part, str):
            raise self._error(3751, "Data truncated", end=" at row 1")
        try:
            return self.element.store(part)
        except BadValueError as error:
            if error.harmless:
                return error.kept
            raise self._error(3751, "Data truncated", end=" at row 1") from None

    def _number(self, part: Any) -> Value:
        """An element as a number; true and false are 1 and 0."""
        if isinstance(self.element, Integer) and isinstance(part, int | float) and not -(2**63) <= part < 2**64:
            raise self._error(3904, "Out of range JSON value for CAST", end=".")
        try:
            return self.element.store(int(part) if isinstance(part, bool) else part)
        except BadValueError as error:
            if error.harmless:
                return error.kept
            if error.errno == OUT_OF_RANGE:
                raise self._error(3752, "Value is out of range", end=" at row 1") from None
            raise self._error(3903, "Invalid JSON value for CAST", end=".") from None

    def _text(self, part: Any) -> Value:
        """An element as a text, or as its bytes."""
        text = part if isinstance(part, str) else printed_json(part)
        found = text.encode() if isinstance(self.element, Binary) else text
        if len(found) > self.element.length:  # type: ignore[attr-defined]
            raise self._error(3907, "Data too long", end=".")
        return found

    def _error(self, errno: int, message: str, end: str) -> DatabaseError:
        return database_error(errno, f"{message} for functional index '{self.index}'{end}")

    def member(self, value: Value) -> ArrayValue | None:
        """A value that an element is to equal (MEMBER OF); None if it is not of the type, so that no index is used."""
        kinds = next(kinds for own, kinds in _MEMBERS if isinstance(self.element, own))
        if not isinstance(value, kinds) or isinstance(value, Document):
            return None
        moment = isinstance(value, date | timedelta)
        return self.members(as_text(value) if moment else value)

    def members(self, found: Any, *, skips_nulls: bool = False) -> ArrayValue | None:
        """The values of a document that elements are to equal; None if they are not of the type, as null is not."""
        several = found if isinstance(found, list) else [found]
        try:
            return self._array([self._converted(each) for each in several if each is not None or not skips_nulls])
        except DatabaseError:
            return None

    # -- an element in an index

    def store(self, value: Value) -> Value:
        """The value itself: it has been made for the column."""
        return value

    def order(self, value: Value) -> object:
        """The sort key of an element."""
        return self.element.order(value)

    def sought(self, value: Value, operator: str) -> object | None:  # noqa: ARG002 - as the others
        """The sort key of an element."""
        return self.element.order(value)

    def stored(self, value: Value) -> int | None:
        """The size of an element; a row is stored without the array."""
        return 0 if isinstance(value, ArrayValue) else self.element.stored(value)

    def shown(self, value: Value) -> str:
        """An element, as ``data_locks`` shows it."""
        return self.element.shown(value)

    @property
    def key_size(self) -> int:
        """The bytes of an element in a key."""
        return self.element.key_size

    def in_error(self, array: ArrayValue) -> str:
        """An array, as error 1062 shows it: cut off as if it were an element, if these are short."""
        length = self.key_size - (_LENGTH if isinstance(self.element, Text | Binary) else 0)
        return array[:length] if length < _POINTER else str(array)


def _in_json(value: Value) -> Value:
    """An element as JSON has it: a time, and the code of bytes, are texts."""
    if isinstance(value, bytes):
        return f"base64:type15:{b64encode(value).decode()}"
    return as_text(value) if isinstance(value, date | timedelta) else value
