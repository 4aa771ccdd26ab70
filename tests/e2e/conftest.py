"""What several tests from outside need."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def build(project: Path, folder: Path) -> Path:
    """Build the wheel of a project into a folder, and return it."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    before = set(folder.glob("*.whl"))
    subprocess.run(command, cwd=project, check=True, stdout=-1)
    (wheel,) = set(folder.glob("*.whl")) - before
    return wheel


def install(python: Path, wheel: Path) -> None:
    """Install a wheel, and it alone."""
    pip = [str(python), "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", str(wheel)]
    subprocess.run(pip, check=True, env={**os.environ, "PIP_NO_INDEX": "1"})


def environment_with(folder: Path, *projects: Path) -> Path:
    """Return the Python of an environment with the wheels of these projects, that shares only our dependencies."""
    venv.create(folder / "venv", with_pip=True)
    python = folder / "venv" / ("Scripts" if os.name == "nt" else "bin") / "python"
    for each in projects:
        install(python, build(each, folder))
    # A path in a .pth file is added as it is: the dependencies are seen, our own editable install behind them is not.
    site = subprocess.check_output([str(python), "-c", "import site; print(site.getsitepackages()[0])"], text=True)
    Path(site.strip(), "dependencies.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    return python


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the Python of an environment in which hotswap is installed from its wheel."""
    return environment_with(tmp_path_factory.mktemp("installed"), ROOT)
