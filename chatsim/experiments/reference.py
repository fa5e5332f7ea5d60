"""Prints ``docs/parameters.md``: the declared parameters of every experiment.

python -m chatsim.experiments.reference > docs/parameters.md
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from chatsim.experiments.functions import EXPERIMENTS
from chatsim.experiments.parameters import Parameter, parameters

if TYPE_CHECKING:
    from chatsim.experiments.base import Experiment

__all__ = ["page"]

_HEAD = """\
# Parameters

The parameters of each experiment. The same name is a keyword of the Python function, an option of the command (with
dashes: `page_size` is `--page-size`) and a line of the saved `config.toml`. Where several values are allowed, Python
takes one value, a list, or names separated by commas; a command takes values separated by commas, or the option several
times.

A function also takes `world` (`"mysql"` or `"model"`, or a `chatsim.MySQL` or `chatsim.Model` with its settings) and
`progress`; a command also has options that say where it runs and what is done with the result: `chatsim race --help`.

This page is made from the declarations: `python -m chatsim.experiments.reference > docs/parameters.md`.
"""


def page() -> str:
    """The page, in Markdown."""
    return "\n".join([_HEAD, *("\n".join(_section(each)) for each in EXPERIMENTS)])


def _section(experiment: type[Experiment]) -> Iterator[str]:
    yield from (f"## {experiment.title}", "", inspect.cleandoc(experiment.__doc__ or ""), "")
    yield f"Command: `chatsim {experiment.name}`. Function: `chatsim.{experiment.name}`."
    yield ""
    yield from ("| parameter | default | what is allowed | what it is for |", "|---|---|---|---|")
    for each in parameters(experiment):
        cells = (f"`{each.name}`", _default(each), each.domain.bounds, each.help)
        yield f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"
    yield ""


def _default(declared: Parameter) -> str:
    return "not given" if declared.default is None else f"`{declared.default}`"


if __name__ == "__main__":
    sys.stdout.write(page())
