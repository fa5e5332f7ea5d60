"""The names of files with attachments. They are drawn by servers; nothing else becomes a part of a path."""

from __future__ import annotations

import re

from chatsim.chat.ports import FilesError

__all__ = ["check_file_name", "is_file_name"]

_NAME = re.compile("[0-9a-f]{32}")


def is_file_name(name: str) -> bool:
    """Whether a file may have this name."""
    return _NAME.fullmatch(name) is not None


def check_file_name(name: str) -> None:
    """Raise `FilesError` unless a file may have this name."""
    if not is_file_name(name):
        raise FilesError(f"{name!r} is not the name of a file: that has 32 hexadecimal digits")
