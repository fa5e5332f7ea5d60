"""What a cell shows: a hint if ``await`` is missing; one message for an error or an interrupt, and no traceback."""

import asyncio
import gc
import sys
import warnings
from types import SimpleNamespace

import pytest

from chatsim.worlds.notebook import in_one_message, starts_when_awaited
from chatsim.worlds.world import BadParameterError

HINT = "chatsim.fetch has not run yet; write: await chatsim.fetch(...)"


@starts_when_awaited
async def fetch(value, *, error=None):
    """Fetch it."""
    await asyncio.sleep(0)
    if error is not None:
        raise error
    return value


@pytest.fixture
def shell(monkeypatch):
    """IPython's shell, in which the file of a cell is known."""
    shown = []
    cells = {"/tmp/ipykernel_7/12.py": ("Cell", "In[3]")}
    shell = SimpleNamespace(shown=shown, displayhook=shown.append, compile=SimpleNamespace(format_code_name=cells.get))
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    return shell


def rendered(error):
    return error._render_traceback_()


async def test_it_is_a_coroutine_for_await_tasks_and_asyncio_run():
    assert await fetch(7) == 7
    assert await asyncio.create_task(fetch(7)) == 7
    assert await asyncio.gather(fetch(7), fetch(8)) == [7, 8]
    assert await asyncio.to_thread(asyncio.run, fetch(7)) == 7
    assert fetch.__doc__ == "Fetch it."


async def test_without_await_it_shows_what_is_missing():
    unawaited = fetch(7)
    assert repr(unawaited) == HINT
    with pytest.raises(
        AttributeError, match=f"^no 'plot' yet: {HINT.replace('(', chr(92) + '(').replace(')', chr(92) + ')')}$"
    ):
        unawaited.plot()
    assert await unawaited == 7
    assert repr(unawaited) == "<a run of chatsim.fetch>"
    with pytest.raises(RuntimeError, match="cannot reuse already awaited coroutine"):
        await unawaited


def test_what_is_dropped_without_await_and_unseen_is_warned_of():
    with pytest.warns(RuntimeWarning, match="chatsim.fetch has not run yet; write: await"):
        fetch(7)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        repr(fetch(7))
        fetch(7).close()
        gc.collect()


async def test_an_error_is_one_message_in_which_cells_have_their_names(shell):
    with pytest.raises(BadParameterError) as raised:
        await fetch(
            7, error=BadParameterError("no good (/tmp/ipykernel_7/12.py, line 4; /tmp/ipykernel_7/99.py, line 1)")
        )
    assert rendered(raised.value) == ["BadParameterError: no good (In[3], line 4; /tmp/ipykernel_7/99.py, line 1)"]


async def test_other_errors_keep_their_traceback(shell):
    with pytest.raises(KeyError) as raised:
        await fetch(7, error=KeyError("x"))
    assert not hasattr(raised.value, "_render_traceback_")
    with pytest.raises(KeyError) as raised, in_one_message(also=KeyError):
        raise KeyError("x")
    assert rendered(raised.value) == ["KeyError: 'x'"]


@pytest.mark.parametrize("interrupt", [asyncio.CancelledError, KeyboardInterrupt])
def test_an_interrupt_shows_what_there_is_once_and_one_line(shell, interrupt):
    with pytest.raises(interrupt) as raised, in_one_message(), in_one_message(partial=lambda: "half of it"):
        raise interrupt
    assert rendered(raised.value) == rendered(raised.value)
    assert rendered(raised.value) == ["Interrupted; what had finished is above, and in the variable _."]
    assert shell.shown == ["half of it"]


def test_an_interrupt_before_anything_has_finished_is_one_line(shell):
    with pytest.raises(asyncio.CancelledError) as raised, in_one_message():
        raise asyncio.CancelledError
    assert rendered(raised.value) == ["Interrupted; nothing had finished."]
    assert shell.shown == []


async def test_the_loop_of_a_notebook_is_woken_while_something_runs(shell):
    tasks = asyncio.all_tasks()
    running = asyncio.create_task(fetch(7))
    await asyncio.sleep(0)
    assert len(asyncio.all_tasks() - tasks) == 2
    await running
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == tasks
