"""Where something is made: the calls that were under way at that moment, as names and numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from types import FrameType
from typing import Any, NamedTuple

from attrs import frozen

from hotswap.residue.finding import Place

_BENEATH = frozenset({"asyncio", "concurrent", "hotswap", "importlib", "threading"})
"""Packages whose calls say nothing: everything that is started has them on its way."""
_HANDLE = "<hotswap handle"
"""How the file names of handles' generated methods begin: see ``hotswap.handles``."""
_HANDLERS = "hotswap.hook_chain"
"""The module that calls handlers of hooks: what is beyond it fired the point, and is not who made something."""
IMPORT = "<import>"
"""The function of a spot that is a module on its way in, imported by what comes next."""

origin: ContextVar[object] = ContextVar("hotswap_residue_origin", default=None)
"""On whose behalf the current context runs: an opening of a plugin, the provider of a call, or nobody's known."""


class Spot(NamedTuple):
    """One call that was under way."""

    file: str
    line: int
    function: str
    module: str

    @property
    def place(self) -> Place:
        """Return it for a reader."""
        return Place(self.file, self.line, self.function)


@frozen(eq=False)
class Made:
    """How something came to be. It keeps nothing of the program's own alive."""

    spots: tuple[Spot, ...]
    """The calls under way, innermost first, as far as one that came through the kernel."""
    origin: object = None
    """An opening of a plugin, or a provider, on whose behalf it was made; None: nobody's that is known."""


def made_at(frame: FrameType | None, starter: Callable[[], object]) -> Made:
    """Return how what is made in ``frame`` comes to be.

    Args:
        frame: of the innermost call.
        starter: says on whose behalf the current thread was started; asked where nothing else says it.
    """
    spots: list[Spot] = []
    while frame is not None:
        code = frame.f_code
        module = module_of(frame.f_globals)
        if code.co_filename.startswith(_HANDLE):
            generation = frame.f_locals.get("_hotswap_generation")
            if generation is not None:
                return Made(tuple(spots), generation.provider)
        elif module == _HANDLERS:
            return Made(tuple(spots))
        elif module == "importlib._bootstrap" and spots and spots[-1].function == "<module>":
            spots[-1] = spots[-1]._replace(function=IMPORT)
        elif module.partition(".")[0] not in _BENEATH:
            spots.append(Spot(code.co_filename, frame.f_lineno or code.co_firstlineno, code.co_qualname, module))
        frame = frame.f_back
    return Made(tuple(spots), origin.get() or starter())


def module_of(namespace: Mapping[str, Any]) -> str:
    """Return the name of the module that a function's globals belong to."""
    name = namespace.get("__name__")
    return name if type(name) is str else ""
