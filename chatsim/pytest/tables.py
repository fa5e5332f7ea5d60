"""Tables as a test names them: DDL text, a file of SQL, a folder of migrations, or several of these."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from chatsim.db.text import statements
from chatsim.worlds.world import BadParameterError

__all__ = ["Source", "Tables", "read_tables"]

Tables: TypeAlias = "str | Path | Iterable[str | Path]"
"""DDL text, or a path; a text without white space is one. Several are executed one after the other."""

_DIGITS = re.compile(r"(\d+)")
_DOWN = re.compile(
    r"^--\s*(migrate:down|\+goose\s+down|\+migrate\s+down)\b.*", re.IGNORECASE | re.MULTILINE | re.DOTALL
)
_WAY_BACK = ".down.sql"
"""The end of a migration's name that takes another one back."""


@dataclass(frozen=True)
class Source:
    """A statement, and where it stands.

    Attributes:
        sql: the statement.
        where: the file; ``tables`` for a text.
    """

    sql: str
    where: str


def read_tables(tables: Tables) -> tuple[Source, ...]:
    """The statements that make tables and their rows, in order.

    The files of a folder are read in the order of their names, in which a number counts as one: ``V2`` is before
    ``V10``. If it has none, those of the folders in it are read: some tools give each migration a folder. The way back
    is left out: files that end in ``.down.sql``, and what stands behind ``-- migrate:down`` or ``-- +goose Down``.

    Raises:
        BadParameterError: there is no such file or folder, it can't be read, or there is no statement in it.
    """
    if isinstance(tables, str | Path):
        return tuple(_read(tables))
    if not isinstance(tables, Iterable):
        raise BadParameterError(f"tables is {tables!r}; it can be DDL text, a path, or several of these")
    return tuple(source for each in tables for source in _read(each))


def _read(tables: str | Path) -> Iterator[Source]:
    if not isinstance(tables, str | Path):
        raise BadParameterError(f"tables has {tables!r}; it can be DDL text, a path, or several of these")
    if isinstance(tables, str) and re.search(r"\s", tables.strip()):
        yield from _sources(tables, "tables")
        return
    path = Path(tables)
    if path.is_dir():
        files = _migrations(path, "*.sql") or _migrations(path, "*/*.sql")
        if not files:
            raise BadParameterError(f"tables: the folder {path} has no file that ends in .sql")
    elif path.is_file():
        files = [path]
    else:
        raise BadParameterError(f"tables: there is no file or folder {str(path)!r}")
    for file in files:
        try:
            text = file.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise BadParameterError(f"tables: {file} can't be read: {error}") from None
        yield from _sources(_DOWN.sub("", text), str(file))


def _sources(text: str, where: str) -> list[Source]:
    found = [Source(sql, where) for sql in statements(text)]
    if not found:
        raise BadParameterError(f"{where} has no statement")
    return found


def _migrations(folder: Path, pattern: str) -> list[Path]:
    """The files of a folder, in the order of their names, with numbers as numbers."""

    def order(file: Path) -> list[tuple[int, str]]:
        name = file.relative_to(folder).as_posix()
        return [(int(part) if part.isdigit() else -1, part) for part in _DIGITS.split(name)]

    return sorted((each for each in folder.glob(pattern) if not each.name.endswith(_WAY_BACK)), key=order)
