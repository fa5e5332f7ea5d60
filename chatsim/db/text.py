"""SQL text: where its statements end, and which of its question marks are places for arguments.

The whole project uses this module to split SQL text. It treats quotes and comments as MySQL's lexer does (manual,
"String Literals", "Schema Object Names" and "Comment Syntax"). A string in ``'`` or ``"`` ends at a quote that is not
doubled and not after a backslash. A name in backticks ends at a backtick that is not doubled. A comment is ``#`` or
``--`` (followed by white space or the end of the text) up to the end of the line, or ``/* … */``. Semicolons and
question marks within them have no meaning. A string or comment without an end reaches to the end of the text. What a
server of the project's version executes of a comment (``/*! … */``, ``/*!50100 … */``) is part of the text, as SHOW
CREATE TABLE and mysqldump print it; if it is for a later version it is a comment.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache

__all__ = ["Part", "arguments", "characters", "executed", "fill", "parts", "placeholders", "quoted", "statements"]

_VERSION = 90700
"""The server's version, as comments name it: comments for a later one are not executed."""

_TOKEN = re.compile(
    r"""
    (?P<quoted> '(?:[^'\\]|\\.|'')*+'? | "(?:[^"\\]|\\.|"")*+"? | `[^`]*+`? )
    | (?P<comment> (?:\#|--(?=[\s\x00-\x1f\x7f]|\Z))[^\n]* | /\*.*?(?:\*/|\Z) )
    | (?P<space> \s+ )
    | (?P<semicolon> ; )
    | (?P<placeholder> \? )
    | [^\s'"`\#\-/;?*]+
    | .
    """,
    re.DOTALL | re.VERBOSE,
)
_EXECUTED = re.compile(r"/\*!(?P<version>\d{5,6}(?!\d))?")


def executed(sql: str) -> str:
    """A text in which the comments that the server executes are none: spaces are in the place of their marks."""
    if "/*!" not in sql:
        return sql
    pieces: list[str] = []
    at, within = 0, False
    while (token := _TOKEN.match(sql, at)) is not None:
        text, at = token.group(), token.end()
        if within and sql.startswith("*/", token.start()):
            at, within, text = token.start() + 2, False, "  "
        elif (mark := _EXECUTED.match(text)) is not None and int(mark["version"] or 0) <= _VERSION:
            at, within, text = token.start() + mark.end(), True, " " * mark.end()
        pieces.append(text)
    return "".join(pieces)


@lru_cache(maxsize=1024)
def statements(sql: str) -> tuple[str, ...]:
    """The statements of a text, in order, without semicolons, and without white space and comments around them."""
    return tuple(part.text for part in parts(sql) if not part.is_comment)


@dataclass(frozen=True, slots=True)
class Part:
    """A statement of a text, or a comment that is outside of its statements."""

    text: str
    is_comment: bool


def parts(sql: str) -> list[Part]:
    """The statements of a text, and the comments before, between and after them, in order."""
    found: list[Part] = []
    start = end = None
    sql = executed(sql)
    for token in _TOKEN.finditer(sql):
        if token.lastgroup == "space" or (token.lastgroup == "comment" and start is not None):
            continue
        if token.lastgroup == "comment":
            found.append(Part(token[0].strip(), is_comment=True))
        elif token.lastgroup != "semicolon" or (start is not None and _is_within_body(sql[start : token.start()])):
            start, end = token.start() if start is None else start, token.end()
        elif start is not None:
            found.append(Part(sql[start:end], is_comment=False))
            start = None
    if start is not None:
        found.append(Part(sql[start:end], is_comment=False))
    return found


_WITH_BODY = re.compile(r"CREATE\s+(?:DEFINER\s*=\s*\S+\s+)?(?:TRIGGER|PROCEDURE|FUNCTION|EVENT)\b", re.IGNORECASE)
_OPENS = re.compile(r"BEGIN|CASE|IF|LOOP|REPEAT|WHILE")
_BEFORE_STATEMENT = ("", ";", "BEGIN", "THEN", "ELSE", "DO", "LOOP", "REPEAT", "ROW")


def _is_within_body(text: str) -> bool:
    """Whether a statement that begins so goes on behind a semicolon: the body of a trigger is a block of statements."""
    if _WITH_BODY.match(text) is None:
        return False
    depth, before = 0, ""
    words = re.findall(r"[A-Za-z_]\w*|;", re.sub(r"'(?:[^'\\]|\\.|'')*'|\"[^\"]*\"|`[^`]*`", " x ", text))
    for word in (each.upper() for each in words):
        if word == "END":
            depth -= 1
        elif _OPENS.fullmatch(word) and before != "END" and (word in ("BEGIN", "CASE") or before in _BEFORE_STATEMENT):
            depth += 1
        before = word
    return depth > 0


def characters(sql: str) -> int:
    """How long a text is, without blanks and other white space."""
    return len("".join(sql.split()))


def quoted(name: str) -> str:
    """A name in backticks, as it must be written if it is a reserved word or has unusual characters."""
    return "`" + name.replace("`", "``") + "`"


def placeholders(sql: str) -> int:
    """The number of arguments of a text."""
    return len(_pieces(sql)) - 1


def arguments(sql: str, args: Sequence[object]) -> Sequence[object]:
    """The arguments of a text as SQL has them: None, numbers, texts and bytes. Dates and times become texts.

    Every database refuses the same ones in the same words.

    Raises:
        ValueError: the numbers of arguments and of places for them differ.
        TypeError: an argument is of a type that has no SQL literal.
    """
    places = placeholders(sql) if args or "?" in sql else 0  # a text without them may be long, and is not examined
    if places != len(args):
        raise _wrong_number(sql, len(args), places)
    if all(value is None or isinstance(value, int | str | bytes) for value in args):
        return args
    return [_plain(value) for value in args]


def _plain(value: object) -> object:
    """A value as SQL has it; see `arguments`."""
    match value:
        case None | int() | str() | bytes():
            return value
        case float() | Decimal() if math.isfinite(value):
            return value
        case datetime() if value.tzinfo is None:
            return value.isoformat(" ")
        case date() if not isinstance(value, datetime):
            return value.isoformat()
        case time() if value.tzinfo is None:
            return value.isoformat()
        case timedelta():
            return _clock(value)
        case datetime() | time():
            raise TypeError(f"no SQL literal for a {type(value).__name__} with a time zone: {value!r}")
    raise TypeError(f"no SQL literal for {type(value).__name__}: {value!r}")


def _clock(value: timedelta) -> str:
    """A TIME, which may be negative and longer than a day (manual, "The TIME Type")."""
    sign, left = ("-", -value) if value < timedelta(0) else ("", value)
    minutes, seconds = divmod(left.days * 86_400 + left.seconds, 60)
    fraction = f".{left.microseconds:06}" if left.microseconds else ""
    return f"{sign}{minutes // 60:02}:{minutes % 60:02}:{seconds:02}{fraction}"


def _wrong_number(sql: str, args: int, places: int) -> ValueError:
    hint = " (write ?, not %s)" if "%s" in sql else ""
    return ValueError(f"{args} arguments for {places} placeholders{hint} in: {sql.strip()}")


def fill(sql: str, literals: Sequence[str]) -> str:
    """A text with literals in place of its ``?``.

    Raises:
        ValueError: the numbers of literals and places differ.
    """
    first, *rest = _pieces(sql)
    if len(rest) != len(literals):
        raise _wrong_number(sql, len(literals), len(rest))
    return "".join([first, *(part for pair in zip(literals, rest, strict=True) for part in pair)])


@lru_cache(maxsize=1024)
def _pieces(sql: str) -> tuple[str, ...]:
    """The pieces of a text between its placeholders."""
    sql = executed(sql)
    pieces, start = [], 0
    for token in _TOKEN.finditer(sql):
        if token.lastgroup == "placeholder":
            pieces.append(sql[start : token.start()])
            start = token.end()
    return (*pieces, sql[start:])
