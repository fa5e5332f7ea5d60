"""Replay: an interleaving that the exploration has found, as a schedule that a real server plays."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Sequence
from typing import cast

import msgspec

from chatsim.conformance import model_player, mysql_player
from chatsim.conformance.comparison import Comparison, compare
from chatsim.conformance.schedule import KILL, Schedule, number_steps
from chatsim.db.text import fill, statements
from chatsim.exploration.problem import EPOCH, Problem
from chatsim.exploration.verdict import Interleaving
from chatsim.worlds.mysql.settings import Servers
from chatsim.worlds.mysql.world import MySQLWorld

__all__ = ["NotReplayableError", "replays", "schedule_of"]

_CLOCK = re.compile(r"\b(NOW|CURDATE|CURTIME|SYSDATE|UNIX_TIMESTAMP|CURRENT_\w+|LOCALTIME\w*|UTC_\w+)\b", re.IGNORECASE)
_SET_TIME = f"SET SESSION timestamp = {EPOCH}"

_UNFORCED = {
    "time out": "a wait takes too long in it",
    "wake": "a caller sleeps in it, which no schedule can let others overtake",
    "on": "a statement is overtaken inside it, and no lock was found whose holder would stop it there",
}
"""The choices that no schedule can force, and why."""


class NotReplayableError(Exception):
    """No schedule can force an interleaving. The message says why."""


def schedule_of(interleaving: Interleaving, problem: Problem, name: str, title: str = "") -> Schedule:
    """The schedule of an interleaving.

    A caller that dies, whose reply is lost, or whose connection ends with locks, is a session that is killed. Which of
    several waiters that are let go at once goes on first is the server's choice: such steps are listed as
    ``concurrent_wakeups``.

    Raises:
        NotReplayableError: a wait takes too long in it, or somebody goes on within a statement; a schedule can't say
            that.
    """
    for kind, why in _UNFORCED.items():
        if any(choice.kind == kind for choice in interleaving.choices):
            raise NotReplayableError(why)
    callers = problem.callers
    script, tells_time = list(problem.setup.script), _tells_time(interleaving, problem)
    first = _first_statements(problem, tells_time=tells_time)
    steps = [step for number in range(len(callers)) for step in first[number]]
    races: set[int] = set()
    lost: set[int] = set()
    for happened in interleaving.steps:
        choice = happened.choice
        session = callers[choice.caller].name
        match choice.kind:
            case "die":
                steps.append((session, KILL))
            case "first":
                races.add(len(steps))
            case _:
                text = fill(happened.sql, [_literal(each) for each in happened.args])
                steps.append((session, "; ".join(statements(text))))
        if choice.kind == "lose":
            lost.add(choice.caller)
        answered = lost.intersection(caller for caller, _ in happened.answers)
        lost -= answered
        for caller in sorted(answered.union(happened.released)):
            steps += [(callers[caller].name, KILL), *first[caller]]
    return Schedule(
        id=name,
        title=title,
        isolation=callers[0].isolation.value,
        setup=[_SET_TIME, *script, "SET SESSION timestamp = DEFAULT"] if tells_time else script,
        sessions=[each.name for each in callers],
        steps=number_steps(steps),
        concurrent_wakeups=sorted(races),
    )


def _first_statements(problem: Problem, *, tells_time: bool) -> list[list[tuple[str, str]]]:
    """What the session of each caller has to be told first, also after a new connection: its level, and the time."""
    found = []
    for caller in problem.callers:
        told = [_SET_TIME] if tells_time else []
        if caller.isolation is not problem.callers[0].isolation:
            told.append(f"SET SESSION TRANSACTION ISOLATION LEVEL {caller.isolation.value}")
        found.append([(caller.name, each) for each in told])
    return found


def _tells_time(interleaving: Interleaving, problem: Problem) -> bool:
    """Whether something depends on the time, such as a default value."""
    return any(map(_CLOCK.search, (*problem.setup.script, *(each.sql for each in interleaving.steps))))


def _literal(value: object) -> str:
    match value:
        case None:
            return "NULL"
        case int() | float():
            return str(int(value) if isinstance(value, bool) else value)
        case bytes():
            return f"x'{value.hex()}'"
    return "'" + str(value).replace("\\", "\\\\").replace("'", "''") + "'"


def replays(schedules: Sequence[Schedule], servers: Servers) -> Iterator[Comparison]:
    """Play schedules in the model and on a server, and compare. Raises `WorldError`."""
    with asyncio.Runner() as runner:
        world = runner.run(MySQLWorld(servers.alone()).__aenter__())
        try:
            has_log = bool(cast("dict[str, int]", world.environment["settings"])["log_bin"])
            for each in schedules:
                expected = model_player.play(each, log_bin=has_log)
                there = runner.run(mysql_player.play(world, each))
                yield compare(msgspec.structs.replace(each, expected=expected), there)
        finally:
            runner.run(world.__aexit__())
