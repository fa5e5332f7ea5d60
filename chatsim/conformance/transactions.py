"""Transactions of anybody's, over anybody's tables: a file of SQL with comments, or texts, as callers to explore.

The statements before the first comment make the tables and their rows. ``-- transaction NAME(a, b)`` begins a
transaction, in whose statements ``:a`` and ``:b`` stand for what a caller gives; ``-- call NAME(1, 2)`` says that a
caller runs it with these values. ``-- assert WHAT`` begins a query that must return nothing at the end.
``-- isolation LEVEL`` is the level of all callers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from chatsim.db.errors import DatabaseError
from chatsim.db.session import Isolation, Session
from chatsim.db.text import parts
from chatsim.exploration.callers import Caller, Program
from chatsim.exploration.choices import Switches
from chatsim.exploration.problem import Problem, Setup
from chatsim.exploration.questions import Question, empty

__all__ = ["BadTransactionsError", "Transaction", "TransactionFile", "parse"]

_DIRECTIVE = re.compile(r"--\s*(transaction|call|assert|isolation)\b\s*:?\s*(.*\S)?\s*", re.IGNORECASE)
_NAMED = re.compile(r"(?P<name>\w+)\s*(?:\((?P<values>.*)\))?")
_FOR_THE_NEXT = re.compile(r"\s*SET\s+TRANSACTION\b", re.IGNORECASE)
_BEGINS = re.compile(r"\s*(BEGIN|START\s+TRANSACTION|XA\s+(START|BEGIN))\b", re.IGNORECASE)
_ENDS = re.compile(r"\s*(COMMIT|ROLLBACK|XA\s+(COMMIT|ROLLBACK))\b(?!\s+(WORK\s+)?TO\b)", re.IGNORECASE)
_PLACE = re.compile(
    r"""'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*"|`[^`]*`|(?<![:\w]):(?P<name>[A-Za-z_]\w*)""", re.DOTALL
)
_PIECE = re.compile(r"""'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*"|`[^`]*`|[(),]|[^'"`(),]+""")


class BadTransactionsError(ValueError):
    """A text has no transactions that can be explored. The message names the place."""


@dataclass(frozen=True)
class Transaction:
    """A transaction.

    Attributes:
        name: its name.
        statements: what it executes, one after the other. BEGIN and COMMIT are added where they are missing.
        parameters: the names of its values, which stand in the statements behind a colon.

    Raises:
        BadTransactionsError: it has no statement, or uses a value that is no parameter.
    """

    name: str
    statements: tuple[str, ...]
    parameters: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.statements:
            raise BadTransactionsError(f"transaction {self.name} has no statement")
        used = {found["name"] for each in self.statements for found in _PLACE.finditer(each) if found["name"]}
        if unknown := sorted(used - set(self.parameters)):
            raise BadTransactionsError(f"transaction {self.name} uses :{unknown[0]}, which is no parameter of it")

    def program(self, values: Sequence[str] = ()) -> Program:
        """What a caller does who runs it with these values, each a literal of SQL.

        It returns what its statements have read. After an error it rolls back.
        """
        given = dict(zip(self.parameters, values, strict=True))
        statements = [_filled(each, given) for each in self.statements]
        first = next((at for at, each in enumerate(statements) if not _FOR_THE_NEXT.match(each)), len(statements))
        if not any(map(_BEGINS.match, statements[first : first + 1])):
            statements.insert(first, "BEGIN")
        if not _ENDS.match(statements[-1]):
            statements = [*statements, "COMMIT"]

        async def run(tx: Session) -> object:
            found = []
            try:
                for each in statements:
                    found.append((await tx.execute(each)).rows)  # noqa: PERF401 - an await within
            except DatabaseError:
                if tx.in_transaction:
                    await tx.rollback()
                raise
            return tuple(map(tuple, found))

        return run


@dataclass(frozen=True)
class TransactionFile:
    """What a text says.

    Attributes:
        setup: the statements that make the tables and their rows.
        transactions: by their names.
        calls: who runs which transaction with which values; empty: whoever asks decides.
        assertions: queries that must return nothing at the end, by what they assert.
        isolation: the isolation level of the callers; None if the text does not say.
    """

    setup: tuple[str, ...]
    transactions: Mapping[str, Transaction]
    calls: tuple[tuple[str, tuple[str, ...]], ...] = ()
    assertions: Mapping[str, str] = field(default_factory=dict)
    isolation: Isolation | None = None

    def problem(self, *, copies: int | None = None, isolation: Isolation | None = None, switches: Switches) -> Problem:
        """What is to be explored.

        Args:
            copies: how many callers run each transaction, or each call. None: one, or two if there is a single one.
            isolation: the isolation level of all callers; None is the text's, or REPEATABLE READ.
            switches: what may happen besides.

        Raises:
            BadTransactionsError: a transaction has parameters, and no call says which values they have.
        """
        calls = self.calls or tuple((name, ()) for name in self.transactions)
        for name, values in calls:
            self._check(name, values)
        each_copies = copies or (2 if len(calls) == 1 else 1)
        level = isolation or self.isolation or Isolation.REPEATABLE_READ
        once = len(calls) * each_copies == len(self.transactions)
        callers: list[Caller] = []
        for name, values in calls:
            program = self.transactions[name].program(values)
            for _ in range(each_copies):
                called = name if once else f"{name}{len(callers) + 1}"
                callers.append(Caller(called, program, level, alike=(name, *values)))
        return Problem(Setup(self.setup), tuple(callers), switches)

    def questions(self) -> list[Question]:
        """What the assertions ask."""
        return [empty(what, what, sql) for what, sql in self.assertions.items()]

    def _check(self, name: str, values: Sequence[str]) -> None:
        transaction = self.transactions.get(name)
        if transaction is None:
            raise BadTransactionsError(f"there is no transaction {name!r}; there are: {', '.join(self.transactions)}")
        wanted = transaction.parameters
        if len(values) != len(wanted):
            say = f"write '-- call {name}({', '.join('…' for _ in wanted)})' with a value for each"
            raise BadTransactionsError(
                f"transaction {name} has {len(wanted)} parameters ({', '.join(wanted)}), and is called with"
                f" {len(values)}; {say}"
            )


def parse(text: str) -> TransactionFile:
    """The transactions of a text. Raises `BadTransactionsError`."""
    reader = _Reader()
    for part in parts(text):
        if part.is_comment:
            if (found := _DIRECTIVE.fullmatch(part.text.strip())) is not None:
                reader.directive(found[1].lower(), found[2] or "")
        else:
            reader.statement(part.text)
    return reader.file()


class _Reader:
    """What a text has said so far."""

    def __init__(self) -> None:
        self._setup: list[str] = []
        self._bodies: dict[str, list[str]] = {}
        self._parameters: dict[str, tuple[str, ...]] = {}
        self._calls: list[tuple[str, tuple[str, ...]]] = []
        self._assertions: dict[str, list[str]] = {}
        self._isolation: Isolation | None = None
        self._into = self._setup  # where the next statement belongs

    def statement(self, text: str) -> None:
        for line in map(str.strip, text.splitlines()):
            if _DIRECTIVE.fullmatch(line):
                raise BadTransactionsError(f"the statement before {line!r} has no semicolon at its end")
        self._into.append(text)

    def directive(self, word: str, rest: str) -> None:
        match word:
            case "transaction":
                name, names = _named(word, rest)
                if name in self._bodies:
                    raise BadTransactionsError(f"there are two transactions {name!r}")
                self._parameters[name] = _parameters(name, names)
                self._into = self._bodies[name] = []
            case "call":
                self._calls.append(_named(word, rest))
            case "assert":
                if not rest:
                    raise BadTransactionsError("'-- assert' says what is asserted: -- assert no seat is sold twice")
                if rest in self._assertions:
                    raise BadTransactionsError(f"there are two assertions {rest!r}")
                self._into = self._assertions[rest] = []
            case _:
                try:
                    self._isolation = Isolation(rest.upper().replace("-", " "))
                except ValueError as error:
                    raise BadTransactionsError(str(error)) from None

    def file(self) -> TransactionFile:
        if not self._bodies:
            raise BadTransactionsError("there is no transaction: a comment '-- transaction NAME' stands before each")
        for what, queries in self._assertions.items():
            if len(queries) != 1:
                raise BadTransactionsError(f"'-- assert {what}' needs one query; it has {len(queries)}")
        return TransactionFile(
            tuple(self._setup),
            {name: self._transaction(name) for name in self._bodies},
            tuple(self._calls),
            {what: queries[0] for what, queries in self._assertions.items()},
            self._isolation,
        )

    def _transaction(self, name: str) -> Transaction:
        return Transaction(name, tuple(self._bodies[name]), self._parameters[name])


def _named(word: str, text: str) -> tuple[str, tuple[str, ...]]:
    """A name, and what stands in parentheses behind it."""
    found = _NAMED.fullmatch(text.strip())
    if found is None:
        raise BadTransactionsError(f"'-- {word} {text}' is not of the form '-- {word} NAME(a, b)'")
    return found["name"], _values(f"-- {word} {text}", found["values"] or "")


def _values(line: str, text: str) -> tuple[str, ...]:
    """The values of a list, each a text of SQL, perhaps with commas in strings and parentheses."""
    if not text.strip():
        return ()
    values, depth, end = [""], 0, 0
    for found in _PIECE.finditer(text):
        if found.start() != end:
            break
        end, piece = found.end(), found[0]
        depth += (piece == "(") - (piece == ")")
        if piece == "," and not depth:
            values.append("")
        else:
            values[-1] += piece
    if end != len(text):
        raise BadTransactionsError(f"'{line}' has a string without an end")
    if not all(map(str.strip, values)):
        raise BadTransactionsError(f"'{line}' has an empty value")
    return tuple(map(str.strip, values))


def _parameters(name: str, names: Sequence[str]) -> tuple[str, ...]:
    found = [each.removeprefix(":") for each in names]
    for at, each in enumerate(found):
        if not each.isidentifier():
            raise BadTransactionsError(f"{each!r} is no name of a parameter of transaction {name}")
        if each in found[:at]:
            raise BadTransactionsError(f"transaction {name} has two parameters {each!r}")
    return tuple(found)


def _filled(statement: str, values: Mapping[str, str]) -> str:
    return _PLACE.sub(lambda found: values[found["name"]] if found["name"] else found[0], statement)
