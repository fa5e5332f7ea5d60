"""The checks of a mixed load, for each kind of operation and for all together.

A creation must give a pair one thread. A text that was acknowledged must be stored once, an author's in order. A page
must have every thread and every text in its range that was acknowledged before the page was asked for; so must a
catch-up have what its device has missed. In the end, after a last catch-up, every device must have everything.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf

from chatsim.db.session import Session
from chatsim.experiments.catchup.checks import StoredText, check_local_store
from chatsim.experiments.checks import Anomaly, Verdict, Word, disordered, judge, missing, repeated, unexpected
from chatsim.experiments.creation.checks import PrivateChats, check_creation, pair_of
from chatsim.experiments.history import Operation, Outcome
from chatsim.experiments.mix.population import Population
from chatsim.experiments.mix.user import CATCHUP, CREATION, PAGE, TEXT
from chatsim.experiments.talk.checks import SentText, check_stored

__all__ = ["ALL", "Final", "verdicts"]

ALL = "all"
"""The row of all operations together."""

_NOTHING_NEW = (
    "nothing was written before one was asked for, so nothing could be missing; ask for texts or creations too"
)

_PLURALS = {PAGE: "pages", CATCHUP: "catch-ups"}

Operations = Mapping[str, Sequence[Operation]]
"""By kind, in the order in which they were started."""


@dataclass(frozen=True)
class Final:
    """What is there in the end.

    Attributes:
        chats: the private chats.
        stored: the messages of the tables, in the order of their ids, with those that were there before the run.
        kept: the messages of each user's local store, in the order in which it shows those of each thread.
        stuck: the users whose last catch-up has failed, with the reason.
    """

    chats: PrivateChats
    stored: Mapping[int, StoredMessage]
    kept: Mapping[int, Sequence[StoredText]]
    stuck: Mapping[int, str] = field(default_factory=dict)

    @property
    def members(self) -> dict[int, tuple[int, int]]:
        """The two users of each chat."""
        return {thread: (one, other) for thread, one, other in self.chats.rows}

    @classmethod
    async def read(cls, admin: Session, kept: Mapping[int, Sequence[StoredText]], stuck: Mapping[int, str]) -> Final:
        """Read the tables."""
        chats = await admin.execute("SELECT thread_id, user1_id, user2_id FROM private_chat")
        rows = [(int(str(thread)), int(str(one)), int(str(other))) for thread, one, other in chats.rows]
        threads = await admin.execute("SELECT id FROM chat_thread WHERE type = 'private'")
        private, used = {int(str(thread)) for (thread,) in threads.rows}, {thread for thread, _, _ in rows}
        texts = await admin.execute(
            "SELECT message_id, thread_id, sender_id, content FROM chat_message ORDER BY message_id"
        )
        stored = {
            int(str(number)): StoredMessage(int(str(thread)), int(str(sender)), str(content))
            for number, thread, sender, content in texts.rows
        }
        return cls(PrivateChats(rows, len(private - used), frozenset(used - private)), stored, kept, stuck)


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message of the tables."""

    thread_id: int
    sender: int
    content: str


def verdicts(
    operations: Operations, asked: Mapping[str, int], population: Population, final: Final
) -> dict[str, Verdict]:
    """The verdict on each kind of operation, and on all together.

    Args:
        operations: all that was done, by kind.
        asked: how many operations of each kind were begun.
        population: the users, with what was there before.
        final: what is there now.
    """
    known = _Acknowledged(operations, population)
    found: dict[str, Verdict] = {}
    for kind, history in operations.items():
        if kind == CREATION:
            found[kind] = _creations(history, asked[kind], population, final)
        elif kind == TEXT:
            found[kind] = judge(
                history,
                _texts(history, population, final),
                safe=f"each of {len(history):,} texts is stored once, an author's in order",
                refused="texts were not taken",
                asked=asked[kind],
            )
        else:
            wrong, tested = (
                _pages(history, known, final) if kind == PAGE else _catchups(history, operations.get(TEXT, ()), final)
            )
            found[kind] = judge(
                history,
                wrong,
                safe=f"all {len(history):,} {_PLURALS[kind]} had what was acknowledged before",
                refused="readers got nothing",
                asked=asked[kind],
                untested="" if tested else _NOTHING_NEW,
            )
    return {**found, ALL: _all(operations, asked, final, found)}


def _all(operations: Operations, asked: Mapping[str, int], final: Final, found: Mapping[str, Verdict]) -> Verdict:
    history = sorted((each for own in operations.values() for each in own), key=lambda each: each.start)
    anomalies = [anomaly for each in found.values() for anomaly in each.anomalies]
    untested = [each.why for each in found.values() if each.word is Word.NOT_TESTED]
    return judge(
        history,
        [*anomalies, *_devices(operations.get(TEXT, ()), final)],
        safe=f"{len(history):,} operations; nothing is lost, and nothing is doubled",
        refused="requests were refused",
        asked=sum(asked.values()),
        untested=untested[0] if len(untested) == len(found) else "",
    )


def _creations(history: Sequence[Operation], asked: int, population: Population, final: Final) -> Verdict:
    verdict = check_creation(history, final.chats, asked=asked)
    firsts = dict.fromkeys(population.pairs, -inf)
    for each in sorted(history, key=lambda each: each.end):
        if each.outcome is Outcome.OK:
            firsts.setdefault(pair_of(each), each.end)
    late = sum(firsts.get(pair_of(each), inf) < each.start for each in history)
    if late and not verdict.remark:
        return replace(verdict, remark=f"{late:,} of {len(history):,} chats existed")
    return verdict


def _texts(history: Sequence[Operation], population: Population, final: Final) -> Iterator[Anomaly]:
    """Acknowledged texts are stored once, in order, under the acknowledged id; no text is there that nobody sent."""
    new = {number: each for number, each in final.stored.items() if number > population.messages}
    names = {each.asked["content"]: each.asked["unique_id"] for each in history}
    stored = [
        SentText(each.thread_id, each.sender, names.get(each.content, "?"), each.content) for each in new.values()
    ]
    there = {*stored}
    taken = [text for each in history if (text := _sent(each)) in there or each.outcome is Outcome.OK]
    refused = {_sent(each) for each in history if each.outcome is Outcome.FAIL}
    yield from check_stored([each for each in taken if each not in refused], stored)
    for step in history:
        there_is = new.get(step.value["message"]) if step.outcome is Outcome.OK else None
        if there_is is not None and there_is.content != step.asked["content"]:
            number = step.value["message"]
            sentence = f"{_sent(step)} was acknowledged as message {number}, which is {there_is.content!r}"
            yield Anomaly("wrong text", number, sentence, (step,))


def _sent(step: Operation) -> SentText:
    asked = step.asked
    return SentText(asked["thread"], asked["sender"], asked["unique_id"], asked["content"])


class _Acknowledged:
    """What was acknowledged, by list and by time: the threads of each user, and the texts of each thread."""

    def __init__(self, operations: Operations, population: Population) -> None:
        self._since: dict[tuple[str, int], dict[int, float]] = defaultdict(dict)
        for thread, pair in enumerate(population.pairs, start=1):
            for uid in pair:
                self._since["threads", uid][thread] = -inf
            self._since["texts", thread] = dict.fromkeys(population.message_ids(thread), -inf)
        for each in operations.get(CREATION, ()):
            if each.outcome is Outcome.OK:
                for uid in pair_of(each):
                    own = self._since["threads", uid]
                    own[each.value["thread"]] = min(each.end, own.get(each.value["thread"], inf))
        for each in operations.get(TEXT, ()):
            if each.outcome is Outcome.OK:
                self._since["texts", each.asked["thread"]][each.value["message"]] = each.end
        self._ids = {key: sorted(since) for key, since in self._since.items()}

    def in_range(self, what: tuple[str, int], after: int, last: float, before: float) -> tuple[list[int], bool]:
        """What a page of a list must have: ids after ``after`` up to ``last`` that were acknowledged before a time.

        Also, whether any of them was acknowledged in this run.
        """
        ids, since = self._ids.get(what, []), self._since.get(what, {})
        found = ids[bisect_right(ids, after) : bisect_right(ids, last)]
        must = [each for each in found if since[each] < before]
        return must, any(since[each] > -inf for each in must)


def _pages(history: Sequence[Operation], known: _Acknowledged, final: Final) -> tuple[list[Anomaly], bool]:
    """Each page has all of its range, once and in order, and nothing that is not there. Also, whether it could fail."""
    exist: dict[tuple[str, int], set[int]] = defaultdict(set)
    for thread, pair in final.members.items():
        for uid in pair:
            exist["threads", uid].add(thread)
    for number, each in final.stored.items():
        exist["texts", each.thread_id].add(number)
    wrong, tested = [], False
    for step in _successful(history):
        uid, thread, after = step.asked["uid"], step.asked["list"], step.asked["after"]
        what, name = ("texts", thread), f"a page of thread {thread}"
        if not thread:
            what, name = ("threads", uid), f"a page of the threads of user {uid}"
        entries = step.value["entries"]
        last = inf if not step.value["more"] else entries[-1] if entries else after
        must, some_new = known.in_range(what, after, last, step.start)
        tested = tested or some_new
        for kind, ids, words in (
            ("lost", missing(must, entries), "has not {}, which was acknowledged before"),
            ("doubled", repeated(entries), "has {} more than once"),
            ("disordered", disordered(sorted(entries), entries), "has {} behind a larger one"),
            ("forged", unexpected(exist[what], entries), "has {}, which is not in the tables"),
        ):
            if ids:
                wrong.append(Anomaly(kind, (*what, ids[0]), f"{name} {words.format(ids[0])}", (step,)))
    return wrong, tested


def _catchups(history: Sequence[Operation], texts: Sequence[Operation], final: Final) -> tuple[list[Anomaly], bool]:
    """Each catch-up has what was acknowledged before, and came with no earlier one. Also, whether it could fail."""
    new = _by_user(sorted(_successful(texts), key=lambda each: each.end), final)
    loads: dict[int, list[Operation]] = defaultdict(list)
    for each in history:
        loads[each.asked["uid"]].append(each)
    wrong, tested = [], False
    for uid, own in loads.items():
        seen, waiting, left = set[int](), set[int](), deque(new.get(uid, ()))
        for step in own:
            while left and left[0].end < step.start:
                waiting.add(left.popleft().value["message"])
            tested = tested or bool(waiting - seen)
            if step.outcome is Outcome.OK:
                seen.update(step.value["messages"])
                if lost := waiting - seen:
                    sentence = f"a catch-up of user {uid} has not message {min(lost)}, which was acknowledged before"
                    wrong.append(Anomaly("lost", (uid, min(lost)), sentence, (step,)))
            waiting.clear()  # what a failed one has stored does not come again: that is looked for in the end
    return wrong, tested


def _devices(texts: Sequence[Operation], final: Final) -> Iterator[Anomaly]:
    """In the end every device has all that was acknowledged in its user's threads, and nothing else."""
    taken = _by_user(_successful(texts), final)
    stored: dict[int, list[StoredText]] = defaultdict(list)
    for number, each in final.stored.items():
        for uid in final.members.get(each.thread_id, ()):
            stored[uid].append(StoredText(number, each.thread_id, each.content))
    for uid, why in final.stuck.items():
        yield Anomaly("stuck", uid, f"user {uid}: the last catch-up has failed: {why}")
    for uid, kept in final.kept.items():
        wanted = [each.value["message"] for each in taken.get(uid, ())]
        for anomaly in check_local_store(stored[uid], kept, wanted):
            yield replace(anomaly, subject=(uid, anomaly.subject), sentence=f"user {uid}: {anomaly.sentence}")


def _by_user(texts: Iterable[Operation], final: Final) -> dict[int, list[Operation]]:
    """Texts, for each member of the threads that they were sent into."""
    found: dict[int, list[Operation]] = defaultdict(list)
    members = final.members
    for each in texts:
        for uid in members.get(each.asked["thread"], ()):
            found[uid].append(each)
    return found


def _successful(history: Iterable[Operation]) -> list[Operation]:
    return [each for each in history if each.outcome is Outcome.OK]
