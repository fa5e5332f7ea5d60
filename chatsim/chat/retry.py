"""What a caller does after the database has refused an operation. It is a value, so that policies can be compared.

It is not taken from a library, because it is part of what is measured: it counts each refusal by its cause, draws its
jitter from the run's own generator, and costs nothing if there is no refusal.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from chatsim.db.errors import ConnectionLostError, DatabaseError, DeadlockError, DuplicateKeyError, LockWaitTimeoutError

if TYPE_CHECKING:
    import numpy as np

__all__ = ["POLICIES", "RETRIED", "Retry"]

T = TypeVar("T")

RETRIED = (DeadlockError, LockWaitTimeoutError, DuplicateKeyError, ConnectionLostError)
"""The errors after which another try may succeed."""


@dataclass(frozen=True)
class Retry:
    """How often to try again, and after what pause.

    Attributes:
        name: the name of the policy on the command line and in results.
        retries: the number of tries after the first.
        pause: the bounds of the pause before each retry, in seconds; it is drawn uniformly between them.
    """

    name: str
    retries: int
    pause: tuple[float, float] = (0.0, 0.0)

    async def run(
        self,
        attempt: Callable[[], Awaitable[T]],
        rng: np.random.Generator,
        refused: Callable[[DatabaseError], None],
    ) -> T:
        """Call ``attempt`` until it returns. Each `DatabaseError` is passed to ``refused``; the last one is raised."""
        left = self.retries
        while True:
            try:
                return await attempt()
            except DatabaseError as error:
                refused(error)
                if left == 0 or not isinstance(error, RETRIED):
                    raise
            left -= 1
            if self.pause[1] > 0:
                await asyncio.sleep(rng.uniform(*self.pause))


POLICIES = {
    policy.name: policy
    for policy in (
        Retry("none", 0),
        Retry("retry", 20, (0.001, 0.020)),
        Retry("immediate", 1_000),  # "until it works", but not for ever
    )
}
