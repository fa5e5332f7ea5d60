"""Running an experiment in a world, for the Python functions and for the commands."""

from __future__ import annotations

import asyncio
import inspect
import sys
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeAlias

from chatsim.experiments.parameters import parameters
from chatsim.experiments.surroundings import without_passwords
from chatsim.progress import Progress
from chatsim.worlds.choice import choose
from chatsim.worlds.notebook import in_one_message, starts_when_awaited

if TYPE_CHECKING:
    from chatsim.experiments.base import Experiment
    from chatsim.experiments.result import Result
    from chatsim.worlds.model.settings import Model
    from chatsim.worlds.mysql.settings import Servers

__all__ = ["admit", "function", "place", "run", "run_here"]

Function: TypeAlias = Callable[..., Coroutine[Any, Any, "Result"]]

_WORLD = '``"mysql"``, or a `MySQL` that says which server; ``"model"``, or a `Model` that says what things cost'
_PROGRESS = "whether to show progress bars"
_RAISES = {
    "BadParameterError": "a parameter is invalid, two can't be combined, or the machine can't hold what they ask for.",
    "WorldError": "the world is not available, or can't run it.",
    "StrategyError": "a strategy is broken.",
    "DivergenceError": "a run in the model does not repeat itself.",
}


async def run(experiment: Experiment, world: object = "mysql", *, progress: bool = True) -> Result:
    """Run an experiment, and return its result.

    In the model it runs in a thread of its own, so that a notebook's event loop goes on meanwhile.

    Args:
        experiment: the experiment.
        world: ``"mysql"``, or a `MySQL` that says which server; ``"model"``, or a `Model` that says what things cost.
        progress: whether to show progress bars.

    Raises:
        BadParameterError: there is no such world, or this machine can't hold what the run needs.
        WorldError: the world is not available, or can't run it.
        StrategyError: a strategy is broken.
        DivergenceError: a run in the model does not repeat itself.
    """
    settings = place(experiment, choose(world))
    result = experiment.result(settings.name)
    bars = Progress(shown=progress)
    with in_one_message(partial=lambda: result if result.variants else None):
        announcements = [admit(experiment, settings.name), await asyncio.to_thread(settings.announcement)]
        for each in filter(None, announcements if progress else ()):
            print(each, file=sys.stderr)  # noqa: T201 - beside the progress bars
        await settings.run_beside(lambda there: experiment.run(there, result, bars), seed=experiment.seed)
    return result


def place(experiment: Experiment, settings: Servers | Model) -> Servers | Model:
    """Where an experiment runs: one that kills the server has a server of its own."""
    return settings.alone() if experiment.kills_server else settings


def admit(experiment: Experiment, world: str) -> str | None:
    """Refuse what this machine can't hold, or can't end in a week. Returns a sentence if it takes minutes, else None.

    Raises:
        BadParameterError: too much memory would be needed, or too much time.
    """
    import psutil

    demand = experiment.demand(world).times(experiment.repeats)
    demand.check(psutil.virtual_memory().available)
    return demand.announcement()


def run_here(experiment: Experiment, settings: Servers | Model, result: Result, *, progress: bool = True) -> None:
    """Run an experiment to its end, in this thread. ``result`` has its finished variants, also after Ctrl-C.

    Raises as `run`, and `KeyboardInterrupt`.
    """
    bars = Progress(shown=progress)
    settings.run(lambda there: experiment.run(there, result, bars), seed=experiment.seed)


def function(experiment: type[Experiment]) -> Function:
    """The Python function of an experiment: its parameters are the experiment's, and the world."""

    async def call(*, world: object = "mysql", progress: bool = True, **given: Any) -> Result:
        with in_one_message(also=TypeError):
            signature.bind(world=world, progress=progress, **given)  # its error names what is unknown
        result = await run(experiment(**given), world, progress=progress)
        words = ({"world": world} | given).items()
        text = f"chatsim.{experiment.name}({', '.join(f'{name}={value!r}' for name, value in words)})"
        result.environment["command"] = without_passwords(text)
        return result

    declared = list(parameters(experiment))

    def keyword(name: str, default: object, annotation: str) -> inspect.Parameter:
        return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)

    signature = inspect.Signature(
        [
            keyword("world", "mysql", "str | MySQL | Model"),
            *(keyword(each.name, each.default, each.annotation) for each in declared),
            keyword("progress", default=True, annotation="bool"),
        ],
        return_annotation="Result",
    )
    call.__signature__ = signature  # type: ignore[attr-defined]
    call.__name__ = call.__qualname__ = experiment.name
    call.__module__ = "chatsim"
    args = {
        "world": _WORLD,
        **{each.name: f"{each.help}; {each.domain.bounds}" for each in declared},
        "progress": _PROGRESS,
    }
    call.__doc__ = "\n".join(
        [
            inspect.cleandoc(experiment.__doc__ or ""),
            "",
            "Args:",
            *(f"    {name}: {text}." for name, text in args.items()),
            "",
            "Raises:",
            *(f"    {name}: {text}" for name, text in _RAISES.items()),
        ]
    )
    return starts_when_awaited(call)
