"""A client that knows the wire and nothing of chatsim, and ``chatsim serve`` as somebody else would run it."""

import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import uuid
from contextlib import suppress

CHATSIM = [sys.executable, "-m", "chatsim"]
_HEADER = struct.Struct(">HH")
_PATIENCE = 15.0  # seconds that nothing here should take; a silent session ends after 20
_STARTING = 120.0  # seconds that programs have to begin, on a machine that is busy


def frame(number, body):
    """The bytes of a message; ``body`` is anything that JSON can say, or bytes."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return _HEADER.pack(number, len(data)) + data


class ForeignClient:
    """A connection of a client that is not chatsim's."""

    def __init__(self, host, port):
        self._socket = socket.create_connection((host, port), timeout=_PATIENCE)
        self.name = "{}:{}".format(*self._socket.getsockname()[:2])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def talk(self, number, body):
        """Send a message."""
        self.raw(frame(number, body))

    def raw(self, data):
        """Send bytes; a peer that has gone is met when it is heard."""
        with suppress(BrokenPipeError, ConnectionResetError):
            self._socket.sendall(data)

    def hear(self, timeout=_PATIENCE):
        """The next message as its id and its body, or None when the peer has closed. Raises `TimeoutError`."""
        header = self._exactly(_HEADER.size, timeout)
        if header is None:
            return None
        number, length = _HEADER.unpack(header)
        return number, json.loads(self._exactly(length, timeout) or b"")

    def ask(self, number, body):
        """Send a message and hear what comes next."""
        self.talk(number, body)
        return self.hear()

    def silent(self):
        """Whether nothing has arrived, not even the end."""
        self._socket.settimeout(0)
        try:
            self._socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        finally:
            self._socket.settimeout(_PATIENCE)
        return False

    def hang_up(self):
        """Say that nothing more will be sent, and go on hearing."""
        with suppress(OSError):  # the peer may have been first
            self._socket.shutdown(socket.SHUT_WR)

    def close(self):
        """Close."""
        self._socket.close()

    def _exactly(self, count, timeout):
        self._socket.settimeout(timeout)
        data = b""
        while len(data) < count:
            try:
                piece = self._socket.recv(count - len(data))
            except ConnectionResetError:
                return None
            if not piece:
                assert not data, f"the connection ended within a frame: {data!r}"
                return None
            data += piece
        return data


_USER = {"name", "nick", "icon", "sex"}
_BATCH = {"error", "fromuid", "touid", "thread_id", "chat_datas"}
KEYS = {
    1006: _USER | {"error", "uid", "pwd", "email", "desc", "apply_list", "friend_list"},
    1008: _USER | {"error", "uid", "desc"},
    1010: {"error"},
    1011: _USER | {"error", "applyuid", "desc"},
    1014: _USER | {"error", "uid", "chat_datas"},
    1015: _USER | {"error", "fromuid", "touid", "chat_datas"},
    1018: _BATCH,
    1019: _BATCH,
    1024: {"error"},
    1026: {"error", "uid", "load_more", "next_last_id", "threads"},
    1028: {"error", "uid", "other_id", "thread_id"},
    1030: {"error", "thread_id", "last_message_id", "load_more", "chat_datas"},
}
"""The source's keys, by message id: a client of its own knows no other messages."""

ELEMENTS = {
    1014: {"sender", "msg_id", "thread_id", "unique_id", "msg_content"},
    1015: {"sender", "msg_id", "thread_id", "unique_id", "msg_content"},
    1018: {"message_id", "unique_id", "content", "status", "chat_time"},
    1019: {"message_id", "unique_id", "content", "status", "chat_time"},
    1026: {"thread_id", "type", "user1_id", "user2_id"},
    1030: {"sender", "msg_id", "thread_id", "unique_id", "msg_content", "chat_time"},
}
"""The keys of what is in their lists."""


class Person:
    """A user with a client like the source's, whose messages have the source's keys, all of them and no others.

    Attributes:
        uid: who.
        profile: what the latest login has said.
    """

    def __init__(self, where):
        self.uid = where["uid"]
        self._where = where
        self._client = None
        self._notices = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.log_out()

    def log_in(self):
        """Connect, and log in."""
        self._client = ForeignClient(self._where["host"], self._where["port"])
        self.profile = self.ask(1005, {"uid": self.uid, "token": self._where["token"]})

    def log_out(self):
        """Hang up, and forget what has not been looked at."""
        if self._client is not None:
            self._client.close()
        self._notices = []

    def ask(self, number, body):
        """Send a request; its reply, which is no error."""
        self._client.talk(number, body)
        while (message := self._next())[0] != number + 1:
            self._notices.append(message)
        assert message[1]["error"] == 0, message
        return message[1]

    def notice(self):
        """The next message that comes unasked, its id and its body."""
        return self._notices.pop(0) if self._notices else self._next()

    def say(self, thread, other, *contents, names=None):
        """Send a batch of texts; returns their ids and what they are called."""
        names = names or [f"{{{uuid.uuid4()}}}" for _ in contents]
        texts = [{"content": said, "unique_id": name} for said, name in zip(contents, names, strict=True)]
        reply = self.ask(1017, {"fromuid": self.uid, "touid": other, "thread_id": thread, "text_array": texts})
        stored = reply["chat_datas"]
        assert [(each["content"], each["unique_id"]) for each in stored] == list(zip(contents, names, strict=True))
        return [each["message_id"] for each in stored], names

    def threads(self):
        """All threads, and the sizes of the pages that they came in."""
        found, sizes, last, more = [], [], 0, True
        while more:
            page = self.ask(1025, {"uid": self.uid, "thread_id": last})
            found += page["threads"]
            sizes.append(len(page["threads"]))
            last, more = page["next_last_id"], page["load_more"]
        return found, sizes

    def history(self, thread, after=0):
        """All messages of a thread from one on, and the sizes of the pages that they came in."""
        found, sizes, more = [], [], True
        while more:
            page = self.ask(1029, {"thread_id": thread, "message_id": after})
            found += page["chat_datas"]
            sizes.append(len(page["chat_datas"]))
            after, more = page["last_message_id"], page["load_more"]
        return found, sizes

    def _next(self):
        message = self._client.hear()
        assert message is not None, "the server has closed"
        number, body = message
        assert set(body) == KEYS[number], message
        for element in body.get("chat_datas", body.get("threads", [])):
            assert set(element) == ELEMENTS[number], message
        return message


class Serving:
    """``chatsim serve``, or another command that prints lines of JSON, in a process of its own.

    Entered, it runs and has printed its first ``lines`` lines; they are `said`. It is asked to end at the end of the
    block, and killed with its process group if it doesn't.

    Attributes:
        command: the words that start it.
    """

    def __init__(self, *words, lines, **variables):
        self._words = [str(word) for word in words]
        self.command = [*CHATSIM, *self._words]
        self._lines = lines
        self._environment = os.environ | variables
        self._changed = threading.Condition()
        self.said = []
        self.stdout = ""
        self.stderr = ""

    def __enter__(self):
        self.process = subprocess.Popen(
            self.command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self._environment,
            start_new_session=True,
        )
        self._readers = [threading.Thread(target=self._read, args=(name,)) for name in ("stdout", "stderr")]
        for reader in self._readers:
            reader.start()
        try:
            self._wait(lambda: len(self.said) >= self._lines, f"{self._lines} lines of JSON", _STARTING)
        except BaseException:
            self._clean_up()
            raise
        return self

    def __exit__(self, *_):
        self._clean_up()

    def end(self, number=signal.SIGTERM):
        """Send it a signal and wait for its end; returns the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.wait()

    def wait(self):
        """Wait for its end, and that of its output; returns the exit status."""
        status = self.process.wait(_PATIENCE)
        for reader in self._readers:
            reader.join(_PATIENCE)
            assert not reader.is_alive(), "somebody still holds its output"
        return status

    def logs(self, pattern):
        """Wait until standard error has what ``pattern`` matches."""
        return self._wait(lambda: re.search(pattern, self.stderr), pattern)

    def _clean_up(self):
        try:
            self.end()
        finally:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            for reader in self._readers:
                reader.join()
            self.process.stdout.close()
            self.process.stderr.close()

    def _read(self, name):
        for line in getattr(self.process, name):
            with self._changed:
                setattr(self, name, getattr(self, name) + line)
                if name == "stdout":
                    self.said.append(json.loads(line))
                self._changed.notify_all()
        with self._changed:
            self._changed.notify_all()

    def _wait(self, found, what, patience=_PATIENCE):
        until = time.monotonic() + patience
        with self._changed:
            while not (it := found()):
                over = self.process.poll() is not None and not any(reader.is_alive() for reader in self._readers)
                left = until - time.monotonic()
                assert not over, f"it ended without {what}; it said: {self.stderr[-2000:]}"
                assert left > 0, f"still without {what}; it said: {self.stderr[-2000:]}"
                self._changed.wait(min(left, 0.1))
        return it
