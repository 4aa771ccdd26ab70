"""What the manifests of the two scraper plugins say is what their code does."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from attrs import asdict
from packaging.requirements import Requirement

from hotswap import Kernel, Settings
from hotswap_adapters.scraper.file import FileScraperConfig
from hotswap_adapters.scraper.http import HttpScraperConfig
from hotswap_ports import Refused, Scraper, ScrapeRequest, port_of

PLUGINS = {"http_scraper": HttpScraperConfig(), "file_scraper": FileScraperConfig()}


def manifest(name: str) -> dict[str, Any]:
    module = import_module(f"hotswap_plugins.{name}")
    assert module.__file__ is not None
    found: dict[str, Any] = tomllib.loads(Path(module.__file__).with_name("plugin.toml").read_text("utf-8"))["plugin"]
    return found


@pytest.mark.parametrize("name", PLUGINS)
def test_the_class_is_the_port(name: str) -> None:
    """The class that the manifest names is in the entry point, and implements the scraper."""
    found = manifest(name)
    provided = getattr(import_module(f"hotswap_plugins.{name}"), found["provides"]["scraper"])
    assert port_of(provided) is Scraper
    assert found["id"] == name.replace("_", "-")


@pytest.mark.parametrize("name", PLUGINS)
def test_schema_and_settings_agree(name: str) -> None:
    """Every setting is in the schema with the same default, and says what it is."""
    schema = manifest(name)["config"]["schema"]
    assert schema["additionalProperties"] is False
    defaults = {key: value["default"] for key, value in schema["properties"].items()}
    settings = {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(PLUGINS[name]).items()}
    assert defaults == settings
    assert all(value["description"] for value in schema["properties"].values())


@pytest.mark.parametrize("name", PLUGINS)
def test_what_it_needs_is_installed(name: str) -> None:
    """Each distribution named is there in a version that will do."""
    for text in manifest(name)["python"]["dependencies"]:
        needed = Requirement(text)
        assert needed.specifier.contains(version(needed.name)), text


def test_loading_costs_little() -> None:
    """Loading the file scraper's plugin imports neither the extraction of HTML nor an HTTP client."""
    heavy = ("httpx2", "lxml", "markdown_it", "selectolax", "trafilatura")
    program = f"import sys, hotswap_plugins.file_scraper\nprint([each for each in {heavy} if each in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


async def test_grants_reach_the_code(tmp_path: Path) -> None:
    """What [grants] denies these plugins they do not do: no host is reached, no file is read."""
    settings = Settings(
        tmp_path,
        enabled=["http-scraper", "file-scraper"],
        grants={"http-scraper": {"network": False}, "file-scraper": {"file_system_read": (str(tmp_path / "open"),)}},
    )
    (tmp_path / "open").mkdir()
    for name in ("open/a.txt", "b.txt"):
        (tmp_path / name).write_text("Words.", "utf-8")
    async with Kernel(settings) as kernel:
        web, files = kernel.get(Scraper, "http-scraper"), kernel.get(Scraper, "file-scraper")
        assert (await files.scrape(ScrapeRequest((tmp_path / "open/a.txt").as_uri()))).text == "Words."
        for scraper, url in ((web, "http://127.0.0.1:9/"), (files, (tmp_path / "b.txt").as_uri())):
            with pytest.raises(Refused, match=r"may not be re"):
                await scraper.scrape(ScrapeRequest(url))
