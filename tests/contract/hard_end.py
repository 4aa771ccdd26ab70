"""What a process that is killed leaves of a database."""

from __future__ import annotations

import shutil
from pathlib import Path


def as_it_was(database: Path) -> Path:
    """Copy a database that is open, with the files beside it, and return where the copy is."""
    folder = database.parent / "as it was"
    folder.mkdir()
    for each in database.parent.glob(f"{database.name}*"):
        shutil.copy(each, folder)
    return folder / database.name
