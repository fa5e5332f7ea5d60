"""The log of a server under attack: lines that repeat are left out and counted, and others are not hidden by them."""

import logging

import pytest

from chatsim.cli.bounded_log import Bounded, few_warnings
from chatsim.cli.node_options import log_to_stderr


class Log:
    """A logger through the filter, in a time of its own.

    Attributes:
        lines: what was written.
        now: the time in seconds.
    """

    def __init__(self):
        self.lines = []
        self.now = 0.0
        self._logger = logging.Logger("flooded")  # noqa: LOG001 - one of its own
        handler = logging.Handler()
        handler.emit = lambda record: self.lines.append(record.getMessage())
        handler.addFilter(Bounded(lambda: self.now))
        self._logger.addHandler(handler)

    def flood(self, count):
        for number in range(count):
            self._logger.warning("session %d has ended: %s", number, "100 %")

    def other(self, message="the directory can't be reached"):
        self._logger.error(message)


@pytest.fixture
def log():
    return Log()


def test_a_few_lines_of_one_kind_are_all_written(log):
    log.flood(1_000)
    assert log.lines == [f"session {number} has ended: 100 %" for number in range(1_000)]


def test_of_a_flood_only_the_first_thousand_are_written(log):
    log.flood(100_000)
    assert len(log.lines) == 1_000


def test_in_the_long_run_ten_lines_per_second_are_written(log):
    for _ in range(600):
        log.flood(100)
        log.now += 1
    assert len(log.lines) == 1_000 + 599 * 10


def test_the_next_line_says_how_many_were_left_out(log):
    log.flood(2_234)
    log.now += 60
    log.flood(2)
    assert log.lines[1_000:] == [
        "session 0 has ended: 100 % (1,234 more like this one were not logged)",
        "session 1 has ended: 100 %",
    ]


def test_a_flood_does_not_hide_what_another_place_logs(log):
    log.flood(2_000)
    log.other()
    assert log.lines[-1] == "the directory can't be reached"


def test_lines_of_one_place_are_of_one_kind_whatever_they_say(log):
    for number in range(2_000):
        log.other(f"task {number} failed")
    assert len(log.lines) == 1_000


def test_after_a_pause_a_thousand_lines_may_come_at_once_again(log):
    log.flood(2_000)
    log.now += 3_600
    log.flood(2_000)
    assert len(log.lines) == 2_000


def test_the_log_of_servers_is_bounded(monkeypatch, caplog, capsys):
    caplog.set_level(logging.INFO, "chatsim")  # as the function does; the fixture puts it back
    monkeypatch.setattr(logging, "root", logging.RootLogger(logging.WARNING))
    log_to_stderr()
    for number in range(5_000):
        logging.root.warning("session %d has ended", number)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].endswith(" WARNING session 0 has ended")
    assert 1_000 <= len(lines) < 2_000


def test_an_experiment_prints_few_warnings_of_a_kind_and_says_how_many_there_were(capsys):
    logger = logging.Logger("refusing")  # noqa: LOG001 - without handlers, as where logging is not set up
    with few_warnings():
        for number in range(100):
            logger.warning("request %d is refused", number)
        logger.error("something else")
    *lines, last = capsys.readouterr().err.splitlines()
    assert lines == [*(f"request {number} is refused" for number in range(5)), "something else"]
    assert last == "95 more warnings like these were not printed."
    with few_warnings():
        logger.warning("once")
    assert capsys.readouterr().err == "once\n"
