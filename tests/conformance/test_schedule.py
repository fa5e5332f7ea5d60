"""A schedule is read, or its file is named with the place of what is wrong."""

import json

import pytest

from chatsim.conformance.files import read
from chatsim.conformance.schedule import BadScheduleError, plain
from chatsim.innodb.storage.values import Document

GOOD = {
    "id": "two",
    "sessions": ["a", "b"],
    "setup": ["CREATE TABLE t (id INT PRIMARY KEY)"],
    "steps": [{"n": 1, "session": "a", "sql": "BEGIN"}, {"n": 2, "session": "b", "sql": "SELECT 1"}],
}


@pytest.fixture
def written(tmp_path):
    def write(content):
        path = tmp_path / "some.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    return write


def test_what_is_not_said_has_its_default(written):
    schedule = read(written(GOOD))
    assert (schedule.isolation, schedule.purge, schedule.lock_wait_timeout) == ("REPEATABLE READ", "eager", 50)
    assert schedule.expected is None


def test_what_is_known_of_recorded_files_only_is_passed_over(written):
    assert read(written(GOOD | {"tags": ["odku"], "plans": {}, "family": "own"})).id == "two"


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"sessions": ["a"]}, "a step is of session 'b', which 'sessions' has not"),
        ({"steps": [{"n": 2, "session": "a", "sql": "BEGIN"}]}, "the steps are not numbered 1, 2, 3 and so on"),
        ({"steps": [{"n": 1, "session": "a"}]}, "missing required field `sql` - at `$.steps[0]`"),
        ({"steps": [{"n": 1, "session": "a", "sql": "", "when": 1}]}, "unknown field `when` - at `$.steps[0]`"),
        ({"purge": "never"}, "Invalid enum value 'never' - at `$.purge`"),
        ({"lock_wait_timeout": "long"}, "Expected `int`, got `str` - at `$.lock_wait_timeout`"),
    ],
)
def test_what_makes_no_sense_is_named(written, change, complaint):
    path = written(GOOD | change)
    with pytest.raises(BadScheduleError) as caught:
        read(path)
    assert str(path) in str(caught.value)
    assert complaint in str(caught.value)


@pytest.mark.parametrize("text", ["", "[]", "{", "no JSON"])
def test_what_is_no_schedule_is_named(written, text):
    with pytest.raises(BadScheduleError, match=r"some\.json: "):
        read(written(text))


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(BadScheduleError, match=r"nowhere\.json can't be read: No such file"):
        read(tmp_path / "nowhere.json")


def test_a_document_of_the_model_is_written_as_a_text():
    ((shown,),) = plain([[Document("{}")]])
    assert (shown, type(shown)) == ("{}", str)
