"""The locks on an index, step by step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatsim.figures.style import POINTS, new_figure, wrapped
from chatsim.worlds.world import BadParameterError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from chatsim.conformance.schedule import LockRow, Schedule, ScheduleOutcome, StepOutcome

__all__ = ["lock_steps"]


def lock_steps(schedule: Schedule, outcome: ScheduleOutcome, index: str, title: str = "") -> Figure:
    """Draw the locks on one index after each step of a schedule: a row for each step, the index from left to right.

    A record is a tick; a gap is the space to the left of a tick. Each session has a line of its own in a row. A bar
    covers what the session has locked; an empty bar with a dashed edge is what it waits for. A key that first appears
    after a write counts as new then. A granted insert intention blocks no one, and is left out.

    Args:
        schedule: the script.
        outcome: its outcome, with lock rows.
        index: the index, as ``table.index``.
        title: printed above.

    Raises:
        BadParameterError: locks are on other indexes, and none is on that one.
    """
    table, _, name = index.partition(".")
    locked = sorted({f"{row[1]}.{row[2]}" for step in outcome.steps for row in step.locks or () if row[2]})
    if locked and index not in locked:
        raise BadParameterError(f"nothing is locked on {index!r}; there are locks on: {', '.join(locked)}")
    rows = [[row for row in step.locks or () if row[1:3] == (table, name)] for step in outcome.steps]
    scale = _Scale(schedule, outcome, rows)
    count = len(rows)
    figure = new_figure(10, 1.1 + 0.25 * count * len(schedule.sessions), layout="constrained")
    ax = figure.subplots()
    for at, (step, after, locks) in enumerate(zip(schedule.steps, outcome.steps, rows, strict=True)):
        top = count - at
        ax.axhspan(top - 1, top, color="0.96" if at % 2 else "white", zorder=0)
        label = f"{wrapped(f'{step.n}  {step.session}: {step.sql}', 62, lines=2)}{_ends(after)}"
        ax.text(-0.1, top - 0.5, label, ha="right", va="center", fontsize=POINTS, parse_math=False)
        for row in locks:
            if not ("INSERT" in row[4] and row[5] == "GRANTED"):
                _bar(ax, row, scale.reach(row, at), top, schedule.sessions)
    for key, place in scale.places.items():
        ax.plot([place, place], [0, count - scale.new_at[key]], color="0.6", linewidth=0.8, zorder=1)
        ax.text(place, count + 0.08, "the end" if key == _END else f"({key})", ha="center", fontsize=POINTS)
    ax.set(xlim=(0, scale.width), ylim=(0, count))
    ax.set_axis_off()
    figure.suptitle(title or f"Locks on {index}", fontsize=10, x=0.01, ha="left")
    return figure


_END = "supremum pseudo-record"
_AROUND = 0.22  # how far the bar of a record reaches on either side


class _Scale:
    """The positions of keys, and the first row of each."""

    def __init__(self, schedule: Schedule, outcome: ScheduleOutcome, rows: Sequence[Sequence[LockRow]]) -> None:
        keys = sorted({str(row[6]) for step in rows for row in step}, key=_key_order)
        self.places = {key: 2 * at + 1.5 for at, key in enumerate(keys)}
        self.width = 2 * len(keys) + 0.5
        self.new_at = dict.fromkeys(keys, 0)
        written = ("INSERT", "REPLACE", "UPDATE")
        for key in keys:
            first = next(at for at, step in enumerate(rows) if any(str(row[6]) == key for row in step))
            ended = [schedule.steps[each.step - 1].sql for each in outcome.steps[first].completed]
            if key != _END and any(sql.upper().startswith(written) for sql in ended):
                self.new_at[key] = first

    def reach(self, row: LockRow, at: int) -> tuple[float, float]:
        """The left and right end of a lock in row ``at``."""
        place, mode = self.places[str(row[6])], row[4]
        before = [other for key, other in self.places.items() if other < place and self.new_at[key] <= at]
        left = max(before, default=-0.3) + _AROUND + 0.1
        if "REC_NOT_GAP" in mode:
            return place - _AROUND, place + _AROUND
        whole = mode in ("S", "X") and row[6] != _END
        return left, place + _AROUND if whole else place - 0.1


def _key_order(key: str) -> tuple[bool, list[tuple[bool, float, str]]]:
    """The order of keys in an index: NULL first, numbers by value, the supremum last."""
    parts = [part.strip() for part in key.split(",")]
    return key.startswith("supremum"), [
        (part != "NULL", float(part), "") if part.lstrip("-").isdigit() else (part != "NULL", 0.0, part)
        for part in parts
    ]


def _ends(after: StepOutcome) -> str:
    """The statements that ended with an error in a step, and the waiting sessions, on separate lines."""
    lines = [f"{each.session}: {each.errno}" for each in after.completed if each.errno]
    lines += [f"{name} waits for {', '.join(waits.by) or 'others'}" for name, waits in after.blocked.items()]
    return "\n" + "; ".join(lines) if lines else ""


def _bar(ax: Axes, row: LockRow, reach: tuple[float, float], top: int, sessions: Sequence[str]) -> None:
    """Draw one lock of a session, on its line of a row."""
    (left, right), held, at = reach, row[5] == "GRANTED", sessions.index(row[0])
    dark = held and at % 2 == 0
    middle = top - (at + 0.5) / len(sessions)
    ax.barh(
        middle,
        right - left,
        left=left,
        height=(0.66 if held else 0.86) / len(sessions),
        facecolor=("0.3" if dark else "0.75") if held else "none",
        edgecolor="black",
        linestyle="solid" if held else "dashed",
        linewidth=0.8 if held else 1.3,
        zorder=2 if held else 4,
    )
    words = f"{row[0]} {row[4].partition(',')[0]}" if held else f"{row[0]} waits{' to insert' * ('INSERT' in row[4])}"
    ax.text(
        *(left + 0.06 if held else right - 0.06, middle, words),
        ha="left" if held else "right",
        va="center",
        fontsize=6.5,
        color="white" if dark else "black",
        bbox=None if held else {"facecolor": "white", "edgecolor": "none", "pad": 0.8},
        zorder=3 if held else 5,
    )
