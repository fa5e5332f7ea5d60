"""The history of a run: a record for each operation that a client has started.

Checks read histories. An outcome is recorded once, by the calling client. ``unknown`` means that the connection was
lost, so that it is not known whether the operation took effect; a check allows both.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chatsim.db.errors import ConnectionLostError, DatabaseError, Kind

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Operation", "Outcome", "Recorder", "frame", "parse", "read", "write"]


_WIDTH = 60
"""The largest length of a value in a sentence, in characters."""


class Outcome(StrEnum):
    """The outcome of an operation, as far as its caller knows."""

    OK = "ok"
    FAIL = "fail"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of one client. Times are in seconds since the beginning of the run.

    Attributes:
        client: the number of the client.
        round: the number of the operation among the client's, from 0.
        kind: the kind of the operation, such as ``create``, ``write``, ``read``, ``page``, ``send``.
        asked: the request: plain values by name.
        intended: when it was due.
        start: when it was started.
        end: when its outcome was known.
        outcome: its outcome.
        value: the reply: plain values by name; empty unless it was successful.
        attempts: the number of tries.
        refusals: the kind of each refusal, in order.
        reason: the last refusal in words, unless it was successful.
    """

    client: int
    round: int
    kind: str
    asked: Mapping[str, Any]
    intended: float
    start: float
    end: float
    outcome: Outcome = Outcome.OK
    value: Mapping[str, Any] = field(default_factory=dict)
    attempts: int = 1
    refusals: tuple[Kind, ...] = ()
    reason: str = ""

    def __str__(self) -> str:
        got = _words(self.value) if self.outcome is Outcome.OK else self.outcome.value
        met = f" after {', '.join(self.refusals)}" if self.refusals else ""
        reason = f" ({self.reason})" if self.reason else ""
        return (
            f"client {self.client}, round {self.round}: {self.kind} {_words(self.asked)}"
            f" at {self.start:.4f} s, {got} at {self.end:.4f} s{met}{reason}"
        )


def _words(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {_short(str(value))}" for name, value in values.items()) or "ok"


def _short(text: str) -> str:
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 1]}…"


class Recorder:
    """Records the operations of one client. Its arguments are times of the running loop's clock.

    Args:
        client: the number of the client.
        begun: the beginning of the run, on the loop's clock.
    """

    def __init__(self, client: int, begun: float) -> None:
        self._client = client
        self._begun = begun

    async def record(
        self,
        kind: str,
        asked: Mapping[str, Any],
        call: Callable[[Callable[[DatabaseError], None]], Awaitable[Mapping[str, Any]]],
        *,
        turn: int,
        refusable: tuple[type[Exception], ...] = (DatabaseError,),
        in_doubt: Callable[[], bool] = lambda: False,
        intended: float | None = None,
    ) -> Operation:
        """Carry out an operation, and record its outcome.

        Args:
            kind: the kind of the operation.
            asked: the request.
            call: carries it out, and returns the reply. It gets a function to call with each refusal of the database.
            turn: the number of the operation among the client's.
            refusable: the errors that are outcomes; other errors are raised.
            in_doubt: whether a refused operation may have taken effect, in addition to what the refusals tell.
            intended: when it was due, on the loop's clock; None is now.
        """
        clock = asyncio.get_running_loop().time
        refusals: list[DatabaseError] = []
        value: Mapping[str, Any] = {}
        outcome, reason = Outcome.OK, ""
        ended: Exception | None = None
        start = clock()
        try:
            value = await call(refusals.append)
        except refusable as error:
            reason, ended = str(error), error
            # a lost try may have taken effect, whatever the outcome of later tries
            lost = any(isinstance(each, ConnectionLostError) for each in (*refusals, error))
            outcome = Outcome.UNKNOWN if lost or in_doubt() else Outcome.FAIL
        end = clock()
        return Operation(
            client=self._client,
            round=turn,
            kind=kind,
            asked=asked,
            intended=(start if intended is None else intended) - self._begun,
            start=start - self._begun,
            end=end - self._begun,
            outcome=outcome,
            value=value,
            attempts=len(refusals) + (ended not in refusals),
            refusals=tuple(error.kind for error in refusals),
            reason=reason,
        )


def frame(operations: Iterable[Operation]) -> pd.DataFrame:
    """A tidy table with a row for each operation. The values of request and reply are columns.

    ``latency_ms`` counts from the intended start, ``service_ms`` from the real one.
    """
    import pandas as pd

    plain = [name for name in Operation.__dataclass_fields__ if name not in ("asked", "value")]
    rows = [{**{name: getattr(each, name) for name in plain}, **each.asked, **each.value} for each in operations]
    # as objects first: with a missing value, integers would become floats, and large ones would change
    table = pd.DataFrame(rows, columns=None if rows else plain, dtype=object)
    whole = [name for name in table if pd.api.types.infer_dtype(table[name], skipna=True) == "integer"]
    table = table.astype(dict.fromkeys(whole, "Int64")).infer_objects()
    table["outcome"] = table["outcome"].astype(str)
    table["latency_ms"] = (table["end"] - table["intended"]) * 1e3
    table["service_ms"] = (table["end"] - table["start"]) * 1e3
    return table


def write(path: Path, records: Iterable[tuple[Mapping[str, object], Operation]]) -> None:
    """Write a line of JSON for each operation: the variant's keys, then the operation."""
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps({**keys, **asdict(operation)}) + "\n" for keys, operation in records)


def read(path: Path) -> list[tuple[dict[str, object], Operation]]:
    """Read what `write` has written. Raises `ValueError` with the number of a line that is not an operation."""
    records = []
    for line_number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            fields = json.loads(line)
            own = {name: fields.pop(name) for name in Operation.__dataclass_fields__}
            records.append((fields, parse(own)))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{path}, line {line_number}: not an operation ({error!r})") from error
    return records


def parse(fields: Mapping[str, Any]) -> Operation:
    """An operation of its fields as JSON has them. Raises `ValueError`, `KeyError` or `TypeError` if it is none."""
    plain = {"outcome": Outcome(fields["outcome"]), "refusals": tuple(map(Kind, fields["refusals"]))}
    return Operation(**{**fields, **plain})
