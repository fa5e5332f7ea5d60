"""ONLY_FULL_GROUP_BY: what a query that groups may name outside of aggregates.

A column must be one of those that are grouped by, or depend on them: by a unique key that is never NULL, or by what
WHERE and the joins say that it equals (manual, "MySQL Handling of GROUP BY" and "Detection of Functional Dependence").
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeAlias

from sqlglot import exp

from chatsim.db.mysql import database_error
from chatsim.innodb.sql.executor.derived import Derived
from chatsim.innodb.sql.expressions.queries import OuterValue, SubqueryValue
from chatsim.innodb.sql.optimizer.conjuncts import conjuncts
from chatsim.innodb.sql.optimizer.equalities import is_compared_alike

if TYPE_CHECKING:
    from chatsim.innodb.sql.executor.joined_tables import JoinedTables
    from chatsim.innodb.sql.executor.select import Select

__all__ = ["Problem", "check_groups", "check_having_names"]

Problem: TypeAlias = tuple[int, str]
"""The number and the text of an error."""

_Key: TypeAlias = tuple[int, int]
_COMPARISONS = (exp.EQ, exp.LT, exp.LTE, exp.GT, exp.GTE, exp.NEQ, exp.In, exp.Between, exp.Like)


def check_groups(select: Select) -> Problem | None:
    """What is wrong with a SELECT that names what its groups, or its DISTINCT, do not determine; if anything is."""
    grouped = select.groups is not None
    if not grouped and not select.aggregates:
        return _distinct_problem(select) if select.distinct and select.ordered_by else None
    known = _determined(select)
    shown = [_same(select, each) for each in select.grouped_by]
    groups_queries = any(each.find(SubqueryValue) for each in select.grouped_by)  # two that are alike have two numbers
    lists = [("SELECT list", select.select_list), ("HAVING clause", select.having_nodes)]
    if grouped:
        lists.append(("ORDER BY", select.ordered_by))
    for clause, nodes in lists:
        for number, node in enumerate((each.unalias() for each in nodes), start=1):
            if _same(select, node) in shown or (groups_queries and node.find(SubqueryValue)):
                continue
            column = next((each for each in _outside_aggregates(node) if select.scope.column(each) not in known), None)
            if column is not None:
                return _problem(clause, number, column, grouped=grouped)
    return None


def check_having_names(select: Select, node: exp.Expr, aliases: Collection[str]) -> None:
    """Raise `DatabaseError` (1054) if a condition of HAVING names a column that is neither selected nor grouped by."""
    given = [each.unalias() for each in (*select.select_list, *select.grouped_by)]
    known = {select.scope.column(each) for each in given if isinstance(each, exp.Column)}
    for each in _outside_aggregates(node):
        if not each.table and each.name.lower() in aliases:
            continue
        if select.scope.column(each) not in known:
            raise database_error(1054, f"Unknown column '{each.sql('mysql').replace('`', '')}' in 'having clause'")


def _distinct_problem(select: Select) -> Problem | None:
    """What is wrong with a DISTINCT whose rows are ordered by what they do not have."""
    shown = [_same(select, each) for each in select.select_list]
    for number, node in enumerate(select.ordered_by, start=1):
        if _same(select, node) in shown:
            continue
        for column in _outside_aggregates(node):
            if _same(select, column) not in shown:
                message = f"Expression #{number} of ORDER BY clause is not in SELECT list, references column"
                name = column.sql("mysql").replace("`", "")
                return 3065, f"{message} '{name}' which is not in SELECT list; this is incompatible with DISTINCT"
    return None


def _problem(clause: str, number: int, column: exp.Column, *, grouped: bool) -> Problem:
    name = column.sql("mysql").replace("`", "")
    if not grouped:
        message = (
            f"In aggregated query without GROUP BY, expression #{number} of {clause} contains nonaggregated column"
        )
        return 1140, f"{message} '{name}'; this is incompatible with sql_mode=only_full_group_by"
    message = f"Expression #{number} of {clause} is not in GROUP BY clause and contains nonaggregated column '{name}'"
    message += " which is not functionally dependent on columns in GROUP BY clause"
    return 1055, f"{message}; this is incompatible with sql_mode=only_full_group_by"


def _same(select: Select, node: exp.Expr) -> object:
    """What is the same for expressions that are: a column by its table, however it is named."""

    def named(part: exp.Expr) -> exp.Expr:
        return exp.column("{}.{}".format(*select.scope.column(part))) if isinstance(part, exp.Column) else part

    node = node.unalias().unnest()
    return select.scope.column(node) if isinstance(node, exp.Column) else node.transform(named)


def _outside_aggregates(node: exp.Expr) -> Iterator[exp.Column]:
    """The columns in an expression that have to have one value for each group."""
    if isinstance(node, exp.Column):
        yield node
    if isinstance(node, exp.AnyValue):
        return
    window = isinstance(node.parent, exp.Window) and node.arg_key == "this"
    if isinstance(node, exp.AggFunc) and not window:
        return
    for part in node.args.values():
        for each in part if isinstance(part, list) else (part,):
            if isinstance(each, exp.Expr):
                yield from _outside_aggregates(each)


def _determined(select: Select) -> set[_Key]:
    """The columns that have one value for each group."""
    scope = select.scope
    columns = (each.unnest() for each in select.grouped_by)
    known = {scope.column(each) for each in columns if isinstance(each, exp.Column)}
    if select.rolls_up:
        return known  # in the rows of totals, nothing depends on a column that is NULL
    return _closure(select.joined, known)


def _closure(joined: JoinedTables, known: set[_Key]) -> set[_Key]:
    """The columns that depend on some."""
    inner = [part for each in joined.wanted for part in conjuncts(each)]
    outer = [(nest.tables, part) for nest in joined.nests if nest.kind == "outer" for part in nest.on]
    while True:
        before = len(known)
        for node in inner:
            known |= _equal(joined, node, known)
        for tables, node in outer:
            known |= {each for each in _equal(joined, node, known) if each[0] in tables}
        for at in range(joined.count):
            known |= _by_keys(joined, at, known, inner)
        if len(known) == before:
            return known


def _equal(joined: JoinedTables, node: exp.Expr, known: set[_Key]) -> set[_Key]:
    """The columns that an equality determines."""
    if not isinstance(node, exp.EQ):
        return set()
    found, scope = set(), joined.scope
    for one, other in ((node.left.unnest(), node.right.unnest()), (node.right.unnest(), node.left.unnest())):
        if isinstance(one, exp.Column) and is_compared_alike(scope, (one, other)):
            named = {scope.column(each) for each in other.find_all(exp.Column)}
            if named <= known and (isinstance(other, exp.Column | OuterValue) or not named):
                found.add(scope.column(one))
    return found


def _by_keys(joined: JoinedTables, at: int, known: set[_Key], conditions: Iterable[exp.Expr]) -> set[_Key]:
    """The columns of a table that depend on some, by its unique keys."""
    table = joined.table(at)
    own = {column for number, column in known if number == at}
    every = {(at, column) for column in range(len(table.columns))}
    if isinstance(table, Derived):
        return _of_derived(table, at, own)
    for each in table.indexes:
        key = each.definition.columns
        if each.definition.unique and own.issuperset(key):
            possible = {column for column in key if table.columns[column].nullable}
            if not possible - _never_null(joined, at, conditions):
                return every
    return set()


def _never_null(joined: JoinedTables, at: int, conditions: Iterable[exp.Expr]) -> set[int]:
    """The columns of a table that conditions do not let be NULL."""
    found = set()
    for node in conditions:
        sides: Sequence[exp.Expr] = ()
        if isinstance(node, exp.Not) and isinstance(node.this, exp.Is):
            sides = (node.this.this,)
        elif isinstance(node, _COMPARISONS):
            sides = (node.this, node.args["expression"]) if isinstance(node, exp.Binary) else (node.this,)
        for each in sides:
            if isinstance(each, exp.Column) and joined.scope.column(each)[0] == at:
                found.add(joined.scope.column(each)[1])
    return found


def _of_derived(table: Derived, at: int, own: set[int]) -> set[_Key]:
    """The columns of a derived table that depend on others of it, as its query says."""
    from chatsim.innodb.sql.executor.select import Select

    query, every = table.query, {(at, column) for column in range(len(table.columns))}
    if not isinstance(query, Select) or query.rolls_up:
        return set()
    if not query.grouped and query.distinct and len(own) == len(every):
        return every
    outputs = [each.unalias().unnest() for each in query.select_list]
    shown = {_same(query, outputs[each]) for each in own}
    if query.groups is not None and all(_same(query, each) in shown for each in query.grouped_by):
        return every
    columns = [query.scope.column(each) if isinstance(each, exp.Column) else None for each in outputs]
    inner = _closure(query.joined, {key for number in own if (key := columns[number]) is not None})
    return {(at, number) for number, key in enumerate(columns) if key in inner}
