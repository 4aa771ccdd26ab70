"""``hotswap run --canary`` and ``--shadow``: a candidate beside the provider in use, for one run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.integration.cli_project import call, document, echo_project
from tests.plugin_folder import write_plugin

READER = """
    from hotswap_ports import InputSpec, Rendered, Report, Storage, Workflow, WorkflowFeatures, WorkflowResult

    class Reader(Workflow):
        features = WorkflowFeatures("Reads.", (InputSpec("times", "integer", "How often.", default=20),))

        def __init__(self, storage: Storage):
            self.storage = storage

        async def run(self, inputs, *, progress=None):
            found = [await self.storage.get("a") for _ in range(inputs["times"])]
            return WorkflowResult(Report("Read"), Rendered(f"{len(found)}\\n", "text/plain", ".txt"))
"""
STORE = """
    import asyncio
    from hotswap_ports import KeyPage, Storage, StoredValue, Unavailable

    class Store(Storage):
        async def read(self, key):
            await asyncio.sleep(0)
            {read}
        async def put(self, key, value, *, expect=None):
            return 1
        async def delete(self, key, *, expect=None):
            return False
        async def list(self, prefix="", *, limit=1000, after=None):
            return KeyPage(())
"""
FAILS = 'raise Unavailable("the token hunter2 is wrong")'


@pytest.fixture
def project(tmp_path: Path) -> Path:
    plugins = tmp_path / "plugins"
    write_plugin(plugins, "reader", READER, type="workflow", provides={"workflow": "Reader"}, requires={"storage": "*"})
    for name, read in (("old", "return None"), ("new", "return None"), ("bad", FAILS)):
        write_plugin(plugins, name, STORE.replace("{read}", read), provides={"storage": "Store"})
    toml = '[plugins]\nenabled = ["reader", "old"]\n[ports]\nstorage = "old"\n'
    (tmp_path / "hotswap.toml").write_text(toml, "utf-8")
    return tmp_path


def test_a_canary_takes_its_share_and_is_told_of(project: Path) -> None:
    """The candidate is opened, gets its share, and stderr has the numbers of both; stdout has the report alone."""
    result = call(project, "run", "reader", "--canary", "storage=new:0.5")
    assert (result.exit_code, result.stdout) == (0, "20\n")
    lines = result.stderr.splitlines()
    assert lines[0].startswith("canary of new 1.0.0 for storage, ")
    assert lines[0].endswith(" s: stopped, the run is over")
    assert lines[1].startswith("  old 1.0.0: 10 calls, 0 failed, 0 declined, p95 ")
    assert lines[2].startswith("  new 1.0.0: 10 calls, 0 failed, 0 declined, p95 ")
    assert "new" not in (project / "hotswap.toml").read_text("utf-8")


def test_a_canary_without_a_share_gets_a_twentieth(project: Path) -> None:
    """PORT=NAME means 5 %."""
    result = call(project, "run", "reader", "--times", "200", "--canary", "storage=new")
    assert "new 1.0.0: 10 calls" in result.stderr


def test_a_bad_canary_fails_the_run_like_any_provider_and_is_told_of(project: Path) -> None:
    """A call that the candidate fails has failed: the run ends with its error, after the numbers."""
    result = call(project, "run", "reader", "--canary", "storage=bad:0.5")
    assert result.exit_code == 1
    assert "1 failed, 0 declined, no answer (Unavailable 1)" in result.stderr
    assert "error[PORT-003]: the token hunter2 is wrong" in result.stderr


def test_a_shadow_harms_nothing_and_tells_what_differs(project: Path) -> None:
    """With a shadow the run is as without; the differences stand on stderr."""
    result = call(project, "run", "reader", "--shadow", "storage=bad")
    assert (result.exit_code, result.stdout) == (0, "20\n")
    assert "  20 of 20 answers differ" in result.stderr
    assert "  get: one raised: None | Unavailable: the token hunter2 is wrong" in result.stderr
    assert "0 of 20 answers differ" in call(project, "run", "reader", "--shadow", "storage=new").stderr


def test_json_has_the_verdicts(project: Path) -> None:
    """With --json the document has what came of each trial, and stderr nothing."""
    found = document(project, "run", "reader", "--shadow", "storage=new")
    [trial] = found["trials"]
    assert (trial["outcome"], trial["reason"]) == ("stopped", "the run is over")
    stats = trial["stats"]
    assert (stats["port"], stats["kind"], stats["compared"], stats["differences"]) == ("storage", "shadow", 20, 0)
    assert stats["candidate"] | {"p95": 0} == {
        "provider": "new 1.0.0", "calls": 20, "failures": 0, "declined": 0, "given_up": 0, "p95": 0, "errors": {},
    }  # fmt: skip
    assert document(project, "run", "reader")["trials"] == []
    assert json.dumps(found)


def test_quiet_runs_say_nothing_of_it(project: Path) -> None:
    """--quiet leaves the numbers out."""
    assert call(project, "run", "reader", "--canary", "storage=new", "-q").stderr == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--canary", "storage"], "'storage' is not PORT=PROVIDER or PORT=PROVIDER:SHARE, like ai=ollama:0.1."),
        (["--canary", "storage=new:2"], "'2' is not a share between 0 and 1."),
        (["--canary", "storage=new:few"], "'few' is not a share between 0 and 1."),
        (["--canary", "storage=new:"], "is not PORT=PROVIDER"),
        (["--shadow", "storage=new:0.5"], "'storage=new:0.5' is not PORT=PROVIDER."),
        (["--shadow", "=new"], "'=new' is not PORT=PROVIDER."),
    ],
)
def test_a_trial_that_is_written_wrong_is_a_usage_error(project: Path, arguments: list[str], said: str) -> None:
    """A mistake in the form ends with exit code 2 before anything starts."""
    result = call(project, "run", "reader", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--canary", "storage=nwe"], "PLUG-025", "Did you mean 'new'"),
        (["--canary", "storge=new"], "PLUG-018", "Did you mean 'storage'"),
        (["--canary", "storage=old"], "PLUG-050", "it serves the port already"),
        (["--canary", "storage=new", "--shadow", "storage=bad"], "PLUG-050", "'new' is on trial there"),
        (["--shadow", "workflow=reader"], "PLUG-050", "which of its methods change nothing"),
    ],
)
def test_a_trial_that_cannot_be_is_an_error(project: Path, arguments: list[str], code: str, said: str) -> None:
    """What the kernel refuses is the command's error, with its code and hint, before the workflow begins."""
    result = call(project, "run", "reader", *arguments)
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"error[{code}]" in result.stderr
    assert said in result.stderr


def test_help_shows_both_and_tries_nobody(tmp_path: Path) -> None:
    """The help of a workflow lists them among the options of every run, and does not begin a trial."""
    result = call(echo_project(tmp_path), "run", "echo", "--help", "--canary", "storage=nobody")
    assert result.exit_code == 0
    assert "--canary PORT=NAME[:SHARE]" in result.stdout
    assert "--shadow PORT=NAME" in result.stdout
