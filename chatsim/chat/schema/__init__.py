"""The tables, as SQL text.

``source`` has exactly the source's tables, and ``hardened`` has what correctness needs in addition. The files in
``migrations``, in the order of their numbers, lead from ``source`` to ``hardened``.
"""

from __future__ import annotations

from importlib.resources import files

from chatsim.db import text

__all__ = ["migrations", "names", "statements"]


def names() -> list[str]:
    """The names of the schemas."""
    return sorted(file.name.removesuffix(".sql") for file in files(__name__).iterdir() if file.name.endswith(".sql"))


def statements(name: str) -> list[str]:
    """The statements of schema ``name``, in order. Raises `FileNotFoundError` if there is no such schema."""
    return list(text.statements(files(__name__).joinpath(f"{name}.sql").read_text(encoding="utf-8")))


def migrations() -> dict[str, list[str]]:
    """The statements of each migration, by its name, in order."""
    found = sorted(files(__name__).joinpath("migrations").iterdir(), key=lambda file: file.name)
    return {file.name.removesuffix(".sql"): list(text.statements(file.read_text(encoding="utf-8"))) for file in found}
