"""One run of a statement: its session, its arguments, its result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from sqlglot import exp

from chatsim.innodb.sql.expressions import Context, Env

if TYPE_CHECKING:
    from chatsim.db.deadlock import Mode
    from chatsim.innodb.storage.rows import Rows
    from chatsim.innodb.storage.structures import ReadView
    from chatsim.innodb.storage.tables import Table
    from chatsim.innodb.storage.values import ColumnType, Value

__all__ = ["Answer", "Execution", "Find", "PrepareQuery", "Query", "SessionContext"]

Find: TypeAlias = "Callable[[str], Table]"
"""Gives a table by its name, or raises a `DatabaseError`."""


@dataclass
class Answer:
    """What a statement gives.

    Attributes:
        rows: what it read; None if it reads nothing.
        affected: how many rows it changed, as MySQL counts them.
        insert_id: the AUTO_INCREMENT value that it took, the first if several; 0 if none.
        warnings: number and text of each.
        examined: how many records it looked at.
    """

    rows: list[tuple[Value, ...]] | None = None
    affected: int = 0
    insert_id: int = 0
    warnings: list[tuple[int, str]] = field(default_factory=list)
    examined: int = 0


class SessionContext(Context, Protocol):
    """What a statement needs of the session that runs it."""

    @property
    def reads_lock(self) -> bool:
        """Whether plain reads lock (SERIALIZABLE in a transaction)."""
        ...

    @property
    def reads_whole_rows(self) -> bool:
        """Whether a row that is written is read as a whole before (for a binary log)."""
        ...

    def view(self) -> ReadView | None:
        """What plain reads see; None for the newest."""
        ...

    @property
    def numbers_ahead(self) -> bool:
        """Whether AUTO_INCREMENT values are reserved before their rows are there."""
        ...

    async def get_lock(self, name: Value, seconds: Value) -> Value:
        """GET_LOCK. Raises a `DatabaseError` (3058)."""
        ...

    async def take_numbers(self, table: Table, *, bulk: bool) -> None:
        """Take the right to AUTO_INCREMENT values until the statement ends, where the mode asks for it."""
        ...


@dataclass
class Execution:
    """One run of a statement.

    Attributes:
        session: whose it is.
        rows: what it locks with.
        args: the values of the placeholders.
        answer: what comes of it.
        shares: its plain reads lock what they read.
        derived: the rows of the tables that its queries have made.
    """

    session: SessionContext
    rows: Rows
    args: Sequence[Any]
    answer: Answer = field(default_factory=Answer)
    shares: bool = False
    derived: dict[Table, list[tuple[Value, ...]]] = field(default_factory=dict)

    @property
    def mode(self) -> Mode | None:
        """How plain reads lock; None: they don't."""
        return "S" if self.shares or self.session.reads_lock else None

    def env(self, tables: int = 0) -> Env:
        """An environment with room for the rows of so many tables."""
        return Env(self.session, self.args, [()] * tables)

    def warn(self, errno: int, message: str) -> None:
        """Note a warning."""
        self.answer.warnings.append((errno, message))


class Query(Protocol):
    """What reads rows.

    Attributes:
        names: of its columns.
        kinds: the types of the columns that they come from; None for those that come from none.
    """

    names: list[str]
    kinds: list[ColumnType | None]

    @property
    def writes(self) -> bool:
        """Whether it locks rows as if it changed them."""
        ...

    @property
    def tables(self) -> Sequence[Table]:
        """The tables of the schema that it reads."""
        ...

    async def read(self, run: Execution) -> list[tuple[Value, ...]]:
        """Its rows. Raises a `DatabaseError`."""
        ...


class PrepareQuery(Protocol):
    """Prepares what reads rows: see `chatsim.innodb.sql.executor.query`."""

    def __call__(self, node: exp.Expr, find: Find, *, strict: bool = False) -> Query:
        """The query. Raises as `prepare` does."""
        ...
