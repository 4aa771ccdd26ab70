"""The ports as threads see them, written from their code: ``kernel/hotswap/blocking_ports.py``.

``python -m hotswap.blocking_reference > kernel/hotswap/blocking_ports.py`` writes it anew; a test holds the file to it.
"""

from __future__ import annotations

import inspect
import json
import re
import sys
from collections.abc import Iterator
from textwrap import wrap

import hotswap_ports
from hotswap.blocking_handles import blocking_signature
from hotswap.handles import port_attributes
from hotswap_ports import Port, is_port
from hotswap_ports.methods import PortMethod, port_methods

_HEAD = '''"""The ports as threads see them: what ``BlockingKernel.get`` returns, to annotate with.

Generated: ``python -m hotswap.blocking_reference > kernel/hotswap/blocking_ports.py``.
"""

from __future__ import annotations

'''
_ASKED = '''

class BlockingPorts(ABC):
    """What a blocking kernel is asked for, with the types of what it returns."""
'''
_GET = '''
    def get(self, port: Callable[..., Port], name: str | None = None) -> Any:
        """Return the blocking handle of a port: the selected provider's, or that of one by name.

        It has the port's methods, which return what is awaited elsewhere; streams are iterators. It is typed for the
        ports of hotswap, and ``Any`` for others: annotate it with a protocol of your own.

        Raises:
            PortUnknown: the class is no port of this kernel: see its parameter ``ports``.
            PortUnfilled, PortAmbiguous, ProviderNotFound: there is none, or more than one and none is selected.
        """
        return self._get(port, name)
'''
_ALL = '''
    def all(self, port: Callable[..., Port]) -> Mapping[str, Any]:
        """Return the blocking handles of all open providers by name, the selected one first; the mapping is live too.

        Raises:
            PortUnknown: the class is no port of this kernel.
        """
        return self._all(port)

    @abstractmethod
    def _get(self, port: Callable[..., Port], name: str | None) -> Any: ...

    @abstractmethod
    def _all(self, port: Callable[..., Port]) -> Mapping[str, Any]: ...
'''
_WIDTH = 120


def ports() -> list[type[Port]]:
    """Return the ports of hotswap by name."""
    own = [getattr(hotswap_ports, name) for name in hotswap_ports.__all__]
    return sorted((each for each in own if is_port(each)), key=lambda each: str(each.__name__))


def source() -> str:
    """Return the module."""
    classes = "".join(line for port in ports() for line in _protocol(port))
    table = "".join(f"    Blocking{each.__name__}: {each.__name__},\n" for each in ports())
    body = "".join([classes, *_asking(), f"\n\nPORT_OF: Mapping[object, type[Port]] = {{\n{table}}}\n"])
    return f"{_HEAD}{_imports(body)}{body}"


def _imports(body: str) -> str:
    words = set(re.findall(r"\w+", re.sub(r'""".*?"""', "", body, flags=re.S)))
    homes = {
        "abc": ("ABC", "abstractmethod"),
        "collections.abc": ("Callable", "Iterable", "Mapping", "Sequence"),
        "typing": ("Any", "Literal", "Protocol", "overload"),
        "hotswap.portal_stream": ("Stream",),
        "hotswap_ports": tuple(hotswap_ports.__all__),
    }
    lines = []
    for home, names in homes.items():
        used = sorted(words & set(names), key=lambda each: (not each.isupper(), not each[0].isupper(), each.lower()))
        line = f"from {home} import {', '.join(used)}\n"
        if len(line) > _WIDTH:
            line = f"from {home} import (\n{''.join(f'    {each},{chr(10)}' for each in used)})\n"
        lines.append("\n" * (home == "hotswap.portal_stream") + line)
    return "".join(lines)


def _protocol(port: type[Port]) -> Iterator[str]:
    yield f"\n\nclass Blocking{port.__name__}(Protocol):\n"
    doc = " ".join((inspect.getdoc(port) or "").split()).split(". ")[0].rstrip(".")
    yield f'    """``{port.__name__}`` for threads: {doc[:1].lower()}{doc[1:]}."""\n'
    notes = inspect.get_annotations(port)
    for name in port_attributes(port):
        yield f"\n    @property\n    def {name}(self) -> {notes.get(name, 'Any')}: ...\n"
    for method in port_methods(port):
        yield f'\n{_definition(method)}\n        """{_first_paragraph(method.function)}"""\n'


class _Source(str):
    """An annotation or a default that a signature shows as it stands here."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def _definition(method: PortMethod) -> str:
    signature = blocking_signature(method)
    parameters = [_written(each) for each in signature.parameters.values()]
    inside = str(signature.replace(parameters=parameters, return_annotation=inspect.Signature.empty))[1:-1]
    inside, returns = ", ".join(filter(None, ["self", inside])), signature.return_annotation
    line = f"    def {method.name}({inside}) -> {returns}:"
    return line if len(line) <= _WIDTH else f"    def {method.name}(\n        {inside}\n    ) -> {returns}:"


def _written(parameter: inspect.Parameter) -> inspect.Parameter:
    default = parameter.default
    if isinstance(default, str):
        default = _Source(json.dumps(default, ensure_ascii=False))
    return parameter.replace(annotation=_Source(parameter.annotation), default=default)


def _first_paragraph(documented: object) -> str:
    text = " ".join((inspect.getdoc(documented) or "").split("\n\n")[0].split())
    return f"\n{' ' * 8}".join(wrap(text, _WIDTH - 14))


def _asking() -> Iterator[str]:
    yield _ASKED
    for each in ports():
        yield "\n    @overload"
        yield f"\n    def get(self, port: Callable[..., {each.__name__}], name: str | None = None)"
        yield f" -> Blocking{each.__name__}: ..."
    yield "\n    @overload\n    def get(self, port: Callable[..., Port], name: str | None = None) -> Any: ..."
    yield _GET
    for each in ports():
        yield "\n    @overload"
        yield f"\n    def all(self, port: Callable[..., {each.__name__}]) -> Mapping[str, Blocking{each.__name__}]: ..."
    yield "\n    @overload\n    def all(self, port: Callable[..., Port]) -> Mapping[str, Any]: ..."
    yield _ALL


if __name__ == "__main__":
    sys.stdout.write(source())
