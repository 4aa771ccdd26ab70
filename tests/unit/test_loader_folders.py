"""Plugins in plain folders: what works in a package works in them, each load is a world of its own, and it ends."""

from __future__ import annotations

import gc
import importlib
import importlib.util
import inspect
import linecache
import logging
import os
import pickle
import py_compile
import sys
import threading
import time
import traceback
import typing
import weakref
from collections.abc import Iterator, Mapping
from pathlib import Path
from textwrap import dedent
from types import ModuleType
from typing import Any

import pytest

from hotswap import PluginLoadFailed, PortUnknown
from hotswap.found import Found
from hotswap.loader import Loaded, drop, load, load_beside, load_many, undo
from hotswap.loader.finder import FINDER
from hotswap.loader.folder import NAMESPACE
from hotswap.manifest.reader import read_manifest
from hotswap.port_directory import PortDirectory
from tests.plugin_folder import GREETER, Clock, Greeter, greeter, kernel, write_plugin

PORTS = PortDirectory([Greeter, Clock])


def found(folder: Path) -> Found:
    """Return what discovery would, of a folder."""
    return Found(read_manifest(folder / "plugin.toml"), "path", folder)


def loaded_names() -> list[str]:
    """Return the modules of plugin folders that are imported."""
    return [each for each in sys.modules if each.startswith(f"{NAMESPACE}.")]


@pytest.fixture(autouse=True)
def nothing_stays() -> Iterator[None]:
    """Drop what a test has loaded."""
    before = set(loaded_names())
    yield
    for name in loaded_names():
        if name not in before and name.count(".") == 1:
            drop(name)
    assert set(loaded_names()) == before


def code_of(root: Path, files: dict[str, str], *, entry_point: str = "code") -> Any:
    """Write files into a plugin's folder, load it, and return its module."""
    path = write_plugin(root, "own", python={"entry_point": entry_point})
    for name, text in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(dedent(text))
    return load(found(path), PORTS).module


@pytest.mark.parametrize(
    ("entry_point", "file"),
    [
        ("own", "__init__.py"),
        ("own.part", "part.py"),
        ("around.own.part", "part.py"),
        ("own", "own.py"),
        ("own", "own/__init__.py"),
        ("own.part", "own/part.py"),
    ],
)
def test_the_entry_point_of_a_distribution(tmp_path: Path, entry_point: str, file: str) -> None:
    """The folder's own name, as its distribution imports it, leads to the folder, unless that name lies inside."""
    (tmp_path / "around").mkdir()
    module = code_of(tmp_path / "around", {file: "WORD = 'here'"}, entry_point=entry_point)
    assert module.WORD == "here"
    assert module.__file__ == str(tmp_path / "around" / "own" / file)


def test_packages_in_the_folder(tmp_path: Path) -> None:
    """Relative imports of any kind reach up, down and across; the folder's own ``__init__`` is the package's."""
    files = {
        "__init__.py": "WORD = 'root'\nfrom .inner import deep",
        "code.py": """
            from importlib import import_module
            from . import WORD, inner, deep, plain
            from .inner import *
            from .inner.deep.leaf import UP
            import_module(".plain.thing", __package__)
        """,
        "inner/__init__.py": "from . import deep\nfrom .. import WORD as ABOVE\n__all__ = ['ABOVE', 'deep', 'star']",
        "inner/star.py": "",
        "inner/deep/__init__.py": "",
        "inner/deep/leaf.py": "from ... import WORD as UP\nfrom ..star import __name__ as star",
        "plain/thing.py": "from ..inner.deep.leaf import star",
    }
    module = code_of(tmp_path, files)
    root = module.__package__
    assert (module.WORD, module.ABOVE, module.UP) == ("root", "root", "root")
    assert module.deep is module.inner.deep is sys.modules[f"{root}.inner.deep"]
    assert module.star is sys.modules[f"{root}.inner.star"]
    assert module.plain.thing.star == f"{root}.inner.star"
    assert module.__name__ == f"{root}.code"
    assert sys.modules[root].code is module
    assert vars(sys.modules[NAMESPACE])[root.rpartition(".")[2]] is sys.modules[root]


@pytest.mark.parametrize("entry_point", ["code", "__init__", "inner", "inner.code", "code.py", "code/__init__.py"])
def test_modules_know_who_and_where_they_are(tmp_path: Path, entry_point: str) -> None:
    """A module's name, file, package and spec are those that Python gives to a module of a package."""
    file = {"__init__": "__init__.py", "inner": "inner/__init__.py", "inner.code": "inner/code.py"}
    place = file.get(entry_point, entry_point if entry_point.endswith(".py") else f"{entry_point}.py")
    if place == "code/__init__.py":
        write_plugin(tmp_path, "own")
        (tmp_path / "own" / "code.py").unlink()
        module = code_of_init(tmp_path, place, entry_point)
    else:
        module = code_of(tmp_path, {place: ""}, entry_point=entry_point)
    spec = module.__spec__
    assert module.__file__ == spec.origin == str(tmp_path / "own" / place)
    assert module.__name__ == spec.name
    assert module.__package__ == spec.parent
    assert module.__loader__ is spec.loader
    assert spec.cached == importlib.util.cache_from_source(module.__file__)
    assert hasattr(module, "__path__") == place.endswith("__init__.py")
    assert inspect.getmodule(module) is module
    assert importlib.util.find_spec(module.__name__) is spec


def code_of_init(root: Path, place: str, entry_point: str) -> Any:
    """Load a plugin whose entry point is a package, with no module of that name beside it."""
    path = write_plugin(root, "own", python={"entry_point": entry_point})
    (path / "code.py").unlink()
    (path / place).parent.mkdir(parents=True, exist_ok=True)
    (path / place).write_text("")
    return load(found(path), PORTS).module


@pytest.mark.parametrize("init", [True, False])
def test_files_beside_the_code(tmp_path: Path, init: bool) -> None:
    """``importlib.resources`` and ``pkgutil`` find what lies in the folder and in packages below it."""
    files = {
        "code.py": """
            import importlib.resources, pkgutil
            def read(package, name):
                return importlib.resources.files(package).joinpath(name).read_text()
            TEXTS = [read(__package__, "word.txt"), read(__package__ + ".inner", "word.txt")]
            DATA = pkgutil.get_data(__package__, "word.txt")
            from . import inner
            NAMES = sorted(each.name for each in pkgutil.iter_modules(__import__("sys").modules[__package__].__path__))
        """,
        "word.txt": "outer",
        "inner/word.txt": "inner",
        "inner/part.py": "",
    }
    if init:
        files |= {"__init__.py": "", "inner/__init__.py": ""}
    module = code_of(tmp_path, files)
    found_texts, data, names = module.TEXTS, module.DATA, module.NAMES
    assert found_texts == ["outer", "inner"]
    assert data == (b"outer" if init else None)
    assert names == (["code", "inner"] if init else ["code"])
    assert hasattr(sys.modules[module.__package__], "__file__") == init


def test_classes_that_look_up_their_module(tmp_path: Path) -> None:
    """Pickling, and annotations that are evaluated late, find a class's module while it is loaded."""
    code = """
        from __future__ import annotations
        import dataclasses, enum, typing, attrs

        @attrs.frozen
        class Leaf:
            word: str
            other: Leaf | None = None

        @dataclasses.dataclass
        class Branch:
            count: typing.ClassVar[int] = 3
            leaf: Leaf = Leaf("x")

        class Colour(enum.Enum):
            RED = 1

        class Pair(typing.NamedTuple):
            leaf: Leaf
            colour: Colour

        class Tree(typing.TypedDict):
            branch: Branch
    """
    module = code_of(tmp_path, {"code.py": code})
    leaf, branch = module.Leaf("x", module.Leaf("y")), module.Branch()
    for value in (leaf, branch, module.Colour.RED, module.Pair(leaf, module.Colour.RED), module.Leaf):
        assert pickle.loads(pickle.dumps(value)) == value
    assert typing.get_type_hints(module.Leaf)["other"] == module.Leaf | None
    assert typing.get_type_hints(module.Branch)["leaf"] is module.Leaf
    assert typing.get_type_hints(module.Pair) == {"leaf": module.Leaf, "colour": module.Colour}
    assert typing.get_type_hints(module.Tree) == {"branch": module.Branch}
    assert [each.name for each in __import__("dataclasses").fields(module.Branch)] == ["leaf"]


def test_code_without_source(tmp_path: Path) -> None:
    """A folder with bytecode alone, or with an extension module, loads as a package of that kind does."""
    path = write_plugin(tmp_path, "own", "WORD = 'compiled'\nfrom . import part")
    (path / "part.py").write_text("WORD = 'part'")
    for name in ("code", "part"):
        py_compile.compile(str(path / f"{name}.py"), cfile=str(path / f"{name}.pyc"), doraise=True)
        (path / f"{name}.py").unlink()
    module: Any = load(found(path), PORTS).module
    assert (module.WORD, module.part.WORD) == ("compiled", "part")
    assert load(found(path), PORTS, fresh=True).module is not module


def test_an_extension_module_goes_before_a_source_of_that_name(tmp_path: Path) -> None:
    """Where both lie side by side, Python takes the compiled one, and so does a load."""
    import _bisect

    file = getattr(_bisect, "__file__", None)
    if file is None:
        pytest.skip("this Python has no extension module to copy")
    path = write_plugin(tmp_path, "own", python={"entry_point": "_bisect"})
    (path / "_bisect.py").write_text("1 / 0")
    (path / Path(file).name).write_bytes(Path(file).read_bytes())
    module: Any = load(found(path), PORTS).module
    assert module.bisect_right([1, 2], 2) == 2


@pytest.mark.parametrize("entry_point", ["code", "__init__.py"])
def test_a_package_goes_before_a_source_of_that_name(tmp_path: Path, entry_point: str) -> None:
    """Where both lie side by side, Python takes the package, and so does a load; a folder without code is none."""
    files = {
        "__init__.py": "from . import part, other",
        "code.py": "from . import part, other",
        "part.py": "WORD = 'source'",
        "part/__init__.py": "WORD = 'package'",
        "other.py": "WORD = 'source'",
        "other/data.txt": "",
    }
    module = code_of(tmp_path, files, entry_point=entry_point)
    assert (module.part.WORD, module.other.WORD) == ("package", "source")


def test_a_load_that_writes_a_module_or_looks_elsewhere(tmp_path: Path) -> None:
    """What an import itself brings about is seen by its next import statement."""
    text = """
        import pathlib
        pathlib.Path(__file__).with_name("made.py").write_text("WORD = 'made'")
        import importlib
        importlib.invalidate_caches()
        from . import made
        __path__.insert(0, str(pathlib.Path(__file__).with_name("elsewhere")))
        from . import part
    """
    files = {"__init__.py": text, "part.py": "WORD = 'here'", "elsewhere/part.py": "WORD = 'there'"}
    module = code_of(tmp_path, files, entry_point="__init__.py")
    assert (module.made.WORD, module.part.WORD) == ("made", "there")


def test_a_module_that_was_written_after_the_load(tmp_path: Path) -> None:
    """A module that appears later is imported when it is first asked for, by Python's rules."""
    module = code_of(tmp_path, {"code.py": "def late():\n    from . import made\n    return made.WORD"})
    with pytest.raises(ImportError):
        module.late()
    (tmp_path / "own" / "made.py").write_text("WORD = 'late'")
    importlib.invalidate_caches()
    assert module.late() == "late"


LAZY = """
    class Kind: pass
    def relative():
        from .code import Kind
        return Kind
    def late():
        from .late import Kind
        return Kind
    def by_name():
        import importlib
        return importlib.import_module(".code", __package__).Kind
"""


def test_two_loads_do_not_mix(tmp_path: Path) -> None:
    """Import statements in functions of either load, also of modules not imported yet, lead into that load."""
    two: Any
    one = code_of(tmp_path, {"code.py": LAZY, "late.py": "from .code import Kind"})
    two = load(found(tmp_path / "own"), PORTS, fresh=True).module
    for module in (one, two):
        assert module.relative() is module.late() is module.by_name() is module.Kind
    assert one.Kind is not two.Kind
    drop(one.__package__)
    with pytest.raises(ImportError):
        one.relative()
    assert two.relative() is two.Kind


def test_an_edit_of_the_same_length_is_loaded_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever bytecode a load or CPython left, the next load has the code that stands in the files."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    path = write_plugin(tmp_path, "own", "from .part import WORD")
    soon = time.time() + 1000  # however long this test takes, no bytecode is written safely after its source
    for number in range(5):
        for file in (path / "part.py", path / "__init__.py"):
            file.write_text(f"WORD = {number}")
            os.utime(file, (soon, soon))
        if number == 0:
            py_compile.compile(str(path / "part.py"), doraise=True)
        module: Any = load(found(path), PORTS, fresh=number > 2).module
        assert (number, number) == (module.WORD, sys.modules[module.__package__].WORD)


def test_tracebacks_and_sources_are_those_of_the_new_code(tmp_path: Path) -> None:
    """After a reload the lines shown are those of the file as it is now."""
    path = write_plugin(tmp_path, "own")
    for word in ("one", "two"):
        (path / "code.py").write_text(f"def fail():\n    raise ValueError('{word}')\n")
        os.utime(path / "code.py", (1_700_000_000, 1_700_000_000))
        module: Any = load(found(path), PORTS, fresh=True).module
        with pytest.raises(ValueError) as raised:
            module.fail()
        assert f"raise ValueError('{word}')" in "".join(traceback.format_exception(raised.value))
        assert f"'{word}'" in inspect.getsource(module.fail)


FULL = """
    from __future__ import annotations
    import abc, dataclasses, enum, functools, logging, os, pkgutil, typing, attrs
    from tests.plugin_folder import Greeter
    from .inner import deep

    log = logging.getLogger(__name__)

    @attrs.define
    class Record:
        word: str
        kinds: typing.Optional[list[Colour]] = None

    @dataclasses.dataclass(order=True)
    class Point:
        x: int

    class Colour(enum.Enum):
        RED = 1

    class Base(abc.ABC):
        @abc.abstractmethod
        def act(self): ...

    @functools.lru_cache
    def cached(kind):
        return kind

    @functools.singledispatch
    def dispatched(value):
        return value

    class Hello(Greeter, Base):
        kind: typing.Union[Record, None] = None
        def act(self): ...
        async def greet(self, name, *, loud=False):
            return "hello " + name

    dispatched.register(Hello, lambda value: 3)
    KEPT = [typing.Optional[Hello], typing.Union[Record, Hello], typing.Annotated[Hello, 1], typing.List[Point]]
    HINTS = typing.get_type_hints(Hello), cached(Hello), isinstance(Point(1), Base), dispatched(3)
    log.info("loaded")
    BESIDE = list(pkgutil.iter_modules([os.path.dirname(__file__)]))
"""


def full(root: Path) -> Path:
    """Write a plugin that leaves its classes wherever the interpreter remembers classes."""
    path = greeter(root, "full")
    (path / "code.py").write_text(dedent(FULL))
    (path / "inner").mkdir(exist_ok=True)
    (path / "inner" / "__init__.py").write_text("")
    (path / "inner" / "deep.py").write_text("import logging\nlog = logging.getLogger(__name__)\nclass Deep: pass\n")
    return path


def watched(loaded: Loaded) -> list[weakref.ref[Any]]:
    """Watch all modules and classes of a load."""
    modules = [sys.modules[each] for each in loaded_names() if f"{each}.".startswith(f"{loaded.root}.")]
    classes = [each for module in modules for each in vars(module).values() if isinstance(each, type)]
    own = [each for each in classes if each.__module__.startswith(loaded.root)]
    assert len(modules) == 4
    assert {each.__name__ for each in own} == {"Record", "Point", "Colour", "Base", "Hello", "Deep"}
    return [weakref.ref(each) for each in (*modules, *own)]


@pytest.mark.parametrize("way", ["drop", "undo"])
def test_dropped_code_is_gone(tmp_path: Path, way: str) -> None:
    """No cache of the interpreter keeps a module or a class, or remembers its name."""
    path = full(tmp_path)
    loaded = load(found(path), PORTS)
    root, refs = loaded.root, watched(loaded)
    linecache.getlines(str(path / "code.py"))
    importlib.util.find_spec(f"{root}.inner.deep")
    if way == "drop":
        drop(root)
    else:
        undo(loaded)
    del loaded
    gc.collect()
    assert [each() for each in refs if each() is not None] == []
    assert not [each for each in Greeter.__subclasses__() if each.__module__ == f"{root}.code"]
    space, loggers = vars(sys.modules[NAMESPACE]), logging.Logger.manager.loggerDict
    places: list[Mapping[Any, Any]] = [sys.modules, linecache.cache, loggers, space]
    assert [name for place in places for name in place if root in name or root.rpartition(".")[2] == name] == []
    assert [name for name in (*linecache.cache, *sys.path_importer_cache) if name.startswith(str(path))] == []
    assert not [each for each in getattr(loggers.get(NAMESPACE), "loggerMap", ()) if root in each.name]
    assert FINDER.in_force(root) is None


def test_importers_go_before_what_they_import(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While modules leave, none is there that has lost what it was imported from."""
    files = {
        "__init__.py": "from . import base",
        "base.py": "",
        "middle.py": "from . import base",
        "code.py": "from . import middle, alone",
        "alone.py": "",
    }
    module = code_of(tmp_path, files)
    root, gone = module.__package__, []

    class Watched(dict[str, ModuleType]):
        def pop(self, name: str, *default: Any) -> Any:
            gone.append(name)
            return super().pop(name, *default)

    monkeypatch.setattr(sys, "modules", Watched(sys.modules))
    drop(root)
    monkeypatch.undo()
    for name in [name for name in sys.modules if name.startswith(root)]:
        del sys.modules[name]
    order = [each.removeprefix(root).lstrip(".") for each in gone if each.startswith(root)]
    assert order == ["code", "alone", "middle", "", "base"]


async def test_many_loads_in_one_thread(tmp_path: Path) -> None:
    """Each plugin has its own outcome; one that hangs or fails holds up nobody for longer than it may take."""
    gate: Any = ModuleType("tests.unit.gate_of_folders")
    gate.GATE = threading.Event()
    sys.modules[gate.__name__] = gate
    greeter(tmp_path, "first")
    greeter(tmp_path, "last")
    write_plugin(tmp_path, "broken", "1 / 0")
    write_plugin(tmp_path, "unknown", provides={"grocer": "Hello"})
    write_plugin(tmp_path, "hangs", "from tests.unit.gate_of_folders import GATE\nGATE.wait(10)\nfrom . import more")
    (tmp_path / "hangs" / "more.py").write_text("")
    names = ["first", "broken", "hangs", "unknown", "last"]
    before = loaded_names()
    outcomes = await load_many([found(tmp_path / each) for each in names], PORTS, 0.3)
    assert list(outcomes) == names
    first, broken, hangs, unknown, last = outcomes.values()
    assert isinstance(broken, PluginLoadFailed)
    assert "ZeroDivisionError" in str(broken)
    assert isinstance(hangs, PluginLoadFailed)
    assert "importing it took longer than 0.3 s" in str(hangs)
    assert isinstance(unknown, PortUnknown)
    assert isinstance(first, Loaded)
    assert isinstance(last, Loaded)
    assert len({each.root for each in (first, last)}) == 2
    undo(first)
    drop(last.root)
    assert loaded_names() == before
    (thread,) = [each for each in threading.enumerate() if each.name == "hotswap: import hangs"]
    gate.GATE.set()
    thread.join(10)
    assert loaded_names() == before
    del sys.modules[gate.__name__]


async def test_a_failure_that_is_no_plugins_is_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistake of the kernel's own does not pass for a plugin's failure, and what was loaded is taken back."""
    greeter(tmp_path, "one")
    greeter(tmp_path, "two")
    real, before = PORTS.get, loaded_names()
    asked: list[str] = []

    def get(name: str, *, where: str = "") -> Any:
        asked.append(name)
        if len(asked) > 1:
            raise RuntimeError("a mistake")
        return real(name, where=where)

    monkeypatch.setattr(PORTS, "get", get)
    with pytest.raises(RuntimeError, match="a mistake"):
        await load_many([found(tmp_path / "one"), found(tmp_path / "two")], PORTS, 10)
    assert loaded_names() == before


@pytest.mark.parametrize(
    "broken", ["def (", "1 / 0", "import nothing_like_it", "raise SystemExit", "class Other: pass"]
)
async def test_a_kernel_whose_reload_fails_goes_on_as_before(tmp_path: Path, broken: str) -> None:
    """The old code serves, out of the very modules that it had; mended, the new code does."""
    path = greeter(tmp_path, "english")
    async with kernel(tmp_path, "english") as running:
        handle = running.get(Greeter)
        names = [each for each in loaded_names() if each.startswith(f"{NAMESPACE}.english_")]
        modules = [sys.modules[each] for each in names]
        (path / "code.py").write_text(broken)
        with pytest.raises(PluginLoadFailed):
            await running.reload("english")
        assert await handle.greet("x") == "hello x"
        assert [each for each in loaded_names() if each.startswith(f"{NAMESPACE}.english_")] == names
        assert [sys.modules[each] for each in names] == modules
        (path / "code.py").write_text(dedent(GREETER.replace("{word}", "howdy")))
        await running.reload("english")
        assert await handle.greet("x") == "howdy x"
        assert set(names).isdisjoint(loaded_names())


async def test_beside_a_load_others_go_on(tmp_path: Path) -> None:
    """A load beside runs in a thread of its own name."""
    path = write_plugin(tmp_path, "own", "import threading\nNAME = threading.current_thread().name")
    module: Any = (await load_beside(found(path), PORTS, 10)).module
    assert module.NAME == "hotswap: import own"


def test_what_code_puts_into_sys_modules_goes_with_it(tmp_path: Path) -> None:
    """Modules that are made by hand, and those that are imported when the load is long done, are dropped with it."""
    code = """
        import sys, types
        from tests.plugin_folder import Greeter
        sys.modules[__name__ + "_made"] = sys.modules[__package__ + ".made"] = types.ModuleType("made")
        class Hello(Greeter):
            async def greet(self, name, *, loud=False): ...
        def late():
            from . import beside
    """
    path = write_plugin(tmp_path, "own", code, provides={"greeter": "Hello"})
    (path / "__init__.py").write_text("import sys, types\nsys.modules[__name__ + '.first'] = types.ModuleType('first')")
    (path / "beside.py").write_text("")
    before = loaded_names()
    loaded = load(found(path), PORTS)
    module: Any = loaded.module
    module.late()
    assert len(loaded_names()) == len(before) + 6
    drop(loaded.root)
    assert loaded_names() == before
