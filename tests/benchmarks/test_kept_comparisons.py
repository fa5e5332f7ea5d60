"""Comparisons in a file: they go on where they stopped, and those of something else are refused."""

import pytest
from kept_comparisons import KeptComparisons, OtherComparisonsError

FIRST = {"the model": {"a case: round trips": 4}}


def kept(path, what="counts", commit="abc"):
    return KeptComparisons(path, what, commit)


def test_what_was_added_is_there_when_the_file_is_opened_again(tmp_path):
    path = tmp_path / "counts.jsonl"
    before = kept(path)
    before.begin(FIRST)
    before.add(2.04, [])
    before.add(3, ["the model: a case: round trips: 4 -> 5 (+1)"])
    again = kept(path)
    again.begin(again.first)
    again.add(1, [])
    assert again.first == FIRST
    assert (len(again), again.alarms) == (3, 1)
    assert str(again).endswith(": 3 comparisons of counts, 1 with an alarm, in 6 s")
    assert len(path.read_text().splitlines()) == 4


def test_the_sentence_about_all_has_the_first_day_and_the_last(tmp_path):
    path = tmp_path / "times.jsonl"
    lines = [f'{{"over": "2026-11-{day}T10:00:00+00:00", "took_s": 1, "alarms": []}}' for day in (29, 30)]
    path.write_text("\n".join(['{"what": "times", "commit": "abc"}', *lines, ""]))
    assert str(kept(path, "times")).startswith("29 November 2026 to 30 November 2026: 2 comparisons of times, 0 with")


def test_a_line_that_was_not_written_to_its_end_is_dropped(tmp_path):
    path = tmp_path / "counts.jsonl"
    before = kept(path)
    before.begin(FIRST)
    before.add(1, [])
    whole = path.read_text()
    path.write_text(whole + '{"over": "20')
    again = kept(path)
    assert len(again) == 1
    assert path.read_text() == whole


def test_without_a_file_they_are_only_counted():
    comparisons = kept(None)
    comparisons.begin(FIRST)
    comparisons.add(1, ["a benchmark: 1.5"])
    assert (len(comparisons), comparisons.alarms) == (1, 1)


@pytest.mark.parametrize(("what", "commit"), [("times", "abc"), ("counts", "def")])
def test_comparisons_of_something_else_are_refused(tmp_path, what, commit):
    path = tmp_path / "counts.jsonl"
    kept(path).begin(FIRST)
    with pytest.raises(OtherComparisonsError, match="has comparisons of"):
        kept(path, what, commit)


@pytest.mark.parametrize("text", ["nonsense\n", "[]\n", '{"what": "counts", "commit": "abc"}\n{"over": 1}\n'])
def test_a_file_with_something_else_is_refused(tmp_path, text):
    path = tmp_path / "counts.jsonl"
    path.write_text(text)
    with pytest.raises(OtherComparisonsError, match="has something else"):
        kept(path)
