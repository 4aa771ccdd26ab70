"""The documentation says what is true: its examples run, its tables parse, its links lead somewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import tomlkit

from hotswap import Settings
from hotswap.hook_points import Points
from hotswap.manifest.reader import parse_manifest
from hotswap.port_directory import PortDirectory
from hotswap_ports.methods import port_methods
from tests.e2e.docs_blocks import CODE, ROOT, Block, blocks, pages, prose

ACTIONS = {"file", "run", "run, fails", "prints", "settings", "manifest", "not run"}
RUN = [each for each in pages() if any(block.action.startswith("run") for block in blocks(each))]
LEAST = """
[plugin]
id = "a-plugin"
name = "A plugin"
version = "1.0.0"
type = "utility"
hotswap = { min_version = "0.1.0" }
python = { entry_point = "code" }
"""


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


class Folder:
    """The working folder of one page: its files are written here and its commands run here."""

    def __init__(self, root: Path) -> None:
        self.work = root / "work"
        self.printed = ""
        bin_, home = root / "bin", root / "home"
        for each in (self.work, bin_, home):
            each.mkdir()
        for name, command in (("python", ""), ("hotswap", "-m hotswap ")):
            script = bin_ / name
            script.write_text(f'#!/bin/sh\nexec "{sys.executable}" {command}"$@"\n', "utf-8")
            script.chmod(0o755)
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(("HOTSWAP_", "OPENAI_"))}
        self.environ = inherited | {
            "PATH": f"{bin_}{os.pathsep}{inherited['PATH']}",
            "HOME": str(home),
            "HOTSWAP_HOME": str(home),
            "HOTSWAP_CACHE": str(home / "cache"),
            "HOTSWAP_CONFIG__EXTRACTIVE_AI__EMBEDDER": "hashing",  # the model of a real run takes seconds to load
            "NO_COLOR": "1",
            "COLUMNS": "120",
        }

    def do(self, block: Block) -> None:
        """Do what the page wants done with a block."""
        if block.action == "file":
            path = self.work / block.argument
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, "utf-8")
        elif block.action.startswith("run"):
            self._run(block)
        elif block.action == "prints":
            self._compare(block)

    def _run(self, block: Block) -> None:
        command = (
            [sys.executable, "-"] if block.language == "python" else ["bash", "-euo", "pipefail", "-c", block.text]
        )
        text = block.text if block.language == "python" else None
        done = subprocess.run(
            command, cwd=self.work, env=self.environ, input=text, capture_output=True, text=True, timeout=60
        )
        self.printed = done.stdout + done.stderr
        failed = done.returncode != 0
        assert failed == (block.action == "run, fails"), f"{block.place} exit {done.returncode}\n{self.printed}"

    def _compare(self, block: Block) -> None:
        rest = [_folded(each) for each in self.printed.splitlines()]
        for line in map(_folded, block.text.splitlines()):
            if line in ("", "..."):
                continue
            wanted = re.compile(".*".join(map(re.escape, line.split("..."))))
            found = next((i for i, each in enumerate(rest) if wanted.fullmatch(each)), None)
            assert found is not None, f"{block.place} has the line {line!r}; printed was\n{self.printed}"
            rest = rest[found + 1 :]


def _folded(line: str) -> str:
    return " ".join(line.split())


@pytest.mark.parametrize("page", RUN, ids=name_of)
def test_what_a_page_shows_is_what_happens(page: Path, tmp_path: Path) -> None:
    """The blocks of a page, followed from top to bottom in an empty folder, do and print what the page says."""
    folder = Folder(tmp_path)
    for block in blocks(page):
        folder.do(block)


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_every_block_of_code_is_accounted_for(page: Path) -> None:
    """A block of code says whether it is a file, is run, or why it is not; pages that are generated are exempt."""
    for block in blocks(page):
        assert block.action in {*ACTIONS, ""}, block.place
        if block.language in CODE and "enerated" not in page.read_text("utf-8")[:600]:
            assert block.action, f"{block.place} has no comment that says what is done with it"
        if block.action == "not run":
            assert block.argument, f"{block.place} does not say why it is not run"


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_settings_and_manifests_are_read_by_the_real_readers(page: Path, tmp_path: Path) -> None:
    """What a page shows as (a part of) a hotswap.toml or a plugin.toml is one."""
    for block in blocks(page):
        if block.language != "toml":  # a page about mistakes shows some as plain text
            continue
        file = block.argument.rpartition("/")[2] if block.action == "file" else ""
        if block.action == "settings" or file == "hotswap.toml":
            (tmp_path / "hotswap.toml").write_text(block.text, "utf-8")
            Settings.load(tmp_path, environ={})
        elif block.action == "manifest" or file == "plugin.toml":
            whole = _merged(tomllib.loads(LEAST if block.action == "manifest" else ""), tomllib.loads(block.text))
            parse_manifest(tomlkit.dumps(whole), block.place)


def _merged(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    both = {key: _merged(under[key], over[key]) for key in under if isinstance(over.get(key), dict)}
    return {**under, **over, **both}


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link names a file of the repository, and every anchor a heading of it."""
    text = prose(page)
    links = [*re.findall(r"\]\(([^)\s]+)\)", text), *re.findall(r'(?:src|href|srcset)="([^"]+)"', text)]
    broken = [each for each in links if not each.startswith(("http://", "https://", "mailto:")) and _broken(page, each)]
    assert not broken


def _broken(page: Path, link: str) -> bool:
    file, _, anchor = unquote(link).partition("#")
    target = (page.parent / file).resolve() if file else page
    if not target.exists() or not target.is_relative_to(ROOT):
        return True
    return bool(anchor) and anchor not in _anchors(target)


def _anchors(page: Path) -> set[str]:
    """Return what GitHub makes of the headings of a page."""
    found: dict[str, int] = {}
    anchors = set()
    text = re.sub(r"^( *)(`{3,})[^\n]*\n.*?^\1\2 *$", "", page.read_text("utf-8"), flags=re.M | re.S)
    for heading in re.findall(r"^#{1,6} +(.+?) *#*$", text, flags=re.M):
        slug = re.sub(r"[^\w\- ]", "", re.sub(r"\[(.*?)\]\(.*?\)", r"\1", heading).lower()).replace(" ", "-")
        count = found[slug] = found.get(slug, -1) + 1
        anchors.add(slug if not count else f"{slug}-{count}")
    return anchors


def test_the_readme_has_the_two_commands() -> None:
    """The main job and the test command stand in the README as they are promised, each on a line of its own."""
    lines = (ROOT / "README.md").read_text("utf-8").splitlines()
    assert "pip install uv && uv run hotswap run research README.md docs" in lines
    assert "uv run pytest" in lines


def test_the_pictures_show_the_same_boxes() -> None:
    """The drawing for those whose viewer has no Mermaid names what the diagram in the README names."""
    diagram = next(each.text for each in blocks(ROOT / "README.md") if each.language == "mermaid")
    drawing = re.sub(r"<[^>]+>", " ", (ROOT / "docs/architecture.svg").read_text("utf-8"))
    names = set(re.findall(r"<b>(.+?)</b>", diagram))
    assert len(names) > 5
    assert [each for each in sorted(names) if each not in " ".join(drawing.split())] == []


def test_every_hook_point_is_documented() -> None:
    """docs/reference/hooks.md names every point that does not follow from a port's method, and no other."""
    ports = PortDirectory()
    points = Points({each.PORT: [method.name for method in port_methods(each)] for each in ports})
    wanted = {each for each in points.names if "." not in each}
    table = (ROOT / "docs/reference/hooks.md").read_text("utf-8")
    assert set(re.findall(r"^\| `(\w+)` \|", table, flags=re.M)) == wanted
