"""Changes of rows through views: manual, "Updatable and Insertable Views".

A change of a view of one table is made a change of that table: the names of columns become those of the table, and the
condition of the view is added.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlglot import exp

from chatsim.db.mysql import database_error
from chatsim.innodb.sql.executor.execution import Find
from chatsim.innodb.sql.executor.views import View
from chatsim.innodb.sql.expressions import unsupported
from chatsim.innodb.storage.tables import Table

__all__ = ["through_views"]


def through_views(node: exp.Update | exp.Delete | exp.Insert, find: Find) -> exp.Expr:
    """A statement about the table that is beneath a view; the statement itself if it names no view.

    A view of several tables stays; its tables become tables of the statement when that is prepared.

    Raises:
        NotImplementedError: the model can't make the change.
        DatabaseError: the view can't be changed (1288, 1348, 1395, 1471).
    """
    target = _target(node)
    with_ = node.args.get("with_")
    if target is None or (with_ and any(each.alias == target.name for each in with_.expressions)):
        return node
    view = find(target.name)
    if not isinstance(view, View):
        return node
    if not view.is_merged(plain=False):
        raise _not_updatable(node, target)
    select = view.source[0]
    base = select.args["from_"].this
    if view.definition.checks:
        raise unsupported(f"a change through view {view.name}, which is WITH CHECK OPTION")
    if select.args.get("joins") or not isinstance(base, exp.Table):
        if isinstance(node, exp.Delete):
            raise database_error(1395, f"Can not delete from join view '{view.name}'")  # noqa: S608
        if isinstance(node, exp.Insert):
            raise unsupported(f"INSERT into view {view.name} of several tables")
        return node.copy()
    changed = node.copy()
    assert isinstance(changed, exp.Update | exp.Delete | exp.Insert)
    if isinstance(changed, exp.Insert):
        _insert(changed, view, base, find)
    else:
        _change(changed, view, base)
    return through_views(changed, view.source[1])


def _target(node: exp.Update | exp.Delete | exp.Insert) -> exp.Table | None:
    """The table of a statement that changes one."""
    target = node.this.this if isinstance(node.this, exp.Schema) else node.this
    if isinstance(node, exp.Delete) and (node.args.get("tables") or node.args.get("using")):
        return None
    if not isinstance(target, exp.Table) or target.args.get("joins"):
        return None
    return target


def _not_updatable(node: exp.Expr, target: exp.Table) -> Exception:
    word = type(node).__name__.upper()
    if word == "INSERT":
        return database_error(1471, f"The target table {target.alias_or_name} of the INSERT is not insertable-into")
    return database_error(1288, f"The target table {target.alias_or_name} of the {word} is not updatable")


def _meanings(view: View, called: str) -> dict[str, exp.Expr]:
    """What the columns of a view are, in the table that the statement calls so."""
    select = view.source[0]
    return {
        column.name.lower(): _of_table(each.unalias(), called)
        for column, each in zip(view.columns, select.expressions, strict=True)
    }


def _of_table(node: exp.Expr, called: str) -> exp.Expr:
    """An expression of a view's query, with the name that the statement gives the table."""
    if node.find(exp.Query, exp.Exists) is not None:
        raise unsupported(node, "a subquery in a view through which rows are changed")
    return node.copy().transform(
        lambda part: exp.column(part.this.copy(), table=called) if isinstance(part, exp.Column) else part
    )


def _change(node: exp.Update | exp.Delete, view: View, base: exp.Table) -> None:
    """Make an UPDATE or DELETE one of the view's table."""
    called = node.this.alias_or_name
    meanings = _meanings(view, called)
    for part in ("expressions", "where", "order"):
        inner = node.args.get(part)
        if isinstance(inner, list):
            node.set(part, [_renamed(each, called, meanings) for each in inner])
        elif inner is not None:
            node.set(part, _renamed(inner, called, meanings))
    for each in node.expressions:
        if isinstance(each, exp.EQ) and not isinstance(each.this, exp.Column):
            raise database_error(1348, f"Column '{each.this.sql('mysql')}' is not updatable")
    table = base.copy()
    table.set("alias", exp.TableAlias(this=exp.to_identifier(called, quoted=True)))
    node.set("this", table)
    where = view.source[0].args.get("where")
    if where is not None:
        condition = _of_table(where.this, called)
        own = node.args.get("where")
        both = condition if own is None else exp.And(this=exp.paren(own.this), expression=exp.paren(condition))
        node.set("where", exp.Where(this=both))


def _renamed(node: exp.Expr, called: str, meanings: Mapping[str, exp.Expr]) -> exp.Expr:
    """A part of the statement, with what the view's columns stand for."""
    alike = all(isinstance(each, exp.Column) and each.name.lower() == name for name, each in meanings.items())

    def meant(part: exp.Expr) -> exp.Expr:
        if isinstance(part, exp.Query) and not alike:
            raise unsupported(part, "a subquery beside a view that renames columns")
        if not isinstance(part, exp.Column) or part.table not in ("", called):
            return part
        if part.find_ancestor(exp.Query) is not None:
            return part
        found = meanings.get(part.name.lower())
        if found is None:
            raise database_error(1054, f"Unknown column '{part.name}' in 'field list'")
        return found.copy()

    return node.transform(meant)


def _insert(node: exp.Insert, view: View, base: exp.Table, find: Find) -> None:
    """Make an INSERT one into the view's table."""
    meanings = _meanings(view, base.name)
    names = [each.name for each in node.this.expressions] if isinstance(node.this, exp.Schema) else list(meanings)
    for name in names:
        if name.lower() not in meanings:
            raise database_error(1054, f"Unknown column '{name}' in 'field list'")
        if not isinstance(meanings[name.lower()], exp.Column):
            raise database_error(1348, f"Column '{name}' is not updatable")
    if not all(isinstance(each, exp.Column) for each in meanings.values()):
        raise _not_updatable(node, exp.Table(this=exp.to_identifier(view.name, quoted=True)))
    columns = [meanings[name.lower()].this.copy() for name in names]
    table = find(base.name)
    if not isinstance(table, View):
        _check_defaults(view, table, {each.name.lower() for each in columns})
    if (conflict := node.args.get("conflict")) is not None:
        assignments = [_renamed(each, view.name, meanings) for each in conflict.expressions]
        conflict.set("expressions", assignments)
    node.set("this", exp.Schema(this=base.copy(), expressions=columns))


def _check_defaults(view: View, table: Table, given: set[str]) -> None:
    """Refuse an INSERT that leaves out a column without a default. Raises a `DatabaseError` (1423)."""
    for column in table.columns:
        missing = not column.has_default and not column.auto_increment and column.generated is None
        if missing and not column.hidden and column.name.lower() not in given:
            message = f"Field of view '{view.name}' underlying table doesn't have a default value"
            raise database_error(1423, message)
