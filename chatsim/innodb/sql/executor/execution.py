"""One run of a statement: its session, its arguments, its result."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from sqlglot import exp

from chatsim.innodb.sql.expressions import Context, Env

if TYPE_CHECKING:
    from chatsim.db.deadlock import Mode
    from chatsim.innodb.sql.executor.names import Names
    from chatsim.innodb.sql.expressions.result_type import ResultType
    from chatsim.innodb.storage.column_types import ColumnType
    from chatsim.innodb.storage.rows import RowOperations
    from chatsim.innodb.storage.structures import ReadView
    from chatsim.innodb.storage.tables import Table
    from chatsim.innodb.storage.values import Value

__all__ = ["Answer", "Execution", "Find", "PrepareQuery", "Query", "ReadRest", "SessionContext"]

Rows: TypeAlias = "list[tuple[Value, ...]]"

ReadRest: TypeAlias = "Callable[[], Awaitable[Rows]]"
"""Reads the rows of a query that has been planned."""

Find: TypeAlias = "Callable[[str], Table]"
"""Finds a table by its name, or raises `DatabaseError`."""


@dataclass
class Answer:
    """The result of a statement.

    Attributes:
        rows: the rows of its result set; None if it has none.
        affected: the number of changed rows, as MySQL counts them.
        insert_id: the first AUTO_INCREMENT value that it took; 0 if it took none.
        warnings: number and text of each warning.
        examined: the number of examined records.
        fetched: the number of rows that were read because an entry of another index led to them.
        temporaries: the number of temporary tables that were made for derived tables and unions.
        found: how many rows there were without LIMIT, if they were counted.
    """

    rows: list[tuple[Value, ...]] | None = None
    affected: int = 0
    insert_id: int = 0
    warnings: list[tuple[int, str]] = field(default_factory=list)
    examined: int = 0
    fetched: int = 0
    temporaries: int = 0
    found: int | None = None

    @property
    def values(self) -> int:
        """How many values its rows have."""
        return len(self.rows) * len(self.rows[0]) if self.rows else 0


class SessionContext(Context, Protocol):
    """What a statement needs from the session that runs it."""

    @property
    def zero_is_a_number(self) -> bool:
        """Whether 0 in an AUTO_INCREMENT column is no request for a new value (``sql_mode``)."""
        ...

    @property
    def groups_fully(self) -> bool:
        """Whether a query may name only what its groups determine (``sql_mode``)."""
        ...

    @property
    def reads_lock(self) -> bool:
        """Whether plain reads lock (SERIALIZABLE in a transaction)."""
        ...

    @property
    def reads_whole_rows(self) -> bool:
        """Whether a whole row is read before it is written (for a binary log)."""
        ...

    def view(self) -> ReadView | None:
        """The read view of consistent reads; None to read the newest versions."""
        ...

    @property
    def numbers_ahead(self) -> bool:
        """Whether AUTO_INCREMENT values are reserved before the rows are inserted."""
        ...

    async def waiting_function(self, function: str, arguments: Sequence[Value]) -> Value:
        """GET_LOCK and SLEEP, which take time. Raises a `DatabaseError` (3058)."""
        ...

    async def take_numbers(self, table: Table, *, bulk: bool) -> None:
        """Take the AUTO-INC lock until the statement ends, if ``innodb_autoinc_lock_mode`` requires it."""
        ...


@dataclass
class Execution:
    """One run of a statement.

    Attributes:
        session: the session.
        rows: takes the locks and changes the rows of the transaction.
        args: the values of the placeholders.
        answer: the result.
        shares: whether plain reads take shared locks.
        changes: whether it is no SELECT, so that a range of several partitions is read in the order of its index.
        pushes: whether conditions may be pushed to an index: not in statements that change several tables.
        derived: the rows of its derived tables.
        used: the tables that the statement uses, and if a trigger has it, those of the statement that has fired it.
        looked_up: of each of its joins, the latest lookups by unique keys, by table.
    """

    session: SessionContext
    rows: RowOperations
    args: Sequence[Any]
    answer: Answer = field(default_factory=Answer)
    shares: bool = False
    changes: bool = False
    pushes: bool = True
    derived: dict[Table, list[tuple[Value, ...]]] = field(default_factory=dict)
    used: Sequence[Table] = ()
    looked_up: dict[Any, dict[int, Any]] = field(default_factory=dict)

    @property
    def mode(self) -> Mode | None:
        """The lock mode of plain reads; None if they take no locks."""
        return "S" if self.shares or self.session.reads_lock else None

    def env(self, tables: int = 0, outer: Env | None = None) -> Env:
        """An environment with room for the rows of that many tables, within that of an outer query."""
        return Env(self.session, self.args, [()] * tables, outer=outer)

    def warn(self, errno: int, message: str) -> None:
        """Note a warning."""
        self.answer.warnings.append((errno, message))


class Query(Protocol):
    """A query.

    Attributes:
        names: the names of its columns.
        kinds: the types of its columns; None for a value that is not from a column.
        results: what its columns are, also where they are no columns of a table; None where that is not known.
    """

    names: list[str]
    kinds: list[ColumnType | None]
    results: list[ResultType | None]

    @property
    def nullable(self) -> list[bool]:
        """Whether its columns may be NULL."""
        ...

    @property
    def writes(self) -> bool:
        """Whether it locks rows as if it changed them."""
        ...

    @property
    def tables(self) -> Sequence[Table]:
        """The tables of the schema that it reads."""
        ...

    @property
    def direct_tables(self) -> Sequence[Table]:
        """Those of them that it reads itself, and not by way of a derived table."""
        ...

    async def read(self, run: Execution, *, outer: Env | None = None, most: int | None = None) -> Rows:
        """Its rows. Raises a `DatabaseError`.

        Args:
            run: the run of the statement.
            outer: the environment of the query around it.
            most: how many rows are needed; None is all.
        """
        ...

    async def begin(self, run: Execution, *, outer: Env | None = None) -> ReadRest:
        """Plan it, for which constant tables are read; returns what reads its rows. Raises a `DatabaseError`."""
        ...

    async def read_ahead(self, run: Execution, outer: Env) -> None:
        """Read the constant tables only, which the plan of the query around it needs. Raises a `DatabaseError`."""
        ...

    def has_one_row(self, run: Execution) -> bool:
        """Whether it is known before that it has no more than one row."""
        ...

    def estimate(self, run: Execution, outer: Env | None = None) -> tuple[float, float]:
        """What the optimizer expects that it costs, and how many rows it has, within an outer query."""
        ...


class PrepareQuery(Protocol):
    """Prepares a query: see `chatsim.innodb.sql.executor.query`."""

    def __call__(self, node: exp.Expr, find: Find, *, strict: bool = False, outer: Names | None = None) -> Query:
        """The query. Raises as `prepare` does."""
        ...
