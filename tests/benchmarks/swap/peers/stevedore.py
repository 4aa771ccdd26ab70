"""stevedore: all extensions of a namespace. It cannot replace one that is loaded, so it takes part in booting alone.

https://docs.openstack.org/stevedore/latest/reference/index.html (``ExtensionManager``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from stevedore import ExtensionManager


def boot(plugins: int) -> Callable[[], Callable[[], int]]:
    """Return what loads the extensions. They are not invoked: stevedore would hand all of them the same arguments."""

    def load() -> Callable[[], int]:
        manager: ExtensionManager[Any] = ExtensionManager("bench.plugins", invoke_on_load=False)
        return lambda: len(manager.extensions)

    return load
