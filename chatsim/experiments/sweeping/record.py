"""What a sweep has finished, in a file to which each finished setting is added: a stopped sweep goes on there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from chatsim.experiments.parameters import BadParameterError
from chatsim.experiments.sweeping.measuring import Row
from chatsim.experiments.sweeping.setting import Setting

__all__ = ["FILE", "Record", "opened"]

FILE = "settings.jsonl"


class Record:
    """The settings that are finished, with their rows, by key.

    Args:
        path: the file; None keeps them in memory only.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._rows: dict[str, list[Row]] = dict(_read(path)) if path is not None else {}

    def __contains__(self, setting: Setting) -> bool:
        return setting.key in self._rows

    def rows(self, setting: Setting) -> list[Row]:
        """The rows of a finished setting."""
        return self._rows[setting.key]

    def add(self, setting: Setting, rows: list[Row]) -> None:
        """Note that a setting is finished. It is in the file when this returns."""
        line = json.dumps({"key": setting.key, "setting": asdict(setting), "rows": rows})
        if self._path is not None:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(f"{line}\n")
        # as it is when it is read again
        self._rows[setting.key] = json.loads(line)["rows"]


@contextmanager
def opened(folder: Path | str | None) -> Iterator[Record]:
    """The record in a folder, for one sweep at a time. Raises `BadParameterError` if another sweep writes there."""
    if folder is None:
        yield Record(None)
        return
    from filelock import FileLock, Timeout

    home = Path(folder)
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadParameterError(f"the folder {home} can't be made: {error.strerror}") from error
    try:
        with FileLock(home / ".lock", timeout=0):
            yield Record(home / FILE)
    except Timeout:
        raise BadParameterError(f"another sweep is writing into {home}") from None


def _read(path: Path) -> Iterator[tuple[str, list[Row]]]:
    """The finished settings of a file. A last line that was not written to its end is cut off."""
    if not path.exists():
        return
    text = path.read_bytes()
    whole = text[: text.rfind(b"\n") + 1]
    if len(whole) < len(text):
        path.write_bytes(whole)
    for number, line in enumerate(whole.splitlines(), start=1):
        try:
            entry = json.loads(line)
            yield entry["key"], entry["rows"]
        except (ValueError, LookupError, TypeError):
            raise BadParameterError(f"{path}, line {number} is no finished setting of a sweep") from None
