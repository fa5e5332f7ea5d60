"""The locks on an index, step by step."""

import pytest

from chatsim import figures
from chatsim.conformance.model_player import play
from chatsim.conformance.schedule import Schedule
from chatsim.worlds.world import BadParameterError


def test_an_index_without_locks_is_named_with_those_that_have_some():
    script = Schedule.of("a: BEGIN\na: SELECT * FROM t FOR UPDATE", setup=["CREATE TABLE t (id INT PRIMARY KEY)"])
    with pytest.raises(BadParameterError, match=r"^nothing is locked on 't\.nope'; there are locks on: t\.PRIMARY$"):
        figures.lock_steps(script, play(script), "t.nope")


def test_locks_are_drawn_over_what_they_cover_and_a_wait_with_a_dashed_edge():
    script = Schedule.of(
        """
        a: BEGIN
        b: BEGIN
        a: SELECT * FROM t WHERE id = 5 FOR UPDATE
        b: SELECT * FROM t WHERE id = 6 FOR UPDATE
        a: INSERT INTO t VALUES (5)
        """,
        setup=["CREATE TABLE t (id INT PRIMARY KEY)", "INSERT INTO t VALUES (1), (9)"],
    )
    figure = figures.lock_steps(script, play(script), "t.PRIMARY")
    (ax,) = figure.axes
    bars = [bar for container in ax.containers for bar in container]
    assert len(bars) == 1 + 2 + 3  # after steps 3, 4 and 5
    assert [bar.get_linestyle() for bar in bars].count("dashed") == 1
    words = {text.get_text() for text in ax.texts}
    assert {"(9)", "a X", "b X", "a waits to insert"} <= words
    assert any("a waits for b" in word for word in words)
