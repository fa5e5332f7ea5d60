"""The checks that a column is not NULL by which a later table is looked up: it would find nothing.

In the server: ``add_not_null_conds``. A row that fails such a check is unlocked at once at READ COMMITTED.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from sqlglot import exp

from chatsim.innodb.sql.executor.joined_tables import Filter
from chatsim.innodb.sql.optimizer.join_access import Lookup
from chatsim.innodb.sql.optimizer.join_order import Semijoin, Strategy

if TYPE_CHECKING:
    from chatsim.innodb.sql.executor.from_clause import Nest
    from chatsim.innodb.sql.executor.join_steps import TableStep
    from chatsim.innodb.sql.executor.joined_tables import JoinedTables

__all__ = ["check_for_null"]


def check_for_null(joined: JoinedTables, steps: Sequence[TableStep], semijoins: Mapping[Nest, Semijoin]) -> None:
    """Add the checks to the filters of steps.

    Args:
        joined: the joined tables.
        steps: the tables in the order in which they are read.
        semijoins: how duplicates of each subquery are removed.
    """
    by_table = {each.at: each for each in steps}
    for node, nest in [*_of_tables(joined, steps), *_of_kept_rows(joined, semijoins)]:
        at, column = joined.scope.column(node)
        before = by_table.get(at)
        if before is not None and joined.table(at).columns[column].nullable and joined.nest_of(at) is nest:
            check = exp.Not(this=exp.Is(this=node.copy(), expression=exp.Null()))
            before.filters.append(Filter(check, joined.scope, joined.scope.truth(check)))


def _of_tables(joined: JoinedTables, steps: Iterable[TableStep]) -> Iterator[tuple[exp.Column, Nest | None]]:
    """The columns by which tables are looked up, each with the nest of its table; not those of outer joins.

    An outer join that has been made an inner one still counts as one (in the server: ``TABLE::is_nullable``).
    """
    for step in steps:
        if step.at in joined.in_outer_joins:
            continue
        for each in step.access.equalities if isinstance(step.access, Lookup) else ():
            if not each.null_safe and isinstance(each.node, exp.Column):
                yield each.node, joined.nest_of(step.at)


def _of_kept_rows(joined: JoinedTables, semijoins: Mapping[Nest, Semijoin]) -> Iterator[tuple[exp.Column, Nest | None]]:
    """The columns by which the kept rows of subqueries are looked up."""
    for nest, found in semijoins.items():
        if nest.kind != "semi" or found.strategy is not Strategy.LOOKUP:
            continue
        for node in (side for each in nest.on if isinstance(each, exp.EQ) for side in (each.left, each.right)):
            if isinstance(node, exp.Column) and not joined.named(node) & nest.tables:
                yield node, None
