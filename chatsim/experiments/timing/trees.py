"""The two trees whose benchmarks are compared: a commit in a worktree of its own, and the working tree."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

from chatsim.worlds.world import BadParameterError

__all__ = ["commit_of", "dependencies_differ", "is_changed", "root_of", "worktree"]

_NEEDS = ("pyproject.toml", "constraints.txt")
"""The files that say what a tree needs."""


def root_of(folder: Path) -> Path:
    """The root of the git repository that a folder is in. Raises `BadParameterError`."""
    return Path(_git(folder, "rev-parse", "--show-toplevel", error=f"{folder} is in no git repository"))


def commit_of(root: Path, ref: str) -> str:
    """The full number of the commit that a ref names. Raises `BadParameterError`."""
    hint = (
        ""
        if _git(root, "rev-parse", "--is-shallow-repository") == "false"
        else ("; this clone is shallow: `git fetch --unshallow` gets the other commits")
    )
    error = f"there is no commit {ref!r} in {root}{hint}"
    return _git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}", error=error)


def is_changed(root: Path) -> bool:
    """Whether the working tree differs from its commit."""
    return bool(_git(root, "status", "--porcelain"))


@contextmanager
def worktree(root: Path, commit: str) -> Iterator[Path]:
    """The files of a commit in a folder, for the block. Raises `BadParameterError`."""
    home = Path(tempfile.mkdtemp(prefix="chatsim-base-"))
    try:
        tree = home / "base"
        _git(root, "worktree", "add", "--quiet", "--detach", str(tree), commit, error="the base can't be checked out")
        yield tree
    finally:
        shutil.rmtree(home, ignore_errors=True)
        subprocess.run(["git", "-C", str(root), "worktree", "prune"], check=False, capture_output=True)


def dependencies_differ(base: Path, head: Path) -> list[str]:
    """What the trees do not need alike, a sentence each: both run with what is installed here."""
    found = []
    for name in _NEEDS:
        one, two = (_needs(tree / name) for tree in (base, head))
        for package in sorted({*one, *two}):
            if one.get(package) != two.get(package):
                there, here = (side.get(package, "nothing") for side in (one, two))
                found.append(f"{name} asks for {there} there, {here} here; both run with what is installed here")
    return found


def _needs(path: Path) -> dict[str, str]:
    """The requirements in a file, by package."""
    try:
        text = path.read_text(encoding="utf-8")
        project = tomllib.loads(text).get("project", {}) if path.suffix == ".toml" else None
    except (OSError, tomllib.TOMLDecodeError):
        return {}
    if project is None:
        lines = [line.partition("#")[0].strip() for line in text.splitlines()]
    else:
        extras = project.get("optional-dependencies", {}).values()
        lines = [*project.get("dependencies", ()), *chain.from_iterable(extras)]
    return {re.split(r"[^\w.-]", line, maxsplit=1)[0].lower(): line for line in lines if line}


def _git(folder: Path, *words: str, error: str = "") -> str:
    try:
        done = subprocess.run(["git", "-C", str(folder), *words], check=False, capture_output=True, text=True)
    except FileNotFoundError:
        raise BadParameterError("git is not installed") from None
    if done.returncode:
        said = done.stderr.strip()
        raise BadParameterError(f"{error or f'git {words[0]} has failed'}{f': {said}' if said else ''}")
    return done.stdout.strip()
