"""The schedule that a seed and a number give. It does not depend on the schedules drawn before it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from hypothesis import HealthCheck, Phase, Verbosity, given, settings
from hypothesis import seed as hypothesis_seed
from hypothesis.database import InMemoryExampleDatabase

from chatsim.conformance.generation.schedules import schedules
from chatsim.conformance.schedule import Schedule

__all__ = ["NumberedSchedules"]

_RANDOM_BYTES = 1 << 13
"""How many random bytes Hypothesis is given for one schedule. It takes a few hundred of them."""


class NumberedSchedules:
    """Schedules by number, from 1, for one seed.

    Args:
        seed: of all that is drawn.
        sessions: how many sessions a schedule has, at least and at most.
        foreign_keys: whether the tables are a parent and its child.
    """

    def __init__(self, *, seed: int, sessions: tuple[int, int] = (2, 4), foreign_keys: bool = False) -> None:
        self.seed = seed
        self._strategy = schedules(sessions, foreign_keys=foreign_keys)

    def draw(self, number: int) -> Schedule:
        """The schedule of that number, as it is drawn."""
        drawn: list[Schedule] = []
        self._run(self._hypothesis_test(drawn.append), number)
        return drawn[0]

    def shrink(self, number: int, test: Callable[[Schedule], object], error: type[Exception]) -> None:
        """Have Hypothesis shrink the schedule of that number, as long as ``test`` raises ``error`` on it.

        Raises:
            Exception: ``error``, for the smallest schedule.
            hypothesis.errors.Flaky: ``test`` did not raise again where it had raised before.
        """
        failing = self._hypothesis_test(test)
        try:
            self._run(failing, number)
        except error:
            failing()

    def _hypothesis_test(self, body: Callable[[Schedule], object]) -> Callable[[], None]:
        @settings(
            database=InMemoryExampleDatabase(),
            deadline=None,
            phases=[Phase.reuse, Phase.shrink],
            suppress_health_check=list(HealthCheck),
            verbosity=Verbosity.quiet,
            print_blob=False,
        )
        @hypothesis_seed(self.seed)  # below the settings: above them it would remove the database
        @given(self._strategy)
        def test(drawn: Schedule) -> None:
            body(drawn)

        return test

    def _run(self, test: Callable[[], None], number: int) -> None:
        """Run a Hypothesis test on one schedule. If it fails there, the example is saved, and can be shrunk.

        A test that is called in the usual way stops at its first failure; a search wants to go on to the next number.
        """
        random_bytes = np.random.default_rng([self.seed, number]).bytes(_RANDOM_BYTES)
        test.hypothesis.fuzz_one_input(random_bytes)  # type: ignore[attr-defined]
