"""Pictures of results; they take a result and an Axes, and measure nothing."""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
from matplotlib.ticker import LogLocator, NullFormatter

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from chatsim.conformance.schedule import LockRow, Schedule, ScheduleOutcome, StepOutcome
    from chatsim.db.deadlock import Deadlock, Lock, Participant

__all__ = ["catch_up", "delivery", "lock_steps", "pages", "strategies", "wait_for_graph"]

_POINTS = 8
"""The size of all text."""

_CHARACTERS_PER_INCH = 14
"""How many of them fit into an inch, SQL's capitals among them."""


def wait_for_graph(deadlock: Deadlock, ax: Axes | None = None) -> Axes:
    """Draw who waited for whom: a box per transaction, clockwise, and an arrow from each waiter to its holder.

    The victim's box is dashed, thick and grey. With four or more transactions there is no room beside the arrows,
    and what a transaction waits for stands in its box.

    Args:
        deadlock: what to draw; up to six transactions can be read at 8 x 4.5 inches.
        ax: where to draw; its axis is switched off. A figure is made when None.
    """
    count = len(deadlock.participants)
    if ax is None:
        figure = plt.figure(figsize=(8, 2.8 if count == 2 else 4.5))
        ax = figure.add_axes((0, 0, 1, 1))
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
            _box_text(one, deadlock.in_the_way(one), characters, died=died, waits=count > 3),
            ha="center",
            va="center",
            fontsize=_POINTS,
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
        if count <= 3:
            _label(ax, lock, ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2))
    return ax


def _clockwise(count: int) -> list[tuple[float, float]]:
    """Centres of the boxes in the unit square: two rows, in the order of the cycle; a pair stands side by side."""
    if count == 2:
        return _row(2, 0.5)
    return _row(count // 2, 0.77) + _row(count - count // 2, 0.23)[::-1]


def _row(count: int, y: float) -> list[tuple[float, float]]:
    if count == 1:
        return [(0.5, y)]
    return [(0.165 + 0.67 * i / (count - 1), y) for i in range(count)]


def _box_text(one: Participant, held: tuple[Lock, ...], characters: int, *, died: bool, waits: bool) -> str:
    """A transaction's number, its fate, its statement and its locks, wrapped to a width in characters."""
    lines = 1 if waits else 2
    paragraphs = [
        f"Transaction {one.number}{': rolled back (1213)' if died else ''}",
        _wrapped(one.statement, characters, lines=3),
        _lock_text("holds", held[0], characters, lines) if held else "its request is ahead in the queue",
    ]
    if waits:
        paragraphs.append(_lock_text("waits for", one.waits, characters, lines))
    return "\n\n".join(paragraphs)


def _label(ax: Axes, lock: Lock, middle: tuple[float, float]) -> None:
    """Name the lock waited for beside the middle of its arrow, on the side away from the centre."""
    x, y = middle
    ha, dx = ("left", 0.05) if x > 0.6 else ("right", -0.05) if x < 0.4 else ("center", 0.0)
    va, dy = ("bottom", 0.02) if y > 0.52 else ("top", -0.02) if y < 0.48 else ("center", 0.0)
    ax.text(
        x + dx, y + dy, _lock_text("waits for", lock, 34, lines=2), ha=ha, va=va, fontsize=_POINTS, parse_math=False
    )


def _lock_text(verb: str, lock: Lock, characters: int, lines: int) -> str:
    """What a lock is and where, its names on at most ``lines`` lines each."""
    names = (_wrapped(name, characters, lines) for name in (lock.place, lock.record))
    return "\n".join([f"{verb} {lock.mode} {lock.kind}", *names])


def _wrapped(text: str, characters: int, lines: int) -> str:
    return "\n".join(wrap(text, characters, max_lines=lines, placeholder=" …"))


def strategies(table: pd.DataFrame, caption: str = "") -> Figure:
    """Compare strategies: a row of axes per pattern, goodput at the left, latency from median to p99 at the right.

    A strategy whose verdict is not ``safe`` is hatched, and its name says why.

    Args:
        table: a result's summary, one row per strategy and pattern.
        caption: the run's conditions, printed beneath.
    """
    patterns = list(dict.fromkeys(table["pattern"]))
    tallest = max(len(table[table["pattern"] == pattern]) for pattern in patterns)
    figure, axes = plt.subplots(
        len(patterns),
        2,
        figsize=(10, 1.2 + len(patterns) * (0.7 + 0.27 * tallest)),
        squeeze=False,
        layout="constrained",
        sharex="col",
    )
    plt.close(figure)  # who asked for it shows it; a notebook would show it twice
    for pattern, (left, right) in zip(patterns, axes, strict=True):
        part = table[table["pattern"] == pattern].iloc[::-1]
        names = [
            name if word == "safe" else f"{name} ({word})"
            for name, word in zip(part["strategy"], part["verdict"], strict=True)
        ]
        safe = (part["verdict"] == "safe").to_numpy()
        bars = left.barh(names, part["goodput_per_s"], color="0.55", edgecolor="black", linewidth=0.6)
        for bar, is_safe in zip(bars, safe, strict=True):
            if not is_safe:
                bar.set(hatch="////", facecolor="white")
        left.set_title(pattern, loc="left", fontsize=10, fontweight="bold")
        places = range(len(part))
        right.hlines(places, part["p50_ms"], part["p99_ms"], color="0.55", linewidth=3)
        right.plot(part["p50_ms"], places, "o", color="black", markersize=5, label="median")
        right.plot(part["p99_ms"], places, "|", color="black", markersize=10, markeredgewidth=2, label="p99")
        right.set(xscale="log", yticks=[], ylim=left.get_ylim())
        right.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        right.xaxis.set_major_formatter("{x:g}")
        right.xaxis.set_minor_formatter(NullFormatter())
        right.grid(axis="x", which="both", color="0.9")
        right.set_axisbelow(True)
    axes[-1, 0].set_xlabel("private chats answered per second (goodput)")
    axes[-1, 1].set_xlabel("latency, ms (log scale)")
    axes[0, 1].legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, frameon=False, fontsize=_POINTS)
    figure.supxlabel("\n".join(wrap(caption, 165)), fontsize=7.5, x=0.01, ha="left")
    return figure


def catch_up(table: pd.DataFrame, caption: str = "") -> Figure:
    """Ways to catch up: for each round-trip time the first screen and the end, beside what no way can be faster than.

    Where only cursors were compared, what each lost, and how many messages a second were written with it. A name says
    what else is wrong than nothing.

    Args:
        table: the rows of a report of catching up.
        caption: the run's conditions, printed beneath.
    """
    away = table[table["protocol"] != "direct"]
    direct = table[table["protocol"] == "direct"]
    distances = list(dict.fromkeys(away["rtt_ms"]))
    heights = [0.35 * len(away[away["rtt_ms"] == each]) + 0.9 for each in distances]
    heights += [0.35 * len(direct) + 0.9] if len(direct) else []
    figure, axes = plt.subplots(
        len(heights), 1, figsize=(10, sum(heights) + 0.9), height_ratios=heights, squeeze=False, layout="constrained"
    )
    plt.close(figure)  # who asked for it shows it
    for distance, (ax,) in zip(distances, axes, strict=False):
        part = away[away["rtt_ms"] == distance].iloc[::-1]
        places = range(len(part))
        ax.hlines(places, part["first_screen_ms"], part["caught_up_ms"], color="0.55", linewidth=3)
        ax.plot(part["first_screen_ms"], places, "o", color="black", markersize=5, label="first screen")
        ax.plot(part["caught_up_ms"], places, "|", color="black", markersize=12, markeredgewidth=2, label="everything")
        ax.plot(part["lower_bound_ms"], places, "D", color="white", markeredgecolor="black", label="lower bound")
        ax.set(xscale="log", xlabel="ms from the request to catch up (log scale)", ylim=(-0.6, len(part) - 0.4))
        ax.set_yticks(places, [_called(*row) for row in part[["protocol", "cursor", "lost"]].to_numpy()])
        ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.xaxis.set_major_formatter("{x:,g}")
        ax.xaxis.set_minor_formatter(NullFormatter())
        ax.grid(axis="x", which="both", color="0.9")
        ax.set_axisbelow(True)
        ax.set_title(f"{distance:g} ms round trip", loc="left", fontsize=10, fontweight="bold")
        ax.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=3, frameon=False, fontsize=_POINTS)
    if len(direct):
        ax, part = axes[-1, 0], direct.iloc[::-1]
        names = [_called("", *row) for row in part[["cursor", "lost"]].to_numpy()]
        bars = ax.barh(names, part["writes_per_s"], color="0.55", edgecolor="black", linewidth=0.6)
        for bar, lost in zip(bars, part["lost"], strict=True):
            if lost:
                bar.set(hatch="////", facecolor="white")
        ax.set_xlabel("messages written per second")
        ax.set_title("straight on the database", loc="left", fontsize=10, fontweight="bold")
    figure.supxlabel("\n".join(wrap(caption, 165)), fontsize=7.5, x=0.01, ha="left")
    return figure


def _called(protocol: str, cursor: str, lost: int) -> str:
    name = ", ".join(filter(None, (protocol, cursor)))
    return f"{name} (lost {lost:,})" if lost else name


def delivery(table: pd.DataFrame, caption: str = "") -> Figure:
    """Compare how soon texts are delivered: axes for each hop, a bar from nought to p50 for each way, a line to p99.

    Args:
        table: one row for each way and hop, as `chatsim.delivery` reports.
        caption: stands beneath.
    """
    hops = list(dict.fromkeys(table["hop"]))
    ways = table.groupby(["path", "presence", "peers"], sort=False).ngroups
    figure, row = plt.subplots(
        1, len(hops), figsize=(9, 1.4 + 0.3 * ways), sharey=True, squeeze=False, layout="constrained"
    )
    for ax, hop in zip(row[0], hops, strict=True):
        of_hop = table[table["hop"] == hop].iloc[::-1]
        names = [f"{each.path}: {each.presence}, {each.peers}" for each in of_hop.itertuples()]
        p50, p99 = of_hop["p50_ms"].astype(float).fillna(0.0), of_hop["p99_ms"].astype(float)
        ax.barh(names, p50, color="0.8", edgecolor="black")
        ax.hlines(names, p50, p99.fillna(p50), color="black")
        ax.set_title(hop, fontsize=_POINTS)
        ax.set_xlabel("ms, p50 and p99", fontsize=_POINTS)
        ax.tick_params(labelsize=_POINTS)
    figure.supxlabel("\n".join(wrap(caption, 150)), fontsize=_POINTS - 2)
    return figure


_MARKS = ("o", "s", "^", "D", "v", "P", "X", "*")


def pages(table: pd.DataFrame, caption: str = "") -> Figure:
    """What a page costs, by depth: index reads against the length of the list, both on log scales.

    The dotted line is four times the page. Lines that lie upon each other are told apart by their marks.

    Args:
        table: the rows of a report of pages.
        caption: the run's conditions, printed beneath.
    """
    costs = table.drop_duplicates(["strategy", "existing", "depth"])
    depths = list(dict.fromkeys(costs["depth"]))
    figure, axes = plt.subplots(
        1, len(depths), figsize=(1.6 + 3.2 * len(depths), 3.8), squeeze=False, layout="constrained", sharey=True
    )
    plt.close(figure)  # who asked for it shows it
    for depth, ax in zip(depths, axes[0], strict=True):
        part = costs[costs["depth"] == depth]
        for at, name in enumerate(dict.fromkeys(part["strategy"])):
            line = part[part["strategy"] == name].sort_values("existing")
            ax.plot(
                line["existing"],
                line["index_reads"],
                color=f"{0.15 * (at % 4)}",
                linestyle=("solid", "dashed", "dashdot", (0, (1, 1)))[at % 4],
                linewidth=1.2,
                marker=_MARKS[at % len(_MARKS)],
                markersize=9 - at,
                markerfacecolor="white" if at % 2 else None,
                label=name,
            )
        most = 4 * part["page_size"].iloc[0]
        ax.axhline(most, color="black", linestyle="dotted", linewidth=1)
        if ax is axes[0, 0]:
            ax.annotate(
                "4 × the page", (0.02, most), (0, 2), ax.get_yaxis_transform(), "offset points", fontsize=_POINTS
            )
        ax.set(xscale="log", yscale="log", xlabel="entries in the list")
        ax.set_title(f"{depth} page", loc="left", fontsize=10, fontweight="bold")
        ax.grid(which="major", color="0.9")
        ax.set_axisbelow(True)
    axes[0, 0].set_ylabel("rows read in indexes, for a page")
    handles, names = axes[0, -1].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside right upper", frameon=False, fontsize=_POINTS)
    figure.supxlabel("\n".join(wrap(caption, 165)), fontsize=7.5, x=0.01, ha="left")
    return figure


def lock_steps(schedule: Schedule, outcome: ScheduleOutcome, index: str, title: str = "") -> Figure:
    """Draw the locks on one index after each step of a schedule: a row per step, the index from left to right.

    A record is a tick, a gap the space to its left; each session has a line of its own in a row. A bar lies over what
    the session has locked; an empty one with a dashed edge is what it waits for. A key that is first seen when
    something was written is taken to be new then. An insert's intention, once granted, holds up nobody and is left out.

    Args:
        schedule: the script.
        outcome: what came of it; its lock rows are drawn.
        index: ``table.index``.
        title: printed above.
    """
    table, _, name = index.partition(".")
    rows = [[row for row in step.locks or () if row[1:3] == (table, name)] for step in outcome.steps]
    scale = _Scale(schedule, outcome, rows)
    count = len(rows)
    figure, ax = plt.subplots(figsize=(10, 1.1 + 0.25 * count * len(schedule.sessions)), layout="constrained")
    plt.close(figure)  # who asked for it shows it
    for at, (step, after, locks) in enumerate(zip(schedule.steps, outcome.steps, rows, strict=True)):
        top = count - at
        ax.axhspan(top - 1, top, color="0.96" if at % 2 else "white", zorder=0)
        said = f"{_wrapped(f'{step.n}  {step.session}: {step.sql}', 62, lines=2)}{_ends(after)}"
        ax.text(-0.1, top - 0.5, said, ha="right", va="center", fontsize=_POINTS, parse_math=False)
        for row in locks:
            if not ("INSERT" in row[4] and row[5] == "GRANTED"):
                _bar(ax, row, scale.reach(row, at), top, schedule.sessions)
    for key, place in scale.places.items():
        ax.plot([place, place], [0, count - scale.new_at[key]], color="0.6", linewidth=0.8, zorder=1)
        ax.text(place, count + 0.08, "the end" if key == _END else f"({key})", ha="center", fontsize=_POINTS)
    ax.set(xlim=(0, scale.width), ylim=(0, count))
    ax.set_axis_off()
    figure.suptitle(title or f"Locks on {index}", fontsize=10, x=0.01, ha="left")
    return figure


_END = "supremum pseudo-record"
_AROUND = 0.22  # how far a record's own bar reaches to either side


class _Scale:
    """Where keys are drawn, and from which row on each is there."""

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
        """From where to where a lock is drawn in the ``at``-th row."""
        place, mode = self.places[str(row[6])], row[4]
        before = [other for key, other in self.places.items() if other < place and self.new_at[key] <= at]
        left = max(before, default=-0.3) + _AROUND + 0.1
        if "REC_NOT_GAP" in mode:
            return place - _AROUND, place + _AROUND
        whole = mode in ("S", "X") and row[6] != _END
        return left, place + _AROUND if whole else place - 0.1


def _key_order(key: str) -> tuple[bool, list[tuple[bool, float, str]]]:
    """Keys as an index has them: NULL first, numbers by value, the supremum last."""
    parts = [part.strip() for part in key.split(",")]
    return key.startswith("supremum"), [
        (part != "NULL", float(part), "") if part.lstrip("-").isdigit() else (part != "NULL", 0.0, part)
        for part in parts
    ]


def _ends(after: StepOutcome) -> str:
    """What ended with an error in a step, and who waits after it, on a line beneath."""
    said = [f"{each.session}: {each.errno}" for each in after.completed if each.errno]
    said += [f"{name} waits for {', '.join(waits.by) or 'others'}" for name, waits in after.blocked.items()]
    return "\n" + "; ".join(said) if said else ""


def _bar(ax: Axes, row: LockRow, reach: tuple[float, float], top: int, sessions: Sequence[str]) -> None:
    """One lock of a session, on its line of a row."""
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
