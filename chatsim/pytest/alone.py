"""Each transaction alone, before all of them are explored: what fails then would be explored for nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from chatsim.db.errors import DatabaseError
from chatsim.exploration.callers import Ended
from chatsim.exploration.choices import Switches
from chatsim.exploration.execution import Execution, Happened
from chatsim.exploration.problem import Problem, Server, Setup
from chatsim.pytest.tables import Source
from chatsim.worlds.world import BadParameterError, WorldError

__all__ = ["try_each_alone"]


def try_each_alone(problem: Problem, script: Sequence[Source]) -> None:
    """Run each transaction alone, twice.

    Args:
        problem: the tables and the transactions.
        script: where the statements of the tables stand.

    Raises:
        AssertionError: a transaction executes nothing.
        BadParameterError: one fails, waits for something else than the database, or does not do the same both times; or
            a statement of the tables fails.
        WorldError: the model does not know a statement.
        Exception: what a function raises.
    """
    alone = replace(problem, switches=Switches(retries=0))
    try:
        server = Server(alone)
    except (DatabaseError, NotImplementedError) as error:
        raise _culprit(alone, script, error) from None
    for number, caller in enumerate(problem.callers):
        try:
            ended, steps, is_stuck = _run(alone, server, number)
            _, again, _ = _run(alone, server, number)
        except NotImplementedError as error:
            raise WorldError(f"transaction {caller.name}: the model does not know a statement: {error}") from None
        if is_stuck:
            raise BadParameterError(
                f"transaction {caller.name} waits for something else than the database, or asks it for two things at"
                " once: neither can be explored"
            )
        if not steps:
            raise AssertionError(f"not tested: transaction {caller.name} executes no statement")
        if ended.refused:
            last = ended.refusals[-1]
            where = last.statement or steps[-1].sql
            raise BadParameterError(f"transaction {caller.name} fails even when it runs alone: {last}, at: {where}")
        for one, other in zip(steps, again, strict=False):
            if (one.sql, [*one.args]) != (other.sql, [*other.args]):
                raise BadParameterError(
                    f"transaction {caller.name} does not do the same each time: {_words(one)} and {_words(other)}; give"
                    " it ids, times and chance as values"
                )


def _run(problem: Problem, server: Server, number: int) -> tuple[Ended, Sequence[Happened], bool]:
    """What becomes of one caller, its steps, and whether it never ends."""
    execution = Execution(problem, server)
    try:
        while own := [each for each in execution.choices if each.caller == number]:
            execution.take(own[0])
        return execution.ended[number], list(execution.steps), problem.callers[number].name in execution.stuck
    finally:
        execution.close()


def _words(step: Happened) -> str:
    return f"{step.sql!r} with {[*step.args]}" if step.args else repr(step.sql)


def _culprit(problem: Problem, script: Sequence[Source], error: Exception) -> Exception:
    """The error that names the statement of the tables that fails."""
    kind = WorldError if isinstance(error, NotImplementedError) else BadParameterError
    for count, source in enumerate(script, 1):
        try:
            Server(replace(problem, setup=Setup(problem.setup.script[:count])))
        except type(error):
            return kind(f"{source.where}: {error}, at: {source.sql}")
    return error
