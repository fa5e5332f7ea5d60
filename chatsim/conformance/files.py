"""Reading schedules: files of JSON, of SQL with comments, and of lines ``session: SQL``.

The form of a text is told by its content. A text that begins with ``{`` is JSON, as chatsim records it. A text with a
comment ``-- session NAME`` is SQL: the statements before the first such comment are the setup, and each comment says
whose the following statements are. The comments ``-- isolation LEVEL`` and ``-- purge held`` say what they say in JSON.
Any other text has a line ``session: SQL`` for each step, and the lines of ``setup`` run first (`Schedule.of`).
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import msgspec

from chatsim.conformance.schedule import BadScheduleError, Schedule, number_steps
from chatsim.db.text import parts

__all__ = ["STDIN", "parse", "read"]

STDIN = Path("-")
"""The path that stands for the standard input."""

_DIRECTIVE = re.compile(r"--\s*(session|isolation|purge)\s*:?\s+(.*\S)\s*", re.IGNORECASE)


def read(path: Path) -> Schedule:
    """The schedule of a file, or of the standard input if the path is `STDIN`. Raises `BadScheduleError`."""
    try:
        text = sys.stdin.buffer.read() if path == STDIN else path.read_bytes()
        return parse(text.decode(), "schedule" if path == STDIN else path.stem)
    except OSError as error:
        raise BadScheduleError(f"{path} can't be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BadScheduleError(f"{path}: {error}") from error
    except BadScheduleError as error:
        raise BadScheduleError(f"{path}: {error}") from error


def parse(text: str, name: str) -> Schedule:
    """The schedule of a text. ``name`` is its id, if the text has none.

    Raises:
        BadScheduleError: the text is no schedule.
    """
    if text.lstrip().startswith("{"):
        try:
            return msgspec.json.decode(text, type=Schedule)
        except msgspec.DecodeError as error:
            raise BadScheduleError(str(error)) from error
    if any(_DIRECTIVE.fullmatch(line.strip()) for line in text.splitlines()):
        return _of_sql(text, name)
    try:
        schedule = Schedule.of(text, name=name)
    except BadScheduleError as error:
        raise BadScheduleError(f"{error}; in SQL, a comment '-- session NAME' stands before each session's") from error
    if not schedule.steps:
        raise BadScheduleError("it has no step: write JSON, lines 'session: SQL', or SQL with '-- session NAME'")
    return schedule


def _of_sql(text: str, name: str) -> Schedule:
    session: str | None = None
    setup: list[str] = []
    steps: list[tuple[str, str]] = []
    options: dict[str, Any] = {}
    for part in parts(text):
        if not part.is_comment:
            for line in map(str.strip, part.text.splitlines()):
                if _DIRECTIVE.fullmatch(line):
                    raise BadScheduleError(f"the statement before {line!r} has no semicolon at its end")
            if session is None:
                setup.append(part.text)
            else:
                steps.append((session, part.text))
        elif (found := _DIRECTIVE.fullmatch(part.text)) is not None:
            word, value = found[1].lower(), found[2]
            if word == "session":
                session = value
            else:
                options[word] = value.upper() if word == "isolation" else value.lower()
    if not steps:
        raise BadScheduleError("no statement stands after a comment '-- session NAME'")
    sessions = list(dict.fromkeys(owner for owner, _ in steps))
    fields = {"id": name, "setup": setup, "sessions": sessions, "steps": number_steps(steps), **options}
    try:
        return msgspec.convert(msgspec.to_builtins(fields), type=Schedule)
    except msgspec.ValidationError as error:
        raise BadScheduleError(str(error)) from error
