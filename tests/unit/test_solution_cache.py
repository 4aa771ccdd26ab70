"""What was solved is taken up again where nothing is another, and never where something is."""

from __future__ import annotations

import json
import os
import shutil
import threading
import zlib
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any, ClassVar

import attrs
import pytest
from packaging.version import Version

from hotswap import Kernel, State, planner, solution_cache
from hotswap.lock import Lock
from hotswap.lock import write as write_lock
from hotswap.planner import Planner
from hotswap.resolver import Solution
from hotswap.settings import Settings
from tests.plugin_folder import Clock, Greeter, greeter, write_plugin

_times = count(1_700_000_000)


TICKS = """
    from tests.plugin_folder import Clock

    class Ticks(Clock):
        async def now(self):
            return 1.0
"""


class Newer(Greeter):
    """The greeter's port, in another version."""

    PORT: ClassVar[str] = "greeter"
    VERSION: ClassVar[str] = "1.1.0"


class Project:
    """Three plugins (one requires another by id, and one by its port), a cache, and a count of what was solved."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.plugins = root / "plugins"
        self.monkeypatch = monkeypatch
        self.environ = {"HOTSWAP_CACHE": str(root / "cache"), "HOTSWAP_HOME": str(root / "home")}
        self.ports: list[Any] = [Greeter, Clock]
        self.distributions: dict[str, str] = {"present": "1.0"}
        self.solved = 0
        greeter(self.plugins, "english", dependencies={"base": ">=1"})
        write_plugin(self.plugins, "base", TICKS, provides={"clock": "Ticks"}, python={"dependencies": ["present>=1"]})
        write_plugin(self.plugins, "user", requires={"greeter": ">=1,<2"}, provides={"clock": "Ticks"})
        self.settings = Settings(root, enabled=("user", "english"))
        self.age()
        real = Planner.solve_most

        def counting(this: Planner, *args: Any, **options: Any) -> Any:
            self.solved += 1
            return real(this, *args, **options)

        def installed(name: str) -> Version | None:
            return Version(self.distributions[name]) if name in self.distributions else None

        monkeypatch.setattr(Planner, "solve_most", counting)
        for module in (planner, solution_cache):
            monkeypatch.setattr(module, "installed", installed)

    def age(self) -> None:
        """Date all manifests back, so that they count as settled."""
        then = next(_times)
        for path in self.settings.folder.rglob("plugin.toml"):
            os.utime(path, (then, then))

    async def boot(self, **environ: str) -> Solution:
        """Start a kernel, and return what it was solved to."""
        self.solved = 0
        async with Kernel(self.settings, ports=self.ports, environ={**self.environ, **environ}) as kernel:
            assert kernel._changes is not None
            return kernel._changes.solution

    async def check(self) -> list[str]:
        """Start twice, with the cache and without; return what was solved, which has to be the same, by id."""
        found = await self.boot()
        solved = self.solved
        assert found == await self.boot(HOTSWAP_CACHE="off")
        self.solved = solved
        return [f"{each.id} {each.version}" for each in found.plugins]

    @property
    def cache(self) -> Path:
        (file,) = Path(self.environ["HOTSWAP_CACHE"]).glob("solutions-*")
        return file


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    return Project(tmp_path, monkeypatch)


ALL = ["base 1.0.0", "english 1.0.0", "user 1.0.0"]


async def test_nothing_is_solved_twice(project: Project) -> None:
    """The second start solves nothing, and has the same solution to the last reason."""
    assert (await project.check(), project.solved) == (ALL, 1)
    assert (await project.check(), project.solved) == (ALL, 0)
    async with Kernel(project.settings, ports=project.ports, environ=project.environ) as kernel:
        assert {each.state for each in kernel.plugins().values() if each.id in ("user", "english", "base")} == {
            State.RESOLVED
        }
        assert kernel.plugins()["base"].required_by == ("english",)
        assert await kernel.get(Greeter).greet("x") == "hello x"
        plan = await kernel.plan(disable=["user"])
        assert [str(each) for each in plan.steps] == ["stop user 1.0.0 (disabled)"]


def edited(project: Project, old: str, new: str, plugin: str = "english") -> None:
    path = project.plugins / plugin / "plugin.toml"
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")


def same_size(project: Project) -> None:
    path = project.plugins / "base" / "plugin.toml"
    before = path.stat()
    edited(project, "1.0.0", "1.0.1", "base")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def evolved(project: Project, **changes: Any) -> None:
    project.settings = attrs.evolve(project.settings, **changes)


def shadowed(project: Project) -> None:
    write_plugin(project.settings.folder / "front", "base", version="3.0.0", provides={"clock": "Ticks"})
    evolved(project, paths=(project.settings.folder / "front",))


def locked(project: Project, version: str = "1.0.0") -> None:
    write_plugin(project.plugins, "base", version="1.5.0", folder="base15", provides={"clock": "Ticks"})
    project.age()
    lock = Lock((), "")
    (project.settings.folder / "hotswap.lock").write_text(lock.text(), "utf-8")


CHANGES: dict[str, tuple[Callable[[Project], object], list[str] | None]] = {
    "edit": (lambda project: edited(project, "base = ", "user = "), None),
    "same-size": (same_size, ["base 1.0.1", "english 1.0.0", "user 1.0.0"]),
    "touch": (lambda project: project.age(), ALL),
    "upgrade": (
        lambda project: write_plugin(
            project.plugins, "base", version="2.0.0", folder="base2", provides={"clock": "Ticks"}
        ),
        ["base 2.0.0", "english 1.0.0", "user 1.0.0"],
    ),
    "remove": (lambda project: shutil.rmtree(project.plugins / "base"), None),
    "broken": (lambda project: (project.plugins / "base" / "plugin.toml").write_text("[plugin", "utf-8"), None),
    "move": (lambda project: (project.plugins / "base").rename(project.plugins / "elsewhere"), ALL),
    "shadow": (shadowed, ["base 3.0.0", "english 1.0.0", "user 1.0.0"]),
    "enabled": (lambda project: evolved(project, enabled=("english",)), ALL[:2]),
    "range": (lambda project: evolved(project, enabled=("user", "english>=2")), ALL),
    "disabled": (lambda project: evolved(project, disabled=("user",)), ALL[:2]),
    "ports": (lambda project: evolved(project, enabled=("user",), ports={"clock": ("base",)}), ALL),
    "port-version": (lambda project: setattr(project, "ports", [Newer, Clock]), ALL),
    "port-gone": (lambda project: setattr(project, "ports", [Greeter]), None),
    "host": (lambda project: project.monkeypatch.setitem(planner.HOSTS, "hotswap", Version("0.0.1")), None),
    "python": (lambda project: project.monkeypatch.setattr(solution_cache, "PYTHON", Version("3.99")), ALL),
    "machine": (lambda project: project.monkeypatch.setattr(solution_cache, "_machine", lambda: ["other"]), ALL),
    "removed-distribution": (lambda project: project.distributions.clear(), None),
    "older-distribution": (lambda project: project.distributions.update(present="0.9"), None),
    "newer-distribution": (lambda project: project.distributions.update(present="1.1"), ALL),
    "lock": (locked, ["base 1.5.0", "english 1.0.0", "user 1.0.0"]),
}


@pytest.mark.parametrize("change", CHANGES)
async def test_every_change_is_solved_anew(project: Project, change: str) -> None:
    """Whatever the resolver looks at, it looks at again when it is another."""
    await project.boot()
    await project.boot()
    assert project.solved == 0
    make, expected = CHANGES[change]
    make(project)
    found = await project.check()
    assert project.solved == 1
    assert found == expected or (expected is None and found != ALL)


async def test_the_lock_is_a_part_of_the_question(project: Project) -> None:
    """A lock decides, edited or taken away it decides otherwise, and each of them is remembered by itself."""
    write_plugin(project.plugins, "base", version="1.5.0", folder="base15", provides={"clock": "Ticks"})
    project.age()
    path = project.settings.folder / "hotswap.lock"
    newest = await project.check()
    assert newest == ["base 1.5.0", "english 1.0.0", "user 1.0.0"]
    async with Kernel(project.settings, ports=project.ports, environ=project.environ) as kernel:
        assert kernel._changes is not None
        made = kernel._changes.planner
        request = made.request(project.settings, made.wanted(project.settings), locked={"base": Version("1.0.0")})
        from hotswap.resolver import resolve

        write_lock(path, Lock.from_solution(resolve(request), request))
    assert (await project.check(), project.solved) == (ALL, 1)
    assert (await project.check(), project.solved) == (ALL, 0)
    path.write_text(path.read_text("utf-8").replace("enabled in the settings", "because"), "utf-8")
    found = await project.boot()
    assert (found.plugins[-1].reason, project.solved) == ("because", 1)
    assert (await project.boot(), project.solved) == (found, 0)
    path.unlink()
    assert (await project.check(), project.solved) == (newest, 0)
    path.write_text("nonsense = [", "utf-8")
    for _ in range(2):
        assert (await project.check(), project.solved) == (newest, 1)


async def test_a_distribution_that_is_there_again(project: Project) -> None:
    """What was answered about Python distributions belongs to the solution, also that one is not there."""
    edited(project, '"present>=1"', '"present>=1; python_version < \'3\'", "absent"', "base")
    write_plugin(project.plugins, "base", version="0.9.0", folder="base9", provides={"clock": "Ticks"})
    edited(project, ">=1", ">=0", "english")
    project.age()
    older = ["base 0.9.0", "english 1.0.0", "user 1.0.0"]
    assert [(await project.check(), project.solved) for _ in range(2)] == [(older, 1), (older, 0)]
    project.distributions["absent"] = "1.0"
    assert [(await project.check(), project.solved) for _ in range(2)] == [(ALL, 1), (ALL, 0)]


async def test_what_leaves_something_out_is_not_kept(project: Project) -> None:
    """Where not all of it can be had, each start says why."""
    evolved(project, enabled=("user", "english", "nobody"))
    for _ in range(2):
        await project.boot()
        assert project.solved == 1


async def test_fresh_manifests_are_not_trusted(project: Project) -> None:
    """What was written just now may change within one tick of the clock, and is solved each time."""
    (project.plugins / "base" / "plugin.toml").touch()
    for _ in range(2):
        await project.boot()
        assert project.solved == 1


async def test_other_code_solves_anew(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another version of the resolver may solve otherwise."""
    await project.boot()
    monkeypatch.setattr(solution_cache, "program", lambda *modules: ["another"])
    await project.boot()
    assert project.solved == 1


async def test_questions_stand_side_by_side(project: Project) -> None:
    """The last few questions are remembered, and no more than these."""
    choices = [("user", "english"), ("english",), ("base",), ("english", "base"), ("base", "user", "english")]
    for enabled in choices[:4]:
        evolved(project, enabled=enabled)
        await project.boot()
    for enabled in choices[:4]:
        evolved(project, enabled=enabled)
        await project.check()
        assert project.solved == 0
    for enabled in (choices[4], choices[0]):
        evolved(project, enabled=enabled)
        await project.boot()
        assert project.solved == 1


async def test_without_a_cache(project: Project) -> None:
    """Nothing is kept where there is to be no cache."""
    project.environ["HOTSWAP_CACHE"] = "off"
    for _ in range(2):
        assert await project.check() == ALL
        assert project.solved == 1


def rewritten(file: Path, change: Callable[[Any, bytes], tuple[Any, bytes]]) -> None:
    """Change index and body of a cache file, as somebody who knows the format would."""
    head, _, rest = file.read_bytes().partition(b"\n")
    made_for, _, length = json.loads(head)
    index, body = change(json.loads(rest[:length]), rest[length:])
    line = json.dumps(index).encode()
    file.write_bytes(json.dumps([made_for, zlib.crc32(line + body), len(line)]).encode() + b"\n" + line + body)


def light(text: bytes) -> Callable[[Any, bytes], tuple[Any, bytes]]:
    """Put another list of plugins in its place."""

    def change(index: Any, body: bytes) -> tuple[Any, bytes]:
        question, answers, _, middle, end = index[-1]
        return [[question, answers, 0, len(text), len(text) + end - middle]], text + body[middle:end]

    return change


BROKEN: dict[str, Callable[[Path], object]] = {
    "empty": lambda file: file.write_bytes(b""),
    "binary": lambda file: file.write_bytes(b"\x80\x04\n\x00"),
    "cut": lambda file: file.write_bytes(file.read_bytes()[:-5]),
    "bits": lambda file: file.write_bytes(file.read_bytes()[:-1] + bytes([file.read_bytes()[-1] ^ 1])),
    "writable": lambda file: file.chmod(0o666),
    "link": lambda file: (file.rename(file.with_suffix(".moved")), file.symlink_to(file.with_suffix(".moved"))),
    "number": lambda file: rewritten(file, lambda index, body: (7, body)),
    "numbers": lambda file: rewritten(file, lambda index, body: ([1, 2, 3], body)),
    "table": lambda file: rewritten(file, lambda index, body: ({"a": 1}, body)),
    "short": lambda file: rewritten(file, lambda index, body: ([each[:3] for each in index], body)),
    "texts": lambda file: rewritten(file, lambda index, body: ([[*each[:2], "a", "b", "c"] for each in index], body)),
    "answers": lambda file: rewritten(file, lambda index, body: ([[each[0], 7, *each[2:]] for each in index], body)),
    "nothing": lambda file: rewritten(file, lambda index, body: (index, b"")),
    "unknown": lambda file: rewritten(file, light(b"[0, 1, 20]")),
    "negative": lambda file: rewritten(file, light(b"[-1, -2, -3]")),
    "types": lambda file: rewritten(file, light(b'["a", "b", "c"]')),
    "twice": lambda file: rewritten(file, light(b"[1, 1, 1]")),
    "deep": lambda file: rewritten(file, light(b"[" * 100_000)),
}


@pytest.mark.parametrize("break_it", BROKEN)
async def test_a_cache_that_cannot_be_used(project: Project, break_it: str) -> None:
    """A broken or foreign file is passed over without an error, and replaced by a sound one."""
    await project.boot()
    BROKEN[break_it](project.cache)
    assert (await project.check(), project.solved) == (ALL, 1)
    assert (await project.check(), project.solved) == (ALL, 0)


REST: dict[str, bytes] = {
    "unpacked": b"[]",
    "number": b"7",
    "short": b"[]",
    "types": b'[[1, [], {}], ["", [], {}], ["", [], {}]]',
    "names": b'[["", [1], {}], ["", [], {}], ["", [], {}]]',
    "ports": b'[["", [], []], ["", [], {}], ["", [], {}]]',
    "deep": b"[" * 100_000,
}


@pytest.mark.parametrize("rest", REST)
async def test_reasons_that_cannot_be_read(project: Project, rest: str) -> None:
    """What is read of a solution only when somebody asks is solved then, where it is not what it should be."""
    await project.boot()

    def change(index: Any, body: bytes) -> tuple[Any, bytes]:
        question, answers, start, middle, _ = index[-1]
        packed = zlib.compress(REST[rest]) if rest != "unpacked" else REST[rest]
        return [[question, answers, start, middle, middle + len(packed)]], body[:middle] + packed

    rewritten(project.cache, change)
    project.solved = 0
    async with Kernel(project.settings, ports=project.ports, environ=project.environ) as kernel:
        assert project.solved == 0
        assert kernel.plugins()["base"].required_by == ("english",)
        assert project.solved == 1


async def test_a_manifest_in_the_cache_that_cannot_be_read(project: Project) -> None:
    """What was solved with a manifest that had to be read from its file after all is not kept."""
    await project.boot(HOTSWAP_CACHE=project.environ["HOTSWAP_CACHE"])
    project.cache.unlink()
    (catalog,) = Path(project.environ["HOTSWAP_CACHE"]).glob("catalog-*")
    rewritten(catalog, lambda index, body: (index, body[: 32 * len(index[0])] + b"x"))
    assert (await project.check(), project.solved) == (ALL, 1)
    assert not list(Path(project.environ["HOTSWAP_CACHE"]).glob("solutions-*"))


async def test_many_at_once(project: Project) -> None:
    """Whoever reads while others write finds a sound solution or none, and no rubbish is left."""
    solution = await project.boot()
    found: list[object] = []

    async def cache() -> solution_cache.SolutionCache:
        async with Kernel(project.settings, ports=project.ports, environ=project.environ) as kernel:
            assert kernel._changes is not None
            made = kernel._changes.planner
        return solution_cache.SolutionCache(made, project.settings, None, project.environ)

    def run(one: solution_cache.SolutionCache) -> None:
        for _ in range(30):
            one.put(solution, {"present": "1.0"})
            known = one.get()
            found.append(known is not None and known[0] == solution)

    threads = [threading.Thread(target=run, args=(await cache(),)) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert found == [True] * 120
    assert len(list(project.cache.parent.iterdir())) == len(
        {each.name.partition("-")[0] for each in project.cache.parent.iterdir()}
    )
