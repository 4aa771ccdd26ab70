"""The catalog holds what was found once, from the manifests or from the cache, and hides nothing it left out."""

from __future__ import annotations

import json
import logging
import os
import stat
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from packaging.specifiers import SpecifierSet
from packaging.version import Version

import hotswap.catalog
import hotswap.catalog_cache
from hotswap.catalog import Catalog, discover, trust_of, wanted
from hotswap.errors import ManifestInvalid, PluginConflict, PluginNotFound
from hotswap.found import Found
from hotswap.manifest import HostRange, Manifest, Provide
from hotswap.manifest import reader as manifest_reader
from hotswap.settings import DEFAULTS, Settings
from hotswap.trust import Trust

TEXT = """\
[plugin]
id = "{id}"
name = "A plugin"
version = "{version}"
type = "scraper"
description = "Of a test."
author = "Example Author <author@example.org>"
license = "MIT"
[plugin.hotswap]
min_version = "0.1.0"
[plugin.provides]
scraper = {{ class = "One", name = "{provider}" }}
[plugin.python]
entry_point = "one"
"""


def manifest(plugin: str, version: str = "1.0.0", **provides: str) -> Manifest:
    return Manifest(
        id=plugin,
        name=plugin,
        version=Version(version),
        raw_version=version,
        type="utility",
        host=HostRange(Version("0.1.0")),
        provides=tuple(Provide(port, "One", name) for port, name in provides.items()),
    )


def found(plugin: str, version: str = "1.0.0", door: str = "path", folder: str = "", **provides: str) -> Found:
    return Found(manifest(plugin, version, **provides), door, Path(f"/{door}/{folder or plugin}"))


def write(folder: Path, plugin: str = "", version: str = "1.0.0", provider: str = "", *, old: bool = True) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "plugin.toml"
    name = plugin or folder.name
    path.write_text(TEXT.format(id=name, version=version, provider=provider or name), encoding="utf-8")
    if old:
        age(path)
    return path


def age(path: Path, seconds: float = 60.0) -> None:
    """Date a file back, so that it counts as settled."""
    modified = path.stat().st_mtime - seconds
    os.utime(path, (modified, modified))


class Place:
    """A folder of plugins, a cache of its own, and a count of the manifests that were parsed."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.plugins = root / "plugins"
        self.environ = {"HOTSWAP_HOME": str(root / "home"), "HOTSWAP_CACHE": str(root / "cache")}
        self.parsed: list[str] = []
        self._root = root
        real = manifest_reader.read_manifest

        def counting(path: Path) -> Manifest:
            if path.is_relative_to(root):
                self.parsed.append(path.parent.name)
            return real(path)

        monkeypatch.setattr(manifest_reader, "read_manifest", counting)

    def discover(self, **options: Any) -> Catalog:
        self.parsed.clear()
        return discover(Settings(self._root), environ=self.environ, **options)

    def ids(self, **options: Any) -> list[str]:
        return [each.id for each in self.discover(**options) if each.door == "project"]

    @property
    def cache(self) -> Path:
        (file,) = (self._root / "cache").glob("catalog-*")
        return file


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    return Place(tmp_path, monkeypatch)


def test_versions_newest_first() -> None:
    """Versions of one plugin stand side by side, newest first by version and not by text."""
    catalog = Catalog([found("a", "1.9.0"), found("a", "1.10.0"), found("a", "2.0.0-rc.1"), found("b")])
    assert [str(each.version) for each in catalog.versions("a")] == ["2.0.0rc1", "1.10.0", "1.9.0"]
    assert catalog.get("a").manifest.raw_version == "2.0.0-rc.1"
    assert catalog.get("a", "2.0.0-rc.1") is catalog.get("a", Version("2.0.0rc1")) is catalog.get("a")
    assert (catalog.ids(), len(catalog), "a" in catalog, "c" in catalog) == (("a", "b"), 4, True, False)
    assert catalog.versions("c") == ()


def test_unknown_plugin() -> None:
    """An unknown id or version is PluginNotFound with the nearest names."""
    catalog = Catalog([found("http-scraper"), found("http-scraper", "1.1.0")])
    with pytest.raises(PluginNotFound, match=r"No plugin 'htp-scraper' was found \(looked in: path, project") as caught:
        catalog.get("htp-scraper")
    assert caught.value.hint == "Did you mean 'http-scraper'?"
    with pytest.raises(PluginNotFound, match=r"'http-scraper 1.2.0'") as caught:
        catalog.get("http-scraper", "1.2.0")
    assert "'http-scraper 1.1.0'" in caught.value.hint


def test_first_door_wins() -> None:
    """An id belongs to the first door that has it, in whatever order things were found; the hidden ones are named."""
    catalog = Catalog(
        [found("a", "9.0.0", "distribution"), found("a", "1.0.0", "project"), found("a", "2.0.0", "attic")]
    )
    assert [(each.door, str(each.version)) for each in catalog] == [("project", "1.0.0")]
    assert [(each.found.door, each.by.door) for each in catalog.shadowed] == [
        ("distribution", "project"),
        ("attic", "project"),
    ]


def test_twins() -> None:
    """One id and version twice behind a door is a conflict: neither is used, other versions and plugins are."""
    catalog = Catalog([found("a", folder="x"), found("a", folder="y"), found("a", "0.9.0"), found("b")])
    assert [(each.id, str(each.version)) for each in catalog] == [("a", "0.9.0"), ("b", "1.0.0")]
    (problem,) = catalog.problems
    assert isinstance(problem.error, PluginConflict)
    assert str(problem.error) == "Plugin 'a' 1.0.0 is there 2 times: /path/x, /path/y."
    assert problem.path == Path("/path/x")


def test_twins_keep_their_id() -> None:
    """Where only twins stand in front, the plugin of a later door does not slip into their place."""
    catalog = Catalog([found("a", folder="x"), found("a", folder="y"), found("a", door="user")])
    assert catalog.ids() == ()
    assert [each.found.door for each in catalog.shadowed] == ["user"]


def test_providers() -> None:
    """Ports lead to the plugins that provide them, by port alone or with a provider's name."""
    catalog = Catalog([found("b", scraper="b", storage="disk"), found("a", scraper="web"), found("c")])
    assert catalog.providers_of("scraper") == ("a", "b")
    assert catalog.provider("storage", "disk") == ("b",)
    assert catalog.provider("scraper", "disk") == ()


def test_manifests() -> None:
    """The mapping of manifests has every id, its versions newest first."""
    manifests = Catalog([found("a"), found("a", "2.0.0"), found("b")]).manifests()
    assert (list(manifests), len(manifests)) == (["a", "b"], 2)
    assert [each.raw_version for each in manifests["a"]] == ["2.0.0", "1.0.0"]


def test_found_says_what_it_is() -> None:
    """The repr of what was found names id, version, door and folder."""
    assert repr(found("a")) == "Found(a 1.0.0, door='path', path='/path/a')"


def test_wanted() -> None:
    """What [ports] names is wanted as well: as a plugin's id or a provider's name, unless disabled or ambiguous."""
    catalog = Catalog(
        [found("big-ai", ai="big"), found("disk", storage="box"), found("m", search="s"), found("n", search="s")]
    )
    settings = Settings(
        enabled=("a>=1",),
        ports={"ai": ("big-ai", "gone"), "storage": ("box",), "search": ("s",), "formatter": ("off",)},
        disabled=("off",),
    )
    assert wanted(settings, catalog) == {"a": SpecifierSet(">=1"), "big-ai": SpecifierSet(), "disk": SpecifierSet()}
    assert "disk" not in wanted(Settings(enabled=(), ports={"storage": ("box",)}, disabled=("disk",)), catalog)
    assert tuple(wanted(Settings(), catalog)) == DEFAULTS.enabled


def test_trust_of() -> None:
    """Trust is what [trust] says, and by door where it says nothing."""
    official = Found(manifest("a"), "distribution", Path("/x"), "hotswap_plugins.a")
    assert trust_of(official, Settings()) is Trust.OFFICIAL
    assert trust_of(official, Settings(trust={"a": Trust.UNTRUSTED})) is Trust.UNTRUSTED
    assert trust_of(found("b", door="user"), Settings()) is Trust.COMMUNITY


def test_bad_manifests_are_reported(place: Place) -> None:
    """A broken manifest is a problem with its path and error, and the others are in the catalog."""
    write(place.plugins / "good")
    (write(place.plugins / "torn")).write_text("[plugin", encoding="utf-8")
    catalog = place.discover()
    assert "good" in catalog
    (problem,) = catalog.problems
    assert problem.path == place.plugins / "torn" / "plugin.toml"
    assert isinstance(problem.error, ManifestInvalid)


def test_what_keeps_a_plugin_from_being_found(place: Place) -> None:
    """Who asks for a plugin whose manifest is broken, or which is there twice, is told of that instead of guesses."""
    (write(place.plugins / "torn")).write_text("[plugin", encoding="utf-8")
    twins = [write(place.plugins / name, "twin") for name in ("one", "two")]
    catalog = place.discover()
    with pytest.raises(PluginNotFound) as caught:
        catalog.get("torn")
    assert f"hotswap plugin validate {place.plugins / 'torn' / 'plugin.toml'}" in caught.value.hint
    with pytest.raises(PluginNotFound) as caught:
        catalog.get("twin")
    assert all(str(each.parent) in caught.value.hint for each in twins)


def test_unreadable_manifest_is_not_remembered(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A manifest that could not be opened is a problem of this time only."""
    path = write(place.plugins / "a")
    real = os.open

    def refusing(name: Any, *args: Any, **options: Any) -> int:
        if name == path:
            raise PermissionError(13, "Permission denied")
        return real(name, *args, **options)

    with monkeypatch.context() as patched:
        patched.setattr(os, "open", refusing)  # as root, no mode keeps one out
        assert [each.path for each in place.discover().problems] == [path]
    assert place.ids() == ["a"]


def test_bug_in_the_reader_is_one_problem(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever goes wrong with one manifest is its problem, and the others go on."""
    write(place.plugins / "good")
    write(place.plugins / "evil")
    real = manifest_reader.read_manifest

    def failing(path: Path) -> Manifest:
        if path.parent.name == "evil":
            raise RecursionError("too deep")
        return real(path)

    monkeypatch.setattr(manifest_reader, "read_manifest", failing)
    catalog = place.discover()
    assert "good" in catalog
    assert "it cannot be read: RecursionError: too deep" in str(catalog.problems[0].error)


def test_warm_catalog_parses_nothing(place: Place) -> None:
    """The second look parses no manifest and yields equal ones, with versions and providers at hand."""
    write(place.plugins / "a", provider="web")
    write(place.plugins / "a2", "a", "2.0.0")
    cold = {each.path: each.manifest for each in place.discover() if each.door == "project"}
    assert sorted(place.parsed) == ["a", "a2"]
    warm = place.discover()
    assert place.parsed == []
    assert [str(each.version) for each in warm.versions("a")] == ["2.0.0", "1.0.0"]
    assert warm.provider("scraper", "web") == ("a",)
    assert {each.path: each.manifest for each in warm if each.door == "project"} == cold
    assert warm.get("a").manifest.path == place.plugins / "a2" / "plugin.toml"
    assert warm.get("a").manifest is warm.get("a").manifest
    assert place.parsed == []


def test_bad_manifests_are_remembered(place: Place) -> None:
    """A manifest that was refused is refused from the cache with the same words, until it changes."""
    path = write(place.plugins / "torn")
    path.write_text("[plugin]\nid = 1\n", encoding="utf-8")
    age(path)
    cold = [str(each.error) for each in place.discover().problems]
    assert place.parsed == ["torn"]
    assert [str(each.error) for each in place.discover().problems] == cold
    assert place.parsed == []
    write(place.plugins / "torn")
    assert place.ids() == ["torn"]


@pytest.mark.parametrize(
    "change",
    [
        lambda path: write(path.parent, "a", "1.0.1"),
        lambda path: age(path, 5.0),
        lambda path: write(path.parent, "a", "10.0.0"),
    ],
    ids=["content", "mtime", "size"],
)
def test_changed_manifest_is_read_again(place: Place, change: Callable[[Path], object]) -> None:
    """A manifest whose size or times differ is parsed again, and then remembered."""
    path = write(place.plugins / "a")
    write(place.plugins / "b")
    place.discover()
    change(path)
    place.discover()
    assert place.parsed == ["a"]
    place.discover()
    assert place.parsed == []


def test_same_size_and_mtime(place: Place) -> None:
    """An installer that restores modification times cannot hide a change of the same size."""
    path = write(place.plugins / "a")
    place.discover()
    before = path.stat()
    write(place.plugins / "a", version="1.0.9")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert str(place.discover().get("a").version) == "1.0.9"


def test_fresh_manifest_is_not_trusted(place: Place) -> None:
    """A manifest modified within 2 s before it was read is parsed again next time, for it may still change."""
    path = write(place.plugins / "a", old=False)
    place.discover()
    place.discover()
    assert place.parsed == ["a"]
    age(path)
    place.discover()
    place.discover()
    assert place.parsed == []


def test_manifest_that_is_gone(place: Place) -> None:
    """A plugin that was removed is not found, however warm the cache is."""
    path = write(place.plugins / "a")
    assert place.ids() == ["a"]
    path.unlink()
    assert place.ids() == []


def test_refresh_and_off(place: Place) -> None:
    """`refresh` parses everything and writes the cache anew; HOTSWAP_CACHE=off keeps none."""
    write(place.plugins / "a")
    place.discover()
    place.discover(refresh=True)
    assert place.parsed == ["a"]
    place.discover()
    assert place.parsed == []
    place.environ["HOTSWAP_CACHE"] = "off"
    for _ in range(2):
        place.discover()
        assert place.parsed == ["a"]


def test_default_place_of_the_cache(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without HOTSWAP_CACHE the cache is a private file in the user's cache folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    del place.environ["HOTSWAP_CACHE"]
    write(place.plugins / "a")
    place.discover()
    (file,) = (tmp_path / "xdg" / "hotswap").glob("catalog-*")
    assert file.name == f"catalog-{sys.version_info[0]}.{sys.version_info[1]}.cache"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_projects_share_the_cache(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What another project's look remembered stays, up to a bound."""
    write(place.plugins / "a")
    write(tmp_path / "other" / "plugins" / "b")
    write(tmp_path / "other" / "plugins" / "c")
    place.discover()
    other = Settings(tmp_path / "other")
    discover(other, environ=place.environ)
    place.discover()
    assert place.parsed == []
    monkeypatch.setattr(hotswap.catalog_cache, "KEPT_UNSEEN", 0)
    write(place.plugins / "d")
    place.discover()
    place.parsed.clear()
    discover(other, environ=place.environ)
    assert sorted(place.parsed) == ["b", "c"]


def _rewritten(file: Path, change: Callable[[dict[str, Any]], object]) -> None:
    head, _, rest = file.read_bytes().partition(b"\n")
    made_for, _, length = json.loads(head)
    content = {"made_for": made_for, "entries": json.loads(rest[:length]), "body": rest[length:]}
    change(content)
    line = json.dumps(content["entries"]).encode()
    head = json.dumps([content["made_for"], zlib.crc32(line + content["body"]), len(line)]).encode()
    file.write_bytes(head + b"\n" + line + content["body"])


def _column(content: dict[str, Any], number: int, change: Callable[[list[Any]], object]) -> None:
    content["entries"][number] = change(content["entries"][number])


@pytest.mark.parametrize(
    "break_it",
    [
        lambda file: file.write_bytes(b""),
        lambda file: file.write_bytes(b"\x80\x04 not JSON"),
        lambda file: file.write_bytes(b"[" * 100_000),
        lambda file: file.write_bytes(b"[]\n"),
        lambda file: file.write_bytes(file.read_bytes()[:-10]),
        lambda file: file.write_bytes(file.read_bytes().replace(b"1.0.0", b"1.0.1")),
        lambda file: _rewritten(file, lambda content: content.update(made_for="another program")),
        lambda file: _rewritten(file, lambda content: content.update(entries=7)),
        lambda file: _rewritten(file, lambda content: content["entries"].pop()),
        lambda file: _rewritten(file, lambda content: _column(content, 0, lambda folders: [*folders, "/x"])),
        lambda file: _rewritten(file, lambda content: _column(content, 2, lambda versions: 7)),
        lambda file: _rewritten(file, lambda content: _column(content, 1, lambda ids: [7] * len(ids))),
        lambda file: _rewritten(file, lambda content: _column(content, 1, lambda ids: [""] * len(ids))),
        lambda file: _rewritten(file, lambda content: _column(content, 3, lambda ports: ports[1:])),
        lambda file: _rewritten(file, lambda content: _column(content, 3, lambda ports: [1] * len(ports))),
        lambda file: _rewritten(file, lambda content: _column(content, 5, lambda counts: [-1] * len(counts))),
        lambda file: _rewritten(file, lambda content: _column(content, 5, lambda counts: ["1"] * len(counts))),
        lambda file: _rewritten(file, lambda content: _column(content, 6, lambda rests: [1] * len(rests))),
        lambda file: _rewritten(file, lambda content: content.update(body=b"")),
        lambda file: _rewritten(file, lambda content: content.update(body=content["body"][:20])),
        lambda file: _rewritten(file, lambda content: content.update(body=content["body"][8:])),
        lambda file: file.chmod(0o666),
        lambda file: (file.unlink(), file.symlink_to("/dev/zero")),
        lambda file: (file.unlink(), os.mkfifo(file)),
    ],
    ids=[
        *("empty", "binary", "deep", "shape", "cut", "bits", "program", "entries", "short", "long", "scalar", "id"),
        *("problems", "pair", "port", "counts", "count-types", "rests", "no-numbers", "half-a-number", "numbers"),
        *("writable", "link", "pipe"),
    ],
)
def test_cache_that_cannot_be_used(place: Place, break_it: Callable[[Path], object]) -> None:
    """A broken, foreign or unsafe cache is ignored, and replaced by a sound one."""
    write(place.plugins / "a")
    place.discover()
    break_it(place.cache)
    assert place.ids() == ["a"]
    assert place.parsed == ["a"]
    assert place.ids() == ["a"]
    assert place.parsed == []


def test_cache_of_another_user(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache that another user owns is not read, for a cache decides which code is loaded."""
    write(place.plugins / "a")
    place.discover()
    monkeypatch.setattr(os, "geteuid", lambda: place.cache.stat().st_uid + 1)
    place.discover()
    assert place.parsed == ["a"]


def test_entry_that_cannot_be_decoded(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    """An entry whose data does not decode is replaced by the file itself, and the log says so."""
    write(place.plugins / "a")
    place.discover()
    _rewritten(
        place.cache, lambda content: content.update(body=content["body"][: 32 * len(content["entries"][0])] + b"x")
    )
    with caplog.at_level(logging.DEBUG, "hotswap.cache"):
        catalog = place.discover()
        assert place.parsed == []
        assert catalog.get("a").manifest.name == "A plugin"
    assert place.parsed == ["a"]
    assert "an entry cannot be decoded" in caplog.text


def test_times_of_another_age(place: Place) -> None:
    """A manifest of the year 2500 is found each time, and kept nowhere."""
    path = write(place.plugins / "a")
    os.utime(path, ns=(2**63, 2**63))
    if path.stat().st_mtime_ns < 2**63:
        pytest.skip("this file system knows no such time")
    for _ in range(2):
        assert place.ids() == ["a"]
        assert place.parsed == ["a"]
    assert place.discover().identity() is None


def test_unwritable_cache(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache that cannot be written costs time and a line in the debug log, nothing else, and leaves no rubbish."""
    write(place.plugins / "a")
    (tmp_path / "file").touch()
    place.environ["HOTSWAP_CACHE"] = str(tmp_path / "file" / "below")
    assert place.ids() == ["a"]
    place.environ["HOTSWAP_CACHE"] = str(tmp_path / "cache")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    assert place.ids() == ["a"]
    assert list((tmp_path / "cache").iterdir()) == []


def test_code_in_a_zip_file(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the kernel's own files cannot be listed, the cache still works."""
    monkeypatch.setattr(sys.modules[Manifest.__module__], "__file__", "/nowhere/app.zip/hotswap/model.py")
    write(place.plugins / "a")
    place.discover()
    place.discover()
    assert place.parsed == []
