"""Entry points are read when something was installed, and never a second time, whatever the cache file says."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from importlib import metadata
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from hotswap import entry_points
from hotswap.entry_points import EntryPoint, installed
from hotswap.errors import PortInvalid
from hotswap.port_directory import PortDirectory

_times = count(1_700_000_000)
"""Another one each time: importlib.metadata itself goes by a folder's time alone."""


def distribution(site: Path, name: str, value: str, version: str = "1.0", kind: str = "dist-info") -> Path:
    info = site / f"{name}-{version}.{kind}"
    info.mkdir(parents=True)
    (info / ("METADATA" if kind == "dist-info" else "PKG-INFO")).write_text(f"Name: {name}\nVersion: {version}\n")
    (info / "entry_points.txt").write_text(f"[hotswap.plugins]\n{name} = {value}\n")
    return info


def age(site: Path) -> None:
    """Date everything back, so that it counts as settled."""
    then = next(_times)
    for path in [site, *site.rglob("*")]:
        os.utime(path, (then, then))


class Site:
    """A folder on ``sys.path`` that is all there is, a cache, and whether it was read."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = root / "site"
        self.environ = {"HOTSWAP_CACHE": str(root / "cache")}
        self.read = 0
        self._monkeypatch = monkeypatch
        real = metadata.distributions

        def counting(**options: Any) -> Any:
            self.read = 1
            return real(**options)

        monkeypatch.setattr(metadata, "distributions", counting)
        monkeypatch.setattr(sys, "path", [str(self.folder)])
        self.folder.mkdir()

    def look(self, *, refresh: bool = False) -> list[str]:
        """Return what is found by another process."""
        self._monkeypatch.setattr(entry_points, "_latest", None)
        return self.again(refresh=refresh)

    def again(self, *, refresh: bool = False) -> list[str]:
        """Return what is found by the same process."""
        self.read = 0
        return sorted(each.value for each in installed(self.environ, refresh=refresh).groups["hotswap.plugins"])

    @property
    def cache(self) -> Path:
        (file,) = Path(self.environ["HOTSWAP_CACHE"]).iterdir()
        return file


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    return Site(tmp_path, monkeypatch)


def test_read_once(site: Site) -> None:
    """What was found is found again without reading, in the same process and in another one, with all its parts."""
    distribution(site.folder, "one", "first")
    age(site.folder)
    cold = (site.look(), installed(site.environ))
    assert (cold[0], site.read) == (["first"], 1)
    assert (site.again(), site.read) == (["first"], 0)
    assert (site.look(), site.read) == (["first"], 0)
    assert installed(site.environ) == cold[1]
    assert cold[1].groups["hotswap.plugins"] == (EntryPoint("one", "first", str(site.folder)),)


CHANGES: dict[str, tuple[Callable[[Path], object], list[str]]] = {
    "install": (lambda site: distribution(site, "two", "second"), ["first", "second"]),
    "upgrade": (
        lambda site: (shutil.rmtree(site / "one-1.0.dist-info"), distribution(site, "one", "newer", "2.0")),
        ["newer"],
    ),
    "reinstall": (
        lambda site: (shutil.rmtree(site / "one-1.0.dist-info"), distribution(site, "one", "other")),
        ["other"],
    ),
    "remove": (lambda site: shutil.rmtree(site / "one-1.0.dist-info"), []),
    "edit": (
        lambda site: (site / "one-1.0.dist-info" / "entry_points.txt").write_text("[hotswap.plugins]\none = edited\n"),
        ["edited"],
    ),
    "develop": (
        lambda site: (site / "old-1.0.egg-info" / "entry_points.txt").write_text("[hotswap.plugins]\nold = new\n"),
        ["first", "new"],
    ),
    "folder": (lambda site: shutil.rmtree(site), []),
}


@pytest.mark.parametrize("same_process", [True, False], ids=["same", "other"])
@pytest.mark.parametrize("change", CHANGES)
def test_every_change_is_noticed(site: Site, change: str, *, same_process: bool) -> None:
    """Whatever is installed, upgraded, reinstalled, removed or edited is found the next time."""
    distribution(site.folder, "one", "first")
    info = distribution(site.folder, "old", "gone", kind="egg-info")
    (info / "entry_points.txt").unlink()
    age(site.folder)
    assert site.look() == ["first"]
    make, expected = CHANGES[change]
    make(site.folder)
    if site.folder.exists():
        age(site.folder)
    assert (site.again() if same_process else site.look()) == expected
    assert site.read == 1


def test_other_files_come_and_go(site: Site) -> None:
    """A project's folder on ``sys.path``, in which other files are written all the time, has nothing read anew."""
    distribution(site.folder, "one", "first")
    age(site.folder)
    site.look()
    (site.folder / "data.db-journal").touch()
    assert (site.look(), site.read) == (["first"], 0)
    (site.folder / "data.db-journal").unlink()
    assert (site.again(), site.read) == (["first"], 0)


def test_what_was_written_just_now_is_not_trusted(site: Site) -> None:
    """A distribution that is being installed may change within one tick of the clock, and is read again."""
    distribution(site.folder, "one", "first")
    for _ in range(2):
        assert (site.look(), site.read) == (["first"], 1)
    age(site.folder)
    (site.folder / "other").touch()
    site.look()
    assert (site.look(), site.read) == (["first"], 0)


def test_a_folder_comes_to_rest(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was found in a folder that had just been changed is told by its times alone, once these say enough."""
    distribution(site.folder, "one", "first")
    age(site.folder)
    (site.folder / "other").touch()
    site.look()
    os.utime(site.folder, (next(_times),) * 2)
    listed: list[str] = []
    real = os.listdir

    def listing(path: str) -> list[str]:
        listed.append(path)
        return real(path)

    monkeypatch.setattr(os, "listdir", listing)
    for look, times in ((site.look, 1), (site.again, 0), (site.look, 0)):
        listed.clear()
        assert (look(), site.read, listed.count(str(site.folder))) == (["first"], 0, times)


def test_refresh_reads_anew(site: Site) -> None:
    """``refresh`` trusts nothing, and what it finds is remembered."""
    distribution(site.folder, "one", "first")
    age(site.folder)
    site.look()
    assert (site.again(refresh=True), site.read) == (["first"], 1)
    assert (site.look(), site.read) == (["first"], 0)


def test_environments_stand_side_by_side(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another content of ``sys.path`` is another environment; the last few are kept."""
    distribution(site.folder, "one", "first")
    age(site.folder)
    site.look()
    places = [tmp_path / f"site{number}" for number in range(9)]
    for number, place in enumerate(places):
        place.mkdir()
        distribution(place, "two", f"second{number}")
        age(place)
    for number, place in enumerate(places[:7]):
        monkeypatch.setattr(sys, "path", [str(place)])
        assert site.look() == [f"second{number}"]
    monkeypatch.setattr(sys, "path", [str(site.folder)])
    assert (site.look(), site.read) == (["first"], 0)
    monkeypatch.setattr(sys, "path", [str(places[8])])
    site.look()
    monkeypatch.setattr(sys, "path", [str(site.folder)])
    assert (site.look(), site.read) == (["first"], 1)


def test_other_finders_are_asked_each_time(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A finder of somebody's own that knows distributions may know others tomorrow: nothing is remembered."""

    class Finder(metadata.DistributionFinder):
        def find_spec(self, name: object, path: object = None, target: object = None) -> None:
            return None

        def find_distributions(self, context: object = None) -> list[metadata.Distribution]:
            return []

    distribution(site.folder, "one", "first")
    age(site.folder)
    site.look()
    monkeypatch.setattr(sys, "meta_path", [Finder(), *sys.meta_path])
    assert (site.again(), site.look()) == (["first"], ["first"])
    assert not installed(site.environ).broken


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"[[1, 2, 3]]",
        b"7",
        b'[[[["/x", [], ""]], [], [["hotswap.plugins", 1, "evil", ""]]]]',
        b'[[[], [], [["other.group", "a", "evil", ""]]]]',
        b"[" * 50_000,
    ],
    ids=["empty", "none", "numbers", "number", "types", "group", "deep"],
)
def test_cache_that_cannot_be_used(site: Site, content: bytes) -> None:
    """A broken or foreign cache is passed over, and replaced by a sound one."""
    import json
    import zlib

    distribution(site.folder, "one", "first")
    age(site.folder)
    site.look()
    made_for = json.loads(site.cache.read_bytes().partition(b"\n")[0])[0]
    head = json.dumps([made_for, zlib.crc32(content), len(content)]).encode()
    for data in (head + b"\n" + content, content):
        site.cache.write_bytes(data)
        assert (site.look(), site.read) == (["first"], 1)
        assert (site.look(), site.read) == (["first"], 0)


def test_no_cache(site: Site) -> None:
    """Without a cache they are read once in each process."""
    site.environ["HOTSWAP_CACHE"] = "off"
    distribution(site.folder, "one", "first")
    age(site.folder)
    assert (site.look(), site.read) == (["first"], 1)
    assert (site.again(), site.read) == (["first"], 0)
    assert (site.look(), site.read) == (["first"], 1)


def test_broken_distribution_hides_no_ports(site: Site) -> None:
    """A distribution whose entry points cannot be read keeps no kernel from its ports."""
    distribution(site.folder, "one", "first")
    (site.folder / "one-1.0.dist-info" / "entry_points.txt").write_bytes(b"[hotswap.ports]\nx = \xff\n")
    info = distribution(site.folder, "two", "second")
    (info / "entry_points.txt").write_text("[hotswap.ports]\ngone = no_such_module:Port\n")
    age(site.folder)
    found = PortDirectory(environ=site.environ)
    assert "storage" in found
    assert [type(each) for each in found.problems] == [PortInvalid]
    assert "no_such_module" in str(found.problems[0])
