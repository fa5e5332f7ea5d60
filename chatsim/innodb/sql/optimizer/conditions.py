"""The conditions on one table that an index search can use: comparisons of columns with known values."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import reduce
from math import prod
from operator import or_

from sqlglot import exp

from chatsim.innodb.sql.expressions import Env, Function, Scope, expression_key, is_true
from chatsim.innodb.sql.expressions.explicit_collation import explicit_type, is_collated_as, is_found_by_codes
from chatsim.innodb.sql.expressions.queries import COMPARED, OuterValue, SubqueryValue
from chatsim.innodb.sql.optimizer.array_terms import MEMBER, ArrayTerm, array_terms
from chatsim.innodb.sql.optimizer.column_range import IS_NULL, ColumnRange, intervals_of
from chatsim.innodb.sql.optimizer.condition_tree import And, ConditionTree, Equality, Or, columns_of
from chatsim.innodb.sql.optimizer.conjuncts import Conjunct, conjuncts, sides
from chatsim.innodb.sql.optimizer.constants import are_same, is_constant, is_of_kind, is_random
from chatsim.innodb.sql.optimizer.cost_model import key_parts
from chatsim.innodb.sql.optimizer.equalities import IMPLIED
from chatsim.innodb.sql.optimizer.intervals import Interval, after, before, overlap
from chatsim.innodb.sql.optimizer.range_tree import NOTHING, RangeTree
from chatsim.innodb.sql.optimizer.terms import PLAIN, Term
from chatsim.innodb.storage.column_types import Text
from chatsim.innodb.storage.structures import Index

__all__ = ["Conditions", "Equality"]


_LOOKUPS = ("=", "<=>", "in", IS_NULL, "or null", MEMBER)
"""The operators that name the values of a column."""

_FLIPPED = {"=": "=", "<=>": "<=>", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_OPERATORS: dict[type[exp.Expr], str] = {
    exp.EQ: "=",
    exp.NullSafeEQ: "<=>",
    exp.LT: "<",
    exp.LTE: "<=",
    exp.GT: ">",
    exp.GTE: ">=",
}


class Conditions:
    """The conditions on one table of a statement.

    Args:
        scope: the tables of the statement.
        at: the number of the table.
        known: the tables whose rows are known when this one is read.
        conditions: the conditions, which must all be true.

    Attributes:
        at: the number of the table.
        name: its name in the statement.
        table: the table.
        conjuncts: the conditions.
        optional: whether the table is the inner side of an outer join: only an index shows that it has no row.
    """

    def __init__(self, scope: Scope, at: int, known: Iterable[int], conditions: Iterable[Conjunct]) -> None:
        self._scope = scope
        self.at = at
        self._known = set(known)
        self.optional = False
        self.name, self.table = scope.tables[at]
        self.conjuncts = list(conditions)
        self._replaced = self._columns_of_constants(self.conjuncts)
        terms_of = [list(self._term(each)) for each in self.conjuncts]
        terms = [term for found in terms_of for term in found if not (term.random or term.recollated)]
        self._terms = [each for each in terms if not each.outer]
        self._outer_terms = [each for each in terms if each.outer]
        computed = (each.column for each in self._terms if each.operator == "=" and each.is_subquery)
        self._computed = {column for column in computed if not self.table.columns[column].nullable}
        self._constant = [scope.truth(each) for each in self.conjuncts if _is_constant(each)]
        self._tree = And(
            [part for each, own in zip(self.conjuncts, terms_of, strict=True) for part in self._parts(each, own)]
        )
        self._counted = self._tree
        if len(scope.tables) > 1:
            self._counted = self._all(each for each in self.conjuncts if not each.meta.get(IMPLIED))
            ors = [part for part in self._all(self._implied).parts if isinstance(part, Or)] if self._implied else []
            if ors:
                self._counted = And([self._counted, *map(_equalities_within, ors)])

    @property
    def _implied(self) -> list[Conjunct]:
        return [each for each in self.conjuncts if each.meta.get(IMPLIED)]

    def _all(self, nodes: Iterable[Conjunct]) -> And:
        nodes, outside = list(nodes), self._replaced
        self._replaced |= self._columns_of_constants(nodes)
        found = And([part for each in nodes for part in self._parts(each, self._term(each))])
        self._replaced = outside
        return found

    def _columns_of_constants(self, nodes: Iterable[Conjunct]) -> frozenset[int]:
        """The columns that equal a literal: it is put in their place, so that no expression with them is known again.

        Only of a table that has indexes on expressions, or generated columns.
        """
        equal = (each for each in nodes if isinstance(each, exp.EQ)) if self.table.expressions else ()
        pairs = (pair for each in equal for pair in ((each.left, each.right), (each.right, each.left)))
        columns = (
            self._column(one) for one, other in pairs if isinstance(one, exp.Column) and isinstance(other, PLAIN)
        )
        return frozenset(each for each in columns if each is not None)

    def _parts(self, node: Conjunct, terms: Iterable[Term]) -> list[ConditionTree]:
        """A condition as parts that must all be true, among them its terms."""
        match node:
            case exp.Paren():
                return self._parts(node.this, self._term(node.this))
            case exp.Or():
                return [Or([self._all(conjuncts(side)) for side in sides(node)])]
            case exp.In(this=exp.Tuple()):
                pairs = [conjuncts(exp.EQ(this=node.this, expression=each)) for each in node.expressions]
                return [Or([self._all(pair) for pair in pairs])]
            case exp.Not(this=exp.Between() as between):
                column, low, high = between.this, between.args["low"], between.args["high"]
                below = [*self._compared(column, "<", [low], also=high)]
                return [Or([*below, *self._compared(column, ">", [high], also=low)])] if below else []
        return [self._scope.truth(node)] if _is_constant(node) else [*self._not_in(node), *terms]

    def _not_in(self, node: Conjunct) -> Iterable[Term]:
        """The term of ``<>`` and NOT IN."""
        if isinstance(node, exp.NEQ):
            if not isinstance(node.this, exp.Column) and not isinstance(node.expression, exp.Column):
                return  # an index on an expression is not searched for it
            found = list(self._compared(node.this, "not in", [node.expression]))
            yield from found or self._compared(node.expression, "not in", [node.this])
        elif isinstance(node, exp.Not) and isinstance(node.this, exp.In) and node.this.expressions:
            yield from self._compared(node.this.this, "not in", node.this.expressions)

    def _term(self, node: Conjunct) -> Iterable[Term]:
        match node:
            case exp.Between():
                low, high = node.args["low"], node.args["high"]
                same = are_same(low, high, self._scope.kind(node.this))
                yield from self._compared(node.this, "=" if same else "between", [low] if same else [low, high])
            case exp.Like(this=exp.Column(), expression=exp.Literal() | exp.Placeholder()) if not node.args.get(
                "negate"
            ):
                yield from self._compared(node.this, "like", [node.expression])
            case exp.In() if node.expressions:
                yield from self._compared(node.this, "in", node.expressions)
            case exp.JSONArrayContains() | exp.Anonymous() if self.table.arrays:
                yield from array_terms(node, self._scope, self.at)
            case exp.Or():
                yield from self._or_terms(node)
            case exp.Is(this=exp.Column(), expression=exp.Null()):  # an index on an expression is not searched for it
                yield from self._compared(node.this, IS_NULL, [node.expression])
            case exp.Not(this=exp.Is(this=exp.Column(), expression=exp.Null())):
                yield from self._compared(node.this.this, "not null", [])
            case _ if (operator := _OPERATORS.get(type(node))) is not None:
                found = list(self._compared(node.this, operator, [node.expression]))
                yield from found or self._compared(node.expression, _FLIPPED[operator], [node.this])

    def _or_terms(self, node: exp.Or) -> Iterable[Term]:
        """The terms of an OR, if all sides name values of the same column, or a value and NULL."""
        nodes = sides(node)
        found = [term for each in nodes for term in self._term(each)]
        one_each = len(found) == len(nodes)
        if one_each and len({side.column for side in found}) == 1 and {side.operator for side in found} <= {"=", "in"}:
            values = [value for side in found for value in side.values]
            alike = len({node.sql() for side in found for node in side.nodes}) == 1  # in the server: merge_key_fields
            if alike and found[0].operator == "=":
                yield found[0]
                return
            yield Term(found[0].column, "in", values, [node for side in found for node in side.nodes])
        elif len(nodes) == 2:
            one, other = ([term for each in conjuncts(side) for term in self._term(each)] for side in nodes)
            yield from self._or_null_terms(one, other)
            yield from self._or_null_terms(other, one)

    def _or_null_terms(self, equal: Sequence[Term], null: Sequence[Term]) -> Iterable[Term]:
        """The terms, if one side is an equality of a column, and the other one is IS NULL of this column."""
        nulls = {term.column for term in null if term.operator == IS_NULL and self.table.columns[term.column].nullable}
        for term in equal:
            if term.operator == "=" and term.column in nulls:
                yield Term(term.column, "or null", term.values, term.nodes)

    def _compared(
        self, left: exp.Expr, operator: str, right: Sequence[exp.Expr], also: exp.Expr | None = None
    ) -> Iterable[Term]:
        """The term, if ``left`` is a column and the other values are known when the table is read."""
        column = self._column(left)
        rest = [*right, also] if also is not None else right
        if column is None or not all(self._is_known(each) for each in rest):
            return
        explicit = None if all(isinstance(each, PLAIN) for each in right) else explicit_type(*right)
        recollated = explicit is not None and not is_collated_as(self.table.columns[column].type, explicit)
        if not recollated or is_found_by_codes(explicit, operator):
            yield Term(column, operator, [self._scope.compile(each) for each in right], right, recollated)

    def _column(self, node: exp.Expr) -> int | None:
        """The column that an expression is: by its name, or as the expression of a generated column.

        The server does not recognize a JSON_VALUE.
        """
        if not isinstance(node, exp.Column):
            if not self.table.expressions or isinstance(node, exp.JSONValue):
                return None
            if self._scope.tables_of(node) != {self.at}:
                return None
            if self._replaced and any(
                self._scope.column(each)[1] in self._replaced for each in node.find_all(exp.Column)
            ):
                return None
            return self.table.expressions.get(expression_key(node))
        at, column = self._scope.column(node)
        return column if at == self.at else None

    def _is_known(self, node: exp.Expr) -> bool:
        return isinstance(node, PLAIN) or self._scope.tables_of(node) <= self._known

    def equalities(self) -> list[Equality]:
        """The columns that have to equal a value, by which a row can be looked up."""
        found = []
        for term in (*self._terms, *self._outer_terms):
            or_null = term.operator == "or null"
            if term.operator not in ("=", "<=>", IS_NULL) and not or_null:
                continue
            (value,), (node,) = term.values, term.nodes
            if term.operator == IS_NULL or self._is_sorted_alike(term.column, node):
                needs = self._scope.tables_of(node)
                found.append(Equality(term.column, value, needs, term.operator != "=", node, term.outer, or_null))
        return found

    def _is_sorted_alike(self, column: int, node: exp.Expr) -> bool:
        """Whether an index on a column can be searched for the value of an expression."""
        own, other = self.table.columns[column].type, self._scope.kind(node)
        if not isinstance(own, Text) or other is None:
            return True
        return isinstance(other, Text) and own.collation == other.collation

    def is_simple(self, fixed: Collection[int]) -> bool:
        """Whether all conditions compare a column with one value, or with two, or are about columns of one value."""
        kinds = (*_OPERATORS, exp.Between, exp.Is)
        compared = (
            (isinstance(each, kinds) and list(self._term(each))) or self.is_about(each, fixed)
            for each in self.conjuncts
        )
        return all(compared) and not any(map(is_random, self.conjuncts))

    def compares_plainly(self, column: int) -> bool:
        """Whether the conditions on a column only compare it with values, so that its least value can be looked up."""
        return all(self._is_plain(each, column) for each in self.conjuncts if column in self._own_columns(each))

    def _is_plain(self, node: Conjunct, column: int) -> bool:
        if isinstance(node, exp.Paren):
            return self._is_plain(node.this, column)
        if isinstance(node, exp.And | exp.Or):
            return all(self._is_plain(each, column) for each in (node.left, node.right))
        leaf: exp.Expr = node.this if isinstance(node, exp.Not) else node
        kinds = (*_OPERATORS, exp.NEQ, exp.Between, exp.Is)
        if not isinstance(leaf, kinds) or leaf.find(SubqueryValue):
            return False
        named = list(leaf.find_all(exp.Column))
        return len(named) == 1 and self._own_columns(leaf) == {column} and named[0] in leaf.args.values()

    def _own_columns(self, node: Conjunct) -> set[int]:
        """The columns of the table that an expression names."""
        named = [self._scope.column(column) for column in node.find_all(exp.Column)]
        return {column for at, column in named if at == self.at}

    @property
    def has_outer(self) -> bool:
        """Whether a column is compared with a value of a query around this one."""
        return bool(self._outer_terms)

    def index_conditions(self, index: Index, looked_up: int = 0) -> list[Function]:
        """The conditions that can be checked with the columns of an index alone, without the row.

        Args:
            index: the index.
            looked_up: the number of its first columns that are looked up by value. Conditions on these columns alone
                are true already, and are left out, except IS NULL.
        """
        if any(self.table.columns[column].virtual for column in index.definition.columns):
            return []  # manual, "Index Condition Pushdown Optimization": not on virtual generated columns
        place = index.definition.whole
        parts = [
            part
            for each in self.conjuncts
            if (part := self._index_condition(each, place, place[:looked_up])) is not None
        ]
        return [self._scope.truth(part) for part in parts]

    def are_within(self, index: Index) -> bool:
        """Whether all conditions on the table use no columns of it but those of an index."""
        for each in self.conjuncts:
            own = self._own_columns(each)
            if own and (not own <= {*index.definition.whole} or each.find(exp.Tuple, SubqueryValue)):
                return False
        return True

    def is_about(self, node: exp.Expr, columns: Collection[int], *, pushed: bool = False) -> bool:
        """Whether a condition uses only these columns of the table.

        IS NULL does not count, since it is always checked, unless it is ``pushed`` to an index.
        """
        named = [self._scope.column(column) for column in node.find_all(exp.Column)]
        if not named or (pushed and node.find(exp.Tuple)):
            return False
        is_null = isinstance(node, exp.Is) and isinstance(node.expression, exp.Null)
        own = [column for at, column in named if at == self.at]
        others = {at for at, _ in named} - {self.at}
        return (pushed or not is_null) and set(own) <= set(columns) and (not others or not pushed)

    def compared_with(self, column: int, constants: Collection[int]) -> str:
        """What a column is compared with, as EXPLAIN names it: a column of a table, ``const``, or ``func``."""
        nodes = (term.nodes for term in self._terms if term.column == column and term.operator in _LOOKUPS)
        found = [self.source(each[0], constants) for each in nodes if each]
        return "const" if not found or "const" in found else found[0]

    def leads_into(self, indexes: Iterable[Index]) -> bool:
        """Whether the first column of one of some indexes is compared with values that are known."""
        compared = {*columns_of(self._tree)}
        return any(each.definition.columns[0] in compared for each in indexes)

    @property
    def columns(self) -> set[int]:
        """The columns by which an index could be searched."""
        return {term.column for term in self._terms}

    def source(self, node: exp.Expr, constants: Collection[int]) -> str:
        """Where a value comes from, as EXPLAIN names it: a column of a table, ``const``, or ``func``."""
        tables = self._scope.tables_of(node) - set(constants)
        if isinstance(node, OuterValue):
            return "func" if node.args["name"] == COMPARED else str(node.args["name"])
        if not tables:
            return "func" if node.find(OuterValue) else "const"
        if isinstance(node, exp.Column):
            at, column = self._scope.column(node)
            return f"{self._scope.tables[at][0]}.{self._scope.tables[at][1].columns[column].name}"
        return "func"

    def settles(self, column: int, node: exp.Expr) -> bool:
        """Whether a lookup of a column by a value makes the equality true, which then need not be checked.

        A column of another type, or an expression, is checked again.
        """
        if isinstance(node, exp.Column | OuterValue):
            return self._scope.kind(node) == self.table.columns[column].type
        return not self._scope.tables_of(node)

    def _index_condition(self, node: exp.Expr, place: Sequence[int], searched: Sequence[int]) -> exp.Expr | None:
        """The part of a condition that uses only columns of an index. For an OR, each side must have such a part."""
        if isinstance(node, exp.Paren):
            return self._index_condition(node.this, place, searched)
        if isinstance(node, exp.Or | exp.And):
            sides = [self._index_condition(each, place, ()) for each in (node.left, node.right)]
            known = [each for each in sides if each is not None]
            if len(known) == 2:
                return type(node)(this=exp.paren(known[0]), expression=exp.paren(known[1]))
            return known[0] if known and isinstance(node, exp.And) else None
        columns = [self._scope.column(column) for column in node.find_all(exp.Column)]
        elsewhere = any(at != self.at or column not in place for at, column in columns)
        if elsewhere or node.find(exp.Tuple, SubqueryValue):
            return None  # row comparisons and subqueries are checked on the row
        if not columns:
            return node if is_random(node) else None
        is_null = isinstance(node, exp.Is) and isinstance(node.expression, exp.Null)
        stays = is_null or (len(columns) == 1 and self.table.columns[columns[0][1]].type.checked_again)
        return node if stays or not all(column in searched for _, column in columns) else None

    def selectivity(self, rows: int, known: Collection[int]) -> float:
        """The estimated part of the rows for which the conditions are true (MySQL manual, "Condition Filtering").

        Args:
            rows: how many there are.
            known: columns whose conditions do not count, since an index has answered them.
        """
        return self._selectivity(self._counted, rows, known)

    def _selectivity(self, tree: ConditionTree, rows: int, known: Collection[int]) -> float:
        match tree:
            case And(parts):
                return prod(self._selectivity(each, rows, known) for each in self._each_once(parts))
            case Or(parts):
                return 1 - prod(1 - self._selectivity(each, rows, known) for each in parts)
            case Term(column):
                return 1 if column in known else self._part(tree, rows)
        return 1

    def _each_once(self, parts: Iterable[ConditionTree]) -> Iterator[ConditionTree]:
        """The parts of an AND that count. What one column equals, constants and columns, is equal: it counts once."""
        equal: set[int] = set()
        for each in parts:
            if isinstance(each, Term) and self._equals_member(each):
                if each.column in equal:
                    continue
                equal.add(each.column)
            yield each

    def _equals_member(self, term: Term) -> bool:
        """Whether a column equals a constant, or a column of its type (in the server: members of an ``Item_equal``)."""
        if term.operator != "=":
            return False
        node, own = term.nodes[0], self.table.columns[term.column].type
        return isinstance(node, PLAIN) or (isinstance(node, exp.Column) and self._scope.kind(node) == own)

    def _part(self, term: Term, rows: int) -> float:
        """The estimated part of the rows for which a term is true, by the statistics of an index if it is an equality.

        In the server: ``Item_equal::get_filtering_effect``. It also looks at indexes that hints exclude.
        """
        if term.operator == "=" and isinstance(term.nodes[0], (exp.Column, *PLAIN)):
            for index in self.table.indexes:
                if index.definition.columns[0] == term.column:
                    return min(self.table.statistics.rows_per_key(index, 1) / rows, 1.0)
        return term.selectivity(rows)

    # -- with values

    def constants_hold(self, env: Env) -> bool:
        """Whether the conditions without columns are true."""
        return all(is_true(each(env)) for each in self._constant)

    def column_ranges(self, env: Env, indexes: Sequence[Index] | None = None) -> dict[int, ColumnRange] | None:
        """The range of each column that the conditions allow, with the values that are known now.

        None if a column is compared with NULL, or if a condition without columns is false. If ``indexes`` are given, a
        comparison with a subquery counts only for a column of these.
        """
        if not self.constants_hold(env):
            return None
        found = self._array_ranges(env)
        converted: set[int] = set()  # the columns that are compared with values of another kind
        searched = indexes if indexes is not None else () if self.optional else self.table.indexes
        for term in self._terms_in_turn(found, indexes, searched):
            values = term.known(env)
            if values is None and not self._is_searched(term, searched):
                continue  # only an index shows that nothing equals NULL
            if values is None or (term.operator == "<=>" and values == [None] and not self._may_be_null(term.column)):
                return None
            column = self.table.columns[term.column]
            if not all(is_of_kind(column.type, each) for each in values):
                converted.add(term.column)
            span = found.get(term.column, ColumnRange()).restricted(column, term.operator, values)
            if span.points == () and term.column in converted and not _has_column(searched, term.column):
                alone = ColumnRange().restricted(column, term.operator, values)
                if alone.points != ():
                    continue  # only an index shows that it contradicts another one
            found[term.column] = span
        return found

    def _terms_in_turn(
        self, found: Mapping[int, ColumnRange], indexes: Sequence[Index] | None, searched: Sequence[Index]
    ) -> Iterator[Term]:
        """The terms that make ranges, until those that were ``found`` contradict each other and a subquery is next."""
        for term in self._terms:
            if self._is_replaced(term) or isinstance(term, ArrayTerm):
                continue
            if indexes is not None and (term.is_subquery or term.from_row) and not _has_column(indexes, term.column):
                continue
            if term.is_subquery and any(span.is_empty and _has_column(searched, at) for at, span in found.items()):
                return
            yield term

    def _is_replaced(self, term: Term) -> bool:
        """Whether the column of a term equals a subquery, which the server puts in its place, and asks later."""
        return term.column in self._computed and not (term.operator == "=" and term.is_subquery)

    def _is_searched(self, term: Term, indexes: Sequence[Index]) -> bool:
        """Whether one of some indexes could be searched by a term."""
        able = term.operator in _LOOKUPS or self.table.columns[term.column].type.has_ranges
        return able and _has_column(indexes, term.column)

    def _array_ranges(self, env: Env) -> dict[int, ColumnRange]:
        """The values that arrays have to have. Of several conditions the first that names one value counts."""
        found: dict[int, ColumnRange] = {}
        for term in self._terms:
            if not isinstance(term, ArrayTerm) or not (values := term.known(env)):
                continue
            column = term.column
            if column not in found or (term.operator == MEMBER and not found[column].equal):
                keys = tuple(self.table.order(column, each) for each in values)
                found[column] = ColumnRange(points=keys, equal=term.operator == MEMBER)
        return found

    def _may_be_null(self, column: int) -> bool:
        return self.optional or self.table.columns[column].nullable

    def range_tree(self, env: Env, indexes: Sequence[Index]) -> RangeTree:
        """The ranges of indexes that the conditions allow, with the values that are known now."""
        return self._range_tree(self._tree, env, indexes, {})

    def _range_tree(
        self, tree: ConditionTree, env: Env, indexes: Sequence[Index], fixed: Mapping[int, Sequence[Interval]]
    ) -> RangeTree:
        """The ranges that a condition allows; a side of an OR also has to allow the values of ``fixed`` columns."""
        match tree:
            case And(parts):
                found = RangeTree()
                for each in parts:
                    found &= self._range_tree(each, env, indexes, fixed)
                    if found.impossible:  # what comes behind is not looked at: no subquery of it is asked
                        break
                return found
            case Or(parts):
                fixed = fixed or self._fixed(env, {*columns_of(tree)})
                return reduce(or_, [self._range_tree(each, env, indexes, fixed) for each in parts])
            case Term():
                return self._ranges_of(tree, env, indexes, fixed)
        return RangeTree() if is_true(tree(env)) else NOTHING

    def _ranges_of(
        self, term: Term, env: Env, indexes: Sequence[Index], fixed: Mapping[int, Sequence[Interval]]
    ) -> RangeTree:
        """The ranges that a term allows."""
        asks_in_vain = term.is_subquery and not _has_column(indexes, term.column)
        if term.outer or term.random or asks_in_vain or self._is_replaced(term):
            return RangeTree()
        values = term.known(env)
        if isinstance(term, ArrayTerm):
            keys = [self.table.order(term.column, each) for each in reversed(values or [])]
            points = [Interval(before(each), after(each)) for each in keys]
            return RangeTree.of(term.column, points, indexes, several=True) if points else RangeTree()
        if values is None:
            return NOTHING if self._is_searched(term, indexes) else RangeTree()
        left = intervals_of(self.table.columns[term.column], term.operator, values)
        if left is not None and term.column in fixed and not overlap(left, fixed[term.column]):
            return NOTHING
        return RangeTree() if left is None else RangeTree.of(term.column, left, indexes)

    def _fixed(self, env: Env, columns: Collection[int]) -> dict[int, Sequence[Interval]]:
        """The values of columns that have to equal a literal or a subquery, which the server puts in their place."""
        found: dict[int, Sequence[Interval]] = {}
        for term in self._terms:
            if (
                term.column in columns
                and term.operator == "="
                and (term.is_subquery or isinstance(term.nodes[0], PLAIN))
            ):
                left = intervals_of(self.table.columns[term.column], "=", [value(env) for value in term.values])
                if left:
                    found[term.column] = left
        return found


def _equalities_within(tree: ConditionTree) -> ConditionTree:
    """What counts of an OR that follows from one about another column: the sides that equal a constant.

    In the server an equality within OR names all columns that are equal outside of it, and other comparisons only one.
    """
    match tree:
        case And(parts):
            return And([_equalities_within(each) for each in parts])
        case Or(parts):
            return Or([_equalities_within(each) for each in parts])
        case Term(operator="=", nodes=(exp.Literal() | exp.Placeholder(),)):
            return tree
    return And(())


def _has_column(indexes: Sequence[Index], column: int) -> bool:
    """Whether one of some indexes may be searched by a column."""
    return any(column in key_parts(each) for each in indexes)


def _is_constant(node: Conjunct) -> bool:
    """Whether a condition has the same value for each row; also if it compares with a subquery, which has been read."""
    if not node.find(SubqueryValue):
        return is_constant(node)
    return isinstance(node, (*_OPERATORS, exp.NEQ, exp.Is)) and not any(
        isinstance(each, exp.Column | exp.Func | exp.Parameter | exp.SessionParameter | OuterValue)
        for each in node.walk()
    )
