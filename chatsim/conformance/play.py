"""Play schedules in the world that a user has named."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial

from chatsim.conformance.files import parse
from chatsim.conformance.schedule import BadScheduleError, Played, Schedule, ScheduleOutcome
from chatsim.worlds.choice import choose
from chatsim.worlds.model.settings import Model
from chatsim.worlds.mysql.settings import Servers as MySQL
from chatsim.worlds.notebook import in_one_message, starts_when_awaited
from chatsim.worlds.world import BadParameterError

__all__ = ["AsyncPlay", "play", "player"]

AsyncPlay = Callable[[Schedule], Awaitable[ScheduleOutcome]]


@starts_when_awaited
async def play(schedule: Schedule | str, *, world: str | MySQL | Model = "mysql") -> Played:
    """Play a script of several sessions, statement by statement, and look at the locks after each.

    Args:
        schedule: the script, or its text in a form that `chatsim.conformance.files` reads.
        world: ``"mysql"``, or a `MySQL` that says which server; ``"model"``, or a `Model`. On a server that you name,
            an InnoDB counter is enabled meanwhile (``innodb_monitor_enable``) and put back afterwards.

    Raises:
        BadScheduleError: the text is no schedule.
        BadParameterError: there is no such world; or a `Model` has costs, which a schedule does not depend on.
        WorldError: the world is not available.
        NotPlayedError: the world can't play the schedule; it has the steps before.
        DivergenceError: the model was to check that the schedule repeats itself, and it does not.
    """
    with in_one_message(also=BadScheduleError):
        script = parse(schedule, "schedule") if isinstance(schedule, str) else schedule
    async with player(world) as (play_there, _):
        outcome = await play_there(script)
    return Played(steps=outcome.steps, final=outcome.final, deadlocks=outcome.deadlocks, schedule=script)


@asynccontextmanager
async def player(world: str | MySQL | Model) -> AsyncIterator[tuple[AsyncPlay, str]]:
    """A function that plays schedules in a world, and what the world's server is, in words.

    Raises as `play` does.
    """
    settings = choose(world).alone()  # others would hold back the purge that a step waits for
    if isinstance(settings, Model):
        from chatsim.conformance import model_player

        if settings.costs is not None:
            raise BadParameterError("costs do nothing here: a schedule's statements take no time in the model")
        in_model = partial(model_player.play, check_determinism=settings.check_determinism)
        yield partial(asyncio.to_thread, in_model), "the model of InnoDB"
        return
    from chatsim.conformance import mysql_player
    from chatsim.worlds.mysql.world import MySQLWorld

    async with MySQLWorld(settings) as server:
        yield partial(mysql_player.play, server), f"MySQL {server.environment['server_version']}"
