"""The shape of the repository: source roots, sizes of modules, what importing the ports costs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOTS = {"kernel": "hotswap", "ports": "hotswap_ports", "adapters": "hotswap_adapters", "plugins": "hotswap_plugins"}
MODULES = sorted(path for folder, package in ROOTS.items() for path in (ROOT / folder / package).rglob("*.py"))


@pytest.mark.parametrize(("folder", "package"), ROOTS.items())
def test_a_source_root_holds_one_package_and_nothing_else(folder: str, package: str) -> None:
    """Nothing generic reaches site-packages: each source root holds exactly its package, typed."""
    assert [each.name for each in (ROOT / folder).iterdir() if each.name != "__pycache__"] == [package]
    assert (ROOT / folder / package / "py.typed").is_file()


def test_no_module_is_called_after_nothing() -> None:
    """A module has a noun for a name: there is no utils, helpers or common."""
    assert not [each for each in MODULES if each.stem in {"utils", "util", "helpers", "common", "misc"}]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_module_is_too_long(path: Path) -> None:
    """A module that exceeds 500 lines wants to be two."""
    assert len(path.read_text("utf-8").splitlines()) <= 500


def test_importing_the_ports_loads_attrs_and_the_standard_library_alone() -> None:
    """``import hotswap_ports`` pulls in no third-party package but attrs."""
    code = """if True:
        import sys
        before = set(sys.modules)
        import hotswap_ports
        loaded = {name.partition(".")[0] for name in set(sys.modules) - before}
        print(*sorted(loaded - sys.stdlib_module_names))
    """
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["attr", "attrs", "hotswap_ports"]


def test_importing_hotswap_loads_next_to_nothing() -> None:
    """``import hotswap`` loads the version and no more; names come when they are used."""
    code = "import sys, hotswap; print(*sorted(name for name in sys.modules if name.startswith('hotswap')))"
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["hotswap", "hotswap.version"]
