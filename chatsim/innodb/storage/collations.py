"""Collations: which texts are equal, and their order (MySQL manual, "Character Sets, Collations, Unicode").

The Unicode collations order ASCII as the server does; other characters by their base letters. Contractions and the
rules of single languages are not modelled: such collations are refused by their names. Those of latin1 are exact.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from chatsim.innodb.storage.latin1 import LATIN1_WEIGHTS

__all__ = ["CONNECTION", "DEFAULT", "Collation", "collate", "collation_named"]

_CONTROLS = [*range(1, 9), *range(14, 32), 127, *range(9, 14)]
_UNICODE_ORDER = "".join(map(chr, _CONTROLS)) + " _-,;:!?.'\"()[]{}@*/\\&#%`^+<=>|~$"
_UNICODE: Final = str.maketrans({each: chr(at) for at, each in enumerate(_UNICODE_ORDER)})
"""Punctuation is sorted before the digits, in the order of the Unicode collation algorithm."""


def collate(text: str) -> str:
    """The sort key of a text in ``utf8mb4_0900_ai_ci``: equal texts have the same key."""
    if text.isascii():
        return text.lower() if text.isalnum() else text.lower().translate(_UNICODE)
    return _without_accents(text).casefold().translate(_UNICODE)


def _without_accents(text: str) -> str:
    return "".join(each for each in unicodedata.normalize("NFD", text) if not unicodedata.combining(each))


def _accented(text: str) -> str:
    """Without case, but with accents."""
    return text.casefold().translate(_UNICODE)


def _with_case(text: str) -> tuple[str, str, str]:
    """By letters, then by accents, then lower case before upper case."""
    return collate(text), _accented(text), text.swapcase()


def _general(text: str) -> str:
    """By the codes of the capital letters, each without its accent."""
    if text.isascii():
        return text.upper()
    return "".join(each.upper() if len(each.upper()) == 1 else "S" for each in _without_accents(text))


@dataclass(frozen=True)
class Collation:
    """A collation.

    Attributes:
        name: its name.
        charset: its character set.
        key: the sort key of a text: equal texts have equal keys.
        binary: whether it compares code points.
        padded: whether it ignores spaces at the end (PAD SPACE).
        folds: whether the keys are texts of as many characters as the texts, as LIKE needs them.
    """

    name: str
    charset: str
    key: Callable[[str], object] = field(repr=False)
    binary: bool = False
    padded: bool = True
    folds: bool = True

    def order(self, text: str) -> object:
        """The sort key of a text, without the spaces at its end if they do not count."""
        return self.key(text.rstrip(" ") if self.padded else text)


_KEYS: dict[str, Callable[[str], object]] = {
    "0900_ai_ci": collate,
    "0900_as_ci": _accented,
    "0900_as_cs": _with_case,
    "0900_bin": str,
    "bin": str,
    "general_ci": _general,
    "unicode_ci": collate,
    "unicode_520_ci": collate,
}

_OF_CHARSET: dict[str, tuple[str, ...]] = {
    "utf8mb4": (
        *("0900_ai_ci", "0900_as_ci", "0900_as_cs", "0900_bin", "bin", "general_ci"),
        *("unicode_ci", "unicode_520_ci"),
    ),
    "utf8mb3": ("general_ci", "bin", "unicode_ci", "unicode_520_ci"),
    "latin1": ("swedish_ci", "bin", "general_ci", "general_cs", "german1_ci"),
    "ascii": ("general_ci", "bin"),
}
"""The collations of each character set, the default one first."""


def _latin1(kind: str) -> Callable[[str], object]:
    """The sort keys of a collation of latin1."""
    weights = LATIN1_WEIGHTS.get(kind)
    return str if weights is None else lambda text: text.translate(weights)


@lru_cache
def collation_named(name: str) -> Collation | None:
    """A collation, by its name or by the name of its character set; None if the model does not have it."""
    name = name.lower()
    if name == "binary":
        return Collation(name, name, str, binary=True, padded=False)
    if name == "utf8" or name.startswith("utf8_"):
        name = f"utf8mb3{name.removeprefix('utf8')}"
    charset, _, kind = name.partition("_")
    known = _OF_CHARSET.get(charset, ())
    if not kind and known:
        kind = known[0]
    if kind not in known:
        return None
    binary, key = kind.endswith("bin"), _latin1(kind) if charset == "latin1" else _KEYS[kind]
    return Collation(f"{charset}_{kind}", charset, key, binary, not kind.startswith("0900"), key is not _with_case)


def _known(name: str) -> Collation:
    found = collation_named(name)
    assert found is not None
    return found


DEFAULT: Final = _known("utf8mb4_0900_ai_ci")
"""The collation of tables that declare none."""

CONNECTION: Final = _known("utf8mb4_general_ci")
"""The collation of a connection's literals (``collation_connection``): the one that drivers ask for."""
