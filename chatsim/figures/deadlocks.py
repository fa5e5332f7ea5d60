"""Who waits for whom in a deadlock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatsim.figures.style import POINTS, new_figure, set_heading, wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from chatsim.db.deadlock import Deadlock, Lock, Participant
    from chatsim.db.deadlock_kinds import Deadlocks

_CHARACTERS_PER_INCH = 14
"""How many characters fit into an inch, SQL's capitals among them."""

_TITLE = 0.3
"""The height of a title, in inches."""

_LABELLED = (2, 3)
"""For how many transactions there is room beside the arrows."""

_MOST_KINDS = 6

__all__ = ["deadlock_kinds", "wait_for_graph"]


def deadlock_kinds(deadlocks: Deadlocks) -> Figure:
    """Draw a cycle of each kind below each other, the most frequent first, with how often there was one like it.

    Args:
        deadlocks: what `chatsim.deadlocks` has read from a log. The six most frequent kinds are drawn.
    """
    kinds = deadlocks.kinds()[:_MOST_KINDS]
    heights = [_height(len(kind.example.participants)) + _TITLE for kind in kinds]
    figure = new_figure(8, sum(heights))
    top = 1.0
    for kind, height in zip(kinds, heights, strict=True):
        share = height / sum(heights)
        ax = figure.add_axes((0, top - share, 1, share * (1 - _TITLE / height)))
        wait_for_graph(kind.example, ax)
        set_heading(ax, f" {len(kind):,} time{'s' * (len(kind) != 1)}")
        top -= share
    return figure


def _height(count: int) -> float:
    """The height of a cycle of so many transactions, in inches."""
    return 2.8 if count <= 2 else 4.5


def wait_for_graph(deadlock: Deadlock, ax: Axes | None = None) -> Figure:
    """Draw who waited for whom: a box for each transaction, clockwise, and an arrow from each waiter to the holder.

    The victim's box is dashed, thick and grey. With four or more transactions there is no room beside the arrows, so
    the lock that a transaction waits for is written in its box.

    Args:
        deadlock: the deadlock. Up to six transactions are readable at 8 x 4.5 inches.
        ax: where to draw; its axis is switched off. None makes a new figure.

    Returns:
        The figure that the graph is in.
    """
    count = len(deadlock.participants)
    if ax is None:
        ax = new_figure(8, _height(count)).add_axes((0, 0, 1, 1))
    ax.set_axis_off()
    ax.set(xlim=(0, 1), ylim=(0, 1))

    places = dict(zip((one.number for one in deadlock.participants), _clockwise(count), strict=True))
    inches = ax.get_window_extent().width / ax.figure.dpi
    characters = int(_CHARACTERS_PER_INCH * inches * min(0.3, 0.9 / (count - count // 2)))
    boxes = {}
    for one in deadlock.participants:
        died = one.number == deadlock.victim
        boxes[one.number] = ax.text(
            *places[one.number],
            _box_text(one, deadlock.in_the_way(one), characters, died=died, waits=count not in _LABELLED),
            ha="center",
            va="center",
            fontsize=POINTS,
            parse_math=False,
            bbox={
                "boxstyle": "round,pad=0.6",
                "facecolor": "0.88" if died else "white",
                "edgecolor": "black",
                "linewidth": 2.5 if died else 1.0,
                "linestyle": "dashed" if died else "solid",
            },
        )
    # Two arrows between the same two boxes run side by side, close enough for the smallest box.
    aside = 0.05 if count == 2 else 0.0
    for waiter, holder, lock in deadlock.waits_for():
        if waiter == holder:
            continue  # the other transaction is not in the report
        (x1, y1), (x2, y2) = places[waiter], places[holder]
        shift = aside if x2 > x1 else -aside
        start, end = (x1, y1 + shift), (x2, y2 + shift)
        ax.annotate(
            "",
            xytext=start,
            xy=end,
            arrowprops={
                "arrowstyle": "-|>",
                "color": "black",
                "mutation_scale": 16,
                "patchA": boxes[waiter].get_bbox_patch(),
                "patchB": boxes[holder].get_bbox_patch(),
                "shrinkA": 0,
                "shrinkB": 2,
            },
        )
        if count in _LABELLED:
            _label(ax, lock, ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2))
    figure = ax.get_figure(root=True)
    assert figure is not None
    return figure


def _clockwise(count: int) -> list[tuple[float, float]]:
    """The centres of the boxes in the unit square: two rows, in the order of the cycle; a pair is side by side."""
    if count <= 2:
        return _row(count, 0.5)
    return _row(count // 2, 0.77) + _row(count - count // 2, 0.23)[::-1]


def _row(count: int, y: float) -> list[tuple[float, float]]:
    if count == 1:
        return [(0.5, y)]
    return [(0.165 + 0.67 * i / (count - 1), y) for i in range(count)]


def _box_text(one: Participant, held: tuple[Lock, ...], characters: int, *, died: bool, waits: bool) -> str:
    """A transaction's number, its fate, its statement and its locks, wrapped to a width in characters."""
    lines = 1 if waits else 2
    holds = "what it holds is not in the report" if one.holds is None else "its request is ahead in the queue"
    paragraphs = [
        f"Transaction {one.number}{': rolled back (1213)' if died else ''}",
        wrapped(one.statement, characters, lines=3) if one.statement else "its statement is not in the report",
        _lock_text("holds", held[0], characters, lines) if held else wrapped(holds, characters, lines=2),
    ]
    if waits:
        paragraphs.append(_lock_text("waits for", one.waits, characters, lines))
    return "\n\n".join(paragraphs)


def _label(ax: Axes, lock: Lock | None, middle: tuple[float, float]) -> None:
    """Name the lock waited for beside the middle of its arrow, on the side away from the centre."""
    x, y = middle
    ha, dx = ("left", 0.05) if x > 0.6 else ("right", -0.05) if x < 0.4 else ("center", 0.0)
    va, dy = ("bottom", 0.02) if y > 0.52 else ("top", -0.02) if y < 0.48 else ("center", 0.0)
    ax.text(x + dx, y + dy, _lock_text("waits for", lock, 34, lines=2), ha=ha, va=va, fontsize=POINTS, parse_math=False)


def _lock_text(verb: str, lock: Lock | None, characters: int, lines: int) -> str:
    """A description of a lock and its place. Each name has at most ``lines`` lines."""
    if lock is None:
        return f"{verb} a lock that is\nnot in the report"
    names = (wrapped(name, characters, lines) for name in (lock.place, lock.record) if name)
    return "\n".join([f"{verb} {lock.mode} {lock.kind}", *names])
