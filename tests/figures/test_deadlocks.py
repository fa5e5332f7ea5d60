"""The wait-for graph: nothing is cut or covered, and the victim is plain to see."""

from itertools import combinations

import pytest
from matplotlib.figure import Figure
from matplotlib.path import Path
from matplotlib.text import Annotation

from chatsim import figures
from chatsim.db.deadlock import SUPREMUM, Deadlock, Lock, LockKind, Participant
from chatsim.db.deadlock_kinds import Deadlocks

STATEMENTS = {
    "usual": "SELECT thread_id FROM private_chat WHERE user1_id = 30 AND user2_id = 31 FOR UPDATE",
    "short": "COMMIT",
    "long, with dollars": "SELECT '$x$', \n" + ", ".join(f"COLUMN_{n}" for n in range(200)) + " FROM private_chat",
}


def ring(count, statement, key="(1234567890123456789, 1234567890123456789)"):
    """So many strangers that insert into the same gap."""
    gap = Lock("private_chat", "uniq_private_thread", "X", LockKind.GAP, key)
    intention = Lock("private_chat", "uniq_private_thread", "X", LockKind.INSERT_INTENTION, key)
    participants = (Participant(n, n, statement, (gap,), intention, 6) for n in range(1, count + 1))
    return Deadlock(tuple(participants), victim=2, raw="")


def drawn(deadlock):
    """The axes, its texts and its arrows, after everything has its place."""
    figure = figures.wait_for_graph(deadlock)
    figure.canvas.draw()
    (ax,) = figure.axes
    texts = [text for text in ax.texts if text.get_text()]
    return ax, texts, [text for text in ax.texts if isinstance(text, Annotation)]


def outline(text):
    patch = text.get_bbox_patch()
    return patch.get_window_extent() if patch else text.get_window_extent()


@pytest.mark.parametrize("statement", STATEMENTS.values(), ids=STATEMENTS)
@pytest.mark.parametrize("key", ["(90, 95)", SUPREMUM, "(1234567890123456789, 1234567890123456789)"])
@pytest.mark.parametrize("count", [2, 3, 4, 5, 6])
def test_nothing_is_cut_or_covered(count, key, statement):
    ax, texts, _ = drawn(ring(count, statement, key))
    assert len(texts) == (2 * count if count <= 3 else count)
    for text in texts:
        inside = outline(text)
        frame = ax.get_window_extent()
        assert frame.x0 <= inside.x0 < inside.x1 <= frame.x1, text.get_text()
        assert frame.y0 <= inside.y0 < inside.y1 <= frame.y1, text.get_text()
    for one, other in combinations(texts, 2):
        assert not outline(one).overlaps(outline(other)), (one.get_text(), other.get_text())


@pytest.mark.parametrize("count", [2, 3])
def test_no_label_lies_on_an_arrow(count):
    _, texts, arrows = drawn(ring(count, STATEMENTS["usual"]))
    labels = [text for text in texts if text.get_bbox_patch() is None]
    for arrow in arrows:
        shaft = Path(arrow.arrow_patch.get_path().vertices[:3])
        assert not any(shaft.intersects_bbox(outline(label), filled=False) for label in labels)


@pytest.mark.parametrize("count", [2, 3, 4, 5, 6])
def test_an_arrow_from_each_waiter_to_its_holder(count):
    deadlock = ring(count, "COMMIT")
    _, texts, arrows = drawn(deadlock)
    boxes = {text.get_text().split()[1].rstrip(":"): text.get_bbox_patch() for text in texts if text.get_bbox_patch()}
    ends = [(arrow.arrowprops["patchA"], arrow.arrowprops["patchB"]) for arrow in arrows]
    assert ends == [(boxes[str(waiter)], boxes[str(holder)]) for waiter, holder, _ in deadlock.waits_for()]
    for arrow in arrows:
        tail, *_, tip = arrow.arrow_patch.get_path().vertices
        assert ((tail - tip) ** 2).sum() > 0


def test_the_lock_waited_for_is_named():
    _, texts, _ = drawn(ring(2, "COMMIT", "(90, 95)"))
    label = "waits for X insert intention\nprivate_chat.uniq_private_thread\n(90, 95)"
    assert [text.get_text() for text in texts].count(label) == 2
    _, texts, _ = drawn(ring(4, "COMMIT", "(90, 95)"))
    assert all(label in text.get_text() for text in texts)


def test_the_victim_is_marked_without_colour():
    _, texts, _ = drawn(ring(3, "COMMIT"))
    victims = [text for text in texts if "rolled back (1213)" in text.get_text()]
    assert [text.get_text().splitlines()[0] for text in victims] == ["Transaction 2: rolled back (1213)"]
    boxes = [text.get_bbox_patch() for text in texts if text.get_bbox_patch()]
    dashed = [box for box in boxes if box.get_linestyle() in {"--", "dashed"}]
    assert dashed == [victims[0].get_bbox_patch()]
    assert dashed[0].get_linewidth() > max(box.get_linewidth() for box in boxes if box is not dashed[0])
    for box in boxes:
        red, green, blue, _ = box.get_facecolor()
        assert red == green == blue


def test_a_request_ahead_in_the_queue():
    deadlock = ring(2, "COMMIT")
    first, second = deadlock.participants
    first = Participant(1, 1, "COMMIT", (), first.waits, 2)
    _, texts, _ = drawn(Deadlock((first, second), 1, ""))
    assert "its request is ahead in the queue" in texts[0].get_text()


def test_axes_that_are_given_are_used():
    figure = Figure(figsize=(16, 4.5))
    left, right = figure.subplots(1, 2)
    assert figures.wait_for_graph(ring(2, "COMMIT"), right) is figure
    assert not left.texts
    assert figure.axes == [left, right]


def test_what_is_not_in_a_report_is_said():
    """A report that is cut off has one transaction; an old one has not what the first holds."""
    lock = ring(2, "COMMIT").participants[0].waits
    alone = Deadlock((Participant(1, 1, "", None, lock, None),), None, "")
    _, (box,), arrows = drawn(alone)
    assert arrows == []
    assert "its statement is not in the report" in box.get_text()
    assert "what it holds is not in the report" in " ".join(box.get_text().split())
    assert "waits for X insert intention" in box.get_text()
    old = Deadlock((alone.participants[0], Participant(2, 2, "COMMIT", (lock,), None, 3)), 2, "")
    _, texts, arrows = drawn(old)
    assert len(arrows) == 2
    assert any("waits for a lock that is\nnot in the report" in text.get_text() for text in texts)


def test_a_log_has_a_graph_for_each_kind_with_its_count():
    found = Deadlocks([ring(3, "COMMIT"), ring(2, "COMMIT"), ring(2, "COMMIT", SUPREMUM), ring(4, "COMMIT")])
    figure = figures.deadlock_kinds(found)
    figure.canvas.draw()
    assert [ax.get_title("left").strip() for ax in figure.axes] == ["2 times", "1 time", "1 time"]
    areas = [ax.get_tightbbox() for ax in figure.axes]
    assert not any(one.overlaps(other) for one, other in combinations(areas, 2))
