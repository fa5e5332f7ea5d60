"""Servers from Debian's packages: the machine's own mirror, all or nothing, once."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from chatsim.worlds.mysql.servers import debian
from chatsim.worlds.mysql.servers.debian import FetchError, Packages, Tree
from chatsim.worlds.mysql.servers.redisd import Redis

DEB822 = """Types: deb
# a remark
URIs: http://mirror.example.org/debian
Suites: bookworm bookworm-updates
Components: main
"""
SECURITY = "Types: deb\nURIs: http://mirror.example.org/debian-security\nSuites: bookworm-security\n"
APT = """#!/bin/sh
echo "$@" >> "$LOG"
case "$*" in
  *" update") ;;
  *" install "*)
    for word; do case "$word" in Dir::Cache=*) cache=${word#*=} ;; esac; done
    touch "$cache/archives/one.deb" "$cache/archives/two.deb" ;;
esac
"""
DPKG = """#!/bin/sh
mkdir -p "$3/usr/bin"
touch "$3/usr/bin/$(basename "$2" .deb)"
"""
FAILS_AT_TWO = 'case "$2" in *two.deb) echo "some words" >&2; echo "two.deb is damaged" >&2; exit 2 ;; esac\n'
PACKAGES = Packages("toy", ("one", "two"), suite="sid")


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache folder."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("CHATSIM_CACHE", str(folder))
    return folder


@pytest.fixture
def sources(tmp_path, monkeypatch):
    """A function that lays down apt's sources: the one file, and those in the folder."""
    single, folder = tmp_path / "sources.list", tmp_path / "sources.list.d"
    monkeypatch.setattr(debian, "_SOURCES", (single, folder))

    def lay(one="", **more):
        if one:
            single.write_text(one)
        folder.mkdir()
        for name, text in more.items():
            (folder / name.replace("_", ".")).write_text(text)

    return lay


@pytest.fixture
def tools(tmp_path, monkeypatch, sources):
    """A function that puts tools of ours first on the PATH; returns the file that apt-get logs into."""
    folder, log = tmp_path / "tools", tmp_path / "log"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    monkeypatch.setenv("LOG", str(log))
    monkeypatch.setattr(debian, "_KEYRING", log)
    sources(mirror_sources=DEB822)

    def install(**scripts):
        for name, text in scripts.items():
            tool = folder / name.replace("_", "-")
            tool.write_text(text)
            tool.chmod(0o755)
        log.touch()
        return log

    return install


# the mirror


@pytest.mark.parametrize(
    ("files", "mirror"),
    [
        ({"one": "deb http://a.example.org/debian bookworm main\n"}, "http://a.example.org/debian"),
        ({"one": "deb https://a.example.org/debian/ bookworm main\n"}, "https://a.example.org/debian"),
        ({"one": "deb [arch=amd64 signed-by=/k.gpg] http://a.org/debian sid main\n"}, "http://a.org/debian"),
        ({"one": "# deb http://a.org/debian sid main\ndeb http://b.org/debian sid main\n"}, "http://b.org/debian"),
        ({"one": "deb-src http://a.org/debian sid main\ndeb http://b.org/debian sid main\n"}, "http://b.org/debian"),
        ({"one": "deb http://a.org/debian-security x main\ndeb http://b.org/debian x main"}, "http://b.org/debian"),
        ({"one": "deb http://a.org/pub/mirror/debian sid main"}, "http://a.org/pub/mirror/debian"),
        ({"debian_sources": DEB822}, "http://mirror.example.org/debian"),
        ({"debian_sources": f"{SECURITY}\n{DEB822}"}, "http://mirror.example.org/debian"),
        ({"debian_list": "deb http://a.org/debian sid main\n"}, "http://a.org/debian"),
        ({"one": "deb http://a.org/debian sid main\n", "b_sources": DEB822}, "http://a.org/debian"),
        ({"one": "# all in sources.list.d\n", "b_sources": DEB822}, "http://mirror.example.org/debian"),
        ({"debian_bak": DEB822}, None),
        ({"debian_sources": SECURITY}, None),
        ({"one": "deb http://archive.ubuntu.com/ubuntu noble main\n"}, None),
        ({}, None),
    ],
)
def test_the_mirror_is_the_one_in_the_machines_own_sources(sources, files, mirror):
    sources(**files)
    assert debian._mirror() == mirror


def test_no_sources_at_all_name_no_mirror(monkeypatch, tmp_path):
    monkeypatch.setattr(debian, "_SOURCES", (tmp_path / "sources.list", tmp_path / "sources.list.d"))
    assert debian._mirror() is None


# what stands in the way


@pytest.mark.parametrize("tool", ["apt-get", "dpkg-deb"])
def test_a_tool_that_is_missing_is_named(tools, monkeypatch, tool):
    tools(apt_get=APT, dpkg_deb=DPKG)
    assert debian.obstacle() is None
    folder = Path(shutil.which(tool)).parent
    (folder / tool).unlink()
    monkeypatch.setenv("PATH", str(folder))
    assert debian.obstacle() == f"{tool} is not on the PATH (Debian's packages can't be unpacked here)"


def test_a_keyring_that_is_missing_is_named(tools, monkeypatch):
    tools(apt_get=APT, dpkg_deb=DPKG)
    monkeypatch.setattr(debian, "_KEYRING", Path("/nowhere/keyring.gpg"))
    assert debian.obstacle() == "/nowhere/keyring.gpg is missing (this is not a Debian)"


def test_a_missing_mirror_is_named(tools, monkeypatch):
    tools(apt_get=APT, dpkg_deb=DPKG)
    monkeypatch.setattr(debian, "_SOURCES", ())
    assert debian.obstacle() == "no Debian archive is named in /etc/apt/sources.list or sources.list.d"


# unpacking


def test_unpacking_leaves_the_tree_and_nothing_of_apt(tools, cache):
    log = tools(apt_get=APT, dpkg_deb=DPKG)
    assert not debian.is_unpacked(PACKAGES)
    tree = debian.unpack(PACKAGES)
    assert tree == Tree(cache / "toy" / "root")
    assert debian.is_unpacked(PACKAGES)
    assert {path.name for path in (tree.root / "usr" / "bin").iterdir()} == {"one", "two"}
    assert {path.name for path in debian.folder(PACKAGES).iterdir()} == {"lock", "root", "unpacked-one+two"}
    update, install = log.read_text().splitlines()
    assert update.endswith(" update")
    assert install.endswith(" -y --download-only install one two")
    assert "APT::Install-Recommends=false" in install


def test_unpacking_again_fetches_nothing(tools, cache):
    log = tools(apt_get=APT, dpkg_deb=DPKG)
    tree = debian.unpack(PACKAGES)
    before = log.read_text()
    assert debian.unpack(PACKAGES) == tree
    assert log.read_text() == before


def test_a_need_for_more_packages_fetches_again(tools, cache):
    log = tools(apt_get=APT, dpkg_deb=DPKG)
    debian.unpack(PACKAGES)
    debian.unpack(Packages("toy", ("one", "two", "three"), suite="sid"))
    assert log.read_text().splitlines()[-1].endswith(" install one two three")


@pytest.mark.parametrize(
    "scripts",
    [
        pytest.param({"apt_get": APT, "dpkg_deb": DPKG.replace("\n", f"\n{FAILS_AT_TWO}", 1)}, id="dpkg-deb"),
        pytest.param({"apt_get": f"{APT}echo 'two.deb is damaged' >&2; exit 2", "dpkg_deb": DPKG}, id="apt-get"),
    ],
)
def test_a_failure_leaves_nothing_half_done_and_the_next_try_begins_anew(tools, cache, scripts, request):
    tools(**scripts)
    with pytest.raises(FetchError, match=f"^{request.node.callspec.id} failed: two.deb is damaged$"):
        debian.unpack(PACKAGES)
    assert not debian.is_unpacked(PACKAGES)
    assert {path.name for path in debian.folder(PACKAGES).iterdir()} <= {"lock"}
    tools(apt_get=APT, dpkg_deb=DPKG)
    assert {path.name for path in (debian.unpack(PACKAGES).root / "usr" / "bin").iterdir()} == {"one", "two"}


@pytest.mark.needs("apt")
def test_a_package_that_there_is_not_ends_in_apts_own_words(cache):
    with pytest.raises(FetchError, match=r"^apt-get failed: E: Unable to locate package chatsim-no-such-package$"):
        debian.unpack(Packages("nothing", ("chatsim-no-such-package",)))
    assert {path.name for path in (cache / "nothing").iterdir()} <= {"lock"}


@pytest.mark.needs("apt")
def test_two_processes_at_once_unpack_once(tools, cache, monkeypatch, tmp_path):
    log = tools(apt_get=f'#!/bin/sh\necho "$@" >> "$LOG"\nexec {shutil.which("apt-get")} "$@"\n')
    script = (
        "from chatsim.worlds.mysql.servers import debian, redisd\n"
        "print(debian.unpack(redisd.Redis().packages).program('redis-server').run('--version'))\n"
    )
    both = [
        subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for process in both:
        said, complaints = process.communicate()
        assert said.startswith("Redis server v="), complaints
    assert [line.split()[-1] for line in log.read_text().splitlines()] == ["update", "redis-server"]
    assert debian.is_unpacked(Redis().packages)


# the tree


def test_a_program_runs_under_the_loader_it_was_packaged_with(tmp_path):
    for place in ("lib", "usr/lib"):
        (tmp_path / place / "x86_64-linux-gnu").mkdir(parents=True)
    loader = tmp_path / "lib" / "x86_64-linux-gnu" / "ld-linux-x86-64.so.2"
    server = tmp_path / "usr" / "sbin" / "served"
    server.parent.mkdir()
    for path in (loader, server):
        path.touch()
    program = Tree(tmp_path).program("served")
    libraries = f"{tmp_path}/usr/lib/x86_64-linux-gnu:{tmp_path}/lib/x86_64-linux-gnu"
    assert program.argv == (str(loader), "--library-path", libraries, str(server))
    assert program.root == tmp_path


def test_a_program_that_the_packages_lack_is_named(tmp_path):
    with pytest.raises(FetchError, match=f"^the packages in {tmp_path} bring no served$"):
        Tree(tmp_path).program("served")


def test_a_loader_that_the_packages_lack_is_missed(tmp_path):
    (tmp_path / "usr" / "bin").mkdir(parents=True)
    (tmp_path / "usr" / "bin" / "served").touch()
    with pytest.raises(FetchError, match=r"bring no dynamic loader$"):
        Tree(tmp_path).program("served")


def test_the_cache_is_the_users_unless_the_environment_moves_it(monkeypatch, tmp_path):
    monkeypatch.setenv("CHATSIM_CACHE", str(tmp_path))
    assert debian.folder(PACKAGES) == tmp_path / "toy"
    monkeypatch.delenv("CHATSIM_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert debian.folder(PACKAGES) == tmp_path / "xdg" / "chatsim" / "toy"
