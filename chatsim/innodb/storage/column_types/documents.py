"""JSON: manual, "The JSON Data Type". A value is kept as its normalized text, as the server prints it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from chatsim.innodb.storage.column_types.base import BadValueError, ColumnType, UnusableError
from chatsim.innodb.storage.values import Document, Value, as_text

__all__ = ["Json", "document", "document_order", "printed_json"]


def document(found: Any) -> Document:
    """A JSON value as a column has it."""
    return Document(printed_json(found))


def printed_json(found: Any) -> str:
    """A JSON value as the server prints it: the shortest keys of an object first, then in the order of their bytes."""
    match found:
        case dict():
            keys = sorted(found, key=lambda each: (len(each.encode()), each.encode()))
            inner = ", ".join(f"{json.dumps(each, ensure_ascii=False)}: {printed_json(found[each])}" for each in keys)
            return f"{{{inner}}}"
        case list():
            return f"[{', '.join(printed_json(each) for each in found)}]"
        case float():
            return repr(found) if abs(found) < 1e15 else f"{found:e}".replace("e+", "e")
        case Decimal():
            return str(found)
        case date():
            return f'"{found}"'
    return json.dumps(found, ensure_ascii=False)


def document_order(value: Value) -> tuple[int, Any]:
    """The place of a value among JSON values: first by its kind. A text that is no document is a string."""
    return _order_of(json.loads(value) if isinstance(value, Document) else value)


def _order_of(found: Any) -> tuple[int, Any]:
    match found:
        case None:
            return 0, 0
        case bool():
            return 5, found
        case int() | float() | Decimal():
            return 1, found
        case dict():
            return 3, sorted((key, _order_of(each)) for key, each in found.items())
        case list():
            return 4, [_order_of(each) for each in found]
    return 2, found if isinstance(found, str) else as_text(found)


@dataclass(frozen=True)
class Json(ColumnType):
    """JSON: a document. No index may be on it, but on what is taken out of it."""

    def store(self, value: Value) -> Value:
        """The document of a text."""
        if isinstance(value, Document):
            return value
        if not isinstance(value, str):
            raise self._invalid("not a JSON text, may need CAST", 0)
        try:
            return document(json.loads(value, parse_constant=_refuse))
        except json.JSONDecodeError as error:
            raise self._invalid(_reason(value, error), error.pos) from None
        except ValueError:
            raise self._invalid("Invalid value.", 0) from None

    def _invalid(self, why: str, at: int) -> BadValueError:
        return BadValueError(3140, f'Invalid JSON text: "{why}" at position {at}', hopeless=True)

    def order(self, value: Value) -> object:
        """Its text, which groups equal documents."""
        return as_text(value)

    def sought(self, value: Value, operator: str) -> object | None:  # noqa: ARG002 - as the others
        """There is no index to search."""
        raise UnusableError

    def stored(self, value: Value) -> int | None:
        """About the bytes of its text."""
        return None if value is None else len(as_text(value).encode())

    @property
    def zero(self) -> Value:
        """The document ``null``."""
        return Document("null")


def _refuse(constant: str) -> Any:
    raise ValueError(constant)


def _reason(text: str, error: json.JSONDecodeError) -> str:
    """The server's reason why a text is no JSON."""
    if not text.strip():
        return "The document is empty."
    message = error.msg
    if message.startswith("Expecting property name"):
        return "Missing a name for object member."
    if message.startswith("Expecting ',' delimiter"):
        opened = text[: error.pos].count("[") - text[: error.pos].count("]")
        within_array = opened > 0 and text.rfind("[", 0, error.pos) > text.rfind("{", 0, error.pos)
        kind = "']' after an array element" if within_array else "'}' after an object member"
        return f"Missing a comma or {kind}."
    if message.startswith("Expecting ':' delimiter"):
        return "Missing a colon after a name of object member."
    if message.startswith("Extra data"):
        return "The document root must not be followed by other values."
    return "Invalid value."
