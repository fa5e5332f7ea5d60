"""The ladder: the ways to get a server, from one that the user names to one that is unpacked, tried in this order."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, Self

from chatsim.worlds.mysql.servers import debian, private
from chatsim.worlds.mysql.servers.urls import without_password

if TYPE_CHECKING:
    from testcontainers.core.container import DockerContainer

__all__ = ["NoServerError", "Rung", "Server", "ServerError", "Service", "UnavailableError", "climb", "rungs"]


class UnavailableError(Exception):
    """This rung can't give a server. The message says why. The next rung is tried."""


class ServerError(Exception):
    """A server that the user has named can't be used. The message says which, why, and what to do."""


class NoServerError(ServerError):
    """No rung gave a server."""


@dataclass(frozen=True)
class Server:
    """A running server.

    Attributes:
        url: its URL, ``mysql://user:password@host:port`` or ``redis://…``.
        rung: the name of the rung that gave it.
        own: whether it was started for chatsim alone, so that its global settings may be changed.
        close: ends it. It does nothing for a server that was running before.
        instance: the private instance, if it is one. Only a private instance can be killed.
        profile: how it was set up, if chatsim has started it earlier, and knows.
    """

    url: str
    rung: str
    own: bool
    close: Callable[[], None] = field(default=lambda: None, repr=False)
    instance: private.Instance | None = field(default=None, repr=False)
    profile: str | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Service(Protocol):
    """A kind of server, as the rungs need to know it."""

    @property
    def name(self) -> str:
        """Its name: ``MySQL``."""
        ...

    @property
    def variable(self) -> str:
        """The environment variable that may have its URL: ``CHATSIM_MYSQL_URL``."""
        ...

    @property
    def program(self) -> str:
        """The server's executable: ``mysqld``."""
        ...

    @property
    def packages(self) -> debian.Packages:
        """Its Debian packages."""
        ...

    @property
    def image(self) -> str:
        """The container image, with its version."""
        ...

    def kept_running(self) -> Sequence[Rung]:
        """The rungs for a server that chatsim has started earlier, and that still runs."""
        ...

    def verify(self, url: str) -> None:
        """Raise `ServerError` unless a usable server of this kind answers at ``url``."""
        ...

    def check_program(self, program: private.Program) -> None:
        """Raise `UnavailableError` if ``program`` is not what its name says."""
        ...

    def start(self, program: private.Program, port: int | None = None) -> private.Instance:
        """Start a private instance, which ends with this process."""
        ...

    def container(self) -> tuple[DockerContainer, Callable[[], str]]:
        """A container that can be started, and a function that returns its URL when it runs."""
        ...


class Rung(Protocol):
    """One way to get a server."""

    @property
    def name(self) -> str:
        """Its name on the command line and in results."""
        ...

    def probe(self) -> str:
        """Say in a few words what it would use, without starting anything. Raises `UnavailableError`."""
        ...

    def open(self) -> Server:
        """Start or find a server. Raises `UnavailableError`, or `ServerError` if the user has named it."""
        ...


@dataclass(frozen=True)
class Named:
    """The server that the user names by URL. If it can't be used, that is an error, and no other rung is tried."""

    service: Service
    url: str | None
    name: str = "url"

    def probe(self) -> str:
        """The URL, after a server has answered there."""
        if not self.url:
            raise UnavailableError(f"no URL is named (set {self.service.variable})")
        self.service.verify(self.url)
        return without_password(self.url)

    def open(self) -> Server:
        """The named server, verified."""
        self.probe()
        return Server(self.url or "", self.name, own=False)


@dataclass(frozen=True)
class Container:
    """A container, by testcontainers, when a Docker engine answers."""

    service: Service
    name: str = "container"

    def probe(self) -> str:
        """The image."""
        import docker

        try:
            with contextlib.closing(docker.from_env(timeout=5)) as engine:
                engine.ping()
        except docker.errors.DockerException as error:
            raise UnavailableError("no Docker engine answers") from error
        return self.service.image

    def open(self) -> Server:
        """A running container; `Server.close` removes it."""
        import docker.errors

        self.probe()
        container, url = self.service.container()
        try:
            container.start()
            address = url()
        except (docker.errors.DockerException, TimeoutError, OSError) as error:
            container.stop()
            reason = str(error).splitlines()[0]
            raise UnavailableError(f"Docker can't start {self.service.image}: {reason}") from error
        except BaseException:
            container.stop()
            raise
        return Server(address, self.name, own=True, close=container.stop)


@dataclass(frozen=True)
class OnPath:
    """A private instance of the server program that is installed."""

    service: Service
    name: str = "path"

    def program(self) -> private.Program:
        """The installed program. Raises `UnavailableError`."""
        path = shutil.which(self.service.program)
        if path is None:
            raise UnavailableError(f"no {self.service.program} on the PATH")
        program = private.Program((path,))
        self.service.check_program(program)
        return program

    def probe(self) -> str:
        """The program's path."""
        return self.program().argv[-1]

    def open(self) -> Server:
        """A private instance of it."""
        return _private(self.service, self.program(), self.name)


@dataclass(frozen=True)
class Unpacked:
    """A private instance of a server unpacked from Debian's packages into the user's cache: no root, no install."""

    service: Service
    name: str = "unpacked"

    def probe(self) -> str:
        """The folder in which it is, or would be, unpacked."""
        folder = debian.folder(self.service.packages)
        if debian.is_unpacked(self.service.packages):
            return str(folder)
        if reason := debian.obstacle():
            raise UnavailableError(reason)
        return f"{folder} (to be fetched)"

    def program(self) -> private.Program:
        """The unpacked program. The packages are downloaded if needed. Raises `UnavailableError`."""
        self.probe()
        try:
            return debian.unpack(self.service.packages).program(self.service.program)
        except debian.FetchError as error:
            raise UnavailableError(str(error)) from error

    def open(self) -> Server:
        """A private instance of it."""
        return _private(self.service, self.program(), self.name)


def _private(service: Service, program: private.Program, rung: str) -> Server:
    instance = service.start(program)
    return Server(instance.url, rung, own=True, close=instance.close, instance=instance)


def rungs(service: Service, url: str | None = None) -> list[Rung]:
    """The ladder for ``service``, top rung first."""
    return [Named(service, url), *service.kept_running(), Container(service), OnPath(service), Unpacked(service)]


def climb(service: Service, url: str | None = None, via: str | None = None) -> Server:
    """The first server that the ladder gives, or the one that the rung ``via`` gives.

    Raises:
        ServerError: the named server can't be used, or ``via`` is not a rung.
        NoServerError: no rung gave one. The message has the reason of each rung.
    """
    ladder: Sequence[Rung] = rungs(service, url)
    if via is not None:
        ladder = [rung for rung in ladder if rung.name == via]
        if not ladder:
            known = ", ".join(rung.name for rung in rungs(service))
            raise ServerError(f"there is no way named {via!r} to have a {service.name}; there are: {known}")
    reasons = []
    for rung in ladder:
        try:
            return rung.open()
        except UnavailableError as error:
            reasons.append(f"{rung.name}: {error}")
    if via is not None:
        raise NoServerError(f"no {service.name} can be had in the one way that was asked for ({reasons[0]})")
    raise NoServerError(
        f"no {service.name} can be had here ({'; '.join(reasons)}). Name one with {service.variable}, "
        f"start Docker, or install {service.program}."
    )
