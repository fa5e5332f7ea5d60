"""Serializability: whether an end could also have come of the callers one after the other (Papadimitriou 1979).

What counts is the final state, with all that callers were told: then an order explains everything that anybody has
seen. Callers that were refused have done nothing. Of one that died, or that was refused behind a lost reply, both is
possible: everything or nothing.

AUTO_INCREMENT values are compared by their order, in the columns that have them, in those whose foreign keys refer to
them, and wherever else one of them may stand: in other columns, and in what callers were told. A try that was rolled
back has taken one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain, combinations, permutations

from chatsim.exploration.choices import Choice, Switches
from chatsim.exploration.execution import Execution
from chatsim.exploration.problem import Problem, Server
from chatsim.exploration.questions import Question
from chatsim.innodb.storage.tables import Table

__all__ = ["MOST_CALLERS", "SERIALIZABLE", "serializable"]

SERIALIZABLE = "serializable"
"""The name of the question."""

MOST_CALLERS = 6
"""Of so many callers all orders are carried out: 1,957."""


@dataclass(frozen=True)
class _Outcome:
    """An end.

    Attributes:
        contents: the rows of each table, with the ranks of AUTO_INCREMENT values.
        told: what each caller was told.
        ids: the tables in which a value is an AUTO_INCREMENT value that was not there at first, each with its rank.
    """

    contents: tuple[tuple[str, list[tuple[object, ...]]], ...]
    told: Mapping[int, object]
    ids: Mapping[object, set[tuple[str, int]]]

    def explains(self, other: _Outcome) -> bool:
        """Whether another one differs from this one only in the values of ids."""
        return all(self._same(self.told[caller], value, other) for caller, value in other.told.items()) and all(
            self._have_same_rows(own, rows, other)
            for (_, own), (_, rows) in zip(self.contents, other.contents, strict=True)
        )

    def _have_same_rows(self, own: list[tuple[object, ...]], rows: list[tuple[object, ...]], other: _Outcome) -> bool:
        """Whether each row has one that differs in the values of ids only."""
        if own == rows or len(own) != len(rows):
            return own == rows
        left = list(own)
        for row in rows:
            at = next((at for at, each in enumerate(left) if self._same(each, row, other)), None)
            if at is None:
                return False
            del left[at]
        return True

    def _same(self, own: object, value: object, other: _Outcome) -> bool:
        if isinstance(own, list | tuple) and isinstance(value, list | tuple):
            pairs = zip(own, value, strict=False)
            return len(own) == len(value) and all(self._same(*each, other) for each in pairs)
        return own == value or not self.ids.get(own, set()).isdisjoint(other.ids.get(value, set()))


def serializable(problem: Problem) -> Question:
    """Ask whether each end is that of a serial order. All of these are carried out at once.

    Raises:
        ValueError: there are too many callers.
    """
    if len(problem.callers) > MOST_CALLERS:
        raise ValueError(f"of {len(problem.callers)} callers not all orders can be carried out; of {MOST_CALLERS}, yes")
    orders = _SerialOrders(problem)
    return Question(SERIALIZABLE, "the outcome is that of some serial order", at_end=orders.explain_nothing)


class _SerialOrders:
    """The outcomes of the callers one after the other, by who is among them."""

    def __init__(self, problem: Problem) -> None:
        alone = Problem(problem.setup, problem.callers, Switches(retries=0))
        server = Server(alone)
        self._outcomes: dict[frozenset[int], list[_Outcome]] = {}
        self._first: Mapping[str, frozenset[object]] = {}
        for order in _orders(len(problem.callers)):
            execution = Execution(alone, server)
            if not order:
                tables = execution.engine.tables.values()
                self._first = {table.name: frozenset(_ids(table)) for table in tables}
            for caller in order:
                while Choice("go", caller) in execution.choices:
                    execution.take(Choice("go", caller))
            among = frozenset(order)
            self._outcomes.setdefault(among, []).append(self._outcome(execution, among))
            execution.close()

    def explain_nothing(self, execution: Execution) -> bool:
        """Whether no serial order explains an end."""
        ended = execution.ended
        sure = frozenset(at for at, each in enumerate(ended) if not each.refused and not each.died)
        unsure = [at for at, each in enumerate(ended) if each.died or (each.refused and each.unknown)]
        end = self._outcome(execution, sure)
        subsets = chain.from_iterable(combinations(unsure, count) for count in range(len(unsure) + 1))
        return not any(each.explains(end) for more in subsets for each in self._outcomes[sure | {*more}])

    def _outcome(self, execution: Execution, among: frozenset[int]) -> _Outcome:
        tables = [table for _, table in sorted(execution.engine.tables.items())]
        ids = {table: _ids(table) for table in tables}
        contents = tuple((table.name, sorted(_rows(table, ids), key=repr)) for table in tables)
        new: dict[object, set[tuple[str, int]]] = {}
        for table, ranks in ids.items():
            for value, rank in ranks.items():
                if value not in self._first.get(table.name, frozenset()):
                    new.setdefault(value, set()).add((table.name, rank))
        told = {at: each.value for at, each in enumerate(execution.ended) if at in among}
        return _Outcome(contents, told, new)


def _orders(callers: int) -> Iterable[tuple[int, ...]]:
    """All orders of some of the callers, the empty one first."""
    return chain.from_iterable(permutations(range(callers), count) for count in range(callers + 1))


def _ids(table: Table) -> Mapping[object, int]:
    """The ranks of the AUTO_INCREMENT values of a table."""
    if table.auto is None:
        return {}
    values = sorted(record.row[table.auto] for record in table.clustered if not record.deleted)  # type: ignore[type-var]
    return {value: rank for rank, value in enumerate(values)}


def _rows(table: Table, ids: Mapping[Table, Mapping[object, int]]) -> Iterable[tuple[object, ...]]:
    own = {} if table.auto is None else {table.auto: ids[table]}
    for key in table.parents:
        for column, of in zip(key.columns, key.parent_columns, strict=True):
            if of == key.parent.auto:
                own[column] = ids[key.parent]
    for record in table.clustered:
        if not record.deleted:
            yield tuple(
                f"id {own[at][record.row[at]]}" if record.row[at] in own.get(at, ()) else record.row[at]
                for at in table.shown
            )
