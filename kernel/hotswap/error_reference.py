"""The reference of all errors, written from their classes: ``docs/reference/errors.md``.

``python -m hotswap.error_reference > docs/reference/errors.md`` writes it anew; a test holds the file to it.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable

from hotswap.errors import error_classes
from hotswap_ports import port_error_classes

_HEAD = """# Errors

Every error has a code, a sentence and, where one is known, a hint that says what to do. On the command line it reads:

```text
error[PLUG-001]: No plugin 'serch' was found (looked in: path, project, user, system, distribution).
  hint: Did you mean 'search'?
```

In code each is a class; catch `hotswap.HotswapError` for all that the kernel raises and `hotswap_ports.PortError` for
all that leaves a port.

<!-- Generated: python -m hotswap.error_reference > docs/reference/errors.md -->
"""

_PORT = """
## Errors of ports

Whatever adapter stands behind a port, these are what its callers see; the adapter's own error is the `__cause__`.
*Retryable* means that the same call may succeed later.
"""

_NOTE = """
`PLUG-010` is kept for signatures of packages.
"""


def markdown() -> str:
    """Return the page."""
    kernel = [_row(code, cls) for code, cls in error_classes().items()]
    ports = [_row(cls.code, cls, "yes" if cls.retryable else "no") for cls in port_error_classes()]
    parts = [
        _HEAD,
        "\n## Errors of the kernel\n",
        _table(("code", "class", "fields", "when"), kernel),
        _NOTE,
        _PORT,
        _table(("code", "class", "fields", "when", "retryable"), ports),
    ]
    return "\n".join(parts).replace("\n\n\n", "\n\n")


def _row(code: str, cls: type, *more: str) -> list[str]:
    construct = cls.__init__  # type: ignore[misc] # read, not called
    names = [each for each in inspect.signature(construct).parameters if each not in ("self", "hint", "message")]
    fields = ", ".join(f"`{each}`" for each in names)
    return [f"`{code}`", f"`{cls.__name__}`", fields, " ".join((cls.__doc__ or "").split()).replace("``", "`"), *more]


def _table(head: Iterable[str], rows: Iterable[list[str]]) -> str:
    head = list(head)
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(each.replace('|', '&#124;') for each in line)} |" for line in lines) + "\n"


if __name__ == "__main__":
    print(markdown(), end="")
