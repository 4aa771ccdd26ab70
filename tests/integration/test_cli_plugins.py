"""``hotswap plugin ...``: list, info, enable, disable, graph, validate."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import tomlkit

from tests.integration.cli_project import call, document, echo_project
from tests.plugin_folder import write_plugin

STORAGE = """
    from hotswap_ports.testing import MemoryStorage

    class Kept(MemoryStorage):
        pass
"""
USER = """
    from hotswap_ports import Plugin, Storage

    class User(Plugin):
        def __init__(self, storage: Storage) -> None:
            self.storage = storage
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Give a project with ``echo`` enabled, and ``kept`` (a storage) and ``user`` (which needs one) available."""
    plugins = echo_project(tmp_path) / "plugins"
    write_plugin(plugins, "kept", STORAGE, type="storage", provides={"storage": "Kept"})
    write_plugin(plugins, "user", USER, requires={"storage": ">=1"}, python={"class_name": "User"})
    return tmp_path


def enabled_in(project: Path) -> list[str]:
    return list(tomlkit.parse((project / "hotswap.toml").read_text("utf-8"))["plugins"]["enabled"])  # type: ignore[index, call-overload]


def test_list_shows_what_was_found(project: Path) -> None:
    """The table has one line a plugin, aligned plain text where there is no terminal, with door, trust and state."""
    result = call(project, "plugin", "list")
    assert (result.exit_code, result.stderr) == (0, "")
    rows = {line.split()[0]: line.split()[1:5] for line in result.stdout.splitlines()[1:]}
    assert rows["echo"] == ["1.0.0", "project", "verified", "enabled"]
    assert rows["kept"] == ["1.0.0", "project", "verified", "available"]
    assert rows["sqlite-storage"][1:3] == ["distribution", "official"]
    assert "\x1b" not in result.stdout


def test_long_ids_are_not_cut(project: Path) -> None:
    """An id of any length stands whole in the table, also in a narrow terminal's width."""
    name = "a" + "-very-long-name" * 12
    write_plugin(project / "plugins", name, folder="long")
    assert name in call(project, "plugin", "list", env={"COLUMNS": "40"}).stdout


def test_list_names_bad_manifests_and_hidden_plugins(project: Path) -> None:
    """A bad manifest is a warning with its problems, a plugin behind an earlier door a note; the others are listed."""
    bad = project / "plugins" / "bad"
    bad.mkdir()
    (bad / "plugin.toml").write_text('[plugin]\nid = "Bad\x7fId"\n'.replace("\x7f", "\\u001b"), "utf-8")
    write_plugin(project / ".hotswap" / "plugins", "kept", version="9.0.0")
    write_plugin(project / "elsewhere", "kept", version="2.0.0")
    result = call(project, "plugin", "list", "--plugin", str(project / "elsewhere"))
    assert result.exit_code == 0
    assert "warning[PLUG-005]" in result.stderr
    assert "\x1b" not in result.stderr
    assert "is hidden by" in result.stderr
    assert "kept" in result.stdout
    found = document(project, "plugin", "list", "--plugin", str(project / "elsewhere"))
    assert found["shadowed"][0]["id"] == "kept"
    assert found["warnings"][0]["code"] == "PLUG-005"


def test_list_of_all_versions(project: Path) -> None:
    """--all lists each version; without it the newest stands for all."""
    write_plugin(project / "plugins", "kept", version="1.5.0", folder="kept-2")
    assert [each["version"] for each in document(project, "plugin", "list")["plugins"] if each["id"] == "kept"] == [
        "1.5.0"
    ]
    every = document(project, "plugin", "list", "--all")["plugins"]
    assert [each["version"] for each in every if each["id"] == "kept"] == ["1.5.0", "1.0.0"]


def test_safe_mode_finds_own_plugins_only(project: Path) -> None:
    """--safe-mode leaves out whatever did not come with hotswap."""
    ids = [each["id"] for each in document(project, "plugin", "list", "--safe-mode")["plugins"]]
    assert "echo" not in ids
    assert "sqlite-storage" in ids


def test_info_shows_settings_and_masks_secrets(project: Path) -> None:
    """info shows each setting with its default, value and variable; a secret's value and default stay hidden."""
    schema = {
        "type": "object",
        "properties": {
            "api_key": {"type": "string", "default": "default-secret"},
            "depth": {"type": "integer", "default": 3, "description": "How deep."},
        },
    }
    config = {"schema": schema, "env_vars": {"api_key": "KEPT_KEY"}}
    limits, capabilities = {"max_memory_mb": 64}, {"network": ["example.org"]}
    write_plugin(project / "plugins", "keyed", config=config, limits=limits, capabilities=capabilities)
    arguments = ("plugin", "info", "keyed", "--set", "config.keyed.api_key=my-secret")
    text = call(project, *arguments).stdout
    assert "depth (integer) = 3, default 3" in text
    assert "How deep." in text
    assert "api_key (string) = ***, default ***, also from KEPT_KEY" in text
    assert "network: example.org; granted: example.org" in text
    assert "max_memory_mb: 64" in text
    both = text + str(document(project, *arguments))
    assert "my-secret" not in both
    assert "default-secret" not in both


def test_info_shows_broken_settings(project: Path) -> None:
    """Settings that break the schema are shown as problems, not as a failure of info."""
    schema = {"type": "object", "properties": {"depth": {"type": "integer"}}}
    write_plugin(project / "plugins", "deep", config={"schema": schema})
    result = call(project, "plugin", "info", "deep", "--set", "config.deep.depth=x")
    assert result.exit_code == 0
    assert "problem:" in result.stdout


def test_info_of_everything_that_is_found(project: Path) -> None:
    """info describes every plugin that comes with hotswap, and one that needs others, without importing it."""
    write_plugin(
        project / "plugins", "needy", "raise SystemExit", dependencies={"kept": ">=1"}, conflicts={"other": "<2"}
    )
    assert "dependencies  kept >=1" in call(project, "plugin", "info", "needy").stdout
    for each in document(project, "plugin", "list")["plugins"]:
        assert document(project, "plugin", "info", each["id"])["plugin"]["id"] == each["id"]
        assert call(project, "plugin", "info", each["id"]).exit_code == 0


@pytest.mark.parametrize("command", ["info", "enable", "disable", "graph"])
def test_unknown_id_names_the_nearest(project: Path, command: str) -> None:
    """A slip in an id is answered with the id that was meant; nothing is written."""
    before = (project / "hotswap.toml").read_bytes()
    result = call(project, "plugin", command, "ehco")
    assert result.exit_code == 1
    assert "error[PLUG-001]: No plugin 'ehco' was found" in result.stderr
    assert "'echo'" in result.stderr
    assert (project / "hotswap.toml").read_bytes() == before


def test_enable_opens_and_writes_keeping_comments(project: Path) -> None:
    """enable proves the plugin, adds it to hotswap.toml with the comments kept, and writes the lock."""
    result = call(project, "plugin", "enable", "kept")
    assert result.exit_code == 0, result.stderr
    assert result.stdout == "start kept 1.0.0 (enabled in the settings)\n"
    text = (project / "hotswap.toml").read_text("utf-8")
    assert text.startswith("# kept\n")
    assert "# also kept" in text
    assert enabled_in(project) == ["echo", "kept"]
    assert 'id = "kept"' in (project / "hotswap.lock").read_text("utf-8")
    assert call(project, "plan").stdout == "Nothing to do: 2 plugins, as in hotswap.lock.\n"


def test_enable_brings_what_is_needed(project: Path) -> None:
    """What the plugin needs is opened with it, and stands in the lock though not among the enabled."""
    found = document(project, "plugin", "enable", "user", "--set", "plugins.enabled=echo,kept")
    assert any(each.startswith("start user") for each in found["steps"])
    assert enabled_in(project) == ["echo", "user"]


def test_enable_takes_a_range(project: Path) -> None:
    """A range of versions is written down with the id; an entry that is no requirement is a usage error."""
    assert call(project, "plugin", "enable", "kept>=1,<2").exit_code == 0
    assert enabled_in(project) == ["echo", "kept>=1,<2"]
    result = call(project, "plugin", "enable", "Kept!")
    assert result.exit_code == 2


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("raise ValueError('at import')", "PLUG-002"),
        (
            "from hotswap_ports import Plugin\nclass P(Plugin):\n    def __init__(self): raise ValueError('x')",
            "PLUG-003",
        ),
        (
            "from hotswap_ports import Plugin\nclass P(Plugin):\n    async def initialize(self, context): 1 / 0",
            "PLUG-003",
        ),
        ("class Q: pass", "PLUG-002"),
    ],
)
def test_enable_refuses_what_cannot_open(project: Path, code: str, said: str) -> None:
    """A plugin that fails on import, in __init__, in initialize, or lacks its class, changes no file."""
    before = (project / "hotswap.toml").read_bytes()
    write_plugin(project / "plugins", "bad", code, python={"class_name": "P"})
    result = call(project, "plugin", "enable", "bad")
    assert result.exit_code == 1
    assert f"error[{said}]" in result.stderr
    assert "Traceback" not in result.stderr
    assert (project / "hotswap.toml").read_bytes() == before
    assert not (project / "hotswap.lock").exists()


def test_enable_refuses_what_cannot_be_solved(project: Path) -> None:
    """A plugin that needs what nobody has is refused with the chain; so is a circle."""
    write_plugin(project / "plugins", "needy", dependencies={"nowhere": ">=1"})
    result = call(project, "plugin", "enable", "needy")
    assert result.exit_code == 1
    assert "error[PLUG-006]" in result.stderr
    write_plugin(project / "plugins", "one", dependencies={"two": ">=1"})
    write_plugin(project / "plugins", "two", dependencies={"one": ">=1"})
    result = call(project, "plugin", "enable", "one", "--no-check")
    assert result.exit_code == 1
    assert "error[PLUG-007]" in result.stderr
    assert enabled_in(project) == ["echo"]


def test_enable_without_check_opens_nothing(project: Path) -> None:
    """--no-check writes down what can be solved for, although its code would fail."""
    write_plugin(project / "plugins", "bad", "raise ValueError")
    assert call(project, "plugin", "enable", "bad", "--no-check").exit_code == 0
    assert enabled_in(project) == ["echo", "bad"]


def test_enable_tells_when_something_overrides_it(project: Path) -> None:
    """Where the environment decides what is enabled, the edit is made and the user is told it changes nothing."""
    result = call(project, "plugin", "enable", "kept", env={"HOTSWAP_PLUGINS_ENABLED": "echo"})
    assert result.exit_code == 0
    assert "stays closed: the environment or the command line overrides hotswap.toml" in result.stderr


def test_failed_lock_puts_the_settings_back(project: Path) -> None:
    """When the lock cannot be written, hotswap.toml is as it was: both files change, or neither."""
    before = (project / "hotswap.toml").read_bytes()
    (project / "hotswap.lock").mkdir()
    result = call(project, "plugin", "enable", "kept")
    assert result.exit_code == 1
    assert "error[PLUG-027]" in result.stderr
    assert (project / "hotswap.toml").read_bytes() == before
    (project / "hotswap.toml").unlink()
    assert call(project, "plugin", "enable", "kept", "--no-check").exit_code == 1
    assert not (project / "hotswap.toml").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_read_only_settings_are_refused_before_anything_opens(project: Path) -> None:
    """A hotswap.toml that may not be written is an error, and stays."""
    (project / "hotswap.toml").chmod(0o444)
    result = call(project, "plugin", "enable", "kept")
    assert result.exit_code == 1
    assert "error[PLUG-027]" in result.stderr


def test_disable_is_refused_while_needed(project: Path) -> None:
    """A plugin that others need stays, and they are named; --cascade takes them along."""
    toml = project / "hotswap.toml"
    toml.write_text('[plugins]\nenabled = ["echo", "kept", "user"]\n', "utf-8")
    before = toml.read_bytes()
    result = call(project, "plugin", "disable", "kept")
    assert result.exit_code == 1
    assert "error[PLUG-020]: Plugin 'kept' is needed by user." in result.stderr
    assert toml.read_bytes() == before
    found = document(project, "plugin", "disable", "kept", "--cascade")
    assert found["disabled"] == ["user", "kept"]
    assert enabled_in(project) == ["echo"]


def test_disable_writes_settings_and_lock(project: Path) -> None:
    """disable takes the plugin out of hotswap.toml, comments kept, and out of the lock."""
    call(project, "plugin", "enable", "kept")
    result = call(project, "plugin", "disable", "kept")
    assert (result.exit_code, result.stdout) == (0, "Disabled kept.\n")
    assert enabled_in(project) == ["echo"]
    assert "# also kept" in (project / "hotswap.toml").read_text("utf-8")
    assert "kept" not in (project / "hotswap.lock").read_text("utf-8").replace("it is kept", "")


def test_graph_as_tree_mermaid_and_dot(project: Path) -> None:
    """The graph shows dependencies and port bindings in each form; what was drawn once is not drawn again."""
    plugins = project / "plugins"
    write_plugin(plugins, "base", dependencies={"user": ">=1"})
    write_plugin(plugins, "app", dependencies={"base": ">=1", "user": ">=1"})
    overrides = ("--set", "plugins.enabled=kept,app")
    tree = call(project, "plugin", "graph", *overrides).stdout
    assert tree == (
        "app 1.0.0\n├── base 1.0.0\n│   └── user 1.0.0\n│       └── kept 1.0.0 [storage]\n└── user 1.0.0 (*)\n"
    )
    dot = call(project, "plugin", "graph", "--format", "dot", *overrides).stdout
    assert '"user" -> "kept" [label="storage"];' in dot
    assert '"app" -> "base";' in dot
    mermaid = call(project, "plugin", "graph", "--format", "mermaid", *overrides).stdout
    assert mermaid.startswith("flowchart LR\n")
    assert "-->|storage|" in mermaid
    assert call(project, "plugin", "graph", "user", *overrides).stdout.startswith("user 1.0.0\n└── kept")
    edges = document(project, "plugin", "graph", "user", *overrides)["edges"]
    assert edges == [{"from": "user", "to": "kept", "port": "storage"}]


def test_graph_names_what_is_left_out(project: Path) -> None:
    """A wanted plugin that cannot be part of the solution is named, and the exit code is 1."""
    write_plugin(project / "plugins", "needy", dependencies={"nowhere": ">=1"})
    result = call(project, "plugin", "graph", "--set", "plugins.enabled=echo,needy")
    assert result.exit_code == 1
    assert "warning[PLUG-006]: needy is left out:" in result.stderr
    assert result.stdout == "echo 1.0.0\n"


def test_validate_accepts_a_sound_plugin(project: Path) -> None:
    """A sound plugin is in order, by its folder and by its file."""
    folder = project / "plugins" / "kept"
    assert "are in order" in call(project, "plugin", "validate", str(folder)).stdout
    assert call(project, "plugin", "validate", str(folder / "plugin.toml")).exit_code == 0
    assert document(project, "plugin", "validate", str(folder), "--manifest-only")["valid"]


def test_validate_lists_every_problem_of_a_manifest(project: Path) -> None:
    """Each problem stands on its own line with its path; exit code 1."""
    bad = project / "bad"
    bad.mkdir()
    (bad / "plugin.toml").write_text('[plugin]\nid = "Bad"\nversion = "one"\ncolour = 1\n', "utf-8")
    result = call(project, "plugin", "validate", str(bad))
    assert result.exit_code == 1
    for place in ("@ $.plugin.id", "@ $.plugin.version", "@ $.plugin.colour"):
        assert place in result.stderr


def test_validate_lists_every_problem_of_the_code(project: Path) -> None:
    """A missing class, one that is not the port, and a parameter that nothing can fill are all found at once."""
    code = """
        from hotswap_ports.testing import MemoryStorage

        class NotAScraper:
            pass

        class Asks(MemoryStorage):
            def __init__(self, anything: int) -> None:
                pass
    """
    provides = {"scraper": "NotAScraper", "storage": "Asks", "search": "Missing"}
    folder = write_plugin(project / "plugins", "many", code, provides=provides)
    result = call(project, "plugin", "validate", str(folder))
    assert result.exit_code == 1
    assert "class 'NotAScraper' is not a Scraper" in result.stderr
    assert "has no class 'Missing'" in result.stderr
    assert "anything" in result.stderr
    assert call(project, "plugin", "validate", str(folder), "--manifest-only").exit_code == 0
    found = call(project, "plugin", "validate", str(folder), "--json")
    assert found.exit_code == 1
    assert '"valid": false' in found.stdout


def test_validate_needs_a_path_that_is_there(project: Path) -> None:
    """A path that is not there is a usage error; a folder without a manifest is not valid."""
    assert call(project, "plugin", "validate", str(project / "nothing")).exit_code == 2
    assert call(project, "plugin", "validate", str(project)).exit_code == 1


def test_disabling_what_is_not_enabled_is_no_error(tmp_path: Path) -> None:
    """What is there and not enabled stays so, and that is said; what is not there is an error."""
    project = echo_project(tmp_path)
    done = call(project, "plugin", "disable", "memory")
    assert (done.exit_code, done.stderr) == (0, "memory is not enabled: there is nothing to disable.\n")
    assert call(project, "plugin", "disable", "memry").exit_code == 1


def test_validate_compares_with_an_older_version(project: Path, tmp_path: Path) -> None:
    """What changed is listed with its step; a breaking change that is called a patch is an error with the version."""
    old = write_plugin(tmp_path / "old", "kept", STORAGE, type="storage", provides={"storage": "Kept"})
    tables = {"type": "storage", "provides": {"storage": {"class": "Kept", "name": "another"}}}
    new = write_plugin(tmp_path / "new", "kept", STORAGE, version="1.0.1", **tables)
    result = call(project, "plugin", "validate", str(new), "--against", str(old))
    assert result.exit_code == 1
    assert "major: the provider kept of the port storage is gone" in result.stdout
    assert "error[PLUG-045]: Plugin 'kept' 1.0.1 is a major step from 1.0.0, and not called one" in result.stderr
    assert "Call it 2.0.0" in result.stderr
    facts = json.loads(call(project, "plugin", "validate", str(new), "--against", str(old), "--json").stdout)
    assert (facts["valid"], facts["step"]) == (False, "major")
    write_plugin(tmp_path / "new", "kept", STORAGE, version="2.0.0", **tables)
    assert call(project, "plugin", "validate", str(new), "--against", str(old)).exit_code == 0


def test_validate_says_the_step_also_when_it_is_small(project: Path, tmp_path: Path) -> None:
    """A patch is called one; the very same version is no change, and no error; the same with a difference is one."""
    old = write_plugin(tmp_path / "old", "kept", STORAGE, type="storage", provides={"storage": "Kept"})
    new = write_plugin(tmp_path / "new", "kept", STORAGE, type="storage", provides={"storage": "Kept"})
    same = call(project, "plugin", "validate", str(new), "--against", str(old))
    assert (same.exit_code, same.stderr) == (0, "")
    assert "kept 1.0.0: no change since 1.0.0." in same.stdout
    found = document(project, "plugin", "validate", str(new), "--against", str(old))
    assert (found["valid"], found["step"], found["changes"]) == (True, "none", [])
    write_plugin(tmp_path / "new", "kept", STORAGE, type="storage", provides={"storage": "Kept"}, version="1.0.1")
    patch = call(project, "plugin", "validate", str(new), "--against", str(old))
    assert patch.exit_code == 0
    assert "kept 1.0.1: a patch step from 1.0.0" in patch.stdout
    write_plugin(tmp_path / "new", "kept", STORAGE, type="storage", provides={"storage": "Other"})
    assert call(project, "plugin", "validate", str(new), "--manifest-only", "--against", str(old)).exit_code == 1


def test_validate_tells_two_plugins_apart(project: Path, tmp_path: Path) -> None:
    """There is no step from one plugin to another: that is an error, whatever their versions."""
    old = write_plugin(tmp_path / "old", "former", STORAGE, type="storage", provides={"storage": "Kept"})
    new = write_plugin(tmp_path / "new", "kept", STORAGE, type="storage", provides={"storage": "Kept"}, version="2.0.0")
    result = call(project, "plugin", "validate", str(new), "--against", str(old))
    assert result.exit_code == 1
    assert "error[PLUG-049]" in result.stderr
    assert "another plugin" in result.stderr


def test_validate_names_the_plugins_of_a_folder(project: Path, tmp_path: Path) -> None:
    """A folder around one plugin means that one; of several, each is named."""
    folder = write_plugin(tmp_path / "some", "one", STORAGE, type="storage", provides={"storage": "Kept"}).parent
    assert "one 1.0.0" in call(project, "plugin", "validate", str(folder)).stdout
    write_plugin(folder, "two", STORAGE, type="storage", provides={"storage": "Kept"})
    result = call(project, "plugin", "validate", str(folder))
    assert result.exit_code == 1
    assert "error[PLUG-048]" in result.stderr
    assert "one, two" in result.stderr


def test_validate_takes_an_id(project: Path) -> None:
    """What is installed is named by its id."""
    assert (
        "memory 1.0.0: its manifest and its code are in order." in call(project, "plugin", "validate", "memory").stdout
    )
    assert call(project, "plugin", "validate", "memry").exit_code == 1
