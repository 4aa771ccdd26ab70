"""What a warm catalog of 1,000 plugins costs, as a ratio to reading the same manifests without the cache.

Run it with ``python -m tests.benchmarks.catalog``; ``--quick`` takes fewer rounds.
"""

from __future__ import annotations

import gc
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from hotswap.catalog import Catalog, discover
from hotswap.settings import Settings
from tests.benchmarks.rows import Row, print_rows

PLUGINS = 1_000
MANIFEST = """\
[plugin]
id = "plugin-{n}"
name = "Plugin {n}"
version = "1.{minor}.0"
type = "scraper"
description = "Number {n} of a thousand, with about as much in it as a real one has."
author = "Example Author <author@example.org>"
license = "MIT"

[plugin.hotswap]
min_version = "0.1.0"

[plugin.provides]
scraper = "Scraper{n}"

[plugin.requires]
storage = ">=1,<2"

[plugin.dependencies]
plugin-{next} = ">=1.0"

[plugin.capabilities]
network = true
config_access = true

[plugin.python]
entry_point = "plugin_{n}"
python_version = ">=3.11"
dependencies = ["httpx2>=2.16"]

[plugin.config.schema]
type = "object"
properties.timeout = {{ type = "number", default = 30.0 }}

[plugin.metadata]
category = "example"
tags = ["one", "two"]
"""


def measure(quick: bool) -> list[Row]:
    """Take the ratios in one run: CPU seconds, the best of several interleaved rounds, modules imported before."""
    with tempfile.TemporaryDirectory(prefix="hotswap-catalog-") as folder:
        root = Path(folder)
        settings = Settings(root, paths=(_write(root / "thousand"),))
        warm = {**os.environ, "HOTSWAP_CACHE": str(root / "cache"), "HOTSWAP_HOME": str(root)}
        cold = {**warm, "HOTSWAP_CACHE": "off"}
        discover(settings, environ=warm)
        light: list[float] = []
        whole: list[float] = []
        parsed: list[float] = []
        for _ in range(3 if quick else 7):
            parsed.append(_seconds(lambda: discover(settings, environ=cold)))
            light.append(_seconds(lambda: discover(settings, environ=warm)))
            whole.append(_seconds(lambda: _decode(discover(settings, environ=warm))))
    base = min(parsed)
    return [
        Row(f"warm catalog of {PLUGINS} plugins (ids, versions, providers) / parsing them", min(light) / base, 0.08),
        Row(f"warm catalog of {PLUGINS} plugins, every manifest decoded / parsing them", min(whole) / base, 0.25),
    ]


def _write(root: Path) -> Path:
    long_ago = time.time() - 3_600  # a manifest written just now is not trusted to stay as it is
    for number in range(PLUGINS):
        folder = root / f"plugin_{number}"
        folder.mkdir(parents=True)
        path = folder / "plugin.toml"
        text = MANIFEST.format(n=number, minor=number % 7, next=(number + 1) % PLUGINS)
        path.write_text(text, encoding="utf-8")
        os.utime(path, (long_ago, long_ago))
    return root


def _seconds(run: Callable[[], Catalog]) -> float:
    gc.collect()
    start = time.process_time()
    catalog = run()
    spent = time.process_time() - start
    count = sum(each.door == "path" and bool(each.provides) for each in catalog)
    if count != PLUGINS:
        raise AssertionError(f"{count} plugins were found, {[str(each.error) for each in catalog.problems[:1]]}")
    return spent


def _decode(catalog: Catalog) -> Catalog:
    for each in catalog:
        _ = each.manifest
    return catalog


if __name__ == "__main__":
    sys.exit(0 if print_rows(measure("--quick" in sys.argv)) else 1)
