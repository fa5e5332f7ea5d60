"""What must hold of a mixed load: each way in which it can fail is found and named, by the kind of operation."""

import pytest

from chatsim.experiments.catchup.checks import StoredText
from chatsim.experiments.checks import Word
from chatsim.experiments.creation.checks import PrivateChats
from chatsim.experiments.history import Operation, Outcome
from chatsim.experiments.mix.checks import Final, StoredMessage, verdicts
from chatsim.experiments.mix.population import Population

# users 1 and 2 have thread 1 with message 1, users 3 and 4 have thread 2 with message 2
POPULATION = Population(users=4, threads=2, history=1)
CHATS = [(1, 1, 2), (2, 3, 4)]
BEFORE = {1: StoredMessage(1, 1, "before"), 2: StoredMessage(2, 3, "before")}
FIRST, SECOND = StoredMessage(1, 1, "first"), StoredMessage(1, 1, "second")


def operation(kind, asked, value=None, *, at=0.0, took=0.1, outcome=Outcome.OK):
    return Operation(0, 0, kind, asked, at, at, at + took, outcome, value if value and outcome is Outcome.OK else {})


def creation(uid, other, thread, **when):
    return operation("creation", {"uid": uid, "other": other}, {"thread": thread}, **when)


def text(content, message, *, thread=1, sender=1, **when):
    asked = {"thread": thread, "sender": sender, "unique_id": content[0], "content": content}
    return operation("text", asked, {"message": message}, **when)


def page(listed, entries, *, uid=1, after=0, more=False, **when):
    asked = {"uid": uid, "list": listed, "after": after}
    return operation("page", asked, {"entries": entries, "more": more}, **when)


def catchup(messages, *, uid=2, **when):
    return operation("catchup", {"uid": uid}, {"messages": messages}, **when)


def judged(*operations, new=None, chats=CHATS, kept=None, asked=None, stuck=None):
    """The verdicts on what was done, by kind."""
    by_kind = {}
    for each in operations:
        by_kind.setdefault(each.kind, []).append(each)
    stored = BEFORE | (new or {})
    final = Final(PrivateChats(chats, 0), stored, kept or {}, stuck or {})
    return verdicts(by_kind, asked or {kind: len(own) for kind, own in by_kind.items()}, POPULATION, final)


def found(verdict):
    return verdict.word, [each.kind for each in verdict.anomalies]


GOOD = [text("first", 3, at=0.0), text("second", 4, at=1.0)]
STORED = {3: FIRST, 4: SECOND}


# --- texts


@pytest.mark.parametrize(
    ("new", "kinds"),
    [
        (STORED, []),
        ({3: FIRST}, ["lost"]),
        ({3: FIRST, 4: SECOND, 5: SECOND}, ["doubled"]),
        ({3: SECOND, 4: FIRST}, ["overtaken", "wrong text", "wrong text"]),
        ({**STORED, 5: StoredMessage(1, 2, "forged")}, ["invented"]),
        ({3: FIRST, 4: StoredMessage(2, 1, "second")}, ["lost", "invented"]),
    ],
)
def test_every_acknowledged_text_is_stored_once_where_it_was_sent_and_in_order(new, kinds):
    verdict = judged(*GOOD, new=new)["text"]
    assert found(verdict) == (Word.UNSAFE if kinds else Word.SAFE, kinds)


def test_a_text_of_which_nobody_knows_may_be_stored_or_not_and_one_that_was_refused_may_not():
    lost = text("second", 4, at=1.0, outcome=Outcome.UNKNOWN)
    for new in (STORED, {3: FIRST}):
        assert found(judged(GOOD[0], lost, new=new)["text"]) == (Word.ERRORS, [])
    refused = text("second", 4, at=1.0, outcome=Outcome.FAIL)
    assert found(judged(GOOD[0], refused, new=STORED)["text"]) == (Word.UNSAFE, ["invented"])
    assert found(judged(GOOD[0], refused, new={3: FIRST})["text"]) == (Word.ERRORS, [])


# --- creations


def test_two_users_who_ask_at_once_get_one_thread():
    both = [creation(1, 3, 5), creation(3, 1, 5)]
    assert found(judged(*both, chats=[*CHATS, (5, 1, 3)])["creation"]) == (Word.SAFE, [])
    twice = [creation(1, 3, 5), creation(3, 1, 6)]
    assert found(judged(*twice, chats=[*CHATS, (5, 1, 3), (6, 3, 1)])["creation"]) == (Word.UNSAFE, ["two threads"])


def test_those_who_ask_one_after_the_other_have_tested_nothing():
    one_by_one = [creation(1, 3, 5), creation(3, 1, 5, at=1.0)]
    assert judged(*one_by_one, chats=[*CHATS, (5, 1, 3)])["creation"].word is Word.NOT_TESTED


def test_how_many_chats_existed_when_they_were_asked_for_is_said_of_a_safe_verdict():
    known = [creation(1, 2, 1), creation(2, 1, 1)]
    assert judged(*known)["creation"].remark == "2 of 2 chats existed"
    assert judged(creation(1, 3, 5), creation(3, 1, 5), chats=[*CHATS, (5, 1, 3)])["creation"].remark == ""


# --- pages


@pytest.mark.parametrize(
    ("read", "kinds"),
    [
        (page(1, [1, 3], at=0.5), []),
        (page(1, [1, 3, 4], at=0.5), []),  # what is not acknowledged yet may be there
        (page(1, [3], after=1, at=0.5), []),
        (page(1, [1, 3], more=True, at=2.0), []),  # the next page has the rest
        (page(1, [1], at=0.5), ["lost"]),
        (page(1, [], at=0.5), ["lost"]),
        (page(1, [3], at=0.5), ["lost"]),
        (page(1, [1, 3, 3], at=0.5), ["doubled"]),
        (page(1, [3, 1], at=0.5), ["disordered"]),
        (page(1, [1, 2, 3], at=0.5), ["forged"]),  # of another thread
        (page(1, [1, 3, 9], at=0.5), ["forged"]),
    ],
)
def test_a_page_of_a_thread_has_all_texts_in_its_range_that_were_acknowledged_before(read, kinds):
    verdict = judged(*GOOD, read, new=STORED)["page"]
    assert found(verdict) == (Word.UNSAFE if kinds else Word.SAFE, kinds)


@pytest.mark.parametrize(
    ("read", "kinds"),
    [([1, 5], []), ([1], ["lost"]), ([5], ["lost"]), ([1, 2, 5], ["forged"]), ([5, 1], ["disordered"])],
)
def test_a_page_of_the_list_of_threads_has_all_chats_of_the_user(read, kinds):
    both = [creation(1, 3, 5), creation(3, 1, 5)]
    verdict = judged(*both, page(0, read, at=0.5), chats=[*CHATS, (5, 1, 3)])["page"]
    assert found(verdict) == (Word.UNSAFE if kinds else Word.SAFE, kinds)


def test_pages_that_could_miss_nothing_have_tested_nothing():
    for operations in ([page(1, [1])], [page(1, [1]), *GOOD]):  # nothing was written, or only meanwhile
        verdict = judged(*operations, new=STORED if len(operations) > 1 else {})["page"]
        assert verdict.word is Word.NOT_TESTED
        assert "ask for texts or creations too" in verdict.why
    assert found(judged(page(1, []))["page"]) == (Word.UNSAFE, ["lost"]), "what was there before must be there too"


# --- catch-ups


@pytest.mark.parametrize(
    ("loads", "kinds"),
    [
        ([catchup([3], at=0.5), catchup([4], at=2.0)], []),
        ([catchup([3, 4], at=0.5)], []),  # what is not acknowledged yet may come
        ([catchup([3, 4], at=0.5), catchup([], at=2.0)], []),
        ([catchup([], at=0.5), catchup([3, 4], at=2.0)], ["lost"]),
        ([catchup([3], at=0.5), catchup([], at=2.0)], ["lost"]),
        ([catchup([3, 4], at=2.0, uid=1)], []),  # its author's device has it from a catch-up as well
        ([catchup([], at=2.0, uid=1)], ["lost"]),
    ],
)
def test_a_catch_up_has_all_that_was_acknowledged_before_and_did_not_come_earlier(loads, kinds):
    verdict = judged(*GOOD, *loads, new=STORED)["catchup"]
    assert found(verdict) == (Word.UNSAFE if kinds else Word.SAFE, kinds)


def test_what_a_failed_catch_up_may_have_stored_is_not_missed_by_the_next_one():
    failed = catchup([], at=0.5, outcome=Outcome.FAIL)
    verdict = judged(*GOOD, failed, catchup([4], at=2.0), new=STORED)["catchup"]
    assert found(verdict) == (Word.ERRORS, [])


def test_catch_ups_of_those_to_whom_nobody_wrote_have_tested_nothing():
    assert judged(*GOOD, catchup([], uid=3, at=2.0), new=STORED)["catchup"].word is Word.NOT_TESTED


# --- all together


def kept(*numbers):
    there = BEFORE | STORED
    return [StoredText(number, there[number].thread_id, there[number].content) for number in numbers]


@pytest.mark.parametrize(
    ("of_user_2", "kinds"),
    [
        (kept(1, 3, 4), []),
        (kept(1, 3), ["lost"]),
        (kept(1, 3, 4)[::-1], ["disordered", "disordered"]),
        ([*kept(1, 3, 4), StoredText(9, 1, "forged")], ["forged"]),
        ([*kept(1, 3, 4), StoredText(4, 1, "second")], ["doubled"]),
    ],
)
def test_in_the_end_every_device_has_everything_once(of_user_2, kinds):
    verdict = judged(*GOOD, new=STORED, kept={1: kept(1, 3, 4), 2: of_user_2, 3: kept(2)})["all"]
    assert found(verdict) == (Word.UNSAFE if kinds else Word.SAFE, kinds)
    assert {each.sentence.partition(":")[0] for each in verdict.anomalies} <= {"user 2"}


def test_a_device_that_can_not_catch_up_in_the_end_is_unsafe():
    verdict = judged(*GOOD, new=STORED, stuck={2: "it does not go on"})["all"]
    assert found(verdict) == (Word.UNSAFE, ["stuck"])
    assert verdict.why == "user 2: the last catch-up has failed: it does not go on"


def test_what_is_wrong_with_a_kind_is_wrong_with_all():
    read = page(1, [1], at=0.5)
    assert found(judged(*GOOD, read, new=STORED)["all"]) == (Word.UNSAFE, ["lost"])


def test_an_operation_that_was_begun_and_is_not_in_the_history_is_an_error():
    found_ = judged(*GOOD, new=STORED, asked={"text": 3})
    assert found_["text"].word is found_["all"].word is Word.ERRORS
    assert found_["text"].why == "1 of 3 operations have not been carried out"


def test_all_are_tested_if_one_kind_is():
    assert judged(*GOOD, page(1, [1]), new=STORED)["all"].word is Word.SAFE
    assert judged(page(1, [1]), catchup([]))["all"].word is Word.NOT_TESTED


def test_a_kind_that_was_asked_for_and_never_came_is_not_tested():
    final = Final(PrivateChats(CHATS, 0), BEFORE | STORED, {})
    found_ = verdicts({"text": GOOD, "page": []}, {"text": 2, "page": 0}, POPULATION, final)
    assert [found_[kind].word for kind in ("text", "page", "all")] == [Word.SAFE, Word.NOT_TESTED, Word.SAFE]
