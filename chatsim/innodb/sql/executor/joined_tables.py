"""The joined tables of a statement, prepared: what is known of them before the values of the arguments are."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from sqlglot import exp

from chatsim.innodb.sql.executor.fixed_values import FixedValues
from chatsim.innodb.sql.expressions import Function, Scope
from chatsim.innodb.sql.expressions.queries import SubqueryValue
from chatsim.innodb.sql.optimizer.conditions import Conditions, Equality
from chatsim.innodb.sql.optimizer.constants import is_random
from chatsim.innodb.sql.optimizer.equalities import implied
from chatsim.innodb.sql.optimizer.index_hints import IndexHints
from chatsim.innodb.sql.optimizer.join_order import SemijoinNest
from chatsim.innodb.sql.optimizer.outer_join import rejects_null

if TYPE_CHECKING:
    from chatsim.innodb.sql.executor.from_clause import FromClause, Nest
    from chatsim.innodb.storage.tables import Table

__all__ = ["Filter", "JoinedTables"]


@dataclass(frozen=True)
class Filter:
    """A condition, compiled.

    Attributes:
        node: its syntax tree.
        scope: names the tables.
        holds: its value.
        level: the tables that have to meet it, or whose match it decides.
    """

    node: exp.Expr
    scope: Scope
    holds: Function
    level: Collection[int] = ()

    @cached_property
    def tables(self) -> frozenset[int]:
        """The tables that it is about: all of its level, if it may have another value with each of their rows."""
        named = self.scope.tables_of(self.node)
        return named.union(self.level) if is_random(self.node) else named


class JoinedTables:
    """The tables of a statement, how they are joined, and the conditions on them.

    Args:
        scope: names the tables.
        clause: the FROM.
        wanted: the conditions of WHERE, and of inner joins.

    Attributes:
        scope: names the tables.
        wanted: the conditions that rows must meet.
        nests: the inner sides of outer joins that are left.
        in_outer_joins: the tables of all inner sides, as they are written.
        filters: the conditions, compiled; for each nest those on which its tables match.
        hints: the index hints for each table.
        changed: the tables whose rows are going to be changed, so that no index is enough for them, and the columns
            that are.
        buffers: whether rows may be kept in a join buffer.
        counts: whether the rows of a range are counted, though its index is forced.
    """

    def __init__(self, scope: Scope, clause: FromClause, wanted: Iterable[exp.Expr]) -> None:
        self.scope = scope
        self.wanted = list(wanted)
        self.nests = list(clause.nests)
        self.in_outer_joins = {at for nest in self.nests if nest.kind == "outer" for at in nest.tables}
        self.hints = [IndexHints.of(table, node) for (_, table), node in zip(scope.tables, clause.nodes, strict=True)]
        self.changed: dict[int, set[int]] = {}
        self.buffers = True
        self.counts = True
        for nest in self.nests:
            self.wanted += nest.on if nest.kind == "semi" else ()
        self._simplify()
        several = len(scope.tables) > 1
        self._implied = implied(scope, self.wanted) if several else []
        self._pull_out()
        self._implied_in = {each: implied(scope, each.on, self.wanted) for each in self.nests}
        self.filters: dict[Nest | None, list[Filter]] = {
            None: self._compiled([*self.wanted, *self._implied], range(len(scope.tables)))
        }
        for nest in self.nests:
            if nest.kind != "semi":
                self.filters[nest] = self._compiled([*nest.on, *self._implied_in[nest]], nest.tables)
        self.after = self._order_of_tables(clause)
        self._parts: dict[tuple[int, frozenset[int]], Filter | None] = {}
        self._sides: dict[tuple[int, int | None, int | None], Function | None] = {}
        self._conditions: dict[tuple[int, frozenset[int]], Conditions] = {}
        self._filtering: dict[tuple[int, frozenset[int]], Conditions | None] = {}

    @property
    def count(self) -> int:
        """How many tables there are."""
        return len(self.scope.tables)

    def table(self, at: int) -> Table:
        """A table."""
        return self.scope.tables[at][1]

    def nest_of(self, at: int) -> Nest | None:
        """The innermost nest whose conditions are those of a table; those of a semijoin hold for all tables."""
        return next((each for each in reversed(self.nests) if at in each.tables and each.kind != "semi"), None)

    def nests_of(self, at: int) -> list[Nest]:
        """The nests of a table, the outermost first."""
        return [each for each in self.nests if at in each.tables]

    def conjuncts(self, at: int) -> list[exp.Expr]:
        """The conditions by which rows of a table are found."""
        nest = self.nest_of(at)
        if nest is None:
            return [*self.wanted, *self._implied]
        return [*nest.on, *self._implied_in[nest]]

    def conditions(self, at: int, known: Collection[int]) -> Conditions:
        """The conditions on a table, when the rows of others are known."""
        key = at, frozenset(known)
        if key not in self._conditions:
            found = self._conditions[key] = Conditions(self.scope, at, known, self.conjuncts(at))
            found.optional = self.nest_of(at) is not None
        return self._conditions[key]

    def filtering(self, at: int, known: Collection[int]) -> Conditions | None:
        """The conditions by which fewer rows of a table are expected: those of WHERE. None if it names no column of it.

        In the server: ``TABLE::cond_set``. What an outer join matches by leaves no row of the others out.
        """
        if self.nest_of(at) is None:
            return self.conditions(at, known)
        key = at, frozenset(known)
        if key not in self._filtering:
            where = [*self.wanted, *self._implied]
            named = any(at in self.named(each) for each in where)
            self._filtering[key] = Conditions(self.scope, at, known, where) if named else None
        return self._filtering[key]

    @cached_property
    def fixed(self) -> FixedValues:
        """The columns that have to equal constants, and the conditions on these alone."""
        free = [at for at in range(self.count) if self.nest_of(at) is None]
        return FixedValues(self.scope, (self.conditions(at, ()) for at in free), [*self.wanted, *self._implied])

    def is_single_row(self, at: int) -> bool:
        """Whether the conditions name the value of a unique key of a table."""
        equal = {each.column for each in self.equalities(at) if not each.needs and not each.null_safe}
        indexes = self.table(at).indexes
        return any(each.definition.unique and equal >= set(each.definition.columns) for each in indexes)

    def equalities(self, at: int) -> list[Equality]:
        """What the columns of a table have to equal, also in other tables."""
        others = frozenset(range(self.count)) - {at}
        return self.conditions(at, others).equalities()

    def touched(self, at: int) -> set[int]:
        """The columns of a table that the statement names."""
        return {column for number, column in self.scope.read if number == at} | self.changed.get(at, set())

    def named(self, condition: exp.Expr) -> frozenset[int]:
        """The tables that a condition is about."""
        return self.scope.tables_of(condition)

    def is_null_of(self, node: exp.Expr, nest: Nest) -> bool:
        """Whether a condition is that a column of a nest is NULL which never is, in the table."""
        if (
            not isinstance(node, exp.Is)
            or not isinstance(node.expression, exp.Null)
            or not isinstance(node.this, exp.Column)
        ):
            return False
        at, column = self.scope.column(node.this)
        return at in nest.tables and not self.table(at).columns[column].nullable

    def sides(
        self, filters: Iterable[Filter], *, within: int | None = None, outside: int | None = None
    ) -> list[Function]:
        """The sides of equalities that are about one table, or about the others that are compared with one."""
        found = []
        for each in filters:
            key = id(each), within, outside
            if key not in self._sides:
                self._sides[key] = self._side(each, within, outside)
            if (side := self._sides[key]) is not None:
                found.append(side)
        return found

    def _side(self, one: Filter, within: int | None, outside: int | None) -> Function | None:
        if not isinstance(one.node, exp.EQ) or one.node.find(SubqueryValue):
            return None
        at = within if outside is None else outside
        sides = [(each, self.named(each)) for each in (one.node.left, one.node.right)]
        inner = [each for each, tables in sides if tables == {at}]
        outer = [each for each, tables in sides if tables and at not in tables]
        if len(inner) != 1 or len(outer) != 1:
            return None
        return self.scope.compile((inner if outside is None else outer)[0])

    def _compiled(self, nodes: Sequence[exp.Expr], level: Collection[int]) -> list[Filter]:
        return [Filter(each, self.scope, self.scope.truth(each), level) for each in nodes]

    def part_of(self, condition: Filter, known: frozenset[int]) -> Filter | None:
        """What an OR says of some tables alone: of each side, all that names no other. None if a side says nothing.

        In the server: ``make_cond_for_table``.
        """
        node = condition.node.unnest()
        if not isinstance(node, exp.Or) or not condition.tables & known or is_random(node):
            return None
        key = id(condition), condition.tables & known
        if key not in self._parts:
            part = self._said_of(node, known)
            same = (each for (of, _), each in self._parts.items() if of == id(condition) and each is not None)
            alike = next((each for each in same if part is not None and each.node == part), None)
            self._parts[key] = alike or (None if part is None else self._compiled([part], condition.level)[0])
        return self._parts[key]

    def _said_of(self, node: exp.Expr, known: frozenset[int]) -> exp.Expr | None:
        if isinstance(node, exp.Paren):
            return self._said_of(node.this, known)
        if not isinstance(node, exp.Or | exp.And):
            return node if self.named(node) <= known else None
        sides = [self._said_of(each, known) for each in (node.left, node.right)]
        said = [each for each in sides if each is not None]
        if len(said) == 2:
            return type(node)(this=exp.paren(said[0]), expression=exp.paren(said[1]))
        return said[0] if said and isinstance(node, exp.And) else None

    def _simplify(self) -> None:
        """Make inner joins of outer joins whose rows without a match are excluded anyway."""
        while True:
            found = next((each for each in reversed(self.nests) if each.kind == "outer" and self._rejects(each)), None)
            if found is None:
                return
            above = self.wanted if found.within is None else found.within.on
            above += found.on
            for each in self.nests:
                if each.within is found:
                    each.within = found.within
            self.nests.remove(found)

    def _rejects(self, nest: Nest) -> bool:
        above = self.wanted if nest.within is None else nest.within.on
        return any(rejects_null(self.scope, at, each) for at in nest.tables for each in above)

    def _pull_out(self) -> None:
        """Join the tables of a subquery directly that have one row at most for each row of the others."""
        for nest in [each for each in self.nests if each.kind == "semi"]:
            again = True
            while again:
                again = False
                for at in sorted(nest.tables):
                    inside = any(at in each.tables for each in self.nests if each.within is nest)
                    if not inside and self._has_one_row_for_others(at, nest):
                        nest.tables.discard(at)
                        again = True
            if not nest.tables:
                self.nests.remove(nest)

    def _has_one_row_for_others(self, at: int, nest: Nest) -> bool:
        others = frozenset(range(self.count)) - {at}
        conditions = Conditions(self.scope, at, others, [*self.wanted, *self._implied])
        equal = {
            each.column
            for each in conditions.equalities()
            if not each.null_safe and not each.needs & (nest.tables - {at})
        }
        return any(each.definition.unique and equal >= set(each.definition.columns) for each in self.table(at).indexes)

    def semijoin(self, nest: Nest, constants: Collection[int]) -> SemijoinNest:
        """What the optimizer has to know of the tables of a subquery that are joined."""
        tables = frozenset(nest.tables) - frozenset(constants)
        depends = frozenset(at for each in nest.on for at in self.named(each)) - nest.tables
        joining = [each for each in nest.on if (named := self.named(each)) & tables and named - tables - set(constants)]
        materializes = all(self._compares_inside_with_outside(each, tables) for each in joining)
        materializes = materializes and not self._has_inner_nest(nest)
        compared = self._compared_columns(joining, tables) if materializes and len(tables) == 1 else None
        return SemijoinNest(tables, depends, nest.kind == "anti", materializes, compared, nest.strategies)

    def _compared_columns(self, joining: Sequence[exp.Expr], tables: frozenset[int]) -> frozenset[int] | None:
        """The columns of a table that are compared with others, if these are all that is compared."""
        found = set()
        for each in joining:
            left, right = each.args["this"], each.args["expression"]
            inner = left if self.named(left) <= tables else right
            if not isinstance(inner, exp.Column):
                return None
            found.add(self.scope.column(inner)[1])
        return frozenset(found) or None

    def _has_inner_nest(self, nest: Nest) -> bool:
        return any(each.within is nest for each in self.nests)

    def _compares_inside_with_outside(self, node: exp.Expr, tables: frozenset[int]) -> bool:
        if not isinstance(node, exp.EQ):
            return False
        left, right = self.named(node.left), self.named(node.right)
        return (left <= tables and not right & tables) or (right <= tables and not left & tables)

    def _order_of_tables(self, clause: FromClause) -> dict[int, frozenset[int]]:
        """Of each table, those that must be read before it: for an outer join those that its condition names."""
        after = {at: set(others) for at, others in clause.after.items()}
        for nest in self.nests:
            if nest.kind == "semi":
                continue
            named = {at for each in self.filters[nest] for at in each.tables} - nest.tables
            for at in nest.tables:
                after.setdefault(at, set()).update(named or self._left_of(nest))
        return {at: frozenset(others) for at, others in after.items()}

    def _left_of(self, nest: Nest) -> set[int]:
        """The tables to the left of an outer join whose condition names none of them."""
        whole = set(range(self.count)) if nest.within is None else nest.within.tables
        left = {at for at in whole if at < min(nest.tables)} or whole - nest.tables
        return left - {at for each in self.nests if each.kind == "semi" for at in each.tables}
