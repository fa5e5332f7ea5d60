"""FROM: its tables, how they are joined, and what the names of columns mean (manual, "JOIN Clause")."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from sqlglot import exp

from chatsim.db.mysql import database_error
from chatsim.innodb.sql.executor.derived import Derived, derived_table
from chatsim.innodb.sql.expressions import unsupported
from chatsim.innodb.sql.json_parser import columns_of
from chatsim.innodb.sql.optimizer.conjuncts import conjuncts
from chatsim.innodb.sql.optimizer.equalities import OF_MERGED
from chatsim.innodb.sql.optimizer.join_order import Strategy
from chatsim.innodb.sql.optimizer.optimizer_hints import refuse_hints
from chatsim.innodb.sql.parser import COMMA

if TYPE_CHECKING:
    from chatsim.innodb.sql.executor.execution import Find, PrepareQuery
    from chatsim.innodb.sql.executor.names import Names
    from chatsim.innodb.storage.tables import Table

__all__ = ["RESOLVED", "FromClause", "Nest", "NestKind", "Operand", "VisibleColumn"]

RESOLVED = "resolved"
"""What is noted at a column of which it is known what it means."""

NestKind = Literal["outer", "semi", "anti"]
"""How the tables of a nest are joined: the inner side of an outer join, IN or EXISTS, NOT IN or NOT EXISTS."""


@dataclass(eq=False)
class Nest:
    """Tables that are joined with the others as a whole.

    Attributes:
        kind: how they are joined.
        tables: their numbers, with those of nests within.
        on: the conditions on which they match.
        within: the nest that it is in.
        strategies: the strategies that may join those of a subquery.
        number: that of the subquery, if the statement is explained.
    """

    kind: NestKind
    tables: set[int]
    on: list[exp.Expr]
    within: Nest | None = None
    strategies: frozenset[Strategy] = frozenset(Strategy)
    number: int = 0


@dataclass(frozen=True)
class VisibleColumn:
    """A column that a name can mean.

    Attributes:
        name: its name.
        of: the name of its table, in lower case.
        node: what it stands for.
        shown: whether a star gives it.
    """

    name: str
    of: str
    node: exp.Expr
    shown: bool = True

    def is_named(self, node: exp.Column) -> bool:
        """Whether a name can mean it."""
        return node.name.lower() == self.name.lower() and node.table in ("", self.of)


@dataclass
class Operand:
    """A part of FROM.

    Attributes:
        tables: the numbers of its tables.
        columns: its columns as a star gives them, which a name without a table can mean.
        every: all its columns, which a name with its table can mean.
        wanted: the conditions of its inner joins.
        nests: the inner sides of its outer joins.
    """

    tables: list[int]
    columns: Sequence[VisibleColumn]
    every: Sequence[VisibleColumn]
    wanted: list[exp.Expr] = field(default_factory=list)
    nests: list[Nest] = field(default_factory=list)
    rewrites: ClassVar = True

    def meanings(self, node: exp.Column) -> list[VisibleColumn]:
        """The columns that a name may mean: none, one, or several if it is ambiguous."""
        return [each for each in (self.every if node.table else self.columns) if each.is_named(node)]


class _ColumnsOfTable(Sequence[VisibleColumn]):
    """The columns of a table. They are made when one is looked for: in most statements each name is its own meaning.

    Args:
        table: the table.
        called: its name in the statement.
        name: its name that no other table has.
    """

    def __init__(self, table: Table, called: str, name: str) -> None:
        self._table = table
        self._called = called
        self._name = name

    @cached_property
    def _made(self) -> list[VisibleColumn]:
        table, shown = self._table, set(self._table.shown)
        return [
            VisibleColumn(column.name, self._called, _resolved(column.name, self._name), number in shown)
            for number, column in enumerate(table.columns)
            if table.numbers.get(column.name.lower()) == number and number != table.hidden
        ]

    def __getitem__(self, at: Any) -> Any:
        return self._made[at]

    def __len__(self) -> int:
        return len(self._made)

    def __iter__(self) -> Iterator[VisibleColumn]:
        return iter(self._made)


class FromClause:
    """The tables of a statement.

    A derived table that only filters and renames is merged: its tables become tables of the statement (manual,
    "Optimizing Derived Tables, View References, and Common Table Expressions with Merging or Materialization").

    Args:
        first: the first table, or a join in parentheses; None if there is none.
        joins: what is joined with it.
        find: finds a table by its name.
        query: prepares the query of a derived table.
        merges: whether derived tables may be merged.
        kept: the names of derived tables that are not merged.
        outer: the names of the query around it.

    Raises:
        NotImplementedError, DatabaseError: as `chatsim.innodb.sql.executor.statements.prepare`.

    Attributes:
        tables: the tables, each with a name that no other has.
        nodes: their syntax trees.
        called: their names in the statement, for those of a view its name; None for a table of a merged query.
        locks: the locking clauses of the query that a table was merged with.
        wanted: the conditions of inner joins, and of merged queries.
        nests: the inner sides of outer joins, those within others behind them.
        columns: the columns that a star gives and that a name without a table can mean.
        after: of a table, those that have to be read before it (STRAIGHT_JOIN).
        merged: whether a derived table has been merged.
        read_by_lateral: the columns that LATERAL names, each with the number of its table.
        pending: conditions of merged queries that have subqueries, with the tables that they are about, and what finds
            those of the subqueries.
    """

    def __init__(
        self,
        first: exp.Expr | None,
        joins: Sequence[exp.Join],
        find: Find,
        query: PrepareQuery,
        *,
        merges: bool = True,
        kept: Collection[str] = (),
        outer: Names | None = None,
    ) -> None:
        self.read_by_lateral: set[tuple[int, int]] = set()
        self._outer = outer
        self.tables: list[tuple[str, Table]] = []
        self.nodes: list[exp.Expr] = []
        self.called: list[str | None] = []
        self.locks: dict[int, Sequence[exp.Expr]] = {}
        self.after: dict[int, set[int]] = {}
        self.merged = False
        self.pending: list[tuple[exp.Expr, Operand, Find]] = []
        self._find = find
        self._query = query
        self._merges = merges
        self._kept = kept
        whole = Operand([], [], []) if first is None or _is_dual(first) else self._joined(first, joins)
        self.wanted = whole.wanted
        self.nests = whole.nests
        self.columns = whole.columns
        self._every = whole.every

    def star(self, of: str = "") -> list[VisibleColumn]:
        """The columns of ``*``, or of ``table.*``."""
        if not of:
            return [each for each in self.columns if each.shown]
        found = [each for each in self._every if each.of == of.lower()]
        if not found:
            raise database_error(1051, f"Unknown table '{of}'")
        return [each for each in found if each.shown]

    def meanings(self, node: exp.Column) -> list[VisibleColumn]:
        """The columns that a name may mean: none, one, or several if it is ambiguous."""
        return [each for each in (self._every if node.table else self.columns) if each.is_named(node)]

    def may_be_null(self, node: exp.Expr) -> bool:
        """Whether an expression may be NULL; a column that never is, is not, but in an outer join."""
        if isinstance(node, exp.Literal):
            return False
        found = [each.node for each in self.meanings(node)] if isinstance(node, exp.Column) else []
        if isinstance(node, exp.Column) and node.meta.get(RESOLVED):
            found = [node]
        if len(found) != 1 or not isinstance(found[0], exp.Column):
            return True
        name, called = found[0].name.lower(), found[0].table
        at = next(at for at, (each, _) in enumerate(self.tables) if each == called)
        table = self.tables[at][1]
        return table.columns[table.numbers[name]].nullable or any(at in each.tables for each in self.nests)

    def add_query(self, select: exp.Select, find: Find, *, merges: bool) -> Operand:
        """Add the tables of a subquery, which is joined with the others."""
        self.merged = True
        before, self._merges = self._merges, merges
        inner = self._inline(select, find)
        self._merges = before
        return inner

    def named(self, name: str) -> list[int]:
        """The numbers of the tables with a name: one, several for those of a view, or none."""
        return [at for at, each in enumerate(self.called) if each and each == name]

    def keep_order(self) -> None:
        """Read the tables in the order in which they stand, but for those of outer joins."""
        inner = {at for each in self.nests for at in each.tables}
        for at in range(len(self.tables)):
            self.after.setdefault(at, set()).update(set(range(at)) - (inner if at not in inner else set()))

    @property
    def rewrites(self) -> bool:
        """Whether a name may mean something else than the column of that name."""
        return self.merged or (len(self.tables) > 1 and len(self.columns) < len(self._every))

    # -- its parts

    def _joined(self, first: exp.Expr, joins: Sequence[exp.Join]) -> Operand:
        """Tables and what is joined with them. A comma binds less than JOIN."""
        commas = [at for at, each in enumerate(joins) if each.meta.get(COMMA)]
        if not commas or len(joins) - commas[0] == len(commas):
            return self._chain(first, joins)
        whole = self._chain(first, joins[: commas[0]])
        for at, behind in zip(commas, [*commas[1:], len(joins)], strict=True):
            part = self._chain(joins[at].this, joins[at + 1 : behind], before=whole)
            whole = self._join(whole, part, joins[at], "", natural=False)
        return whole

    def _chain(self, first: exp.Expr, joins: Sequence[exp.Join], before: Operand | None = None) -> Operand:
        """A table and what is joined with it, one after the other.

        Args:
            first: the table.
            joins: the joins.
            before: what stands before a comma: only LATERAL may name it.
        """
        plain = any((each.args.get("side") or "") == "RIGHT" for each in joins)
        left = self._operand(first, plain=plain, left=before)
        for join in joins:
            side, kind = join.args.get("side") or "", join.args.get("kind") or ""
            method = join.args.get("method") or ""
            if side not in ("", "LEFT", "RIGHT") or method not in ("", "NATURAL"):
                raise unsupported(join)
            if kind not in ("", "INNER", "CROSS", "OUTER", "STRAIGHT_JOIN", "STRAIGHT"):
                raise unsupported(join)
            known = None if side == "RIGHT" else left if before is None else _beside(before, left)
            right = self._operand(join.this, plain=side == "LEFT", left=known)
            if before is not None and join.args.get("on") is not None:
                _check_names(join.args["on"], _beside(left, right), before)
            left = self._join(left, right, join, side, natural=bool(method))
            if kind.startswith("STRAIGHT"):
                for at in right.tables:
                    self.after.setdefault(at, set()).update(set(left.tables) - set(right.tables))
        return left

    def _operand(self, node: exp.Expr, *, plain: bool, left: Operand | None = None) -> Operand:
        """A table, a derived table, or a join in parentheses.

        Args:
            node: its syntax tree.
            plain: whether its columns may become NULL.
            left: what is joined before it, if LATERAL may name it.
        """
        if isinstance(node, exp.Lateral):
            return self._lateral(node, left or Operand([], [], []), plain=plain)
        joins = node.args.get("joins") or ()
        if isinstance(node, exp.Subquery | exp.Paren) and isinstance(node.this, exp.Table | exp.Subquery | exp.Paren):
            if node.args.get("alias") or joins:
                raise unsupported(node, "in FROM")
            return self._joined(node.this, node.this.args.get("joins") or ())
        if isinstance(node, exp.Subquery):
            return self._add(node, node.alias, derived_table(node, self._find, self._query), plain=plain)
        if not isinstance(node, exp.Table):
            raise unsupported(node, "in FROM")
        return self._add(node, node.alias_or_name, self._find(node.name), plain=plain)

    def _lateral(self, node: exp.Lateral, left: Operand, *, plain: bool) -> Operand:
        """A derived table that may name the tables before it."""
        from chatsim.innodb.sql.executor.json_table import JsonTable, json_table
        from chatsim.innodb.sql.executor.lateral import Lateral, lateral_table

        of_document = columns_of(node.this) is not None
        if not of_document and not isinstance(node.this, exp.Subquery):
            raise unsupported(node, "in FROM")
        make = json_table if of_document else lateral_table
        table = make(node, left, self.tables, self._find, self._query, outer=self._outer)
        count = len(self.tables)
        added = self._add(node, node.alias, table, plain=plain, left=left)
        if isinstance(table, Lateral | JsonTable) and added.tables == [count] and self.tables[count][1] is table:
            self.after.setdefault(count, set()).update(table.needs)
            self.read_by_lateral |= table.read_columns
        return added

    def _add(self, node: exp.Expr, called: str, table: Table, *, plain: bool, left: Operand | None = None) -> Operand:
        """A table with its name; a derived table is merged if it can be, and then may name what is on its ``left``."""
        merges = (self._merges or (isinstance(table, Derived) and table.is_view)) and called not in self._kept
        if merges and isinstance(table, Derived) and table.is_merged(plain=plain):
            return self._merge(called, table, left)
        at = len(self.tables)
        known = {name for name, _ in self.tables}
        name = called if called not in known else f"{called}#{at}"
        self.tables.append((name, table))
        self.nodes.append(node)
        self.called.append(called)
        columns = _ColumnsOfTable(table, called, name)
        return Operand([at], columns, columns)

    def _merge(self, called: str, derived: Derived, left: Operand | None) -> Operand:
        """The tables of a derived table, in its place."""
        assert derived.source is not None
        select = derived.source[0].copy()
        refuse_hints(select, "in a derived table that is merged")
        self.merged = True
        inner = self._inline(select, derived.source[1])
        if derived.is_view:
            for at in inner.tables:
                self.called[at] = called

        def meant(node: exp.Expr) -> exp.Expr:
            if not isinstance(node, exp.Column) or node.meta.get(RESOLVED):
                return node
            found = inner.meanings(node) or (left.meanings(node) if left is not None else [])
            return found[0].node.copy() if len(found) == 1 else node

        nodes: list[exp.Expr] = []
        for each in select.expressions:
            if isinstance(each, exp.Star):
                nodes += [column.node.copy() for column in inner.columns if column.shown]
            else:
                nodes.append(each.unalias().transform(meant))
        for each in nodes:
            each.meta[OF_MERGED] = True
        conditions = conjuncts(select.args.get("where"))
        self.pending += [(each, inner, derived.source[1]) for each in conditions if _has_query(each)]
        where = [each.transform(meant) for each in conditions if not _has_query(each)]
        columns = [
            VisibleColumn(column.name, called, node) for column, node in zip(derived.columns, nodes, strict=True)
        ]
        for on in (inner.wanted, *(each.on for each in inner.nests)):
            on[:] = [each if _has_query(each) else each.transform(meant) for each in on]
        return Operand(inner.tables, columns, columns, [*inner.wanted, *where], inner.nests)

    def _inline(self, select: exp.Expr, find: Find) -> Operand:
        """The tables of a query, as tables of the statement; they keep the query's locking clauses."""
        own = self._find
        self._find = find
        try:
            inner = self._joined(select.args["from_"].this, select.args.get("joins") or ())
        finally:
            self._find = own
        for at in inner.tables:
            self.called[at] = None
            self.locks.setdefault(at, select.args.get("locks") or ())
        return inner

    def _join(self, left: Operand, right: Operand, join: exp.Join, side: str, *, natural: bool) -> Operand:
        shared = _shared(left, right, join, natural=natural)
        on = [
            *conjuncts(join.args.get("on")),
            *(exp.EQ(this=a.node.copy(), expression=b.node.copy()) for a, b in shared),
        ]
        inner, outer = (left, right) if side == "RIGHT" else (right, left)
        hidden = {(each.of, each.name.lower()) for pair in shared for each in pair}
        kept = [pair[side == "RIGHT"] for pair in shared]
        columns = [*kept]
        for part in (left, right):
            columns += [each for each in part.columns if (each.of, each.name.lower()) not in hidden]
        tables, every = [*left.tables, *right.tables], [*left.every, *right.every]
        both = {each.of for each in left.every} & {each.of for each in right.every}
        if both:
            raise database_error(1066, f"Not unique table/alias: '{both.pop()}'")
        if not side:
            nests = [*left.nests, *right.nests]
            return Operand(tables, columns, every, [*left.wanted, *right.wanted, *on], nests)
        nest = Nest("outer", set(inner.tables), [*inner.wanted, *on])
        for each in inner.nests:
            each.within = each.within or nest
        return Operand(tables, columns, every, outer.wanted, [*outer.nests, nest, *inner.nests])


def _beside(one: Operand, other: Operand) -> Operand:
    """Two parts of FROM, whose names can both be meant."""
    tables = [*one.tables, *other.tables]
    return Operand(tables, [*one.columns, *other.columns], [*one.every, *other.every])


def _check_names(on: exp.Expr, own: Operand, before: Operand) -> None:
    """Check that a condition of a join names nothing that stands before a comma. Raises a `DatabaseError` (1054)."""
    within = on.find_ancestor(exp.Query)
    for each in on.find_all(exp.Column):
        hidden = before.meanings(each) and not own.meanings(each)
        if hidden and each.find_ancestor(exp.Query) is within:
            raise database_error(1054, f"Unknown column '{each.sql('mysql').replace('`', '')}' in 'on clause'")


def _shared(
    left: Operand, right: Operand, join: exp.Join, *, natural: bool
) -> list[tuple[VisibleColumn, VisibleColumn]]:
    """The columns that USING names, or that both sides of a NATURAL join have."""
    names = [each.name.lower() for each in join.args.get("using") or ()]
    if natural:
        both = {each.name.lower() for each in right.columns}
        names = [each.name.lower() for each in left.columns if each.name.lower() in both]
    found = []
    for name in names:
        pair = []
        for part in (left, right):
            own = [each for each in part.columns if each.name.lower() == name]
            if not own:
                raise database_error(1054, f"Unknown column '{name}' in 'from clause'")
            if len(own) > 1:
                raise database_error(1052, f"Column '{name}' in from clause is ambiguous")
            pair.append(own[0])
        found.append((pair[0], pair[1]))
    return found


def _resolved(name: str, table: str) -> exp.Column:
    """A column of which it is known what it means."""
    node = exp.column(name, table=table)
    node.meta[RESOLVED] = True
    return node


def _has_query(node: exp.Expr) -> bool:
    return node.find(exp.Query, exp.Exists) is not None


def _is_dual(node: exp.Expr) -> bool:
    return isinstance(node, exp.Table) and node.name.upper() == "DUAL" and not node.args.get("joins")
