"""Imports a plugin's modules. What goes wrong on the way is that plugin's failure, with the place and what to do."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

from hotswap.errors import PluginLoadFailed, says
from hotswap.loader.entry_point import is_inside
from hotswap.loader.folder import NAMESPACE


def import_of(plugin: str, folder: str, name: str, work: Callable[[str], ModuleType]) -> ModuleType:
    """Return ``work(name)``, which imports a module of a plugin that lies in ``folder``.

    Raises:
        PluginLoadFailed: whatever it raised, ``SystemExit`` included.
        KeyboardInterrupt: in the main thread, where it may be a person's.
    """
    try:
        return work(name)
    except ModuleNotFoundError as error:
        raise PluginLoadFailed(plugin, says(error), _missing_module_hint(folder, error.name or "")) from error
    except Exception as error:  # whatever a plugin raises while it is imported is that plugin's failure
        raise PluginLoadFailed(plugin, f"{type(error).__name__}: {says(error)}", _where(error, folder)) from error
    except SystemExit as error:
        hint = 'Put what is a script under `if __name__ == "__main__":`. ' + _where(error, folder)
        raise PluginLoadFailed(plugin, f"it called sys.exit({error.code!r}) while it was imported", hint) from error
    except BaseException as error:
        if threading.current_thread() is threading.main_thread():
            raise  # Ctrl-C: a person wants out
        reason = f"it raised {type(error).__name__} while it was imported"
        raise PluginLoadFailed(plugin, reason, _where(error, folder)) from error


def _where(error: BaseException, folder: str) -> str:
    """Return where in the plugin's own files an error came up, and how to see more."""
    place = ""
    frame = error.__traceback__
    while frame is not None:
        path = Path(frame.tb_frame.f_code.co_filename)
        if path.is_relative_to(folder):
            place = f"It came up in {path.relative_to(folder)}, line {frame.tb_lineno}. "
        frame = frame.tb_next
    return f"{place}Run again with --debug for the traceback."


def _missing_module_hint(folder: str, missing: str) -> str:
    local = missing.rpartition(".")[2]
    if not missing:
        return ""
    if missing.startswith(f"{NAMESPACE}."):
        return f"[plugin.python] entry_point names no module in {folder}."
    if is_inside(folder, local):
        return f"It lies beside the plugin: write `from . import {local}`."
    return f"Install what it needs: `pip install {missing.split('.')[0]}`."
