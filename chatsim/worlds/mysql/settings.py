"""The settings that say which MySQL and which Redis to use."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, TypeVar

from chatsim.worlds.mysql.servers import ladder
from chatsim.worlds.mysql.servers.mysqld import IMAGE, MySQL, Profile
from chatsim.worlds.mysql.servers.private import StartError
from chatsim.worlds.mysql.servers.urls import BadUrlError
from chatsim.worlds.world import WorldError

if TYPE_CHECKING:
    from chatsim.worlds.mysql.world import MySQLWorld

__all__ = ["LOOPBACK", "Servers"]

T = TypeVar("T")

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Servers:
    """Which MySQL and which Redis to use. If a URL is None, `ladder` finds a server.

    Attributes:
        mysql_url: ``mysql://user:password@host:port``; None is the variable CHATSIM_MYSQL_URL, or else the ladder.
        mysql_via: the only rung of the ladder to use: ``url``, ``background``, ``container``, ``path`` or
            ``unpacked``.
        mysql_image: the image for a container.
        profile: how a private instance is set up, ``durable`` or ``quick``. A named server is not changed.
        redis_url: ``redis://host:port``; None is the variable CHATSIM_REDIS_URL, or else the ladder.
        settings: system variables of a private instance, with their values. A named server is not changed.
        background: whether the MySQL that `chatsim mysql start` keeps running may be used.
        name: of the world.
    """

    name: ClassVar[str] = "mysql"

    mysql_url: str | None = None
    mysql_via: str | None = None
    mysql_image: str = IMAGE
    profile: str = Profile.DURABLE.value
    redis_url: str | None = None
    settings: tuple[tuple[str, str], ...] = ()
    background: bool = True

    def run(self, main: Callable[[MySQLWorld], Awaitable[T]], *, seed: int) -> T:
        """Run ``main`` on a new world on these servers. The thread is blocked meanwhile. Raises `WorldError`."""
        return asyncio.run(self.run_beside(main, seed=seed))

    async def run_beside(self, main: Callable[[MySQLWorld], Awaitable[T]], *, seed: int) -> T:  # noqa: ARG002
        """Like `run`, on the running event loop. The seed is not used: a real server has none."""
        from chatsim.worlds.mysql.world import MySQLWorld

        async with MySQLWorld(self) as world:
            return await main(world)

    def alone(self) -> Servers:
        """The same, but never on the MySQL in the background, since what is going to happen may disturb others."""
        return replace(self, background=False)

    def service(self) -> MySQL:
        """The `Service` these settings describe. Raises `WorldError` for an unknown profile."""
        if self.profile not in list(Profile):
            raise WorldError(f"unknown profile {self.profile!r}; there are: {', '.join(Profile)}")
        return MySQL(Profile(self.profile), self.mysql_image, self.settings, self.background)

    def mysql(self) -> ladder.Server:
        """A MySQL that answers. Raises `WorldError`."""
        return _climb(self.service(), self._url(), self.mysql_via)

    def _url(self) -> str | None:
        return self.mysql_url or os.environ.get(MySQL.variable)

    def lasting_url(self) -> str:
        """The URL of the named server, or else of the one in the background. Raises `WorldError` if none is there."""
        if url := self._url():
            return url
        if there := self._in_background():
            return there.url
        raise WorldError(
            f"no MySQL is named, and none runs in the background: give --mysql-url, or set {MySQL.variable}"
        )

    def named_url(self) -> str:
        """The URL of the named server. Raises `WorldError` if no server is named."""
        if url := self._url():
            return url
        raise WorldError(f"no MySQL is named: give --mysql-url, or set {MySQL.variable}")

    def announcement(self) -> str | None:
        """A sentence if the MySQL in the background is used, which nobody has named; None if another one is."""
        if self._url() or self.mysql_via is not None or (there := self._in_background()) is None:
            return None
        how = f", profile {there.profile}" if there.profile else ""
        return f"The MySQL in the background is used ({there.url}{how}); --mysql-via takes another."

    def _in_background(self) -> ladder.Server | None:
        for rung in self.service().kept_running():
            with contextlib.suppress(ladder.UnavailableError):
                return rung.open()
        return None

    def survey(self) -> list[str]:
        """A line for each rung of the ladder: the server that it would use, or why it can't give one."""
        lines = []
        settled = False
        for rung in ladder.rungs(self.service(), self._url()):
            try:
                mark, sentence = ("+" if settled else "*"), rung.probe()
                settled = True
            except ladder.UnavailableError as error:
                mark, sentence = "-", str(error)
            except (ladder.ServerError, BadUrlError) as error:
                mark, sentence = "-", f"{error}; it is named, so no other server is used instead"
                settled = True
            lines.append(f"{mark} {rung.name:<10} {sentence}")
        return [*lines, "", "* is used   + could be used instead   - can't be used"]

    def redis(self) -> ladder.Server:
        """A Redis that answers. Raises `WorldError`."""
        from chatsim.worlds.mysql.servers.redisd import Redis

        return _climb(Redis(), self.redis_url or os.environ.get(Redis.variable), None)


def _climb(service: ladder.Service, url: str | None, via: str | None) -> ladder.Server:
    try:
        return ladder.climb(service, url, via)
    except (ladder.ServerError, StartError, BadUrlError) as error:
        raise WorldError(str(error)) from error
