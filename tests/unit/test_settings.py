"""hotswap.toml, the environment and the command line become one Settings, or one list of everything that is wrong."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet

from hotswap.errors import SettingsInvalid
from hotswap.settings import DEFAULTS, Settings, is_on
from hotswap.settings_tables import Layer, TableCheck
from hotswap.trust import Trust

EVERYTHING = """
[plugins]
enabled = ["http-scraper", "openai-compatible>=1.2,<2"]
disabled = ["research"]
paths = ["../mine", "/abs"]
drain_timeout = 5
open_timeout = 0.5
[ports]
storage = "sqlite-storage"
ai = ["openai-compatible", "extractive-ai"]
[config.openai-compatible]
api_key = "sk-secret"
retry = { times = 3, wait = 1.5 }
[trust]
polite-scraper = "community"
[grants.polite-scraper]
network = ["api.example.org"]
file_system_read = true
process_exec = false
max_memory_mb = 64
max_cpu_seconds = 0.5
"""


def load(folder: Path, toml: str | None = None, environ: dict[str, str] | None = None, **overrides: Any) -> Settings:
    if toml is not None:
        (folder / "hotswap.toml").write_text(toml, encoding="utf-8")
    return Settings.load(folder, environ or {}, {key.replace("__", "."): value for key, value in overrides.items()})


def problems(folder: Path, toml: str | None = None, environ: dict[str, str] | None = None, **over: Any) -> list[str]:
    with pytest.raises(SettingsInvalid) as caught:
        load(folder, toml, environ, **over)
    return list(caught.value.problems)


def test_defaults_without_a_file(tmp_path: Path) -> None:
    """Without a file the embedded defaults are enabled and serve every port."""
    settings = load(tmp_path)
    assert settings.source is None
    assert settings.folder == tmp_path
    assert tuple(settings.wanted) == DEFAULTS.enabled
    assert settings.selected == DEFAULTS.ports
    assert settings == Settings(tmp_path)


def test_whole_file(tmp_path: Path) -> None:
    """Every table and key of the format is read, and relative paths count from the file's folder."""
    settings = load(tmp_path, EVERYTHING)
    assert settings.source == tmp_path / "hotswap.toml"
    assert settings.wanted == {"http-scraper": SpecifierSet(), "openai-compatible": SpecifierSet(">=1.2,<2")}
    assert settings.disabled == ("research",)
    assert settings.paths == (tmp_path / "../mine", Path("/abs"))
    assert (settings.drain_timeout, settings.open_timeout) == (5.0, 0.5)
    assert settings.ports == {"storage": ("sqlite-storage",), "ai": ("openai-compatible", "extractive-ai")}
    assert settings.config == {"openai-compatible": {"api_key": "sk-secret", "retry": {"times": 3, "wait": 1.5}}}
    assert settings.trust == {"polite-scraper": Trust.COMMUNITY}
    assert settings.grants["polite-scraper"] == {
        "network": ("api.example.org",),
        "file_system_read": True,
        "process_exec": False,
        "max_memory_mb": 64,
        "max_cpu_seconds": 0.5,
    }


def test_two_lines_are_enough(tmp_path: Path) -> None:
    """A file that only selects another provider keeps every other default."""
    settings = load(tmp_path, '[ports]\nai = "openai-compatible"\n[config.openai-compatible]\nmodel = "m"\n')
    assert tuple(settings.wanted) == DEFAULTS.enabled
    assert settings.selected == {**DEFAULTS.ports, "ai": ("openai-compatible",)}


def test_enabled_replaces_the_defaults(tmp_path: Path) -> None:
    """A list of enabled plugins replaces the embedded one, and takes the default selections of the others with it."""
    settings = load(tmp_path, '[plugins]\nenabled = ["http-scraper", "memory"]\n')
    assert list(settings.wanted) == ["http-scraper", "memory"]
    assert settings.selected == {"scraper": ("http-scraper",)}


def test_disabled_outweighs_enabled(tmp_path: Path) -> None:
    """A disabled plugin is not wanted, and no default selects it."""
    settings = load(tmp_path, '[plugins]\ndisabled = ["research"]\n')
    assert "research" not in settings.wanted
    assert "workflow" not in settings.selected


def test_one_id_twice_is_one_requirement() -> None:
    """Two entries for one plugin are one requirement that holds both ranges."""
    assert Settings(enabled=("a>=1", "a<2")).wanted == {"a": SpecifierSet(">=1,<2")}


def test_direct_construction_checks_requirements() -> None:
    """An entry that is no requirement is named when the wanted plugins are asked for."""
    with pytest.raises(SettingsInvalid, match="'Bad One' must be a plugin's id"):
        _ = Settings(enabled=("Bad One",)).wanted


def test_a_text_is_no_list() -> None:
    """One id in place of a list of ids is refused, not taken apart into letters."""
    with pytest.raises(TypeError, match="not the text 'memory'"):
        Settings(enabled="memory")


def test_repr_shows_no_configured_value(tmp_path: Path) -> None:
    """The repr of settings names the configured keys and none of their values."""
    shown = repr(load(tmp_path, EVERYTHING))
    assert "api_key" in shown
    assert "sk-secret" not in shown


def test_every_problem_at_once(tmp_path: Path) -> None:
    """All problems of a file come together, each with its path, and unknown names with the nearest known one."""
    found = problems(
        tmp_path,
        """
        plugin = 1
        grants = 7
        [plugins]
        enabeld = []
        enabled = "http-scraper"
        disabled = ["a>=1", "B", "c>=x"]
        paths = [1]
        drain_timeout = -1
        open_timeout = 0
        [ports]
        ai = []
        storage = ["a", "a"]
        search = 3
        Formatter = "x"
        workflow = " "
        [config]
        flat = 1
        Bad = {}
        [trust]
        one = "verifed"
        two = 3
        """,
    )
    assert found == [
        "unknown table 'plugin'. Did you mean 'plugins'? @ $.plugin",
        "must be a table @ $.grants",
        "unknown key 'enabeld'. Did you mean 'enabled' or 'disabled'? @ $.plugins.enabeld",
        "must be a list of plugin ids @ $.plugins.enabled",
        "'a>=1' must be an id alone: a plugin is disabled in every version @ $.plugins.disabled",
        "'B' must be a plugin's id (small letters, digits, dashes), with a version range after it or without "
        "@ $.plugins.disabled",
        "'c>=x' has no version range that can be read: '>=x'; write one like '>=1.2,<2' @ $.plugins.disabled",
        "must be a list of paths @ $.plugins.paths",
        "must be a number of seconds, 0 or more @ $.plugins.drain_timeout",
        "must be a number of seconds, above 0 @ $.plugins.open_timeout",
        "must name a provider, or several in order of failover @ $.ports.ai",
        "names a provider twice @ $.ports.storage",
        "must be a list of provider names @ $.ports.search",
        "'Formatter' is no name of a port (small letters, digits, underscores) @ $.ports.Formatter",
        "must name a provider, or several in order of failover @ $.ports.workflow",
        "must be a table of the plugin's settings @ $.config.flat",
        "'Bad' is no plugin's id (small letters, digits, dashes) @ $.config.Bad",
        "'verifed' is no trust level. Did you mean 'verified'? @ $.trust.one",
        "must be the name of a trust level @ $.trust.two",
    ]


def test_home_of_nobody(tmp_path: Path) -> None:
    """A path into the home of an unknown user is taken as it stands, to be reported as a place without plugins."""
    settings = load(tmp_path, '[plugins]\npaths = ["~no-such-user/x", "~/y"]\n')
    assert settings.paths == (tmp_path / "~no-such-user/x", Path.home() / "y")


def test_grants_are_checked(tmp_path: Path) -> None:
    """A grant is a capability's boolean or list, or a limit's number, and nothing else."""
    found = problems(
        tmp_path,
        """
        [grants]
        flat = true
        [grants.a]
        netwrok = true
        network = "api.example.org"
        llm_access = ["x"]
        max_memory_mb = 1.5
        max_cpu_seconds = 0
        max_execution_seconds = true
        """,
    )
    assert found == [
        "must be a table of capabilities and limits @ $.grants.flat",
        "unknown capability or limit 'netwrok'. Did you mean 'network'? @ $.grants.a.netwrok",
        "must be a list of hosts or paths, or true or false @ $.grants.a.network",
        "must be true or false @ $.grants.a.llm_access",
        "must be a whole number above 0 @ $.grants.a.max_memory_mb",
        "must be a number above 0 @ $.grants.a.max_cpu_seconds",
        "must be a number above 0 @ $.grants.a.max_execution_seconds",
    ]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"[plugins\n", "it is not TOML: Expected ']' at the end of a table declaration (at line 1, column 9)"),
        (b"a = '\xff'", "it is not UTF-8: byte 5"),
        (b"a = " + b"9" * 5000, "it is not TOML that can be read: a number or a nesting is out of bounds"),
        (b"a = " + b"[" * 100_000, "it is not TOML that can be read: a number or a nesting is out of bounds"),
        (b"a." * 400_000 + b"a = 1", "it is not TOML that can be read: a key has more than 40 parts"),
        (b"#" * (1024 * 1024 + 1), "it has 1048577 bytes; 1048576 are the most"),
    ],
)
def test_hostile_file(tmp_path: Path, content: bytes, problem: str) -> None:
    """What is no TOML of sane size is one sentence with line and column, never a traceback."""
    (tmp_path / "hotswap.toml").write_bytes(content)
    assert problems(tmp_path) == [problem]


def test_byte_order_mark(tmp_path: Path) -> None:
    """A byte order mark, which some editors write, is no error."""
    (tmp_path / "hotswap.toml").write_bytes(b'\xef\xbb\xbf[ports]\nai = "x"\n')
    assert load(tmp_path).ports == {"ai": ("x",)}


def test_not_an_ordinary_file(tmp_path: Path) -> None:
    """A folder, a named pipe and a dangling link in place of the file are refused, and nothing waits on the pipe."""
    path = tmp_path / "hotswap.toml"
    path.mkdir()
    assert problems(tmp_path) == ["it is not an ordinary file"]
    path.rmdir()
    os.mkfifo(path)
    assert problems(tmp_path) == ["it is not an ordinary file"]
    path.unlink()
    path.symlink_to(tmp_path / "nowhere")
    assert problems(tmp_path) == ["it cannot be read: No such file or directory"]


def test_another_file(tmp_path: Path) -> None:
    """HOTSWAP_CONFIG_FILE names another file, which then must be there."""
    other = tmp_path / "sub" / "other.toml"
    other.parent.mkdir()
    other.write_text('[plugins]\npaths = ["x"]\n', encoding="utf-8")
    settings = load(tmp_path, '[ports]\nai = "unread"\n', {"HOTSWAP_CONFIG_FILE": str(other)})
    assert (settings.source, settings.ports, settings.paths) == (other, {}, (other.parent / "x",))
    assert problems(tmp_path, None, {"HOTSWAP_CONFIG_FILE": str(tmp_path / "none")}) == [
        "it cannot be read: No such file or directory"
    ]


def test_environment_overrides_the_file(tmp_path: Path) -> None:
    """Variables replace what the file says, key by key, and are read by the kind of the setting."""
    settings = load(
        tmp_path,
        EVERYTHING,
        {
            "HOTSWAP_PLUGINS_ENABLED": "a, b>=1,<2 ,c",
            "HOTSWAP_PLUGINS_PATHS": os.pathsep.join(["/one", "/two"]),
            "HOTSWAP_PLUGINS_DRAIN_TIMEOUT": "1.5",
            "HOTSWAP_PORTS_AI": "x,y",
            "HOTSWAP_CONFIG__OPENAI_COMPATIBLE__API_KEY": "other",
            "HOTSWAP_CONFIG__OPENAI_COMPATIBLE__RETRY__TIMES": "5",
            "HOTSWAP_TRUST__POLITE_SCRAPER": "verified",
            "HOTSWAP_GRANTS__POLITE_SCRAPER__NETWORK": "a.org,b.org",
            "HOTSWAP_GRANTS__POLITE_SCRAPER__FILE_SYSTEM_READ": "false",
            "HOTSWAP_LOG": "debug",
            "HOME": "/root",
        },
    )
    assert settings.enabled == ("a", "b>=1,<2", "c")
    assert settings.paths == (Path("/one"), Path("/two"))
    assert (settings.drain_timeout, settings.open_timeout) == (1.5, 0.5)
    assert settings.ports == {"storage": ("sqlite-storage",), "ai": ("x", "y")}
    assert settings.config == {"openai-compatible": {"api_key": "other", "retry": {"times": 5, "wait": 1.5}}}
    assert settings.trust == {"polite-scraper": Trust.VERIFIED}
    grants = settings.grants["polite-scraper"]
    assert (grants["network"], grants["file_system_read"]) == (("a.org", "b.org"), False)
    assert grants["process_exec"] is False


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("30", 30),
        ("0.5", 0.5),
        ("true", True),
        ('"30"', "30"),
        ("[1, 2]", [1, 2]),
        ("plain text", "plain text"),
        ("123e4567", "123e4567"),
        ("NaN", "NaN"),
        ("null", "null"),
        ("9" * 5000, "9" * 5000),
        ("[" * 100_000, "[" * 100_000),
    ],
)
def test_types_of_configured_text(tmp_path: Path, text: str, value: Any) -> None:
    """A plugin's setting from the environment is JSON where it is JSON, and text otherwise."""
    assert load(tmp_path, None, {"HOTSWAP_CONFIG__A__KEY": text}).config == {"a": {"key": value}}


def test_problems_of_the_environment(tmp_path: Path) -> None:
    """A bad variable is named, together with what is wrong in the file, and its value is not shown."""
    found = problems(
        tmp_path,
        "[plugins]\nenabled = 1\n",
        {
            "HOTSWAP_PLUGINS_DRAIN_TIMEOUT": "sk-secret",
            "HOTSWAP_PLUGINS_ENABELD": "a",
            "HOTSWAP_TRUST__A": "verifed",
        },
    )
    assert found == [
        "must be a list of plugin ids @ $.plugins.enabled",
        "must be a number of seconds, 0 or more @ HOTSWAP_PLUGINS_DRAIN_TIMEOUT",
        "unknown key 'enabeld'. Did you mean 'enabled' or 'disabled'? @ HOTSWAP_PLUGINS_ENABELD",
        "'verifed' is no trust level. Did you mean 'verified'? @ HOTSWAP_TRUST__A",
    ]


def test_variables_that_name_nothing(tmp_path: Path) -> None:
    """A variable without a key, with too many or too few underscores, or one that contradicts a shorter one, is a
    problem; an empty one is unset.
    """
    found = problems(
        tmp_path,
        '[ports]\nAI = "x"',
        {
            "HOTSWAP_CONFIG__A": "1",
            "HOTSWAP_CONFIG__A__": "1",
            "HOTSWAP_CONFIG__B__KEY": "1",
            "HOTSWAP_CONFIG__B__KEY__DEEPER": "1",
            "HOTSWAP_TRUST__A__B": "verified",
            "HOTSWAP_PORTS_": "x",
            "HOTSWAP_PORTS_AI": "",
            "HOTSWAP_PLUGINS__ENABLED": "a",
            "HOTSWAP_CONFIG_A__KEY": "1",
            "HOTSWAP_GRANTS_A": "",
            "HOTSWAP_CONFIGURED": "belongs to nobody",
        },
    )
    assert found == [
        "'AI' is no name of a port (small letters, digits, underscores) @ $.ports.AI",
        "sets nothing: write HOTSWAP_CONFIG__ID__KEY @ HOTSWAP_CONFIG_A__KEY",
        "names no setting @ HOTSWAP_CONFIG__A",
        "names no setting @ HOTSWAP_CONFIG__A__",
        "contradicts a shorter variable that sets the whole @ HOTSWAP_CONFIG__B__KEY__DEEPER",
        "sets nothing: write HOTSWAP_PLUGINS_ENABLED @ HOTSWAP_PLUGINS__ENABLED",
        "names no setting @ HOTSWAP_PORTS_",
        "names no setting @ HOTSWAP_TRUST__A__B",
    ]


def test_command_line_overrides_everything(tmp_path: Path) -> None:
    """Dotted keys from the command line outweigh the environment, as text or as typed values."""
    settings = Settings.load(
        tmp_path,
        {"HOTSWAP_PORTS_AI": "x", "HOTSWAP_PLUGINS_PATHS": "/late"},
        {"ports.ai": "y,z", "plugins.enabled": ["a"], "config.a.depth": "3", "trust.a": Trust.OFFICIAL},
        plugin_paths=[tmp_path / "early"],
    )
    assert settings.ports == {"ai": ("y", "z")}
    assert settings.enabled == ("a",)
    assert settings.config == {"a": {"depth": 3}}
    assert settings.trust == {"a": Trust.OFFICIAL}
    assert settings.paths == (tmp_path / "early", Path("/late"))


def test_problems_of_the_command_line(tmp_path: Path) -> None:
    """A key that names no setting is a problem of the command line."""
    found = problems(tmp_path, ai="x", ports__ai=3, config__a__b=1, config__a__b__c=2)
    assert found == [
        "'ai' names no setting; write table.key, like ports.ai",
        "contradicts a shorter key that sets the whole @ config.a.b.c",
    ]
    assert problems(tmp_path, ports__ai=3) == ["must be a list of provider names @ ports.ai"]


@pytest.mark.parametrize("by_flag", [True, False])
def test_safe_mode(tmp_path: Path, by_flag: bool) -> None:
    """Safe mode enables the embedded defaults whatever the file says, and keeps where their data is."""
    (tmp_path / "hotswap.toml").write_text(EVERYTHING, encoding="utf-8")
    environ = {} if by_flag else {"HOTSWAP_NO_PLUGINS": "1"}
    settings = Settings.load(tmp_path, environ, plugin_paths=["x"], safe_mode=by_flag)
    assert settings.safe_mode
    assert settings.selected == DEFAULTS.ports
    assert (settings.paths, settings.grants, settings.disabled) == ((), {}, ())
    assert settings.config["openai-compatible"]
    assert settings.drain_timeout == 5.0


KEYS = st.sampled_from(["plugins", "enabled", "paths", "ports", "ai", "config", "trust", "grants", "network", "a-b"])
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["a>=1", "verified"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | st.text(max_size=3), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(KEYS | st.text(max_size=3), VALUES, max_size=5))
def test_any_tables(tables: dict[str, Any]) -> None:
    """Whatever values stand in the tables, they are taken or refused as problems: nothing else is raised."""
    check = TableCheck(Layer("any", Path("/"), tables))
    assert check.problems or set(check.values) == set(tables)


@given(st.dictionaries(st.sampled_from(["CONFIG__", "PORTS_", "PLUGINS_", "TRUST__", "GRANTS__", "X"]), st.text()))
def test_any_environment(variables: dict[str, str]) -> None:
    """Whatever the environment holds, the outcome is settings or SettingsInvalid."""
    for ending in ("A", "A__NETWORK", "ENABLED", "PATHS", "__", ""):
        with suppress(SettingsInvalid):
            Settings.load("/nowhere", {f"HOTSWAP_{name}{ending}": text for name, text in variables.items()})


def test_switches() -> None:
    """A switch is on for anything but the usual words for off."""
    assert [is_on(text) for text in ("1", "yes", "", "0", "False", " off ")] == [True, True, False, False, False, False]
