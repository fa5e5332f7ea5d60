"""The columns of JSON_TABLE, as a statement says them (manual, "JSON Table Functions")."""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp

__all__ = ["JsonColumn", "NestedColumns", "Otherwise"]


@dataclass(frozen=True)
class Otherwise:
    """What is given where there is no value, or not a fitting one.

    Attributes:
        default: the text of a value; None for NULL.
        fails: an error.
    """

    default: str | None = None
    fails: bool = False


@dataclass(frozen=True)
class JsonColumn:
    """A column of JSON_TABLE.

    Attributes:
        name: its name.
        type: its data type; None for ORDINALITY.
        path: from the document of a row to its value.
        exists: EXISTS: whether there is a value is what it shows.
        empty: what it shows if there is no value.
        error: what it shows if the value does not fit.
    """

    name: str
    type: exp.DataType | None = None
    path: str = ""
    exists: bool = False
    empty: Otherwise = Otherwise()
    error: Otherwise = Otherwise()


@dataclass(frozen=True)
class NestedColumns:
    """NESTED PATH: columns of documents within that of a row."""

    path: str
    columns: tuple[JsonColumn | NestedColumns, ...]
