"""Texts and bytes: manual, "String Data Types"."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, cast

from chatsim.innodb.storage.collations import DEFAULT, Collation
from chatsim.innodb.storage.column_types.base import TRUNCATED, BadValueError, ColumnType, UnusableError
from chatsim.innodb.storage.values import Value, as_text

__all__ = ["Binary", "Text"]

_LENGTH_PREFIX = 2  # bytes for the length of a value in a key
_SHORT = 256 + _LENGTH_PREFIX  # what has fewer bytes has one byte for its length, except in a key
_POINTER = 10  # the bytes for the length of a TEXT or BLOB, and its address
_BYTES = {"utf8mb4": 4, "utf8mb3": 3, "latin1": 1, "ascii": 1}
"""The most bytes that a character has."""

_CODECS = {"latin1": "cp1252", "ascii": "ascii"}


@dataclass(frozen=True)
class Text(ColumnType):
    """CHAR, VARCHAR, TEXT: characters, ordered by a collation.

    Attributes:
        length: the largest number of characters.
        collation: which texts are equal, and their order.
        trimmed: CHAR: spaces at the end are no part of the value; in a record they fill it up.
        long: TEXT: whether an index on it needs a length.
    """

    collated: ClassVar[bool] = True

    length: int
    collation: Collation = field(default=DEFAULT)
    trimmed: bool = False
    long: bool = False

    @property
    def checked_again(self) -> bool:
        """Spaces at the end of what a CHAR is compared with are no part of a key, but they count."""
        return self.trimmed

    def store(self, value: Value) -> Value:
        """The text."""
        text = as_text(value)
        if self.trimmed:
            text = text.rstrip(" ")
        if (codec := _CODECS.get(self.collation.charset)) is not None and not text.isascii():
            self._check(text, codec)
        if len(text) > self.length:
            if text[self.length :].strip(" "):
                raise BadValueError(1406, "Data too long", text[: self.length], warns=TRUNCATED)
            raise BadValueError(1265, "Data truncated", text[: self.length], harmless=True)
        return text

    def _check(self, text: str, codec: str) -> None:
        """Raise `BadValueError` for a character that the character set does not have."""
        try:
            text.encode(codec)
        except UnicodeEncodeError as error:
            rest = text[error.start :].encode()
            shown = "".join(f"\\x{each:02X}" if each > 127 else chr(each) for each in rest[:6])
            shown += "..." if len(rest) > 6 else ""
            kept = text.encode(codec, errors="replace").decode(codec)[: self.length]
            raise BadValueError(1366, f"Incorrect string value: '{shown}'", kept) from None

    def order(self, value: Value) -> object:
        """The sort key of the collation."""
        return self.collation.order(value if isinstance(value, str) else as_text(value))

    def sought(self, value: Value, operator: str) -> object | None:  # noqa: ARG002 - as the others
        """Only a text can be searched for by a collation."""
        if not isinstance(value, str | bytes):
            raise UnusableError
        return self.order(as_text(value).rstrip(" ") if self.trimmed else value)

    def stored(self, value: Value) -> int | None:
        """The bytes of the text. CHAR has room for as many characters as it declares."""
        return None if value is None else max(len(self._bytes(as_text(value))), self.length if self.trimmed else 0)

    def shown(self, value: Value) -> str:
        """The text in quotes, filled up with spaces if it is a CHAR; a TEXT as bytes."""
        text = as_text(value)
        if self.long:
            return f"0x{self._bytes(text).hex().upper()}"
        if self.trimmed:  # a record has as many bytes as the column has characters, or more
            text += " " * (self.length - len(self._bytes(text)))
        return "'" + text.replace("'", "''") + "'"

    def _bytes(self, text: str) -> bytes:
        """The text in the character set of the column."""
        return text.encode(_CODECS.get(self.collation.charset, "utf-8"), "replace")

    def prefix(self, value: Value, length: int) -> Value:
        """The first characters."""
        return as_text(value)[:length]

    def prefix_order(self, key: object, length: int) -> object:
        """The sort key of the first characters."""
        if isinstance(key, tuple):
            return tuple(each[:length] for each in key)
        text = cast("str", key)[:length]
        return text.rstrip(" ") if self.collation.padded else text

    @property
    def packed_size(self) -> int:
        """As its key, with a shorter length for short ones; of a long one only where it is."""
        if self.long:
            return _POINTER
        return self.key_size - (not self.trimmed and self.key_size < _SHORT)

    @property
    def key_size(self) -> int:
        """The most bytes of the characters, and of their length."""
        return self.length * _BYTES[self.collation.charset] + (0 if self.trimmed else _LENGTH_PREFIX)

    @property
    def zero(self) -> Value:
        """The empty text."""
        return ""


@dataclass(frozen=True)
class Binary(ColumnType):
    """BINARY, VARBINARY, BLOB: bytes, up to a largest length.

    Attributes:
        long: BLOB: whether an index on it needs a length.
        fixed: BINARY: whether it is filled up with zero bytes.
    """

    length: int
    long: bool = False
    fixed: bool = False

    @property
    def checked_again(self) -> bool:
        """What bytes are compared with is filled up in a key."""
        return True

    def store(self, value: Value) -> Value:
        """The bytes."""
        data = bytes(value) if isinstance(value, bytes) else as_text(value).encode()  # a literal is a number no more
        if len(data) > self.length:
            raise BadValueError(1406, "Data too long", data[: self.length], warns=TRUNCATED)
        return data.ljust(self.length, b"\0") if self.fixed else data

    def sought(self, value: Value, operator: str) -> object | None:
        """Only bytes can be searched for among bytes; for BINARY they are filled up with zero bytes."""
        if not isinstance(value, str | bytes):
            raise UnusableError
        data = value if isinstance(value, bytes) else value.encode()
        if len(data) > self.length and operator in ("=", "<=>", "in"):
            return None
        return data.ljust(self.length, b"\0") if self.fixed else data

    def stored(self, value: Value) -> int | None:
        """The number of bytes."""
        return len(value) if isinstance(value, bytes) else None

    def shown(self, value: Value) -> str:
        """The bytes, in hexadecimal digits."""
        return f"0x{cast('bytes', value).hex().upper()}"

    def prefix(self, value: Value, length: int) -> Value:
        """The first bytes."""
        return cast("bytes", value)[:length]

    def prefix_order(self, key: object, length: int) -> object:
        """The first bytes."""
        return cast("bytes", key)[:length]

    @property
    def packed_size(self) -> int:
        """As its key, with a shorter length for short ones; of a long one only where it is."""
        if self.long:
            return _POINTER
        return self.key_size - (not self.fixed and self.key_size < _SHORT)

    @property
    def key_size(self) -> int:
        """The most bytes of a value, and of its length."""
        return self.length + (0 if self.fixed else _LENGTH_PREFIX)

    @property
    def zero(self) -> Value:
        """No bytes."""
        return bytes(self.length) if self.fixed else b""
