"""The trees: a base in a worktree that leaves nothing behind."""

import subprocess

import pytest

from chatsim.experiments.timing import trees
from chatsim.worlds.world import BadParameterError


def git(folder, *words):
    who = ("-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    return subprocess.run(["git", "-C", folder, *who, *words], check=True, capture_output=True, text=True).stdout


@pytest.fixture
def repository(tmp_path):
    """A repository with two commits; the first is tagged ``first``."""
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch=main")
    for text in ("first", "second"):
        (folder / "file").write_text(text)
        git(folder, "add", "file")
        git(folder, "commit", "--quiet", "-m", text)
    git(folder, "tag", "first", "HEAD~")
    return folder


def test_the_worktree_has_the_files_of_the_commit_and_goes_away(repository):
    commit = trees.commit_of(repository, "first")
    with trees.worktree(repository, commit) as tree:
        assert (tree / "file").read_text() == "first"
        assert len(git(repository, "worktree", "list").splitlines()) == 2
    assert not tree.exists()
    assert len(git(repository, "worktree", "list").splitlines()) == 1
    assert not trees.is_changed(repository)


def test_it_goes_away_after_an_interrupt_too(repository):
    with (
        pytest.raises(KeyboardInterrupt),
        trees.worktree(repository, trees.commit_of(repository, "main")) as tree,
    ):
        raise KeyboardInterrupt
    assert not tree.parent.exists()
    assert len(git(repository, "worktree", "list").splitlines()) == 1


@pytest.mark.parametrize("ref", ["nope", "", "--help", "first:file"])
def test_a_ref_that_is_no_commit_is_named(repository, ref):
    with pytest.raises(BadParameterError, match="there is no commit"):
        trees.commit_of(repository, ref)


def test_a_shallow_clone_says_so(repository, tmp_path):
    git(tmp_path, "clone", "--quiet", "--depth", "1", f"file://{repository}", "shallow")
    with pytest.raises(BadParameterError, match="this clone is shallow"):
        trees.commit_of(tmp_path / "shallow", "first")


def test_a_folder_outside_of_git_is_named(tmp_path):
    with pytest.raises(BadParameterError, match="is in no git repository"):
        trees.root_of(tmp_path)


def test_a_changed_tree_is_told_from_a_clean_one(repository):
    assert not trees.is_changed(repository)
    (repository / "new").write_text("")
    assert trees.is_changed(repository)


def test_dependencies_that_differ_are_named(tmp_path):
    base, head = tmp_path / "base", tmp_path / "head"
    for tree, version in ((base, "1"), (head, "2")):
        tree.mkdir()
        (tree / "pyproject.toml").write_text(f'[project]\ndependencies = ["redis>={version}", "numpy"]')
    (head / "constraints.txt").write_text("# pinned\nnumpy==2.0\n")
    assert trees.dependencies_differ(base, head) == [
        "pyproject.toml asks for redis>=1 there, redis>=2 here; both run with what is installed here",
        "constraints.txt asks for nothing there, numpy==2.0 here; both run with what is installed here",
    ]
    assert trees.dependencies_differ(base, base) == []
