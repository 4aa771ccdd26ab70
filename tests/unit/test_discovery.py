"""Every door is looked behind, nothing is imported, and what is wrong behind one door leaves the others open."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from hotswap.discovery import Scan, package_folders, scan
from hotswap.settings import Settings


@pytest.fixture(autouse=True)
def _own_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOTSWAP_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_DATA_DIRS", os.pathsep.join([str(tmp_path / "site"), str(tmp_path / "site2")]))


def plugin(folder: Path, text: str = "") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "plugin.toml").write_text(text, encoding="utf-8")
    return folder


def look(tmp_path: Path, *paths: Path, **settings: Any) -> Scan:
    return scan(Settings(tmp_path / "project", paths=paths, **settings))


def seen(found: Scan, tmp_path: Path) -> list[tuple[str, str]]:
    """Door and folder of what lies below ``tmp_path``."""
    pairs = [(each.door, Path(each.folder)) for each in found.sightings]
    return [(door, str(folder.relative_to(tmp_path))) for door, folder in pairs if folder.is_relative_to(tmp_path)]


def problems(found: Scan, tmp_path: Path) -> list[str]:
    return [str(each.error).replace(str(tmp_path), "") for each in found.problems if tmp_path in each.path.parents]


def distribution(site: Path, name: str, **entry_points: str) -> None:
    """Install a distribution by hand: its metadata is all that discovery reads."""
    info = site / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n", encoding="utf-8")
    lines = [f"{key} = {value}" for key, value in entry_points.items()]
    (info / "entry_points.txt").write_text("\n".join(["[hotswap.plugins]", *lines, ""]), encoding="utf-8")


def test_doors_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths come first, then the project's two folders, the user's, the system's, and installed distributions."""
    site = tmp_path / "packages"
    plugin(site / "acme_plugins" / "one")
    distribution(site, "acme", acme="acme_plugins")
    monkeypatch.syspath_prepend(str(site))
    plugin(tmp_path / "site" / "hotswap" / "plugins" / "s1")
    plugin(tmp_path / "site2" / "hotswap" / "plugins" / "s2")
    plugin(tmp_path / "home" / "plugins" / "u")
    plugin(tmp_path / "project" / ".hotswap" / "plugins" / "p2")
    plugin(tmp_path / "project" / "plugins" / "p1")
    explicit = plugin(tmp_path / "mine")
    assert seen(look(tmp_path, explicit), tmp_path) == [
        ("path", "mine"),
        ("project", "project/plugins/p1"),
        ("project", "project/.hotswap/plugins/p2"),
        ("user", "home/plugins/u"),
        ("system", "site/hotswap/plugins/s1"),
        ("system", "site2/hotswap/plugins/s2"),
        ("distribution", "packages/acme_plugins/one"),
    ]


def test_user_folder_without_home_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without HOTSWAP_HOME the user's door is the data folder of the platform."""
    monkeypatch.delenv("HOTSWAP_HOME")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    plugin(tmp_path / "data" / "hotswap" / "plugins" / "u")
    assert seen(look(tmp_path), tmp_path) == [("user", "data/hotswap/plugins/u")]


def test_spellings_of_a_path(tmp_path: Path) -> None:
    """A path is a plugin's folder, its plugin.toml, or a folder of plugin folders, one level deep."""
    alone = plugin(tmp_path / "alone")
    plugin(alone / "not_looked_at")
    by_file = plugin(tmp_path / "by_file")
    many = tmp_path / "many"
    plugin(many / "a")
    plugin(many / "b.1.0")
    plugin(many / "deep" / "er")
    plugin(many / ".hidden")
    plugin(many / "__pycache__")
    (many / "file.txt").touch()
    found = look(tmp_path, alone, by_file / "plugin.toml", many)
    assert [folder for _, folder in seen(found, tmp_path)] == ["alone", "by_file", "many/a", "many/b.1.0"]
    assert problems(found, tmp_path) == []


def test_paths_that_hold_nothing(tmp_path: Path) -> None:
    """An explicit path where no plugin is gets reported, unlike a door's folder that is not there."""
    empty = tmp_path / "empty"
    empty.mkdir()
    text = tmp_path / "notes.txt"
    text.touch()
    found = look(tmp_path, tmp_path / "none", empty, text, plugin(tmp_path / "good"))
    assert seen(found, tmp_path) == [("path", "good")]
    assert problems(found, tmp_path) == [
        "No plugin '/none' was found.",
        "No plugin '/empty' was found.",
        "/notes.txt is not a valid manifest:\n  - it is neither a folder nor a plugin.toml",
    ]
    hints = [getattr(each.error, "hint", "") for each in found.problems]
    assert hints[0].startswith("There is no such path.")
    assert hints[1] == "Neither the folder nor one in it has a plugin.toml."


def test_links(tmp_path: Path) -> None:
    """A linked plugin folder is found, a plugin reached twice is taken once, and links in a circle do not loop."""
    many = tmp_path / "many"
    plugin(tmp_path / "real")
    plugin(many / "a")
    (many / "again").symlink_to(many / "a")
    (many / "circle").symlink_to(many)
    (many / "linked").symlink_to(tmp_path / "real")
    (many / "self").symlink_to(many / "self")
    (many / "torn").symlink_to(tmp_path / "nowhere")
    found = look(tmp_path, many, tmp_path / "real")
    assert seen(found, tmp_path) == [("path", "many/a"), ("path", "many/linked")]
    assert problems(found, tmp_path) == [
        "/many/self/plugin.toml is not a valid manifest:\n  - it cannot be read: Too many levels of symbolic links"
    ]


def test_hard_links_are_two_plugins(tmp_path: Path) -> None:
    """Two folders whose manifests are hard links of one file are two plugins, as some installers make them."""
    many = tmp_path / "many"
    plugin(many / "a")
    (many / "b").mkdir()
    os.link(many / "a" / "plugin.toml", many / "b" / "plugin.toml")
    assert [folder for _, folder in seen(look(tmp_path, many), tmp_path)] == ["many/a", "many/b"]


def test_not_an_ordinary_file(tmp_path: Path) -> None:
    """A named pipe or a folder called plugin.toml is reported, and nothing waits on the pipe."""
    many = tmp_path / "many"
    (many / "folder" / "plugin.toml").mkdir(parents=True)
    (many / "pipe").mkdir()
    os.mkfifo(many / "pipe" / "plugin.toml")
    plugin(many / "z")
    found = look(tmp_path, many)
    assert seen(found, tmp_path) == [("path", "many/z")]
    assert [each.rpartition(" - ")[2] for each in problems(found, tmp_path)] == ["it is not an ordinary file"] * 2


def test_unreadable_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that may not be listed is reported, and the other doors are still looked behind."""
    plugin(tmp_path / "project" / "plugins" / "p")
    plugin(tmp_path / "home" / "plugins" / "u")
    real = os.listdir

    def refusing(path: str) -> Any:
        if str(path).endswith(os.path.join("home", "plugins")):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "listdir", refusing)  # as root, no mode keeps one out
    found = look(tmp_path)
    assert seen(found, tmp_path) == [("project", "project/plugins/p")]
    assert problems(found, tmp_path) == [
        "/home/plugins is not a valid manifest:\n  - the folder cannot be read: Permission denied"
    ]


def test_distributions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package may be a plugin, hold plugins, be dotted, or have no __init__, and none of them is imported."""
    site = tmp_path / "packages"
    for package in ("whole", "outer/inner", "nested"):
        (site / package).mkdir(parents=True)
        (site / package.split("/")[0] / "__init__.py").write_text("raise SystemExit('imported')", encoding="utf-8")
    plugin(site / "whole")
    plugin(site / "outer" / "inner" / "two")
    plugin(site / "nested")
    plugin(site / "nested" / "not-a-name")
    plugin(site / "space" / "part" / "three")
    distribution(site, "a", one="whole", two="outer.inner", three="nested", again="nested", four="space.part")
    monkeypatch.syspath_prepend(str(site))
    before = set(sys.modules)
    found = look(tmp_path)
    ours = [each for each in found.sightings if Path(each.folder).is_relative_to(site)]
    assert {Path(each.folder).relative_to(site).as_posix(): each.package for each in ours} == {
        "whole": "whole",
        "outer/inner/two": "outer.inner.two",
        "nested": "nested",
        "nested/not-a-name": None,
        "space/part/three": "space.part.three",
    }
    assert not {"whole", "outer", "nested", "space"} & (set(sys.modules) - before)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("no_such_package", "there is no package 'no_such_package'"),
        ("lonely", "'lonely' is a module, not a package"),
        ("real.missing", "'real.missing' is no folder on disk"),
        ("../evil", "'../evil' is not the name of a package"),
        ("real:attribute", "'real:attribute' is not the name of a package"),
        ("raising", "'raising' cannot be located: finder of somebody"),
    ],
)
def test_entry_points_that_lead_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str, reason: str
) -> None:
    """An entry point that names no package on disk is reported with the reason, and the others are followed."""

    class Raising:
        @staticmethod
        def find_spec(name: str, path: object = None, target: object = None) -> None:
            if name == "raising":
                raise RuntimeError("finder of somebody")

    monkeypatch.setattr(sys, "meta_path", [Raising, *sys.meta_path])
    site = tmp_path / "packages"
    plugin(site / "real" / "one")
    (site / "lonely.py").touch()
    distribution(site, "broken", bad=value)
    distribution(site, "fine", good="real")
    monkeypatch.syspath_prepend(str(site))
    found = look(tmp_path)
    assert seen(found, tmp_path) == [("distribution", "packages/real/one")]
    ours = [str(each.error) for each in found.problems if each.path == site]
    assert ours == [
        f"Plugin 'bad' could not be loaded: its entry point in the group 'hotswap.plugins' is wrong: {reason}"
    ]


def test_broken_distribution(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A distribution whose entry points cannot be read is reported, and does not hide the others."""
    site = tmp_path / "packages"
    plugin(site / "real" / "one")
    distribution(site, "fine", good="real")
    distribution(site, "torn")
    (site / "torn-1.0.dist-info" / "entry_points.txt").write_bytes(b"[hotswap.plugins]\nx = \xff\xfe\n")
    monkeypatch.syspath_prepend(str(site))
    found = look(tmp_path)
    assert seen(found, tmp_path) == [("distribution", "packages/real/one")]
    assert [each.path for each in found.problems if "cannot be read" in str(each.error)] == [site]


def test_editable_install(tmp_path: Path) -> None:
    """A package that a .pth file leads to, as editable installs do, is found."""
    source, site = tmp_path / "source", tmp_path / "packages"
    plugin(source / "edited" / "one")
    distribution(site, "edited", edited="edited")
    (site / "edited.pth").write_text(f"{source}\n", encoding="utf-8")
    code = (
        f"import site; site.addsitedir({str(site)!r})\n"
        "from hotswap.discovery import scan; from hotswap.settings import Settings\n"
        "print([each.folder for each in scan(Settings()).sightings if each.package == 'edited.one'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.strip() == str([str(source / "edited" / "one")])


def test_safe_mode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In safe mode hotswap's own package is the only one that is looked into."""
    site = tmp_path / "packages"
    plugin(site / "acme" / "one")
    plugin(site / "hotswap_plugins_too" / "one")
    distribution(site, "acme", acme="acme", too="hotswap_plugins_too")
    monkeypatch.syspath_prepend(str(site))
    plugin(tmp_path / "project" / "plugins" / "p")
    found = look(tmp_path, tmp_path / "none", safe_mode=True)
    assert {str(each.package).partition(".")[0] for each in found.sightings} <= {"hotswap_plugins"}
    assert [each for each in found.problems if tmp_path in each.path.parents] == []


def test_own_package_stands_behind_the_common_door() -> None:
    """hotswap's own plugins come in by the entry points that third parties use."""
    values = [each.value for each in metadata.entry_points(group="hotswap.plugins")]
    assert "hotswap_plugins" in values
    assert package_folders("hotswap_plugins")


def test_module_without_a_spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module in memory that has no spec is a package that cannot be located, not a crash."""
    make: Callable[[str], Any] = type(sys)
    monkeypatch.setitem(sys.modules, "spectre", make("spectre"))
    with pytest.raises(ImportError, match="'spectre' cannot be located"):
        package_folders("spectre")
