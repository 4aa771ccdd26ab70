"""Edits of hotswap.toml keep what a person wrote."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from hotswap.errors import SettingsConflict, SettingsInvalid
from hotswap.settings import DEFAULTS, Settings, read_settings
from hotswap.settings_text import SettingsText
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
TOML = Path("hotswap.toml").absolute()


@pytest.fixture
def written() -> SettingsText:
    return SettingsText(WRITTEN.encode(), TOML)


@pytest.fixture
def nothing() -> SettingsText:
    return SettingsText(None, TOML)


def loaded(text: SettingsText) -> Settings:
    return read_settings(TOML.parent, TOML, text.content, {})


def shown(text: SettingsText) -> str:
    assert text.content is not None
    return text.content.decode()


def test_enable_keeps_comments_and_order(written: SettingsText) -> None:
    """Enabling a plugin adds one line, and every comment and blank line stays."""
    written.enable("polite-scraper")
    assert shown(written) == WRITTEN.replace('>=1.2",\n', '>=1.2",\n    "polite-scraper",\n')


def test_enable_replaces_the_entry_of_that_id(written: SettingsText) -> None:
    """Enabling with another range changes the entry in its place."""
    written.enable("openai-compatible>=2")
    assert loaded(written).enabled == ("http-scraper", "openai-compatible>=2")


def test_enable_what_is_enabled_changes_nothing(written: SettingsText) -> None:
    """An edit that says what stands there leaves every byte as it is."""
    written.enable("http-scraper")
    assert shown(written) == WRITTEN


def test_new_text_keeps_what_was_in_effect(nothing: SettingsText) -> None:
    """The first edit writes the defaults down, so that nothing else changes."""
    nothing.enable("memory")
    assert loaded(nothing).enabled == (*DEFAULTS.enabled, "memory")
    assert loaded(nothing).selected == Settings().selected


def test_disable_from_defaults(nothing: SettingsText) -> None:
    """Disabling a default leaves the other defaults enabled."""
    nothing.disable("research")
    assert loaded(nothing).enabled == tuple(each for each in DEFAULTS.enabled if each != "research")
    assert loaded(nothing).disabled == ()


def test_disable_what_a_port_names(written: SettingsText) -> None:
    """A plugin that [ports] selects is entered as disabled, and enabling it again takes that back."""
    written.disable("openai-compatible")
    assert (loaded(written).enabled, loaded(written).disabled) == (("http-scraper",), ("openai-compatible",))
    written.disable("openai-compatible")
    assert loaded(written).disabled == ("openai-compatible",)
    written.enable("openai-compatible")
    assert (loaded(written).enabled, loaded(written).disabled) == (("http-scraper", "openai-compatible"), ())


def test_disable_what_was_not_enabled(written: SettingsText) -> None:
    """A plugin that only a dependency brought in is entered as disabled."""
    written.disable("html-cleaner")
    assert loaded(written).disabled == ("html-cleaner",)


def test_select(written: SettingsText) -> None:
    """Selecting writes one name as a text and several as a list, beside what stands there."""
    written.select("ai", ["openai-compatible", "extractive-ai"])
    written.select("storage", "memory")
    assert loaded(written).ports == {"ai": ("openai-compatible", "extractive-ai"), "storage": ("memory",)}
    assert 'storage = "memory"' in shown(written)
    assert "# the big one" in shown(written)


def test_config_and_trust(written: SettingsText) -> None:
    """A plugin's settings are set by dotted key, its trust by level; tables appear as needed."""
    written.set_config("openai-compatible", "retry.times", 3)
    written.set_config("sqlite-storage", "path", 'da"ta.db')
    written.set_trust("polite-scraper", Trust.COMMUNITY)
    settings = loaded(written)
    assert settings.config == {
        "openai-compatible": {"model": "m", "retry": {"times": 3}},
        "sqlite-storage": {"path": 'da"ta.db'},
    }
    assert settings.trust == {"polite-scraper": Trust.COMMUNITY}


def test_config_below_a_value(written: SettingsText) -> None:
    """A dotted key that would lead through a value is refused, and the text stays as it was."""
    with pytest.raises(SettingsConflict, match="'model' is a value there, not a table"):
        written.set_config("openai-compatible", "model.name", "x")
    assert shown(written) == WRITTEN


def test_spellings() -> None:
    """Inline tables and dotted keys, the other spellings of a table, are edited in place."""
    text = SettingsText(b'plugins = { enabled = ["a"] }\nports.ai = "x"\n', TOML)
    text.enable("b")
    text.select("storage", "s")
    assert tomllib.loads(shown(text)) == {"plugins": {"enabled": ["a", "b"]}, "ports": {"ai": "x", "storage": "s"}}


def test_line_ends_stay() -> None:
    """A file with Windows line ends keeps them."""
    text = SettingsText(WRITTEN.replace("\n", "\r\n").encode(), TOML)
    text.select("ai", "x")
    assert shown(text) == WRITTEN.replace('"openai-compatible"   #', '"x"   #').replace("\n", "\r\n")


def test_nothing_unsound_comes_out(written: SettingsText) -> None:
    """An edit that would make the file unsound is refused, and the text stays as it was."""
    with pytest.raises(SettingsInvalid, match="'Not An Id' must be a plugin's id"):
        written.enable("Not An Id")
    assert shown(written) == WRITTEN


def test_unsound_text_is_not_edited() -> None:
    """A file with a mistake in it is reported, not rewritten."""
    with pytest.raises(SettingsInvalid, match="unknown table 'plugin'"):
        SettingsText(b"[plugin]\n", TOML)
