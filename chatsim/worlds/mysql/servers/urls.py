"""What a server's URL may look like, and how it is shown."""

from __future__ import annotations

import re

__all__ = ["BadUrlError", "without_password"]


class BadUrlError(ValueError):
    """Not a URL of the form ``mysql://user:password@host:port``."""


def without_password(url: str) -> str:
    """``url`` as it may be shown."""
    return re.sub(r"(://[^:@/]*):.*@", r"\1:***@", url, flags=re.DOTALL)  # a bare @ or / may be part of it
