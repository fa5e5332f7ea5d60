"""ALTER TABLE of partitions: manual, "ALTER TABLE Partition Operations"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from chatsim.db.mysql import database_error
from chatsim.innodb.sql import syntax
from chatsim.innodb.sql.ddl.declaration_changes import Edited, apply
from chatsim.innodb.sql.expressions import unsupported

__all__: list[str] = []


@apply.register
def _change_partitions(action: syntax.ChangePartitions, edited: Edited) -> None:
    if action.how == "BY":
        edited.declared = replace(edited.declared, partitioning=action.partitioning)
        edited.counts_rows = True
        return
    said, partitioning = edited.declared.partitioning, edited.table.partitioning
    if said is None or partitioning is None:
        raise database_error(1505, "Partition management on a not partitioned table is not possible")
    if action.how == "REMOVE":
        edited.declared = replace(edited.declared, partitioning=None)
        edited.counts_rows = True
        return
    known = [each.name.lower() for each in partitioning.partitions]
    wanted = [each.lower() for each in action.names] or known
    if action.how == "TRUNCATE":
        if missing := next((each for each in wanted if each not in known), None):
            raise database_error(1735, f"Unknown partition '{missing}' in table '{edited.table.name}'")
        edited.emptied = frozenset(wanted)
        return
    if said.kind not in ("RANGE", "LIST"):
        if action.how == "DROP":
            raise database_error(1512, "DROP PARTITION can only be used on RANGE/LIST partitions")
        raise unsupported(f"ALTER TABLE … {action.how} PARTITION of partitions by {said.kind}")
    edited.declared = replace(edited.declared, partitioning=_changed(action, said, known, wanted))
    if action.how == "DROP":
        edited.emptied = frozenset(wanted)


def _changed(
    action: syntax.ChangePartitions, said: syntax.PartitioningSyntax, known: Sequence[str], wanted: Sequence[str]
) -> syntax.PartitioningSyntax:
    """The partitioning after partitions were added, dropped, or divided anew."""
    left = [each for each in known if action.how == "ADD" or each not in wanted]
    if double := next((each.name for each in action.partitions if each.name.lower() in left), None):
        raise database_error(1517, f"Duplicate partition name {double}")
    if action.how == "ADD":
        return _with(said, (*said.partitions, *action.partitions))
    if not set(wanted) <= set(known):
        raise database_error(1507, f"Error in list of partitions to {action.how}")
    if action.how == "DROP" and not left:
        raise database_error(1508, "Cannot remove all partitions, use DROP TABLE instead")
    places = [known.index(each) for each in wanted]
    first, last = min(places), max(places)
    if action.how == "REORGANIZE":
        if sorted(places) != list(range(first, last + 1)):
            message = "When reorganizing a set of partitions they must be in consecutive order"
            raise database_error(1519, message)
        is_end = last == len(known) - 1
        if said.kind == "RANGE" and not is_end and action.partitions[-1].less_than != said.partitions[last].less_than:
            message = "Reorganize of range partitions cannot change total ranges except for last partition"
            raise database_error(1520, f"{message} where it can extend the range")
        return _with(said, (*said.partitions[:first], *action.partitions, *said.partitions[last + 1 :]))
    return _with(said, tuple(each for each in said.partitions if each.name.lower() in left))


def _with(said: syntax.PartitioningSyntax, partitions: tuple[syntax.PartitionSyntax, ...]) -> syntax.PartitioningSyntax:
    return replace(said, partitions=partitions, count=0)
