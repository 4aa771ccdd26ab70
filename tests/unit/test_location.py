"""Where a plugin lies that is named by a path or an id, and which files there are its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from hotswap.errors import PluginAmbiguous, PluginNotFound
from hotswap.testing.location import find_plugin, locate
from hotswap.testing.own_code import others, own_code
from tests.plugin_folder import write_plugin

PROJECT = """
[project]
name = "acme-herons"

[project.entry-points."hotswap.plugins"]
herons = "acme.herons"
"""


def project(root: Path, sources: str = "src") -> Path:
    """Write a distribution with one plugin, in the package ``acme.herons``."""
    (root / "pyproject.toml").write_text(PROJECT)
    return write_plugin(root / sources / "acme", "herons")


def test_a_folder_and_its_manifest_mean_the_plugin_in_it(tmp_path: Path) -> None:
    """It is a plain folder, and its tests run there."""
    folder = write_plugin(tmp_path, "own")
    for path in (folder, folder / "plugin.toml", tmp_path):
        found = locate(path)
        assert (found.folder, found.package, found.source, found.project) == (folder, None, None, folder)


@pytest.mark.parametrize("sources", [".", "src", "python"])
def test_a_distribution_names_its_plugin(tmp_path: Path, sources: str) -> None:
    """By its root, or from inside: it is the package that the entry points name, wherever the sources lie."""
    folder = project(tmp_path, sources)
    for path in (tmp_path, folder, folder / "plugin.toml"):
        found = locate(path)
        assert (found.folder, found.package) == (folder, "acme.herons")
        assert (found.source, found.project) == (tmp_path / sources, tmp_path)


def test_a_distribution_may_hold_a_folder_a_plugin(tmp_path: Path) -> None:
    """Then its root means none of several, and each folder is a package inside."""
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    one, two = (write_plugin(tmp_path / "src" / "acme" / "herons", each) for each in ("grey", "white"))
    assert locate(one).package == "acme.herons.grey"
    assert locate(two).package == "acme.herons.white"
    with pytest.raises(PluginAmbiguous, match="grey, white") as caught:
        locate(tmp_path)
    assert str(one) in caught.value.hint


def test_what_is_not_there_says_where_it_was_looked_for(tmp_path: Path) -> None:
    """A folder without a plugin, and an id that nobody has."""
    with pytest.raises(PluginNotFound) as caught:
        locate(tmp_path)
    assert "plugin.toml" in caught.value.hint
    assert "entry-points" in caught.value.hint
    with pytest.raises(PluginNotFound, match="memry") as caught:
        locate("memry")
    assert "'memory'" in caught.value.hint


def test_what_is_installed_is_found_as_a_kernel_finds_it() -> None:
    """By its id, and by its folder: it is the package of its distribution."""
    found = locate("memory")
    assert found.package == "hotswap_plugins.memory"
    for each in ("memory", found.folder, found.manifest):
        assert (find_plugin(each).door, find_plugin(each).package) == ("distribution", "hotswap_plugins.memory")


def test_a_plugins_own_code_is_what_its_entry_point_leads_to(tmp_path: Path) -> None:
    """And what lies in its folders, but no tests, no scripts, no environment, and no other plugin."""
    folder = write_plugin(tmp_path, "own", "from . import part\n")
    write_plugin(folder, "inner")
    files = ["part.py", "deep/a.py", "deep/er/b.py", "tests/c.py", "test_own.py", "conftest.py", "setup.py"]
    files += ["scripts/d.py", ".venv/e.py", "env/f.py", "deep/test_g.py", "behind.py"]
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("from ..behind import x\n" if name == "deep/a.py" else "")
    (folder / "env" / "pyvenv.cfg").touch()
    own = own_code(folder, "code", is_package=False)
    names = {str(each.relative_to(folder)) for each in own}
    assert names == {"code.py", "part.py", "behind.py", "deep/a.py", "deep/er/b.py"}
    besides = {each.removeprefix(f"{folder}/") for each in others(folder, own)}
    assert {"tests/*", "scripts/*", "env/*", ".venv/*", "inner/*", "setup.py", "deep/test_g.py"} <= besides
    assert not besides & names
    whole = {str(each.relative_to(folder)) for each in own_code(folder, "code", is_package=True)}
    assert whole == names | {"setup.py"}
