"""One setting of a sweep is measured: the function that a worker calls, in another process or on another machine."""

from __future__ import annotations

from chatsim.experiments.runner import run_here
from chatsim.experiments.sweeping.setting import Setting
from chatsim.experiments.variant import Variant

__all__ = ["Row", "measure"]

Row = dict[str, object]
"""A row of a sweep: what varies, the seed, and the key, the measures and the verdict of one variant."""


def measure(setting: Setting) -> list[Row]:
    """Run a setting in the model. Returns a row for each variant of the result.

    Raises:
        BadParameterError, WorldError, StrategyError: it can't be run.
    """
    experiment, world = setting.prepare()
    result = experiment.result(world.name)
    run_here(experiment, world, result, progress=False)
    return [{**setting.varied, "seed": setting.seed, **_flat(variant)} for variant in result.variants]


def _flat(variant: Variant) -> Row:
    """The row of a variant without texts that only a reader of one run needs; a measure by name has a column each."""
    row: Row = {}
    for name, value in variant.row().items():
        if isinstance(value, dict):
            row |= {f"{name}: {part}": number for part, number in value.items()}
        elif name not in ("why", "remark") and (value is None or isinstance(value, bool | int | float | str)):
            row[name] = value
    return row
