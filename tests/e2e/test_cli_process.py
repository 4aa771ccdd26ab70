"""The program as a process: signals, pipes, exit codes, what it imports. A real interpreter each time."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.integration.cli_project import echo_project
from tests.plugin_folder import write_plugin

ROOT = Path(__file__).parents[2]
HEAVY = {
    "dependency_injector",
    "cattrs",
    "loguru",
    "rich",
    "pydantic",
    "jsonschema_rs",
    "typed_settings",
    "asyncio",
    "anyio",
    "attr",
    "packaging",
    "resolvelib",
    "tomlkit",
}
SLEEPER = """
    import asyncio
    import os
    from pathlib import Path

    from hotswap_ports import Plugin, Workflow, WorkflowFeatures, InputSpec

    class Sleeper(Workflow):
        features = WorkflowFeatures("Waits for ever.", (InputSpec("stubborn", "flag"),))

        async def run(self, inputs, *, progress=None):
            os.environ["STUBBORN"] = "1" if inputs.get("stubborn") else ""
            print("ready", flush=True)
            await asyncio.Event().wait()

    class Closer(Plugin):
        async def cleanup(self):
            if os.environ["STUBBORN"]:
                print("closing", flush=True)
                await asyncio.Event().wait()
            Path(os.environ["CLOSED"]).write_text("in order")
"""
STRIKE = """
import os, signal, sys

class Strike:
    def find_spec(self, name, path=None, target=None):
        if name == sys.argv[1] or name.endswith("." + sys.argv[1]):
            sys.meta_path.remove(self)
            os.kill(os.getpid(), signal.SIGINT)

from hotswap.cli import main
sys.meta_path.insert(0, Strike())
sys.argv = ["hotswap", *sys.argv[2:]]
main()
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return echo_project(tmp_path)


@pytest.fixture
def sleeper(tmp_path: Path) -> Path:
    """Give a project whose workflow says that it is ready, and waits until it is cancelled."""
    tables = {"provides": {"workflow": "Sleeper"}, "python": {"class_name": "Closer"}}
    write_plugin(tmp_path / "plugins", "sleeper", SLEEPER, type="workflow", **tables)
    (tmp_path / "hotswap.toml").write_text('[plugins]\nenabled = ["sleeper"]\n', "utf-8")
    return tmp_path


def environment(**changes: str) -> dict[str, str]:
    # unbuffered, Python does not notice that a pipe took only a part of what was written
    inherited = {key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"}
    return {**inherited, "PYTHONPATH": str(ROOT), **changes}


def hotswap(folder: Path, *arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "hotswap", *arguments]
    settings = {"cwd": folder, "env": environment(), "capture_output": True, "text": True, "timeout": 60, **options}
    return subprocess.run(command, check=False, **settings)  # type: ignore[call-overload, no-any-return]


@contextmanager
def started(folder: Path, *arguments: str, changes: Mapping[str, str] | None = None) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "hotswap", *arguments]
    env = environment(CLOSED=str(folder / "closed"), **(changes or {}))
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=folder, env=env, text=True, **pipes) as process:  # type: ignore[call-overload]
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("number", "code", "line"), [(signal.SIGINT, 130, "Interrupted.\n"), (signal.SIGTERM, 143, "Terminated.\n")]
)
def test_signal_ends_in_order(sleeper: Path, number: int, code: int, line: str) -> None:
    """Ctrl-C and SIGTERM end a run with one line and their exit code, after everything was closed in order."""
    with started(sleeper, "run", "sleeper") as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "ready\n"
        process.send_signal(number)
        _, stderr = process.communicate(timeout=30)
    assert (process.returncode, stderr) == (code, line)
    assert (sleeper / "closed").read_text() == "in order"


def test_second_ctrl_c_does_not_wait(sleeper: Path) -> None:
    """A plugin that will not close holds up the first Ctrl-C, not the second."""
    with started(sleeper, "run", "sleeper", "--stubborn") as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        assert process.stderr.readline() == "closing\n"
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=30)
    assert process.returncode == 130
    assert stderr.strip() == "Interrupted."


@pytest.mark.parametrize(
    "module",
    [
        "hotswap.cli.root",
        "click",
        "click.core",
        "hotswap.cli.commands.run",
        "hotswap.settings",
        "asyncio",
        "loguru",
        "hotswap.kernel",
        "dependency_injector",
        "hotswap.resolver",
        "code",
    ],
)
def test_ctrl_c_while_something_is_imported(project: Path, module: str) -> None:
    """Wherever Ctrl-C finds the program on its way up, it ends with one line, exit code 130 and no traceback."""
    done = subprocess.run(
        [sys.executable, "-c", STRIKE, module, "run", "echo", "a"],
        cwd=project,
        env=environment(HOTSWAP_CACHE="off"),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr, done.stdout) == (130, "Interrupted.\n", "")


def test_broken_pipe_ends_quietly(project: Path) -> None:
    """When the reader goes away (| head) nothing is printed, and the exit code is that of SIGPIPE."""
    with started(project, "run", "echo", "big") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.read(3) == "xxx"
        process.stdout.close()
        stderr = process.stderr.read()
        process.wait(timeout=30)
    assert (process.returncode, stderr) == (141, "")


@pytest.mark.parametrize("arguments", [["--help"], ["plugin", "list"], ["run", "echo", "a", "-q"]])
def test_full_device_is_one_error(project: Path, arguments: list[str]) -> None:
    """Output that cannot be written is one clear error and exit code 1."""
    with open("/dev/full", "w") as full:
        done = hotswap(project, *arguments, capture_output=False, stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 1
    assert done.stderr == "error: The output could not be written: No space left on device.\n"


def test_closed_output_is_no_traceback(project: Path) -> None:
    """Without a stdout (>&-) nothing breaks."""
    line = f"{sys.executable} -m hotswap plugin list >&-"
    done = subprocess.run(
        ["/bin/sh", "-c", line], cwd=project, env=environment(), capture_output=True, text=True, timeout=60, check=False
    )
    assert "Traceback" not in done.stderr
    assert done.returncode in {0, 1}


def test_output_that_the_terminal_cannot_show(project: Path) -> None:
    """What the encoding of stdout lacks is escaped; nothing fails."""
    done = hotswap(project, "run", "echo", "1 €", env=environment(PYTHONIOENCODING="latin-1"))
    assert done.returncode == 0, done.stderr
    assert "1 \\u20ac" in done.stdout


def test_the_script_is_the_module(project: Path) -> None:
    """The installed script and `python -m hotswap` are the same program."""
    script = Path(sys.executable).with_name("hotswap")
    if not script.exists():
        pytest.skip("hotswap is not installed beside this interpreter")
    done = subprocess.run(
        [script, "plugin", "list"], cwd=project, env=environment(), capture_output=True, text=True, check=True
    )
    assert done.stdout == hotswap(project, "plugin", "list").stdout


def test_exit_codes(project: Path) -> None:
    """0 done, 1 failed, 2 usage."""
    assert hotswap(project, "run", "echo", "a").returncode == 0
    assert hotswap(project, "run", "echo", "refuse").returncode == 1
    assert hotswap(project, "runn").returncode == 2


def test_library_warnings_do_not_reach_the_user(project: Path) -> None:
    """Warnings meant for programmers stay away from stderr, unless Python was asked for them."""
    code = (project / "plugins" / "echo" / "code.py").read_text("utf-8")
    noisy = f"import warnings\nwarnings.warn('deprecated', UserWarning)\n{code}"
    (project / "plugins" / "echo" / "code.py").write_text(noisy, "utf-8")
    assert hotswap(project, "run", "echo", "a", "-q").stderr == ""
    shown = hotswap(project, "run", "echo", "a", "-q", env=environment(PYTHONWARNINGS="default"))
    assert "deprecated" in shown.stderr


def imported(folder: Path, *arguments: str, **changes: str) -> set[str]:
    command = [sys.executable, "-X", "importtime", *arguments]
    done = subprocess.run(
        command, cwd=folder, env=environment(**changes), capture_output=True, text=True, timeout=60, check=True
    )
    return set(re.findall(r"^import time:\s+\d+ \|\s+\d+ \|\s+(\S+)$", done.stderr, re.MULTILINE))


def packages(modules: set[str]) -> set[str]:
    return {each.partition(".")[0] for each in modules}


def test_help_imports_next_to_nothing(tmp_path: Path) -> None:
    """hotswap --help loads neither the container nor any library, click included; `python -c pass` is its measure."""
    base = imported(tmp_path, "-c", "pass")
    loaded = imported(tmp_path, "-m", "hotswap", "--help") - base
    assert not packages(loaded) & (HEAVY | {"click", "inspect", "tomllib"})
    assert {each for each in loaded if each.startswith("hotswap")} == {
        "hotswap",
        "hotswap.version",
        "hotswap.cli",
        "hotswap.cli.entry",
        "hotswap.cli.table",
    }


def test_help_of_a_group_imports_click_alone(tmp_path: Path) -> None:
    """The help that click renders loads no other library either."""
    loaded = imported(tmp_path, "-m", "hotswap", "plugin", "--help")
    assert "click" in loaded
    assert not packages(loaded) & HEAVY


def test_list_imports_neither_plugins_nor_the_container(project: Path) -> None:
    """plugin list, its cache warm, loads no plugin, and none of what only a running kernel needs."""
    hotswap(project, "plugin", "list")
    for manifest in project.rglob("plugin.toml"):
        os.utime(manifest, (1, 1))
    hotswap(project, "plugin", "list")
    loaded = imported(project, "-m", "hotswap", "plugin", "list")
    lean = HEAVY - {"attr", "packaging"}
    assert not packages(loaded) & (lean | {"hotswap_plugins", "hotswap_adapters", "code"})


def test_what_is_installed_beside_it_is_not_imported(tmp_path: Path) -> None:
    """A fastapi on the path (which dependency-injector would import) is not touched by --help and plugin list."""
    for name in ("fastapi", "starlette", "pydantic", "werkzeug", "pydantic_settings"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise SystemExit('imported')", "utf-8")
    path = os.pathsep.join((str(tmp_path), str(ROOT)))
    for arguments in (["--help"], ["plugin", "list"]):
        loaded = imported(tmp_path, "-m", "hotswap", *arguments, PYTHONPATH=path)
        assert not packages(loaded) & {"fastapi", "starlette", "pydantic", "werkzeug", "pydantic_settings"}
