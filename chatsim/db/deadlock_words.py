"""A deadlock in words, and as a drawing of text. A report that was read and the model's own are explained alike."""

from __future__ import annotations

from chatsim.db.deadlock import Deadlock, Lock, LockKind, Participant

__all__ = ["explanation", "ring"]

_STATEMENT_WIDTH = 100
"""The largest length of a statement in a sentence, in characters. The strategies' statements fit."""

_NO_STATEMENT = "its statement is not in the report"


def explanation(deadlock: Deadlock) -> str:
    """A sentence for each transaction, one for the victim, and those about what is missing, on a line each."""
    sentences = [_sentence(one, deadlock.in_the_way(one), other) for one, other in deadlock.cycle()]
    return "\n".join([*sentences, _victim(deadlock), *deadlock.missing])


def ring(deadlock: Deadlock, width: int) -> str:
    """The transactions below each other, with an arrow from each to the next, and one from the last to the first."""
    lines: list[str] = []
    for one in deadlock.participants:
        head, *details = _box(one, deadlock.in_the_way(one), died=one.number == deadlock.victim)
        lines += [" │   ▼", f" │   {head}"] if lines else [f" ┌─▶ {head}"]
        lines += [f" │   │  {detail}" for detail in details]
    return "\n".join([*(_cut(line, width) for line in lines), " └───┘"])


def _cut(line: str, width: int) -> str:
    return line if len(line) <= width else f"{line[: width - 1].rstrip()}…"


def _box(one: Participant, held: tuple[Lock, ...], *, died: bool) -> list[str]:
    """The lines about one transaction: who it is, what it holds, what it waits for."""
    name = f"transaction {one.number}{f' ({one.session})' if one.session else ''}{', rolled back' if died else ''}"
    lines = [f"{name}: {' '.join(one.statement.split()) or _NO_STATEMENT}"]
    if one.holds is None:
        lines.append("holds: not in the report")
    elif not held:
        lines.append("holds nothing there: its request is ahead in the queue")
    lines += [f"holds {_described(lock)}" for lock in held]
    wanted = one.waits
    lines.append(f"waits {_request(wanted)}" if wanted is not None else "waits: not in the report")
    return lines


def _sentence(one: Participant, held: tuple[Lock, ...], other: Participant) -> str:
    """The locks of ``one`` that block another transaction, and why it waits for ``other``."""
    statement = one.summary(_STATEMENT_WIDTH) if one.statement else _NO_STATEMENT
    holds = f"holds {' and '.join(map(_described, held))} and " if held else ""
    if one.holds is None:
        holds = "holds locks that are not in the report, and "
    if one.waits is None:
        waits = "waits for a lock that is not in the report"
    elif one.waits.kind is LockKind.INSERT_INTENTION and any(
        lock.is_near(one.waits) and lock.kind is not LockKind.RECORD for lock in held
    ):
        waits = "waits to insert into that gap"
    else:
        waits = f"waits {_request(one.waits)}"
    behind = f"the request of transaction {other.number}" if other.holds == () else f"transaction {other.number}"
    if other is one:
        behind = "one that is not in the report"
    return (
        f"Transaction {one.number} ({one.session and f'{one.session}: '}{statement}) {holds}{waits}, behind {behind}."
    )


def _victim(deadlock: Deadlock) -> str:
    """Who was rolled back, and why this one."""
    weights = [one.weight for one in deadlock.participants]
    known = [weight for weight in weights if weight is not None]
    if deadlock.victim is None:
        return "Which transaction died (1213) is not in the report."
    died = f"Transaction {deadlock.victim} died (1213)"
    if len(known) < len(weights):
        return (
            f"{died}. Its reason is a comparison of weights (locks plus undo records), which the report does not have."
        )
    compared = f"{died}; the weights (locks plus undo records) were {', '.join(map(str, known))}"
    least = min(known)
    if weights[deadlock.victim - 1] != least:
        return (
            f"{compared}. It was not the lightest: InnoDB spares transactions of high priority, and those that have"
            " changed a table without transactions."
        )
    if known.count(least) == 1:
        return f"{compared}. The lightest one dies."
    return (
        f"{compared}. {'Of two equal ones, the last to wait dies.' if len(known) == 2 else 'One of the lightest dies.'}"
    )


def _described(lock: Lock) -> str:
    """A lock with its place and its mode."""
    if lock.kind is LockKind.TABLE and lock.mode != "AUTO_INC":
        return f"{lock.words()} {lock.place} ({lock.mode})"
    mode = "" if lock.kind is LockKind.TABLE else f" ({lock.mode})"
    return f"{lock.words()} of {lock.place}{mode}"


def _request(lock: Lock) -> str:
    """What one waits for: ``for record (3) of seat.PRIMARY (X)``, or ``to insert into …``."""
    if lock.kind is LockKind.INSERT_INTENTION:
        return f"{lock.words()} of {lock.place}"
    return f"for {_described(lock)}"
