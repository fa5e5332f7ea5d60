"""Replay: an interleaving that the exploration has found, as a schedule that a real server plays."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal

import msgspec

from chatsim.conformance import model_player, mysql_player
from chatsim.conformance.comparison import Comparison, compare
from chatsim.conformance.schedule import KILL, Schedule, number_steps
from chatsim.db.text import fill, statements
from chatsim.exploration.problem import Problem
from chatsim.exploration.verdict import Interleaving
from chatsim.worlds.mysql.settings import Servers
from chatsim.worlds.mysql.world import MySQLWorld

__all__ = ["NotReplayableError", "replays", "schedule_of"]

_CLOCK = re.compile(r"\b(NOW|CURDATE|CURTIME|SYSDATE|UNIX_TIMESTAMP|CURRENT_\w+|LOCALTIME\w*|UTC_\w+)\b", re.IGNORECASE)
_EPOCH = 1_700_000_000
"""The time of the model's clock, which stands still while something is explored."""


class NotReplayableError(Exception):
    """No schedule can force an interleaving. The message says why."""


def schedule_of(interleaving: Interleaving, problem: Problem, name: str, title: str = "") -> Schedule:
    """The schedule of an interleaving.

    A caller that dies, or whose reply is lost, is a session whose connection is killed. Which of several waiters that
    are let go at once goes on first is the server's choice: such steps are listed as ``concurrent_wakeups``.

    Raises:
        NotReplayableError: a wait takes too long in it, which a schedule can't say.
    """
    callers = problem.callers
    levels = {each.isolation for each in callers}
    steps: list[tuple[str, str]] = []
    races: list[int] = []
    lost: set[int] = set()
    if _CLOCK.search(" ".join([*problem.setup.script, *(each.sql for each in interleaving.steps)])):
        steps += [(each.name, f"SET SESSION timestamp = {_EPOCH}") for each in callers]
    if len(levels) > 1:
        steps += [(each.name, f"SET SESSION TRANSACTION ISOLATION LEVEL {each.isolation.value}") for each in callers]
    for happened in interleaving.steps:
        choice = happened.choice
        match choice.kind:
            case "time out":
                raise NotReplayableError("a wait takes too long in it")
            case "die":
                steps.append((callers[choice.caller].name, KILL))
            case "first":
                races.append(len(steps))
            case _:
                text = fill(happened.sql, [_literal(each) for each in happened.args])
                steps.append((callers[choice.caller].name, "; ".join(statements(text))))
        if choice.kind == "lose":
            lost.add(choice.caller)
        for caller, _ in happened.answers:
            if caller in lost:
                lost.discard(caller)
                steps.append((callers[caller].name, KILL))
    return Schedule(
        id=name,
        title=title,
        isolation=callers[0].isolation.value if len(levels) == 1 else "REPEATABLE READ",
        setup=list(problem.setup.script),
        sessions=[each.name for each in callers],
        steps=number_steps(steps),
        concurrent_wakeups=sorted(set(races)),
    )


def _literal(value: object) -> str:
    match value:
        case None:
            return "NULL"
        case bool() | int() | float() | Decimal():
            return str(int(value) if isinstance(value, bool) else value)
        case bytes():
            return f"x'{value.hex()}'"
        case datetime() | date():
            return f"'{value}'"
    return "'" + str(value).replace("\\", "\\\\").replace("'", "''") + "'"


def replays(schedules: Sequence[Schedule], servers: Servers) -> Iterator[Comparison]:
    """Play schedules in the model and on a server, and compare. Raises `WorldError`."""
    with asyncio.Runner() as runner:
        world = runner.run(MySQLWorld(servers.alone()).__aenter__())
        try:
            for each in schedules:
                expected = model_player.play(each)
                there = runner.run(mysql_player.play(world, each))
                yield compare(msgspec.structs.replace(each, expected=expected), there)
        finally:
            runner.run(world.__aexit__())
