"""A plugin that is reloaded is read anew; others are looked for only where something may have come."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from hotswap import rediscovery
from hotswap.catalog import discover
from tests.plugin_folder import Greeter, greeter, kernel


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that gets an entry for each look behind all doors."""
    found: list[str] = []

    def look(*arguments: Any, **options: Any) -> Any:
        found.append("all")
        return discover(*arguments, **options)

    monkeypatch.setattr(rediscovery, "discover", look)
    return found


def _settle(root: Path) -> None:
    """Let a folder have stood still for a while."""
    os.utime(root, (1_000_000_000, 1_000_000_000))


async def test_a_reload_reads_the_folders_of_its_plugin_alone(tmp_path: Path, looks: list[str]) -> None:
    """New code and a new version in the same folder are taken, and no door is looked behind."""
    greeter(tmp_path, "english")
    greeter(tmp_path, "german")
    _settle(tmp_path)
    async with kernel(tmp_path, "english") as running:
        greeter(tmp_path, "english", "good day", version="1.1.0")
        plan = await running.reload("english")
        assert [str(each) for each in plan.steps] == ["replace english 1.0.0 -> 1.1.0 (reloaded)"]
        assert await running.get(Greeter).greet("x") == "good day x"
        assert (await running.enable("german")).subjects("start") == ["german"]
        assert looks == []


async def test_a_reload_finds_a_version_in_a_new_folder(tmp_path: Path, looks: list[str]) -> None:
    """A folder that came since is looked into, in whichever order it came."""
    greeter(tmp_path, "english")
    _settle(tmp_path)
    async with kernel(tmp_path, "english") as running:
        greeter(tmp_path, "english", "good day", version="2.0.0", folder="english-2")
        (tmp_path / "english" / "plugin.toml").unlink()
        await running.reload("english")
        assert await running.get(Greeter).greet("x") == "good day x"
        assert looks == ["all"]


@pytest.mark.parametrize("broken", ["", "[plugin]", None])
async def test_a_manifest_that_is_broken_or_gone_is_reported_as_ever(
    tmp_path: Path, looks: list[str], broken: str | None
) -> None:
    """What cannot be read again is a problem of the catalog, which is read as a whole then."""
    path = greeter(tmp_path, "english") / "plugin.toml"
    _settle(tmp_path)
    async with kernel(tmp_path, "english") as running:
        path.unlink() if broken is None else path.write_text(broken)
        with pytest.raises(Exception, match="english"):
            await running.reload("english")
        assert looks == ["all"]
        assert await running.get(Greeter).greet("x") == "hello x"
