"""A timer for benchmarks of which a part is measured by what is benchmarked itself, such as an experiment."""

from __future__ import annotations

__all__ = ["STOPWATCH", "Stopwatch"]


class Stopwatch:
    """Stands still but for what is added: give it to ``pytest.mark.benchmark(timer=…)``."""

    def __init__(self) -> None:
        self._seconds = 0.0

    def __call__(self) -> float:
        """The seconds so far."""
        return self._seconds

    def add(self, seconds: float) -> None:
        """Add what was measured."""
        self._seconds += seconds


STOPWATCH = Stopwatch()
