"""The `Presence`, `Directory` and `Tokens` ports on a real Redis, which all servers share.

The keys are the source's (docs/source.md, 3.5), and more, because a user may have several sessions here:

    ===================  ==========  ============================================================  ====================
    key                  type        content                                                       expires
    ===================  ==========  ============================================================  ====================
    ``uip_<uid>``        string      the name of the node of the user's latest login               with that session
    ``usession_<uid>``   string      that session's id                                             with that session
    ``udevices_<uid>``   sorted set  all the user's sessions, ``<session> <node>``, by login       with the last of them
    ``ulapses_<uid>``    sorted set  when each of them expires, in ms since the epoch              with the last of them
    ``utoken_<uid>``     string      the token to log in with                                      after its lifetime
    ``logincount``       hash        node → number of its sessions                                 without any report
    ``node_<name>``      string      a node's report, JSON                                         without the next one
    ===================  ==========  ============================================================  ====================

An operation that reads before it writes is a Lua script, which Redis runs as one step: so an entry is replaced only
once, and a session removes only itself. The clock is Redis's own.

If the Redis is gone or hangs, an operation raises `RegistryError` after at most two seconds. One process sends at most
sixteen commands at the same time. If the Redis has lost everything (it was killed and restarted), the nodes fill it
again: a refresh returns the sessions that it does not find, and the node enters those that are still connected. So a
connected user is missing for at most the time between two refreshes, a quarter of the expiry. The order of the logins
is lost: if a user may have only one session, the one that is entered last stays.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Sequence
from typing import Any, TypeVar

import msgspec
import redis
import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from chatsim.chat.ports import Device, NodeStatus, NoTokenError, RegistryError, TokenError

__all__ = ["RedisDirectory", "RedisPresence", "RedisRegistry", "RedisTokens"]

T = TypeVar("T")

_PATIENCE = 2.0
_CONNECTIONS = 16
_CHUNK = 200  # devices that one script refreshes; other commands wait meanwhile

_COMMON = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

-- the four keys of a user begin at KEYS[at]: devices, lapses, uip, usession
local function lapse(at)
  for _, gone in ipairs(redis.call('ZRANGEBYSCORE', KEYS[at + 1], '-inf', now)) do
    redis.call('ZREM', KEYS[at], gone)
    redis.call('ZREM', KEYS[at + 1], gone)
  end
end

local function settle(at)
  local latest = redis.call('ZRANGE', KEYS[at], -1, -1)[1]
  if not latest then
    redis.call('DEL', KEYS[at], KEYS[at + 1], KEYS[at + 2], KEYS[at + 3])
    return
  end
  local session, node = latest:match('^(%S*) (.*)$')
  local its_end = redis.call('ZSCORE', KEYS[at + 1], latest)
  local last_end = redis.call('ZRANGE', KEYS[at + 1], -1, -1, 'WITHSCORES')[2]
  redis.call('SET', KEYS[at + 2], node, 'PXAT', its_end)
  redis.call('SET', KEYS[at + 3], session, 'PXAT', its_end)
  redis.call('PEXPIREAT', KEYS[at], last_end)
  redis.call('PEXPIREAT', KEYS[at + 1], last_end)
end
"""
_ENTER = (  # device, expiry in ms, whether alone
    _COMMON
    + """
lapse(1)
local others = {}
if ARGV[3] == '1' then
  for _, other in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
    if other ~= ARGV[1] then table.insert(others, other) end
  end
  redis.call('DEL', KEYS[1], KEYS[2])
end
local latest = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')[2] or 0
redis.call('ZADD', KEYS[1], 'NX', latest + 1, ARGV[1])
redis.call('ZADD', KEYS[2], now + ARGV[2], ARGV[1])
settle(1)
return others
"""
)
_REFRESH = (  # expiry in ms, devices
    _COMMON
    + """
local missing = {}
for number = 2, #ARGV do
  local at = 4 * (number - 2) + 1
  lapse(at)
  if redis.call('ZSCORE', KEYS[at + 1], ARGV[number]) then
    redis.call('ZADD', KEYS[at + 1], now + ARGV[1], ARGV[number])
    settle(at)
  else
    table.insert(missing, number - 2)
  end
end
return missing
"""
)
_LEAVE = (  # device
    _COMMON
    + """
lapse(1)
if redis.call('ZREM', KEYS[1], ARGV[1]) == 1 then
  redis.call('ZREM', KEYS[2], ARGV[1])
  settle(1)
end
"""
)
_FIND = (
    _COMMON
    + """
lapse(1)
return redis.call('ZRANGE', KEYS[1], 0, -1)
"""
)
_NODES = """
local reports = {}
for _, name in ipairs(redis.call('HKEYS', KEYS[1])) do
  local report = redis.call('GET', ARGV[1] .. name)
  if report then table.insert(reports, report) else redis.call('HDEL', KEYS[1], name) end
end
return reports
"""
_ISSUE = """
local token = redis.call('GET', KEYS[1]) or ARGV[1]
redis.call('SET', KEYS[1], token, 'PX', ARGV[2])
return token
"""


class RedisRegistry:
    """A process's connections to the Redis.

    Args:
        url: ``redis://host:port/db``.
        prefix: the prefix of all keys; the source has none.
    """

    def __init__(self, url: str, prefix: str = "") -> None:
        self._prefix = prefix
        # redis-py's own timeouts are not used: see `redis_locks`
        pool = redis.asyncio.BlockingConnectionPool.from_url(
            url,
            max_connections=_CONNECTIONS,
            timeout=None,
            socket_timeout=None,
            socket_connect_timeout=None,
            decode_responses=True,
            retry=Retry(NoBackoff(), 1),  # an idle connection may be dead
        )
        self.client = redis.asyncio.Redis.from_pool(pool)

    def key(self, name: str) -> str:
        """A key of this registry's."""
        return self._prefix + name

    async def ask(self, answer: Awaitable[T]) -> T:
        """Wait for Redis's answer. Raises `RegistryError`."""
        try:
            async with asyncio.timeout(_PATIENCE):
                return await answer
        except (redis.RedisError, OSError) as error:  # a TimeoutError is an OSError
            raise RegistryError(f"Redis can't be used: {str(error) or 'no answer'}") from error

    async def open(self) -> None:
        """Make sure that it answers. Raises `RegistryError`."""
        await self.ask(self.client.ping())

    async def close(self) -> None:
        """Close the connections."""
        await self.client.aclose()


class RedisPresence:
    """The `Presence` port.

    Args:
        registry: the Redis.
        expiry: the seconds after which an entry expires if it is not refreshed.
    """

    def __init__(self, registry: RedisRegistry, expiry: float) -> None:
        self._registry = registry
        self._expiry = max(1, round(expiry * 1_000))
        self._enter, self._refresh, self._leave, self._find = (
            registry.client.register_script(script) for script in (_ENTER, _REFRESH, _LEAVE, _FIND)
        )

    async def enter(self, device: Device, *, alone: bool) -> Sequence[Device]:
        """Store a login; see `chatsim.chat.ports.Presence.enter`."""
        args: list[str | int] = [_member(device), self._expiry, int(alone)]
        others = await self._registry.ask(self._enter(self._keys(device.uid), args))
        return [_device(device.uid, each) for each in others]

    async def refresh(self, devices: Sequence[Device]) -> Sequence[Device]:
        """Renew entries. Returns those that do not exist."""
        gone: list[Device] = []
        for begin in range(0, len(devices), _CHUNK):
            chunk = devices[begin : begin + _CHUNK]
            keys = [key for device in chunk for key in self._keys(device.uid)]
            args: list[str | int] = [self._expiry, *map(_member, chunk)]
            gone += [chunk[number] for number in await self._registry.ask(self._refresh(keys, args))]
        return gone

    async def leave(self, device: Device) -> None:
        """Remove an entry."""
        await self._registry.ask(self._leave(self._keys(device.uid), [_member(device)]))

    async def find(self, uid: int) -> Sequence[Device]:
        """The user's sessions, oldest first."""
        return [_device(uid, each) for each in await self._registry.ask(self._find(self._keys(uid)))]

    def _keys(self, uid: int) -> list[str]:
        return [self._registry.key(f"{name}_{uid}") for name in ("udevices", "ulapses", "uip", "usession")]


class RedisDirectory:
    """The `Directory` port.

    Args:
        registry: the Redis.
        expiry: the seconds after which a node that doesn't report counts as dead.
    """

    def __init__(self, registry: RedisRegistry, expiry: float) -> None:
        self._registry = registry
        self._expiry = max(1, round(expiry * 1_000))
        self._counts = registry.key("logincount")
        self._report = registry.key("node_")
        self._nodes = registry.client.register_script(_NODES)

    async def announce(self, node: NodeStatus) -> None:
        """Store the report of a node."""
        async with self._registry.client.pipeline(transaction=True) as both:
            both.hset(self._counts, node.name, str(node.sessions))
            both.pexpire(self._counts, self._expiry)
            both.set(self._report + node.name, msgspec.json.encode(node), px=self._expiry)
            await self._registry.ask(both.execute())

    async def withdraw(self, name: str) -> None:
        """Remove a node."""
        async with self._registry.client.pipeline(transaction=True) as both:
            both.hdel(self._counts, name)
            both.delete(self._report + name)
            await self._registry.ask(both.execute())

    async def nodes(self) -> Sequence[NodeStatus]:
        """The live nodes, by name."""
        reports = await self._registry.ask(self._nodes([self._counts], [self._report]))
        found = [msgspec.json.decode(report, type=NodeStatus) for report in reports]
        return sorted(found, key=lambda node: node.name)


class RedisTokens:
    """The `Tokens` port: the status server stores one token for each user, as in the source.

    A user who asks again gets the same token, with its full lifetime: another device may be about to log in with it. As
    in the source, a token can be used several times.

    Args:
        registry: the Redis.
        lifetime: the lifetime of a token, in seconds.
    """

    def __init__(self, registry: RedisRegistry, lifetime: float) -> None:
        self._registry = registry
        self._lifetime = max(1, round(lifetime * 1_000))
        self._issue = registry.client.register_script(_ISSUE)

    async def issue(self, uid: int) -> str:
        """A token for ``uid``."""
        args: list[str | int] = [secrets.token_urlsafe(24), self._lifetime]
        return str(await self._registry.ask(self._issue([self._key(uid)], args)))

    async def check(self, uid: int, token: str) -> None:
        """Raise `TokenError` unless ``token`` is the one of ``uid``, and `NoTokenError` if there is none."""
        issued: Any = await self._registry.ask(self._registry.client.get(self._key(uid)))
        if issued is None:
            raise NoTokenError("the token is missing: none was issued, or it has expired")
        if not secrets.compare_digest(str(issued).encode(), token.encode(errors="surrogatepass")):
            raise TokenError("the token is different from the one that was issued")

    def _key(self, uid: int) -> str:
        return self._registry.key(f"utoken_{uid}")


def _member(device: Device) -> str:
    return f"{device.session} {device.node}"


def _device(uid: int, member: str) -> Device:
    session, _, node = member.partition(" ")
    return Device(uid, session, node)
