"""SQL text: where its statements end, and which of its question marks are places for arguments.

The one reader of SQL text for the whole project. It knows what MySQL's lexer knows of quotes and comments (manual,
"String Literals", "Schema Object Names" and "Comment Syntax"): a string in ``'`` or ``"`` ends at a quote that is
neither doubled nor behind a backslash, a name in backticks at a backtick that is not doubled; a comment is ``#`` or
``--`` (with white space or the end of the text behind it) up to the end of the line, or ``/* … */``. Nothing within
them ends a statement or takes an argument. A string or a comment that does not end reaches to the end of the text.
What the server would run of a comment (``/*! … */``) is a comment here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

__all__ = ["fill", "placeholders", "statements"]

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
    """The statements of a text, in order, each without its semicolon and what stands around it: space and comments."""
    found: list[str] = []
    start = end = None
    for token in _TOKEN.finditer(sql):
        if token.lastgroup in ("space", "comment"):
            continue
        if token.lastgroup != "semicolon":
            start, end = token.start() if start is None else start, token.end()
        elif start is not None:
            found.append(sql[start:end])
            start = None
    if start is not None:
        found.append(sql[start:end])
    return tuple(found)


def placeholders(sql: str) -> int:
    """How many arguments a text takes."""
    return len(_pieces(sql)) - 1


def fill(sql: str, literals: Sequence[str]) -> str:
    """A text with a literal in the place of each of its ``?``.

    Raises:
        ValueError: there are more literals than places, or fewer.
    """
    first, *rest = _pieces(sql)
    if len(rest) != len(literals):
        raise ValueError(f"{len(literals)} arguments for {len(rest)} placeholders in: {sql.strip()}")
    return "".join([first, *(part for pair in zip(literals, rest, strict=True) for part in pair)])


@lru_cache(maxsize=1024)
def _pieces(sql: str) -> tuple[str, ...]:
    """A text, cut where its placeholders are."""
    pieces, start = [], 0
    for token in _TOKEN.finditer(sql):
        if token.lastgroup == "placeholder":
            pieces.append(sql[start : token.start()])
            start = token.end()
    return (*pieces, sql[start:])
