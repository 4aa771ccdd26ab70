"""What a plugin leaves is found and named, with the line of its code that made it; what is not its own is not."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from textwrap import dedent

import pytest

from hotswap import PluginInitFailed, PluginLoadFailed
from hotswap.residue import Kind, watching
from tests.leaky_plugin import LEFT, imported, kinds, leaky, left_by, marked, only, put_away, spot
from tests.plugin_folder import greeter, kernel, write_plugin


@pytest.fixture(autouse=True)
async def _put_away() -> AsyncIterator[None]:
    async with put_away():
        yield


KINDS: dict[str, tuple[Kind, str, str]] = {
    "task": (Kind.TASK, "(wait)", "LEFT.append(asyncio.create_task(wait()))  # here"),
    "named task": (Kind.TASK, "poller", "LEFT.append(asyncio.create_task(wait(), name='poller'))  # here"),
    "library's task": (Kind.TASK, "Event.wait", "LEFT.append(asyncio.ensure_future(asyncio.Event().wait()))  # here"),
    "timer": (Kind.TIMER, "print", "LEFT.append(asyncio.get_running_loop().call_later(60, print))  # here"),
    "own timer": (Kind.TIMER, "wait", "LEFT.append(asyncio.get_running_loop().call_at(1e9, wait))  # here"),
    "thread": (
        Kind.THREAD,
        "worker",
        """
        done = threading.Event()
        thread = threading.Thread(target=done.wait, name="worker", daemon=True)
        thread.start()  # here
        LEFT += [thread, done]
        """,
    ),
    "executor": (
        Kind.THREAD,
        "pool_0",
        """
        from concurrent.futures import ThreadPoolExecutor
        LEFT.append(ThreadPoolExecutor(1, "pool"))
        LEFT[-1].submit(print)  # here
        """,
    ),
    "file": (Kind.FILE, "own.log", "LEFT.append(open(BESIDE / 'own.log', 'w'))  # here"),
    "file by number": (Kind.FILE, "own.log", "LEFT.append(os.open(BESIDE / 'own.log', os.O_CREAT))  # here"),
    "temporary file": (Kind.FILE, "(deleted)", "LEFT.append(tempfile.TemporaryFile(dir=BESIDE))  # here"),
    "database": (
        Kind.FILE,
        "own.db",
        """
        import sqlite3
        LEFT.append(sqlite3.connect(BESIDE / "own.db"))  # here
        LEFT[-1].execute("pragma journal_mode=wal")
        LEFT[-1].execute("create table x (y)")
        """,
    ),
    "socket": (Kind.SOCKET, "127.0.0.1:", "LEFT.append(socket.create_server(('127.0.0.1', 0)))  # here"),
    "server": (Kind.SOCKET, "127.0.0.1:", "LEFT.append(await asyncio.start_server(print, '127.0.0.1', 0))  # here"),
    "process": (
        Kind.PROCESS,
        "python",
        """
        code = "import time; time.sleep(600)"
        LEFT.append(subprocess.Popen([sys.executable, "-c", code, "s3cret"]))  # here
        """,
    ),
    "fork": (
        Kind.PROCESS,
        "a fork (",
        """
        code = "import time; time.sleep(600)"
        number = os.posix_spawn(sys.executable, [sys.executable, "-c", code], os.environ)  # here
        LEFT.append(leaky_plugin.Child(number))
        """,
    ),
    "asyncio's process": (
        Kind.PROCESS,
        "python",
        """
        code = "import time; time.sleep(600)"
        LEFT.append(await asyncio.create_subprocess_exec(sys.executable, "-c", code))  # here
        """,
    ),
    "variable": (Kind.ENVIRONMENT, "the variable HOTSWAP_TEST", "os.environ['HOTSWAP_TEST'] = 's3cret'  # here"),
    "unset variable": (Kind.ENVIRONMENT, "the variable HOTSWAP_TEST", "del os.environ['HOTSWAP_TEST']  # here"),
    "working folder": (Kind.ENVIRONMENT, "the working folder", "os.chdir(BESIDE)  # here"),
    "exception handler": (
        Kind.LOOP_SETTING,
        "its exception handler",
        "asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)  # here",
    ),
    "signal handler": (Kind.SIGNAL_HANDLER, "SIGUSR1", "signal.signal(signal.SIGUSR1, lambda *of: None)  # here"),
    "loop's signal handler": (
        Kind.SIGNAL_HANDLER,
        "SIGUSR1 of the event loop",
        "asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, Hello)  # here",
    ),
    "log handler": (
        Kind.LOG_HANDLER,
        "Mine of the logger own",
        """
        class Mine(logging.Handler): pass
        logging.getLogger("own").addHandler(Mine())  # here
        """,
    ),
    "import path": (Kind.IMPORT_PATH, "sys.path '/", "sys.path.append(str(BESIDE))  # here"),
    "import hook": (Kind.IMPORT_PATH, "sys.meta_path", "sys.meta_path.append(Hello())  # here"),
    "module": (
        Kind.MODULE,
        "own_shim",
        """
        (BESIDE / "own_shim.py").write_text("from pathlib import Path  # here")
        sys.path.append(str(BESIDE))
        import own_shim
        sys.path.pop()
        """,
    ),
    "function": (Kind.ATTRIBUTE, "json.dumps", "json.dumps = wait  # here"),
    "function set by name": (Kind.ATTRIBUTE, "json.dumps", "setattr(json, 'dumps', json.dump)  # here"),
    "function set unseen": (Kind.ATTRIBUTE, "json.dumps", "vars(json)['dumps'] = lambda value: ''  # here"),
    "function of Python's own": (Kind.ATTRIBUTE, "json.dumps", "json.dumps = os.getcwd  # here"),
    "function of C": (Kind.ATTRIBUTE, "os.getloadavg", "os.getloadavg = json.dump  # here"),
    "function taken away": (Kind.ATTRIBUTE, "json.dumps (removed)", "del json.dumps  # here"),
    "method": (
        Kind.ATTRIBUTE,
        "json.encoder.JSONEncoder.encode",
        """
        from json import JSONEncoder as It
        It.encode = lambda self, value: ""  # here
        """,
    ),
    "class": (
        Kind.ATTRIBUTE,
        "json.JSONDecoder",
        """
        class Mine(json.JSONDecoder): pass
        json.JSONDecoder = Mine  # here
        """,
    ),
    "data": (Kind.ATTRIBUTE, "json.decoder.NaN", "json.decoder.NaN = 0.0  # here"),
    "addition": (Kind.ATTRIBUTE, "json.dump_all (added)", "json.dump_all = wait  # here"),
    "plain addition": (Kind.ATTRIBUTE, "json.zork (added)", "json.zork = 1  # here"),
    "plain addition to a class": (
        Kind.ATTRIBUTE,
        "json.decoder.JSONDecoder.zork (added)",
        "json.decoder.JSONDecoder.zork = 'x'  # here",
    ),
}


@pytest.mark.parametrize("what", KINDS)
async def test_each_kind_is_named_with_its_line(tmp_path: Path, what: str) -> None:
    """Whatever a plugin leaves, that alone is found, with its name and the line of the plugin that made it."""
    kind, name, start = KINDS[what]
    path = leaky(tmp_path, start=dedent(start))
    async with kernel(tmp_path) as running:
        found = only(await left_by(running, "leaky"))
    assert found.kind is kind
    assert name in found.name
    assert found.plugin == "leaky"
    assert spot(found.made) == marked(path)
    assert str(found.made) in str(found)
    assert "s3cret" not in str(found)


CLEAN = {
    "nothing": "",
    "patched and put back": """
        before = json.dumps
        json.dumps = wait
        self.context.exit_stack.callback(setattr, json, "dumps", before)
    """,
    "opened and closed": """
        stack = self.context.exit_stack
        stack.enter_context(open(BESIDE / "own.log", "w"))
        stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        server = await stack.enter_async_context(await asyncio.start_server(print, "127.0.0.1", 0))
        pool = stack.enter_context(__import__("concurrent.futures").futures.ThreadPoolExecutor(1))
        await asyncio.get_running_loop().run_in_executor(pool, print)
    """,
    "task group": """
        tasks = await self.context.exit_stack.enter_async_context(asyncio.TaskGroup())
        self.context.exit_stack.callback(tasks.create_task(wait()).cancel)
    """,
    "everybody's threads": """
        import anyio.to_thread
        await asyncio.to_thread(os.getcwd)
        await asyncio.get_running_loop().run_in_executor(None, os.getcwd)
        await anyio.to_thread.run_sync(os.getcwd)
    """,
    "child that has ended": """
        child = await asyncio.create_subprocess_exec(sys.executable, "-c", "", stdout=subprocess.PIPE)
        await child.communicate()
    """,
    "imports of the library": """
        import colorsys, mimetypes, wave, xml.dom.minidom, unittest.mock, multiprocessing.pool, uuid, sqlite3
        mimetypes.guess_type("x.html")
        uuid.uuid1()
    """,
    "caches": """
        import functools, re, typing, warnings
        typing.Optional[Hello], re.compile("hotswap residue")
        warnings.warn_explicit("x", DeprecationWarning, __file__, 1, registry={}) if False else None
        functools.singledispatch(print).register(Hello, print)
    """,
    "what others are told": """
        async def tell(event): pass
        self.context.events.on("pre_greeter_greet" if False else "on_shutdown", tell)
        self.context.config.watch(print) if self.context.allows("config_access") else None
        logging.getLogger("own").info("hello")
        self.context.tracer.log.info("hello")
    """,
}


@pytest.mark.parametrize("what", CLEAN)
@pytest.mark.parametrize("alone", [False, True], ids=["beside others", "alone"])
async def test_what_is_cleaned_up_is_no_finding(tmp_path: Path, what: str, alone: bool) -> None:
    """What a plugin undoes, what it has in common with everybody, and what Python fills in lazily is no finding."""
    leaky(tmp_path, start=dedent(CLEAN[what]))
    async with kernel(tmp_path) as running:
        residue = await left_by(running, "leaky", alone=alone, patience=1)
    assert str(residue) == ""
    assert not residue


ALONE: dict[str, tuple[Kind, str, str, bool]] = {
    "pipe": (Kind.FILE, "pipe:[", "LEFT.extend(os.pipe())", False),
    "Python's own log handler": (
        Kind.LOG_HANDLER,
        "StreamHandler of the logger own",
        "logging.getLogger('own').addHandler(logging.StreamHandler())  # here",
        True,
    ),
    "callback at exit": (Kind.EXIT_CALLBACK, "called when", "import atexit\natexit.register(len, ())  # here", True),
    "patch by a library": (Kind.ATTRIBUTE, "json.load", "import own_shim\nown_shim.patch()", False),
}


@pytest.mark.parametrize("what", ALONE)
async def test_what_nothing_ties_to_a_plugin_counts_when_it_is_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """Where nothing but the plugin is at work, what cannot be traced is its doing; beside others it may be theirs."""
    kind, name, start, has_place = ALONE[what]
    path = leaky(tmp_path / "plugins", start=start)
    (tmp_path / "own_shim.py").write_text("import json, os\ndef patch():\n    vars(json)['load'] = os.getcwd\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    async with put_away(), kernel(tmp_path / "plugins") as running:
        assert not await left_by(running, "leaky")
    async with put_away(), kernel(tmp_path / "plugins") as running:
        found = (await left_by(running, "leaky", alone=True)).findings[0]
    assert (found.kind, found.plugin) == (kind, "leaky")
    assert name in found.name
    assert not has_place or spot(found.made) == marked(path)


async def test_several_things_are_all_named(tmp_path: Path) -> None:
    """All that a plugin leaves is named, by kind; as text it is a sentence a line, and what is the same is counted."""
    start = """
        LEFT.append(open(BESIDE / "own.log", "w"))
        LEFT.append(open(BESIDE / "own.log", "r"))
        json.dumps = wait
        LEFT.append(asyncio.create_task(wait(), name="a"))
        for _ in range(3):
            LEFT.append(asyncio.get_running_loop().call_later(60, print))  # timer
        leaky_plugin.LEFT.append(self)
    """
    path = leaky(tmp_path, start=dedent(start))
    greeter(tmp_path, "clean")
    async with kernel(tmp_path) as running:
        residue = await left_by(running, "leaky", "clean")
    assert kinds(residue) == [
        Kind.TASK,
        *[Kind.TIMER] * 3,
        *[Kind.FILE] * 2,
        Kind.ATTRIBUTE,
        Kind.OBJECT,
    ]
    assert residue.of("leaky") == residue
    assert not residue.of("clean")
    lines = str(residue).splitlines()
    assert len(lines) == 6
    file, line = marked(path, "# timer")
    assert lines[1] == f"leaky left a timer: print, made at {file}:{line} in Own.start. (3 times)"
    assert lines[5].endswith(".LEFT (list).")


async def test_a_task_that_is_still_ending_is_no_finding(tmp_path: Path) -> None:
    """A task that its plugin cancelled and that cleans up is waited for, and then it is gone."""
    top = """
        class Slow:
            begun, end = asyncio.Event(), asyncio.Event()

        async def slow():
            try:
                await wait()
            finally:
                Slow.begun.set()
                await Slow.end.wait()
    """
    stop = "leaky_plugin.LEFT.append(Slow)\nself.task.cancel()"
    leaky(tmp_path, top=dedent(top), start="self.task = asyncio.create_task(slow())", stop=stop)
    async with kernel(tmp_path) as running, watching(running, "leaky", patience=30) as watch:
        await running.enable("leaky")
        await asyncio.sleep(0)
        await running.disable("leaky")
        slow = LEFT.pop()
        assert not slow.end.is_set()
        asked = asyncio.create_task(watch.residue())
        await slow.begun.wait()
        slow.end.set()
        del slow
        assert not await asked


async def test_what_is_still_open_is_no_finding(tmp_path: Path) -> None:
    """What belongs to an open plugin, to the application, or to a plugin that is not looked at is none of it."""
    start = "LEFT.append(asyncio.create_task(wait()))\nLEFT.append(open(BESIDE / 'own.log', 'w'))\njson.dumps = wait"
    leaky(tmp_path, "open", start=start)
    leaky(tmp_path, "other", start="LEFT.append(asyncio.create_task(wait()))")
    greeter(tmp_path, "clean")
    async with kernel(tmp_path) as running, watching(running, "open", "clean", patience=10) as watch:
        await running.enable("open")
        await running.enable("other")
        await running.enable("clean")
        LEFT.append(asyncio.create_task(asyncio.Event().wait()))
        LEFT.append((tmp_path / "application").open("w"))
        await running.disable("clean")
        await running.disable("other")
        assert not await watch.residue()
        assert watch.closed == ("clean",)


async def test_a_plugin_that_was_open_before_the_watch(tmp_path: Path) -> None:
    """Of a plugin that was open already, what its code shows is found: tasks, threads, patches, hooks, objects."""
    start = """
        done = threading.Event()
        LEFT.append(done)
        def work():
            done.wait()  # thread
        LEFT.append(threading.Thread(target=work, daemon=True))
        LEFT[-1].start()
        LEFT.append(asyncio.create_task(wait()))
        json.dumps = wait  # patch
        self.context.exit_stack.callback(LEFT.append, self)
    """
    path = leaky(tmp_path, start=dedent(start))
    async with kernel(tmp_path, "leaky") as running, watching(running, patience=0) as watch:
        await running.disable("leaky")
        await imported()
        residue = await watch.residue()
    places = {each.kind: spot(each.made) for each in residue}
    assert places[Kind.THREAD] == marked(path, "# thread")
    assert places[Kind.ATTRIBUTE] == marked(path, "# patch")
    assert Kind.TASK in places
    assert Kind.OBJECT in places


async def test_a_thread_of_everybodys_that_runs_plugin_code_is_found(tmp_path: Path) -> None:
    """The threads of the default executor are nobody's, until one of them is still in a closed plugin's code."""
    start = """
        done = threading.Event()
        begun = threading.Event()
        LEFT.append(done)
        def work():
            begun.set()
            done.wait()  # here
        self.work = asyncio.get_running_loop().run_in_executor(None, work)
        await asyncio.to_thread(begun.wait)
    """
    path = leaky(tmp_path, start=dedent(start))
    async with kernel(tmp_path) as running:
        residue = await left_by(running, "leaky")
    found = next(each for each in residue if each.kind is Kind.THREAD)
    assert found.name.startswith("asyncio_")
    assert spot(found.made) == marked(path)


async def test_what_a_call_leaves_is_the_providers(tmp_path: Path) -> None:
    """What is left by a call into a plugin is that plugin's, not that of the plugin that called it."""
    path = leaky(tmp_path, "called", call="LEFT.append(asyncio.create_task(wait()))  # here")
    caller = """
        from hotswap_ports import Plugin
        from tests.plugin_folder import Clock, Greeter

        class Mine(Clock):
            def __init__(self, greeter: Greeter) -> None:
                self.greeter = greeter
            async def __aenter__(self):
                await self.greeter.greet("x")
            async def __aexit__(self, *exc): pass
            async def now(self):
                return 0.0
    """
    write_plugin(tmp_path, "caller", caller, provides={"clock": "Mine"}, requires={"greeter": ">=1"})
    async with kernel(tmp_path) as running, watching(running, patience=0) as watch:
        await running.enable("caller")
        await running.disable("caller")
        if "called" in running.plugins() and running.plugins()["called"].state.value == "active":
            await running.disable("called")
        await imported()
        found = only(await watch.residue())
    assert found.plugin == "called"
    assert spot(found.made) == marked(path)


@pytest.mark.parametrize("step", ["import", "start"])
async def test_a_plugin_that_failed_to_open_leaves_too(tmp_path: Path, step: str) -> None:
    """A plugin that could not be opened is held to the same: what it began is found."""
    leave = "leaky_plugin.LEFT.append(open(BESIDE / 'own.log', 'w'))  # here\nraise RuntimeError('no')"
    path = leaky(tmp_path, **{"top" if step == "import" else "start": leave})
    async with kernel(tmp_path) as running, watching(running, patience=0) as watch:
        with pytest.raises(PluginLoadFailed if step == "import" else PluginInitFailed):
            await running.enable("leaky")
        await imported()
        found = only(await watch.residue())
    assert (found.kind, found.plugin) == (Kind.FILE, "leaky")
    assert spot(found.made) == marked(path)


async def test_a_generation_that_was_reloaded_leaves_too(tmp_path: Path) -> None:
    """After a reload what the old generation left is found, though the plugin is open; the new one's is not."""
    path = leaky(tmp_path, start="LEFT.append(asyncio.create_task(wait()))  # here")
    async with kernel(tmp_path) as running, watching(running, patience=0) as watch:
        await running.enable("leaky")
        await running.reload("leaky")
        await imported()
        found = only(await watch.residue())
    assert spot(found.made) == marked(path)


async def test_a_library_that_is_imported_may_keep_what_it_makes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A library's modules, and what it makes while a plugin imports it, stay: that is no plugin's residue."""
    library = "import threading\nDONE = threading.Event()\nthreading.Thread(target=DONE.wait, daemon=True).start()\n"
    (tmp_path / "own_shim.py").write_text(f"{library}LOG = open(__file__)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    leaky(tmp_path / "plugins", top="import own_shim")
    async with kernel(tmp_path / "plugins") as running:
        assert not await left_by(running, "leaky", alone=True, patience=10)
    shim = sys.modules["own_shim"]
    LEFT.extend((shim.DONE, shim.LOG))


async def test_hooks_that_stay_are_found(tmp_path: Path) -> None:
    """A handler of a plugin's that the application registered by hand stays when the plugin goes, and is found."""
    path = leaky(tmp_path, top="def hear(event):  # here\n    pass", start="LEFT.append(hear)")
    async with kernel(tmp_path) as running, watching(running, "leaky", patience=0) as watch:
        await running.enable("leaky")
        end = running.on("on_plugin_load", LEFT.pop())
        await running.disable("leaky")
        await imported()
        found = only(await watch.residue())
        end()
        del end
    assert (found.kind, found.name) == (Kind.HOOK, "a handler of on_plugin_load")
    assert spot(found.made) == marked(path)


async def test_a_module_that_is_put_back_is_found(tmp_path: Path) -> None:
    """A module of a plugin that is imported again under its name after the plugin was closed is named."""
    back = """
        async def back(name, module):
            while name in sys.modules:
                await asyncio.sleep(0)
            sys.modules[name] = module
    """
    stop = "LEFT.append(asyncio.create_task(back(__name__, sys.modules[__name__])))"
    path = leaky(tmp_path, top=dedent(back), stop=stop)
    async with kernel(tmp_path) as running, watching(running, patience=0) as watch:
        await running.enable("leaky")
        await running.disable("leaky")
        await LEFT.pop()
        await imported()
        found = only(await watch.residue())
    for name in [each for each in sys.modules if each.startswith("hotswap_loaded.leaky_")]:
        del sys.modules[name]
    assert found.kind is Kind.MODULE
    assert found.name.startswith("hotswap_loaded.leaky_")
    assert found.made is not None
    assert found.made.file == str(path / "code.py")


async def test_where_the_system_lists_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where neither files nor children are listed, as on Windows, a child that was started is found all the same."""
    start = """
        code = "import time; time.sleep(600)"
        LEFT.append(subprocess.Popen([sys.executable, "-c", code]))  # here
        LEFT.append(open(BESIDE / "own.log", "w"))
        LEFT.append(leaky_plugin.Child(os.posix_spawn(sys.executable, [sys.executable, "-c", code], os.environ)))
    """
    path = leaky(tmp_path, start=dedent(start))
    monkeypatch.setattr("hotswap.residue.descriptors._LISTS", ())
    monkeypatch.setattr("hotswap.residue.processes._TASKS", str(tmp_path / "nowhere"))
    monkeypatch.delattr("os.waitid")
    async with kernel(tmp_path) as running:
        found = only(await left_by(running, "leaky", alone=True))
    assert found.kind is Kind.PROCESS
    assert spot(found.made) == marked(path)
