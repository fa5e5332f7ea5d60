"""``chatsim mysql``: an error says which server it is about."""

import pytest
from click.testing import CliRunner

from chatsim.cli import main


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["clean"], r"MySQL at mysql://me:***@127.0.0.1:1 can't be used: 2003"),
        (["migrate", "shop"], "the schema shop can't be used: 2003"),
    ],
)
def test_a_server_that_does_not_answer_is_a_sentence(words, sentence):
    result = CliRunner().invoke(main, ["mysql", *words, "--mysql-url", "mysql://me:secret@127.0.0.1:1"])
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"Error: {sentence}")
    assert "secret" not in result.stderr


def test_a_url_that_is_none_is_a_sentence():
    result = CliRunner().invoke(main, ["mysql", "clean", "--mysql-url", "http://here"])
    assert (result.exit_code, result.stderr) == (
        2,
        "Error: 'http://here' is not of the form mysql://user:password@host:port\n",
    )
