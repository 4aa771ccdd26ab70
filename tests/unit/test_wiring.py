"""The container, live mappings and handles as the kernel hands them out."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import pytest
from dependency_injector.wiring import Provide, inject

from hotswap import Kernel, PortUnfilled
from hotswap.generation import Generation, Provider
from hotswap.handles import handle_class, port_attributes
from hotswap.port_directory import ENTRY_POINTS, PortDirectory
from hotswap.slots import Slot
from hotswap_ports import AdapterFailed, Port
from tests.plugin_folder import Clock, Greeter, greeter, kernel, settings, write_plugin


@inject
async def by_dashed_name(one: Greeter = Provide["greeter__good_morning_sir"]) -> str:
    """Greet with a provider whose name has dashes."""
    return await one.greet("x")


async def test_names_with_dashes_are_container_providers_with_underscores(tmp_path: Path) -> None:
    """@inject reaches a provider by name; after it is gone the handle says so, and works again when it is back."""
    greeter(tmp_path, "good-morning-sir", "morning")
    async with kernel(tmp_path, "good-morning-sir") as running:
        running.container.wire(modules=[__name__])
        assert await by_dashed_name() == "morning x"
        await running.disable("good-morning-sir")
        with pytest.raises(Exception, match="No enabled provider of 'greeter' is called 'good-morning-sir'"):
            await by_dashed_name()
        await running.enable("good-morning-sir")
        assert await by_dashed_name() == "morning x"
        running.container.unwire()


async def test_the_container_shows_what_was_there_before_it_was_asked_for_and_what_comes_after(tmp_path: Path) -> None:
    """It is one and the same container, whenever it is asked for, and also before the kernel is entered."""
    greeter(tmp_path, "english")
    greeter(tmp_path, "german", "hallo")
    running = kernel(tmp_path, "english", ports={"greeter": ("english",)})
    async with running:
        container = running.container
        assert {"greeter", "greeter__english"} <= set(container.providers)
        assert container.greeter() is running.get(Greeter)
        await running.enable("german")
        assert running.container is container
        assert await container.greeter__german().greet("x") == "hallo x"
        await running.select(Greeter, "german")
        assert await container.greeter().greet("x") == "hallo x"
    early = kernel(tmp_path, "english")
    container = early.container
    async with early:
        assert await container.greeter__english().greet("x") == "hello x"


class Wire(Port):
    """A port that is called like a method of the container."""

    PORT: ClassVar[str] = "wire"
    VERSION: ClassVar[str] = "1.0.0"


async def test_a_port_may_be_called_like_something_of_the_container(tmp_path: Path) -> None:
    """A port's name never replaces what the container has itself."""
    write_plugin(tmp_path, "own", "from tests.unit.test_wiring_port import Wire", provides={"wire": "Wire"})
    import sys
    from types import ModuleType

    module = ModuleType("tests.unit.test_wiring_port")
    module.Wire = type("Hello", (Wire,), {})  # type: ignore[attr-defined]
    sys.modules[module.__name__] = module
    async with Kernel(settings(tmp_path, "own"), ports=[Wire], environ={}) as running:
        running.container.wire(modules=[__name__])
        running.container.unwire()
        assert running.container.wire_() is running.get(Wire)
    del sys.modules[module.__name__]


async def test_all_is_a_live_mapping(tmp_path: Path) -> None:
    """What all() returns shows the providers of the moment, the one in use first."""
    greeter(tmp_path, "english")
    greeter(tmp_path, "german")
    async with kernel(tmp_path) as running:
        everyone = running.all(Greeter)
        assert (list(everyone), len(everyone), repr(everyone)) == ([], 0, "<live providers of greeter: none>")
        await running.enable("german")
        await running.enable("english")
        assert list(everyone) == ["german", "english"]
        assert everyone["english"] is running.get(Greeter, "english")
        assert repr(everyone) == "<live providers of greeter: german, english>"
        with pytest.raises(KeyError):
            everyone["french"]


async def test_a_handle_by_name_outlives_its_provider(tmp_path: Path) -> None:
    """A handle by name is refused while its provider is gone, with a new error each time, and then works again."""
    greeter(tmp_path, "english")
    async with kernel(tmp_path, "english") as running:
        handle, plain = running.get(Greeter, "english"), running.get(Greeter)
        await running.disable("english")
        errors = []
        for _ in range(2):
            with pytest.raises(PortUnfilled) as unfilled:
                await plain.greet("x")
            errors.append(unfilled.value)
        assert errors[0] is not errors[1]
        assert (errors[0].port, str(errors[0]), errors[0].hint) == (errors[1].port, str(errors[1]), errors[1].hint)
        await running.enable("english")
        assert await handle.greet("x") == await plain.greet("x") == "hello x"


class Odd(Port):
    """A port whose parameters are called like things of a handle's own."""

    PORT: ClassVar[str] = "odd"
    VERSION: ClassVar[str] = "1.0.0"
    limit = 3
    """An attribute without an annotation."""

    async def call(self, generation: int, error: int, hooks: int, plain: int) -> tuple[int, ...]:
        """Return what was given."""
        raise NotImplementedError

    async def stream(self, items: int, item: int, close: int):  # type: ignore[no-untyped-def]
        """Yield what was given."""
        yield items

    @classmethod
    def made(cls) -> type:
        """Return the class."""
        return cls

    @staticmethod
    def constant() -> int:
        """Return 1."""
        return 1


class OddAdapter(Odd):
    """An adapter."""

    limit = 5

    async def call(self, generation: int, error: int, hooks: int, plain: int) -> tuple[int, ...]:
        return generation, error, hooks, plain

    async def stream(self, items: int, item: int, close: int):  # type: ignore[no-untyped-def]
        yield (items, item, close)
        raise SystemExit(3)


async def test_parameters_may_be_called_like_anything() -> None:
    """The names of a port's parameters do not meet those inside a handle; plain attributes are forwarded too."""
    slot = Slot(Odd)
    slot.generation = Generation(Provider("odd", "odd", "odd", "1.0.0"), OddAdapter(), 1)
    handle = slot.handle()
    assert isinstance(handle, Odd)
    assert await handle.call(1, 2, hooks=3, plain=4) == (1, 2, 3, 4)
    items = handle.stream(1, 2, 3)
    assert await anext(items) == (1, 2, 3)
    with pytest.raises(AdapterFailed, match="SystemExit"):
        await anext(items)
    assert port_attributes(Odd) == ("limit",)
    assert handle.limit == 5
    assert handle_class(Odd).constant() == 1


def test_ports_of_distributions_that_cannot_be_used_are_problems(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A distribution's port that cannot be imported, is none, or takes a name that is taken, stops nobody."""
    info = tmp_path / "shop-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: shop\nVersion: 1.0\n")
    names = ["gone = no_such_module:Port", "text = json:dumps", "good = tests.plugin_folder:Clock"]
    names += ["taken = shop_ports:Storage"]
    (info / "entry_points.txt").write_text(f"[{ENTRY_POINTS}]\n" + "\n".join(names))
    (tmp_path / "shop_ports.py").write_text(
        "from hotswap_ports import Port\nclass Storage(Port):\n    PORT = 'storage'\n    VERSION = '1.0.0'\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    found = PortDirectory()
    assert found.get("clock") is Clock
    assert [type(each).__name__ for each in found.problems] == ["PortInvalid"] * 3
    assert "no_such_module" in str(found.problems[0])
    assert "'storage' is hotswap_ports.storage.Storage already" in str(found.problems[2])
