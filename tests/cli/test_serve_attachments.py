"""Attachments of ``chatsim serve``: where the bytes are while it runs, and that nothing is left of them."""

import base64
import hashlib
import re

import pytest
from foreign import Serving
from serving import MODES, SUCCESS, login, ticket

DATA = bytes(range(256)) * 200  # more than a chunk
CHUNK = 32_768


def chunks(client, number, start, data=DATA):
    """Send what is missing, from a place on."""
    for offset in range(start, len(data), CHUNK):
        piece = base64.b64encode(data[offset : offset + CHUNK]).decode()
        _, reply = client.ask(1153, {"attachment_id": number, "offset": offset, "data": piece})
        assert (reply["error"], reply["offset"]) == (SUCCESS, min(len(data), offset + CHUNK))


def begin(client, data=DATA):
    asked = {"unique_id": "u", "name": "photo.jpg", "msg_type": 1, "size": len(data)}
    return client.ask(1151, asked | {"sha256": hashlib.sha256(data).hexdigest()})[1]


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("named", [True, False])
def test_all_nodes_have_the_same_bytes_and_nothing_is_left_of_them(mysql_url, tmp_path, mode, named):
    home = tmp_path / "mine"
    words = ["--attachments", home] if named else []
    variables = {"CHATSIM_MYSQL_URL": mysql_url, "TMPDIR": str(tmp_path)}
    arguments = ["--nodes", 2, "--users", 2, "--chats", "anybody", *MODES[mode], *words]
    with Serving("serve", *arguments, lines=2, **variables) as running:
        here, there = ticket(running, 1001), ticket(running, 1002)
        assert here["port"] != there["port"]
        one, _ = login(here)
        other, _ = login(here | {"port": there["port"]})
        receiver, _ = login(there)
        with one, other, receiver:
            thread = one.ask(1027, {"uid": 1001, "other_id": 1002})[1]["thread_id"]
            number = begin(one)["attachment_id"]
            chunks(one, number, 0, DATA[:CHUNK])
            assert begin(other) == {"error": SUCCESS, "attachment_id": number, "offset": CHUNK}
            chunks(other, number, CHUNK)
            asked = {"fromuid": 1001, "touid": 1002, "thread_id": thread, "unique_id": "u", "attachment_id": number}
            other.talk(1155, asked)
            while (heard := other.hear())[0] != 1156:
                pass
            message = heard[1]["chat_datas"][0]["message_id"]
            got = b""
            while len(got) < len(DATA):
                receiver.talk(1157, {"message_id": message, "offset": len(got)})
                while (heard := receiver.hear())[0] != 1158:
                    pass
                got += base64.b64decode(heard[1]["data"])
            assert got == DATA
        (file,) = [each for each in tmp_path.rglob("*") if each.is_file()]
        assert re.fullmatch("[0-9a-f]{32}", file.name)
        assert file.read_bytes() == DATA
        assert file.parent.parent == home if named else file.parent.parent.name.startswith("chatsim-attachments-")
    left = [each for each in tmp_path.rglob("*") if each.is_file() or each.name.startswith("chatsim-attachments-")]
    assert left == []


def test_a_directory_that_can_not_be_used_is_named_at_the_start(complaint, tmp_path):
    (tmp_path / "file").touch()
    said = complaint("serve", "--attachments", tmp_path / "file" / "below")
    assert re.fullmatch(r"Error: the directory of attachments can't be used: .*below.*\n", said)
