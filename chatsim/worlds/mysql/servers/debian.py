"""A server program from Debian's packages, unpacked into a folder of the user. It needs no installation and no root.

apt-get runs with private folders for all its state. The archive's address comes from the machine's own apt sources.
Each program runs with the loader of its own packages, so the machine's libc does not matter.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import filelock
import platformdirs

from chatsim.worlds.mysql.servers.private import Program

__all__ = ["FetchError", "Packages", "Tree", "cache", "folder", "is_unpacked", "obstacle", "unpack"]

_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_SOURCES = (Path("/etc/apt/sources.list"), Path("/etc/apt/sources.list.d"))


class FetchError(Exception):
    """The packages could not be downloaded or unpacked. The message ends with the output of apt-get or dpkg-deb."""


@dataclass(frozen=True)
class Packages:
    """The packages of one tree.

    Attributes:
        tree: the folder's name in the cache.
        names: the packages, without their dependencies.
        suite: Debian's suite; None is the machine's own.
    """

    tree: str
    names: tuple[str, ...]
    suite: str | None = None


@dataclass(frozen=True)
class Tree:
    """An unpacked set of packages.

    Attributes:
        root: the folder that stands for ``/``.
    """

    root: Path

    def program(self, name: str) -> Program:
        """The executable ``name``, run by the tree's own loader with the tree's own libraries."""
        for folder in ("usr/sbin", "usr/bin"):
            path = self.root / folder / name
            if path.exists():
                return Program((*self._loader(), str(path)), root=self.root)
        raise FetchError(f"the packages in {self.root} bring no {name}")

    def _loader(self) -> tuple[str, ...]:
        # sid keeps its libraries under usr/lib, bookworm under lib too; <root>/lib64 may be a link out of the tree
        libraries = [path for place in ("usr/lib", "lib") for path in sorted((self.root / place).glob("*-linux-gnu*"))]
        for loader in (path for library in libraries for path in sorted(library.glob("ld-linux-*.so.?"))):
            return (str(loader), "--library-path", ":".join(map(str, libraries)))
        raise FetchError(f"the packages in {self.root} bring no dynamic loader")


def cache() -> Path:
    """The user's cache folder for chatsim. The variable CHATSIM_CACHE changes it."""
    return Path(os.environ.get("CHATSIM_CACHE") or platformdirs.user_cache_dir("chatsim"))


def folder(packages: Packages) -> Path:
    """The folder in which ``packages`` are unpacked."""
    return cache() / packages.tree


def is_unpacked(packages: Packages) -> bool:
    """Whether the packages are unpacked completely."""
    return _stamp(packages).exists()


def obstacle() -> str | None:
    """The reason why packages can't be downloaded on this machine, or None."""
    for tool in ("apt-get", "dpkg-deb"):
        if shutil.which(tool) is None:
            return f"{tool} is not on the PATH (Debian's packages can't be unpacked here)"
    if not _KEYRING.exists():
        return f"{_KEYRING} is missing (this is not a Debian)"
    if _mirror() is None:
        return "no Debian archive is named in /etc/apt/sources.list or sources.list.d"
    return None


def unpack(packages: Packages) -> Tree:
    """Download and unpack ``packages``, if that was not done before. Only one process does so; the others wait.

    Raises:
        FetchError: apt-get or dpkg-deb failed. Incomplete files are removed.
    """
    from tqdm.auto import tqdm

    home = folder(packages)
    tree = Tree(home / "root")
    home.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(home / "lock"):
        if not is_unpacked(packages):
            shutil.rmtree(tree.root, ignore_errors=True)
            try:
                for archive in tqdm(_download(packages, home / "apt"), desc=f"unpacking {packages.tree}", leave=False):
                    _run(["dpkg-deb", "-x", str(archive), str(tree.root)])
                _stamp(packages).touch()
            finally:
                shutil.rmtree(home / "apt", ignore_errors=True)
                if not is_unpacked(packages):
                    shutil.rmtree(tree.root, ignore_errors=True)
    return tree


def _stamp(packages: Packages) -> Path:
    # the names are in the stamp, so that a newer chatsim that needs more packages downloads again
    return folder(packages) / ("unpacked-" + "+".join(packages.names))


def _download(packages: Packages, apt: Path) -> list[Path]:
    for part in ("lists/partial", "cache/archives/partial"):
        (apt / part).mkdir(parents=True, exist_ok=True)
    (apt / "status").touch()
    sources = apt / "sources.list"
    sources.write_text(f"deb [signed-by={_KEYRING}] {_mirror()} {packages.suite or _own_suite()} main\n")
    settings = {
        "Dir::State": apt,
        "Dir::State::Lists": apt / "lists",
        "Dir::State::status": apt / "status",
        "Dir::Cache": apt / "cache",
        "Dir::Etc::sourcelist": sources,
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::Etc::preferences": "/dev/null",
        "Dir::Etc::preferencesparts": "/dev/null",
        "APT::Install-Recommends": "false",
        "APT::Sandbox::User": "",
        "Debug::NoLocking": "true",
    }
    get = ["apt-get", "-qq", *(part for key, value in settings.items() for part in ("-o", f"{key}={value}"))]
    _run([*get, "update"])
    _run([*get, "-y", "--download-only", "install", *packages.names])
    return sorted((apt / "cache" / "archives").glob("*.deb"))


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        output = (done.stderr or done.stdout).strip().splitlines()
        raise FetchError(f"{command[0]} failed: {output[-1] if output else f'exit status {done.returncode}'}")


def _mirror() -> str | None:
    """The address of the Debian archive in the machine's own apt sources, one-line or deb822."""
    for path in _source_files():
        for line in path.read_text(errors="replace").splitlines():
            match = re.match(r"(?:URIs:|deb\s+(?:\[[^]]*\]\s+)?)\s*(\S+/debian)/?(?:\s|$)", line)
            if match:
                return match[1]
    return None


def _source_files() -> Iterator[Path]:
    for place in _SOURCES:
        if place.is_file():
            yield place
        elif place.is_dir():
            yield from sorted(path for path in place.iterdir() if path.suffix in {".list", ".sources"})


def _own_suite() -> str:
    release = Path("/etc/os-release").read_text()
    match = re.search(r"^VERSION_CODENAME=(\S+)$", release, re.MULTILINE)
    return match[1] if match else "stable"
