"""What constructors ask for, and who is given what."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, Optional, Union

import attrs
import pytest

from hotswap import InjectionFailed, PortUnknown
from hotswap.injection import Need, needs_of
from hotswap_ports import PluginContext, Port
from tests.plugin_folder import Clock, Greeter, greeter, kernel, write_plugin

if TYPE_CHECKING:
    from somewhere import Unknown


@attrs.frozen
class Config:
    """Settings of these tests."""

    size: int = 3


class Fallback(Greeter):
    """A greeter of the application's own."""

    async def greet(self, name: str, *, loud: bool = False) -> str:
        return "fallback"


FALLBACK = Fallback()


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        (Greeter, Need("it", "port", Greeter)),
        (Greeter | None, Need("it", "port", Greeter, optional=True)),
        (Optional[Greeter], Need("it", "port", Greeter, optional=True)),  # noqa: UP045 - the old notation is the test
        (Annotated[Greeter, "one"], Need("it", "port", Greeter, "one")),
        (Annotated[Greeter, 3, "one", "two"], Need("it", "port", Greeter, "one")),
        (Annotated[Greeter | None, "one"], Need("it", "port", Greeter, "one", optional=True)),
        (Annotated[Greeter, "one"] | None, Need("it", "port", Greeter, "one", optional=True)),
        (Mapping[str, Greeter], Need("it", "all", Greeter)),
        (PluginContext, Need("it", "context")),
    ],
)
def test_an_annotation_says_what_is_injected(annotation: Any, expected: Need) -> None:
    """Ports, named ones, optional ones, all of them, and the context, in each notation."""

    def target(it): ...  # type: ignore[no-untyped-def]

    target.__annotations__ = {"it": annotation}
    assert needs_of(target) == (expected,)


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        (int, "nothing provides int"),
        (Union[Greeter, Clock], "nothing provides"),  # noqa: UP007 - the old notation is the test
        (Greeter | Clock | None, "nothing provides"),
        (Fallback, "Fallback is an adapter; ask for its port, Greeter"),
        (Mapping[str, int], "nothing provides"),
        (list[Greeter], "nothing provides list"),
        (Port, "nothing provides Port"),
    ],
)
def test_what_nothing_provides_is_a_gap(annotation: Any, expected: str) -> None:
    """An annotation that names nothing to inject is a gap; with a default it is left alone."""

    def target(it): ...  # type: ignore[no-untyped-def]

    target.__annotations__ = {"it": annotation}
    with pytest.raises(InjectionFailed, match=expected):
        needs_of(target)

    def default(it=None): ...  # type: ignore[no-untyped-def]

    default.__annotations__ = {"it": annotation}
    assert needs_of(default) == ()


def test_settings_are_structured_or_a_mapping() -> None:
    """`config` is an attrs class or a mapping; anything else is a gap."""

    def one(config: Config) -> None: ...
    def two(config: Mapping[str, Any]) -> None: ...
    def three(config: Any = None) -> None: ...
    def four(config: int) -> None: ...

    assert needs_of(one) == (Need("config", "config", structure=Config),)
    assert needs_of(two) == (Need("config", "mapping"),)
    assert needs_of(three) == (Need("config", "mapping", optional=True, has_default=True),)
    with pytest.raises(InjectionFailed, match="annotated with an attrs class or Mapping"):
        needs_of(four)


class ByNames:
    """A constructor whose annotations are names of classes, as most are."""

    def __init__(self, it: Greeter, size: int = 3, *, clock: Clock, other: Clock = FALLBACK) -> None: ...  # type: ignore[assignment]


class Unreadable(type):
    """What makes objects of a class in its own way."""

    def __call__(cls, *_: Any, **__: Any) -> Any:
        raise NotImplementedError


def _with(**attributes: Any) -> type:
    return type("ByNames", (ByNames,), attributes)


@functools.wraps(ByNames.__init__)
def _wrapping(*args: Any, **kwargs: Any) -> None: ...


def _new(cls: type, it: Greeter) -> Any: ...


def _no_parameters(self: Any) -> None: ...


READ_ALIKE = [
    ByNames, _with(), _with(__init__=_wrapping), _with(__init__=_no_parameters), Fallback, object,
    _with(__signature__=inspect.Signature([inspect.Parameter("it", inspect.Parameter.KEYWORD_ONLY)])),
    Unreadable("Unreadable", (ByNames,), {}), type("New", (), {"__new__": _new}),
]  # fmt: skip


@pytest.mark.parametrize("target", READ_ALIKE, ids=str)
def test_a_constructor_is_read_alike_the_quick_way_and_the_slow_one(
    target: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names of classes are looked up without evaluating anything; what comes of it is what Python says of a class."""

    def read() -> object:
        try:
            return needs_of(target)
        except InjectionFailed as error:
            return error.gaps

    quick = read()
    monkeypatch.setattr("hotswap.injection._plainly_asked", lambda target: None)
    assert quick == read()


def test_positional_parameters_and_starred_ones() -> None:
    """A parameter that is positional only cannot be filled by name; starred ones are left alone."""

    def one(it: Greeter, /) -> None: ...
    def two(it: Greeter = FALLBACK, /, *rest: int, **more: int) -> None: ...

    with pytest.raises(InjectionFailed, match="positional only"):
        needs_of(one)
    assert needs_of(two) == ()


def test_annotations_for_type_checkers_only_are_explained() -> None:
    """A name that is imported under TYPE_CHECKING is a gap that says what to do."""

    def target(it: Unknown) -> None: ...

    with pytest.raises(InjectionFailed, match=r"'Unknown' is not defined; import what they name at run time"):
        needs_of(target)

    def broken(it: "1 / 0") -> None: ...  # type: ignore[valid-type] # noqa: UP037

    with pytest.raises(InjectionFailed, match="ZeroDivisionError"):
        needs_of(broken)


def test_a_port_that_the_manifest_does_not_require_is_a_gap() -> None:
    """A plugin's class is given the ports of its manifest, and the gap shows the line to add."""

    def target(it: Greeter, clock: Clock) -> None: ...

    assert len(needs_of(target, requires=["greeter", "clock"])) == 2
    with pytest.raises(InjectionFailed, match=r'clock: .*add `clock = ">=2.1.0"` under \[plugin.requires\]'):
        needs_of(target, requires=["greeter"])


@dataclass
class AsDataclass:
    """A target."""

    greeter: Greeter
    size: int = 3


@attrs.define
class AsAttrs:
    """A target with a private field."""

    _greeter: Greeter
    clock: Clock | None = None

    @property
    def greeter(self) -> Greeter:
        """Return it."""
        return self._greeter


class AsTuple(NamedTuple):
    """A target that is made by __new__."""

    greeter: Greeter


class Plain:
    """A target with a constructor."""

    def __init__(self, greeter: Greeter, /, *, clock: Clock | None = None) -> None:
        self.greeter = greeter


class Base:
    """A target."""

    def __init__(self, greeter: Greeter) -> None:
        self.greeter = greeter


class Inherits(Base):
    """A target whose constructor is inherited."""


class Callable:
    """A target that is called."""

    def __call__(self, greeter: Greeter) -> Base:
        return Base(greeter)

    def method(self, greeter: Greeter) -> Base:
        """Return a Base."""
        return Base(greeter)

    @classmethod
    def of_class(cls, greeter: Greeter) -> Base:
        """Return a Base."""
        return Base(greeter)

    @staticmethod
    def static(greeter: Greeter) -> Base:
        """Return a Base."""
        return Base(greeter)


def factory(greeter: Greeter, clock: Clock | None, size: int = 3, other: Greeter = FALLBACK) -> Base:
    """Return a Base."""
    assert clock is None
    return Base(greeter)


@functools.wraps(factory)
def wrapped(*args: Any, **kwargs: Any) -> Base:
    """Return a Base."""
    return factory(*args, **kwargs)


def odd_names(provides: Greeter, self: Greeter, cls: Greeter) -> Base:
    """Return a Base."""
    return Base(provides)


TARGETS = [
    AsDataclass, AsAttrs, AsTuple, Inherits, Callable(), Callable().method, Callable.of_class, Callable.static, factory,
    wrapped, functools.partial(factory, size=4), functools.partial(factory, clock=None), odd_names,
]  # fmt: skip


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: getattr(target, "__qualname__", type(target).__name__))
async def test_build_takes_whatever_can_be_called(tmp_path: Path, target: Any) -> None:
    """Classes of every make, functions, methods, partials and objects that can be called are built."""
    greeter(tmp_path, "english")
    async with kernel(tmp_path, "english") as running:
        assert await running.build(target).greeter.greet("x") == "hello x"


async def test_a_default_holds_where_nobody_provides(tmp_path: Path) -> None:
    """A port with a default keeps it while nobody provides the port; what a partial gives is left alone."""

    def make(it: Greeter = FALLBACK) -> Greeter:
        return it

    greeter(tmp_path, "english")
    async with kernel(tmp_path) as running:
        assert running.build(make) is FALLBACK
        await running.enable("english")
        assert await running.build(make).greet("x") == "hello x"
        assert running.build(functools.partial(make, it=FALLBACK)) is FALLBACK


async def test_build_lists_every_gap(tmp_path: Path) -> None:
    """Everything that is missing is listed at once, and nothing is constructed."""

    def needy(greeter: Greeter, config: Config, context: PluginContext) -> None:
        raise AssertionError("never called")

    async with kernel(tmp_path) as running:
        with pytest.raises(InjectionFailed) as failed:
            running.build(needy)
        assert [each.split(":")[0] for each in failed.value.gaps] == ["config", "context", "greeter"]
        with pytest.raises(InjectionFailed, match="positional only"):
            running.build(Plain)
        for nothing in (3, "text", dict):
            with pytest.raises(InjectionFailed):
                running.build(nothing)  # type: ignore[arg-type]


async def test_only_ports_of_this_kernel_are_asked_for(tmp_path: Path) -> None:
    """get and all take the port itself: an adapter, another class or an unknown port is refused with a hint."""

    class Stranger(Port):
        PORT = "stranger"
        VERSION = "1.0.0"

    async with kernel(tmp_path) as running:
        for each in (Stranger, Fallback, int, "greeter"):
            with pytest.raises(PortUnknown):
                running.get(each)  # type: ignore[arg-type]
            with pytest.raises(PortUnknown):
                running.all(each)  # type: ignore[arg-type]


async def test_a_plugin_is_given_its_settings(tmp_path: Path) -> None:
    """`config` is structured into the plugin's class, or handed as a mapping; the context is there."""
    code = """
        from collections.abc import Mapping
        from typing import Any
        from attrs import frozen
        from hotswap_ports import Plugin, PluginContext
        from tests.plugin_folder import Greeter

        @frozen
        class Config:
            size: int

        class Own(Plugin):
            def __init__(self, config: Mapping[str, Any], context: PluginContext) -> None:
                assert config["size"] == 4 and context.plugin_id == "own"

        class Hello(Greeter):
            def __init__(self, config: Config) -> None:
                self.config = config
            async def greet(self, name, *, loud=False):
                return name * self.config.size
    """
    write_plugin(tmp_path, "own", code, provides={"greeter": "Hello"}, python={"class_name": "Own"})
    async with kernel(tmp_path, "own", config={"own": {"size": 4}}) as running:
        assert await running.get(Greeter).greet("x") == "xxxx"
