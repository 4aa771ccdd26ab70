"""The JSON Schema of ``plugin.toml``, for editors, and the reference page: both written from the rules.

``python -m hotswap.manifest.schema --write`` in the project's folder brings the two shipped files up to date.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hotswap.manifest.rules import MANIFEST

SCHEMA_FILE = Path("kernel/hotswap/data/plugin.schema.json")
"""Where the schema is in the project's folder; in an installation it is ``data/plugin.schema.json`` of the package."""
REFERENCE_FILE = Path("docs/reference/manifest.md")


def manifest_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of ``plugin.toml``.

    It says all that JSON Schema can. The reader knows more: licences, requirements, how keys fit together.
    """
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:hotswap:plugin.toml",
        "title": "plugin.toml of a hotswap plugin",
        **MANIFEST.schema(),
    }


def schema_text() -> str:
    """Return what ``plugin.schema.json`` holds."""
    return json.dumps(manifest_schema(), indent=2, ensure_ascii=True) + "\n"


def files() -> dict[Path, str]:
    """Return the generated files, by their paths in the project's folder, with what they have to hold."""
    from hotswap.manifest.reference import reference_page

    return {SCHEMA_FILE: schema_text(), REFERENCE_FILE: reference_page()}


def main(arguments: Sequence[str], root: Path | None = None) -> int:
    """Write the generated files below ``root`` (the current folder) with ``--write``; print the schema without it."""
    if list(arguments) != ["--write"]:
        sys.stdout.write(schema_text())
        return 0
    for path, text in files().items():
        target = (root or Path.cwd()) / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        sys.stdout.write(f"{path}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
