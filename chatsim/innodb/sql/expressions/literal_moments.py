"""Literals that are compared with dates and times: those that are none are refused before any row is looked at."""

from __future__ import annotations

from sqlglot import exp

from chatsim.db.mysql import database_error
from chatsim.innodb.sql.expressions.scope import Scope
from chatsim.innodb.storage.column_types import Moment
from chatsim.innodb.storage.moments import ZERO, parsed_moment

__all__ = ["check_moments"]

_NAMES = {3: "DATE", 4: "TIMESTAMP", 5: "DATETIME"}
"""The types, by the bytes of a value."""


def check_moments(node: exp.Binary, scope: Scope) -> None:
    """Check the text that a comparison compares with a column of dates or times.

    Raises:
        DatabaseError: it is no date (1525; in a statement that changes rows 1292).
    """
    for column, other in ((node.left, node.right), (node.right, node.left)):
        if not isinstance(column, exp.Column) or not isinstance(other, exp.Literal) or not other.is_string:
            continue
        kind = scope.kind(column)
        if not isinstance(kind, Moment) or _is_moment(other.name):
            continue
        name = _NAMES[kind.size]
        if scope.strict:
            shown = "date" if name == "DATE" else "datetime"
            raise database_error(1292, f"Incorrect {shown} value: '{other.name}' for column '{column.name}' at row 1")
        raise database_error(1525, f"Incorrect {name} value: '{other.name}'")


def _is_moment(text: str) -> bool:
    """Whether a text begins with a date that there is."""
    try:
        return parsed_moment(text)[0] != ZERO
    except ValueError:
        return False
