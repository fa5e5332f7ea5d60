"""Checkpoints: what a modelled server has between two statements, to which it can be taken back within an execution.

A coroutine can't be copied, but where no statement is under way, all that the server knows is in its objects, and these
can. Where an object is of a kind that nobody has thought of, there is no checkpoint.
"""

from __future__ import annotations

import copy
import itertools
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from functools import cache
from random import Random
from types import FunctionType, MethodType
from typing import Any

from sortedcontainers import SortedDict

from chatsim.db.deadlock import Deadlock
from chatsim.exploration.suspended import UnknownPartError
from chatsim.innodb.server.durability import Durability
from chatsim.innodb.server.engine import Engine
from chatsim.innodb.server.prepared import PreparedStatement
from chatsim.innodb.server.process import Process
from chatsim.innodb.storage.partitions import Partition
from chatsim.innodb.storage.statistics import Statistics
from chatsim.innodb.storage.structures import Index, Record, TableLocks, Version
from chatsim.innodb.storage.tables import Table

__all__ = ["ServerCheckpoint"]

_CHANGED: Mapping[type, tuple[str, ...]] = {
    Engine: (
        *("log", "locks", "user_locks", "metadata_locks", "history", "statements", "examined", "deadlock"),
        *("deadlock_at", "sessions", "opened", "branches", "chance", "schema"),
    ),
    Table: ("next_number", "logged_number", "next_row_id"),
    Index: ("_records", "reads", "made", "pages", "lows", "supremum"),
    Statistics: ("rows", "rows_of", "rows_when_opened", "open", "distinct"),
    TableLocks: ("granted", "auto_inc"),
}
"""What statements change of the objects that prepared statements refer to, so that these objects stay."""

_SHARED = (
    *(int, float, bool, str, bytes, type(None), date, time, timedelta, Decimal, Enum, type, FunctionType),
    *(Deadlock, Durability, PreparedStatement, Process, Partition),
)
"""What does not change while no statement is under way and no table is defined."""

_COPIED = (
    "chatsim.db.commits",
    "chatsim.innodb.server.commit_log",
    "chatsim.innodb.server.interruption",
    "chatsim.innodb.server.metadata_locks",
    "chatsim.innodb.server.session",
    "chatsim.innodb.server.user_level_locks",
    "chatsim.innodb.storage.lock_wait",
    "chatsim.innodb.storage.locks",
    "chatsim.innodb.storage.purge",
    "chatsim.innodb.storage.structures",
)
"""The modules whose objects are copied, with their attributes."""

_REPLACED: Mapping[type, tuple[str, ...]] = {
    Record: ("row", "key", "index"),
    Version: ("row",),
    Statistics: ("distinct",),
}
"""The attributes that are replaced, and never changed themselves."""


class ServerCheckpoint:
    """What a server has.

    Args:
        engine: the server, on which no statement is under way, and no table has been defined since the last rewinding.

    Raises:
        UnknownPartError: it has something of a kind that nobody has thought of.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        places = [engine, *_places(engine)]
        copying = _Copying(places)
        changed = ((each, [(name, getattr(each, name)) for name in _CHANGED[type(each)]]) for each in places)
        self._kept = [(each, copying.attributes(each, attributes)) for each, attributes in changed]
        copying.finish()

    def restore(self) -> Engine:
        """Take the server back to it. Sessions that were opened meanwhile are forgotten."""
        copying = _Copying([each for each, _ in self._kept])
        for place, attributes in self._kept:
            for name, value in copying.attributes(place, attributes):
                setattr(place, name, value)
        copying.finish()
        return self._engine


def _places(engine: Engine) -> Iterator[Any]:
    for table in engine.tables.values():
        yield from (table, table.statistics, table.locks, *table.stored)
        yield from (each.locks for each in table.partitions)


class _Copying:
    """Makes copies of objects that refer to each other.

    Args:
        places: the objects that stay what they are.
    """

    def __init__(self, places: Sequence[object]) -> None:
        self._copies: dict[int, Any] = {id(each): each for each in places}
        self._left: list[tuple[Any, Any]] = []  # objects whose attributes are to be copied, each with its copy

    def of(self, value: Any) -> Any:
        """The copy of an object. Its attributes are there when `finish` has been called. Raises `UnknownPartError`."""
        kind: Any = type(value)
        how = _how(kind)
        if how is None:
            return value
        found = self._copies.get(id(value))
        if found is None:
            found = how(self, value)
            self._copies[id(value)] = found
        return found

    def attributes(self, owner: object, attributes: Iterable[tuple[str, Any]]) -> list[tuple[str, Any]]:
        """Copies of some attributes of an object, with their names."""
        replaced = _REPLACED.get(type(owner), ())
        return [(name, value if name in replaced else self.of(value)) for name, value in attributes]

    def finish(self) -> None:
        """Copy the attributes of all objects that were met."""
        while self._left:
            value, made = self._left.pop()
            kind: Any = type(value)
            shared = _REPLACED.get(kind, ())
            for name in _slots(kind):
                if hasattr(value, name):
                    each = getattr(value, name)
                    object.__setattr__(made, name, each if name in shared else self.of(each))
            if hasattr(value, "__dict__"):
                vars(made).update((name, self.of(each)) for name, each in vars(value).items())

    def object(self, value: Any) -> Any:
        made = object.__new__(type(value))
        self._left.append((value, made))
        return made

    def items(self, value: Any) -> Any:
        return type(value)(map(self.of, value))

    def mapping(self, value: Any) -> Any:
        return type(value)({self.of(key): self.of(each) for key, each in value.items()})

    def defaults(self, value: Any) -> Any:
        return defaultdict(value.default_factory, self.mapping(dict(value)))

    def by_key(self, value: Any) -> Any:
        return SortedDict(zip(value.keys(), map(self.of, value.values()), strict=True))

    def method(self, value: Any) -> Any:
        return MethodType(value.__func__, self.of(value.__self__))


_HOW: Mapping[type, Callable[[_Copying, Any], Any]] = {
    **dict.fromkeys((list, tuple, set, frozenset, deque), _Copying.items),
    **dict.fromkeys((dict, Counter), _Copying.mapping),
    defaultdict: _Copying.defaults,
    SortedDict: _Copying.by_key,
    MethodType: _Copying.method,
    **dict.fromkeys((Random, itertools.count), lambda _, value: copy.copy(value)),
}
"""How to copy the objects of each kind that Python itself has, and those of libraries."""


@cache
def _how(kind: type) -> Callable[[_Copying, Any], Any] | None:
    """How objects of a kind are copied; None if they are not."""
    if (how := _HOW.get(kind)) is not None:
        return how
    if issubclass(kind, _SHARED):
        return None
    if kind in _CHANGED:
        return _unknown  # it belongs to one session, as a temporary table does
    return _Copying.object if kind.__module__ in _COPIED else _unknown


def _unknown(_: _Copying, value: object) -> Any:
    raise UnknownPartError(type(value))


@cache
def _slots(kind: type) -> tuple[str, ...]:
    return tuple(name for each in kind.__mro__ for name in getattr(each, "__slots__", ()) if name != "__weakref__")
