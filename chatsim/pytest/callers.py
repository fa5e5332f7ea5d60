"""Transactions of anybody's, as a test gives them, as callers to explore."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import TypeAlias

from chatsim.conformance.transactions import Transaction
from chatsim.db.errors import DatabaseError
from chatsim.db.session import Isolation, Session
from chatsim.db.text import statements
from chatsim.exploration.callers import Caller, Program
from chatsim.worlds.world import BadParameterError

__all__ = ["Errors", "OneTransaction", "Transactions", "callers"]

OneTransaction: TypeAlias = "str | Callable[[Session], Awaitable[object]]"
"""The statements of a transaction, or an async function over a session."""

Transactions: TypeAlias = "OneTransaction | Iterable[OneTransaction] | Mapping[str, OneTransaction]"
"""One or several, perhaps with names."""

Errors: TypeAlias = "type[Exception] | tuple[type[Exception], ...]"


def callers(
    transactions: Transactions, *, copies: int, isolation: Isolation, may_raise: Errors = ()
) -> tuple[Caller, ...]:
    """A caller for each copy of each transaction.

    Args:
        transactions: what they do.
        copies: how many callers run each.
        isolation: their isolation level.
        may_raise: the errors of a function with which it may end: that is an answer like any other.

    Raises:
        BadParameterError, BadTransactionsError: something is no transaction. The message names it.
    """
    given: tuple[object, ...] = may_raise if isinstance(may_raise, tuple) else (may_raise,)
    for each in given:
        if not isinstance(each, type) or not issubclass(each, Exception):
            raise BadParameterError(f"may_raise has {each!r}; it can be a class of errors, or a tuple of them")
    found: list[Caller] = []
    for number, (name, transaction) in enumerate(_named(transactions), 1):
        program = _program(name, transaction, may_raise)
        names = [name] if copies == 1 else [f"{name}{copy}" for copy in range(1, copies + 1)]
        found += [Caller(each, program, isolation, alike=number) for each in names]
    if len({each.name for each in found}) < len(found):
        raise BadParameterError(f"two callers have one name: {', '.join(each.name for each in found)}")
    return tuple(found)


def _named(transactions: Transactions) -> Sequence[tuple[str, OneTransaction]]:
    if isinstance(transactions, Mapping):
        return list(transactions.items())
    if isinstance(transactions, str) or callable(transactions):
        transactions = [transactions]
    if not isinstance(transactions, Iterable):
        raise _no_transaction("transactions", transactions)
    given = list(transactions)
    names = [_name(each) or f"t{number}" for number, each in enumerate(given, 1)]
    return [
        (name if names.count(name) == 1 else f"{name}_{names[: at + 1].count(name)}", each)
        for at, (name, each) in enumerate(zip(names, given, strict=True))
    ]


def _name(transaction: object) -> str:
    while isinstance(transaction, functools.partial):
        transaction = transaction.func
    name = getattr(transaction, "__name__", "")
    return name if isinstance(name, str) and name.isidentifier() else ""


def _program(name: str, transaction: OneTransaction, may_raise: Errors) -> Program:
    if isinstance(transaction, str):
        return Transaction(name, statements(transaction)).program()
    if not callable(transaction):
        raise _no_transaction(f"transaction {name}", transaction)

    async def run(tx: Session) -> object:
        try:
            return await _answer(name, transaction, tx)
        except may_raise as error:
            if tx.in_transaction:
                await tx.rollback()
            return f"{type(error).__name__}: {error}"
        except (DatabaseError, BadParameterError):
            raise
        except NotImplementedError as error:
            if error.args:  # the model names what it has not
                raise
            raise BadParameterError(f"transaction {name} needs a thread or a socket: it can't be explored") from error
        except Exception as error:
            error.add_note(f"raised by transaction {name}; if that is one of its answers, name the class in may_raise")
            raise

    return run


async def _answer(name: str, transaction: Callable[[Session], Awaitable[object]], tx: Session) -> object:
    """What a function returns, a plain value."""
    running = transaction(tx)
    if not inspect.isawaitable(running):
        raise BadParameterError(f"transaction {name} is no 'async def' over a session: it returns {running!r} at once")
    value = await running
    if " at 0x" in repr(value):
        raise BadParameterError(
            f"transaction {name} returns {value!r}, and no two of these are equal; let it return plain values"
        )
    return value


def _no_transaction(what: str, value: object) -> BadParameterError:
    return BadParameterError(f"{what} is {value!r}; a transaction is SQL text, or an async function over a session")
