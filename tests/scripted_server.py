"""For tests of a client that remembers: a device that can lose its power, and a server that can be led astray."""

import asyncio
from collections import Counter, defaultdict, deque
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter

import model_network
import msgspec
import numpy as np

from chatsim.chat.client.connection import Client
from chatsim.chat.client.messenger import Messenger, Timing
from chatsim.chat.ports import Address
from chatsim.chat.protocol import (
    FROM_CLIENT,
    REPLY,
    AcknowledgedText,
    AddFriendReply,
    AddFriendRequest,
    AuthFriendReply,
    AuthFriendRequest,
    CatchUpPart,
    CatchUpReply,
    CatchUpRequest,
    CreatePrivateChatReply,
    CreatePrivateChatRequest,
    DateReply,
    DateRequest,
    Decoder,
    DeliveredNotice,
    DeliveredReply,
    DeliveredRequest,
    EditReply,
    EditRequest,
    ErrorCode,
    FirstText,
    HeartbeatReply,
    HeartbeatRequest,
    HistoryReply,
    HistoryRequest,
    LoginReply,
    LoginRequest,
    MessageStatus,
    NumberedText,
    OfflineNotice,
    ReadReply,
    ReadRequest,
    RecallReply,
    RecallRequest,
    ReceiptsReply,
    ReceiptsRequest,
    RevisedNotice,
    RevisionsReply,
    RevisionsRequest,
    TextReply,
    TextRequest,
    TextsNotice,
    ThreadState,
    ThreadStatesReply,
    ThreadStatesRequest,
    ThreadTexts,
    encode,
)
from chatsim.worlds.model.costs import StoreCosts
from chatsim.worlds.model.local_store import ModelStore

ME, OTHER = 7, 8
TIME = "2024-01-01 00:00:00"
FREE = StoreCosts(call=0.0, row=0.0, commit=0.0)
NEVER = 1e9


class PowerCutError(Exception):
    """The device has lost its power."""


class PowerCutStore:
    """A local store whose power can be cut: between two transactions, never within one.

    Args:
        store: where it keeps things.
        lasting: whether closing leaves it open, so that what is in memory only is there after a restart.

    Attributes:
        left: how many transactions there is power for.
        error: what the next one raises.
    """

    def __init__(self, store, *, lasting=False):
        self._store = store
        self._lasting = lasting
        self.left = float("inf")
        self.error = PowerCutError()

    async def execute(self, sql, args=()):
        return (await self.transaction([(sql, args)]))[0]

    async def transaction(self, statements):
        if self.left < 1:
            raise self.error
        self.left -= 1
        return await self._store.transaction(statements)

    async def close(self):
        if not self._lasting:
            await self._store.close()


def now():
    return asyncio.get_running_loop().time()


@dataclass
class ServersThread:
    """A thread as the server has it."""

    users: tuple[int, int] = (ME, OTHER)
    texts: list[NumberedText] = field(default_factory=list)
    read: Counter = field(default_factory=Counter)
    delivered: Counter = field(default_factory=Counter)
    version: int = 0
    revision: int = 0

    def append(self, sender, content, name):
        text = NumberedText(len(self.texts) + 1, next(_IDS), sender, name, 0, content, 0, TIME)
        self.texts.append(text)
        return text

    def revise(self, seq, content):
        """Recall a text (None), or edit it."""
        self.revision += 1
        status = MessageStatus.RECALLED if content is None else MessageStatus.SENT
        text = msgspec.structs.replace(
            self.texts[seq - 1], content=content or "", status=int(status), revision=self.revision
        )
        self.texts[seq - 1] = text
        return text

    def number_of(self, message_id):
        return next(text.seq for text in self.texts if text.message_id == message_id)


_IDS = iter(range(1, 10**9))

SILENCE = object()
"""No answer."""

HANGS_UP = object()
"""The connection is broken off, before anything is done."""

FORGETS = object()
"""It is done, and the connection is broken off."""

LATE = object()
"""It is done, and answered when nobody waits any longer."""

TWICE = object()
"""It is done, and answered two times."""

PATIENCE = 5.0
"""The seconds that a messenger's request may take."""


class Server:
    """One node with a memory. What it does with the next request of a kind can be scripted.

    Attributes:
        threads: by id.
        page: how many texts, or threads, are a page, or a part of a catch-up.
        script: what comes in place of the next answers to a kind of request: one of the above, an error code, or
            a function of the request and the right answer that gives the messages to say; of a catch-up it is given
            the parts, too, and then the answer.
        requests: every request, and when; heartbeats aside.
        sessions: the open connections' streams.
        profile: what a login is answered with.
        address: where it listens.
        mute: whether nobody is told of new texts.
        refuses: which batches of texts it does not want, for good.
    """

    def __init__(self, network=None):
        self.network = network or model_network.network(latency=0.01)
        self.threads = defaultdict(ServersThread)
        self.page = 10
        self.script = defaultdict(deque)
        self.requests = []
        self.sessions = []
        self.profile = LoginReply(0, uid=ME, name="ann")
        self.mute = False
        self.refuses = lambda _: False
        self.address = Address("127.0.0.1", 4000)
        self._listener = None
        self._version = 0

    async def open(self):
        self._listener = await self.network.listen(self.address, self._serve)

    async def shut(self):
        """Go away: nobody listens, and all connections end."""
        await self._listener.close()
        await self.hang_up()

    async def hang_up(self):
        for stream in list(self.sessions):
            await stream.close()

    async def say(self, *messages):
        """Tell everybody who is here."""
        for stream in list(self.sessions):
            with suppress(ConnectionError):
                await stream.write(b"".join(map(encode, messages)))

    async def kick(self):
        await self.say(OfflineNotice(ErrorCode.SUCCESS, ME))

    def write(self, thread_id, *contents, sender=OTHER):
        """Store texts, and tell nobody."""
        thread = self._changed(thread_id)
        return tuple(
            thread.append(sender, content, f"{sender}/{thread_id}/{len(thread.texts)}") for content in contents
        )

    def revise(self, thread_id, seq, content):
        """Recall a text (None) or edit it, and tell nobody."""
        return self._changed(thread_id).revise(seq, content)

    async def tell_revised(self, thread_id, *texts):
        await self.say(RevisedNotice(thread_id, texts))

    async def tell_delivered(self, thread_id, uid, seq):
        self._changed(thread_id).delivered[uid] = seq
        await self.say(DeliveredNotice(thread_id, uid, seq))

    async def push(self, thread_id, *texts):
        await self.say(TextsNotice(thread_id, texts[0].sender, ME, texts))

    def of(self, kind):
        """The requests of a kind that were heard."""
        return [request for _, request in self.requests if type(request) is kind]

    def times(self, kind):
        return [at for at, request in self.requests if type(request) is kind]

    async def _serve(self, stream):
        self.sessions.append(stream)
        decoder = Decoder(FROM_CLIENT, 65535)
        try:
            while data := await stream.read(65536):
                decoder.feed(data)
                while (request := decoder.next_message()) is not None:
                    if not isinstance(request, HeartbeatRequest):
                        self.requests.append((now(), request))
                    if not await self._do(stream, request):
                        return
        except ConnectionError:
            pass
        finally:
            self.sessions.remove(stream)

    async def _do(self, stream, request):
        """Answer a request; returns whether the connection goes on."""
        scripted = self.script[type(request)]
        told = scripted.popleft() if scripted else None
        if told is HANGS_UP:
            return False
        if told is SILENCE:
            return True
        if isinstance(told, int):
            says, notices = [REPLY[type(request)](told)], []
        else:
            parts = self._parts(request) if isinstance(request, CatchUpRequest) else []
            reply, notices = self._answer(request)
            says = told(request, *parts, reply) if callable(told) else [*parts, reply]
        if told is FORGETS:
            return False
        if told is LATE:
            await asyncio.sleep(1.5 * PATIENCE)
        if told is TWICE:
            says = 2 * says
        await stream.write(b"".join(map(encode, [*notices, *says])))
        return True

    def _answer(self, request):  # noqa: C901, PLR0912
        """The right reply, and what is said unasked before it."""
        match request:
            case TextRequest():
                return self._store(request)
            case LoginRequest():
                reply = self.profile
            case HeartbeatRequest():
                reply = HeartbeatReply(0)
            case ThreadStatesRequest(since=since, before=before):
                newest = sorted(map(self.state, self.threads), key=lambda state: -state.version)
                found = [state for state in newest if since < state.version < (before or NEVER)]
                reply = ThreadStatesReply(0, len(found) > self.page, tuple(found[: self.page]))
            case HistoryRequest(thread_id=thread_id, seq=seq, backward=backward):
                texts = self.threads[thread_id].texts
                side = texts[: seq - 1] if backward else texts[seq:]
                page = side[-self.page :] if backward else side[: self.page]
                reply = HistoryReply(0, thread_id, len(page) < len(side), tuple(page))
            case CatchUpRequest():
                reply = CatchUpReply(0)
            case AddFriendRequest():
                reply = AddFriendReply(0)
            case AuthFriendRequest(touid=other):
                (text,) = self.write(100 + other, "we are friends", sender=other)
                first = FirstText(other, text.message_id, 100 + other, "", text.content)
                reply = AuthFriendReply(0, other, f"name{other}", chat_datas=(first,))
            case CreatePrivateChatRequest(other_id=other):
                self._changed(100 + other).users = (ME, other)
                reply = CreatePrivateChatReply(0, ME, other, 100 + other)
            case ReadRequest(thread_id=thread_id, seq=seq):
                self._changed(thread_id).read[ME] = seq
                reply = ReadReply(0)
            case RecallRequest(thread_id=thread_id, message_id=message_id):
                text = self.revise(thread_id, self.threads[thread_id].number_of(message_id), None)
                return RecallReply(0), [RevisedNotice(thread_id, (text,))] if not self.mute else []
            case EditRequest(thread_id=thread_id, message_id=message_id, content=content):
                text = self.revise(thread_id, self.threads[thread_id].number_of(message_id), content)
                return EditReply(0), [RevisedNotice(thread_id, (text,))] if not self.mute else []
            case RevisionsRequest(thread_id=thread_id, revision=revision):
                changed = sorted(self.threads[thread_id].texts, key=lambda text: text.revision)
                found = [text for text in changed if text.revision > revision]
                reply = RevisionsReply(0, thread_id, len(found) > self.page, tuple(found[: self.page]))
            case DeliveredRequest(threads=threads, seqs=seqs):
                for thread_id, seq in zip(threads, seqs, strict=True):
                    self.threads[thread_id].delivered[ME] = seq
                reply = DeliveredReply(0)
            case ReceiptsRequest():
                reply = ReceiptsReply(0, 1, 1, 0)
            case DateRequest(thread_id=thread_id, time=time):
                later = [text for text in self.threads[thread_id].texts if text.chat_time >= time]
                reply = DateReply(0, thread_id, *((later[0].seq, later[0].message_id) if later else (0, 0)))
            case _:
                raise AssertionError(f"the test has no answer to {request}")
        return reply, []

    def _parts(self, request):
        """What comes before the answer to who catches up."""
        found = [
            (thread_id, text)
            for thread_id, after, below in zip(request.threads, request.after, request.below, strict=True)
            for text in self.threads[thread_id].texts[after : below - 1 if below else None]
        ]
        return [
            CatchUpPart(
                tuple(
                    ThreadTexts(thread_id, tuple(text for _, text in texts))
                    for thread_id, texts in groupby(part, key=itemgetter(0))
                )
            )
            for part in (found[at : at + self.page] for at in range(0, len(found), self.page))
        ]

    def _store(self, request):
        if self.refuses(request):
            return TextReply(ErrorCode.BAD_CONTENT, ME, OTHER, request.thread_id), []
        thread = self.threads[request.thread_id]
        there = {text.unique_id: text for text in thread.texts if text.sender == ME}
        fresh = [
            thread.append(ME, each.content, each.unique_id)
            for each in request.text_array
            if each.unique_id not in there
        ]
        there |= {text.unique_id: text for text in fresh}
        if fresh:
            self._changed(request.thread_id)
        stored = [there[each.unique_id] for each in request.text_array]
        acknowledged = tuple(
            AcknowledgedText(each.message_id, each.unique_id, each.content, each.status, TIME) for each in stored
        )
        notices = [TextsNotice(request.thread_id, ME, OTHER, tuple(fresh))] if fresh and not self.mute else []
        return TextReply(0, ME, OTHER, request.thread_id, acknowledged), notices

    def state(self, thread_id):
        thread = self.threads[thread_id]
        read = [thread.read[user] for user in thread.users]
        unread = sum(text.sender != ME for text in thread.texts[thread.read[ME] :])
        marks = [max(thread.delivered[user], thread.read[user]) for user in thread.users]
        return ThreadState(
            *(thread_id, "private", *thread.users, len(thread.texts), *read, thread.version, unread),
            last_revision=thread.revision,
            delivered1=marks[0],
            delivered2=marks[1],
        )

    def _changed(self, thread_id):
        """A thread to which something happens, as my next version of my threads tells."""
        self._version += 1
        self.threads[thread_id].version = self._version
        return self.threads[thread_id]


def login_for(server, uid=ME, *, deadline=PATIENCE, heartbeat=NEVER):
    """How a messenger comes to the server."""

    async def log_in(pushed):
        client = await Client.connect(
            server.network, server.address, deadline=deadline, heartbeat=heartbeat, pushed=pushed
        )
        try:
            return client, await client.log_in(uid, "token", feed=True)
        except BaseException:
            await client.close()
            raise

    return log_in


def messenger(server, path=":memory:", *, log_in=None, store=None, seed=1, costs=FREE, **options):
    """A messenger of mine; it keeps its events, and each status and trouble that it has had."""
    events, statuses = [], []

    def changed(event):
        events.append(event)
        if not statuses or statuses[-1] != (made.status, made.trouble):
            statuses.append((made.status, made.trouble))

    made = Messenger(
        ME,
        log_in or login_for(server),
        store or ModelStore(str(path), costs),
        rng=np.random.default_rng(seed),
        changed=changed,
        timing=options.pop("timing", Timing()),
        **options,
    )
    made.events, made.statuses = events, statuses
    return made


async def contents(made, thread_id):
    """What a thread shows: numbers, texts and states."""
    return [(each.seq, each.content, each.state) for each in await made.cache.newest(thread_id, 1000)]
