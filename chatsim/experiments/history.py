"""What happened: one record for every operation that a client started.

Checks read histories; an outcome is recorded once, by the client that called. ``unknown`` means that the connection was
lost and nobody can say whether the operation took effect; a check allows both.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from chatsim.db.errors import Kind

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Operation", "Outcome", "frame", "read", "write"]


class Outcome(StrEnum):
    """How an operation ended, as far as its caller knows."""

    OK = "ok"
    FAIL = "fail"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of one client.

    Attributes:
        client: who asked.
        round: which of the client's operations this is, from 0.
        uid: the asking user.
        other: whom to chat with.
        intended: when it was due, in seconds since the run began.
        start: when it was started.
        end: when its outcome was known.
        outcome: how it ended.
        attempts: how often it was tried.
        refusals: the kind of every refusal met, in order.
        thread: the thread id that the caller got, or None.
        reason: the last refusal in words, unless it ended well.
    """

    client: int
    round: int
    uid: int
    other: int
    intended: float
    start: float
    end: float
    outcome: Outcome
    attempts: int
    refusals: tuple[Kind, ...]
    thread: int | None
    reason: str = ""

    @property
    def pair(self) -> tuple[int, int]:
        """The two users, smaller id first."""
        return (min(self.uid, self.other), max(self.uid, self.other))

    def __str__(self) -> str:
        asked = f"client {self.client}, round {self.round}, asked for {self.uid} with {self.other}"
        got = f"got thread {self.thread}" if self.outcome is Outcome.OK else self.outcome.value
        met = f" after {', '.join(map(str, self.refusals))}" if self.refusals else ""
        said = f" ({self.reason})" if self.reason else ""
        return f"{asked} at {self.start:.4f} s, {got} at {self.end:.4f} s{met}{said}"


def frame(operations: Iterable[Operation]) -> pd.DataFrame:
    """A tidy table, one row per operation; ``latency_ms`` is counted from the intended start, ``service_ms`` is not."""
    import pandas as pd

    columns = list(Operation.__dataclass_fields__)
    table = pd.DataFrame([[getattr(each, column) for column in columns] for each in operations], columns=columns)
    table["outcome"] = table["outcome"].astype(str)
    table["thread"] = table["thread"].astype("Int64")
    table["latency_ms"] = (table["end"] - table["intended"]) * 1e3
    table["service_ms"] = (table["end"] - table["start"]) * 1e3
    return table


def write(path: Path, records: Iterable[tuple[dict[str, str], Operation]]) -> None:
    """Write one JSON object per line: the variant's keys, then the operation."""
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(keys | asdict(operation)) + "\n" for keys, operation in records)


def read(path: Path) -> list[tuple[dict[str, str], Operation]]:
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
