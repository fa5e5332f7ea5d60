"""The assertions. Each is a plain function that blocks until it knows, in ordinary and in async tests alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from chatsim.chat.creation import CreationStrategy
    from chatsim.experiments.catchup.cursors import CursorKind
    from chatsim.experiments.exploring.explored import Explored
    from chatsim.experiments.result import Result
    from chatsim.pytest.callers import Errors, Transactions
    from chatsim.pytest.costs import Expected
    from chatsim.pytest.own_schema import Measured
    from chatsim.pytest.tables import Tables

__all__ = ["assert_cost", "assert_no_deadlock", "assert_no_message_lost", "assert_safe", "assert_serializable"]

T = TypeVar("T")


def assert_no_deadlock(
    transactions: Transactions | CreationStrategy,
    *,
    tables: Tables | None = None,
    copies: int = 2,
    may_raise: Errors = (),
    **how: object,
) -> Explored:
    """Prove that transactions never deadlock, in whatever order their statements run; locks of gaps count.

    All orders are carried out in the model of InnoDB (`chatsim.explore`). A counterexample is played on the MySQL that
    is named, if one is, and the failure says whether it does the same.

    Args:
        transactions: SQL text, or async functions over a session: one, several, or a mapping with names. Or a creation
            strategy. A text gets BEGIN and COMMIT if it has none.
        tables: the tables with their rows: DDL text, a file of SQL, a folder of migrations, or several of these.
        copies: how many callers run each transaction at the same time.
        may_raise: the errors of the functions' own with which they may end, such as the one for a seat that is taken.
        how: further fields of `chatsim.explore`: ``isolation``, ``retries``, ``inside``; ``states``, beyond which the
            search is inconclusive, is 20,000 if it is not given.

    Returns:
        What was explored.

    Raises:
        AssertionError: there is a deadlock, or a wait without an end; or the search is inconclusive; or nothing was
            tested.
        BadParameterError, BadTransactionsError: something is wrong with what is given. The message names it.
        WorldError: the model does not know a statement.
    """
    __tracebackhide__ = True
    return _explored(transactions, {"tables": tables, "copies": copies, "may_raise": may_raise} | how, "deadlock")


def assert_serializable(
    transactions: Transactions | CreationStrategy,
    *,
    tables: Tables | None = None,
    copies: int = 2,
    may_raise: Errors = (),
    **how: object,
) -> Explored:
    """Prove that transactions come to what they come to one after the other, in some order: no update is lost.

    What counts are the rows at the end, and all that the transactions have read or returned. There may be six callers.

    Args:
        transactions: as for `assert_no_deadlock`.
        tables: as there.
        copies: as there.
        may_raise: as there.
        how: as there.

    Returns:
        What was explored.

    Raises as `assert_no_deadlock`.
    """
    __tracebackhide__ = True
    return _explored(transactions, {"tables": tables, "copies": copies, "may_raise": may_raise} | how, "serializable")


def assert_safe(
    strategy: CreationStrategy | str,
    *,
    pattern: str | Sequence[str] = "same_pair",
    world: object = None,
    **parameters: object,
) -> Result:
    """Race a strategy that creates private chats: each pair must get one thread, and everybody that one.

    Args:
        strategy: one that `chatsim.creation_strategy` has made, or the name of a shipped one.
        pattern: who asks for which pair: ``same_pair``, ``hot_pairs``, ``strangers``, or several of them. Strangers
            alone can't tell: nobody asks for the pair of another one.
        world: ``"model"``, ``"mysql"``, a `Model`, a `MySQL`, or a fixture (`OwnSchema`) whose server is used; None is
            the server that is named, or else the model.
        parameters: further parameters of `chatsim.race`, such as ``clients``, ``rounds``, ``existing``, ``retry``.

    Returns:
        The result of the race.

    Raises:
        AssertionError: the verdict is not ``safe``, under each pattern; or nothing was tested, under any.
        BadParameterError, UnknownStrategyError, StrategyError, WorldError: as `chatsim.race`.
    """
    __tracebackhide__ = True
    from chatsim.pytest.runs import judged, race

    result, wrong = _without_traceback(lambda: judged(race(strategy, parameters | {"pattern": pattern}), world))
    if wrong is not None:
        raise AssertionError(wrong)
    return result


def assert_no_message_lost(cursor_or_protocol: CursorKind | str, **parameters: Any) -> Explored | Result:
    """Check that a client which goes on from its cursor gets every message.

    A kind of cursor is explored: two writers and a reader, in every order that locks allow. Of a protocol, each kind of
    cursor that it goes by is explored, and then it is run through clients, wire and servers while others write
    (`chatsim.catchup`). The run alone would seldom meet the order in which a message is lost.

    Args:
        cursor_or_protocol: a kind of cursor, or its name; or the name of a protocol.
        parameters: for a cursor, further fields of `chatsim.explore`; for a protocol, ``world`` (as for `assert_safe`)
            and further parameters of `chatsim.catchup`, such as ``cursors``.

    Returns:
        What was explored, or the result of the run.

    Raises:
        AssertionError: a message is lost, or the check is inconclusive, or nothing was tested.
        BadParameterError: there is no such cursor or protocol, or no such parameter.
        WorldError: as `chatsim.catchup`.
    """
    __tracebackhide__ = True
    from chatsim.pytest.messages import explored_or_run

    found, wrong = _without_traceback(lambda: explored_or_run(cursor_or_protocol, parameters))
    if wrong is not None:
        raise AssertionError(wrong)
    return found


def assert_cost(result: Measured[T] | Result, **expected: Expected) -> None:
    """Check what something has cost, as counts, which are the same on every machine.

    Args:
        result: what `OwnSchema.run` has returned; or the result of an experiment, whose rows are all checked, for one
            operation each.
        expected: ``round_trips``, ``statements``, ``rows_examined``, ``lock_waits``: a number, for exactly so many, or
            a range: ``rows_examined=range(1, 101)``. A real server counts lock waits of all who use it.

    Raises:
        AssertionError: a cost is another one; or it was not counted, or nothing was done.
        BadParameterError: there is no such cost, or ``result`` has none.
    """
    __tracebackhide__ = True
    from chatsim.pytest.costs import wrong_costs

    if (wrong := _without_traceback(lambda: wrong_costs(result, expected))) is not None:
        raise AssertionError(wrong)


def _explored(transactions: Transactions | CreationStrategy, given: dict[str, Any], question: str) -> Explored:
    __tracebackhide__ = True
    from chatsim.pytest.explorations import explored_transactions, what_is_wrong

    found = _without_traceback(lambda: explored_transactions(transactions, ask=("stuck", question), **given))
    if (wrong := what_is_wrong(found)) is not None:
        raise AssertionError(wrong)
    return found


def _without_traceback(work: Callable[[], T]) -> T:
    """What a function returns. Of an error, a log shows what concerns the test, and nothing of chatsim's own code."""
    __tracebackhide__ = True
    from chatsim.pytest.errors import of_the_test

    try:
        return work()
    except Exception as error:  # noqa: BLE001 - it is raised again
        raise of_the_test(error) from error.__cause__
