"""The tables, as SQL text: ``seed`` is exactly what the source document and the code around it use."""

from __future__ import annotations

from importlib.resources import files

__all__ = ["names", "statements"]


def names() -> list[str]:
    """The schemas there are."""
    return sorted(file.name.removesuffix(".sql") for file in files(__name__).iterdir() if file.name.endswith(".sql"))


def statements(name: str) -> list[str]:
    """The statements of schema ``name``, in order. Raises `FileNotFoundError` when there is no such schema."""
    text = files(__name__).joinpath(f"{name}.sql").read_text(encoding="utf-8")
    code = "".join(f"{line}\n" for line in text.splitlines() if not line.startswith("--"))
    return [statement.strip() for statement in code.split(";\n") if statement.strip()]
