"""Edits of hotswap.toml keep what a person wrote, and happen wholly or not at all."""

from __future__ import annotations

import os
import stat
import tomllib
from pathlib import Path

import pytest

from hotswap.errors import SettingsConflict, SettingsInvalid
from hotswap.settings import DEFAULTS, Settings
from hotswap.settings_file import SettingsFile
from hotswap.trust import Trust

WRITTEN = """\
# What we run.
[plugins]
enabled = [
    "http-scraper",  # the web
    "openai-compatible>=1.2",
]

[ports]
ai = "openai-compatible"   # the big one

[config.openai-compatible]
model = "m"
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "hotswap.toml"


@pytest.fixture
def written(path: Path) -> Path:
    path.write_text(WRITTEN, encoding="utf-8")
    return path


def loaded(path: Path) -> Settings:
    return Settings.load(path.parent, {})


def test_enable_keeps_comments_and_order(written: Path) -> None:
    """Enabling a plugin adds one line, and every comment and blank line stays."""
    SettingsFile(written).enable("polite-scraper")
    text = written.read_text(encoding="utf-8")
    assert text == WRITTEN.replace('>=1.2",\n', '>=1.2",\n    "polite-scraper",\n')


def test_enable_replaces_the_entry_of_that_id(written: Path) -> None:
    """Enabling with another range changes the entry in its place."""
    SettingsFile(written).enable("openai-compatible>=2")
    assert loaded(written).enabled == ("http-scraper", "openai-compatible>=2")


def test_enable_what_is_enabled_leaves_the_file_alone(written: Path) -> None:
    """An edit that changes nothing does not touch the file."""
    before = written.stat()
    SettingsFile(written).enable("http-scraper")
    assert (written.stat().st_ino, written.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_new_file_keeps_what_was_in_effect(path: Path) -> None:
    """The first edit writes the defaults down, so that nothing else changes."""
    SettingsFile(path).enable("memory")
    assert loaded(path).enabled == (*DEFAULTS.enabled, "memory")
    assert loaded(path).selected == Settings().selected


def test_disable_from_defaults(path: Path) -> None:
    """Disabling a default leaves the other defaults enabled."""
    SettingsFile(path).disable("research")
    settings = loaded(path)
    assert settings.enabled == tuple(each for each in DEFAULTS.enabled if each != "research")
    assert settings.disabled == ()


def test_disable_what_a_port_names(written: Path) -> None:
    """A plugin that [ports] selects is entered as disabled, and enabling it again takes that back."""
    file = SettingsFile(written)
    file.disable("openai-compatible")
    assert (loaded(written).enabled, loaded(written).disabled) == (("http-scraper",), ("openai-compatible",))
    file.disable("openai-compatible")
    assert loaded(written).disabled == ("openai-compatible",)
    file.enable("openai-compatible")
    assert (loaded(written).enabled, loaded(written).disabled) == (("http-scraper", "openai-compatible"), ())


def test_disable_what_was_not_enabled(written: Path) -> None:
    """A plugin that only a dependency brought in is entered as disabled."""
    SettingsFile(written).disable("html-cleaner")
    assert loaded(written).disabled == ("html-cleaner",)


def test_select(written: Path) -> None:
    """Selecting writes one name as a text and several as a list, beside what stands there."""
    file = SettingsFile(written)
    file.select("ai", ["openai-compatible", "extractive-ai"])
    file.select("storage", "memory")
    assert loaded(written).ports == {"ai": ("openai-compatible", "extractive-ai"), "storage": ("memory",)}
    assert 'storage = "memory"' in written.read_text(encoding="utf-8")
    assert "# the big one" in written.read_text(encoding="utf-8")


def test_config_and_trust(written: Path) -> None:
    """A plugin's settings are set by dotted key, its trust by level; tables appear as needed."""
    file = SettingsFile(written)
    file.set_config("openai-compatible", "retry.times", 3)
    file.set_config("sqlite-storage", "path", 'da"ta.db')
    file.set_trust("polite-scraper", Trust.COMMUNITY)
    settings = loaded(written)
    assert settings.config == {
        "openai-compatible": {"model": "m", "retry": {"times": 3}},
        "sqlite-storage": {"path": 'da"ta.db'},
    }
    assert settings.trust == {"polite-scraper": Trust.COMMUNITY}


def test_config_below_a_value(written: Path) -> None:
    """A dotted key that would lead through a value is refused, and the file stays as it was."""
    with pytest.raises(SettingsConflict, match="'model' is a value there, not a table"):
        SettingsFile(written).set_config("openai-compatible", "model.name", "x")
    assert written.read_text(encoding="utf-8") == WRITTEN


def test_spellings(path: Path) -> None:
    """Inline tables and dotted keys, the other spellings of a table, are edited in place."""
    path.write_text('plugins = { enabled = ["a"] }\nports.ai = "x"\n', encoding="utf-8")
    file = SettingsFile(path)
    file.enable("b")
    file.select("storage", "s")
    assert tomllib.loads(path.read_text(encoding="utf-8")) == {
        "plugins": {"enabled": ["a", "b"]},
        "ports": {"ai": "x", "storage": "s"},
    }


def test_line_ends_stay(path: Path) -> None:
    """A file with Windows line ends keeps them."""
    path.write_bytes(WRITTEN.replace("\n", "\r\n").encode())
    SettingsFile(path).select("ai", "x")
    assert path.read_bytes() == WRITTEN.replace('"openai-compatible"   #', '"x"   #').replace("\n", "\r\n").encode()


def test_nothing_unsound_is_written(written: Path) -> None:
    """An edit that would make the file unsound is refused before it is written."""
    with pytest.raises(SettingsInvalid, match="'Not An Id' must be a plugin's id"):
        SettingsFile(written).enable("Not An Id")
    assert written.read_text(encoding="utf-8") == WRITTEN


def test_unsound_file_is_not_edited(path: Path) -> None:
    """A file with a mistake in it is reported, not rewritten."""
    path.write_text("[plugin]\n", encoding="utf-8")
    with pytest.raises(SettingsInvalid, match="unknown table 'plugin'"):
        SettingsFile(path)


def test_changed_underneath(written: Path) -> None:
    """An edit by somebody else in between is not overwritten."""
    file = SettingsFile(written)
    written.write_text("[plugins]\nenabled = []\n", encoding="utf-8")
    with pytest.raises(SettingsConflict, match="something else changed it") as caught:
        file.enable("a")
    assert caught.value.code == "PLUG-027"
    assert written.read_text(encoding="utf-8") == "[plugins]\nenabled = []\n"


def test_mode_is_kept(written: Path) -> None:
    """The file keeps its mode, and no other file is left beside it."""
    written.chmod(0o600)
    SettingsFile(written).enable("a")
    assert stat.S_IMODE(written.stat().st_mode) == 0o600
    assert [each.name for each in written.parent.iterdir()] == ["hotswap.toml"]


def test_link_is_followed(written: Path, tmp_path: Path) -> None:
    """An edit through a symbolic link changes the file behind it."""
    link = tmp_path / "sub" / "hotswap.toml"
    link.parent.mkdir()
    link.symlink_to(written)
    SettingsFile(link).enable("a")
    assert link.is_symlink()
    assert "a" in loaded(written).enabled


def test_unwritable(written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A read-only file and a full disk are conflicts that say why, and leave the file as it was."""
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write anything
    with pytest.raises(SettingsConflict, match="it cannot be written: Permission denied"):
        SettingsFile(written).enable("a")
    monkeypatch.undo()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(SettingsConflict, match="No space left on device"):
        SettingsFile(written).enable("a")
    assert written.read_text(encoding="utf-8") == WRITTEN
    assert [each.name for each in written.parent.iterdir()] == ["hotswap.toml"]


def test_folder_is_missing(tmp_path: Path) -> None:
    """A file in a folder that is not there cannot be written, and says so."""
    with pytest.raises(SettingsConflict, match="it cannot be written: No such file"):
        SettingsFile(tmp_path / "none" / "hotswap.toml").enable("a")
