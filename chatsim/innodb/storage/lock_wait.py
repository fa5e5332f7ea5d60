"""Waits for locks, and deadlocks among them: detected, and resolved by a victim (InnoDB's lock0wait).

Every transaction that waits has one blocking transaction, the first found. A deadlock is a cycle of these; since each
new edge is followed at once, or as soon as the queues are in order again, no cycle is left standing. Sources: MySQL
manual, "Deadlock Detection", "Transaction Scheduling".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from chatsim.db.mysql import database_error
from chatsim.innodb.storage.structures import RecordLock, TableLock, Transaction

__all__ = ["LockWaits"]


class LockWaits:
    """The transactions of a server that wait for locks.

    Args:
        cancel: takes back a request; its transaction finds the error.
        on_deadlock: called for each deadlock with its transactions, in the order of their waits, and the victim, before
            that is rolled back.

    Attributes:
        waiting: the transactions that wait, in the order in which they began to.
        started: how many requests had to wait.
        deadlocks: how many deadlocks were resolved.
    """

    def __init__(
        self,
        cancel: Callable[[RecordLock | TableLock, Exception], None],
        on_deadlock: Callable[[Sequence[Transaction], Transaction], None],
    ) -> None:
        self._cancel = cancel
        self._on_deadlock = on_deadlock
        self._unchecked: list[Transaction] = []  # who has another blocking transaction since deadlocks were looked for
        self.waiting: dict[Transaction, None] = {}
        self.started = 0
        self.deadlocks = 0

    def start(self, lock: RecordLock | TableLock, blocking: Transaction) -> None:
        """A request has to wait for a transaction."""
        self.started += 1
        state = lock.trx.locks
        state.wait_lock, state.blocking_trx, state.reservation_no = lock, blocking, self.started
        self.waiting[lock.trx] = None
        self._unchecked.append(lock.trx)
        self.detect_deadlocks()

    def change_blocking(self, trx: Transaction, blocking: Transaction) -> None:
        """A transaction that waits has to wait for another one now."""
        trx.locks.blocking_trx = blocking
        self._unchecked.append(trx)

    def end(self, trx: Transaction, error: Exception | None = None) -> None:
        """A transaction's wait is over: it wakes to the error, or to make its request again."""
        state = trx.locks
        state.wait_lock = state.blocking_trx = None
        self.waiting.pop(trx, None)
        if state.wait_event is not None and not state.wait_event.done():
            if error is None:
                state.wait_event.set_result(None)
            else:
                state.wait_event.set_exception(error)
        elif error is not None:
            state.wait_error = error

    # -- deadlocks

    def detect_deadlocks(self) -> None:
        """Detect and resolve every deadlock that the waits changed since the last call have closed."""
        while self._unchecked:
            path = [self._unchecked.pop()]
            while (blocking := path[-1].locks.blocking_trx) is not None and blocking not in path:
                path.append(blocking)
            if blocking is not None:
                self._resolve(path[path.index(blocking) :])

    def _resolve(self, cycle: list[Transaction]) -> None:
        """Roll back one transaction of a cycle."""
        latest = max(range(len(cycle)), key=lambda place: cycle[place].locks.reservation_no)
        order = cycle[latest + 1 :] + cycle[: latest + 1]
        victim = _choose_victim(order)
        self.deadlocks += 1
        self._on_deadlock(order, victim)
        assert victim.locks.wait_lock is not None
        message = "Deadlock found when trying to get lock; try restarting transaction"
        self._cancel(victim.locks.wait_lock, database_error(1213, message))

    # -- transaction scheduling

    def schedule_weights(self) -> Mapping[Transaction, int]:
        """By what waiting transactions are granted first: how many transactions wait because of each, itself included.

        One that waits while many others began to wait after it counts for as many as there are: it would starve else.
        """
        patience = 2 * len(self.waiting)
        boost = len(self.waiting)
        weights: Counter[Transaction] = Counter()
        blocked = Counter(
            blocking
            for trx in self.waiting
            if (blocking := trx.locks.blocking_trx) is not None and blocking in self.waiting
        )
        leaves = []
        for trx in self.waiting:
            weights[trx] += boost if trx.locks.reservation_no + patience < self.started else 1
            if not blocked[trx]:
                leaves.append(trx)
        while leaves:
            trx = leaves.pop()
            blocking = trx.locks.blocking_trx
            if blocking is not None and blocking in self.waiting:
                weights[blocking] += weights[trx]
                blocked[blocking] -= 1
                if not blocked[blocking]:
                    leaves.append(blocking)
        return weights


def _choose_victim(cycle: Sequence[Transaction]) -> Transaction:
    """The lightest; of several the last, going along the waits from the one for which the latest to wait waits."""
    least = min(trx.weight for trx in cycle)
    return next(trx for trx in reversed(cycle) if trx.weight == least)
