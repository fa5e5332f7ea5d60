"""Write into schedules what a real MySQL makes of them: ``python tests/conformance/record.py FILE...``.

A file says what to play (`chatsim.conformance.schedule`); ``expected``, ``mysql``, ``concurrent_wakeups`` and
``unstable_locks_at`` are filled in, or replaced, and the file is written anew in the one layout that all of them have.
The server is the one that chatsim finds for itself, see ``chatsim mysql``.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from chatsim.conformance.comparison import without_row_ids
from chatsim.conformance.files import read
from chatsim.conformance.mysql_player import play
from chatsim.conformance.schedule import Schedule, ScheduleOutcome, StepOutcome
from chatsim.worlds.mysql.settings import Servers
from chatsim.worlds.mysql.world import MySQLWorld
from chatsim.worlds.world import WorldError

TIMES = 3
"""How often a schedule is played: what differs between the runs is a race."""

_WIDTH = 120
_DEADLOCK = 1213


def recorded(schedule: Schedule, version: str, outcomes: Sequence[ScheduleOutcome]) -> Schedule:
    """The schedule, expecting the first of the outcomes, and nothing where they differ.

    Args:
        schedule: what was played.
        version: the server's.
        outcomes: what came of it, each time.
    """
    first, *others = map(without_row_ids, outcomes)
    races = {step.n for step in first.steps if _freed(step, schedule) > 1}
    unstable = set()
    for other in others:
        for one, two in zip(first.steps, other.steps, strict=True):
            if _ends(one) != _ends(two):
                races.add(one.n)
                break  # what follows, follows from that
            if _locks(one) != _locks(two):
                unstable.add(one.n)
    return msgspec.structs.replace(
        schedule,
        expected=msgspec.structs.replace(outcomes[0], deadlocks={}),  # they are not compared
        mysql=version,
        concurrent_wakeups=sorted(races),
        unstable_locks_at=sorted(unstable),
    )


def _freed(step: StepOutcome, schedule: Schedule) -> int:
    """How many waiters a step has let go; a deadlock's victim has not been let go."""
    frees = schedule.steps[step.n - 1].session
    return sum(each.step < step.n and each.session != frees and each.errno != _DEADLOCK for each in step.completed)


def _ends(step: StepOutcome) -> object:
    return sorted(map(msgspec.json.encode, step.completed)), step.blocked


def _locks(step: StepOutcome) -> object:
    return None if step.locks is None else set(step.locks)


def written(schedule: Schedule) -> str:
    """The text of a schedule's file: what is as it is by default left out, a step and a lock on a line each."""
    given = msgspec.to_builtins(schedule, str_keys=True)
    usual = msgspec.to_builtins(Schedule(id="", sessions=[], steps=[]), str_keys=True)
    return _layout({name: value for name, value in given.items() if value != usual[name]}) + "\n"


def _layout(value: Any, before: int = 0, depth: int = 0) -> str:
    """JSON, an object or array on one line where it is a step or fits, ``before`` characters being there already."""
    line = json.dumps(value, ensure_ascii=False)
    fits = depth > 0 and before + len(line) <= _WIDTH
    if fits or not isinstance(value, dict | list) or not value or _is_step(value):
        return line
    inner = " " * (depth + 1)
    if isinstance(value, dict):
        starts = [
            f"{json.dumps(str(name), ensure_ascii=False)}: " for name in value
        ]  # a deadlock has a step as its name
        parts = list(value.values())
    else:
        starts, parts = [""] * len(value), value
    lines = [
        inner + start + _layout(part, len(inner) + len(start) + 1, depth + 1)
        for start, part in zip(starts, parts, strict=True)
    ]
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    return f"{opening}\n" + ",\n".join(lines) + f"\n{' ' * depth}{closing}"


def _is_step(value: object) -> bool:
    return isinstance(value, dict) and value.keys() == {"n", "session", "sql"}


async def record(paths: Iterable[Path]) -> bool:
    """Play each file's schedule, and write down what came of it; whether all could be played."""
    able = True
    async with MySQLWorld(Servers(profile="quick")) as world:
        version = str((await world.admin.execute("SELECT VERSION()")).rows[0][0])
        for path in paths:
            schedule = read(path)
            try:
                outcomes = [await play(world, schedule) for _ in range(TIMES)]
            except WorldError as error:
                able = False
                sys.stderr.write(f"{path}: {error}\n")
                continue
            done = recorded(schedule, version, outcomes)
            path.write_text(written(done), encoding="utf-8")
            sys.stdout.write(f"{done.id}: {len(done.steps)} steps, races at {done.concurrent_wakeups or 'none'}\n")
    return able


if __name__ == "__main__":
    sys.exit(0 if asyncio.run(record(map(Path, sys.argv[1:]))) else 1)
