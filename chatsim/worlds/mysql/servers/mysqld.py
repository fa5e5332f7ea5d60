"""MySQL, as the ladder needs to know it."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from chatsim.db.errors import DatabaseError
from chatsim.worlds.mysql.servers import debian, private
from chatsim.worlds.mysql.servers.ladder import ServerError, UnavailableError
from chatsim.worlds.mysql.servers.urls import without_password

if TYPE_CHECKING:
    from testcontainers.core.container import DockerContainer

    from chatsim.worlds.mysql.servers.ladder import Rung

__all__ = ["IMAGE", "MySQL", "Profile"]

IMAGE = "mysql:9.7"
_PASSWORD = "chatsim"  # noqa: S105 - of a throw-away container


class Profile(StrEnum):
    """How a private instance is set up.

    ``durable``: the server's defaults, binary log on. ``quick``: binary log off, relaxed flush, for tests.
    """

    DURABLE = "durable"
    QUICK = "quick"

    @property
    def options(self) -> tuple[str, ...]:
        """The server's options for it."""
        return _OPTIONS[self]


_PACKAGES = debian.Packages("mysql", ("mysql-server-core", "mysql-client-core"), suite="sid")
_OPTIONS: dict[Profile, tuple[str, ...]] = {
    Profile.DURABLE: (),
    Profile.QUICK: ("--skip-log-bin", "--innodb-flush-log-at-trx-commit=2", "--innodb-doublewrite=OFF"),
}


def _option(name: str, value: str) -> str:
    if (name, value) == ("log_bin", "0"):
        return "--skip-log-bin"  # the option with the variable's name takes a file name
    return f"--{name.replace('_', '-')}={value}"


@dataclass(frozen=True)
class MySQL:
    """The `Service` for MySQL.

    Attributes:
        profile: how private instances are set up.
        image: the container image.
        settings: more system variables, with their values.
        background: whether the one that is kept running in the background may be used.
    """

    profile: Profile = Profile.DURABLE
    image: str = IMAGE
    settings: tuple[tuple[str, str], ...] = ()
    background: bool = True
    name: str = "MySQL"
    variable: str = "CHATSIM_MYSQL_URL"
    program: str = "mysqld"
    packages: debian.Packages = _PACKAGES

    @property
    def options(self) -> tuple[str, ...]:
        """The server's options for all of these."""
        return (*self.profile.options, *(_option(*setting) for setting in self.settings))

    def kept_running(self) -> Sequence[Rung]:
        """The MySQL in the background; none if other settings are asked for than it has."""
        from chatsim.worlds.mysql.servers.noted import InBackground

        return [InBackground(self)] if self.background and not self.settings else []

    def verify(self, url: str) -> None:
        """Log in at ``url`` and make sure that it is MySQL. Raises `ServerError`."""
        version = asyncio.run(_version(url))
        if "mariadb" in version.lower():
            raise ServerError(
                f"the server at {without_password(url)} is MariaDB ({version}); chatsim measures MySQL, "
                f"and never lets another engine stand in for it"
            )

    def check_program(self, program: private.Program) -> None:
        """Raise `UnavailableError` if the installed mysqld does not run, or is MariaDB's."""
        try:
            version = program.run("--version")
        except private.StartError as error:
            raise UnavailableError(str(error)) from error
        if "mariadb" in version.lower():
            raise UnavailableError(f"the {self.program} on the PATH is MariaDB's")

    def start(self, program: private.Program, port: int | None = None, *, keep: bool = False) -> private.Instance:
        """Start a private instance on loopback. The user root has no password."""
        options = [*program.argv, "--no-defaults", *_where(program)]

        def prepare(directory: Path) -> None:
            shutil.copytree(_template(program, options), directory / "data")

        def command(directory: Path, port: int) -> list[str]:
            return [
                *options,
                f"--datadir={directory / 'data'}",
                f"--port={port}",
                "--bind-address=127.0.0.1",
                f"--socket={directory / 'mysql.sock'}",
                f"--pid-file={directory / 'pid'}",
                "--mysqlx=OFF",
                *self.options,
            ]

        return private.start(
            self.name,
            command,
            lambda port: f"mysql://root@127.0.0.1:{port}",
            prepare=prepare,
            port=port,
            keep=keep,
        )

    def container(self) -> tuple[DockerContainer, Callable[[], str]]:
        """A container of the pinned image."""
        from testcontainers.community.mysql import MySqlContainer

        container = MySqlContainer(self.image, username="root", password=_PASSWORD)
        container.with_command(list(self.options))

        def url() -> str:
            host, port = container.get_container_host_ip(), container.get_exposed_port(3306)
            return f"mysql://root:{_PASSWORD}@{host}:{port}"

        return container, url


def _where(program: private.Program) -> list[str]:
    where = ["--user=root"] if os.geteuid() == 0 else []
    if program.root is not None:
        usr = program.root / "usr"
        where += [f"--basedir={usr}", f"--lc-messages-dir={usr / 'share' / 'mysql'}", "--secure-file-priv="]
    return where


def _template(program: private.Program, options: list[str]) -> Path:
    """An initialised data directory to copy, which saves the two seconds of initialising."""
    from filelock import FileLock

    version = re.sub(r"\W+", "-", program.run("--version").partition(" Ver ")[2].split(" for ")[0].strip())
    home = debian.cache() / "templates"
    home.mkdir(parents=True, exist_ok=True)
    template = home / f"mysql-{version}"
    with FileLock(home / f"{template.name}.lock"):
        if not template.exists():
            fresh = home / f"{template.name}.new"
            shutil.rmtree(fresh, ignore_errors=True)
            private.Program(tuple(options)).run("--initialize-insecure", f"--datadir={fresh}")
            (fresh / "auto.cnf").unlink()  # each copy makes a server UUID of its own
            fresh.rename(template)
    return template


async def _version(url: str) -> str:
    from chatsim.worlds.mysql import driver

    try:
        session = await driver.connect(url)
    except DatabaseError as error:
        raise ServerError(f"MySQL at {without_password(url)} can't be used: {error}") from error
    try:
        rows = await session.execute("SELECT CONCAT(@@version, ' ', @@version_comment)")
        return str(rows.rows[0][0])
    finally:
        await session.close()
