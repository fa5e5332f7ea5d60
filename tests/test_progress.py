"""Progress bars go to standard error, or nowhere."""

import pytest

from chatsim.progress import Progress


def shown(progress, capsys):
    with progress.bar(2, "op", "loading") as bar:
        bar.set_description("racing")
        bar.update()
        bar.refresh()
    captured = capsys.readouterr()
    assert captured.out == ""
    return captured.err


@pytest.fixture(autouse=True)
def _enabled(monkeypatch):
    monkeypatch.delenv("TQDM_DISABLE", raising=False)


def test_a_bar_has_a_label_a_count_and_a_unit_and_is_wiped_away(capsys):
    text = shown(Progress(), capsys)
    assert "loading:   0%" in text
    assert "racing:  50%" in text
    assert "1/2 [" in text
    assert "op/s" in text or "s/op" in text
    assert text.endswith("\r")


def test_an_unseen_bar_shows_nothing(capsys):
    assert shown(Progress().unseen, capsys) == shown(Progress(shown=False), capsys) == ""


def test_a_variable_turns_all_bars_off(capsys, monkeypatch):
    monkeypatch.setenv("TQDM_DISABLE", "1")
    assert shown(Progress(), capsys) == ""
