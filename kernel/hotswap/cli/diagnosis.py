"""What ``hotswap doctor`` looks at. A check that finds something wrong does not keep the next from looking."""

from __future__ import annotations

import os
import platform
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from attrs import frozen
from packaging.requirements import Requirement

from hotswap.catalog import Catalog, wanted
from hotswap.catalog_cache import cache_file
from hotswap.cli.invocation import Invocation
from hotswap.cli.opening import new_kernel, run_async, running, troubled, waiting_facts
from hotswap.discovery import DOORS, system_folders, user_folder
from hotswap.errors import ChangeUnfinished, HotswapError, LockInvalid, SettingsInvalid
from hotswap.lock import read
from hotswap.planner import LOCK_NAME, Planner, installed
from hotswap.port_directory import PortDirectory
from hotswap.settings import Settings
from hotswap.version import __version__

if TYPE_CHECKING:
    from hotswap import residue
    from hotswap.kernel import Kernel


@frozen
class Finding:
    """What one check found."""

    check: str
    verdict: Literal["ok", "note", "wrong"]
    text: str
    hint: str = ""
    left: residue.Finding | None = None
    """What a plugin left, where that is what was found."""


def examine(invocation: Invocation, *, open_plugins: bool, look_for_residue: bool = False) -> Iterator[Finding]:
    """Yield what every check found. Settings that cannot be read end it: there is nothing to look at then."""
    yield Finding("hotswap", "ok", f"{__version__} in {Path(__file__).parents[1]}")
    yield Finding("python", "ok", f"{platform.python_version()} at {sys.executable}, {platform.platform()}")
    try:
        settings = invocation.settings()
    except (SettingsInvalid, ChangeUnfinished) as error:
        yield _of("settings", error)
        return
    yield from _settings(invocation, settings)
    catalog = invocation.catalog(settings)
    yield from _doors(settings, catalog)
    yield from _distributions(settings, catalog)
    yield from _solution(settings, catalog)
    yield _cache()
    yield _data(settings)
    if open_plugins:
        opening = _residue if look_for_residue else _opening
        yield from run_async(invocation, lambda: opening(invocation, new_kernel(invocation, settings, eager=True)))


def _of(check: str, error: BaseException) -> Finding:
    code = getattr(error, "code", type(error).__name__)
    return Finding(check, "wrong", f"{code}: {error}", str(getattr(error, "hint", "")))


def _settings(invocation: Invocation, settings: Settings) -> Iterator[Finding]:
    where = str(settings.source) if settings.source else f"none in {settings.folder}: the embedded defaults hold"
    yield Finding("settings file", "ok", where)
    variables = sorted(each for each in os.environ if each.startswith("HOTSWAP_"))  # names only: values may be secret
    if variables:
        yield Finding("environment", "note", f"it sets {', '.join(variables)}")
    if invocation.overrides:
        yield Finding("command line", "note", f"it overrides {', '.join(sorted(invocation.overrides))}")
    if settings.safe_mode:
        yield Finding("safe mode", "note", "only hotswap's own plugins are found")


def _doors(settings: Settings, catalog: Catalog) -> Iterator[Finding]:
    folders = {
        "path": [str(each) for each in settings.paths],
        "project": [str(settings.folder / "plugins"), str(settings.folder / ".hotswap" / "plugins")],
        "user": [user_folder(os.environ)],
        "system": system_folders(),
        "distribution": ["the entry points hotswap.plugins of what is installed"],
    }
    for door in DOORS:
        count = sum(each.door == door for each in catalog)
        yield Finding(f"door {door}", "ok", f"{count} found in {', '.join(folders[door]) or 'no place'}")
    for problem in catalog.problems:
        yield _of("manifest", problem.error)
    for each in catalog.shadowed:
        yield Finding("hidden", "note", f"{each.found.id} at {each.found.path} is hidden by {each.by.path}")


def _distributions(settings: Settings, catalog: Catalog) -> Iterator[Finding]:
    """Look for the Python distributions that enabled plugins ask for."""
    for plugin in wanted(settings, catalog):
        for found in catalog.versions(plugin)[:1]:
            code = found.manifest.python
            missing = [each for each in code.dependencies if not _is_installed(Requirement(each))] if code else []
            if missing:
                install = f"`{_pip()} install {' '.join(map(shlex.quote, missing))}`"
                yield Finding("distributions", "wrong", f"{plugin} needs {', '.join(missing)}", install)


def _is_installed(need: Requirement) -> bool:
    if need.marker is not None and not need.marker.evaluate():
        return True
    here = installed(need.name)
    return here is not None and need.specifier.contains(here, prereleases=True)


def _pip() -> str:
    return f"{os.path.basename(sys.executable) or 'python'} -m pip"


def _solution(settings: Settings, catalog: Catalog) -> Iterator[Finding]:
    planner = Planner(catalog, PortDirectory())
    for problem in planner.settings_problems(settings):
        yield _of("ports", problem)
    solution, left_out = planner.solve_most(settings)
    yield Finding("solution", "ok", f"{len(solution.plugins)} plugins: {', '.join(solution.versions())}")
    for error in left_out.values():
        yield _of("solution", error)
    path = settings.folder / LOCK_NAME
    if not path.is_file():
        yield Finding("lock", "note", "there is none", "`hotswap apply` writes it.")
        return
    try:
        lock = read(path)
    except LockInvalid as error:
        yield _of("lock", error)
        return
    request = planner.request(settings, planner.wanted(settings), locked=lock.versions())
    problems = lock.fits(request)
    if problems:
        texts = "; ".join(map(str, problems))
        yield Finding("lock", "note", f"it is out of date: {texts}", "`hotswap apply` writes it anew.")
    else:
        edited = lock.edited(request)
        yield Finding("lock", "ok", f"it fits; manifests edited since: {', '.join(edited) or 'none'}")


def _cache() -> Finding:
    path = cache_file(os.environ)
    if path is None:
        return Finding("cache", "note", "it is switched off by HOTSWAP_CACHE")
    if _writable(path.parent):
        return Finding("cache", "ok", str(path))
    return Finding("cache", "note", f"{path} cannot be written: every manifest is read each time")


def _data(settings: Settings) -> Finding:
    folder = settings.folder / ".hotswap"
    if _writable(folder):
        return Finding("data folder", "ok", str(folder))
    return Finding("data folder", "wrong", f"{folder} cannot be written", "Check who owns it, its mode and the disk.")


def _writable(folder: Path) -> bool:
    """Return whether files can be made there, or the folder itself can: its nearest existing parent decides."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)


async def _residue(invocation: Invocation, kernel: Kernel) -> list[Finding]:
    """Do as ``_opening``, and say what each plugin left when it was closed."""
    from hotswap.residue import watching

    async with watching(kernel, alone=True) as watch:
        findings = await _opening(invocation, kernel)
        left = await watch.residue()
    for plugin in watch.closed:
        if not left.of(plugin):
            findings.append(Finding("residue", "ok", f"{plugin} left nothing"))
    return [*findings, *(Finding("residue", "wrong", str(each), each.hint, each) for each in left)]


async def _opening(invocation: Invocation, kernel: Kernel) -> list[Finding]:
    """Open everything once and ask each plugin how it is."""
    findings: list[Finding] = []
    try:
        async with running(invocation, kernel):
            for status in troubled(kernel):
                if status.error is None:
                    findings.append(Finding("opening", "wrong", str(waiting_facts(status)["message"])))
                elif status.state.value != "blocked":  # the solution's own check told of those
                    findings.append(_of("opening", status.error))
            for plugin, health in (await kernel.health()).items():
                verdict: Literal["ok", "wrong"] = "wrong" if health.status == "unhealthy" else "ok"
                findings.append(Finding("health", verdict, f"{plugin} is {health.status} {health.message}".rstrip()))
    except HotswapError as error:
        findings.append(_of("kernel", error))
    return findings
