"""Editing hotswap.toml while `hotswap run` is at work, in a real process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.plugin_folder import write_plugin

ROOT = Path(__file__).parents[2]
KEEPER = """
    import asyncio

    from hotswap_ports import (
        InputSpec, Rendered, Report, Storage, Workflow, WorkflowFeatures, WorkflowResult,
    )

    class Keeper(Workflow):
        features = WorkflowFeatures("Writes until the storage is another one.", ())

        def __init__(self, storage: Storage) -> None:
            self.storage = storage

        async def run(self, inputs, *, progress=None):
            print("ready", flush=True)
            written = 0
            while self.storage.features.durable:
                written += 1
                await self.storage.put(f"key/{written}", b"value")
                await asyncio.sleep(0.001)
            await self.storage.put("last", b"value")
            text = f"{written} writes to the file, none lost\\n"
            return WorkflowResult(Report("Keeper"), Rendered(text, "text/plain", ".txt"), {"written": written}, ())
"""


def test_an_edit_is_put_in_force_while_a_workflow_runs(tmp_path: Path) -> None:
    """One line of hotswap.toml changes the storage under a running workflow; a broken edit before it is a warning."""
    write_plugin(
        tmp_path / "plugins", "keeper", KEEPER, provides={"workflow": "Keeper"}, requires={"storage": ">=1"},
        type="workflow",
    )  # fmt: skip
    toml = tmp_path / "hotswap.toml"
    text = '[plugins]\nenabled = ["keeper", "sqlite-storage", "memory"]\n[ports]\nstorage = "{}"\n'
    toml.write_text(text.format("sqlite-storage"), "utf-8")
    environment = {**os.environ, "HOME": str(tmp_path), "HOTSWAP_CACHE": str(tmp_path / "cache"), "NO_COLOR": "1"}
    process = subprocess.Popen(
        [sys.executable, "-m", "hotswap", "run", "keeper"],
        cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stderr is not None
        assert process.stderr.readline() == "ready\n"
        toml.write_text("[plugins\n", "utf-8")
        assert "warning[PLUG-019]" in process.stderr.readline()
        beside = tmp_path / "hotswap.toml.new"
        beside.write_text(text.format("memory"), "utf-8")
        os.replace(beside, toml)
        output, errors = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0, errors
    assert "writes to the file, none lost" in output
    assert "hotswap.toml has changed, and is in force: select storage sqlite-storage -> memory" in errors
