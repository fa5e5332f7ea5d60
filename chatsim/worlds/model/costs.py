"""The model's costs, as one typed configuration; the defaults, with their sources, are in ``costs.toml`` beside it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec import inspect

from chatsim.chat.protocol import FROM_CLIENT
from chatsim.simulation.links import Latency, Topology
from chatsim.worlds.world import WorldError

if TYPE_CHECKING:
    import numpy as np

__all__ = [
    "ClientCosts",
    "DatabaseCosts",
    "FilesCosts",
    "MachineCosts",
    "ModelCosts",
    "NodeCosts",
    "RedisCosts",
    "StoreCosts",
    "defaults",
]

_DEFAULTS = Path(__file__).with_name("costs.toml")
_NAMES = {message.__name__: number for number, message in FROM_CLIENT.items()}


def defaults() -> str:
    """The text of the file with the default costs and their sources, a template for one's own."""
    return _DEFAULTS.read_text(encoding="utf-8")


class MachineCosts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The one machine that everything shares: its cores, or 0 if everything has a machine of its own."""

    cores: int

    def __post_init__(self) -> None:
        if self.cores < 0:
            raise ValueError(f"cores is {self.cores}; it must be at least 0")


class ClientCosts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A caller straight on the database, and, if everything shares one machine, also the database's driver in a node.

    Attributes:
        request: seconds of a core for each request to the database, half of it before, and half of it behind.
        statement: seconds of a core for each statement in it, when its answer has come: the server sends each one when
            it has it, and goes on with the next.
        value: seconds of a core for each value of the rows in the answers.
        failure: seconds of a core more for each request that fails.
        operation: seconds of a core for what an experiment does for an operation, such as recording it.
        wake, cold: how much longer a piece of work takes if there was none before, if everything shares one machine:
            see `chatsim.simulation.run_queues.Waking`.
    """

    request: float
    statement: float
    value: float
    failure: float
    operation: float
    wake: float
    cold: float

    def __post_init__(self) -> None:
        for name in ("request", "statement", "value", "failure", "operation", "wake", "cold"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 0")


class NodeCosts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A chat server's machine.

    Attributes:
        cores: how many.
        service: seconds of a core for each request, by the name of its class in ``chat/protocol``.
        write: seconds of a core for each write to a client: of a reply, once the database has answered, or of notices.
        byte: seconds of a core for each byte of it, from making it to understanding it.
    """

    cores: int
    write: float
    byte: float
    service: Mapping[str, float]

    def __post_init__(self) -> None:
        if self.cores < 1:
            raise ValueError(f"cores is {self.cores}; it must be at least 1")
        for name in ("write", "byte"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 0")
        for name, seconds in self.service.items():
            if name not in _NAMES:
                raise ValueError(f"{name!r} is no request; there are: {', '.join(_NAMES)}")
            if not seconds >= 0:
                raise ValueError(f"{name} takes {seconds} s; it must be at least 0")

    @property
    def by_id(self) -> dict[int, float]:
        """The service times by message id."""
        return {_NAMES[name]: seconds for name, seconds in self.service.items()}


class StoreCosts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A client's local store.

    Attributes:
        call: seconds of a core for each call of SQLite, in a thread of its own: for BEGIN and COMMIT, for a statement,
            for fetching its rows, and for a statement that is run once for each of many rows.
        row: seconds of a core for each of these rows, and for each row that is fetched.
        commit: seconds until a transaction is on disk.
    """

    call: float
    row: float
    commit: float

    def __post_init__(self) -> None:
        for name in ("call", "row", "commit"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 0")


class FilesCosts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The disk with the attachments, which the chat servers share.

    Attributes:
        operation: seconds for opening a file, or listing all of them.
        bandwidth: bytes per second.
        sync: seconds until a file is on the disk.
    """

    operation: float
    bandwidth: float
    sync: float

    def __post_init__(self) -> None:
        for name in ("operation", "sync"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 0")
        if not self.bandwidth > 0:
            raise ValueError(f"bandwidth is {self.bandwidth}; it must be above 0")


class RedisCosts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A Redis: seconds of its one core for a command."""

    command: float

    def __post_init__(self) -> None:
        if not self.command >= 0:
            raise ValueError(f"command is {self.command}; it must be at least 0")


class DatabaseCosts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A database server's machine.

    Attributes:
        cores: how many.
        connections: the most that it takes.
        request: seconds of a core for a request, however many statements it has.
        statement: seconds of a core for a statement, whatever it finds.
        character: seconds of a core for each character of a statement's text, which is read and made into a plan.
        table: seconds of a core for each table that a statement opens.
        temporary: seconds of a core for each temporary table that a statement makes.
        record: seconds of a core for each record looked at.
        fetch: seconds of a core for each row that is read because an entry of another index leads to it.
        value: seconds of a core for each value that is sent.
        write: seconds of a core for each index entry that a statement inserts, changes or deletes.
        undo: seconds of a core for each of them that is undone.
        wait: seconds of a core for each wait for a lock: the thread is suspended, and woken up.
        detection: seconds that the thread takes which looks at all waits, once more if they have changed meanwhile,
            until it sees a deadlock. Its work is in that of the waits.
        transaction: seconds of a core for each commit of changes.
        group: seconds of a core for each group of commits: one thread writes the logs for all of them.
        wake, cold: how much longer a request takes if there was none before: see
            `chatsim.simulation.run_queues.Waking`.
        flush: seconds until both logs are on disk, half of it for each, or a distribution of them; commits that come
            meanwhile share the next.
        commit: seconds until a commit that is on disk takes effect, and again until it is answered.
        misses: how many of the records looked at are not in memory, from 0 to 1.
        read: seconds until one of these is.
    """

    cores: int
    connections: int
    request: float
    statement: float
    character: float
    table: float
    temporary: float
    record: float
    fetch: float
    value: float
    write: float
    undo: float
    wait: float
    detection: float
    transaction: float
    group: float
    wake: float
    cold: float
    flush: float | Latency
    commit: float
    misses: float
    read: float

    def draw_flush(self, rng: np.random.Generator) -> float:
        """How long a group of commits waits for the logs."""
        return self.flush if isinstance(self.flush, float | int) else self.flush.draw(rng)

    def __post_init__(self) -> None:
        for name in ("cores", "connections"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 1")
        if isinstance(self.flush, float | int) and not self.flush >= 0:
            raise ValueError(f"flush is {self.flush}; it must be at least 0")
        work = (
            "request",
            "statement",
            "character",
            "table",
            "temporary",
            "record",
            "fetch",
            "value",
            "write",
            "undo",
            "wait",
            "transaction",
            "group",
            "wake",
            "cold",
        )
        for name in (*work, "detection", "commit", "read"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 0")
        if not 0 <= self.misses <= 1:
            raise ValueError(f"misses is {self.misses}; it must be between 0 and 1")


class ModelCosts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All of them.

    Attributes:
        machine: the machine that everything shares, if it does.
        client: the callers straight on the database.
        node: the chat servers.
        network: what lies between hosts.
        database: the database server.
        redis: the Redis.
        store: the clients' local stores.
        files: the disk with the attachments.
    """

    machine: MachineCosts
    client: ClientCosts
    node: NodeCosts
    network: Topology
    database: DatabaseCosts
    redis: RedisCosts
    store: StoreCosts
    files: FilesCosts

    @classmethod
    def read(cls, source: Path | str | Mapping[str, object] | None = None) -> ModelCosts:
        """The costs of a TOML file, or of its content, with the defaults for everything that it does not contain.

        Raises:
            WorldError: it can't be read, or has an invalid value. The message names the place.
        """
        path = "the costs" if isinstance(source, Mapping) else Path(source or _DEFAULTS)
        try:
            own = source if isinstance(source, Mapping) else tomllib.loads(Path(path).read_text(encoding="utf-8"))
            return msgspec.convert(_over(tomllib.loads(defaults()), own), type=cls)
        except OSError as error:
            raise WorldError(f"the costs can't be read: {error}") from error
        except msgspec.ValidationError as error:
            raise WorldError(f"{path}: {error}{_choices(str(error))}") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise WorldError(f"{path}: {error}") from error


def _choices(message: str) -> str:
    """What may stand at the place that a message of msgspec names, if that is one of several names."""
    place = re.search(r"at `\$(.*)`", message)
    if not message.startswith(("Invalid value", "Object contains unknown field")):
        return ""
    there = inspect.type_info(ModelCosts)
    for name in re.findall(r"\w+|\[", place[1] if place else ""):
        if isinstance(there, inspect.StructType):
            there = next(each.type for each in there.fields if each.name == name)
        elif isinstance(there, inspect.DictType):
            there = there.value_type
    if isinstance(there, inspect.UnionType):
        names = [str(each.tag) for each in there.types if isinstance(each, inspect.StructType)]
    else:
        names = [each.name for each in there.fields] if isinstance(there, inspect.StructType) else []
    return f"; there are: {', '.join(names)}" if names else ""


def _over(defaults: Mapping[str, object], own: Mapping[str, object]) -> dict[str, object]:
    """``defaults`` with the values of ``own``, table by table. A table with a ``kind`` is replaced as a whole."""
    merged = dict(defaults)
    for name, value in own.items():
        before = merged.get(name)
        both = isinstance(value, Mapping) and isinstance(before, Mapping) and "kind" not in value
        merged[name] = _over(before, value) if both else value  # type: ignore[arg-type]
    return merged
