"""The chat system takes nothing of the world but its ports."""

import ast
import sys
from pathlib import Path

import pytest

import chatsim.chat
from chatsim.chat import ports
from chatsim.chat.ports import Address

HOME = Path(chatsim.chat.__file__).parent
MODULES = sorted(HOME.rglob("*.py"))
FORBIDDEN = {
    "asyncmy",
    "aiosqlite",
    "datetime",
    "grpc",
    "os",
    "random",
    "redis",
    "secrets",
    "simpy",
    "socket",
    "ssl",
    "threading",
    "time",
    "uuid",
}


def test_an_address_is_written_host_colon_port():
    assert str(Address("127.0.0.1", 3306)) == "127.0.0.1:3306"


def imports(tree):
    """The full names of all that a module imports, wherever it stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_there_are_modules_to_look_at():
    assert {path.stem for path in MODULES} >= {"creation", "ports", "retry"}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(HOME)))
def test_a_module_of_the_chat_system_takes_time_chance_ids_and_bytes_from_its_world(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = set(imports(tree))
    assert not {name.partition(".")[0] for name in names} & FORBIDDEN
    within = ("chatsim.chat", "chatsim.db")
    others = {name for name in names if name.startswith("chatsim.") and not name.startswith(within)}
    assert not others, "arrows run one way"
    words = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    words |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert not words & {"to_thread", "run_in_executor", "__import__", "import_module"}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(HOME)))
def test_a_module_of_the_chat_system_uses_the_standard_library_two_pure_libraries_and_itself(path):
    roots = {name.partition(".")[0] for name in imports(ast.parse(path.read_text(encoding="utf-8")))}
    assert roots <= set(sys.stdlib_module_names) | {"chatsim", "msgspec", "numpy"}


def test_the_ports_public_names_are_there():
    assert {"LocalStore", "Locks", "Network", "Peers", "Presence", "Tokens"} <= set(ports.__all__)
    assert [name for name in ports.__all__ if not hasattr(ports, name)] == []
