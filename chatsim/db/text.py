"""SQL text: where its statements end, and which of its question marks are places for arguments.

The whole project uses this module to split SQL text. It treats quotes and comments as MySQL's lexer does (manual,
"String Literals", "Schema Object Names" and "Comment Syntax"). A string in ``'`` or ``"`` ends at a quote that is not
doubled and not after a backslash. A name in backticks ends at a backtick that is not doubled. A comment is ``#`` or
``--`` (followed by white space or the end of the text) up to the end of the line, or ``/* … */``. Semicolons and
question marks within them have no meaning. A string or comment without an end reaches to the end of the text. A comment
that the server would execute (``/*! … */``) is a comment here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

__all__ = ["Part", "fill", "parts", "placeholders", "quoted", "statements"]

_TOKEN = re.compile(
    r"""
    (?P<quoted> '(?:[^'\\]|\\.|'')*+'? | "(?:[^"\\]|\\.|"")*+"? | `[^`]*+`? )
    | (?P<comment> (?:\#|--(?=[\s\x00-\x1f\x7f]|\Z))[^\n]* | /\*.*?(?:\*/|\Z) )
    | (?P<space> \s+ )
    | (?P<semicolon> ; )
    | (?P<placeholder> \? )
    | [^\s'"`\#\-/;?]+
    | .
    """,
    re.DOTALL | re.VERBOSE,
)


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
    for token in _TOKEN.finditer(sql):
        if token.lastgroup == "space" or (token.lastgroup == "comment" and start is not None):
            continue
        if token.lastgroup == "comment":
            found.append(Part(token[0].strip(), is_comment=True))
        elif token.lastgroup != "semicolon":
            start, end = token.start() if start is None else start, token.end()
        elif start is not None:
            found.append(Part(sql[start:end], is_comment=False))
            start = None
    if start is not None:
        found.append(Part(sql[start:end], is_comment=False))
    return found


def quoted(name: str) -> str:
    """A name in backticks, as it must be written if it is a reserved word or has unusual characters."""
    return "`" + name.replace("`", "``") + "`"


def placeholders(sql: str) -> int:
    """The number of arguments of a text."""
    return len(_pieces(sql)) - 1


def fill(sql: str, literals: Sequence[str]) -> str:
    """A text with literals in place of its ``?``.

    Raises:
        ValueError: the numbers of literals and places differ.
    """
    first, *rest = _pieces(sql)
    if len(rest) != len(literals):
        raise ValueError(f"{len(literals)} arguments for {len(rest)} placeholders in: {sql.strip()}")
    return "".join([first, *(part for pair in zip(literals, rest, strict=True) for part in pair)])


@lru_cache(maxsize=1024)
def _pieces(sql: str) -> tuple[str, ...]:
    """The pieces of a text between its placeholders."""
    pieces, start = [], 0
    for token in _TOKEN.finditer(sql):
        if token.lastgroup == "placeholder":
            pieces.append(sql[start : token.start()])
            start = token.end()
    return (*pieces, sql[start:])
