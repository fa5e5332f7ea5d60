"""A file of comparisons, to which each is appended when it is over: a thousand of them may be spread over several days.

The first line says what is compared, and of which commit. The others are one comparison each: when it was over, how
long it took in seconds, and its alarms.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

__all__ = ["KeptComparisons", "OtherComparisonsError"]

_DAY = "%d %B %Y"


class OtherComparisonsError(Exception):
    """The file has something else than such comparisons. The message says what."""


class KeptComparisons:
    """The comparisons of one kind and one commit: those that a file has, and those that are added.

    Args:
        path: the file, which need not be there; None keeps nothing.
        what: ``counts`` or ``times``.
        commit: the commit that is compared with itself.

    Attributes:
        first: what all are compared with, if the file says so.

    Raises:
        OtherComparisonsError: the file has comparisons of something else, or can't be read.
    """

    def __init__(self, path: Path | None, what: str, commit: str) -> None:
        self._path = path
        self._head: dict[str, Any] = {"what": what, "commit": commit}
        self._lines: list[dict[str, Any]] = []
        self.first: Mapping[str, Mapping[str, int]] | None = None
        if path is not None and path.exists():
            self._read(path)

    def _read(self, path: Path) -> None:
        text = path.read_text(encoding="utf-8")
        whole, _, broken = text.rpartition("\n")
        if broken:  # its writer was killed
            path.write_text(whole + "\n" if whole else "", encoding="utf-8")
        try:
            head, *lines = [json.loads(line) for line in whole.splitlines()] or [self._head]
            self.first = head.pop("first", None)
            self._lines = [{"over": each["over"], "took_s": each["took_s"], "alarms": each["alarms"]} for each in lines]
        except (ValueError, AttributeError, TypeError, KeyError) as error:
            raise OtherComparisonsError(f"{path} has something else than comparisons: {error}") from error
        if head != self._head:
            raise OtherComparisonsError(f"{path} has comparisons of {head}, and not of {self._head}")

    def begin(self, first: Mapping[str, Mapping[str, int]] | None = None) -> None:
        """Begin the file, if it is empty, with what all are compared with."""
        self.first = first
        if self._path is not None and not (self._path.exists() and self._path.stat().st_size):
            self._append(self._head | ({"first": first} if first else {}))

    def add(self, took_s: float, alarms: Sequence[str]) -> None:
        """One more is over."""
        over = datetime.now(UTC).isoformat(timespec="seconds")
        self._lines.append({"over": over, "took_s": round(took_s, 1), "alarms": [*alarms]})
        self._append(self._lines[-1])

    def _append(self, line: Mapping[str, Any]) -> None:
        if self._path is not None:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")

    def __len__(self) -> int:
        return len(self._lines)

    @property
    def alarms(self) -> int:
        """How many had an alarm."""
        return sum(bool(each["alarms"]) for each in self._lines)

    def __str__(self) -> str:
        days = [datetime.fromisoformat(each["over"]).strftime(_DAY) for each in self._lines]
        when = " to ".join(dict.fromkeys([*days[:1], *days[-1:]])) or datetime.now(UTC).strftime(_DAY)
        took = sum(each["took_s"] for each in self._lines)
        what = self._head["what"]
        return f"{when}: {len(self):,} comparisons of {what}, {self.alarms:,} with an alarm, in {took:,.0f} s"
