"""People talk in groups whose members come and go while servers are killed: who may read a text has it once."""

import os
from collections import Counter
from dataclasses import replace

import pytest

from chatsim.chat.client.cache import LocalText, State
from chatsim.chat.server.store import texts as store
from chatsim.experiments.checks import Word
from chatsim.experiments.history import Operation
from chatsim.experiments.talk.checks import SentText, check_stores
from chatsim.experiments.talk.experiment import Talk
from chatsim.experiments.talk.groups import TalkedGroup, check_removed
from chatsim.worlds.model.settings import Model
from chatsim.worlds.mysql.settings import Servers
from chatsim.worlds.mysql.world import MySQLWorld
from chatsim.worlds.world import BadParameterError

FEW = 5
SEEDS = int(os.environ.get("CHATSIM_TEST_SEEDS", "50"))
GROUPS = Talk(pairs=2, groups=2, texts=8, pause=0.3, crashes=4, faults="database,node", down=0.3, patience=600)

ONE, TWO, THREE = (SentText(5, 1, f"u{at}", f"text {at}") for at in (1, 2, 3))
REMOVED_AT = 5.0


def in_model(talk):
    return Model().run(talk.converse, seed=talk.seed)


@pytest.mark.timeout(3_600)
@pytest.mark.parametrize(
    "seeds",
    [range(1, FEW + 1), pytest.param(range(FEW + 1, FEW + SEEDS + 1), marks=pytest.mark.slow)],
    ids=["a few", "many"],
)
def test_in_the_model_nothing_is_lost_doubled_disordered_or_leaked(seeds):
    cut_off = later = 0
    for seed in seeds:
        talk = replace(GROUPS, seed=seed)
        talked = in_model(talk)
        assert talked.anomalies == [], f"repeat with {talk}"
        assert talked.verdict().word is Word.SAFE
        assert (talked.crashes, len(talked.sent)) == (4, 32)
        cut_off += talked.cut_off
        for group in talked.groups:
            of_group = [each for each in talked.sent if each.asked["thread_id"] == group.thread_id]
            later += sum(each.start > group.removed_at for each in of_group)
    assert cut_off > len(seeds)
    assert later > len(seeds)  # texts were sent behind the back of who was removed


@pytest.mark.needs("apt")
@pytest.mark.timeout(600)
async def test_so_it_is_on_a_mysql_that_is_killed(tmp_path):
    talk = Talk(pairs=2, groups=2, texts=8, crashes=2, pause=0.1, patience=120)
    async with MySQLWorld(Servers(mysql_via="unpacked", mysql_url=None, profile="quick")) as world:
        talked = await talk.converse(world, tmp_path)
    assert talked.anomalies == []
    assert (talked.crashes, len(talked.sent)) == (2, 32)


def test_nor_are_recalls_and_edits_in_groups():
    kinds = Counter()
    for seed in range(1, FEW + 1):
        talked = in_model(replace(GROUPS, changes=6, seed=seed))
        assert talked.anomalies == [], f"repeat with seed {seed}"
        assert talked.verdict().word is Word.SAFE
        groups = {group.thread_id for group in talked.groups}
        kinds.update(each.kind for each in talked.changes if each.asked["thread_id"] in groups)
    assert min(kinds["recall"], kinds["edit"]) > FEW


def test_a_text_that_is_pushed_to_who_was_removed_is_found(monkeypatch):
    check = store._check_group

    def everybody(batch, group):
        _, muted = check(batch, group)
        return (1, 2, 3, 4), muted

    monkeypatch.setattr(store, "_check_group", everybody)
    quiet = Talk(pairs=2, groups=2, texts=8, pause=0.3, crashes=0, patience=5)
    kinds = {each.kind for seed in (1, 2) for each in in_model(replace(quiet, seed=seed)).anomalies}
    assert "leaked" in kinds


# --- what is wrong is found


def local(text):
    return LocalText(text.thread_id, 1, text.unique_id, text.sender, text.content, State.READ, "")


def sent(text, start):
    return Operation(1, 0, "send", {}, start, start, start, value={"unique_id": text.unique_id})


@pytest.mark.parametrize(
    ("seen", "kept", "found"),
    [
        ([], [], []),
        ([ONE, TWO], [ONE], []),
        ([ONE], [ONE, TWO], [("forgotten", TWO)]),
        ([ONE, THREE], [ONE], [("leaked", THREE)]),
        ([ONE, ONE], [], [("repeated", ONE)]),
        ([TWO, ONE], [], [("disordered", ONE)]),
        ([replace(ONE, content="forged")], [], [("unknown", replace(ONE, content="forged"))]),
    ],
)
def test_who_was_removed_has_what_they_had_and_nothing_that_was_sent_afterwards(seen, kept, found):
    group = TalkedGroup(1, 2, 3, 5, REMOVED_AT, tuple(each.unique_id for each in kept))
    history = [sent(ONE, 1.0), sent(TWO, 4.0), sent(THREE, 6.0)]
    anomalies = check_removed(group, [local(each) for each in seen], history, [ONE, TWO, THREE])
    assert [(each.kind, each.subject) for each in anomalies] == found


def changed(kind, text, content, start):
    asked = {"unique_id": text.unique_id, "content": content}
    return Operation(1, 0, kind, asked, start, start, start)


@pytest.mark.parametrize(
    ("seen", "kinds"),
    [
        ([ONE, TWO], []),
        ([replace(ONE, content="before"), TWO], []),
        ([replace(ONE, content="since"), TWO], ["leaked"]),
        ([ONE, replace(TWO, content="")], []),
        ([replace(ONE, content="never"), TWO], ["unknown"]),
    ],
)
def test_who_was_removed_knows_texts_as_they_were_until_then(seen, kinds):
    group = TalkedGroup(1, 2, 3, 5, REMOVED_AT, ())
    history = [replace(sent(each, 1.0), asked={"content": each.content}) for each in (ONE, TWO)]
    stored = [replace(ONE, content="since"), replace(TWO, content="", status=2)]
    changes = [changed("edit", ONE, "before", 2.0), changed("edit", ONE, "since", 6.0), changed("recall", TWO, "", 3.0)]
    anomalies = check_removed(group, [local(each) for each in seen], history, stored, changes)
    assert [each.kind for each in anomalies] == kinds


@pytest.mark.parametrize(
    ("first", "seen", "kinds"), [(2, [TWO, THREE], []), (2, [THREE], ["missing"]), (3, [THREE], [])]
)
def test_who_was_added_later_has_all_texts_from_the_first_one_that_they_may_read(first, seen, kinds):
    stores = {7: {5: [local(each) for each in seen]}}
    assert [each.kind for each in check_stores(stores, [ONE, TWO, THREE], {(7, 5): first})] == kinds


def test_groups_need_people_who_stay():
    with pytest.raises(BadParameterError, match="groups need four people; ask for 2 pairs"):
        Talk(groups=1)
