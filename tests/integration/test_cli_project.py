"""``hotswap init``, ``plan``, ``apply``, ``why``, ``ports`` and ``doctor`` on a project."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from hotswap import Settings
from hotswap.settings import DEFAULTS
from tests.integration.cli_project import call, document, echo_project
from tests.plugin_folder import write_plugin

NEEDY = {"dependencies": {"nowhere": ">=1"}}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return echo_project(tmp_path)


def test_init_writes_the_defaults_with_comments(tmp_path: Path) -> None:
    """What init writes is sound, says the same as no file at all, explains itself, and names the next command."""
    result = call(tmp_path, "init")
    assert result.exit_code == 0
    assert "Next: " in result.stderr
    text = (tmp_path / "hotswap.toml").read_text("utf-8")
    assert text.count("#") > 10
    loaded = Settings.load(tmp_path, {})
    assert loaded.enabled == DEFAULTS.enabled
    assert loaded.selected == Settings.load(tmp_path / "nowhere", {}).selected


def test_init_never_overwrites(project: Path) -> None:
    """A hotswap.toml that is there stays, unless --force is given."""
    before = (project / "hotswap.toml").read_bytes()
    result = call(project, "init")
    assert result.exit_code == 1
    assert "error[PLUG-027]" in result.stderr
    assert "--force" in result.stderr
    assert (project / "hotswap.toml").read_bytes() == before
    assert call(project, "init", "--force").exit_code == 0
    assert (project / "hotswap.toml").read_bytes() != before


def test_init_makes_the_folder(tmp_path: Path) -> None:
    """A folder that is named is made; where it cannot be, that is an error."""
    found = document(tmp_path, "init", str(tmp_path / "new" / "app"))
    assert Path(found["path"]) == tmp_path / "new" / "app" / "hotswap.toml"
    (tmp_path / "file").touch()
    result = call(tmp_path, "init", str(tmp_path / "file" / "app"))
    assert result.exit_code == 1
    assert "error[PLUG-027]" in result.stderr


def test_plan_shows_steps_with_reasons_and_changes_nothing(project: Path) -> None:
    """Without a lock everything would start, each with its reason; no file is written and no code imported."""
    write_plugin(project / "plugins", "echo", "raise ValueError", type="workflow", provides={"workflow": "Echo"})
    before = sorted(project.rglob("*"))
    result = call(project, "plan")
    assert (result.exit_code, result.stdout) == (0, "start echo 1.0.0 (enabled in the settings)\n")
    assert sorted(project.rglob("*")) == before


def test_plan_of_what_if(project: Path) -> None:
    """--enable, --disable and --select show what would follow; against a lock only what differs is a step."""
    assert call(project, "apply").exit_code == 0
    assert document(project, "plan")["steps"] == []
    steps = document(project, "plan", "--enable", "memory")["steps"]
    assert [(each["kind"], each["subject"]) for each in steps] == [("start", "memory")]
    assert call(project, "plan", "--disable", "echo").stdout == "stop echo 1.0.0 (disabled)\n"
    steps = document(project, "plan", "--select", "storage=sqlite-storage")["steps"]
    assert [each["subject"] for each in steps] == ["sqlite-storage"]
    write_plugin(project / "plugins", "echo", version="2.0.0", folder="echo-2")
    call(project, "plugin", "list")
    steps = document(project, "plan", "--enable", "echo>=2")["steps"]
    assert [(each["kind"], each["before"], each["after"]) for each in steps] == [("replace", "1.0.0", "2.0.0")]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--enable", "ehco"], 1, "PLUG-001"),
        (["--disable", "ehco"], 1, "PLUG-001"),
        (["--enable", "E!"], 1, "PLUG-001"),
        (["--select", "storgae=memory"], 1, "PLUG-018"),
        (["--select", "storage=memroy"], 1, "PLUG-025"),
        (["--select", "storage"], 2, "PORT=NAME"),
    ],
)
def test_plan_refuses_what_nobody_has(project: Path, arguments: list[str], code: int, said: str) -> None:
    """A slip in an id, a port or a provider is an error with the nearest name, not a plan."""
    result = call(project, "plan", *arguments)
    assert result.exit_code == code
    assert said in result.stderr


def test_plan_names_what_cannot_be(project: Path) -> None:
    """A wanted plugin that cannot be part of any solution is named with its reason; exit code 1."""
    write_plugin(project / "plugins", "needy", **NEEDY)
    result = call(project, "plan", "--enable", "needy")
    assert result.exit_code == 1
    assert "warning[PLUG-006]: needy is left out: Nothing provides" in result.stderr
    assert "start echo" in result.stdout
    found = json.loads(call(project, "plan", "--enable", "needy", "--json").stdout)
    assert found["blocked"][0]["plugin"] == "needy"


def test_plan_says_why_something_stops(project: Path) -> None:
    """What is locked and goes is a step with its reason: gone from disk, impossible by now, or asked for no more."""
    for name in ("gone", "breaks", "unasked"):
        write_plugin(project / "plugins", name)
    call(project, "apply", "--set", "plugins.enabled=gone,breaks,unasked")
    (project / "plugins" / "gone" / "plugin.toml").unlink()
    write_plugin(project / "plugins", "breaks", dependencies={"nowhere": ">=1"})
    result = call(project, "plan", "--set", "plugins.enabled=gone,breaks")
    assert result.exit_code == 1
    assert "stop gone 1.0.0 (it is not found any more)" in result.stdout
    assert "stop breaks 1.0.0 (it cannot be part of the solution any more)" in result.stdout
    assert "stop unasked 1.0.0 (nothing asks for it any more)" in result.stdout


def test_apply_writes_the_same_lock_again(project: Path) -> None:
    """apply opens everything and writes the lock; the same input gives the same bytes."""
    result = call(project, "apply")
    assert result.exit_code == 0
    assert "each opened once" in result.stderr
    first = (project / "hotswap.lock").read_bytes()
    assert call(project, "apply").stdout == "Nothing has changed.\n"
    assert (project / "hotswap.lock").read_bytes() == first
    assert document(project, "apply")["plugins"] == {"echo": "1.0.0"}


SINGLE = """
    from pathlib import Path

    from hotswap_ports.testing.storage import MemoryStorage

    class One(MemoryStorage):
        async def __aenter__(self):
            if Path(__file__).with_name("busy").exists():
                raise OSError(98, "Address already in use")
        async def __aexit__(self, *exc):
            pass
"""


@pytest.mark.parametrize("exclusive", [True, False])
def test_what_cannot_be_open_twice_can_be_written_without_proof(project: Path, exclusive: bool) -> None:
    """While an application has an exclusive provider open the proof fails, and says what leaves it out."""
    toml = project / "hotswap.toml"
    without, both = (f"[plugins]\nenabled = [{each}]\n" for each in ("'echo'", "'echo', 'single'"))
    toml.write_text(both, "utf-8")
    folder = write_plugin(
        project / "plugins", "single", SINGLE, provides={"storage": {"class": "One", "exclusive": exclusive}}
    )
    call(project, "apply")
    (folder / "busy").touch()
    for command in (["apply"], ["rollback", "1"], ["plugin", "enable", "single"]):
        toml.write_text(without if "enable" in command else both, "utf-8")
        result = call(project, *command)
        assert result.exit_code == 1, command
        assert "error[PLUG-003]: Plugin 'single' failed" in result.stderr
        assert ("`--no-check` leaves this proof out" in " ".join(result.stderr.split())) is exclusive
        assert call(project, *command, "--no-check").exit_code == 0


def test_apply_writes_nothing_when_something_fails(project: Path) -> None:
    """A plugin that cannot be opened, or solved for, is the error, and there is no lock."""
    write_plugin(project / "plugins", "bad", "raise ValueError('no')", provides={"scraper": "X"})
    write_plugin(project / "plugins", "needy", **NEEDY)
    for plugin, code in (("bad", "PLUG-002"), ("needy", "PLUG-006")):
        result = call(project, "apply", "--set", f"plugins.enabled=echo,{plugin}")
        assert result.exit_code == 1
        assert f"error[{code}]" in result.stderr
        assert not (project / "hotswap.lock").exists()


def test_apply_replaces_a_broken_lock(project: Path) -> None:
    """A lock that cannot be read is a warning with its code, and a new one is written in its place."""
    (project / "hotswap.lock").write_text("nonsense", "utf-8")
    result = call(project, "apply")
    assert result.exit_code == 0
    assert result.stderr.count("warning[PLUG-023]") == 1
    assert 'id = "echo"' in (project / "hotswap.lock").read_text("utf-8")


def test_why_walks_to_the_cause(project: Path) -> None:
    """why shows the chain from the plugin to the deepest cause, with the hint of that."""
    plugins = project / "plugins"
    write_plugin(plugins, "bad", "raise ValueError('the cause')", provides={"scraper": "X"})
    write_plugin(plugins, "above", dependencies={"bad": ">=1"})
    result = call(project, "why", "above", "--set", "plugins.enabled=above")
    assert result.exit_code == 0
    assert result.stdout.startswith("above is waiting")
    assert "  bad is failed" in result.stdout
    assert "the cause" in result.stdout
    causes = document(project, "why", "above", "--set", "plugins.enabled=above")["causes"]
    assert [each["state"] for each in causes] == ["waiting", "failed"]
    assert call(project, "why", "nobody").exit_code == 1
    write_plugin(plugins, "needy", **NEEDY)
    assert "hint: " in call(project, "why", "needy", "--set", "plugins.enabled=needy").stdout


def test_ports_show_who_serves(project: Path) -> None:
    """ports lists every port with who serves it, who is open and who could."""
    result = call(project, "ports")
    assert result.exit_code == 0
    assert "workflow" in result.stdout
    ports = {each["name"]: each for each in document(project, "ports")["ports"]}
    assert ports["workflow"]["serving"] == "echo"
    assert ports["storage"]["serving"] is None
    assert "sqlite-storage" in ports["storage"]["available"]


def test_doctor_finds_nothing_in_a_sound_project(project: Path) -> None:
    """A sound project is well: exit code 0, each check named."""
    call(project, "apply")
    result = call(project, "doctor")
    assert result.exit_code == 0, result.stdout
    assert result.stdout.endswith("All is well.\n")
    for check in ("hotswap", "python", "door project: 1 found", "lock: it fits", "health: echo is healthy"):
        assert check in result.stdout


def test_doctor_finds_what_is_wrong(project: Path) -> None:
    """Bad manifests, missing distributions, failing plugins, an unreadable lock, wrong names: all in one go."""
    plugins = project / "plugins"
    (plugins / "bad").mkdir()
    (plugins / "bad" / "plugin.toml").write_text("[plugin]", "utf-8")
    write_plugin(plugins, "raises", "raise ValueError('no')", provides={"scraper": "X"})
    write_plugin(plugins, "wants", python={"dependencies": ["no-such-distribution>=2", "attrs>=1"]})
    write_plugin(plugins, "waits", dependencies={"raises": ">=1"})
    write_plugin(plugins, "twice")
    write_plugin(project / "elsewhere", "twice")
    (project / "hotswap.lock").write_text("nonsense", "utf-8")
    overrides = ("--set", "plugins.enabled=echo,raises,wants,waits", "--set", "ports.ai=nobody")
    overrides += ("--plugin", str(project / "elsewhere"))
    environment = {"HOTSWAP_CONFIG__ECHO__TOKEN": "do-not-show", "HOTSWAP_CACHE": "off"}
    result = call(project, "doctor", *overrides, env=environment)
    assert result.exit_code == 1
    for said in (
        "PLUG-005",
        "wants needs no-such-distribution>=2\n",
        "-m pip install 'no-such-distribution>=2'",
        "PLUG-002: Plugin 'raises' could not be loaded",
        "'waits' is waiting",
        "PLUG-023",
        "PLUG-025",
        "HOTSWAP_CONFIG__ECHO__TOKEN",
        "it overrides plugins.enabled, ports.ai",
        "switched off",
        "hidden: twice",
    ):
        assert said in result.stdout
    assert "do-not-show" not in result.stdout
    assert "attrs" not in result.stdout
    found = json.loads(call(project, "doctor", *overrides, "--json").stdout)
    assert not found["healthy"]


def test_doctor_looks_on_where_settings_are_broken(tmp_path: Path) -> None:
    """Settings that cannot be read are a finding, with every problem."""
    (tmp_path / "hotswap.toml").write_text("[plugins]\nenabld = 1\n[prots]\n", "utf-8")
    result = call(tmp_path, "doctor")
    assert result.exit_code == 1
    assert "wrong settings: PLUG-019" in result.stdout
    assert "enabld" in result.stdout
    assert "prots" in result.stdout


def test_doctor_names_an_outdated_lock_and_a_folder_it_cannot_write(project: Path) -> None:
    """A lock that no longer fits is a note; a data folder that cannot be is wrong; --no-open opens nothing."""
    call(project, "apply")
    write_plugin(project / "plugins", "other")
    shutil.rmtree(project / ".hotswap")
    (project / ".hotswap").touch()
    result = call(project, "doctor", "--no-open", "--safe-mode", "--set", "plugins.enabled=other")
    assert "safe mode" in result.stdout
    result = call(project, "doctor", "--no-open", "--set", "plugins.enabled=other")
    assert result.exit_code == 1
    assert "lock: it is out of date" in result.stdout
    assert "wrong data folder" in result.stdout
    assert "health" not in result.stdout


def test_plan_warns_of_a_port_with_several_providers_and_none_selected(tmp_path: Path) -> None:
    """What apply would refuse because a port is ambiguous, plan warns of: also where solving brought it about."""
    toml = tmp_path / "hotswap.toml"
    toml.write_text('[plugins]\nenabled = ["sqlite-storage", "research"]\n', "utf-8")
    result = call(tmp_path, "plan")
    assert "warning[PLUG-014]" in result.stderr
    text = " ".join(result.stderr.split())
    assert "research asks for it, and may not open" in text
    assert "The port 'ai' has 2 providers: extractive-ai, memory." in text
    assert "ai = 'extractive-ai'" in text
    assert {each["code"] for each in json.loads(call(tmp_path, "plan", "--json").stdout)["warnings"]} == {"PLUG-014"}
    assert "The port 'ai' has 2 providers" in " ".join(call(tmp_path, "apply").stderr.split())
    chosen = '[ports]\nai = "extractive-ai"\nscraper = "file-scraper"\nformatter = "memory"\nsearch = "memory"\n'
    toml.write_text(toml.read_text("utf-8") + chosen, "utf-8")
    assert call(tmp_path, "plan").stderr == ""
    assert call(tmp_path, "apply").exit_code == 0
