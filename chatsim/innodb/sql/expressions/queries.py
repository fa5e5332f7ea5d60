"""What stands in an expression for other queries: values of the query around it, and subqueries.

`chatsim.innodb.sql.executor.names` puts these nodes in place of names and of queries, when a statement is prepared.
"""

from __future__ import annotations

from typing import Any, ClassVar

from sqlglot import exp

__all__ = ["COMPARED", "ComparedValue", "OuterValue", "SubqueryValue"]

COMPARED = "<cache>"
"""The name of an `OuterValue` that is not a column, but what IN compares."""


class ComparedValue(exp.Expression):
    """In a subquery of IN, the value that its rows are compared with: the number of the part of a row."""

    arg_types: ClassVar = {"number": True}


class OuterValue(exp.Expression):
    """A column of a query around this one: its number in `Scope.outer_values`, and its name."""

    arg_types: ClassVar = {"number": True, "name": True}

    def sql(self, *_: Any, **__: Any) -> str:
        """The name of the column."""
        return str(self.args["name"])


class SubqueryValue(exp.Expression):
    """The value of a subquery: its number in `Scope.subqueries`, what it is compared with, and the columns it uses.

    It is ``random`` if it may have another value each time.
    """

    arg_types: ClassVar = {"this": False, "number": True, "references": False, "random": False}

    def sql(self, *_: Any, **__: Any) -> str:
        """How messages name it."""
        return "(subquery)"
