"""Texts and bytes: manual, "String Data Types"."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from chatsim.innodb.storage.column_types.base import BadValueError, ColumnType, UnusableError
from chatsim.innodb.storage.values import Value, as_text, collate

__all__ = ["Binary", "Text"]


@dataclass(frozen=True)
class Text(ColumnType):
    """CHAR, VARCHAR, TEXT: characters, ordered by a collation.

    Attributes:
        length: the largest number of characters.
        binary: whether the collation compares code points.
        padded: whether the collation ignores spaces at the end.
        trimmed: whether spaces at the end are not stored.
        long: whether an index on it needs a length.
    """

    collated: ClassVar[bool] = True

    length: int
    binary: bool
    padded: bool
    trimmed: bool = False
    long: bool = False

    def store(self, value: Value) -> Value:
        """The text."""
        text = as_text(value)
        if self.trimmed:
            text = text.rstrip(" ")
        if len(text) > self.length:
            if text[self.length :].strip(" "):
                raise BadValueError(1406, "Data too long for column '{column}' at row {row}", text[: self.length])
            text = text[: self.length]
        return text

    def order(self, value: Value) -> object:
        """The sort key of the collation."""
        text = as_text(value)
        if self.padded:
            text = text.rstrip(" ")
        return text if self.binary else collate(text)

    def sought(self, value: Value, operator: str) -> object | None:  # noqa: ARG002 - as the others
        """Only a text can be searched for by a collation."""
        if not isinstance(value, str | bytes):
            raise UnusableError
        return self.order(value)

    def stored(self, value: Value) -> int | None:
        """The bytes of the text. CHAR has room for as many characters as it declares."""
        return None if value is None else max(len(as_text(value).encode()), self.length if self.trimmed else 0)

    @property
    def zero(self) -> Value:
        """The empty text."""
        return ""


@dataclass(frozen=True)
class Binary(ColumnType):
    """BINARY, VARBINARY, BLOB: bytes, up to a largest length.

    Attributes:
        long: whether an index on it needs a length.
    """

    length: int
    long: bool = False

    def store(self, value: Value) -> Value:
        """The bytes."""
        data = value if isinstance(value, bytes) else as_text(value).encode()
        if len(data) > self.length:
            raise BadValueError(1406, "Data too long for column '{column}' at row {row}", data[: self.length])
        return data

    def sought(self, value: Value, operator: str) -> object | None:
        """Only bytes can be searched for among bytes."""
        if not isinstance(value, str | bytes):
            raise UnusableError
        return super().sought(value, operator)

    def stored(self, value: Value) -> int | None:
        """The number of bytes."""
        return len(value) if isinstance(value, bytes) else None

    @property
    def zero(self) -> Value:
        """No bytes."""
        return b""
