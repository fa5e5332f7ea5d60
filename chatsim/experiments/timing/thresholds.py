"""By how much a benchmark may become slower: a file."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from chatsim.worlds.world import BadParameterError

__all__ = ["DEFAULT", "Thresholds"]

DEFAULT = 1.25
"""The largest ratio, where nothing else is said."""


@dataclass(frozen=True)
class Thresholds:
    """The largest ratio of each benchmark.

    Attributes:
        default: where no pattern fits.
        by_pattern: of names with ``*`` and ``?``; the first that fits counts.
    """

    default: float = DEFAULT
    by_pattern: dict[str, float] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> Thresholds:
        """Read a TOML file: ``default``, and a table ``benchmarks`` with patterns. One that is not there is empty.

        Raises:
            BadParameterError: it can't be read, or a threshold is not above 1.
        """
        try:
            found = tomllib.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return cls()
        except (OSError, ValueError) as error:
            raise BadParameterError(f"{path} can't be read: {error}") from error
        if unknown := sorted({*found} - {"default", "benchmarks"}):
            raise BadParameterError(f"{path} has {unknown[0]!r}; it can have: default, benchmarks")
        by_pattern = found.get("benchmarks", {})
        values = {"default": found.get("default", DEFAULT)} | (by_pattern if isinstance(by_pattern, dict) else {})
        for name, value in values.items():
            if isinstance(value, bool) or not isinstance(value, int | float) or not value > 1:
                raise BadParameterError(f"{path}: {name} is {value!r}; a threshold is a number above 1")
        return cls(float(values.pop("default")), {name: float(value) for name, value in values.items()})

    def of(self, benchmark: str) -> float:
        """The threshold of a benchmark."""
        return next((value for each, value in self.by_pattern.items() if fnmatchcase(benchmark, each)), self.default)
