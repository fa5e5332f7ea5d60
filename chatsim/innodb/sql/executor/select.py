"""SELECT: its preparation, and what is asked of a run of it (`select_run`)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from sqlglot import exp

from chatsim.db.mysql import database_error
from chatsim.innodb.sql.executor.aggregate import group_function
from chatsim.innodb.sql.executor.clauses import compile_limit, limit_value, ordering_columns, refuse, shown_rows
from chatsim.innodb.sql.executor.derived import Derived, base_tables
from chatsim.innodb.sql.executor.execution import Answer, Execution, Find, PrepareQuery, ReadRest
from chatsim.innodb.sql.executor.from_clause import FromClause
from chatsim.innodb.sql.executor.full_group_by import check_groups, check_having_names
from chatsim.innodb.sql.executor.group_levels import grouping_places
from chatsim.innodb.sql.executor.groups_wanted import any_order, groups_wanted, ordered_groups
from chatsim.innodb.sql.executor.join import Join
from chatsim.innodb.sql.executor.join_steps import Order
from chatsim.innodb.sql.executor.joined_tables import JoinedTables
from chatsim.innodb.sql.executor.locking_clause import Locking
from chatsim.innodb.sql.executor.names import Names
from chatsim.innodb.sql.executor.select_run import SelectRun
from chatsim.innodb.sql.executor.semijoin import SubqueryJoiner
from chatsim.innodb.sql.executor.window_names import with_named_windows
from chatsim.innodb.sql.executor.windows import WindowFunction, check_having
from chatsim.innodb.sql.expressions import Env, Function, Scope, unsupported
from chatsim.innodb.sql.expressions.queries import SubqueryValue
from chatsim.innodb.sql.expressions.result_type import result_type
from chatsim.innodb.sql.optimizer.conjuncts import conjuncts
from chatsim.innodb.sql.optimizer.min_max import IndexEnd, index_end
from chatsim.innodb.sql.optimizer.optimizer_hints import apply_hints, kept_tables
from chatsim.innodb.storage.locks import NotGrantedError
from chatsim.innodb.storage.scan import Reading
from chatsim.innodb.storage.values import Value

if TYPE_CHECKING:
    from chatsim.db.deadlock import Mode
    from chatsim.innodb.sql.optimizer.access_request import Grouping
    from chatsim.innodb.storage.tables import Table

__all__ = ["Each", "Select"]

_NO_TABLE = -1
_MODIFIERS = ("HIGH_PRIORITY", "SQL_SMALL_RESULT", "SQL_BIG_RESULT", "SQL_BUFFER_RESULT", "SQL_NO_CACHE")

Each = Callable[[tuple[Value, ...]], Awaitable[bool]]
"""A function that is called with each row that is read; returns whether no more are wanted."""


class Select:
    """SELECT from no table, one table, or several joined tables."""

    duplicates: Mode = "S"

    def __init__(
        self, node: exp.Select, find: Find, query: PrepareQuery, *, strict: bool = False, outer: Names | None = None
    ) -> None:
        refuse(node, "qualify", "kind")
        if not node.expressions:
            raise database_error(1064, "You have an error in your SQL syntax near ''")
        if node.args.get("windows"):
            node = with_named_windows(node)
        first = node.args["from_"].this if node.args.get("from_") else None
        merges = outer is None or outer.merges_within
        clause = FromClause(
            first, node.args.get("joins") or (), find, query, merges=merges, kept=kept_tables(node), outer=outer
        )
        if clause.rewrites:
            node = node.copy()  # its tree is shared, and names are going to be resolved in it
        self._counts_all = _obey_modifiers(node, clause)
        if self._counts_all and outer is not None:
            raise database_error(1234, "Incorrect usage/placement of 'SQL_CALC_FOUND_ROWS'")
        buffers = apply_hints(node, clause) if node.args.get("hint") else True
        self.node = node
        self.distinct = bool(node.args.get("distinct"))
        self.scope = scope = Scope(clause.tables, strict=strict, grouping=True)
        scope.read |= clause.read_by_lateral
        self._clause = clause
        self._names = Names(clause, scope, find, query, outer, merges_within=merges)
        self._names.resolve_joins()
        scope.grouping = False
        wanted = SubqueryJoiner(clause, self._names, find, query, merges=merges).resolved(
            conjuncts(node.args.get("where"))
        )
        scope.grouping = True
        self.names: list[str] = []
        self.select_list = self._expand_select_list()
        self.outputs = [scope.compile(each) for each in self.select_list]
        self.kinds = [scope.kind(each) for each in self.select_list]
        self.results = [result_type(each, scope) for each in self.select_list]
        scope.grouping = False
        self.joined = JoinedTables(scope, clause, [*wanted, *clause.wanted])
        self.joined.buffers = buffers
        self._prepare_order_and_groups(node)
        self.limit = compile_limit(node.args.get("limit"), scope)
        self.offset = compile_limit(node.args.get("offset"), scope)
        scope.grouping = True
        self.windows = [WindowFunction(each, scope) for each in scope.windows if isinstance(each, exp.Window)]
        scope.grouping = False
        self.aggregates = [(id(each), group_function(each, scope)) for each in scope.aggregates]
        self.grouping_places = grouping_places(scope, self.grouped_by)
        self._group_problem = check_groups(self) if self.grouped or self.distinct else None
        self._leave_out_groups()
        self.min_max_columns = [] if self.groups is not None else _min_max_columns(scope)
        self.into = [each.name.lower() for each in _into(node)]
        self.locking = Locking.of(node, clause)
        self.notes_nulls = False  # of IN that looks for equal rows: one that is NULL is noted, and let go

    def _prepare_order_and_groups(self, node: exp.Select) -> None:
        """Prepare GROUP BY, HAVING and ORDER BY."""
        scope = self.scope
        group, order = node.args.get("group"), node.args.get("order")
        if group:
            refuse(group, "cube", "grouping_sets", "totals", "all")
        self.grouped_by = grouped_by = [self._grouped_by(each) for each in group.expressions] if group else []
        self.groups: list[Function] | None = [scope.place(each) for each in grouped_by] if group else None
        self.rolls_up = bool(group and group.args.get("rollup"))
        self.group_columns = [[scope.column(part) for part in each.find_all(exp.Column)] for each in grouped_by]
        scope.grouping = True
        self.ordered_by = by = [self._ordered_by(each.this) for each in order.expressions] if order else []
        self.order = [scope.place(each) for each in by]
        self.ordered_tables = frozenset[int]().union(*(_named(each, scope) or frozenset((_NO_TABLE,)) for each in by))
        self.directions = [bool(each.args.get("desc")) for each in order.expressions] if order else []
        having = node.args.get("having")
        self.having_nodes = [self._having_condition(each) for each in conjuncts(having and having.this)]
        self.having = [scope.truth(each) for each in self.having_nodes]
        self.ordering = ordering_columns(scope, by, self.directions)
        columns = ordering_columns(scope, grouped_by, [False] * len(grouped_by)) or []
        order_of_groups = None if self.rolls_up else ordered_groups(columns, self.ordering)
        self.grouping: Sequence[tuple[int, int, bool | None]] = order_of_groups or any_order(columns)
        self._sorts_groups_later = order_of_groups is None

    def _leave_out_groups(self) -> None:
        """Leave GROUP BY out if each group has one row, since it has a key that is unique."""
        self._left_out = False
        if self.groups is None or self.rolls_up or self.aggregates or self.windows or self.joined.count != 1:
            return
        if _has_key(self.joined.table(0), [column for _, column, _ in self.grouping]):
            self.groups = None
            self.grouping = []
            self._left_out = True

    def stars_expanded(self) -> list[exp.Expr]:
        """The select list as it is written, with columns in the place of each star."""
        found: list[exp.Expr] = []
        for each in self.node.expressions:
            if isinstance(each, exp.Star) or (isinstance(each, exp.Column) and isinstance(each.this, exp.Star)):
                shown = self._clause.star(each.table if isinstance(each, exp.Column) else "")
                found += [exp.column(column.name, table=column.of, quoted=True) for column in shown]
            else:
                found.append(each.copy())
        return found

    @property
    def tables(self) -> Sequence[Table]:
        """The tables of the schema that it reads."""
        own = base_tables(table for _, table in self.scope.tables)
        return [*own, *(table for each in self.scope.subqueries for table in each.query.tables)]

    @property
    def direct_tables(self) -> Sequence[Table]:
        """Those of them that it reads itself, and not by way of a derived table."""
        own = [table for _, table in self.scope.tables if not isinstance(table, Derived)]
        return [*own, *(table for each in self.scope.subqueries for table in each.query.direct_tables)]

    @property
    def writes(self) -> bool:
        """Whether it locks rows as if it changed them."""
        return "X" in self.locking.modes or any(each.query.writes for each in self.scope.subqueries)

    @cached_property
    def nullable(self) -> list[bool]:
        """Whether its columns may be NULL."""
        return [self._may_be_null(each) for each in self.select_list]

    def add_outputs(self, wanted: Iterable[tuple[int, int]]) -> None:
        """Have further columns behind those of the select list, for an INSERT: numbers of tables and of their columns.

        Raises:
            NotImplementedError: its rows are not those of its tables.
        """
        for at, column in wanted:
            if self.grouped or self.node.args.get("distinct"):
                raise unsupported("ON DUPLICATE KEY UPDATE with a column of a SELECT that groups")
            self.scope.read.add((at, column))
            self.outputs.append(_column(at, column))

    def resolved(self, node: exp.Expr) -> exp.Expr:
        """An expression about its tables, with the names resolved."""
        return self._names.resolve(node.copy())

    def be_outermost(self) -> None:
        """Note that there is no query around it, which decides whether the rows of a forced range are counted."""
        sorts_otherwise = bool(self.order) and self.ordering is None
        self.joined.counts = self.grouped or self.distinct or sorts_otherwise

    @property
    def grouped(self) -> bool:
        """Whether it groups rows."""
        return self.groups is not None or bool(self.aggregates)

    @cached_property
    def sorts_groups(self) -> bool:
        """Whether the rows are sorted before they are grouped, for an aggregate that needs all rows of its group.

        In the server: ``allow_group_via_temp_table``.
        """
        kept = (exp.GroupConcat, exp.JSONArrayAgg, exp.JSONObjectAgg)
        aggregates = [each for each in self.scope.aggregates if not isinstance(each, exp.Min | exp.Max)]
        return any(isinstance(each, kept) or isinstance(each.this, exp.Distinct) for each in aggregates)

    @property
    def gives_groups_in_order(self) -> bool:
        """Whether groups are given as they come, if they come in the order of an index."""
        return bool(self.grouping) and not self.distinct and not self._sorts_groups_later

    def order_wanted(self, rows_wanted: int | None) -> Order:
        """The order in which its rows are wanted from the join."""
        if self.grouped:
            tables = frozenset(at for at, _, _ in self.grouping)
            groups = rows_wanted if self.gives_groups_in_order and not self.windows and not self.having else None
            return Order(
                self.grouping,
                tables=tables,
                grouped=bool(self.grouping),
                groups=groups,
                grouping=self._groups_wanted(rows_wanted),
            )
        if (columns := self.distinct_columns) is not None and (rows_wanted is None or self.order):
            order: Sequence[tuple[int, int, bool | None]] = [(0, column, None) for column in columns]
            return Order(
                self.ordering or order, tables=frozenset((0,)), grouped=True, grouping=self._groups_wanted(rows_wanted)
            )
        hides = bool(self.having) and not self._left_out  # HAVING hides the limit from the optimizer
        limit = None if (self.distinct and not self.order) or hides or self.windows else rows_wanted
        if not self.order:
            return Order(limit=limit, grouping=self._groups_wanted(rows_wanted))
        by = list(zip(self.order, self.directions, strict=True))
        return Order(self.ordering, by, self.ordered_tables, limit, grouping=self._groups_wanted(rows_wanted))

    def _groups_wanted(self, rows_wanted: int | None) -> Grouping | None:
        """What it wants of groups."""
        last = rows_wanted is not None and bool(self.ordering) and any(self.directions)
        return replace(self._every_group, last=True) if self._every_group and last else self._every_group

    @cached_property
    def _every_group(self) -> Grouping | None:
        return groups_wanted(self)

    @cached_property
    def distinct_columns(self) -> list[int] | None:
        """The columns of a SELECT DISTINCT of columns of one table, which the server reads as groups; else None.

        ORDER BY has to have all of the columns.
        """
        columns = self._selected_columns
        if not self.distinct or self.windows or columns is None or self.is_distinct_anyway:
            return None
        return None if self.order and {column for _, column, _ in self.ordering or ()} != {*columns} else columns

    @cached_property
    def is_distinct_anyway(self) -> bool:
        """Whether its rows have a key that is unique, so that no row is the same as another: DISTINCT is left out."""
        return self._selected_columns is not None and _has_key(self.joined.table(0), self._selected_columns)

    @cached_property
    def _selected_columns(self) -> list[int] | None:
        """The columns of one table that it selects; None if it selects anything else."""
        outputs = [each.unalias() for each in self.select_list]
        columns = [each for each in outputs if isinstance(each, exp.Column)]
        if self.joined.count != 1 or len(columns) < len(outputs):
            return None
        return [self.scope.column(each)[1] for each in columns]

    @property
    def columns_of_groups(self) -> set[tuple[int, int]]:
        """The columns that GROUP BY or DISTINCT names, or aggregates of distinct values, with their tables."""
        if self.groups is not None:
            return {each for columns in self.group_columns for each in columns}
        if self.distinct:
            return {self.scope.column(each) for node in self.select_list for each in node.find_all(exp.Column)}
        return {(0, column) for column in self._every_group.distinct} if self._every_group is not None else set()

    def index_ends(self, env: Env) -> list[IndexEnd | None]:
        """Where each MIN() and MAX() is, None if no index has it at its end; [] if more is selected."""
        if not self.min_max_columns:
            return []
        joined = self.joined
        if joined.conditions(0, ()).has_outer:
            return [None]
        return [
            index_end(joined.conditions(0, ()), env, joined.hints[0], each, joined.touched(0))
            for each in self.min_max_columns
        ]

    async def run(self, run: Execution) -> Answer:
        """Run the query."""
        rows = await (self._read_all(run) if self._counts_all else self.read(run))
        if self.into:
            self._assign(run, rows)
            return run.answer
        run.answer.rows = shown_rows(rows, self.tables)
        return run.answer

    async def _read_all(self, run: Execution) -> list[tuple[Value, ...]]:
        """SQL_CALC_FOUND_ROWS: all rows are read and counted, as if there was no LIMIT."""
        env = run.env(len(self.scope.tables))
        limit, offset = limit_value(self.limit, env), limit_value(self.offset, env) or 0
        rows = await self._finished(run, *await self._started(run, None, None, None, limited=False))
        run.answer.found = len(rows)
        return rows[offset : None if limit is None else offset + limit]

    async def read(
        self, run: Execution, each: Each | None = None, *, outer: Env | None = None, most: int | None = None
    ) -> list[tuple[Value, ...]]:
        """Its rows; see `Query`.

        If ``each`` is given, it is called with each row as it is found; rows that must be sorted or grouped are
        returned.
        """
        rows, join = await self._started(run, each, outer, most)
        return await self._finished(run, rows, join)

    async def begin(self, run: Execution, *, outer: Env | None = None) -> ReadRest:
        """Plan it; see `Query`."""
        rows, join = await self._started(run, None, outer, None)
        try:
            await rows.begin(early=True)
        except NotGrantedError as error:
            raise _not_available(error) from error
        return lambda: self._finished(run, rows, join)

    async def read_ahead(self, run: Execution, outer: Env) -> None:
        """Read the constant tables only; see `Query`."""
        if not self.joined.count:
            return
        rows, _ = await self._started(run, None, outer, None)
        try:
            await rows.read_ahead()
        except NotGrantedError as error:
            raise _not_available(error) from error

    def check_groups(self, run: Execution) -> None:
        """Raise a `DatabaseError` (1055, 1140, 3065) if it names what its groups do not determine."""
        if self._group_problem is not None and run.session.groups_fully:
            raise database_error(*self._group_problem)

    async def _started(
        self, run: Execution, each: Each | None, outer: Env | None, most: int | None, *, limited: bool = True
    ) -> tuple[SelectRun, Join]:
        self.check_groups(run)
        env = run.env(len(self.scope.tables), outer)
        self.scope.check_literals(run.session)
        limit, offset = limit_value(self.limit, env), limit_value(self.offset, env) or 0
        if not limited:
            limit, offset = None, 0
        if most is not None:
            limit = most if limit is None else min(limit, most)
        readings = self._readings(run)
        join = Join(self.joined, run, env, readings, run.rows.trx.view)
        return SelectRun(self, run, env, join, limit=limit, offset=offset, each=each), join

    async def _finished(self, run: Execution, rows: SelectRun, join: Join) -> list[tuple[Value, ...]]:
        try:
            return await rows.read()
        except NotGrantedError as error:
            raise _not_available(error) from error
        finally:
            run.answer.examined += join.examined

    def _readings(self, run: Execution) -> list[Reading]:
        """How each table is read."""
        modes = [mode or run.mode for mode in self.locking.modes]
        view = run.rows.trx.view if None in modes else None
        if view is not None and not all(view.sees(table.altered) for table in self.tables):
            raise database_error(1412, "Table definition has changed, please retry transaction")
        return [Reading(mode, None, policy) for mode, policy in zip(modes, self.locking.policies, strict=True)]

    def has_one_row(self, run: Execution) -> bool:
        """Whether it is known before that it has no more than one row."""
        env = run.env(len(self.scope.tables))
        limit = limit_value(self.limit, env)
        if not self.joined.count or (self.aggregates and self.groups is None) or (limit is not None and limit <= 1):
            return True
        return self.joined.count == 1 and self.joined.is_single_row(0)

    def estimate(self, run: Execution, outer: Env | None = None) -> tuple[float, float]:
        """What it costs, and how many rows it has; see `Query`."""
        env = run.env(len(self.scope.tables), outer)
        cost, rows = Join(self.joined, run, env, [], run.rows.trx.view).planner.estimate(self.order_wanted(None))
        limit = limit_value(self.limit, env)
        if self.has_one_row(run):
            rows = 1.0
        return cost, rows if limit is None else min(rows, float(limit))

    def _expand_select_list(self) -> list[exp.Expr]:
        """The select list, with columns for each star."""
        found: list[exp.Expr] = []
        for each in self.node.expressions:
            if isinstance(each, exp.Star) or (isinstance(each, exp.Column) and isinstance(each.this, exp.Star)):
                if not self.scope.tables:
                    raise database_error(1096, "No tables used")
                for column in self._clause.star(each.table if isinstance(each, exp.Column) else ""):
                    found.append(column.node.copy() if self._clause.rewrites else column.node)
                    self.names.append(column.name)
                continue
            self.names.append(each.alias_or_name or each.sql("mysql"))
            found.append(self._names.resolve(each))
        return found

    def _may_be_null(self, node: exp.Expr) -> bool:
        """Whether an output may be NULL: a column that never is, is not, unless its table is joined from the left."""
        node = node.unalias()
        if not isinstance(node, exp.Column):
            return not isinstance(node, exp.Literal | exp.Count)
        at, column = self.scope.column(node)
        return self.joined.nest_of(at) is not None or self.joined.table(at).columns[column].nullable

    def _ordered_by(self, node: exp.Expr) -> exp.Expr:
        """The expression of an ORDER BY: a position in the select list, an alias, or the expression itself."""
        return self._by_position(node, "order clause") or self._by_alias(node) or self._names.resolve(node)

    def _grouped_by(self, node: exp.Expr) -> exp.Expr:
        """The expression of a GROUP BY: a position in the select list, the expression itself, or else an alias."""
        found = self._by_position(node, "group statement")
        if found is None and isinstance(node, exp.Column):
            known = any(node.name.lower() in table.numbers for _, table in self.scope.tables)
            found = None if known else self._by_alias(node)
        return found or self._names.resolve(node)

    def _having_condition(self, node: exp.Expr) -> exp.Expr:
        """A condition of HAVING, with what its aliases stand for."""
        resolved = self._names.resolve(node, self._aliases)
        check_having_names(self, resolved, self._aliases)
        named = {each.name.lower() for each in resolved.find_all(exp.Column) if not each.table}
        check_having(resolved, [(name, self._aliases[name]) for name in named & self._aliases.keys()])
        return resolved.transform(lambda part: self._by_alias(part) or part)

    @cached_property
    def _aliases(self) -> dict[str, exp.Expr]:
        return {each.alias.lower(): each.this for each in self.select_list if isinstance(each, exp.Alias)}

    def _by_position(self, node: exp.Expr, where: str) -> exp.Expr | None:
        if not isinstance(node, exp.Literal) or node.is_string:
            return None
        if not node.name.isdigit() or not 1 <= int(node.name) <= len(self.select_list):
            raise database_error(1054, f"Unknown column '{node.name}' in '{where}'")
        return self.select_list[int(node.name) - 1].unalias()

    def _by_alias(self, node: exp.Expr) -> exp.Expr | None:
        if not isinstance(node, exp.Column) or node.table:
            return None
        return self._aliases.get(node.name.lower())

    def _assign(self, run: Execution, rows: list[tuple[Value, ...]]) -> None:
        if len(rows) > 1:
            raise database_error(1172, "Result consisted of more than one row")
        if len(self.into) != len(self.outputs):
            raise database_error(1222, "The used SELECT statements have a different number of columns")
        if rows:
            run.session.variables.update(zip(self.into, rows[0], strict=True))
        else:
            run.warn(1329, "No data - zero rows fetched, selected, or processed")
        run.answer.affected = len(rows)


def _named(node: exp.Expr, scope: Scope) -> frozenset[int]:
    """The tables that an expression names; none for one with an aggregate or a subquery."""
    if node.find(exp.AggFunc, SubqueryValue):
        return frozenset()
    return scope.tables_of(node)


def _has_key(table: Table, columns: Sequence[int]) -> bool:
    """Whether some columns of a table have a unique key that is never NULL: no two rows are alike in them."""
    keys = (each.definition.columns for each in table.indexes if each.definition.unique)
    return any(set(key) <= set(columns) and not any(table.columns[at].nullable for at in key) for key in keys)


def _column(table: int, at: int) -> Function:
    return lambda env: env.rows[table][at]


def _into(node: exp.Select) -> list[exp.Expr]:
    into = node.args.get("into")
    if into is None:
        return []
    if not all(isinstance(each, exp.Parameter) for each in into.expressions):
        raise unsupported(into)
    return list(into.expressions)


def _min_max_columns(scope: Scope) -> list[tuple[int, bool]]:
    """The columns of MIN() and MAX(), if nothing else is selected; and whether it is MAX()."""
    if len(scope.tables) != 1 or isinstance(scope.tables[0][1], Derived):
        return []
    found = []
    for each in scope.aggregates:
        if not isinstance(each, exp.Min | exp.Max) or not isinstance(each.this, exp.Column):
            return []
        found.append((scope.column(each.this)[1], isinstance(each, exp.Max)))
    return found


def _obey_modifiers(node: exp.Select, clause: FromClause) -> bool:
    """Take the words behind SELECT: STRAIGHT_JOIN fixes the order of the tables, others say nothing about rows.

    Returns:
        Whether all rows are to be counted (SQL_CALC_FOUND_ROWS).
    """
    counts = False
    for each in node.args.get("operation_modifiers") or ():
        word = each.name.upper()
        if word == "STRAIGHT_JOIN":
            clause.keep_order()
        elif word == "SQL_CALC_FOUND_ROWS":
            counts = True
        elif word not in _MODIFIERS:
            raise unsupported(f"SELECT {word}")
    return counts


def _not_available(error: NotGrantedError) -> Exception:
    message = "Statement aborted because lock(s) could not be acquired immediately and NOWAIT is set."
    found = database_error(3572, message)
    found.__cause__ = error
    return found
