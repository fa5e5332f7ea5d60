"""Paths into JSON documents (manual, "JSON Path Syntax")."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, TypeAlias

from chatsim.db.mysql import database_error

__all__ = ["Path", "changed", "found", "has_wildcard", "parsed_path", "without"]

Leg: TypeAlias = str | int | tuple[str, int] | None
"""A step: a key, a number of an array, ``("last", n)`` counted from its end, or a wildcard: ``*``, ``[*]``, ``**``."""

Path: TypeAlias = tuple[Leg, ...]

_KEYS, _CELLS, _DEEP = ("keys", 0), ("cells", 0), ("deep", 0)
_WILDCARDS = (_KEYS, _CELLS, _DEEP)

_LEG = re.compile(
    r"""\s*(?: \.\s*(?: (?P<key>[^\W\d][\w$]*|\$[\w$]*) | "(?P<quoted>(?:[^"\\]|\\.)*)" | (?P<keys>\*) )
      | \[\s*(?: (?P<cell>\d+) | (?P<cells>\*) | last (?:\s*-\s*(?P<from_last>\d+))? )\s*\]
      | (?P<deep>\*\*) )\s*""",
    re.VERBOSE,
)


def parsed_path(text: str) -> Path:
    """The steps of a path. Raises a `DatabaseError` (3143)."""
    path, at = text.strip(), 1
    legs: list[Leg] = []
    while path.startswith("$") and at < len(path):
        found_leg = _LEG.match(path, at)
        if found_leg is None:
            break
        at = found_leg.end()
        legs.append(_leg(found_leg))
    if not path.startswith("$") or at < len(path) or legs[-1:] == [_DEEP]:
        message = f"Invalid JSON path expression. The error is around character position {min(at, len(path))}."
        raise database_error(3143, message)
    return tuple(legs)


def _leg(found_leg: re.Match[str]) -> Leg:
    if found_leg["key"] is not None:
        return found_leg["key"]
    if found_leg["quoted"] is not None:
        return str(json.loads(f'"{found_leg["quoted"]}"'))
    if found_leg["cell"] is not None:
        return int(found_leg["cell"])
    for name, leg in (("keys", _KEYS), ("cells", _CELLS), ("deep", _DEEP)):
        if found_leg[name] is not None:
            return leg
    return ("last", int(found_leg["from_last"] or 0))


def has_wildcard(path: Path) -> bool:
    """Whether a path may lead to several values."""
    return any(leg in _WILDCARDS for leg in path)


def found(document: Any, path: Path) -> list[Any]:
    """The values to which a path leads."""
    if not path:
        return [document]
    leg, rest = path[0], path[1:]
    if leg == _DEEP:
        inner = list(document.values()) if isinstance(document, dict) else document
        below = [each for part in inner for each in found(part, path)] if isinstance(document, dict | list) else []
        return [*found(document, rest), *below]
    return [each for part in _next(document, leg) for each in found(part, rest)]


def _next(document: Any, leg: Leg) -> Sequence[Any]:
    if isinstance(leg, str):
        return [document[leg]] if isinstance(document, dict) and leg in document else []
    if leg == _KEYS:
        return list(document.values()) if isinstance(document, dict) else []
    if leg == _CELLS:
        return document if isinstance(document, list) else []
    cells = document if isinstance(document, list) else [document]
    at = _cell(leg, cells)
    return [cells[at]] if 0 <= at < len(cells) else []


def _cell(leg: Leg, cells: Sequence[Any]) -> int:
    return leg if isinstance(leg, int) else len(cells) - 1 - leg[1] if isinstance(leg, tuple) else -1


def changed(document: Any, path: Path, value: Any, *, inserts: bool, replaces: bool) -> Any:
    """A document with a value at a path, where there is one (``replaces``) or where there is none (``inserts``)."""
    if not path:
        return value if replaces else document
    leg, rest = path[0], path[1:]
    if isinstance(leg, str):
        if not isinstance(document, dict) or (leg not in document and (rest or not inserts)):
            return document
        inner = changed(document[leg], rest, value, inserts=inserts, replaces=replaces) if leg in document else value
        return {**document, leg: inner}
    cells = document if isinstance(document, list) else [document]
    at = _cell(leg, cells)
    if 0 <= at < len(cells):
        inner = changed(cells[at], rest, value, inserts=inserts, replaces=replaces)
        return [*cells[:at], inner, *cells[at + 1 :]] if isinstance(document, list) else inner
    if rest or not inserts:
        return document
    return [value, *cells] if at < 0 else [*cells, value]


def without(document: Any, path: Path) -> Any:
    """A document without what is at a path."""
    leg, rest = path[0], path[1:]
    if isinstance(leg, str):
        if not isinstance(document, dict) or leg not in document:
            return document
        if rest:
            return {**document, leg: without(document[leg], rest)}
        return {key: inner for key, inner in document.items() if key != leg}
    if not isinstance(document, list):
        return document
    at = _cell(leg, document)
    if not 0 <= at < len(document):
        return document
    return [*document[:at], *([without(document[at], rest)] if rest else []), *document[at + 1 :]]
