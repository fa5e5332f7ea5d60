"""Transactions, strategies and cursors, explored for an assertion: what does not hold, in text; or nothing."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace

from chatsim.chat.creation import CreationStrategy
from chatsim.db.session import Isolation
from chatsim.experiments.catchup.cursors import CursorKind
from chatsim.experiments.exploring.explored import Counterexample, Explored
from chatsim.experiments.exploring.exploring import Exploring
from chatsim.exploration.problem import Problem, Setup
from chatsim.exploration.verdict import Proof
from chatsim.pytest.alone import try_each_alone
from chatsim.pytest.callers import Errors, Transactions, callers
from chatsim.pytest.drawing import drawn
from chatsim.pytest.loops import in_no_loop
from chatsim.pytest.tables import Tables, read_tables
from chatsim.worlds.mysql.settings import Servers
from chatsim.worlds.world import BadParameterError, WorldError

__all__ = ["explored_cursor", "explored_transactions", "what_is_wrong"]

_STATES = 20_000
"""About a minute's work. A bound in states is the same on every machine; one in seconds would not be."""

_FEW = 3
"""With more callers, orders are left out that differ only in when statements run that concern nobody else."""


def explored_transactions(
    transactions: Transactions | CreationStrategy,
    *,
    ask: Sequence[str],
    tables: Tables | None,
    copies: int,
    may_raise: Errors,
    **how: object,
) -> Explored:
    """Explore transactions, or a creation strategy with ``copies`` callers.

    Args:
        transactions: what is run.
        ask: the names of the questions.
        tables: the statements that make the tables and their rows. A strategy has the chat's.
        copies: how many callers run each.
        may_raise: the errors of a function that are answers.
        how: further fields of `Exploring`.

    Raises:
        BadParameterError, BadTransactionsError: something is wrong with what is given. The message names it.
        WorldError: the model does not know a statement.
        AssertionError: nothing would be tested.
    """
    if copies < 1:
        raise BadParameterError(f"copies is {copies}; it must be at least 1")
    exploring = _exploring(ask, copies, how)
    if isinstance(transactions, CreationStrategy):
        if tables is not None:
            raise BadParameterError("tables are given, but a creation strategy has the tables of the chat")
        _require_two(copies)
        return _whole(exploring.strategy(transactions))
    script = read_tables(tables) if tables is not None else ()
    level = exploring.level or Isolation.REPEATABLE_READ
    made = callers(transactions, copies=copies, isolation=level, may_raise=may_raise)
    _require_two(len(made))
    exploring = replace(exploring, prune=bool(how.get("prune", len(made) > _FEW)))
    problem = Problem(Setup(tuple(each.sql for each in script)), made, exploring.switches)
    try_each_alone(problem, script)
    try:
        return _whole(exploring.problem(problem, ", ".join(each.name for each in made)))
    except NotImplementedError as error:
        raise WorldError(f"the model does not know a statement: {error}") from None


def explored_cursor(kind: CursorKind, **how: object) -> Explored:
    """Explore a kind of cursor, with writers and a reader. Raises `BadParameterError`."""
    return _whole(_exploring(("stuck", "skipped"), 2, how).cursor(kind))


def _whole(explored: Explored) -> Explored:
    """The same, unless somebody has ended the search: that ends the tests, too."""
    if explored.found.interrupted:
        raise KeyboardInterrupt
    return explored


def _exploring(ask: Sequence[str], callers: int, how: dict[str, object]) -> Exploring:
    given = {"states": _STATES, "prune": callers > _FEW, "callers": callers} | how
    known = sorted(set(Exploring.__dataclass_fields__) - {"ask", "copies", "tables"})
    if unknown := [each for each in given if each not in known]:
        raise BadParameterError(f"there is no parameter {unknown[0]!r}; an exploration has: {', '.join(known)}")
    return Exploring(ask=ask, **given)  # type: ignore[arg-type]


def _require_two(callers: int) -> None:
    if callers < 2:
        raise AssertionError(
            "not tested: one caller alone meets nobody; give several transactions, or at least 2 copies"
            if callers
            else "not tested: there is no transaction"
        )


def what_is_wrong(explored: Explored) -> str | None:
    """What does not hold, drawn as text; None if all that was asked is proved."""
    if explored.counterexamples:
        example = min(explored.counterexamples.values(), key=lambda each: each.steps)
        holds = next(each.holds for each in explored.questions if each.name == example.question)
        head = f"{explored.name}: “{holds}” does not hold. The shortest order that shows it:"
        return "\n".join([head, drawn(example), *_on_server(example)])
    if explored.proved:
        return None
    seen = [name for name, proof in explored.found.verdicts.items() if proof is Proof.INCONCLUSIVE]
    return (
        f"inconclusive: nothing was found against {', '.join(seen)}, but not all states were seen, so nothing is proved"
        f" ({explored.summary}). Give fewer transactions or copies, or larger states="
    )


def _on_server(example: Counterexample) -> list[str]:
    """Whether the server that is named does the same as the model; nothing if none is named."""
    servers = Servers()
    if not os.environ.get(servers.service().variable):
        return []
    if example.schedule is None:
        return [f"It was not played on MySQL: {example.why}."]
    from chatsim.conformance.replay import replays

    schedule = example.schedule
    try:
        (comparison,) = in_no_loop(lambda: list(replays([schedule], servers)))
    except WorldError as error:
        return [f"It was not played on MySQL: {error}"]
    if comparison.agrees:
        return ["The named MySQL does the same."]
    return [f"The named MySQL does not do the same: {next(each for each in comparison.differences if each)}"]
