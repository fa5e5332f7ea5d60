"""What the server makes of the subqueries of a statement before it plans them (in the server: ``resolve_subquery``)."""

from __future__ import annotations

from sqlglot import exp

__all__ = ["rewrite_subqueries"]

_KEEPS_GROUPS = ("having", "windows", "limit")


def rewrite_subqueries(statement: exp.Expr) -> None:
    """Make IN of ``= ANY``, NOT IN of ``<> ALL``, and = of IN a value; take GROUP BY away where it changes nothing."""
    _name_values(statement)
    for each in list(statement.find_all(exp.Any, exp.All)):
        comparison, query = each.parent, each.this
        if not isinstance(query, exp.Query) or comparison is None or comparison.args.get("expression") is not each:
            continue
        inner = query if isinstance(query, exp.Subquery) else exp.Subquery(this=query)
        found = exp.In(this=comparison.this, query=inner)
        if isinstance(each, exp.Any) and isinstance(comparison, exp.EQ):
            comparison.replace(found)
        elif isinstance(each, exp.All) and isinstance(comparison, exp.NEQ):
            comparison.replace(exp.Not(this=found))
    for condition in statement.find_all(exp.In, exp.Exists, exp.Any, exp.All):
        query = condition.args.get("query") if isinstance(condition, exp.In) else condition.this
        if isinstance(query, exp.Expr) and isinstance(select := query.unnest(), exp.Select):
            _simplify(select)
            if isinstance(condition, exp.In) and _is_value(select):
                value = select.expressions[0].unalias()
                condition.replace(exp.paren(exp.EQ(this=condition.this, expression=exp.paren(value)), copy=False))


def _name_values(statement: exp.Expr) -> None:
    """Make a query of VALUES in IN and EXISTS: one of a derived table."""
    for each in list(statement.find_all(exp.Values)):
        condition = each.parent
        if isinstance(condition, exp.In) and condition.expressions == [each]:
            condition.set("expressions", None)
            condition.set("query", exp.Subquery(this=_query_of(each)))
        elif isinstance(condition, exp.Exists):
            condition.set("this", _query_of(each))


def _query_of(values: exp.Values) -> exp.Select:
    rows = exp.Subquery(this=values.copy(), alias=exp.TableAlias(this=exp.to_identifier("tvc_0")))
    return exp.select("*").from_(rows)


def _is_value(select: exp.Select) -> bool:
    """Whether a query is nothing but one value, of no table."""
    if any(value and name not in ("expressions", "kind") for name, value in select.args.items()):
        return False
    (first, *more) = select.expressions
    return not more and not isinstance(first, exp.Star) and not first.find(exp.AggFunc, exp.Window, exp.Query)


def _simplify(select: exp.Select) -> None:
    group = select.args.get("group")
    if group is None or group.args.get("rollup") or any(select.args.get(part) for part in _KEEPS_GROUPS):
        return
    if not any(each.find(exp.AggFunc, exp.Window) for each in select.expressions):
        select.set("group", None)
