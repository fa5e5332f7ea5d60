"""The parts of statements that are obeyed. Whatever else the parser finds is refused by name, never passed over."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlglot import exp

from chatsim.innodb.sql.executor.clauses import refuse
from chatsim.innodb.sql.expressions import unsupported
from chatsim.innodb.sql.optimizer.optimizer_hints import OF_SESSION, refuse_hints

__all__ = ["refuse_unknown"]

_QUERY = ("with_", "order", "limit", "offset")

_OBEYED: Mapping[type[exp.Expr], tuple[str, ...]] = {
    exp.Select: (
        *_QUERY,
        *(
            "expressions",
            "from_",
            "joins",
            "where",
            "group",
            "having",
            "distinct",
            "into",
            "locks",
            "operation_modifiers",
            "windows",
            "hint",
        ),
    ),
    exp.Union: (*_QUERY, "this", "expression", "distinct"),
    exp.Intersect: (*_QUERY, "this", "expression", "distinct"),
    exp.Except: (*_QUERY, "this", "expression", "distinct"),
    exp.Update: (*_QUERY, "hint", "this", "expressions", "where", "ignore"),
    exp.Delete: (*_QUERY, "hint", "this", "tables", "using", "where", "ignore"),
    exp.Insert: ("hint", "this", "expression", "conflict", "ignore", "replace", "delayed"),
    exp.OnConflict: ("duplicate", "expressions", "action"),
    exp.Join: ("this", "side", "kind", "method", "on", "using"),
    exp.From: ("this",),
    exp.With: ("expressions", "recursive"),
    exp.CTE: ("this", "alias"),
    exp.TableAlias: ("this", "columns"),
    exp.Group: ("expressions", "rollup"),
    exp.Order: ("this", "expressions"),
    exp.Ordered: ("this", "desc", "nulls_first"),
    exp.Distinct: ("expressions",),
    exp.Limit: ("expression",),
    exp.Offset: ("expression",),
    exp.Lock: ("update", "expressions", "wait"),
    exp.Window: ("this", "partition_by", "order", "over", "alias", "spec"),
    exp.WindowSpec: ("kind", "start", "start_side", "end", "end_side", "exclude"),
}
"""The parts of each kind of syntax tree."""

_OF_TABLES = ("db", "catalog", "sample", "version", "when", "pivots")
"""The parts of a table's name that are refused."""


def _check_place(call: exp.Anonymous) -> None:
    """Refuse a function that the server calls for other rows than the model would."""
    if call.name.upper() == "GET_LOCK" and call.find_ancestor(exp.Where, exp.Join) is not None:
        raise unsupported("GET_LOCK() in a condition on tables")


def refuse_unknown(parts: Iterable[exp.Expr]) -> None:
    """Raise `NotImplementedError` if a part of a statement is none of those that are obeyed."""
    for each in parts:
        if isinstance(each, exp.Table):
            refuse(each, *_OF_TABLES)
            if isinstance(each.this, exp.Func):
                raise unsupported(each, "a function as a table")
        elif isinstance(each, exp.Anonymous):
            _check_place(each)
        elif isinstance(each, exp.Hint) and each.parent is not None and each.parent.parent is not None:
            refuse_hints(each.parent, "within a statement", only=OF_SESSION)
        obeyed = _OBEYED.get(type(each))
        if obeyed is None:
            continue
        refuse(each, *(name for name in each.args if name not in obeyed))
        if isinstance(each, exp.Distinct) and each.args.get("on"):
            raise unsupported(each)
