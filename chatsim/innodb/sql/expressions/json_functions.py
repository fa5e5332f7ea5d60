"""Functions of JSON documents: manual, "JSON Functions"."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Any

from sqlglot import exp

from chatsim.db.mysql import database_error
from chatsim.innodb.sql.expressions.environment import Env, Function
from chatsim.innodb.sql.expressions.json_paths import Path, changed, found, has_wildcard, parsed_path, without
from chatsim.innodb.sql.expressions.native import NATIVE, native
from chatsim.innodb.sql.expressions.scope import Scope, compiled
from chatsim.innodb.storage.column_types import BadValueError
from chatsim.innodb.storage.column_types.documents import Json, document
from chatsim.innodb.storage.values import Document, Value, as_text

__all__ = ["TRUTHS", "Truth", "as_document", "json_value", "member_of"]


TRUTHS = (exp.Boolean, exp.Predicate, exp.Not)
"""The expressions whose values are truth values."""


class Truth(int):
    """A truth value among the arguments of a function, which is ``true`` or ``false`` in a document."""

    __slots__ = ()


def json_value(value: Value) -> Any:
    """An SQL value as a part of a document: a text is a string there, a document is itself."""
    match value:
        case Document():
            return json.loads(value)
        case Truth():
            return bool(value)
        case bytes():
            raise database_error(3144, "Cannot create a JSON value from a string with CHARACTER SET 'binary'.")
        case timedelta():
            return as_text(value)
        case date():
            return str(value)
    return value


def as_document(value: Value, function: str, number: int = 1) -> Any:
    """An argument that has to be a document. Raises a `DatabaseError` (3141, 3146)."""
    if not isinstance(value, str):
        message = f"Invalid data type for JSON data in argument {number} to function {function}"
        raise database_error(3146, f"{message}; a JSON string or JSON type is required.")
    try:
        return json.loads(Json(0).store(value))  # type: ignore[arg-type]
    except BadValueError as error:
        reason = str(error.args[1]).removeprefix("Invalid JSON text: ")
        message = f"Invalid JSON text in argument {number} to function {function}: {reason}."
        raise database_error(3141, message) from None


def _path(value: Value) -> Path:
    return parsed_path(as_text(value))


def _definite(value: Value) -> Path:
    path = _path(value)
    if has_wildcard(path):
        message = "In this situation, path expressions may not contain the * and ** tokens or an array range."
        raise database_error(3149, message)
    return path


@native("JSON_EXTRACT", signature="vv*", result="document")
def _extract(_: Env, value: Value, *paths: Value) -> Value:
    tree = as_document(value, "json_extract")
    ways = [_path(each) for each in paths]
    values = [each for way in ways for each in found(tree, way)]
    if not values:
        return None
    return document(values if len(ways) > 1 or has_wildcard(ways[0]) else values[0])


@native("JSON_UNQUOTE", signature="v", result="text")
def _unquote(_: Env, value: Value) -> Value:
    text = as_text(value)
    if len(text) > 1 and text[0] == text[-1] == '"':
        inner = json.loads(text)
        return inner if isinstance(inner, str) else text
    return str(text)


def _changing(name: str, *, inserts: bool, replaces: bool) -> None:
    def value(_: Env, given: Value, *pairs: Value) -> Value:
        if len(pairs) % 2:
            raise database_error(1582, f"Incorrect parameter count in the call to native function '{name}'")
        if given is None or None in pairs[::2]:
            return None
        tree = as_document(given, name.lower())
        for path, new in zip(pairs[::2], pairs[1::2], strict=True):
            tree = changed(tree, _definite(path), json_value(new), inserts=inserts, replaces=replaces)
        return document(tree)

    native(name, signature="vvv*", result="document", takes_nulls=True)(value)


_changing("JSON_SET", inserts=True, replaces=True)
_changing("JSON_INSERT", inserts=True, replaces=False)
_changing("JSON_REPLACE", inserts=False, replaces=True)


@native("JSON_REMOVE", signature="vv*", result="document")
def _remove(_: Env, value: Value, *paths: Value) -> Value:
    tree = as_document(value, "json_remove")
    for each in paths:
        path = _definite(each)
        if not path:
            raise database_error(3153, "The path expression '$' is not allowed in this context.")
        tree = without(tree, path)
    return document(tree)


@native("JSON_ARRAY_APPEND", signature="vvv*", result="document", takes_nulls=True)
def _array_append(_: Env, value: Value, *pairs: Value) -> Value:
    if value is None or None in pairs[::2]:
        return None
    tree = as_document(value, "json_array_append")
    for path, new in zip(map(_definite, pairs[::2]), pairs[1::2], strict=True):
        for cells in found(tree, path):
            longer = [*(cells if isinstance(cells, list) else [cells]), json_value(new)]
            tree = changed(tree, path, longer, inserts=False, replaces=True)
    return document(tree)


@native("JSON_OBJECT", signature="|v*", result="document", takes_nulls=True)
def _object(_: Env, *pairs: Value) -> Value:
    if len(pairs) % 2:
        raise database_error(1582, "Incorrect parameter count in the call to native function 'JSON_OBJECT'")
    if None in pairs[::2]:
        raise database_error(3158, "JSON documents may not contain NULL member names.")
    keys = [as_text(each) for each in pairs[::2]]
    return document(dict(zip(keys, map(json_value, pairs[1::2]), strict=True)))


@native("JSON_ARRAY", signature="|v*", result="document", takes_nulls=True)
def _array(_: Env, *values: Value) -> Value:
    return document([json_value(each) for each in values])


@native("JSON_QUOTE", signature="t", result="text")
def _quote(_: Env, text: str) -> Value:
    return json.dumps(text, ensure_ascii=False)


@native("JSON_VALID", signature="v", result="integer")
def _valid(_: Env, value: Value) -> Value:
    try:
        Json(0).store(value)
    except BadValueError:
        return 0
    return 1


def _at(value: Value, path: Value, function: str) -> tuple[bool, Any]:
    """Whether there is something at a path, and what."""
    values = found(as_document(value, function), _definite(path))
    return bool(values), values[0] if values else None


@native("JSON_LENGTH", signature="v|v", result="integer")
def _json_length(_: Env, value: Value, path: Value = "$") -> Value:
    there, part = _at(value, path, "json_length")
    return (len(part) if isinstance(part, list | dict) else 1) if there else None


@native("JSON_DEPTH", signature="v", result="integer")
def _depth(_: Env, value: Value) -> Value:
    def depth(part: Any) -> int:
        inner = part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
        return 1 + max((depth(each) for each in inner), default=0)

    return depth(as_document(value, "json_depth"))


_TYPES = {
    dict: "OBJECT",
    list: "ARRAY",
    str: "STRING",
    bool: "BOOLEAN",
    int: "INTEGER",
    float: "DOUBLE",
    type(None): "NULL",
}


@native("JSON_TYPE", signature="v", result="text")
def _type(_: Env, value: Value) -> Value:
    return _TYPES[type(as_document(value, "json_type"))]


@native("JSON_KEYS", signature="v|v", result="document")
def _keys(_: Env, value: Value, path: Value = "$") -> Value:
    part = _at(value, path, "json_keys")[1]
    return document(list(json.loads(document(part)))) if isinstance(part, dict) else None


def _are_equal(one: Any, other: Any) -> bool:
    """Whether two parts of documents are equal: true and false are no numbers."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_are_equal, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_are_equal(one[key], other[key]) for key in one)
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def _contains(whole: Any, part: Any) -> bool:
    if isinstance(whole, list):
        wanted = part if isinstance(part, list) else [part]
        return all(any(_contains(each, one) for each in whole) for one in wanted)
    if isinstance(whole, dict):
        return isinstance(part, dict) and all(key in whole and _contains(whole[key], part[key]) for key in part)
    return _are_equal(whole, part)


@native("JSON_CONTAINS", signature="vv|v", result="integer")
def _json_contains(_: Env, value: Value, part: Value, path: Value = "$") -> Value:
    wanted = as_document(part, "json_contains", 2)
    there, whole = _at(value, path, "json_contains")
    return int(_contains(whole, wanted)) if there else None


@native("JSON_OVERLAPS", signature="vv", result="integer")
def _overlaps(_: Env, one: Value, other: Value) -> Value:
    left, right = as_document(one, "json_overlaps"), as_document(other, "json_overlaps", 2)
    if isinstance(left, dict) and isinstance(right, dict):
        return int(any(key in right and _are_equal(right[key], left[key]) for key in left))
    cells = [each if isinstance(each, list) else [each] for each in (left, right)]
    return int(any(_are_equal(each, part) for each in cells[1] for part in cells[0]))


@native("JSON_CONTAINS_PATH", signature="vtv*", result="integer")
def _contains_path(_: Env, value: Value, how: str, *paths: Value) -> Value:
    tree = as_document(value, "json_contains_path")
    if how.lower() not in ("one", "all"):
        raise database_error(3154, "The oneOrAll argument to json_contains_path may take these values: 'one' or 'all'.")
    holds = any if how.lower() == "one" else all
    return int(holds(bool(found(tree, _path(each))) for each in paths))


@native("JSON_MERGE_PATCH", signature="vv*", result="document")
def _merge_patch(_: Env, *values: Value) -> Value:
    def merged(one: Any, other: Any) -> Any:
        if not isinstance(other, dict):
            return other
        base = one if isinstance(one, dict) else {}
        kept = {key: inner for key, inner in base.items() if key not in other}
        return kept | {key: merged(base.get(key), inner) for key, inner in other.items() if inner is not None}

    return _merged(values, "json_merge_patch", merged)


@native("JSON_MERGE_PRESERVE", "JSON_MERGE", signature="vv*", result="document")
def _merge_preserve(_: Env, *values: Value) -> Value:
    def merged(one: Any, other: Any) -> Any:
        if isinstance(one, dict) and isinstance(other, dict):
            both = {key: merged(one[key], other[key]) for key in one if key in other}
            return one | other | both
        return [each for part in (one, other) for each in (part if isinstance(part, list) else [part])]

    return _merged(values, "json_merge_preserve", merged)


def _merged(values: tuple[Value, ...], function: str, merge: Callable[[Any, Any], Any]) -> Value:
    first, *others = [as_document(each, function, at + 1) for at, each in enumerate(values)]
    for each in others:
        first = merge(first, each)
    return document(first)


@native("JSON_SEARCH", signature="vtt", result="document")
def _search(_: Env, value: Value, how: str, wanted: str) -> Value:
    def places(part: Any, path: str) -> Iterator[str]:
        if isinstance(part, str) and part == wanted:
            yield path
        inner = part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ()
        for key, each in inner:
            yield from places(each, f"{path}.{key}" if isinstance(part, dict) else f"{path}[{key}]")

    all_places = list(places(as_document(value, "json_search"), "$"))
    if "%" in wanted or "_" in wanted:
        raise NotImplementedError("the model's SQL has no wildcards in JSON_SEARCH()")
    if not all_places:
        return None
    return document(all_places[0] if how.lower() == "one" or len(all_places) == 1 else all_places)


@compiled.register(exp.JSONExtract | exp.JSONExtractScalar)
def _arrow(node: exp.JSONExtract | exp.JSONExtractScalar, scope: Scope) -> Function:
    inner, path = scope.compile(node.this), node.expression.sql("mysql").strip("'")

    def value(env: Env) -> Value:
        got = NATIVE["JSON_EXTRACT"].call(env, [inner(env), path])
        return got if got is None or isinstance(node, exp.JSONExtract) else _unquote(env, got)

    return value


def member_of(node: exp.JSONArrayContains, scope: Scope) -> Function:
    """MEMBER OF: whether an element equals a value."""
    inner, array, is_truth = scope.compile(node.this), scope.compile(node.expression), isinstance(node.this, TRUTHS)

    def value(env: Env) -> Value:
        wanted, cells = inner(env), array(env)
        if is_truth and wanted is not None:
            wanted = Truth(wanted)
        if wanted is None or cells is None:
            return None
        tree = as_document(cells, "member of", 2)
        part = json_value(wanted)
        return int(any(_are_equal(each, part) for each in (tree if isinstance(tree, list) else [tree])))

    return value
