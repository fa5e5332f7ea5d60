"""What a statement knows that waits, or that others may overtake: the variables of its coroutines.

A coroutine can't be copied, but it can be looked at: where it is, its local variables, and what it has put aside, such
as the iterators of its loops. Two statements for which all of this is equal go on alike. What they have met on their
way, and do not remember, makes no difference; so states that differ only in that are merged.

Objects of the modelled server have names that mean the same in every execution, as records by their places. What a
statement has been prepared to does not change while it runs, and its parts are numbered. All other objects are walked
through. Where something is of a kind that nobody has thought of, nothing is said about the statement.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Iterable, Mapping
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from functools import cache, partial
from types import (
    BuiltinFunctionType,
    CellType,
    CodeType,
    CoroutineType,
    FrameType,
    FunctionType,
    GeneratorType,
    MethodType,
)
from typing import Any

from chatsim.innodb.server.prepared import PreparedStatement, StatementCache
from chatsim.innodb.storage.structures import Index, Record, RecordLock, TableLock, Transaction
from chatsim.innodb.storage.tables import Table

__all__ = ["Plans", "UnknownPartError", "knowledge"]

_PLAIN = frozenset((int, str, bytes, float, bool, type(None)))
_ITERATED: tuple[Any, ...] = ((), [], {}, {}.values(), {}.items(), "", range(1))
_ITERATORS: tuple[type, ...] = (*{type(iter(each)) for each in _ITERATED}, enumerate, zip)
_VALUES = (date, time, timedelta, Decimal)
_OF_THE_LOOP = (asyncio.Task, asyncio.Handle, asyncio.AbstractEventLoop)
_OF_THE_SERVER = (Index, Record, RecordLock, TableLock, Table, Transaction)
_WALKED = (
    "chatsim.innodb.sql.",
    "chatsim.innodb.storage.",
    "chatsim.innodb.server.process",
    "contextlib",
    "asyncio.timeouts",
)
"""The modules whose objects are walked through."""
_CODE = ("/chatsim/innodb/sql/", "/chatsim/innodb/storage/", "/chatsim/innodb/server/session.py", "/asyncio/")
_CODE_AROUND = ("/contextlib.py", "/chatsim/innodb/server/process.py", "/chatsim/exploration/")
"""The files whose coroutines are looked at. Those of other locks keep the numbers of sessions, which mean nothing."""


class UnknownPartError(Exception):
    """A coroutine refers to something of a kind that nobody has thought of."""


class Plans:
    """What the statements of a server have been prepared to, with a number for each part of them.

    Args:
        cache: the server's statements.
    """

    def __init__(self, cache: StatementCache) -> None:
        self._cache = cache
        self._generation = cache.generation
        self._parts: dict[str, dict[int, int]] = {}
        self._kept: list[object] = []  # so that nothing else gets their ids

    def parts(self, sql: str) -> Mapping[int, int]:
        """The numbers of the parts of the statements of a text, by their ids."""
        if self._generation != self._cache.generation:
            self._generation = self._cache.generation
            self._parts.clear()
            self._kept.clear()
        found = self._parts.get(sql)
        if found is None:
            found = self._parts[sql] = {}
            for each in self._cache.prepare(sql):
                self._number(each, found)
        return found

    def _number(self, prepared: PreparedStatement, parts: dict[int, int]) -> None:
        left: list[object] = [prepared.bound, prepared]
        while left:
            value = left.pop()
            inner = _parts_of(value)
            if inner is not None and id(value) not in parts:
                parts[id(value)] = len(parts)
                self._kept.append(value)
                left += inner


def _parts_of(value: object) -> Iterable[object] | None:
    """What a part of a prepared statement is made of; None if it is known by itself."""
    if type(value) in _PLAIN or isinstance(value, (*_OF_THE_SERVER, Enum, type)):
        return None
    found: Iterable[object] = ()
    if isinstance(value, list | tuple | set | frozenset):
        found = value
    elif isinstance(value, Mapping):
        found = (*value.keys(), *value.values())
    elif isinstance(value, FunctionType):
        found = _closed_over(value)
    elif isinstance(value, MethodType):
        found = (value.__self__,)
    elif isinstance(value, partial):
        found = (value.func, value.args, value.keywords)
    elif not isinstance(value, PreparedStatement) and type(value).__module__.startswith(_WALKED):
        found = [each for _, each in _attributes(value)]
    return found


def _attributes(value: object) -> list[tuple[str, object]]:
    names = [name for each in type(value).__mro__ for name in getattr(each, "__slots__", ())]
    slots = [(name, getattr(value, name)) for name in names if hasattr(value, name)]
    return [*slots, *getattr(value, "__dict__", {}).items()]


@cache
def _is_looked_at(filename: str) -> bool:
    return any(each in filename for each in (*_CODE, *_CODE_AROUND))


def _closed_over(function: FunctionType) -> list[object]:
    cells = [_held(each) for each in function.__closure__ or ()]
    return [*cells, *(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]


def _held(cell: CellType) -> object:
    """The value of a variable that functions share; None before it has one."""
    try:
        return cell.cell_contents
    except ValueError:
        return None


def knowledge(statement: object, parts: Mapping[int, int], name: Callable[[object], Any]) -> Any:
    """What a statement knows, as nested tuples of plain values.

    Args:
        statement: its coroutine.
        parts: the parts of what it has been prepared to (`Plans`).
        name: gives the name of an object of the server. Raises `UnknownPartError`; returns None for other objects.

    Raises:
        UnknownPartError: there is something in it of a kind that nobody has thought of.
    """
    return _Walk(parts, name).of(statement)


class _Walk:
    def __init__(self, parts: Mapping[int, int], name: Callable[[object], Any]) -> None:
        self._parts = parts
        self._name = name
        self._met: dict[int, int] = {}
        self._kept: list[object] = []

    def of(self, value: Any) -> Any:
        kind = type(value)
        if kind in _PLAIN:
            return value
        if kind is tuple:
            return tuple(map(self.of, value))
        number = self._parts.get(id(value))
        if number is not None:
            return ("part", number)
        if (name := self._name(value)) is not None:
            return name
        again = self._met.get(id(value))
        if again is not None:
            return ("again", again)
        self._met[id(value)] = len(self._met)
        self._kept.append(value)
        return (kind.__name__, self._inside(kind, value))

    def _inside(self, kind: type, value: Any) -> Any:
        inside = _INSIDE.get(kind)
        return self._object(kind, value) if inside is None else inside(self, value)

    def _items(self, value: Any) -> Any:
        return tuple(map(self.of, value))

    def _set(self, value: Any) -> Any:
        return tuple(sorted(map(self.of, value), key=repr))

    def _dict(self, value: Any) -> Any:
        return tuple((self.of(key), self.of(each)) for key, each in value.items())

    def _cell(self, cell: CellType) -> Any:
        return self.of(_held(cell))

    def _function(self, function: FunctionType) -> Any:
        shared = tuple(map(self.of, _closed_over(function)))
        return (function.__qualname__, function.__code__.co_firstlineno, shared)

    def _method(self, method: MethodType) -> Any:
        return (method.__name__, self.of(method.__self__))

    def _builtin(self, function: BuiltinFunctionType) -> Any:
        return function.__qualname__

    def _partial(self, value: Any) -> Any:
        return (self.of(value.func), self.of(value.args), self.of(value.keywords))

    def _iterator(self, value: Any) -> Any:
        return self.of(value.__reduce__())

    def _coroutine(self, value: Any) -> Any:
        return self._frame(value, value.cr_code, value.cr_frame)

    def _generator(self, value: Any) -> Any:
        return self._frame(value, value.gi_code, value.gi_frame)

    def _object(self, kind: type, value: Any) -> Any:
        found: Any = None
        if isinstance(value, type):
            found = value.__qualname__
        elif isinstance(value, Enum):
            found = value.name
        elif isinstance(value, _VALUES):
            found = repr(value)
        elif isinstance(value, _OF_THE_LOOP) or kind.__module__.startswith("chatsim.exploration."):
            pass  # the loop and the callers' ends have nothing that is the statement's
        elif isinstance(value, asyncio.Future):
            found = self._future(value)
        elif isinstance(value, BaseException):
            found = (self.of(value.args), self.of(dict(vars(value))))
        elif kind.__module__ == "_asyncio":  # what a coroutine awaits: it leads to the future
            found = self._items(each for each in gc.get_referents(value) if isinstance(each, asyncio.Future))
        elif kind.__module__.startswith(_WALKED):
            found = tuple((name, self.of(each)) for name, each in _attributes(value))
        else:
            raise UnknownPartError(kind)
        return found

    def _future(self, future: asyncio.Future[Any]) -> Any:
        if not future.done() or future.cancelled():
            return (future.done(),)
        error = future.exception()
        return (True, self.of(error) if error is not None else self.of(future.result()))

    def _frame(self, whose: object, code: CodeType, frame: FrameType | None) -> Any:
        if frame is None:
            return code.co_qualname
        if not _is_looked_at(code.co_filename):
            raise UnknownPartError(code.co_qualname)
        shown = frame.f_locals  # a copy, which may be kept by the frame
        values = [
            self.of(each)
            for each in gc.get_referents(whose)  # the local variables, and behind them what is on the stack
            if each is not shown
            and type(each) not in (CodeType, FrameType)
            and not (type(each) is FunctionType and each.__code__ is code)
        ]
        return (code.co_qualname, code.co_firstlineno, frame.f_lasti, tuple(shown), tuple(values))


_INSIDE: Mapping[type, Callable[[Any, Any], Any]] = {
    list: _Walk._items,  # noqa: SLF001 - of this module
    dict: _Walk._dict,  # noqa: SLF001
    set: _Walk._set,  # noqa: SLF001
    frozenset: _Walk._set,  # noqa: SLF001
    CellType: _Walk._cell,  # noqa: SLF001
    FunctionType: _Walk._function,  # noqa: SLF001
    MethodType: _Walk._method,  # noqa: SLF001
    BuiltinFunctionType: _Walk._builtin,  # noqa: SLF001
    partial: _Walk._partial,  # noqa: SLF001
    CoroutineType: _Walk._coroutine,  # noqa: SLF001
    GeneratorType: _Walk._generator,  # noqa: SLF001
    **dict.fromkeys(_ITERATORS, _Walk._iterator),  # noqa: SLF001
}
"""How to look into the objects of each kind that Python itself has."""
