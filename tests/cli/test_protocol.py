"""``chatsim protocol``, and the page of the documents that it prints."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from chatsim.chat.protocol import FROM_CLIENT, FROM_SERVER, ErrorCode
from chatsim.cli import main

PAGE = Path(__file__).parents[2] / "docs" / "protocol.md"


def printed(*words):
    result = CliRunner().invoke(main, ["protocol", *words], env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    return result.output


def test_the_page_is_what_the_command_prints():
    assert PAGE.read_text() == printed("--markdown"), "write it anew: chatsim protocol --markdown > docs/protocol.md"


def rows(text):
    """The cells of all rows of all tables, by the first one."""
    lines = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    return {first.strip("`"): cells for first, *cells in lines}


def test_every_message_and_every_error_has_a_row_with_all_it_has_to_say():
    messages, errors = map(rows, printed("--markdown").split("## Errors"))
    for number, message in {**FROM_CLIENT, **FROM_SERVER}.items():
        name, sender, keys, purpose, whose = messages[str(number)]
        assert name == f"`{message.__name__}`"
        assert sender == ("client" if number in FROM_CLIENT else "server")
        assert [each.split("`")[1] for each in keys.split("; ")] == [*message.__struct_fields__]
        assert purpose.endswith(".")
        assert whose == ("source" if number < 1101 else "chatsim")
    for code in ErrorCode:
        name, meaning, _ = errors[str(int(code))]
        assert name == f"`{code.name}`"
        assert meaning.endswith(".")


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("1017", "`fromuid` id, the sender; `touid` id; `thread_id` id; `text_array` list of `OutgoingText`"),
        ("1005", "`uid` id; `token` string; `feed` bool, may be left out"),
        (
            "1030",
            "`error` int; `thread_id` id; `last_message_id` id; `load_more` bool; `chat_datas` list of `HistoryText`",
        ),
    ],
)
def test_keys_have_their_types(name, keys):
    assert rows(printed("--markdown").split("## Errors")[0])[name][2] == keys


def test_parts_of_messages_are_described_too():
    found = rows(printed("--markdown"))
    assert found["OutgoingText"] == ["`content` string; `unique_id` string", "A text as its author sends it."]
    assert "NumberedText" in found


def test_without_a_word_it_is_a_table_for_the_terminal():
    (line,) = [line for line in printed().splitlines() if "1027" in line]
    assert [cell.strip() for cell in line.strip("│").split("│")] == [
        "1027",
        "CreatePrivateChatRequest",
        "client",
        "uid id, the sender; other_id id",
    ]
