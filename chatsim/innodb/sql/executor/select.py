"""SELECT: its preparation, and how it is run. Its rows are read by `nested_loop`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from sqlglot import exp

from chatsim.db.mysql import database_error
from chatsim.innodb.sql.executor.aggregate import Aggregate
from chatsim.innodb.sql.executor.clauses import (
    all_true,
    compile_limit,
    limit_value,
    ordering_columns,
    refuse,
    shown_rows,
)
from chatsim.innodb.sql.executor.derived import Derived, base_tables, derived_table
from chatsim.innodb.sql.executor.execution import Answer, Execution, Find, PrepareQuery
from chatsim.innodb.sql.executor.nested_loop import NestedLoop
from chatsim.innodb.sql.expressions import Env, Function, Scope, unsupported
from chatsim.innodb.sql.optimizer.access_path import plan_access
from chatsim.innodb.sql.optimizer.conditions import Conditions, conjuncts
from chatsim.innodb.sql.optimizer.index_hints import IndexHints
from chatsim.innodb.sql.optimizer.min_max import min_max_paths
from chatsim.innodb.sql.optimizer.outer_join import rejects_null
from chatsim.innodb.sql.optimizer.plan import AccessPlan
from chatsim.innodb.storage.locks import NotGrantedError, WaitPolicy
from chatsim.innodb.storage.scan import AccessPath, Reading
from chatsim.innodb.storage.values import Value

if TYPE_CHECKING:
    from chatsim.db.deadlock import Mode
    from chatsim.innodb.storage.structures import ReadView
    from chatsim.innodb.storage.tables import Table

__all__ = ["Each", "Select"]

Each = Callable[[tuple[Value, ...]], Awaitable[None]]
"""A function that is called with each row that is read."""


class Select:
    """SELECT from no table, one table, or several joined tables."""

    duplicates: Mode = "S"

    def __init__(self, node: exp.Select, find: Find, query: PrepareQuery, *, strict: bool = False) -> None:
        refuse(node, "windows", "qualify", "operation_modifiers", "hint")
        sources = [node.args["from_"].this] if node.args.get("from_") else []
        wanted = conjuncts(node.args.get("where"))
        self.outer: dict[int, list[exp.Expr]] = {}  # of a table that is joined from the left: when a row of it matches
        for join in _joins(node):
            if join.args.get("kind") not in (None, "", "INNER", "CROSS"):
                raise unsupported(join)
            if join.args.get("using") or join.args.get("method") or join.args.get("side") not in (None, "", "LEFT"):
                raise unsupported(join)
            sources.append(join.this)
            if join.args.get("side"):
                self.outer[len(sources) - 1] = conjuncts(join.args.get("on"))
            else:
                wanted += conjuncts(join.args.get("on"))
        if [each.name.upper() for each in sources] == ["DUAL"]:
            sources = []
        self.node = node
        self.scope = scope = Scope(
            [(each.alias_or_name, _source(each, find, query)) for each in sources], strict=strict, grouping=True
        )
        self.hints = [IndexHints.of(table, source) for (_, table), source in zip(scope.tables, sources, strict=True)]
        for at in sorted(self.outer, reverse=True):  # the last first, since what it asks then may be of another
            if any(rejects_null(scope, at, each) for each in wanted):
                wanted += self.outer.pop(at)
        self.names: list[str] = []
        self._select_list = self._expand_select_list()
        self.outputs = [scope.compile(each) for each in self._select_list]
        self.kinds = [scope.kind(each) for each in self._select_list]
        scope.grouping = False
        compiled = [scope.compile(each) for each in wanted]
        self.filters = [(self.named(each), function) for each, function in zip(wanted, compiled, strict=True)]
        self.matches = {at: [scope.compile(each) for each in on] for at, on in self.outer.items()}
        self.conjuncts = wanted
        self._prepare_order_and_groups(node)
        self.limit = compile_limit(node.args.get("limit"), scope)
        self.offset = compile_limit(node.args.get("offset"), scope)
        self.aggregates = [(id(each), Aggregate(each, scope)) for each in scope.aggregates]
        if self.having and not self.grouped:
            raise unsupported("HAVING without groups")
        self.min_max_columns = [] if self.groups is not None else _min_max_columns(scope)
        self.into = [each.name.lower() for each in _into(node)]
        self.mode, self.wait_policy = _locking(node)
        self.sequence = self._sequence_of_tables()
        self.waits = [each for each in node.find_all(exp.Anonymous) if each.name.upper() == "GET_LOCK"]
        if self.waits and sources:
            raise unsupported("GET_LOCK() in a statement about tables")
        self.lock_arguments = [[scope.compile(part) for part in each.expressions] for each in self.waits]

    def _prepare_order_and_groups(self, node: exp.Select) -> None:
        """Prepare GROUP BY, HAVING and ORDER BY."""
        scope, alone = self.scope, len(self.scope.tables) == 1
        group, order = node.args.get("group"), node.args.get("order")
        if group:
            refuse(group, "rollup", "cube", "grouping_sets", "totals", "all")
        grouped_by = [self._grouped_by(each) for each in group.expressions] if group else []
        self.groups = [scope.place(each) for each in grouped_by] if group else None
        ascending = [False] * len(grouped_by)
        self.grouping = (ordering_columns(scope, grouped_by, ascending) or []) if alone else []
        scope.grouping = True
        by = [self._ordered_by(each.this) for each in order.expressions] if order else []
        self.order = [scope.place(each) for each in by]
        self.directions = [bool(each.args.get("desc")) for each in order.expressions] if order else []
        having = node.args.get("having")
        self.having = [scope.compile(self._having_condition(each)) for each in conjuncts(having and having.this)]
        self.ordering = ordering_columns(scope, by, self.directions) if alone else None

    @property
    def tables(self) -> Sequence[Table]:
        """The tables of the schema that it reads."""
        return base_tables(table for _, table in self.scope.tables)

    @property
    def writes(self) -> bool:
        """Whether it locks rows as if it changed them."""
        return self.mode == "X"

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

    def columns_read(self, at: int) -> set[int]:
        """The columns of the ``at``-th table that it names."""
        return {column for number, column in self.scope.read if number == at}

    @property
    def grouped(self) -> bool:
        """Whether it groups rows."""
        return self.groups is not None or bool(self.aggregates)

    def access_plan(
        self, at: int, conditions: Conditions, env: Env, rows_wanted: int | None, view: ReadView | None
    ) -> AccessPlan:
        """The access plan of the ``at``-th table, when the rows of the tables before it are known."""
        alone = len(self.sequence) == 1
        streams = not self.grouped and not self.node.args.get("distinct")
        return plan_access(
            *(conditions, env, self.hints[at]),
            touched=self.columns_read(at),
            ordering=self.grouping if self.grouped else (self.ordering or ()) if alone else (),
            limit=rows_wanted if streams else None,
            grouped=bool(self.grouping),
            view=view,
        )

    def min_max_paths(self, env: Env) -> list[list[AccessPath]]:
        """The paths for each MIN() and MAX(), or no path if no index has it at its end; [] if more is selected."""
        if not self.min_max_columns:
            return []
        ((_, conditions),) = self.sequence
        return [
            min_max_paths(conditions, env, self.hints[0], each, self.columns_read(0)) for each in self.min_max_columns
        ]

    async def run(self, run: Execution) -> Answer:
        """Run the query."""
        rows = await self.read(run)
        if self.into:
            self._assign(run, rows)
            return run.answer
        run.answer.rows = shown_rows(rows, self.tables)
        return run.answer

    async def read(self, run: Execution, each: Each | None = None) -> list[tuple[Value, ...]]:
        """Its rows.

        If ``each`` is given, it is called with each row as it is found; rows that must be sorted or grouped are
        returned.
        """
        env = run.env(len(self.scope.tables))
        for node, arguments in zip(self.waits, self.lock_arguments, strict=True):
            name, *seconds = [function(env) for function in arguments]
            env.found[id(node)] = await run.session.get_lock(name, seconds[0] if seconds else None)
        mode = self.mode or run.mode
        limit, offset = limit_value(self.limit, env), limit_value(self.offset, env) or 0
        if not self.scope.tables and not all_true((function for _, function in self.filters), env):
            return []
        view = run.session.view() if self.scope.tables and not mode else None
        if view is not None and not all(view.sees(table.altered) for table in self.tables):
            raise database_error(1412, "Table definition has changed, please retry transaction")
        reading = Reading(mode, view, self.wait_policy)
        nested_loop = NestedLoop(self, run, env, reading, limit=limit, offset=offset, each=each)
        try:
            if not await nested_loop.read_min_max():
                await nested_loop.join(0)
        except NotGrantedError as error:
            raise _not_available(error) from error
        finally:
            run.answer.examined += nested_loop.examined
        return nested_loop.result()

    def _expand_select_list(self) -> list[exp.Expr]:
        """The select list, with columns for each star."""
        found: list[exp.Expr] = []
        for each in self.node.expressions:
            if isinstance(each, exp.Star) or (isinstance(each, exp.Column) and isinstance(each.this, exp.Star)):
                if not self.scope.tables:
                    raise database_error(1096, "No tables used")
                for called, table in self.scope.tables:
                    if isinstance(each, exp.Column) and each.table.lower() != called.lower():
                        continue
                    for number, column in enumerate(table.columns):
                        if number in table.shown:
                            found.append(exp.column(column.name, table=called))
                            self.names.append(column.name)
                continue
            found.append(each)
            self.names.append(each.alias_or_name or each.sql("mysql"))
        return found

    def _ordered_by(self, node: exp.Expr) -> exp.Expr:
        """The expression of an ORDER BY: a position in the select list, an alias, or the expression itself."""
        return self._by_position(node, "order clause") or self._by_alias(node) or node

    def _grouped_by(self, node: exp.Expr) -> exp.Expr:
        """The expression of a GROUP BY: a position in the select list, the expression itself, or else an alias."""
        found = self._by_position(node, "group statement")
        if found is None and isinstance(node, exp.Column):
            known = any(node.name.lower() in table.numbers for _, table in self.scope.tables)
            found = None if known else self._by_alias(node)
        return found or node

    def _having_condition(self, node: exp.Expr) -> exp.Expr:
        """A condition of HAVING, with what its aliases stand for."""
        return node.transform(lambda part: self._by_alias(part) or part)

    def _by_position(self, node: exp.Expr, where: str) -> exp.Expr | None:
        if not isinstance(node, exp.Literal) or node.is_string:
            return None
        if not node.name.isdigit() or not 1 <= int(node.name) <= len(self._select_list):
            raise database_error(1054, f"Unknown column '{node.name}' in '{where}'")
        return self._select_list[int(node.name) - 1].unalias()

    def _by_alias(self, node: exp.Expr) -> exp.Expr | None:
        if not isinstance(node, exp.Column) or node.table:
            return None
        aliases = {each.alias.lower(): each.this for each in self._select_list if isinstance(each, exp.Alias)}
        return aliases.get(node.name.lower())

    def _sequence_of_tables(self) -> list[tuple[int, Conditions]]:
        """The order in which tables are read: next is always the one whose conditions make it cheapest by a rule."""
        scope, known = self.scope, list[int]()
        sequence: list[tuple[int, Conditions]] = []
        while len(known) < len(scope.tables):
            rest = [at for at in range(len(scope.tables)) if at not in known]
            rest = [at for at in rest if at not in self.outer] or rest[:1]
            conditions = [Conditions(scope, at, known, self.outer.get(at, self.conjuncts)) for at in rest]
            best = min(range(len(rest)), key=lambda place: conditions[place].join_rank())
            sequence.append((rest[best], conditions[best]))
            known.append(rest[best])
        return sequence

    def named(self, condition: exp.Expr) -> frozenset[int]:
        """The tables that a condition uses."""
        return frozenset(self.scope.column(each)[0] for each in condition.find_all(exp.Column))

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


def _column(table: int, at: int) -> Function:
    return lambda env: env.rows[table][at]


def _source(node: exp.Expr, find: Find, query: PrepareQuery) -> Table:
    """A table of FROM, or a derived table."""
    if isinstance(node, exp.Subquery):
        return derived_table(node, find, query)
    if not isinstance(node, exp.Table):
        raise unsupported(node, "in FROM")
    return find(node.name)


def _joins(node: exp.Select) -> list[exp.Join]:
    """The joins. sqlglot takes the second variable of ``INTO @a, @b`` for one, too; it is left out."""
    return [each for each in node.args.get("joins") or () if not isinstance(each.this.this, exp.Parameter)]


def _into(node: exp.Select) -> list[exp.Expr]:
    into = node.args.get("into")
    if into is None:
        return []
    found = into.expressions or [into.this]
    found += [each.this for each in node.args.get("joins") or () if isinstance(each.this.this, exp.Parameter)]
    names = [each.this if isinstance(each, exp.Table) else each for each in found]
    if not all(isinstance(each, exp.Parameter) for each in names):
        raise unsupported(into)
    return names


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


def _locking(node: exp.Select) -> tuple[Mode | None, WaitPolicy]:
    locks = node.args.get("locks") or ()
    if not locks:
        return None, WaitPolicy.WAIT
    if len(locks) > 1 or locks[0].expressions:
        raise unsupported(node, "locking some of its tables")
    wait = locks[0].args.get("wait")
    policy = WaitPolicy.WAIT if wait is None else WaitPolicy.NOWAIT if wait is True else WaitPolicy.SKIP_LOCKED
    return "X" if locks[0].args.get("update") else "S", policy


def _not_available(error: NotGrantedError) -> Exception:
    message = "Statement aborted because lock(s) could not be acquired immediately and NOWAIT is set."
    found = database_error(3572, message)
    found.__cause__ = error
    return found
