"""Which anomaly each isolation level lets happen: all of them, tried out at each level."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from chatsim.conformance.anomalies import ANOMALIES, SETUP, IsolationAnomaly
from chatsim.conformance.play import player
from chatsim.conformance.schedule import Play, Schedule, ScheduleOutcome, Step
from chatsim.db.session import Isolation
from chatsim.progress import Progress
from chatsim.worlds.model.settings import Model
from chatsim.worlds.mysql.settings import Servers as MySQL
from chatsim.worlds.notebook import starts_when_awaited

__all__ = ["AnomalyMatrix", "anomalies", "arrange", "happened"]


@dataclass(frozen=True)
class AnomalyMatrix:
    """Which anomaly happens at which isolation level.

    Attributes:
        server: what it was tried on, such as ``MySQL 9.7.0``.
        happens: by the anomaly's name and the level, such as ``REPEATABLE READ``.
    """

    server: str
    happens: dict[str, dict[str, bool]]

    def rows(self) -> list[dict[str, str]]:
        """A row for each anomaly: its name, what it is, and ``happens`` or ``prevented`` for each level."""
        return [
            {"anomaly": each.name, "what it is": each.title}
            | {level: "happens" if there else "prevented" for level, there in self.happens[each.name].items()}
            for each in ANOMALIES
        ]

    def markdown(self) -> str:
        """The rows as a table for a document."""
        rows = self.rows()
        head, *lines = [f"| {' | '.join(line)} |" for line in [list(rows[0]), *(row.values() for row in rows)]]
        return "\n".join([head, f"|{'---|' * len(rows[0])}", *lines])

    def __repr__(self) -> str:
        rows = self.rows()
        widths = {name: max(len(name), *(len(row[name]) for row in rows)) for name in rows[0]}
        lines = [{name: name for name in rows[0]}, *rows]
        table = "\n".join("  ".join(line[name].ljust(widths[name]) for name in line).rstrip() for line in lines)
        return f"{table}\non {self.server}"

    def _repr_html_(self) -> str:
        rows = self.rows()
        head = "".join(f"<th>{escape(name)}</th>" for name in rows[0])
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(value)}</td>" for value in row.values()) + "</tr>" for row in rows
        )
        return (
            f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
            f"<p><small>on {escape(self.server)}</small></p>"
        )


@starts_when_awaited
async def anomalies(*, world: str | MySQL | Model = "mysql", progress: bool = True) -> AnomalyMatrix:
    """Try out which of Hermitage's anomalies happen at each of MySQL's four isolation levels.

    Args:
        world: ``"mysql"``, or a `MySQL` that says which server; ``"model"``, or a `Model`. On a server that you name,
            an InnoDB counter is enabled meanwhile (``innodb_monitor_enable``) and put back afterwards.
        progress: whether to show a progress bar.

    Raises:
        BadParameterError: there is no such world; or a `Model` has costs, which nothing here depends on.
        WorldError: the world is not available.
        DivergenceError: the model was to check that a schedule repeats itself, and it does not.
    """
    trials = [(anomaly, level) for anomaly in ANOMALIES for level in Isolation]
    found: dict[str, dict[str, bool]] = {anomaly.name: {} for anomaly in ANOMALIES}
    async with player(world) as (play, server):
        with Progress(shown=progress).bar(len(trials), "schedule") as bar:
            for anomaly, level in trials:
                schedule, numbers = await asyncio.to_thread(_arrange_in_model, anomaly, level)
                found[anomaly.name][level.value] = happened(anomaly, await play(schedule), numbers)
                bar.update()
    return AnomalyMatrix(server, found)


def _arrange_in_model(anomaly: IsolationAnomaly, level: Isolation) -> tuple[Schedule, list[int]]:
    from chatsim.conformance import model_player

    return arrange(anomaly, level, model_player.play)


def arrange(anomaly: IsolationAnomaly, level: Isolation, play: Play) -> tuple[Schedule, list[int]]:
    """The anomaly as a schedule at one level. A session that waits goes on later; one that got an error stops.

    Args:
        anomaly: the anomaly.
        level: the isolation level of all its sessions.
        play: plays a schedule. It is called once for each step; the model is quick at it.

    Returns:
        The schedule, and for each of its steps the number that it has in the anomaly.
    """
    done: list[Step] = []
    numbers: list[int] = []
    todo = [(number, *step) for number, step in enumerate(anomaly.steps, start=1)]
    waiting: Iterable[str] = ()
    refused: set[str] = set()
    while todo:
        place = next((at for at, (_, session, _) in enumerate(todo) if session not in waiting), None)
        if place is None:
            break
        number, session, sql = todo.pop(place)
        if session in refused:
            continue
        done.append(Step(len(done) + 1, session, sql))
        numbers.append(number)
        last = play(_schedule(anomaly, level, done)).steps[-1]
        waiting = last.blocked
        refused |= {each.session for each in last.completed if each.result == "error"}
    return _schedule(anomaly, level, done), numbers


def happened(anomaly: IsolationAnomaly, outcome: ScheduleOutcome, numbers: Sequence[int]) -> bool:
    """Whether an outcome of the schedule that `arrange` made shows the anomaly."""
    ended = {numbers[each.step - 1]: each for step in outcome.steps for each in step.completed}
    final = {int(str(row[0])): int(str(row[1])) for row in outcome.final["test"].rows}
    return anomaly.shows(ended, final)


def _schedule(anomaly: IsolationAnomaly, level: Isolation, steps: Sequence[Step]) -> Schedule:
    sessions = list(dict.fromkeys(session for session, _ in anomaly.steps))
    return Schedule(
        id=f"{anomaly.name}, {level.value}",
        title=anomaly.title,
        isolation=level.value,
        setup=SETUP,
        sessions=sessions,
        steps=list(steps),
    )
