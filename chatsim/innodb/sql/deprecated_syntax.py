"""The warnings of statements about what the server will not have for ever, as its parser gives them.

Definitions of tables have warnings of their own (`chatsim.innodb.sql.ddl.deprecations`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from sqlglot.tokenizer_core import Token, TokenType

__all__ = ["deprecated_syntax"]

_MARKS = re.compile(
    r":=|&&|\|\||!(?!=)|\b(?:BINARY|FOUND_ROWS|SQL_CALC_FOUND_ROWS|SQL_NO_CACHE|INTO|DUPLICATE)\b", re.IGNORECASE
)
"""What may be one of them: most texts have none, and their tokens are not looked at."""

_GONE = "is deprecated and will be removed in a future release."
_ASSIGNMENT = (
    f"Setting user variables within expressions {_GONE}"
    " Consider alternatives: 'SET variable=expression, ...', or 'SELECT expression(s) INTO variables(s)'."
)
_VALUES = (
    "'VALUES function' is deprecated and will be removed in a future release. Please use an alias (INSERT INTO ..."
    " VALUES (...) AS alias) and replace VALUES(col) in the ON DUPLICATE KEY UPDATE clause with alias.col instead"
)
_INNER_INTO = (
    "The INTO clause is deprecated inside query blocks of query expressions and will be removed in a future release."
    " Please move the INTO clause to the end of statement instead."
)
_WORDS = {
    ":=": (1287, _ASSIGNMENT),
    "BINARY": (1287, f"'BINARY expr' {_GONE} Please use CAST instead"),
    "FOUND_ROWS": (1287, f"FOUND_ROWS() {_GONE} Consider using COUNT(*) instead."),
    "VALUES": (1287, _VALUES),
    "&&": (1287, f"'&&' {_GONE} Please use AND instead"),
    "||": (1287, f"'|| as a synonym for OR' {_GONE} Please use OR instead"),
    "!": (1287, f"'!' {_GONE} Please use NOT instead"),
    "SQL_CALC_FOUND_ROWS": (1287, f"SQL_CALC_FOUND_ROWS {_GONE} Consider using two separate queries instead."),
    "SQL_NO_CACHE": (1681, f"'SQL_NO_CACHE' {_GONE}"),
}
_QUERIES = ("SELECT", "WITH", "TABLE", "VALUES", "(", "UPDATE", "DELETE", "INSERT", "REPLACE", "SET", "DO", "EXPLAIN")


def deprecated_syntax(tokens: Sequence[Token], text: str) -> tuple[tuple[int, str], ...]:
    """The warnings of a statement, in the order of its text.

    Args:
        tokens: of the statement.
        text: the statement.
    """
    if _MARKS.search(text) is None or tokens[0].text.upper() not in _QUERIES:
        return ()
    return tuple(_found(tokens))


def _found(tokens: Sequence[Token]) -> Iterator[tuple[int, str]]:
    is_set = tokens[0].text.upper() == "SET"
    depth = 0
    for at, token in enumerate(tokens):
        if token.token_type in (TokenType.STRING, TokenType.IDENTIFIER):
            continue
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        word = token.text.upper()
        if word not in _WORDS or (word == ":=" and is_set and not depth):
            continue  # SET @name := … is the statement itself
        if word not in _USES or _USES[word](tokens, at):
            yield _WORDS[word]
    if _has_inner_into(tokens):
        yield 3962, _INNER_INTO


def _is_operator(tokens: Sequence[Token], at: int) -> bool:
    """Whether BINARY is the operator, and not the type of CAST or CONVERT, nor names a character set or a collation."""
    behind = [each.text for each in tokens[at + 1 : at + 3]]
    if not behind or behind[0] in (")", ",") or (behind[0] == "(" and behind[-1].isdigit()):
        return False
    return tokens[at - 1].text.upper() not in ("AS", "USING", "SET", "CHARSET", "COLLATE", "NAMES")


def _is_call(tokens: Sequence[Token], at: int) -> bool:
    return at + 1 < len(tokens) and tokens[at + 1].text == "("


def _is_function(tokens: Sequence[Token], at: int) -> bool:
    """Whether VALUES is the function, which only ON DUPLICATE KEY UPDATE may use."""
    return _is_call(tokens, at) and any(each.text.upper() == "DUPLICATE" for each in tokens[:at])


_USES: dict[str, Callable[[Sequence[Token], int], bool]] = {
    "BINARY": _is_operator,
    "FOUND_ROWS": _is_call,
    "VALUES": _is_function,
}
"""Whether a word that has several meanings is meant."""


def _has_inner_into(tokens: Sequence[Token]) -> bool:
    """Whether INTO stands between the tables and the locking clause of a SELECT."""
    words = [each.text.upper() for each in tokens if each.token_type not in (TokenType.STRING, TokenType.IDENTIFIER)]
    if words[0] != "SELECT" or "FROM" not in words or "INTO" not in words:
        return False
    into = words.index("INTO")
    return words.index("FROM") < into and any(each in ("FOR", "LOCK") for each in words[into:])
