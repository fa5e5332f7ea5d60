"""The limits on the page about guarantees are the defaults of the node."""

import re
from dataclasses import fields
from pathlib import Path

import click
import pytest

from chatsim.chat.protocol import CHUNK_REQUEST_LIMIT
from chatsim.chat.server.admission import BREACH, PER_ADDRESS
from chatsim.chat.server.handlers.receipts import MOST_MARKS
from chatsim.chat.server.limits import Limits
from chatsim.chat.server.push_queue import MOST_WAITING, PORTION
from chatsim.cli import main
from chatsim.cli.bounded_log import LINES_AT_ONCE, LINES_PER_SECOND

PAGE = (Path(__file__).parents[2] / "docs" / "guarantees.md").read_text()
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.partition("## By which limits")[2].partition("\n## ")[0].splitlines()
    if line.startswith("| ") and "limit | option" not in line
]
UNITS = {"MiB": 2**20, "GiB": 2**30}


def number(cell):
    """The first number of a cell, in its unit."""
    found = re.match(r"([\d,.]+)(?: (MiB|GiB))?", cell)
    return float(found[1].replace(",", "")) * UNITS.get(found[2], 1)


def options():
    command = main.get_command(click.Context(main), "node")
    return {name: each.default for each in command.params for name in each.opts}


OTHERS = {
    "`--connections-per-address`": PER_ADDRESS,
    "`BREACH`": BREACH,
    "`MOST_MARKS`": MOST_MARKS,
    "`PORTION`": PORTION,
    "`MOST_WAITING`": MOST_WAITING,
    "`LINES_AT_ONCE`": LINES_AT_ONCE,
    "`LINES_PER_SECOND`": LINES_PER_SECOND,
    "`CHUNK_REQUEST_LIMIT`": CHUNK_REQUEST_LIMIT,
}
NAMES = {field.name for field in fields(Limits)}


@pytest.mark.parametrize(("what", "limit", "where"), ROWS, ids=[row[0] for row in ROWS])
def test_each_limit_is_the_default(what, limit, where):
    if where in OTHERS:
        assert number(limit) == OTHERS[where]
    elif where.startswith("`--"):
        assert number(limit) == options()[where.strip("`")]
    else:
        assert number(limit) == getattr(Limits(), where.strip("`"))


def test_the_limits_of_what_an_attacker_may_take_are_all_there():
    named = {where.strip("`") for _, _, where in ROWS}
    options_of = {
        "login": "--login-seconds",
        "connections": "--connections",
        "per_address": "--connections-per-address",
        "request_bytes": "--request-bytes",
        "file_bytes": "--file-bytes",
        "user_file_bytes": "--user-file-bytes",
        "upload_seconds": "--upload-seconds",
    }
    own_choice = {"devices", "strangers", "looks_up_users", "grace", "report", "text_characters", "group_members"}
    own_choice |= {"recall_seconds", "edit_seconds"}
    assert {options_of.get(name, name) for name in NAMES - own_choice} <= named
