"""The chat system runs without any world: nothing of one is imported by it, directly or behind its back."""

import subprocess
import sys
from pathlib import Path

import chatsim

HOME = Path(chatsim.__file__).parent

# `chatsim` itself is what notebooks import and knows everything: here it is an empty package with the same folders
PROGRAM = f"""
import importlib, pkgutil, sys, types
package = types.ModuleType("chatsim")
package.__path__ = [{str(HOME)!r}]
sys.modules["chatsim"] = package
import chatsim.chat
names = [module.name for module in pkgutil.walk_packages(chatsim.chat.__path__, "chatsim.chat.")]
assert len(names) >= 15, names
for name in names:
    importlib.import_module(name)
print(*sorted(name for name in sys.modules), sep="\\n")
"""


def test_all_of_it_can_be_imported_and_nothing_of_a_world_has_come_along():
    loaded = subprocess.run([sys.executable, "-c", PROGRAM], check=True, capture_output=True, text=True).stdout.split()
    assert "chatsim.chat.server.node" in loaded
    ours = {name for name in loaded if name.startswith("chatsim.")}
    assert {name for name in ours if not name.startswith(("chatsim.chat", "chatsim.db"))} == set()
    roots = {name.partition(".")[0] for name in loaded}
    assert not roots & {"simpy", "asyncmy", "aiosqlite", "redis", "grpc", "itsdangerous", "pandas", "matplotlib"}
