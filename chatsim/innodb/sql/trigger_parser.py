"""Parsing CREATE TRIGGER, whose body is a statement or a block of statements (manual, "CREATE TRIGGER Statement").

The body is taken apart by its words; the statements and expressions in it are then parsed as all others.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias

from sqlglot import exp

from chatsim.db.mysql import database_error

__all__ = [
    "CreateTrigger",
    "DropTrigger",
    "If",
    "Perform",
    "SetValues",
    "Signal",
    "SignalStatement",
    "Step",
    "create_trigger",
    "signal",
    "signalled",
]

Event: TypeAlias = Literal["INSERT", "UPDATE", "DELETE"]


@dataclass(frozen=True)
class SetValues:
    """SET: assignments to columns of NEW and to variables, from left to right."""

    targets: tuple[tuple[exp.Column | exp.Parameter, exp.Expr], ...]


@dataclass(frozen=True)
class If:
    """IF: conditions, each with its statements; those of ELSE have none."""

    branches: tuple[tuple[exp.Expr | None, tuple[Step, ...]], ...]


@dataclass(frozen=True)
class Signal:
    """SIGNAL: the state, the number of the error, and its text."""

    state: str
    errno: int
    message: exp.Expr | None


@dataclass(frozen=True)
class Perform:
    """A statement about rows."""

    node: exp.Expr


Step: TypeAlias = SetValues | If | Signal | Perform


class CreateTrigger(exp.Expression):
    """CREATE TRIGGER: its name, the table, BEFORE or AFTER, the event, and the `steps` of its body."""

    arg_types: ClassVar = {"this": True, "table": True, "timing": True, "event": True, "steps": True, "exists": False}


class SignalStatement(exp.Expression):
    """SIGNAL outside of a trigger; `signal` is what it says."""

    arg_types: ClassVar = {"signal": True}


class DropTrigger(exp.Expression):
    """DROP TRIGGER: its name, and whether it may be missing."""

    arg_types: ClassVar = {"this": True, "exists": False}


_HEAD = re.compile(
    r"""CREATE\s+ (?:DEFINER\s*=\s*\S+\s+)? TRIGGER\s+ (?P<exists>IF\s+NOT\s+EXISTS\s+)?
    (?P<name>`[^`]+`|[\w$]+)\s+ (?P<timing>BEFORE|AFTER)\s+ (?P<event>INSERT|UPDATE|DELETE)\s+ ON\s+
    (?P<table>`[^`]+`|[\w$]+)\s+ FOR\s+EACH\s+ROW\s+ (?:(?P<order>FOLLOWS|PRECEDES)\s+\S+\s+)?""",
    re.VERBOSE | re.IGNORECASE,
)
_WORD = re.compile(
    r"""(?P<skip>\s+|\#[^\n]*|--\s[^\n]*|/\*.*?\*/)
    | '(?:[^'\\]|\\.|'')*' | "(?:[^"\\]|\\.|"")*" | `[^`]*` | [\w$@]+ | .""",
    re.VERBOSE | re.DOTALL,
)
_REFUSED = (
    "DECLARE",
    "WHILE",
    "LOOP",
    "REPEAT",
    "CASE",
    "LEAVE",
    "ITERATE",
    "OPEN",
    "FETCH",
    "CLOSE",
    "CALL",
    "RETURN",
)
_SIGNAL = re.compile(
    r"SIGNAL\s+SQLSTATE\s+(?:VALUE\s+)?'(?P<state>\w{5})'(?:\s+SET\s+(?P<items>.*))?", re.IGNORECASE | re.DOTALL
)

Parse: TypeAlias = Callable[[str], exp.Expr]


def create_trigger(text: str, parse: Parse) -> CreateTrigger:
    """The tree of a CREATE TRIGGER.

    Args:
        text: the statement.
        parse: parses one statement.

    Raises:
        DatabaseError: it is no SQL (1064).
        NotImplementedError: its body has something that the model does not have; the message names it.
    """
    head = _HEAD.match(text)
    if head is None:
        raise _no_sql(text)
    if head["order"]:
        raise NotImplementedError("the model's SQL has no CREATE TRIGGER … FOLLOWS or PRECEDES")
    body = _Body(text, head.end(), parse)
    steps = body.steps()
    body.expect_end()
    return CreateTrigger(
        this=head["name"].strip("`"),
        table=head["table"].strip("`"),
        timing=head["timing"].upper(),
        event=head["event"].upper(),
        steps=steps,
        exists=bool(head["exists"]),
    )


def signalled(text: str, parse: Parse) -> SignalStatement:
    """The tree of a SIGNAL. Raises as `create_trigger`."""
    return SignalStatement(signal=signal(text, parse))


def signal(text: str, parse: Parse) -> Signal:
    """A SIGNAL. Raises as `create_trigger`."""
    found = _SIGNAL.fullmatch(text.strip())
    if found is None:
        raise NotImplementedError(f"the model's SQL has no {text.strip()}")
    errno, message = 1644, None
    for item in _assignments(found["items"], parse) if found["items"] else ():
        match item.left.name.upper():
            case "MESSAGE_TEXT":
                message = item.right
            case "MYSQL_ERRNO":
                errno = int(item.right.name)
            case other:
                raise NotImplementedError(f"the model's SQL has no SIGNAL … SET {other}")
    return Signal(found["state"], errno, message)


def _assignments(text: str, parse: Parse) -> list[exp.EQ]:
    """Assignments with commas between them, as comparisons."""
    found = [
        exp.EQ(this=each.this, expression=each.expression) if isinstance(each, exp.PropertyEQ) else each
        for each in parse(f"SELECT {text}").expressions
    ]
    if not all(isinstance(each, exp.EQ) for each in found):
        raise NotImplementedError(f"the model's SQL has no SET {text} in a trigger")
    return found


def _no_sql(text: str) -> Exception:
    return database_error(1064, f"You have an error in your SQL syntax near '{text[:80]}'")


class _Body:
    """The words of a body, read from left to right."""

    def __init__(self, text: str, start: int, parse: Parse) -> None:
        self._text = text
        self._words = [each for each in _WORD.finditer(text, start) if each["skip"] is None]
        self._at = 0
        self._parse = parse

    def steps(self) -> tuple[Step, ...]:
        """A statement, or those of a block."""
        if not self._say("BEGIN"):
            return (self._step(),)
        found = self._until("END")
        self._next("END")
        return found

    def expect_end(self) -> None:
        """Nothing but a semicolon may follow."""
        self._say(";")
        if self._at < len(self._words):
            raise _no_sql(self._text[self._words[self._at].start() :])

    def _until(self, *ends: str) -> tuple[Step, ...]:
        found: list[Step] = []
        while self._word() not in ends:
            found += self.steps()
            self._say(";")
        return tuple(found)

    def _step(self) -> Step:
        word = self._word()
        if word in _REFUSED:
            raise NotImplementedError(f"the model's SQL has no {word} in a trigger")
        if self._say("IF"):
            return self._if()
        if word == "SIGNAL":
            return signal(self._rest(), self._parse)
        if self._say("SET"):
            targets = []
            for each in _assignments(self._rest(), self._parse):
                if not isinstance(each.left, exp.Column | exp.Parameter):
                    raise NotImplementedError(f"the model's SQL has no SET {each.sql('mysql')} in a trigger")
                targets.append((each.left, each.right))
            return SetValues(tuple(targets))
        return Perform(self._parse(self._rest()))

    def _if(self) -> If:
        branches: list[tuple[exp.Expr | None, tuple[Step, ...]]] = []
        while True:
            condition = self._parse(f"SELECT {self._rest('THEN')}").expressions[0]
            self._next("THEN")
            branches.append((condition, self._until("ELSEIF", "ELSE", "END")))
            if not self._say("ELSEIF"):
                break
        if self._say("ELSE"):
            branches.append((None, self._until("END")))
        self._next("END")
        self._next("IF")
        return If(tuple(branches))

    def _word(self) -> str:
        if self._at == len(self._words):
            raise _no_sql(self._text)
        return self._words[self._at].group().upper()

    def _say(self, word: str) -> bool:
        if self._at == len(self._words) or self._word() != word:
            return False
        self._at += 1
        return True

    def _next(self, word: str) -> None:
        if not self._say(word):
            raise _no_sql(self._text)

    def _rest(self, end: str = ";") -> str:
        """The text up to a word."""
        begin = self._words[self._at].start() if self._at < len(self._words) else len(self._text)
        while self._at < len(self._words) and self._word() != end:
            self._at += 1
        last = self._words[self._at].start() if self._at < len(self._words) else len(self._text)
        return self._text[begin:last].strip()
