"""One story, played on asyncio's own loop and in virtual time.

The real loop looks at its timers between one turn of what is ready and the next, the simulation's only when nothing is
ready: no story lets a timer come due while others run. No story depends on the order of a set or on garbage collection.
"""

import asyncio
import contextlib
import inspect
import sys

import pytest

from chatsim.simulation.loop import SimPyEventLoop, run

REAL_UNITS = (0.01, 0.1)  # seconds; where the first is too short for a busy machine, the next one counts


MODEL_UNIT = 36_000.0  # ten hours


class Stories:
    """The stories of one module, each to be played on both loops; used as a decorator."""

    def __init__(self):
        self.all = []

    def __call__(self, function=None, *, since=(3, 11)):
        """Add a story, which needs that version of Python or a later one."""
        if function is None:
            return lambda function: self(function, since=since)
        marks = pytest.mark.skipif(sys.version_info < since, reason=f"Python {since[0]}.{since[1]}")
        self.all.append(pytest.param(function, id=function.__name__.replace("_", " "), marks=marks))
        return function


class Teller:
    """What a story tells, and when: in units since its beginning. Things happen at even units."""

    def __init__(self, unit, new_loop):
        self.unit, self.new_loop, self.began, self.transcript = unit, new_loop, None, []

    def now(self):
        loop = asyncio.get_running_loop()
        self.began = loop.time() if self.began is None else self.began
        units = (loop.time() - self.began) / self.unit
        return units if self.new_loop is SimPyEventLoop else int(units / 2 + 0.01) * 2

    def at(self, units):
        """The loop's time so many units after the beginning."""
        self.now()
        return self.began + units * self.unit

    def say(self, *what):
        self.transcript.append((self.now(), *what))

    async def pause(self, units, result=None):
        return await asyncio.sleep(units * self.unit, result)

    async def fail(self, units, error):
        await self.pause(units)
        raise error

    def timeout(self, units):
        return asyncio.timeout(units * self.unit)

    def later(self, units, callback, *args):
        return asyncio.get_running_loop().call_later(units * self.unit, callback, *args)

    async def tell(self, name, awaitable):
        """Say how it ends, and end in the same way."""
        try:
            result = await awaitable
        except BaseException as error:
            self.say(name, repr(error))
            raise
        self.say(name, result)
        return result

    async def end(self, name, awaitable):
        """Say how it ends, and go on."""
        with contextlib.suppress(Exception, asyncio.CancelledError):
            return await self.tell(name, awaitable)

    async def cleanup(self, name, units, cleaning=0, error=None):
        """Pause, and whatever ends that, clean up after it; only then say so, or fail."""
        ending = "done"
        try:
            await self.pause(units)
        except asyncio.CancelledError as cancelled:
            ending = repr(cancelled)
            raise
        finally:
            await self.tell(f"cleanup of {name}, {ending}", self.pause(cleaning))
            if error:
                raise error


def play(tale, unit, new_loop):
    teller = Teller(unit, new_loop)

    async def main():
        teller.say("the beginning")
        await asyncio.wait_for(tale(teller), 1000 * unit)  # rather than hang
        teller.say("the end")

    if not inspect.iscoroutinefunction(tale):
        tale(teller)
    elif new_loop is SimPyEventLoop:
        run(main())
    else:
        asyncio.run(main())
    return teller.transcript


def assert_the_same_on_both_loops(body):
    in_virtual_time = play(body, MODEL_UNIT, SimPyEventLoop)
    for unit in REAL_UNITS:
        in_real_time = play(body, unit, asyncio.new_event_loop)
        if in_virtual_time == in_real_time:
            break
    assert in_virtual_time == in_real_time
