"""What a statement's syntax tree alone says of it. It is found in one walk, once for each text, for all servers."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from sqlglot import exp

from chatsim.innodb.sql.executor.grammar import refuse_unknown
from chatsim.innodb.sql.json_parser import place_json_tables
from chatsim.innodb.sql.optimizer.optimizer_hints import place_hints
from chatsim.innodb.sql.parser import parse
from chatsim.innodb.sql.subquery_rewriting import rewrite_subqueries

__all__ = ["ParsedStatement", "parsed"]


class ParsedStatement:
    """A statement's syntax tree, and what it alone says.

    Args:
        node: the tree. It is shared, so nobody may change it.

    Attributes:
        node: the tree.
        tables: the names of the tables in it.
        schemas: the names of the schemas in it, in lower case.
        locks_to_change: whether it has FOR UPDATE.
        has_hints: whether it has optimizer hints about itself.
        has_queries: whether it has joins or queries within, so that its names have to be resolved.
        warnings: those of its text: what is deprecated in it.
        refusal: what is in it that no statement about rows may have; "" if there is nothing.
    """

    __slots__ = ("has_hints", "has_queries", "locks_to_change", "node", "refusal", "schemas", "tables", "warnings")

    def __init__(self, node: exp.Expr) -> None:
        self.node = node
        text = node.meta.get("text", "")
        _rewrite(node, text)
        parts = list(node.walk())
        tables: set[str] = set()
        schemas: set[str] = set()
        self.locks_to_change = self.has_queries = False
        for each in parts:
            if isinstance(each, exp.Table):
                tables.add(each.name)
                if each.db:
                    schemas.add(each.db.lower())
            elif isinstance(each, exp.Lock):
                self.locks_to_change = self.locks_to_change or bool(each.args.get("update"))
            elif isinstance(each, exp.Join | exp.Subquery | exp.Exists):
                self.has_queries = True
            elif isinstance(each, exp.PropertyEQ):
                _mark_assigned(each, parts)
        self.tables = frozenset(tables)
        self.schemas = frozenset(schemas)
        self.has_hints = node.args.get("hint") is not None
        self.warnings: tuple[tuple[int, str], ...] = node.meta.get("warnings", ())
        self.refusal = ""
        try:
            refuse_unknown(parts)
        except NotImplementedError as error:
            self.refusal = str(error)


def _rewrite(node: exp.Expr, text: str) -> None:
    """Bring a tree into the form that the rest of the model reads."""
    if "/*+" in text and "@" in text:
        place_hints(node)
    if "JSON_TABLE" in text.upper():
        place_json_tables(node)
    if text.upper().count("SELECT") > isinstance(node, exp.Select) or _VALUES_OF_CONDITION.search(text):
        if "DUAL" in text.upper():
            _without_dual(node)
        rewrite_subqueries(node)
    if isinstance(node, exp.Query | exp.DML):
        _without_parentheses(node)


_VALUES_OF_CONDITION = re.compile(r"\(\s*VALUES\s+ROW\b", re.IGNORECASE)


def _without_dual(statement: exp.Expr) -> None:
    """Take FROM DUAL away, which says that there is no table."""
    for each in statement.find_all(exp.Select):
        source = each.args.get("from_")
        if source is not None and isinstance(source.this, exp.Table) and source.this.name.upper() == "DUAL":
            source.pop()


_ATOMS = (exp.Column, exp.Literal, exp.Null, exp.Boolean, exp.Func, exp.Placeholder, exp.Parameter)
"""What stands in parentheses for no purpose, wherever it stands."""


def _without_parentheses(statement: exp.Expr) -> None:
    """Take parentheses away that change nothing, as the server's parser does."""
    for each in list(statement.find_all(exp.Paren)):
        inner = each.unnest()
        idle = isinstance(inner, _ATOMS) and not isinstance(inner, exp.Connector)
        if idle and not isinstance(each.parent, exp.Paren | exp.Select | None):
            each.replace(inner)


def _mark_assigned(assignment: exp.PropertyEQ, parts: Iterable[exp.Expr]) -> None:
    """Mark where a variable is read that the statement itself sets."""
    name = assignment.this.name.lower()
    for each in parts:
        if (
            isinstance(each, exp.Parameter)
            and each.name.lower() == name
            and not isinstance(each.parent, exp.PropertyEQ)
        ):
            each.meta["assigned"] = True


@lru_cache(maxsize=4096)
def parsed(sql: str) -> tuple[ParsedStatement, ...]:
    """The statements of a text. Raises as `chatsim.innodb.sql.parser.parse`."""
    return tuple(ParsedStatement(node) for node in parse(sql))
