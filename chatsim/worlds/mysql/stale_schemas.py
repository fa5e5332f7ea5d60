"""Schemas that killed runs have left behind on a server."""

from __future__ import annotations

from chatsim.worlds.mysql import driver

__all__ = ["PREFIX", "drop_stale_schemas"]

PREFIX = "chatsim_"
"""What the names of chatsim's schemas begin with. Twelve hexadecimal digits follow."""


async def drop_stale_schemas(url: str) -> list[str]:
    """Drop the schemas that killed runs have left at ``url``, except those in use. Returns their names.

    Raises:
        DatabaseError: the server can't be used.
    """
    session = await driver.connect(url)
    try:
        found = await session.execute(
            "SELECT SCHEMA_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME REGEXP ?"
            " AND IS_FREE_LOCK(SCHEMA_NAME) = 1",
            (f"^{PREFIX}[0-9a-f]{{12}}$",),
        )
        names = [str(name) for (name,) in found.rows]
        for name in names:
            await session.execute(f"DROP DATABASE {name}")
    finally:
        await session.close()
    return names
