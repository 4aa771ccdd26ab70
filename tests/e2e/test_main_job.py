"""The README's main job as a person runs it: a command in a folder, real files, real adapters, no network."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.integration.openai_server import CHAT_MODEL, KEY, OpenAIServer, serving

ENVIRON = {"HOTSWAP_CONFIG__EXTRACTIVE_AI__EMBEDDER": "hashing"}
"""The embedder that loads no model: what is tested here does not hang on the quality of the vectors."""

HERONS = """# Herons

The grey heron waits at the edge of the water until a fish comes near. It strikes with its long neck.
Herons build their nests in high trees, and many pairs share one colony.

Most herons move south when the ponds freeze. The birds that stay look for streams which never freeze.
"""
BRIDGES = """# Bridges

A suspension bridge hangs its deck from cables, and the cables pull at anchors in the ground.
An arch bridge carries its load along a curve down to both banks. Stone arches of the Romans stand to this day.
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a folder with two texts to be researched."""
    (tmp_path / "README.md").write_text(HERONS)
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "bridges.md").write_text(BRIDGES)
    return tmp_path


def run(project: Path, *arguments: str, code: int = 0, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run ``hotswap run research`` in the project."""
    done = subprocess.run(
        [sys.executable, "-m", "hotswap", "run", "research", *arguments],
        cwd=project,
        env={**os.environ, **ENVIRON, **environ},
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done


def run_json(project: Path, *arguments: str, **environ: str) -> dict[str, Any]:
    """Run it with ``--json`` and return the document."""
    document: dict[str, Any] = json.loads(run(project, *arguments, "--json", **environ).stdout)
    return document


def test_a_report_has_a_summary_key_points_and_sources_that_link_back(project: Path) -> None:
    """Files and folders become a Markdown report; every sentence of it stands in a source, and it says so."""
    report = run(project, "README.md", "docs").stdout
    assert {"## Key points", "## Key phrases", "## Sources"} <= set(report.splitlines())
    assert (project / "README.md").as_uri() in report
    assert (project / "docs" / "bridges.md").as_uri() in report
    assert "nothing here was written by a model" in report
    points = re.findall(r"^- (.+?) \[\\\[\d+\\\]\]\[source-\d+\]$", report, re.MULTILINE)
    words = " ".join((HERONS + BRIDGES).split())
    assert points
    assert all(each in words for each in points)


def test_a_second_run_computes_only_what_changed(project: Path) -> None:
    """Nothing changed: nothing is read anew, summarised or embedded. One file changed: that one is."""
    first = run_json(project, "README.md", "docs")["stats"]
    assert (first["read"], first["unchanged"], first["summarised"]) == (2, 0, 2)
    second = run_json(project, "README.md", "docs")["stats"]
    assert (second["read"], second["unchanged"], second["summarised"], second["embedded"]) == (0, 2, 0, 0)
    (project / "docs" / "bridges.md").write_text(
        BRIDGES + "\nA drawbridge lifts its deck to let ships pass below it.\n"
    )
    third = run_json(project, "README.md", "docs")["stats"]
    assert (third["read"], third["unchanged"], third["summarised"]) == (1, 1, 1)


def test_a_question_is_answered_with_the_passages_it_rests_on(project: Path) -> None:
    """--ask answers from the index, also without sources; what nobody wrote is not answered."""
    run(project, "README.md", "docs")
    answer = run_json(project, "--ask", "Where do herons build their nests?")["report"]["answer"]
    assert "high trees" in answer["text"]
    assert any("high trees" in each["text"] for each in answer["passages"])
    nothing = run_json(project, "--ask", "Xylophone zoology quartz?")["report"]["answer"]
    assert nothing["text"] == ""


def test_formats_and_output(project: Path) -> None:
    """--format picks the form and --output the file; an unknown format names those there are."""
    done = run(project, "README.md", "--format", "html", "--output", "report.html")
    assert done.stdout == ""
    assert (project / "report.html").read_text().startswith("<!")
    wrong = run(project, "README.md", "--format", "docx", code=1)
    assert "PORT-002" in wrong.stderr
    assert "markdown" in wrong.stderr


def test_two_lines_put_it_on_another_storage(project: Path) -> None:
    """With [ports] storage = "memory" the same command remembers nothing from one run to the next."""
    (project / "hotswap.toml").write_text('[ports]\nstorage = "memory"\n')
    assert run_json(project, "README.md")["stats"]["read"] == 1
    assert run_json(project, "README.md")["stats"]["read"] == 1
    (project / "hotswap.toml").write_text('[ports]\nstorage = "sqlite-storage"\n')
    assert run_json(project, "README.md")["stats"]["read"] == 1
    assert run_json(project, "README.md")["stats"]["read"] == 0


def test_two_lines_put_it_on_a_language_model(project: Path) -> None:
    """With [ports] ai = "openai-compatible" the same command writes its summaries, and says who wrote them."""
    config = f'[ports]\nai = "openai-compatible"\n[config.openai-compatible]\nmodel = "{CHAT_MODEL}"\n'
    (project / "hotswap.toml").write_text(config)
    with serving(OpenAIServer()) as server:
        environ = {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": server.url}
        done = run(project, "README.md", **environ)
        assert server.requests
    assert "Written by" in done.stdout
    assert KEY not in done.stdout + done.stderr


def test_a_source_that_fails_does_not_stop_the_others(project: Path) -> None:
    """A missing file is named with its code and the nearest name; the rest is reported."""
    done = run(project, "README.md", "bridgs.md", "docs")
    assert "bridgs.md" in done.stderr
    assert "PORT-004" in done.stderr
    assert "Bridges" in done.stdout
    nothing = run(project, "nowhere.md", code=1)
    assert "error[PORT-004]" in nothing.stderr


def test_a_language_model_behind_a_host_that_is_denied_is_not_asked(project: Path) -> None:
    """What [grants] denies openai-compatible it does not do: the service is not asked, and that is said."""
    with serving(OpenAIServer()) as server:
        config = '[ports]\nai = "openai-compatible"\n[grants.openai-compatible]\nnetwork = ["models.example.org"]\n'
        (project / "hotswap.toml").write_text(config)
        done = run(project, "README.md", OPENAI_API_KEY=KEY, OPENAI_BASE_URL=server.url)
        assert not server.requests
    assert "may not reach 127.0.0.1" in done.stderr
