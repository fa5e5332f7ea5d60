"""Whether a kind of cursor, or a protocol that goes by one, loses a message: what does, in text; or nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chatsim.experiments.catchup.cursors import CURSORS, CursorKind
from chatsim.experiments.catchup.protocols import PROTOCOLS
from chatsim.pytest.explorations import explored_cursor, what_is_wrong
from chatsim.pytest.runs import catch_up, judged
from chatsim.worlds.world import BadParameterError

if TYPE_CHECKING:
    from chatsim.experiments.exploring.explored import Explored
    from chatsim.experiments.result import Result

__all__ = ["explored_or_run"]


def explored_or_run(what: CursorKind | str, parameters: dict[str, Any]) -> tuple[Explored | Result, str | None]:
    """What was explored or run, and what is wrong in it.

    Raises as `assert_no_message_lost`, but for the `AssertionError`.
    """
    if isinstance(what, CursorKind) or what in CURSORS:
        return _explored(what if isinstance(what, CursorKind) else CURSORS[what], parameters)
    if what not in PROTOCOLS:
        known = f"the cursors {', '.join(CURSORS)}, and the protocols {', '.join(PROTOCOLS)}"
        raise BadParameterError(f"{what!r} is no cursor and no protocol; there are {known}")
    given = dict(parameters)
    world = given.pop("world", None)
    experiment = catch_up(what, given)
    for name in experiment.cursors:
        explored, wrong = _explored(CURSORS[name], {})
        if wrong is not None:
            return explored, f"the protocol {what} goes by a cursor that loses messages.\n{wrong}"
    return judged(experiment, world)


def _explored(kind: CursorKind, how: dict[str, object]) -> tuple[Explored, str | None]:
    explored = explored_cursor(kind, **({"prune": True} | how))  # what a reader looks at first concerns nobody
    return explored, what_is_wrong(explored)
