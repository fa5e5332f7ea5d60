"""The base class of experiments: parameters, a run in a world, and the columns of a table.

An experiment is a frozen dataclass whose fields are declared with `parameter`. The checks of the Python function
(`chatsim.experiments.runner.function`), the options of the command, the saved config and ``docs/parameters.md`` all
come from this declaration.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from chatsim.experiments.demand import Demand
from chatsim.experiments.parameters import Whole, convert, parameter, parameters, plain, refuse_idle, units
from chatsim.experiments.result import Result
from chatsim.experiments.surroundings import OtherLoad, describe_machine
from chatsim.progress import Progress

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from chatsim.worlds.world import World

__all__ = ["Experiment"]


@dataclass(frozen=True, kw_only=True)
class Experiment(ABC):
    """An experiment, with its parameters as fields.

    Attributes:
        name: the name of the function and of the command.
        title: the title of its table.
        judged: the column whose values a gate can require to be safe, and the parameter that names these values; if it
            is empty, a gate requires that everything is safe.
        circumstances: the columns that say only under which conditions something was tested. A gate requires that it
            was tested under one of them at least.
        totals: the columns that are added up over repetitions, such as counts of what went wrong. Of the others there
            is a mean.
        shared: by column of a variant's key, the measures that do not depend on it.
        explained: what the notes of a result explain, as the help of an option; empty if there are none.
        shown: the columns that are shown, with their headings.

    Raises:
        BadParameterError: a parameter is invalid, or two can't be combined.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    judged: ClassVar[tuple[str, str] | tuple[()]] = ()
    circumstances: ClassVar[tuple[str, ...]] = ()
    totals: ClassVar[tuple[str, ...]] = ()
    shared: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    explained: ClassVar[str] = ""
    shown: ClassVar[Mapping[str, str]]

    repeats: int = parameter(
        1,
        Whole(1),
        "how often everything is measured, in turns, with seeds from the seed on; intervals need two or more",
    )
    seed: int = parameter(1, Whole(0), "of everything that is drawn")

    def __post_init__(self) -> None:
        convert(self)
        self.check_together()
        refuse_idle(self)

    def check_together(self) -> None:  # noqa: B027 - most parameters go with all others
        """Raise `BadParameterError` for parameters that can't be combined."""

    def demand(self, world: str) -> Demand:  # noqa: ARG002
        """What measuring everything once needs of the machine, in the world with this name."""
        return Demand()

    @property
    def kills_server(self) -> bool:
        """Whether it kills the database server, so that it needs one that nobody else uses."""
        return False

    @abstractmethod
    async def measure(self, world: World, result: Result, progress: Progress) -> None:
        """Measure everything once. Each variant is added to ``result`` when it is finished."""

    @staticmethod
    @abstractmethod
    def draw(table: pd.DataFrame, caption: str) -> Figure:
        """Draw the summary of a result."""

    def config(self) -> dict[str, object]:
        """The parameters as plain values."""
        return plain(self)

    def setting(self) -> str:
        """The conditions of the experiment, in words: those that do something here."""
        config = self.config()
        found = []
        for each in parameters(self):
            value = config[each.name]
            if (
                value is not None and each.name != "repeats" and each.applies(self)
            ):  # the result says how many there are
                where = f" {each.when.words}" if each.when and not each.when.always(self) else ""
                found.append(f"{each.name.replace('_', ' ')} {_words(value)}{where}")
        return ", ".join(found)

    def result(self, world: str) -> Result:
        """A result without variants, for a run in the world with this name."""
        config = {"experiment": self.name, "world": world, **self.config()}
        only = {
            each.name: each.when.rows(self) for each in parameters(self) if each.when and not each.when.always(self)
        }
        return Result(
            config, self.title, self.setting(), self.shown, self.draw, self.totals, only, units(self), self.shared
        )

    async def run(self, world: World, result: Result, progress: Progress | None = None) -> None:
        """Clear ``result``, and measure everything in a world, as often as `repeats` says.

        The repetitions follow each other: everything is measured once, then everything once more, and so on. A machine
        that becomes slower is so no disadvantage for what is measured last. Each variant is added when it is finished.

        Raises:
            DatabaseError: the database has refused a statement outside of the experiment's operations.
            StrategyError: a strategy is broken.
            WorldError: the world can't run it.
        """
        result.clear()  # the results of the first run, when determinism is checked
        result.environment |= describe_machine() | dict(world.environment)
        if (most := world.most_connections) is not None:
            self.demand(world.name).check_connections(most)
        before, load = await world.warnings(), OtherLoad()
        for repeat in range(self.repeats):
            result.seed = self.seed + repeat
            await replace(self, seed=result.seed).measure(world, result, progress or Progress(shown=False))
            result.environment["other_load"] = load.cores()
        result.environment["warnings"] = [*dict.fromkeys([*before, *await world.warnings()])]


def _words(value: object) -> str:
    return "/".join(map(str, value)) if isinstance(value, list) else str(value)
