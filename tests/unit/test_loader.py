"""Code in, code out."""

from __future__ import annotations

import asyncio
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from hotswap import PluginInitFailed, PluginLoadFailed, PortUnknown, State
from hotswap.found import Found
from hotswap.loader import drop, load, load_beside
from hotswap.loader.entry_point import NAMESPACE
from hotswap.manifest.model import Provide
from hotswap.manifest.reader import read_manifest
from hotswap.port_directory import PortDirectory
from tests.plugin_folder import GREETER, Clock, Greeter, greeter, kernel, write_plugin

PORTS = PortDirectory([Greeter, Clock])


def found(folder: Path, package: str | None = None) -> Found:
    """Return what discovery would, of a folder."""
    return Found(read_manifest(folder / "plugin.toml"), "path", folder, package)


def loaded_names() -> set[str]:
    """Return the modules of plugin folders that are imported."""
    return {each for each in sys.modules if each.startswith(f"{NAMESPACE}.")}


@pytest.mark.parametrize(
    ("entry_point", "file"),
    [
        ("code", "code.py"),
        ("code.py", "code.py"),
        ("./code.py", "code.py"),
        ("inner", "inner/__init__.py"),
        ("inner/__init__.py", "inner/__init__.py"),
        ("inner.code", "inner/code.py"),
        ("inner/code.py", "inner/code.py"),
        ("__init__.py", "__init__.py"),
        ("__init__", "__init__.py"),
    ],
)
@pytest.mark.parametrize("folder", ["plain", "with.dots and spaces"])
def test_an_entry_point_is_a_module_or_a_path(tmp_path: Path, entry_point: str, file: str, folder: str) -> None:
    """Each way to write an entry point finds the module, with relative imports, whatever the folder is called."""
    path = write_plugin(
        tmp_path, "own", folder=folder, python={"entry_point": entry_point}, provides={"greeter": "Hello"}
    )
    (path / "code.py").unlink()
    code = path / file
    code.parent.mkdir(exist_ok=True)
    (code.parent / "beside.py").write_text("WORD = 'hello'")
    code.write_text(
        "from tests.plugin_folder import Greeter\nfrom .beside import WORD\n"
        "class Hello(Greeter):\n    async def greet(self, name, *, loud=False):\n        return WORD + name\n"
    )
    before = loaded_names()
    loaded = load(found(path), PORTS)
    assert issubclass(next(iter(loaded.adapters.values())), Greeter)
    drop(loaded.root)
    assert loaded_names() == before


@pytest.mark.parametrize(
    ("code", "class_name", "expected"),
    [
        ("", "Hello", "has no class 'Hello'"),
        ("class Helo: pass", "Hello", "Did you mean 'Helo'"),
        ("Hello = 3", "Hello", "'Hello' is no class"),
        ("Hello = 3", "Hello.There", "has no class 'Hello.There'"),
        ("class Hello: pass", "Hello", "'Hello' is not a Greeter"),
        ("from tests.plugin_folder import Clock as Hello", "Hello", "is not a Greeter"),
        (
            "from abc import abstractmethod\nfrom tests.plugin_folder import Greeter\nclass Hello(Greeter):\n"
            "    @abstractmethod\n    async def greet(self, name, *, loud=False): ...",
            "Hello",
            "leaves out greet",
        ),
        ("import beside", "Hello", "write `from . import beside`"),
        ("import nothing_like.that", "Hello", "pip install nothing_like"),
        ("from . import missing", "Hello", "cannot import name 'missing'"),
        ("raise ModuleNotFoundError('odd')", "Hello", "odd"),
        ("raise KeyboardInterrupt", "Hello", "it raised KeyboardInterrupt while it was imported"),
        ("import asyncio\nraise asyncio.CancelledError", "Hello", "it raised CancelledError while it was imported"),
        ("raise SystemExit", "Hello", "it called sys.exit(None)"),
        ("\n\n1 / 0", "Hello", "It came up in code.py, line 3."),
        ("x = 'a' * 10**3\nraise ValueError(x)", "Hello", "ValueError: aaa"),
        ("\x00", "Hello", "null bytes"),
    ],
)
async def test_code_that_is_not_what_its_manifest_says(
    tmp_path: Path, code: str, class_name: str, expected: str
) -> None:
    """Each mismatch is PluginLoadFailed with what is wrong and what to do; nothing of it stays imported."""
    path = write_plugin(tmp_path, "own", provides={"greeter": class_name})
    (path / "code.py").write_text(code)
    (path / "beside.py").write_text("")
    before = loaded_names()
    with pytest.raises(PluginLoadFailed) as failed:
        await load_beside(found(path), PORTS, 10.0)
    assert expected in f"{failed.value} {failed.value.hint}"
    assert loaded_names() == before


def test_an_interrupt_in_the_main_thread_is_a_persons(tmp_path: Path) -> None:
    """Ctrl-C while the main thread imports a plugin goes through."""
    path = write_plugin(tmp_path, "own", "raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        load(found(path), PORTS)


@pytest.mark.parametrize("entry_point", ["missing", "missing.py", "__init__.py", "my.module.py"])
def test_an_entry_point_that_is_not_there(tmp_path: Path, entry_point: str) -> None:
    """An entry point that names no module says so, with the folder."""
    path = write_plugin(tmp_path, "own", python={"entry_point": entry_point})
    with pytest.raises(PluginLoadFailed) as failed:
        load(found(path), PORTS)
    assert str(path) in f"{failed.value} {failed.value.hint}"


def test_a_plugin_class_is_a_plugin(tmp_path: Path) -> None:
    """[plugin.python] class_name must be a Plugin."""
    path = write_plugin(tmp_path, "own", "class Own: pass", python={"class_name": "Own"})
    with pytest.raises(PluginLoadFailed, match="'Own' is not a Plugin"):
        load(found(path), PORTS)


def test_a_dotted_class_reaches_into_a_submodule(tmp_path: Path) -> None:
    """A provider's class may stand in a submodule, which is imported for it."""
    from textwrap import dedent

    python = {"entry_point": "inner"}
    path = write_plugin(tmp_path, "deep", python=python, provides={"greeter": "sub.Hello"})
    (path / "inner").mkdir()
    (path / "inner" / "__init__.py").write_text("")
    (path / "inner" / "sub.py").write_text(dedent(GREETER))
    assert [each.__name__ for each in load(found(path), PORTS).adapters.values()] == ["Hello"]
    (path / "inner" / "sub.py").write_text("1 / 0")
    with pytest.raises(PluginLoadFailed, match="ZeroDivisionError"):
        load(found(path), PORTS)


def test_a_port_that_this_host_does_not_have(tmp_path: Path) -> None:
    """A provider for an unknown port is refused before anything is imported."""
    path = write_plugin(tmp_path, "own", "1 / 0", provides={"gretter": "Hello"})
    with pytest.raises(PortUnknown, match="provided by own"):
        load(found(path), PORTS)


def test_a_plugin_without_code(tmp_path: Path) -> None:
    """A manifest without [plugin.python] needs no code; one that provides a port without code is refused."""
    path = write_plugin(tmp_path, "own")
    text = (path / "plugin.toml").read_text().replace('[plugin.python]\nentry_point = "code"\n', "")
    (path / "plugin.toml").write_text(text)
    loaded = load(found(path), PORTS)
    assert (loaded.module, loaded.root, dict(loaded.adapters)) == (None, "", {})
    empty = evolve(found(path).manifest, provides=(Provide("greeter", "Hello", "own"),))
    with pytest.raises(PluginLoadFailed, match="no code to load"):
        load(Found(empty, "path", path), PORTS)


async def test_same_names_do_not_meet(tmp_path: Path) -> None:
    """Two plugins with modules of the same name, also of one in the standard library, have each its own."""
    for plugin, word in (("one", "1"), ("two", "2")):
        path = write_plugin(tmp_path, plugin, python={"entry_point": "json"}, provides={"greeter": "Hello"})
        (path / "helper.py").write_text(f"WORD = {word!r}")
        (path / "json.py").write_text(
            "from .helper import WORD\nfrom tests.plugin_folder import Greeter\n"
            "class Hello(Greeter):\n    async def greet(self, name, *, loud=False):\n        return WORD\n"
        )
    async with kernel(tmp_path, "one", "two") as running:
        assert [await each.greet("") for each in running.all(Greeter).values()] == ["1", "2"]


async def test_an_import_that_hangs_does_not_hold_the_host(tmp_path: Path) -> None:
    """An import that does not end fails at open_timeout; what it returns later is dropped; others go on meanwhile."""
    code = """
        import time
        from tests.unit.test_loader_gate import GATE
        GATE.wait(10)
    """
    gate = threading.Event()
    module: Any = type(sys)("tests.unit.test_loader_gate")
    module.GATE = gate
    sys.modules[module.__name__] = module
    write_plugin(tmp_path, "slow", code)
    greeter(tmp_path, "english")
    before = loaded_names()
    async with kernel(tmp_path, "slow", "english", open_timeout=0.05) as running:
        assert running.plugins()["slow"].state is State.FAILED
        assert "importing it took longer than 0.05 s" in running.plugins()["slow"].reason
        assert await running.get(Greeter).greet("x") == "hello x"
        gate.set()
        async with asyncio.timeout(10):
            while [each for each in threading.enumerate() if each.name == "hotswap: import slow"]:
                await asyncio.sleep(0.01)
        await asyncio.sleep(0)
    assert loaded_names() == before
    del sys.modules[module.__name__]


async def test_a_reasonkit_manifest_that_names_a_class_alone(tmp_path: Path) -> None:
    """A ReasonKit plugin with class_name and nothing provided boots as a Plugin."""
    path = tmp_path / "kit"
    path.mkdir()
    (path / "plugin.toml").write_text(
        '[plugin]\nid = "kit"\nname = "Kit"\nversion = "1.0.0"\ntype = "thinktool"\ndescription = "d"\n'
        'author = "A <a@example.org>"\nlicense = "MIT"\n[plugin.reasonkit]\nmin_version = "1.0.0"\n'
        '[plugin.python]\nentry_point = "kit.py"\nclass_name = "Kit"\n'
    )
    (path / "kit.py").write_text("from hotswap_ports import Plugin\nclass Kit(Plugin):\n    started = False\n")
    async with kernel(tmp_path, "kit") as running:
        assert running.plugins()["kit"].state is State.ACTIVE, running.plugins()["kit"].reason


async def test_an_adapter_that_is_entered_as_something_else(tmp_path: Path) -> None:
    """What __aenter__ returns serves, if it is the port; None stands for the adapter itself; else it is an error."""
    code = """
        from tests.plugin_folder import Greeter

        class Inner(Greeter):
            async def greet(self, name, *, loud=False):
                return "inner " + name
            def __len__(self):
                return 0

        class Hello(Inner):
            entered = Inner
            async def __aenter__(self):
                return type(self).entered()
            async def __aexit__(self, *exc):
                pass
    """
    write_plugin(tmp_path, "own", code, provides={"greeter": "Hello"})
    write_plugin(tmp_path, "odd", code.replace("entered = Inner", "entered = int"), provides={"greeter": "Hello"})
    async with kernel(tmp_path, "own") as running:
        assert await running.get(Greeter).greet("x") == "inner x"
        assert type(running._wiring.providers("greeter")["own"].target).__name__ == "Inner"
        with pytest.raises(PluginInitFailed, match="__aenter__ returned int, which is no Greeter"):
            await running.enable("odd")
