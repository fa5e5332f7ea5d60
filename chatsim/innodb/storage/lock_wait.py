"""Waits for locks, and deadlocks among them, which are detected and resolved (InnoDB's lock0wait).

Each waiting transaction has one blocking transaction, the first one found. A deadlock is a cycle of these. Each new
edge is followed at once, or as soon as the queues are in order again, so no cycle remains. Sources: MySQL manual,
"Deadlock Detection", "Transaction Scheduling".
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
        cancel: cancels a request; its transaction gets the error.
        on_deadlock: called for each deadlock, before the rollback, with its transactions, in the order of their waits,
            and with the victim.

    Attributes:
        waiting: the waiting transactions, in the order in which their waits began.
        detector: called when there may be a deadlock; it resolves them at once, unless it is replaced by what does so
            later.
        started: the number of requests that had to wait.
        of_session: the same for each session, by its number.
        deadlocks: the number of deadlocks that were resolved.
        seconds: how long transactions have waited for row locks in all, in waits that have ended.
        longest: the longest of these waits, in seconds.
    """

    def __init__(
        self,
        cancel: Callable[[RecordLock | TableLock, Exception], None],
        on_deadlock: Callable[[Sequence[Transaction], Transaction], None],
    ) -> None:
        self._cancel = cancel
        self._on_deadlock = on_deadlock
        self._unchecked: list[Transaction] = []  # those with a new blocking transaction since the last check
        self.waiting: dict[Transaction, None] = {}
        self.detector = self.resolve_deadlocks
        self.started = 0
        self.of_session: Counter[int] = Counter()
        self.deadlocks = 0
        self.seconds = 0.0
        self.longest = 0.0

    def start(self, lock: RecordLock | TableLock, blocking: Transaction) -> None:
        """Begin the wait of a request for a transaction."""
        self.started += 1
        self.of_session[lock.trx.session] += 1
        state = lock.trx.locks
        state.wait_lock, state.blocking_trx, state.reservation_no = lock, blocking, self.started
        self.waiting[lock.trx] = None
        self._unchecked.append(lock.trx)
        self.detect_deadlocks()

    def change_blocking(self, trx: Transaction, blocking: Transaction) -> None:
        """Set another blocking transaction for a waiting transaction."""
        trx.locks.blocking_trx = blocking
        self._unchecked.append(trx)

    def end(self, trx: Transaction, error: Exception | None = None) -> None:
        """End the wait of a transaction. It wakes up with the error, or makes its request again."""
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
        """Have those deadlocks resolved that changed waits may have closed."""
        if self._unchecked:
            self.detector()

    def resolve_deadlocks(self) -> None:
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
        """The scheduling weight of each waiting transaction: how many transactions wait because of it, with itself.

        The heaviest one is granted first. A transaction that has waited while many others began to wait gets the
        largest weight, so that it does not starve.
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
    """The lightest transaction. Of several, the last one along the waits, from the one that the newest waits for."""
    least = min(trx.weight for trx in cycle)
    return next(trx for trx in reversed(cycle) if trx.weight == least)
