"""Strategies of one's own come from a Python file; whatever is wrong with it is named with its line."""

import pytest

from chatsim.chat.creation import CreationStrategy, named
from chatsim.chat.paging import named as named_paging
from chatsim.chat.strategies import UnknownStrategyError

MINE = """
from dataclasses import dataclass
from chatsim import creation_strategy, paging_strategy
from beside_{name} import ONE

@dataclass
class Point:
    x: "int"

@creation_strategy()
async def mine(tx, low, high):
    return ONE

@paging_strategy("history")
async def pages(tx, of, cursor, size):
    return None

async def undecorated(tx, low, high):
    return ONE
"""


@pytest.fixture
def path(tmp_path):
    (tmp_path / f"beside_{tmp_path.name}.py").write_text("ONE = 1\n")
    written = tmp_path / "mine.py"
    written.write_text(MINE.format(name=tmp_path.name))
    return written


def test_a_strategy_of_a_file_stands_among_the_others(path):
    first, mine = named(f"upsert, {path}:mine")
    assert (first.name, mine.name) == ("upsert", "mine")
    assert isinstance(mine, CreationStrategy)


def test_a_paging_strategy_comes_from_a_file_too(path):
    (pages,) = named_paging("history", f"{path}:pages")
    assert pages.name == "pages"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nope", "mine.py has no strategy 'nope'; it has: mine"),
        ("pages", "mine.py has no strategy 'pages'; it has: mine"),
        ("undecorated", "'undecorated' is no strategy yet; put @chatsim.creation_strategy() above its function"),
        ("", "mine.py has no strategy ''; it has: mine"),
    ],
)
def test_a_name_that_is_no_strategy_is_named_with_those_there_are(path, name, said):
    with pytest.raises(UnknownStrategyError) as caught:
        named(f"{path}:{name}")
    assert str(caught.value).endswith(said)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = 1\ny = ]\n", "mine.py, line 2: SyntaxError: "),
        ("import json\njson.loads('{')\n", "mine.py, line 2: JSONDecodeError: "),
        ("import no_such_module\n", "mine.py, line 1: ModuleNotFoundError: No module named 'no_such_module'"),
        ("x = 1\n", "mine.py has no strategy 'mine'; it has: none"),
    ],
)
def test_a_file_that_fails_is_named_with_its_line(tmp_path, text, said):
    (tmp_path / "mine.py").write_text(text)
    with pytest.raises(UnknownStrategyError) as caught:
        named(f"{tmp_path}/mine.py:mine")
    assert said in str(caught.value)


def test_a_file_that_is_not_there_or_is_no_python_is_named(tmp_path):
    with pytest.raises(UnknownStrategyError, match=r"none\.py can't be read: No such file or directory"):
        named(f"{tmp_path}/none.py:mine")
    with pytest.raises(UnknownStrategyError, match=r"none\.sql is no Python file: its name must end in \.py"):
        named(f"{tmp_path}/none.sql:mine")
