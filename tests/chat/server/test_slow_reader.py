"""A client that never reads, over TCP: it is let go with a reason, costs the node no memory, and catches up later."""

import asyncio
import json
import logging
import re
import socket
import struct
import tracemalloc
from contextlib import ExitStack, closing

from harness import ANN, BOB, in_both_worlds

from chatsim.worlds.mysql import tcp

QUEUE = 200_000  # bytes that may wait for one session
FRAME = 65_539  # the most that one message more can add
MEMORY = 2_500_000  # bytes: what waits, its copy on the way to the kernel, and what everybody else has in hand
BATCHES = 100  # of more than 60,000 bytes each


class Deaf:
    """A connection that logs in and reads nothing more; the kernel keeps as little for it as it can."""

    def __init__(self):
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        self._socket.setblocking(False)

    async def log_in(self, harness, uid):
        loop, address = asyncio.get_running_loop(), harness.cluster.nodes[0].address
        await loop.sock_connect(self._socket, (address.host, address.port))
        body = json.dumps({"uid": uid, "token": await harness.world.tokens.issue(uid)}).encode()
        await loop.sock_sendall(self._socket, struct.pack(">HH", 1005, len(body)) + body)
        assert struct.unpack(">H", await loop.sock_recv(self._socket, 2)) == (1006,)

    def close(self):
        self._socket.close()


@in_both_worlds(worlds=["mysql"], queue_bytes=QUEUE, request_bytes=65_535, text_characters=10_000, expiry=3_600)
async def test_a_client_that_never_reads_is_let_go_costs_no_memory_and_catches_up_later(harness, caplog, monkeypatch):
    monkeypatch.setattr(tcp, "_LINGER", 0)
    caplog.set_level(logging.INFO)
    thread = await harness.talking(ANN, BOB)
    ann, node = await harness.log_in(ANN), harness.cluster.nodes[0]
    sent, most, deaf = [], 0, 0
    with ExitStack() as stack:
        stack.callback(tracemalloc.stop)
        for number in range(BATCHES):
            if len(node._sessions) == 1:  # there is none yet, or it was let go: it comes again
                await stack.enter_context(closing(Deaf())).log_in(harness, BOB)
                deaf += 1
            if number == 1:  # what is made once has been made
                tracemalloc.start()
                before, _ = tracemalloc.get_traced_memory()
            texts = [{"content": "x" * 10_000, "unique_id": f"{number}.{each}"} for each in range(6)]
            reply = await ann.ask(1017, {"fromuid": ANN, "touid": BOB, "thread_id": thread, "text_array": texts})
            sent += [each["message_id"] for each in reply["chat_datas"]]
            most = max(most, *(session._unsent for session in node._sessions))
        _, peak = tracemalloc.get_traced_memory()
    assert len(sent) == 6 * BATCHES
    ends = [each.getMessage() for each in caplog.records if "user 2 at" in each.getMessage()]
    reasons = [re.fullmatch(r".* has ended: (\d+) bytes wait to be sent", each)[1] for each in ends]
    assert len(reasons) >= 1, f"{deaf} came"
    assert all(QUEUE < int(waiting) <= QUEUE + FRAME for waiting in reasons)
    assert QUEUE < most <= QUEUE + FRAME
    assert peak - before < MEMORY < len(sent) * 10_000 / 2

    bob = await harness.log_in(BOB)
    found, cursor, more = [], 0, True
    while more:
        page = await bob.ask(1029, {"thread_id": thread, "message_id": cursor})
        found += [each["msg_id"] for each in page["chat_datas"]]
        cursor, more = page["last_message_id"], page["load_more"]
    assert found == sent
