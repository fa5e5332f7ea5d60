"""The design page names modules and folders that exist, and all the rooms that there are."""

import re
from pathlib import Path

HOUSE = Path(__file__).parents[2]
PAGE = (HOUSE / "docs" / "design.md").read_text()


def test_every_path_of_the_page_exists():
    paths = re.findall(r"`((?:chatsim|docs)/[\w/.-]+)`", PAGE)
    assert len(paths) > 30
    assert [path for path in paths if not (HOUSE / path).exists()] == []


def test_every_room_is_on_the_page():
    rooms = [path.name for path in (HOUSE / "chatsim").iterdir() if path.is_dir() and path.name != "__pycache__"]
    assert [room for room in rooms if f"\n  {room}/" not in PAGE] == []
