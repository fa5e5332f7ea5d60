"""What an experiment is: parameters, a run in a world, and columns of a table.

An experiment is a frozen dataclass whose fields are declared by `parameter`. From that declaration come the checks of
the Python function (`chatsim.experiments.runner.function`), the options of the command, the saved config and
``docs/parameters.md``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from chatsim.experiments.parameters import Whole, check, parameter, plain
from chatsim.experiments.progress import Progress
from chatsim.experiments.result import Result, describe_machine

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from chatsim.worlds.world import World

__all__ = ["Experiment"]


@dataclass(frozen=True, kw_only=True)
class Experiment(ABC):
    """What is measured, with its parameters as fields.

    Attributes:
        name: of the function and the command.
        title: what is done, in a few words, for the head of a table.
        judged: the column whose values a gate can demand to be safe, and the parameter that names these values; if it
            is empty, a gate demands that everything is safe.
        explained: what the notes of a result explain, as the help of an option; empty if there are none.
        shown: the columns that are shown, with their headings.

    Raises:
        BadParameterError: a parameter makes no sense, or two don't go together.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    judged: ClassVar[tuple[str, str] | tuple[()]] = ()
    explained: ClassVar[str] = ""
    shown: ClassVar[Mapping[str, str]]

    seed: int = parameter(1, Whole(0), "of everything that is drawn")

    def __post_init__(self) -> None:
        check(self)
        self.check_together()

    def check_together(self) -> None:  # noqa: B027 - most parameters go with all others
        """Raise a `BadParameterError` for parameters that don't go together."""

    @abstractmethod
    async def measure(self, world: World, result: Result, progress: Progress) -> None:
        """Measure everything, adding each variant to ``result`` as it finishes."""

    @abstractmethod
    def draw(self, table: pd.DataFrame, caption: str) -> Figure:
        """Draw the summary of a result."""

    def config(self) -> dict[str, object]:
        """The parameters as plain values."""
        return plain(self)

    def setting(self) -> str:
        """The conditions that a headline must carry, in words."""
        given = {name: value for name, value in self.config().items() if value is not None}
        return ", ".join(f"{name.replace('_', ' ')} {_words(value)}" for name, value in given.items())

    def result(self, world: str) -> Result:
        """A result without variants, for a run in the world of that name."""
        config = {"experiment": self.name, "world": world, **self.config()}
        return Result(config, self.title, self.setting(), self.shown, self.draw)

    async def run(self, world: World, result: Result, progress: Progress | None = None) -> None:
        """Measure everything in a world, anew, adding each variant to ``result`` as it finishes.

        Raises:
            DatabaseError: the database refused what is no operation of the experiment.
            StrategyError: a strategy is broken.
            WorldError: the world can't do it.
        """
        result.clear()  # what a run before has found, when a run is repeated to see whether it repeats itself
        result.environment |= describe_machine() | dict(world.environment)
        await self.measure(world, result, progress or Progress(shown=False))


def _words(value: object) -> str:
    return "/".join(map(str, value)) if isinstance(value, list) else str(value)
