"""JSON_ARRAYAGG and JSON_OBJECTAGG: manual, "Aggregate Function Descriptions"."""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from chatsim.db.mysql import database_error
from chatsim.innodb.sql.expressions import Env, Scope
from chatsim.innodb.sql.expressions.json_functions import json_value
from chatsim.innodb.storage.column_types.documents import document
from chatsim.innodb.storage.values import Value, as_text

__all__ = ["JsonArray", "JsonObject"]


class JsonArray:
    """JSON_ARRAYAGG: the values of a group, NULL among them."""

    def __init__(self, node: exp.JSONArrayAgg, scope: Scope) -> None:
        self._value = scope.compile(node.this)

    def start(self) -> Any:
        """The state before the first row of a group."""
        return ()

    def add(self, state: Any, env: Env) -> Any:
        """The state with the current row."""
        return (*state, json_value(self._value(env)))

    def end(self, state: Any) -> Value:
        """The value for a group; NULL without a row."""
        return document(list(state)) if state else None


class JsonObject:
    """JSON_OBJECTAGG: an object of names and values, of which the last one of a name is kept."""

    def __init__(self, node: exp.JSONObjectAgg, scope: Scope) -> None:
        if len(node.expressions) != 2:
            raise database_error(1064, "You have an error in your SQL syntax: JSON_OBJECTAGG takes a name and a value")
        self._name, self._value = (scope.compile(each) for each in node.expressions)

    def start(self) -> Any:
        """The state before the first row of a group."""
        return {}

    def add(self, state: Any, env: Env) -> Any:
        """The state with the current row. Raises a `DatabaseError` (3158) for a name that is NULL."""
        name = self._name(env)
        if name is None:
            raise database_error(3158, "JSON documents may not contain NULL member names.")
        return {**state, as_text(name): json_value(self._value(env))}

    def end(self, state: Any) -> Value:
        """The value for a group; NULL without a row."""
        return document(state) if state else None
