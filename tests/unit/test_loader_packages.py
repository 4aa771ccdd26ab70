"""Plugins inside importable packages: imported by their own names, and anew without two generations meeting."""

from __future__ import annotations

import asyncio
import gc
import importlib
import itertools
import os
import pickle
import subprocess
import sys
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from types import ModuleType
from typing import Any

import pytest
from attrs import evolve

from hotswap import Kernel, PluginLoadFailed, Settings
from hotswap.found import Found
from hotswap.loader import drop, load, load_beside, undo
from hotswap.loader.finder import FINDER
from hotswap.manifest.reader import read_manifest
from hotswap.port_directory import PortDirectory
from tests.plugin_folder import GATES, GREETER, Clock, Greeter, greeter, write_plugin

PORTS = PortDirectory([Greeter, Clock])
_numbers = itertools.count(1)

HELLO = """
    from tests.plugin_folder import Greeter
    from {package}.part import word

    class Hello(Greeter):
        async def greet(self, name, *, loud=False):
            return word() + name
"""


class Package:
    """An importable package ``name`` with a plugin in it: a folder ``inner`` with the entry point ``code``."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.outer = f"package_of_tests_{next(_numbers)}"
        self.name = f"{self.outer}.inner"
        self.folder = greeter(root / self.outer, "packaged", folder="inner")
        self.write("../__init__.py", "")
        self.write("__init__.py", "")
        self.write("code.py", GREETER)

    def write(self, path: str, code: str) -> None:
        """Write a module; ``{package}`` in its code is the plugin's package."""
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(dedent(code).replace("{package}", self.name))

    def load(self, *, fresh: bool = False) -> Any:
        """Load the plugin, and return its module."""
        return load(self.found(), PORTS, fresh=fresh)

    def found(self) -> Found:
        """Return what discovery would."""
        return Found(read_manifest(self.folder / "plugin.toml"), "distribution", self.folder, self.name)

    def modules(self) -> dict[str, ModuleType]:
        """Return what is imported of it."""
        return {name: module for name, module in sys.modules.items() if name.startswith(self.outer)}

    def kernel(self) -> Kernel:
        """Return a kernel that finds it as an installed distribution."""
        info = self.root / f"{self.outer}-1.0.dist-info"
        info.mkdir(exist_ok=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {self.outer}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[hotswap.plugins]\ntests = {self.outer}\n")
        settings = evolve(Settings(folder=self.root / "project", enabled=("packaged",)))
        return Kernel(settings, ports=[Greeter, Clock], environ={})


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Package]:
    """Return a package that can be imported in this test."""
    made = Package(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield made
    for name in made.modules():
        del sys.modules[name]
    FINDER._sets.pop(made.name, None)
    FINDER._sets.pop(made.outer, None)


def test_it_is_imported_by_its_own_name(package: Package) -> None:
    """It is the module that everybody else imports by that name, loaded once however often it is asked for."""
    one = package.load()
    assert one.module is importlib.import_module(f"{package.name}.code")
    assert package.load().module is one.module
    drop(one.root)
    undo(one)
    assert sys.modules[f"{package.name}.code"] is one.module


def test_what_is_imported_already_is_used(package: Package) -> None:
    """A host may import a plugin's package before the kernel does, and shares its classes with the kernel."""
    mine = importlib.import_module(f"{package.name}.code")
    assert package.load().module is mine


@pytest.mark.parametrize("imported_by", ["kernel", "host"])
def test_imported_anew_all_of_it_is_new(package: Package, imported_by: str) -> None:
    """All submodules are new, and the package around it leads to them; taken back, all is as it was."""
    package.write("part.py", "def word(): return 'old '")
    package.write("code.py", HELLO)
    if imported_by == "host":
        importlib.import_module(f"{package.name}.code")
    one = package.load()
    before, outer = package.modules(), sys.modules[package.outer]
    package.write("part.py", "def word(): return 'new '")
    two = package.load(fresh=True)
    after = package.modules()
    assert before.keys() == after.keys()
    assert [name for name in before if before[name] is after[name]] == [package.outer]
    assert after[f"{package.name}.part"].word() == two.module.word() == "new "
    assert vars(outer)["inner"] is after[package.name]
    undo(two)
    assert package.modules() == before
    assert vars(outer)["inner"] is before[package.name]
    assert package.load().module is one.module


@pytest.mark.parametrize(
    "code", ["1 / 0", "def (", "import nothing_like_it", "x = 1", "raise KeyboardInterrupt", "raise SystemExit", "\0"]
)
async def test_what_cannot_be_imported_anew_changes_nothing(package: Package, code: str) -> None:
    """The very modules that were in use are in use again, in their order, and in the package around them."""
    package.write("part.py", "def word(): return 'old '")
    package.write("code.py", HELLO)
    package.load()
    before, outer = package.modules(), sys.modules[package.outer]
    package.write("code.py", f"import {package.name}.part\n{code}")
    with pytest.raises(PluginLoadFailed):
        await load_beside(package.found(), PORTS, 10, fresh=True)
    assert package.modules() == before
    assert list(package.modules()) == list(before)
    assert vars(outer)["inner"] is before[package.name]
    package.write("code.py", HELLO)
    assert package.load(fresh=True).module is not before[f"{package.name}.code"]


def test_what_cannot_be_imported_at_all_leaves_nothing(package: Package) -> None:
    """A first import that fails is wholly forgotten: mended, the plugin loads."""
    package.write("part.py", "def word(): return 'old '")
    package.write("code.py", "from {package}.part import word\n1 / 0")
    with pytest.raises(PluginLoadFailed):
        package.load()
    assert list(package.modules()) == [package.outer]
    assert not hasattr(sys.modules[package.outer], "inner")
    package.write("code.py", HELLO)
    package.write("part.py", "def word(): return 'mended '")
    assert package.load().module.word() == "mended "


def test_another_version_is_imported_anew(package: Package) -> None:
    """When the package was upgraded on disk, the code is that of the version whose manifest was read."""
    one = package.load()
    write_plugin(package.root / package.outer, "packaged", folder="inner", version="2.0.0")
    package.write("code.py", GREETER)
    two = package.load()
    assert two.module is not one.module
    assert package.load().module is two.module
    undo(two)
    assert sys.modules[f"{package.name}.code"] is one.module


@pytest.mark.parametrize(
    ("entry_point", "module"),
    [("__init__.py", "{package}"), ("elsewhere", "elsewhere_{outer}"), ("gone", "")],
)
def test_it_may_point_at_its_init_or_elsewhere(package: Package, entry_point: str, module: str) -> None:
    """In a package the entry point may be the package itself, or a module of the distribution beside it."""
    elsewhere = f"elsewhere_{package.outer}"
    python = {"entry_point": entry_point.replace("elsewhere", elsewhere)}
    write_plugin(package.root / package.outer, "packaged", folder="inner", python=python)
    (package.root / f"{elsewhere}.py").write_text("")
    if not module:
        with pytest.raises(PluginLoadFailed, match="No module named 'gone'"):
            package.load()
        return
    one = package.load()
    assert one.module.__name__ == module.format(package=package.name, outer=package.outer)
    two = package.load(fresh=True)
    assert two.module is not one.module
    assert sys.modules[one.module.__name__] is two.module
    undo(two)
    assert sys.modules[one.module.__name__] is one.module
    sys.modules.pop(elsewhere, None)
    FINDER._sets.pop(elsewhere, None)


def test_a_package_without_an_init(package: Package) -> None:
    """A namespace package is found as Python finds it, and imported anew."""
    (package.folder / "__init__.py").unlink()
    (package.folder.parent / "__init__.py").unlink()
    one = package.load()
    two = package.load(fresh=True)
    assert two.module is not one.module
    assert two.module.__name__ == f"{package.name}.code"


LAZY = """
    from tests.plugin_folder import Greeter
    from {package}.part import Kind

    class Hello(Greeter):
        async def greet(self, name, *, loud=False):
            return "hello " + name

    def names():
        from {package}.part import Kind
        return Kind
    def stars():
        space = {}
        exec("from {package}.part import *", globals(), space)
        return space["Kind"]
    def relative():
        from .part import Kind
        return Kind
    def siblings():
        from . import part
        return part.Kind
    def modules():
        import {package}.part as part
        return part.Kind
    def dotted():
        import {package}.part
        return {package}.part.Kind
    def from_outer():
        from {outer} import inner
        return inner.part.Kind
    def outer():
        import {outer}
        return {outer}.inner.part.Kind
    def late():
        from {package}.late import Kind, from_late
        assert from_late() is Kind
        return Kind
    def late_stars():
        space = {}
        exec("from {package} import *", globals(), space)
        return space["late"].Kind
    def late_sibling():
        from . import late
        import {package}.late
        assert {package}.late is late
        return late.Kind
"""


WAYS = "names stars relative siblings modules dotted from_outer outer late late_stars late_sibling"


@pytest.mark.parametrize("way", list(WAYS.split()))
def test_import_statements_in_old_code_lead_to_old_modules(package: Package, way: str) -> None:
    """A function of the replaced generation that imports from its own package gets its own classes, also late ones."""
    package.write("part.py", "class Kind: pass")
    late = """
        from {package}.part import Kind

        def from_late():
            from .part import Kind
            return Kind
    """
    package.write("late.py", late)
    package.write("__init__.py", "__all__ = ['late']")
    package.write("code.py", LAZY.replace("{outer}", package.outer))
    one = package.load()
    two = package.load(fresh=True)
    assert one.module.Kind is not two.module.Kind
    assert getattr(one.module, way)() is one.module.Kind
    assert getattr(two.module, way)() is two.module.Kind
    assert getattr(one.module, way)() is one.module.Kind
    undo(two)
    assert getattr(one.module, way)() is one.module.Kind
    assert getattr(two.module, way)() is two.module.Kind


def test_code_that_came_back_imports_as_it_did(package: Package) -> None:
    """What it imports after a reload was taken back is what everybody imports by that name."""
    package.write("late.py", "")
    package.write("code.py", dedent(GREETER) + "\ndef late():\n    from . import late\n    return late\n")
    one = package.load()
    undo(package.load(fresh=True))
    assert one.module.late() is sys.modules[f"{package.name}.late"]


def test_old_code_imports_everything_else_as_ever(package: Package) -> None:
    """Other packages, modules that are not there, and errors on import are what they would be without a reload."""
    code = """
        class Lazy:
            def other(self):
                import json.decoder, os.path as path
                from collections import abc
                from tests import plugin_folder
                return json.decoder, path, abc, plugin_folder
            def missing(self):
                import {package}.missing
            def missing_name(self):
                from {package} import missing
            def broken(self):
                from {package} import broken
            def needs(self):
                from {package} import needs
            def too_far(self):
                from ...... import far
    """
    package.write("code.py", dedent(GREETER) + dedent(code))
    package.write("broken.py", "1 / 0")
    package.write("needs.py", "import nothing_like_it")
    lazy = package.load().module.Lazy()
    package.load(fresh=True)
    import json.decoder
    import os.path
    from collections import abc

    from tests import plugin_folder

    assert lazy.other() == (json.decoder, os.path, abc, plugin_folder)
    errors = {"missing": "No module named", "missing_name": "cannot import name", "needs": "nothing_like_it"}
    for call, expected in {**errors, "too_far": "beyond top-level package"}.items():
        with pytest.raises(ImportError, match=expected):
            getattr(lazy, call)()
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            lazy.broken()


def test_pickles_are_of_the_code_in_use(package: Package) -> None:
    """The name of a class stays when it is imported anew, so what an older generation has pickled is read."""
    package.write("part.py", "class Kind: pass")
    package.write("code.py", LAZY.replace("{outer}", package.outer))
    stored = pickle.dumps(package.load().module.Kind())
    two = package.load(fresh=True)
    assert type(pickle.loads(stored)) is two.module.Kind


def test_what_was_replaced_is_forgotten_once_it_is_dropped(package: Package) -> None:
    """Only the generation in use, and those that may come back, are kept."""
    seen = []
    loaded = package.load()
    for _ in range(3):
        seen.append(weakref.ref(next(iter(loaded.adapters.values()))))
        loaded = package.load(fresh=True)
        drop(loaded.root)
    gc.collect()
    assert [each() for each in seen] == [None, None, None]


def test_a_plugin_inside_of_another_ones_package_stays(package: Package) -> None:
    """A package may be a plugin and hold plugins: importing the outer one anew leaves the inner ones alone."""
    inner = package.load()
    write_plugin(package.root, "outer", folder=package.outer, python={"entry_point": "__init__.py"})
    package.write("../__init__.py", "")
    outer = Found(read_manifest(package.folder.parent / "plugin.toml"), "path", package.folder.parent, package.outer)
    one = load(outer, PORTS)
    two = load(outer, PORTS, fresh=True)
    assert one.module is not None
    assert two.module is not None
    assert two.module is not one.module
    assert sys.modules[f"{package.name}.code"] is inner.module
    assert vars(two.module)["inner"] is sys.modules[package.name]
    undo(two)
    assert sys.modules[package.outer] is one.module
    assert sys.modules[f"{package.name}.code"] is inner.module


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """Return what a module waits for; in the end it is opened, and the imports that were left behind are over."""
    module: Any = ModuleType("tests.unit.gate_of_packages")
    module.GATE = threading.Event()
    module.REACHED = threading.Event()
    sys.modules[module.__name__] = module
    yield module.GATE
    module.GATE.set()
    for each in threading.enumerate():
        if each.name.startswith("hotswap: import"):
            each.join(10)
    del sys.modules[module.__name__]


@pytest.mark.parametrize("ending", ["", "1 / 0", "from {package}.part import word", "from {package} import late"])
async def test_an_import_that_hangs_gives_the_names_back(package: Package, gate: threading.Event, ending: str) -> None:
    """When the time is up the modules in use have their names again, and keep them whatever the thread does then."""
    package.write("part.py", "def word(): return 'old '")
    package.write("code.py", HELLO)
    package.write("late.py", "")
    package.load()
    before = package.modules()
    package.write("__init__.py", "from tests.unit.gate_of_packages import GATE\nGATE.wait(10)\n" + ending)
    with pytest.raises(PluginLoadFailed, match=r"longer than 0\.1 s"):
        await load_beside(package.found(), PORTS, 0.1, fresh=True)
    assert package.modules() == before
    (thread,) = [each for each in threading.enumerate() if each.name == "hotswap: import packaged"]
    gate.set()
    thread.join(10)
    assert package.modules() == before
    assert vars(sys.modules[package.outer])["inner"] is before[package.name]
    package.write("__init__.py", "")
    assert package.load(fresh=True).module is not before[f"{package.name}.code"]


async def test_a_load_that_nobody_waits_for_is_taken_back(package: Package, gate: threading.Event) -> None:
    """Cancelled, a load leaves the modules in use where they are."""
    package.load()
    before = package.modules()
    code = "from tests.unit.gate_of_packages import GATE, REACHED\nREACHED.set()\nGATE.wait(10)\n"
    package.write("code.py", code + dedent(GREETER))
    task = asyncio.create_task(load_beside(package.found(), PORTS, 10, fresh=True))
    await asyncio.to_thread(sys.modules["tests.unit.gate_of_packages"].REACHED.wait, 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert package.modules() == before


def test_two_loads_at_once_end_in_one_of_them(package: Package) -> None:
    """Two kernels may import the same package anew: whichever is taken back, the other is in use."""
    one = package.load()
    two = package.load(fresh=True)
    three = package.load(fresh=True)
    undo(two)
    assert sys.modules[f"{package.name}.code"] is three.module
    undo(three)
    assert sys.modules[f"{package.name}.code"] is one.module


async def test_a_kernel_reloads_a_package(package: Package) -> None:
    """A syntax error leaves the old code serving; mended, the new code serves, and calls in the old one end in it."""
    code = """
        from {package}.part import word
        from tests.plugin_folder import GATES, Greeter

        class Hello(Greeter):
            async def greet(self, name, *, loud=False):
                if loud:
                    await GATES["{package}"].wait()
                from {package}.part import word
                return word() + name
    """
    GATES[package.name] = asyncio.Event()
    package.write("part.py", "def word(): return 'old '")
    package.write("code.py", code)
    async with package.kernel() as running:
        handle = running.get(Greeter)
        assert await handle.greet("x") == "old x"
        before = package.modules()
        package.write("part.py", "def word(: return 'new '")
        with pytest.raises(PluginLoadFailed, match="SyntaxError"):
            await running.reload("packaged")
        assert package.modules() == before
        assert await handle.greet("x") == "old x"
        package.write("part.py", "def word(): return 'new '")
        inside = asyncio.create_task(handle.greet("y", loud=True))
        await asyncio.sleep(0)
        reloading = asyncio.create_task(running.reload("packaged"))
        async with asyncio.timeout(10):
            while await handle.greet("x") != "new x":
                await asyncio.sleep(0)
        assert not reloading.done()
        GATES[package.name].set()
        assert await inside == "old y"
        await reloading


def test_what_is_reloaded_is_what_a_new_process_imports(package: Package) -> None:
    """No bytecode of the old code is left that CPython would take for that of the new."""
    package.load()
    package.write("code.py", GREETER.replace("{word}", "{werd}"))
    package.load(fresh=True)
    code = f"import {package.name}.code as code, inspect; print('werd' in str(code.Hello.greet.__code__.co_consts))"
    run = [sys.executable, "-c", code]
    path = os.pathsep.join([str(package.root), str(Path(__file__).parents[2])])
    environ = {**os.environ, "PYTHONPATH": path}
    assert subprocess.run(run, env=environ, capture_output=True, check=True, text=True).stdout == "True\n"
