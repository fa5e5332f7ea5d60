"""What happened: one record for every operation that a client started.

Checks read histories; an outcome is recorded once, by the client that called. ``unknown`` means that the connection was
lost and nobody can say whether the operation took effect; a check allows both.
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

__all__ = ["Operation", "Outcome", "Recorder", "frame", "read", "write"]


_WIDTH = 60
"""Characters of a value in a sentence."""


class Outcome(StrEnum):
    """How an operation ended, as far as its caller knows."""

    OK = "ok"
    FAIL = "fail"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of one client; times in seconds since the run began.

    Attributes:
        client: who asked.
        round: which of the client's operations this is, from 0.
        kind: what was done: ``create``, ``write``, ``read``, ``page``, ``send``.
        asked: what was asked, by name: plain values.
        intended: when it was due.
        start: when it was started.
        end: when its outcome was known.
        outcome: how it ended.
        value: what the caller got, by name: plain values; empty unless it ended well.
        attempts: how often it was tried.
        refusals: the kind of every refusal met, in order.
        reason: the last refusal in words, unless it ended well.
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
    """Makes the records of one client; entered times are on the running loop's clock.

    Args:
        client: which client.
        begun: when the run began, on the loop's clock.
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
        """Carry out an operation and record what came of it.

        Args:
            kind: what is done.
            asked: what is asked.
            call: does it, and returns what the caller gets; it is given what to call with each refusal of the database
                that it meets.
            turn: which of the client's operations this is.
            refusable: the errors that are outcomes; others are raised.
            in_doubt: whether what was refused may have been done all the same, beyond what the refusals tell.
            intended: when it was due, on the loop's clock; now, when None.
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
            # a lost try may have taken effect, whatever the tries after it met
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
    """A tidy table, one row per operation; what was asked and got are columns by their names.

    ``latency_ms`` is counted from the intended start, ``service_ms`` from the real one.
    """
    import pandas as pd

    plain = [name for name in Operation.__dataclass_fields__ if name not in ("asked", "value")]
    rows = [{**{name: getattr(each, name) for name in plain}, **each.asked, **each.value} for each in operations]
    # as objects first: a whole number beside one that is missing would become a float, and a large one another
    table = pd.DataFrame(rows, columns=None if rows else plain, dtype=object)
    whole = [name for name in table if pd.api.types.infer_dtype(table[name], skipna=True) == "integer"]
    table = table.astype(dict.fromkeys(whole, "Int64")).infer_objects()
    table["outcome"] = table["outcome"].astype(str)
    table["latency_ms"] = (table["end"] - table["intended"]) * 1e3
    table["service_ms"] = (table["end"] - table["start"]) * 1e3
    return table


def write(path: Path, records: Iterable[tuple[Mapping[str, object], Operation]]) -> None:
    """Write one JSON object per line: the variant's keys, then the operation."""
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps({**keys, **asdict(operation)}) + "\n" for keys, operation in records)


def read(path: Path) -> list[tuple[dict[str, object], Operation]]:
    """What `write` wrote. Raises `ValueError` naming the line that is no operation."""
    records = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            fields = json.loads(line)
            own = {name: fields.pop(name) for name in Operation.__dataclass_fields__}
            own |= {"outcome": Outcome(own["outcome"]), "refusals": tuple(map(Kind, own["refusals"]))}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{path}, line {number}: not an operation ({error!r})") from error
        records.append((fields, Operation(**own)))
    return records
