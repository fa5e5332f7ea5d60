"""The checks of what a strategy leaves behind beside the chats that were asked for: in tables and in connections."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from chatsim.db.session import Isolation
from chatsim.experiments.checks import Anomaly
from chatsim.worlds.world import TableContents

__all__ = ["check_contents", "check_states"]

Row = tuple[object, ...]

_MOST = 100
"""The number of characters of a row in a sentence."""


def check_contents(
    before: Mapping[str, TableContents],
    after: Mapping[str, TableContents],
    *,
    asked: Collection[tuple[int, int]],
    tries: int,
) -> Iterator[Anomaly]:
    """Check that the tables differ only by what the operations explain.

    They explain: a private chat of a pair that was asked for; a private thread for each try, since one that lost may
    leave its thread as an orphan; and, with the hardened tables, entries of the users of these pairs in ``user_thread``
    and ``user_version``.

    Args:
        before: what was in the tables before the operations.
        after: what is in them now.
        asked: the pairs that were asked for, smaller id first.
        tries: the number of tries of all operations.
    """
    yield from _definitions(before, after)
    users: set[object] = {user for pair in asked for user in pair}
    pairs: set[object] = {*asked, *((high, low) for low, high in asked)}
    allowed: dict[str, Callable[[Row], bool]] = {
        "private_chat": lambda row: row[1:3] in pairs,
        "chat_thread": lambda row: row[1] == "private",
        "user_thread": lambda row: row[0] in users,
        "user_version": lambda row: row[0] in users,
    }
    for name, table in after.items():
        if name in before and before[name].definition == table.definition:
            yield from _rows(name, before[name].rows, table.rows, allowed.get(name, lambda _: False))
            if name == "chat_thread" and (added := len(table.rows) - len(before[name].rows)) > tries:
                sentence = f"chat_thread has {added:,} new rows after {tries:,} tries"
                yield Anomaly("rows added", name, sentence)


def _definitions(before: Mapping[str, TableContents], after: Mapping[str, TableContents]) -> Iterator[Anomaly]:
    for name in dict.fromkeys([*before, *after]):
        if name not in after:
            yield Anomaly("definition changed", name, f"{name} was dropped")
        elif name not in before:
            yield Anomaly("definition changed", name, f"{name} was created")
        else:
            old, new = before[name].definition, after[name].definition
            lost = [f"without {line}" for line in old if line not in new]
            changes = [*lost, *(f"with {line}" for line in new if line not in old)]
            if old != new:
                how = ", ".join(changes) or "its columns or keys have another order"
                yield Anomaly("definition changed", name, f"{name} was altered: {how}")


def _rows(
    name: str, before: Sequence[Row], after: Sequence[Row], explained: Callable[[Row], bool]
) -> Iterator[Anomaly]:
    if before == after:
        return
    old, new = set(before), set(after)
    gone = [row for row in before if row not in new]
    come = [row for row in after if row not in old]
    by_key = {row[0]: row for row in come}
    changed = [(row, by_key[row[0]]) for row in gone if row[0] in by_key and not explained(by_key[row[0]])]
    deleted = [row for row in gone if row[0] not in by_key]
    others = {row[0] for row in gone}
    added = [row for row in come if row[0] not in others and not explained(row)]
    if deleted:
        sentence = f"{name} has lost {_count(deleted)} that nobody asked to delete, such as {_short(deleted[0])}"
        yield Anomaly("rows deleted", name, sentence)
    if changed:
        was, now = map(_short, changed[0])
        sentence = f"{name} has {_count(changed)} that nobody asked to change, such as {was}, which is {now} now"
        yield Anomaly("rows changed", name, sentence)
    if added:
        sentence = f"{name} has {_count(added)} more that nobody asked for, such as {_short(added[0])}"
        yield Anomaly("rows added", name, sentence)


def _count(rows: Sequence[object]) -> str:
    return f"{len(rows):,} row{'s' if len(rows) > 1 else ''}"


def _short(row: Row) -> str:
    text = f"({', '.join(map(str, row))})"
    return text if len(text) <= _MOST else f"{text[: _MOST - 1]}…"


def check_states(
    before: Mapping[str, int] | None, after: Mapping[str, int] | None, isolation: Isolation
) -> Iterator[Anomaly]:
    """Check that connections have come back as they were leased.

    Args:
        before: the states of the connections before the operations (`World.session_states`).
        after: their states now.
        isolation: the isolation level at which the strategy has leased them.
    """
    if before is None or after is None:
        return
    variables = {_variable(state) for state in before}
    leased = f"transaction_isolation = {isolation.replace(' ', '-')}"
    for state, count in after.items():
        variable = _variable(state)
        # of a variable that nobody has seen before, it is not known what it was
        if state in before or state == leased or (variable and variable not in variables):
            continue
        which = "a connection" if count == 1 else f"{count:,} connections"
        yield Anomaly("connection changed", state, f"{which} came back with {state}")


def _variable(state: str) -> str:
    name, is_set, _ = state.partition(" = ")
    return name if is_set else ""
