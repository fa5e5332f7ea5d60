"""What a node does about each message, by topic: a short coroutine for each."""

from __future__ import annotations

from chatsim.chat.server.handlers import catchup, friends, login, texts, threads
from chatsim.chat.server.handlers.table import HANDLERS, answer

__all__ = ["HANDLERS", "answer", "catchup", "friends", "login", "texts", "threads"]
