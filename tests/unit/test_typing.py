"""A user's type checker sees what the kernel hands out."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_a_type_checker_sees_the_ports() -> None:
    """mypy --strict finds every type of the files in ``tests/typing`` as asserted there."""
    files = sorted(map(str, (ROOT / "tests" / "typing").glob("*.py")))
    command = [sys.executable, "-m", "mypy", "--config-file", "pyproject.toml", *files]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
