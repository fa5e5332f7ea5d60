"""SELECT: rows found, filtered, joined, grouped, sorted."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

from sqlglot import exp

from chatsim.db.mysql import database_error
from chatsim.innodb.sql.executor.common import (
    Answer,
    Execution,
    Find,
    columns_of,
    count,
    in_order,
    number,
    refuse,
    truth,
)
from chatsim.innodb.sql.executor.derived import Derived, base_tables, derived_table, with_queries
from chatsim.innodb.sql.expressions import Env, Function, Scope, compare, divide, unsupported
from chatsim.innodb.sql.optimizer.access import Hints, choose, extreme
from chatsim.innodb.sql.optimizer.conditions import Conditions, conjuncts
from chatsim.innodb.sql.optimizer.outer import rejects_null
from chatsim.innodb.storage.index_merge import Merge, Walk
from chatsim.innodb.storage.locks import NotGrantedError, Patience
from chatsim.innodb.storage.scan import Path, Reading
from chatsim.innodb.storage.values import ColumnType, Value, place

if TYPE_CHECKING:
    from chatsim.db.deadlock import Mode
    from chatsim.innodb.storage.dictionary import Table

__all__ = ["Each", "Select", "Union", "query"]

Each = Callable[[tuple[Value, ...]], Awaitable[None]]
"""What is done with a row that is read."""


def query(node: exp.Expr, find: Find, *, strict: bool = False) -> Select | Union:
    """A statement that reads, or with ``strict`` what an INSERT reads. Raises as `prepare` does."""
    if node.args.get("with_"):
        find = with_queries(node.args["with_"], find, query)
    if isinstance(node, exp.Subquery) and not node.alias:
        return query(node.this, find, strict=strict)
    if isinstance(node, exp.Union):
        return Union(node, find, strict=strict)
    if isinstance(node, exp.Select):
        return Select(node, find, strict=strict)
    raise unsupported(node)


class Select:
    """SELECT, of no table, one, or several that are joined."""

    duplicates: Mode = "S"

    def __init__(self, node: exp.Select, find: Find, *, strict: bool = False) -> None:
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
            [(each.alias_or_name, _source(each, find)) for each in sources], strict=strict, grouping=True
        )
        self.hints = [Hints.of(table, source) for (_, table), source in zip(scope.tables, sources, strict=True)]
        for at in sorted(self.outer, reverse=True):  # the last first, since what it asks then may be of another
            if any(rejects_null(scope, at, each) for each in wanted):
                wanted += self.outer.pop(at)
        self.names: list[str] = []
        self._given = self._given_nodes()
        self.outputs = [scope.compile(each) for each in self._given]
        self.kinds = [scope.kind(each) for each in self._given]
        scope.grouping = False
        compiled = [scope.compile(each) for each in wanted]
        self.filters = [(self._named(each), function) for each, function in zip(wanted, compiled, strict=True)]
        self.matches = {at: [scope.compile(each) for each in on] for at, on in self.outer.items()}
        self.wanted = wanted
        self._arrange(node)
        self.limit = count(node.args.get("limit"), scope)
        self.offset = count(node.args.get("offset"), scope)
        self.aggregates = [(id(each), _Aggregate(each, scope)) for each in scope.aggregates]
        if self.having and not self.grouped:
            raise unsupported("HAVING without groups")
        self.extremes = [] if self.groups is not None else _extremes(scope)
        self.into = [each.name.lower() for each in _into(node)]
        self.mode, self.patience = _locking(node)
        self.sequence = self._sequence_of_tables()
        self.waits = [each for each in node.find_all(exp.Anonymous) if each.name.upper() == "GET_LOCK"]
        if self.waits and sources:
            raise unsupported("GET_LOCK() in a statement about tables")
        self.lock_arguments = [[scope.compile(part) for part in each.expressions] for each in self.waits]

    def _arrange(self, node: exp.Select) -> None:
        """What it groups and sorts by."""
        scope, alone = self.scope, len(self.scope.tables) == 1
        group, order = node.args.get("group"), node.args.get("order")
        if group:
            refuse(group, "rollup", "cube", "grouping_sets", "totals", "all")
        grouped_by = [self._grouped_by(each) for each in group.expressions] if group else []
        self.groups = [scope.place(each) for each in grouped_by] if group else None
        ascending = [False] * len(grouped_by)
        self.grouping = (columns_of(scope, grouped_by, ascending) or []) if alone else []
        scope.grouping = True
        by = [self._ordered_by(each.this) for each in order.expressions] if order else []
        self.order = [scope.place(each) for each in by]
        self.directions = [bool(each.args.get("desc")) for each in order.expressions] if order else []
        having = node.args.get("having")
        self.having = [scope.compile(self._had(each)) for each in conjuncts(having and having.this)]
        self.ordering = columns_of(scope, by, self.directions) if alone else None

    @property
    def tables(self) -> Sequence[Table]:
        """Those that it reads, in the schema."""
        return base_tables(table for _, table in self.scope.tables)

    @property
    def writes(self) -> bool:
        """Whether it locks rows as if it changed them."""
        return self.mode == "X"

    def give(self, wanted: Iterable[tuple[int, int]]) -> None:
        """Have each row followed by further columns: the number of a table, the number of its column.

        Raises:
            NotImplementedError: its rows are not those of its tables.
        """
        for at, column in wanted:
            if self.grouped or self.node.args.get("distinct"):
                raise unsupported("ON DUPLICATE KEY UPDATE with a column of a SELECT that groups")
            self.scope.read.add((at, column))
            self.outputs.append(_column(at, column))

    def columns_read(self, at: int) -> set[int]:
        """Those of the ``at``-th table that it names."""
        return {column for number, column in self.scope.read if number == at}

    @property
    def grouped(self) -> bool:
        """Whether its rows are those of groups."""
        return self.groups is not None or bool(self.aggregates)

    async def run(self, run: Execution) -> Answer:
        """Read."""
        rows = await self.read(run)
        if self.into:
            self._assign(run, rows)
            return run.answer
        run.answer.rows = rows
        return run.answer

    async def read(self, run: Execution, each: Each | None = None) -> list[tuple[Value, ...]]:
        """Its rows.

        They are given to ``each``, if there is one, as they are found; what has to be sorted or grouped is returned.
        """
        env = run.env(len(self.scope.tables))
        for node, arguments in zip(self.waits, self.lock_arguments, strict=True):
            name, *seconds = [function(env) for function in arguments]
            env.found[id(node)] = await run.session.get_lock(name, seconds[0] if seconds else None)
        mode = self.mode or run.mode
        limit, offset = number(self.limit, env), number(self.offset, env) or 0
        if not self.scope.tables and not truth((function for _, function in self.filters), env):
            return []
        view = run.session.view() if self.scope.tables and not mode else None
        if view is not None and not all(view.sees(table.altered) for table in self.tables):
            raise database_error(1412, "Table definition has changed, please retry transaction")
        reading = Reading(mode, view, self.patience)
        walk = _Walk(self, run, env, reading, limit=limit, offset=offset, each=each)
        try:
            if not await walk.extremes():
                await walk.table(0)
        except NotGrantedError as error:
            raise _not_available(error) from error
        finally:
            run.answer.examined += walk.examined
        return walk.result()

    def _given_nodes(self) -> list[exp.Expr]:
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
                        if number != table.hidden:
                            found.append(exp.column(column.name, table=called))
                            self.names.append(column.name)
                continue
            found.append(each)
            self.names.append(each.alias_or_name or each.sql("mysql"))
        return found

    def _ordered_by(self, node: exp.Expr) -> exp.Expr:
        """What an ORDER BY means: a place in the select list, an alias, or else what it says."""
        return self._numbered(node, "order clause") or self._aliased(node) or node

    def _grouped_by(self, node: exp.Expr) -> exp.Expr:
        """What a GROUP BY means: a place in the select list, what it says, or an alias, if there is no such column."""
        found = self._numbered(node, "group statement")
        if found is None and isinstance(node, exp.Column):
            known = any(node.name.lower() in table.numbers for _, table in self.scope.tables)
            found = None if known else self._aliased(node)
        return found or node

    def _had(self, node: exp.Expr) -> exp.Expr:
        """A condition on groups, with what aliases stand for."""
        return node.transform(lambda part: self._aliased(part) or part)

    def _numbered(self, node: exp.Expr, where: str) -> exp.Expr | None:
        if not isinstance(node, exp.Literal) or node.is_string:
            return None
        if not node.name.isdigit() or not 1 <= int(node.name) <= len(self._given):
            raise database_error(1054, f"Unknown column '{node.name}' in '{where}'")
        return self._given[int(node.name) - 1].unalias()

    def _aliased(self, node: exp.Expr) -> exp.Expr | None:
        if not isinstance(node, exp.Column) or node.table:
            return None
        aliases = {each.alias.lower(): each.this for each in self._given if isinstance(each, exp.Alias)}
        return aliases.get(node.name.lower())

    def _sequence_of_tables(self) -> list[tuple[int, Conditions]]:
        """In which order the tables are read: always the one that most is known of."""
        scope, known = self.scope, list[int]()
        sequence: list[tuple[int, Conditions]] = []
        while len(known) < len(scope.tables):
            rest = [at for at in range(len(scope.tables)) if at not in known]
            rest = [at for at in rest if at not in self.outer] or rest[:1]
            conditions = [Conditions(scope, at, known, self.outer.get(at, self.wanted)) for at in rest]
            best = min(range(len(rest)), key=lambda place: conditions[place].rank())
            sequence.append((rest[best], conditions[best]))
            known.append(rest[best])
        return sequence

    def _named(self, condition: exp.Expr) -> frozenset[int]:
        """The tables that a condition is about."""
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


def _source(node: exp.Expr, find: Find) -> Table:
    """A table of FROM, or what a query there makes."""
    if isinstance(node, exp.Subquery):
        return derived_table(node, find, query)
    if not isinstance(node, exp.Table):
        raise unsupported(node, "in FROM")
    return find(node.name)


def _joins(node: exp.Select) -> list[exp.Join]:
    """The joins: of ``INTO @a, @b`` the second variable is none, though it is read as one."""
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


def _extremes(scope: Scope) -> list[tuple[int, bool]]:
    """The columns of which only the least or the greatest value is wanted, which an index has at its end."""
    if len(scope.tables) != 1 or isinstance(scope.tables[0][1], Derived):
        return []
    found = []
    for each in scope.aggregates:
        if not isinstance(each, exp.Min | exp.Max) or not isinstance(each.this, exp.Column):
            return []
        found.append((scope.column(each.this)[1], isinstance(each, exp.Max)))
    return found


def _locking(node: exp.Select) -> tuple[Mode | None, Patience]:
    locks = node.args.get("locks") or ()
    if not locks:
        return None, Patience.WAIT
    if len(locks) > 1 or locks[0].expressions:
        raise unsupported(node, "locking some of its tables")
    wait = locks[0].args.get("wait")
    patience = Patience.WAIT if wait is None else Patience.NOWAIT if wait is True else Patience.SKIP_LOCKED
    return "X" if locks[0].args.get("update") else "S", patience


class _Walk:
    """One run of a SELECT through its tables."""

    def __init__(
        self,
        select: Select,
        run: Execution,
        env: Env,
        reading: Reading,
        *,
        limit: int | None,
        offset: int,
        each: Each | None,
    ) -> None:
        self._select = select
        self._run = run
        self._env = env
        self._reading = reading
        self._limit = limit
        self._offset = offset
        self._rows: list[tuple[tuple[Value, ...], tuple[Value, ...]]] = []  # what to sort by, what to give
        self._groups: dict[tuple[Any, ...], tuple[list[Any], list[Sequence[Value]]]] = {}
        self._grouped = select.grouped
        self._each = each
        self._given = 0
        self._different: set[tuple[object, ...]] = set()
        self._ordered = False
        self._passed_over = False  # the row found last was before the OFFSET, and is not kept for anything
        self._known: set[int] = set()
        self.examined = 0

    async def extremes(self) -> bool:
        """Read the least and the greatest values that are wanted from the end of an index; whether that can be done."""
        select, env = self._select, self._env
        if not select.extremes:
            return False
        ((_, conditions),) = select.sequence
        paths = [extreme(conditions, env, select.hints[0], each, select.columns_read(0)) for each in select.extremes]
        if not all(paths):
            return False
        states = [each.start() for _, each in select.aggregates]
        wanted = [function for _, function in select.filters]
        for at, (_, aggregate) in enumerate(select.aggregates):
            for path in paths[at]:
                scan = await self._opened(path)
                hit = await scan.next()
                self.examined += scan.examined
                if hit is not None:
                    env.rows[0] = hit.row
                    if truth(wanted, env):
                        states[at] = aggregate.add(states[at], env)
                        break
        self._groups[()] = states, [(None,) * len(conditions.table.columns)]
        return True

    async def table(self, level: int) -> bool:
        """Read one table, and those behind it for each of its rows; True when no more rows are wanted."""
        select = self._select
        if level == len(select.sequence):
            return await self._found()
        at, conditions = select.sequence[level]
        self._known.add(at)
        ready = [
            function
            for tables, function in select.filters
            if tables <= self._known and (at in tables or (level == 0 and not tables))
        ]
        if isinstance(conditions.table, Derived):
            matched = await self._all(conditions.table, at=at, level=level, ready=ready)
        else:
            chosen = self._chosen(at, conditions)
            matched = chosen is not None and await self._scan(*chosen, at=at, level=level, ready=ready)
        if at in select.matches and not matched:
            await self._without(at, level, ready)
        self._known.discard(at)
        return self._enough()

    def _chosen(self, at: int, conditions: Conditions) -> tuple[Path | Merge, bool] | None:
        """The path to a table's rows, and whether it gives the wanted order; None when there can be none."""
        select, env = self._select, self._env
        alone = len(select.sequence) == 1
        whole = self._limit is not None and not self._grouped and not select.node.args.get("distinct")
        return choose(
            *(conditions, env, select.hints[at]),
            read=select.columns_read(at),
            ordering=select.grouping if self._grouped else (select.ordering or ()) if alone else (),
            limit=cast("int", self._limit) + self._offset if whole else None,
            grouped=bool(select.grouping),
            view=self._run.rows.trx.view,
        )

    async def _opened(self, path: Path | Merge) -> Walk:
        """A walk along a path, its table locked for it. Raises as `Scan` does, before that."""
        scan = path.open(self._run.rows, self._reading)
        if (mode := self._reading.mode) is not None:
            await self._run.rows.lock_table(path.table, "IX" if mode == "X" else "IS")
        return scan

    async def _all(self, table: Derived, *, at: int, level: int, ready: Sequence[Function]) -> bool:
        """Go through the rows that a query has made; whether any matched."""
        select, env = self._select, self._env
        matches = select.matches.get(at, ())
        matched = False
        for row in await table.read(self._run):
            self.examined += 1
            env.rows[at] = row
            if truth(matches, env):
                matched = True
                if truth(ready, env) and await self.table(level + 1):
                    break
        return matched

    async def _scan(
        self,
        path: Path | Merge,
        ordered: bool,  # noqa: FBT001 - of `choose`
        *,
        at: int,
        level: int,
        ready: Sequence[Function],
    ) -> bool:
        """Walk along a path; whether any row matched."""
        select, env = self._select, self._env
        self._ordered = ordered and len(select.sequence) == 1 and not self._grouped and select.ordering is not None
        scan = await self._opened(path)
        matches = select.matches.get(at, ())
        matched = False
        while (hit := await scan.next()) is not None:
            env.rows[at] = hit.row
            wanted = truth(matches, env)
            matched = matched or wanted
            if not (wanted and truth(ready, env)):
                if path.access != "const":  # that was read before the conditions were looked at
                    scan.let_go()
            elif await self.table(level + 1):
                break
            elif self._passed_over and path.access != "const":
                scan.let_go()
        self.examined += scan.examined
        return matched

    async def _without(self, at: int, level: int, ready: Sequence[Function]) -> None:
        """Go on with NULL for the columns of a table that is joined from the left and has no row that matches."""
        self._env.rows[at] = (None,) * len(self._select.scope.tables[at][1].columns)
        if truth(ready, self._env):
            await self.table(level + 1)

    def _enough(self) -> bool:
        stops = self._limit is not None and not self._grouped and (self._ordered or not self._select.order)
        return stops and self._given >= cast("int", self._limit) + self._offset

    async def _found(self) -> bool:
        select, env = self._select, self._env
        if self._grouped:
            key = tuple(function(env) for function in select.groups or ())
            states, _ = self._groups.setdefault(key, ([each.start() for _, each in select.aggregates], list(env.rows)))
            for at, (_, aggregate) in enumerate(select.aggregates):
                states[at] = aggregate.add(states[at], env)
            return False
        if select.node.args.get("distinct") and not self._is_new():
            return False
        self._given += 1
        streams = not select.node.args.get("distinct") and (self._ordered or not select.order)
        self._passed_over = streams and self._given <= self._offset
        if self._each is None or select.node.args.get("distinct") or (select.order and not self._ordered):
            self._give()
        elif self._given > self._offset:
            await self._each(tuple(output(env) for output in select.outputs))
        return self._enough()

    def _is_new(self) -> bool:
        """Whether no row given before is the same."""
        row = tuple(
            place(output(self._env), kind)
            for output, kind in zip(self._select.outputs, self._select.kinds, strict=True)
        )
        known = row in self._different
        self._different.add(row)
        return not known

    def _give(self) -> None:
        env, select = self._env, self._select
        given = tuple(output(env) for output in select.outputs)
        self._rows.append((tuple(function(env) for function in select.order), given))

    def result(self) -> list[tuple[Value, ...]]:
        """The rows, grouped, sorted and cut."""
        select, env = self._select, self._env
        if self._grouped:
            if not self._groups and select.groups is None:
                self._groups[()] = (
                    [each.start() for _, each in select.aggregates],
                    [(None,) * len(table.columns) for _, table in select.scope.tables],
                )
            for states, members in self._groups.values():
                env.rows = list(members)
                for (number, aggregate), state in zip(select.aggregates, states, strict=True):
                    env.found[number] = aggregate.end(state)
                if truth(select.having, env):
                    self._give()
        rows = self._rows
        if select.order and not self._ordered:
            rows = in_order(rows, select.directions, lambda each: each[0])
        given = [each for _, each in rows]
        if select.node.args.get("distinct"):
            given = _different(given, select.kinds)
        return given[self._offset : None if self._limit is None else self._offset + self._limit]


class _Aggregate:
    """COUNT, MIN, MAX, SUM or AVG."""

    def __init__(self, node: exp.Expr, scope: Scope) -> None:
        self._distinct = isinstance(node.this, exp.Distinct)
        if self._distinct:
            if not isinstance(node, exp.Count) or len(node.this.expressions) != 1:
                raise unsupported(node)
            node = exp.Count(this=node.this.expressions[0])
        self._kind = type(node)
        star = isinstance(node.this, exp.Star)
        self._by = None if star else scope.kind(node.this)
        value = scope.number if self._kind in (exp.Sum, exp.Avg) else scope.compile
        self._value: Function = (lambda _: 1) if star else value(node.this)

    def start(self) -> Any:
        return (0, set() if self._distinct else None)

    def add(self, state: Any, env: Env) -> Any:
        count, so_far = state
        value = self._value(env)
        if value is None:
            return state
        if self._distinct:
            so_far.add(place(value, self._by))
            return len(so_far), so_far
        if self._kind in (exp.Min, exp.Max):
            sign = 0 if so_far is None else compare(value, so_far, self._by)
            better = so_far is None or (sign < 0 if self._kind is exp.Min else sign > 0)
            return count + 1, value if better else so_far
        if self._kind is exp.Count:
            return count + 1, None
        number = Decimal(value) if isinstance(value, int) else value
        return count + 1, number if so_far is None else so_far + number

    def end(self, state: Any) -> Value:
        count, so_far = state
        if self._kind is exp.Count:
            return cast("int", count)
        if self._kind is exp.Avg and so_far is not None:
            return divide(so_far, Decimal(count)) if isinstance(so_far, Decimal) else cast("float", so_far / count)
        return cast("Value", so_far)


class Union:
    """UNION of SELECTs, sorted and cut as a whole."""

    duplicates: Mode = "S"

    def __init__(self, node: exp.Union, find: Find, *, strict: bool = False) -> None:
        refuse(node, "locks")
        self._parts = [query(each, find, strict=strict) for each in (node.left, node.right)]
        first, second = self._parts
        if len(first.names) != len(second.names):
            raise database_error(1222, "The used SELECT statements have a different number of columns")
        self.names: list[str] = first.names
        self.kinds: list[ColumnType | None] = [a or b for a, b in zip(first.kinds, second.kinds, strict=True)]
        self._distinct = bool(node.args.get("distinct"))
        scope = Scope()
        self._limit, self._offset = count(node.args.get("limit"), scope), count(node.args.get("offset"), scope)
        order = node.args.get("order")
        self._order = [self._place(each.this) for each in order.expressions] if order else []
        self._directions = [bool(each.args.get("desc")) for each in order.expressions] if order else []

    def _place(self, node: exp.Expr) -> int:
        """Which column an ORDER BY means."""
        if isinstance(node, exp.Literal) and node.name.isdigit() and 1 <= int(node.name) <= len(self.names):
            return int(node.name) - 1
        lowered = [name.lower() for name in self.names]
        if not isinstance(node, exp.Column) or node.table:
            raise unsupported(node, "ORDER BY something else than a column of a UNION")
        if node.name.lower() not in lowered:
            raise database_error(1054, f"Unknown column '{node.name}' in 'order clause'")
        return lowered.index(node.name.lower())

    @property
    def writes(self) -> bool:
        """Whether a part of it locks rows as if it changed them."""
        return any(part.writes for part in self._parts)

    @property
    def tables(self) -> Sequence[Table]:
        """Those that it reads, in the schema."""
        return [table for part in self._parts for table in part.tables]

    async def run(self, run: Execution) -> Answer:
        """Read."""
        run.answer.rows = await self.read(run)
        return run.answer

    async def read(self, run: Execution) -> list[tuple[Value, ...]]:
        """Its rows."""
        rows = [row for part in self._parts for row in await part.read(run)]
        if self._distinct:
            rows = _different(rows, self.kinds)
        if self._order:
            rows = in_order(rows, self._directions, lambda row: [place(row[at], self.kinds[at]) for at in self._order])
        env = run.env()
        limit, offset = number(self._limit, env), number(self._offset, env) or 0
        return rows[offset : None if limit is None else offset + limit]


def _different(rows: Iterable[tuple[Value, ...]], kinds: Sequence[ColumnType | None]) -> list[tuple[Value, ...]]:
    """Of rows that are the same the first."""
    first: dict[tuple[Value, ...], tuple[Value, ...]] = {}
    for row in rows:
        first.setdefault(tuple(map(place, row, kinds)), row)
    return list(first.values())


def _not_available(error: NotGrantedError) -> Exception:
    message = "Statement aborted because lock(s) could not be acquired immediately and NOWAIT is set."
    found = database_error(3572, message)
    found.__cause__ = error
    return found
