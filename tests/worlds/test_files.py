"""What a `Files` promises: one body, played on a directory in real time and on the model in virtual time."""

import asyncio
import errno
import hashlib
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatsim.chat.ports import FilesError
from chatsim.simulation.loop import run
from chatsim.worlds.model.costs import FilesCosts
from chatsim.worlds.model.files import ModelFiles
from chatsim.worlds.mysql.files import DirectoryFiles, temporary_directory
from chatsim.worlds.world import WorldError

COSTS = FilesCosts(operation=0.25, bandwidth=1_000.0, sync=2.0)
ONE, OTHER = "0123456789abcdef" * 2, "f" * 32


def on_a_directory(body, path):
    async def main():
        files = DirectoryFiles(path / "made" / "here")
        try:
            await body(files)
        finally:
            files.close()

    asyncio.run(main())


def in_the_model(body, _path):
    async def main():
        await body(ModelFiles(COSTS))

    run(main())


def in_both_worlds(body):
    @pytest.mark.parametrize("play", [on_a_directory, in_the_model])
    def test(play, tmp_path):
        play(body, tmp_path)

    return test


@in_both_worlds
async def test_what_is_appended_is_read_from_any_place(files):
    assert await files.append(ONE, 0, b"hello") == 5
    assert await files.append(ONE, 5, b", world\0\xff") == 14
    assert await files.length(ONE) == 14
    assert await files.read(ONE, 0, 100) == b"hello, world\0\xff"
    assert await files.read(ONE, 7, 5) == b"world"
    assert await files.read(ONE, 14, 5) == b""
    assert await files.read(ONE, 10**12, 5) == b""
    assert await files.digest(ONE) == hashlib.sha256(b"hello, world\0\xff").hexdigest()
    await files.sync(ONE)


@in_both_worlds
async def test_bytes_are_written_only_at_the_end(files):
    assert await files.append(ONE, 3, b"abc") == 0
    assert await files.names() == []
    assert await files.append(ONE, 0, b"abcdef") == 6
    for offset in (0, 3, 5, 7, 2**40):
        assert await files.append(ONE, offset, b"XYZ") == 6
    assert await files.read(ONE, 0, 10) == b"abcdef"


@in_both_worlds
async def test_of_those_who_append_at_once_one_writes_and_all_learn_the_length(files):
    lengths = await asyncio.gather(*(files.append(ONE, 0, bytes([each]) * 1_000) for each in range(8)))
    assert lengths == [1_000] * 8
    assert len({*await files.read(ONE, 0, 2_000)}) == 1


@in_both_worlds
async def test_a_file_that_is_not_there_has_no_bytes(files):
    assert await files.length(ONE) == 0
    assert await files.read(ONE, 0, 10) == b""
    await files.remove(ONE)


@in_both_worlds
async def test_a_file_that_is_removed_is_gone_and_may_be_made_again(files):
    await files.append(ONE, 0, b"abc")
    await files.append(OTHER, 0, b"xyz")
    assert await files.names() == [ONE, OTHER]
    await files.remove(ONE)
    assert await files.names() == [OTHER]
    assert await files.append(ONE, 3, b"def") == 0
    assert await files.append(ONE, 0, b"d") == 1


@in_both_worlds
async def test_no_other_name_becomes_a_file(files):
    bad = ["", ".", "..", "../" + ONE, "/etc/passwd", ONE[:-1], ONE + "0", ONE.upper(), ONE[:-1] + "/", ONE[:-1] + "\0"]
    bad += [ONE + "\n", "x" * 10_000, "漢" * 32]
    for name in bad:
        for asked in (
            files.length(name),
            files.append(name, 0, b"a"),
            files.read(name, 0, 1),
            files.digest(name),
            files.sync(name),
            files.remove(name),
        ):
            with pytest.raises(FilesError, match="is not the name of a file"):
                await asked
    assert await files.names() == []


STEPS = st.lists(st.tuples(st.integers(0, 12), st.binary(max_size=5)), max_size=12)


@pytest.mark.parametrize("play", [on_a_directory, in_the_model])
def test_whatever_is_appended_the_file_is_what_came_in_order(play, tmp_path_factory):
    @settings(max_examples=40, deadline=None)
    @given(STEPS)
    def check(steps):
        async def body(files):
            whole = b""
            for offset, data in steps:
                if offset == len(whole):
                    whole += data
                assert await files.append(ONE, offset, data) == len(whole)
                assert await files.length(ONE) == len(whole)
                assert await files.read(ONE, 0, 100) == whole

        play(body, tmp_path_factory.mktemp("files"))

    check()


# --- a directory


def test_others_files_in_the_directory_are_not_its_own(tmp_path):
    async def body(files):
        (tmp_path / "made" / "here" / "notes.txt").write_text("mine")
        assert await files.names() == []

    on_a_directory(body, tmp_path)


def test_a_link_is_not_followed(tmp_path):
    async def body(files):
        (tmp_path / "secret").write_text("secret")
        (tmp_path / "made" / "here" / ONE).symlink_to(tmp_path / "secret")
        with pytest.raises(FilesError):
            await files.read(ONE, 0, 10)
        with pytest.raises(FilesError):
            await files.append(ONE, 0, b"abc")

    on_a_directory(body, tmp_path)
    assert (tmp_path / "secret").read_text() == "secret"


def test_if_the_disk_is_full_nothing_of_a_chunk_counts(tmp_path, monkeypatch):
    real = os.pwrite
    room = 7

    def pwrite(file, data, offset):
        if offset >= room:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(file, data[: room - offset], offset)

    async def body(files):
        nonlocal room
        monkeypatch.setattr(os, "pwrite", pwrite)
        assert await files.append(ONE, 0, b"abcde") == 5
        with pytest.raises(FilesError, match="No space left"):
            await files.append(ONE, 5, b"fghij")
        assert await files.read(ONE, 0, 100) == b"abcde"
        room = 100
        assert await files.append(ONE, 5, b"fghij") == 10

    on_a_directory(body, tmp_path)


def test_a_file_is_written_to_the_disk_and_so_is_its_entry_in_the_directory(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", lambda file: synced.append(Path(f"/proc/self/fd/{file}").readlink()))

    async def body(files):
        await files.append(ONE, 0, b"abc")
        assert synced == []
        await files.sync(ONE)
        with pytest.raises(FilesError):
            await files.sync(OTHER)

    on_a_directory(body, tmp_path)
    here = tmp_path / "made" / "here"
    assert synced == [here / ONE, here]


def test_only_their_owner_can_read_the_files(tmp_path):
    async def body(files):
        await files.append(ONE, 0, b"abc")

    on_a_directory(body, tmp_path)
    here = tmp_path / "made" / "here"
    assert (here.stat().st_mode & 0o777, (here / ONE).stat().st_mode & 0o777) == (0o700, 0o600)


def test_a_directory_that_can_not_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(WorldError, match=r"directory of attachments can't be used: .*file"):
        DirectoryFiles(tmp_path / "file" / "below")


def test_a_temporary_directory_goes_at_the_end_and_what_killed_processes_have_left_at_the_beginning(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with temporary_directory() as in_use:
        (in_use / "file").touch()
        left, young, other = (tmp_path / name for name in ("chatsim-attachments-1", "chatsim-attachments-2", "mine"))
        for each in (left, young, other):
            (each / "schema").mkdir(parents=True)
            (each / "schema" / ONE).touch()
        link = tmp_path / "chatsim-attachments-3"
        link.symlink_to(other)
        for each in (in_use, left, other):
            os.utime(each, (0, 0))
        with temporary_directory() as again:
            assert {*tmp_path.iterdir()} == {in_use, young, other, link, again}
    assert {*tmp_path.iterdir()} == {young, other, link}
    with pytest.raises(KeyError), temporary_directory():
        raise KeyError
    assert {*tmp_path.iterdir()} == {young, other, link}
    assert (other / "schema" / ONE).exists()


# --- the model


def test_in_the_model_bytes_take_time_and_a_sync_does():
    async def body(files):
        clock = asyncio.get_running_loop().time
        for work, seconds in (
            (lambda: files.append(ONE, 0, b"x" * 500), 0.75),
            (lambda: files.read(ONE, 0, 100), 0.35),
            (lambda: files.digest(ONE), 0.75),
            (lambda: files.sync(ONE), 2.0),
            (lambda: files.length(ONE), 0.25),
            (files.names, 0.25),
            (lambda: files.remove(ONE), 0.25),
        ):
            before = clock()
            await work()
            assert clock() - before == pytest.approx(seconds)

    in_the_model(body, None)


def test_in_the_model_only_what_was_synced_survives_a_loss_of_power():
    async def body(files):
        await files.append(ONE, 0, b"abc")
        await files.sync(ONE)
        await files.append(ONE, 3, b"def")
        await files.append(OTHER, 0, b"xyz")
        files.lose_power()
        assert await files.read(ONE, 0, 10) == b"abc"
        assert await files.names() == [ONE]

    in_the_model(body, None)
