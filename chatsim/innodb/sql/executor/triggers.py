"""Triggers: what happens before or after a row is inserted, changed or deleted (manual, "Using Triggers").

The body's statements are executed as parts of the statement that fires it, in its transaction. The columns of NEW and
OLD are their arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from sqlglot import exp

from chatsim.db.mysql import database_error
from chatsim.innodb.sql.executor.assignment import stored_value
from chatsim.innodb.sql.executor.execution import Answer, Execution, Find
from chatsim.innodb.sql.expressions import Env, Function, Scope, is_true
from chatsim.innodb.sql.parsed_statement import ParsedStatement
from chatsim.innodb.sql.trigger_parser import If, Perform, SetValues, Signal, Step
from chatsim.innodb.storage.values import Value, as_text

if TYPE_CHECKING:
    from chatsim.db.deadlock import Mode
    from chatsim.innodb.storage.tables import Table

__all__ = ["Trigger", "fire", "fires", "written_before"]

Row = Sequence[Value]


class _Statement(Protocol):
    duplicates: Mode

    @property
    def writes(self) -> bool: ...

    @property
    def tables(self) -> Sequence[Table]: ...

    async def run(self, run: Execution) -> Answer: ...


Prepare = Callable[[ParsedStatement, Find], "_Statement | None"]


@dataclass
class _Rows:
    """The rows that a body sees, and the new one that it may change."""

    old: Row | None
    new: list[Value] | None


@dataclass(eq=False)
class Trigger:
    """A trigger of a table.

    Args:
        name: its name.
        timing: BEFORE or AFTER.
        event: INSERT, UPDATE or DELETE.
        steps: its body.
        prepare: prepares a statement of the body.
        find: finds a table by its name.

    Attributes:
        name, timing, event: as given.
    """

    name: str
    timing: str
    event: str
    steps: Sequence[Step]
    prepare: Prepare
    find: Find
    _bound: dict[int, tuple[_Statement, list[tuple[str, int]]]] = field(default_factory=dict)

    def check(self, table: Table) -> None:
        """Raise a `DatabaseError` unless its body names columns that there are, and sets what it may set."""
        for step in _all(self.steps):
            if isinstance(step, SetValues):
                for target, _ in step.targets:
                    self._check_target(target)
            if isinstance(step, Perform) and isinstance(step.node, exp.Query) and not step.node.args.get("into"):
                raise database_error(1415, "Not allowed to return a result set from a trigger")
            for node in _trees(step):
                _columns_as_arguments(node.copy(), table, self.event)

    def _check_target(self, target: exp.Column | exp.Parameter) -> None:
        if isinstance(target, exp.Parameter):
            return
        if target.table.upper() != "NEW" or self.event == "DELETE":
            raise database_error(1362, "Updating of OLD row is not allowed in trigger")
        if self.timing == "AFTER":
            raise database_error(1362, "Updating of NEW row is not allowed in after trigger")

    def forget(self) -> None:
        """Tables have changed: its statements have to be bound again."""
        self._bound.clear()

    @property
    def used(self) -> set[str]:
        """The names of the tables that its body is about."""
        nodes = (node for step in _all(self.steps) for node in _trees(step))
        return {each.name for node in nodes for each in node.find_all(exp.Table)}

    def new_columns(self, table: Table) -> set[int]:
        """The columns of NEW that its body names."""
        nodes = [node for step in _all(self.steps) for node in _trees(step)]
        nodes += [target for step in _all(self.steps) if isinstance(step, SetValues) for target, _ in step.targets]
        named = (part for node in nodes for part in node.find_all(exp.Column) if part.table.upper() == "NEW")
        return {_number(table, each) for each in named}

    async def run(self, run: Execution, table: Table, rows: _Rows) -> None:
        """Execute the body for a row. Raises a `DatabaseError`."""
        await self._run(self.steps, run, table, rows)

    async def _run(self, steps: Iterable[Step], run: Execution, table: Table, rows: _Rows) -> None:
        for step in steps:
            match step:
                case SetValues():
                    self._set(step, run, table, rows)
                case If():
                    await self._run(self._chosen(step, run, table, rows), run, table, rows)
                case Signal():
                    message = None if step.message is None else self._value(step.message, run, table, rows)
                    text = "Unhandled user-defined exception condition" if message is None else as_text(message)
                    raise database_error(step.errno, text)
                case Perform():
                    await self._perform(step, run, table, rows)

    def _set(self, step: SetValues, run: Execution, table: Table, rows: _Rows) -> None:
        for target, source in step.targets:
            value = self._value(source, run, table, rows)
            if isinstance(target, exp.Parameter):
                run.session.variables[target.name.lower()] = value
            else:
                at = _number(table, target)
                assert rows.new is not None
                rows.new[at] = stored_value(table, at, value, 1, run.warn, strict=run.session.strict)

    def _chosen(self, step: If, run: Execution, table: Table, rows: _Rows) -> Sequence[Step]:
        for condition, steps in step.branches:
            if condition is None or is_true(self._value(condition, run, table, rows)):
                return steps
        return ()

    def _value(self, node: exp.Expr, run: Execution, table: Table, rows: _Rows) -> Any:
        made, arguments = _columns_as_arguments(node.copy(), table, self.event)
        function: Function = Scope(strict=True).compile(made)
        return function(Env(run.session, _values(arguments, rows)))

    async def _perform(self, step: Perform, run: Execution, table: Table, rows: _Rows) -> None:
        found = self._bound.get(id(step))
        if found is None:
            made, arguments = _columns_as_arguments(step.node.copy(), table, self.event)
            statement = self.prepare(ParsedStatement(made), self.find)
            if statement is None:
                raise NotImplementedError(f"the model's SQL has no {step.node.sql('mysql')} in a trigger")
            found = self._bound[id(step)] = statement, arguments
        statement, arguments = found
        if statement.writes and any(each in run.used for each in statement.tables[:1]):
            message = (
                f"Can't update table '{statement.tables[0].name}' in stored function/trigger because it is already used"
            )
            raise database_error(1442, f"{message} by statement which invoked this stored function/trigger.")
        session, last = run.session, run.session.last_insert_id
        duplicates, used = run.rows.locking_duplicates(statement.duplicates), [*run.used, *statement.tables]
        within = Execution(session, duplicates, _values(arguments, rows), used=used)
        try:
            answer = await statement.run(within)
        finally:
            session.last_insert_id = last
        run.answer.examined += answer.examined


def _values(arguments: Sequence[tuple[str, int]], rows: _Rows) -> list[Value]:
    found = {"NEW": rows.new, "OLD": rows.old}
    return [(found[which] or ())[at] for which, at in arguments]


def _columns_as_arguments(node: exp.Expr, table: Table, event: str) -> tuple[exp.Expr, list[tuple[str, int]]]:
    """A tree with placeholders for the columns of NEW and OLD, and these columns. Raises a `DatabaseError`."""
    arguments: list[tuple[str, int]] = []

    def changed(part: exp.Expr) -> exp.Expr:
        if not isinstance(part, exp.Column) or part.table.upper() not in ("NEW", "OLD"):
            return part
        which = part.table.upper()
        if (which, event) in (("NEW", "DELETE"), ("OLD", "INSERT")):
            raise database_error(1363, f"There is no {which} row in on {event} trigger")
        arguments.append((which, _number(table, part)))
        made = exp.Placeholder()
        made.meta["number"] = len(arguments) - 1
        return made

    return node.transform(changed), arguments


def _number(table: Table, column: exp.Column) -> int:
    at = table.numbers.get(column.name.lower())
    if at is None:
        raise database_error(1054, f"Unknown column '{column.name}' in '{column.table.upper()}'")
    return at


def _all(steps: Iterable[Step]) -> Iterable[Step]:
    for step in steps:
        yield step
        if isinstance(step, If):
            for _, inner in step.branches:
                yield from _all(inner)


def _trees(step: Step) -> Iterable[exp.Expr]:
    match step:
        case SetValues():
            return [source for _, source in step.targets]
        case If():
            return [condition for condition, _ in step.branches if condition is not None]
        case Signal():
            return [] if step.message is None else [step.message]
    return [step.node]


def fires(table: Table, *events: str) -> bool:
    """Whether a table has triggers of some events."""
    return any(each.event in events for each in table.triggers)


def written_before(table: Table, event: str) -> set[int]:
    """The columns that BEFORE triggers may write, for the server: those of NEW that they name, even to read.

    In the server: ``Item_trigger_field::get_settable_routine_parameter``.
    """
    own = (each for each in table.triggers if (each.timing, each.event) == ("BEFORE", event))
    return set[int]().union(*(each.new_columns(table) for each in own))


async def fire(
    run: Execution, table: Table, timing: str, event: str, *, old: Row | None = None, new: Row | None = None
) -> tuple[Value, ...]:
    """Fire the triggers of a table for a row; the new row as they leave it. Raises a `DatabaseError`."""
    rows = _Rows(old, None if new is None else list(new))
    for trigger in table.triggers:
        if (trigger.timing, trigger.event) == (timing, event):
            await trigger.run(run, table, rows)
    return tuple(rows.new or ())
