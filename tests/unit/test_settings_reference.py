"""docs/reference/settings.md is what the code says, and the code reads what the page lists."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from hotswap.errors import SettingsInvalid
from hotswap.settings import Settings
from hotswap.settings_reference import KEYS, markdown

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "settings.md"
EXAMPLES = {
    "plugins.enabled": "a>=1",
    "plugins.disabled": "a",
    "plugins.paths": "/a",
    "plugins.drain_timeout": "1",
    "plugins.open_timeout": "1",
    "plugins.hold_timeout": "1",
    "plugins.activation": "eager",
    "plugins.health_interval": "1",
    "plugins.fail_back_after": "1",
    "ports.PORT": "a",
    "config.ID.KEY": "a",
    "trust.ID": "verified",
    "grants.ID.NAME": "true",
}


def test_page_is_generated() -> None:
    """The page in the repository is what the module prints."""
    done = subprocess.run([sys.executable, "-m", "hotswap.settings_reference"], capture_output=True, check=True)
    assert PAGE.read_bytes() == done.stdout == markdown().encode()


def test_every_listed_key_is_read(tmp_path: Path) -> None:
    """Each key on the page can be set, by its variable as well as by its path, to the same effect."""
    for key in KEYS:
        environ = {key.variable.replace("NAME", "LLM_ACCESS"): EXAMPLES[key.path]}
        path = key.path.replace("NAME", "llm_access").replace("PORT", "port").replace("ID", "id").replace("KEY", "key")
        by_variable = Settings.load(tmp_path, environ)
        assert by_variable == Settings.load(tmp_path, {}, {path: EXAMPLES[key.path]})
        assert by_variable != Settings.load(tmp_path, {})


def test_every_key_is_listed(tmp_path: Path) -> None:
    """The page misses no key of [plugins]: the error for an unknown one names those on the page, and no other."""
    with pytest.raises(SettingsInvalid) as caught:
        Settings.load(tmp_path, {}, {"plugins.xyzxyz": 1})
    known = ", ".join(each.path.removeprefix("plugins.") for each in KEYS if each.path.startswith("plugins."))
    assert f"Known: {known}." in caught.value.problems[0]
