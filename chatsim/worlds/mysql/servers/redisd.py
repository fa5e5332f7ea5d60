"""Redis, as the ladder needs to know it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from chatsim.worlds.mysql.servers import debian, private
from chatsim.worlds.mysql.servers.ladder import ServerError, UnavailableError
from chatsim.worlds.mysql.servers.urls import without_password

if TYPE_CHECKING:
    from testcontainers.core.container import DockerContainer

    from chatsim.worlds.mysql.servers.ladder import Rung

__all__ = ["IMAGE", "Redis"]

IMAGE = "redis:7"
_PACKAGES = debian.Packages("redis", ("redis-server",))


@dataclass(frozen=True)
class Redis:
    """The `Service` for Redis."""

    image: str = IMAGE
    name: str = "Redis"
    variable: str = "CHATSIM_REDIS_URL"
    program: str = "redis-server"
    packages: debian.Packages = _PACKAGES

    def kept_running(self) -> Sequence[Rung]:
        """None: no Redis is kept running."""
        return []

    def verify(self, url: str) -> None:
        """Ping ``url``. Raises `ServerError`."""
        import redis

        try:
            with redis.Redis.from_url(url, socket_timeout=5) as client:
                client.ping()
        except (redis.RedisError, ValueError) as error:
            raise ServerError(f"Redis at {without_password(url)} can't be used: {error}") from error

    def check_program(self, program: private.Program) -> None:
        """Raise `UnavailableError` if the program does not run."""
        try:
            program.run("--version")
        except private.StartError as error:
            raise UnavailableError(str(error)) from error

    def start(self, program: private.Program, port: int | None = None, *, keep: bool = False) -> private.Instance:
        """Start a private instance on loopback that stores nothing on disk."""

        def command(directory: Path, port: int) -> list[str]:
            where = ["--bind", "127.0.0.1", "--port", str(port), "--dir", str(directory)]
            return [*program.argv, *where, "--save", "", "--appendonly", "no"]

        return private.start(
            self.name,
            command,
            lambda port: f"redis://127.0.0.1:{port}/0",
            prepare=lambda _: None,
            port=port,
            keep=keep,
        )

    def container(self) -> tuple[DockerContainer, Callable[[], str]]:
        """A container of the pinned image."""
        from testcontainers.community.redis import RedisContainer

        container = RedisContainer(self.image)

        def url() -> str:
            return f"redis://{container.get_container_host_ip()}:{container.get_exposed_port(6379)}/0"

        return container, url
