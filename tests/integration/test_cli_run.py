"""``hotswap run``: a workflow's own inputs, its report, and what goes wrong on the way."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.integration.cli_project import call, document, echo_project
from tests.plugin_folder import write_plugin


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return echo_project(tmp_path)


def test_inputs_of_every_type_arrive(project: Path) -> None:
    """Arguments, integers, numbers, flags and choices reach the workflow as what they are, defaults filled in."""
    result = call(project, "run", "echo", "a", "--times", "3", "b", "--factor", "0.5", "--loud", "--no-soft")
    assert (result.exit_code, result.stderr) == (0, "echo: read 2.\n")
    assert result.stdout.splitlines() == [
        "factor=0.5",
        "loud=True",
        "soft=False",
        "times=3",
        "tone='plain'",
        "words=('a', 'b')",
    ]


def test_format_is_the_workflows(project: Path) -> None:
    """--format goes to the input of that name; an input named like an option of every run gets a prefix."""
    result = call(project, "run", "echo", "--format", "html", "--input-output", "x")
    assert "format='html'" in result.stdout
    assert "output='x'" in result.stdout


def test_what_follows_two_dashes_is_an_argument(project: Path) -> None:
    """After -- nothing is an option any more."""
    assert "words=('--times', '-q')" in call(project, "run", "echo", "--", "--times", "-q").stdout


def test_help_of_a_workflow_shows_its_inputs(project: Path) -> None:
    """run NAME --help lists the workflow's inputs with help, choices and defaults, and the options of every run."""
    result = call(project, "run", "echo", "--help")
    assert result.exit_code == 0
    assert "hotswap run echo [OPTIONS] [WORDS]..." in result.stdout
    for text in ("Says its inputs again.", "What to say.", "--times", "default: 1", "plain|formal", "--output FILE"):
        assert text in result.stdout
    assert result.stdout.count("--help") == 1


def test_help_without_a_workflow_boots_nothing(tmp_path: Path) -> None:
    """run --help says how to go on, also where the settings are broken."""
    (tmp_path / "hotswap.toml").write_text("plugins = 1", "utf-8")
    result = call(tmp_path, "run", "--help")
    assert result.exit_code == 0
    assert "hotswap run research --help" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--times", "many"], "'many' is not a valid integer"),
        (["--tone", "rude"], "'rude' is not one of 'plain', 'formal'"),
        (["--nonsense", "1"], "No such option"),
        (["--times"], "requires an argument"),
    ],
)
def test_wrong_inputs_are_usage_errors(project: Path, arguments: list[str], said: str) -> None:
    """An input of the wrong type, an unknown one or one without its value ends with exit code 2."""
    result = call(project, "run", "echo", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr
    assert "hint: `hotswap run echo --help` shows what it takes." in result.stderr


@pytest.mark.parametrize("arguments", [[], ["--times", "3", "echo"]])
def test_the_name_comes_first(project: Path, arguments: list[str]) -> None:
    """Without a workflow's name before its options nobody can know what they mean: a usage error."""
    result = call(project, "run", *arguments)
    assert result.exit_code == 2
    assert "name of the workflow comes first" in result.stderr


def test_unknown_workflow_names_the_nearest(project: Path) -> None:
    """A slip in the workflow's name is answered with the name that was meant."""
    result = call(project, "run", "ehco")
    assert result.exit_code == 1
    assert "error[PLUG-025]: No enabled provider of 'workflow' is called 'ehco'." in result.stderr
    assert "Did you mean 'echo'?" in result.stderr


def test_workflow_that_cannot_open_says_why(project: Path) -> None:
    """Asking for a workflow whose plugin failed shows what failed, with its code, and why nobody answers."""
    (project / "plugins" / "echo" / "code.py").write_text("import nowhere_to_be_found\n", "utf-8")
    result = call(project, "run", "echo", "a")
    assert result.exit_code == 1
    reason = "Plugin 'echo' could not be loaded: No module named 'nowhere_to_be_found'"
    assert f"error[PLUG-002]: {reason}" in result.stderr
    assert "`pip install nowhere_to_be_found`" in result.stderr
    result = call(project, "run", "echo", "a", "--set", "plugins.activation=eager")
    assert result.exit_code == 1
    assert (
        "warning[PLUG-002]: Plugin 'echo' could not be loaded: No module named 'nowhere_to_be_found'" in result.stderr
    )
    assert "error[PLUG-025]" in result.stderr
    assert "  note: echo is failed: PLUG-002" in result.stderr
    assert "`hotswap why echo`" in result.stderr
    assert result.stderr.count("warning[PLUG-002]") == 1
    assert "Traceback" not in result.stderr


def test_a_failed_neighbour_is_a_warning(project: Path) -> None:
    """Another plugin that cannot open is named once, with code and hint, and the run goes on."""
    write_plugin(project / "plugins", "broken", "raise ValueError('no')", provides={"scraper": "Nothing"})
    eager = ("--set", "plugins.enabled=echo,broken", "--set", "plugins.activation=eager")
    result = call(project, "run", "echo", "a", *eager)
    assert result.exit_code == 0
    assert result.stderr.count("warning[PLUG-002]: Plugin 'broken' could not be loaded: ValueError: no") == 1
    found = document(project, "run", "echo", "a", *eager)
    assert [each["code"] for each in found["warnings"]] == ["PLUG-002"]


def test_a_neighbour_that_nobody_needs_is_not_opened(project: Path) -> None:
    """A plugin that the workflow does not call is not imported, so that it can be neither slow nor in the way."""
    write_plugin(project / "plugins", "broken", "raise ValueError('no')", provides={"scraper": "Nothing"})
    result = call(project, "run", "echo", "a", "--set", "plugins.enabled=echo,broken")
    assert result.exit_code == 0
    assert "broken" not in result.stderr


def test_sources_that_could_not_be_used_are_listed(project: Path) -> None:
    """Partial success is success; what could not be used stands on stderr with code and hint."""
    result = call(project, "run", "echo", "good", "bad1")
    assert result.exit_code == 0
    assert "warning[PORT-004]: bad1: It is not there.\n  hint: Look elsewhere.\n" in result.stderr


def test_error_of_a_port_is_code_sentence_hint(project: Path) -> None:
    """What a workflow raises on purpose is shown as it is; exit code 1."""
    result = call(project, "run", "echo", "refuse")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "error[PORT-004]: Nothing is called 'refuse'.\n  hint: Name something else.\n"


def test_defect_of_a_workflow_shows_no_traceback(project: Path) -> None:
    """A workflow's defect is one error with the type, control characters made visible; --debug adds the traceback."""
    result = call(project, "run", "echo", "crash")
    assert result.exit_code == 1
    assert "RuntimeError: a defect\\x1b[31m" in result.stderr
    assert "Traceback" not in result.stderr
    assert "\x1b" not in result.stderr
    assert "Traceback" in call(project, "run", "echo", "crash", "--debug").stderr


def test_exit_of_a_plugin_does_not_decide_the_exit_code(project: Path) -> None:
    """A workflow that calls sys.exit is reported like any other defect."""
    result = call(project, "run", "echo", "leave")
    assert result.exit_code == 1
    assert "SystemExit" in result.stderr


def test_json_is_one_document(project: Path) -> None:
    """--json prints report, rendered text, inputs, counts and problems as one document, and nothing else."""
    found = document(project, "run", "echo", "bad1", "--times", "2")
    assert found["schema"] == "hotswap.run/1"
    assert found["inputs"]["times"] == 2
    assert found["report"]["title"] == "Echo"
    assert found["rendered"]["extension"] == ".txt"
    assert found["stats"] == {"read": 1}
    assert found["problems"][0]["code"] == "PORT-004"


def test_json_errors_are_json(project: Path) -> None:
    """With --json an error is a document on stderr, a usage error too."""
    failed = call(project, "run", "echo", "refuse", "--json")
    error = json.loads(failed.stderr)
    assert (failed.exit_code, failed.stdout, error["schema"]) == (1, "", "hotswap.error/1")
    assert error["error"]["code"] == "PORT-004"
    wrong = call(project, "run", "echo", "--json", "--times", "x")
    assert (wrong.exit_code, json.loads(wrong.stderr)["error"]["type"]) == (2, "BadParameter")


def test_quiet_says_nothing(project: Path) -> None:
    """--quiet leaves the report and takes the rest, before as well as after the command."""
    assert call(project, "run", "echo", "a", "-q").stderr == ""
    assert call(project, "-q", "run", "echo", "a").stderr == ""


def test_verbose_logs_to_stderr(project: Path) -> None:
    """-v shows what plugins log, with their names, and --debug the rest; both on stderr, and neither without."""
    code = """
        from hotswap_ports import Plugin

        class Talker(Plugin):
            async def initialize(self, context):
                context.tracer.log.info("said {}", "\\x1b[31m<red>")
                context.tracer.log.debug("whispered")
    """
    write_plugin(project / "plugins", "talker", code, python={"class_name": "Talker"})
    run = ("run", "echo", "a", "--set", "plugins.enabled=echo,talker")
    assert "said" not in call(project, *run).stderr
    result = call(project, *run, "-v")
    assert "INFO    talker: said \\x1b[31m<red>\n" in result.stderr
    assert "whispered" not in result.stderr
    assert "talker: whispered" in call(project, *run, "--debug").stderr
    assert "words=('a',)" in result.stdout


def test_output_goes_to_a_file(project: Path, tmp_path: Path) -> None:
    """--output replaces a file wholly and says so; stdout stays empty."""
    target = tmp_path / "report.txt"
    target.write_text("old " * 1000, "utf-8")
    result = call(project, "run", "echo", "a", "--output", str(target))
    assert (result.exit_code, result.stdout) == (0, "")
    assert target.read_text("utf-8").startswith("loud=False")
    assert f"Wrote {target}" in result.stderr
    assert [each.name for each in tmp_path.glob("report*")] == ["report.txt"]


def test_output_dash_is_stdout(project: Path) -> None:
    """--output - is stdout."""
    assert "words=('a',)" in call(project, "run", "echo", "a", "-o", "-").stdout


@pytest.mark.parametrize("output", [".", "no/such/folder/report.txt"])
def test_output_is_checked_before_the_work(project: Path, output: str) -> None:
    """A file that cannot be written is refused before anything is opened."""
    result = call(project, "run", "echo", "crash", "--output", output)
    assert result.exit_code == 1
    assert "error[PLUG-027]" in result.stderr
    assert "RuntimeError" not in result.stderr


def test_full_disk_leaves_the_old_report(project: Path) -> None:
    """A device without room is a clear error."""
    result = call(project, "run", "echo", "a", "--output", "/dev/full")
    assert result.exit_code == 1
    assert "error[PLUG-027]: /dev/full was not changed: it cannot be written: No space left on device." in result.stderr


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("InputSpec('Bad Name')", "a name that is not snake_case"),
        ("InputSpec('colour', 'rainbow')", "unknown type 'rainbow'"),
    ],
)
def test_impossible_inputs_are_the_plugins_fault(project: Path, spec: str, said: str) -> None:
    """A workflow whose inputs no command line can have is refused with the plugin's name."""
    code = f"""
        from hotswap_ports import InputSpec, Workflow, WorkflowFeatures

        class Odd(Workflow):
            features = WorkflowFeatures("Odd.", ({spec},))

            async def run(self, inputs, *, progress=None):
                raise NotImplementedError
    """
    write_plugin(project / "plugins", "odd", code, type="workflow", provides={"workflow": "Odd"})
    result = call(project, "run", "odd", "--set", "plugins.enabled=odd")
    assert result.exit_code == 1
    assert "error[PLUG-002]: Plugin 'odd' could not be loaded" in result.stderr
    assert said in result.stderr


def test_teardown_error_is_a_warning_after_the_report(project: Path) -> None:
    """A plugin that raises in stop does not undo a run that is done: the report is there, the defect is named."""
    code = """
        from hotswap_ports import Plugin

        class Clumsy(Plugin):
            async def stop(self):
                raise ValueError("cannot stop")
    """
    write_plugin(project / "plugins", "clumsy", code, python={"class_name": "Clumsy"})
    result = call(project, "run", "echo", "a", "--set", "plugins.enabled=echo,clumsy")
    assert result.exit_code == 0
    assert "words=('a',)" in result.stdout
    assert "warning[PLUG-028]" in result.stderr
    assert "cannot stop" in result.stderr


NOISY = """
    import sys

    from hotswap_ports import Plugin

    print("imported")

    class Own(Plugin):
        async def start(self):
            print("started")
            sys.stdout.close()
"""


def test_what_plugins_print_stays_out_of_the_data(tmp_path: Path) -> None:
    """What a plugin prints goes to stderr, also when it closes its stdout: the document on stdout is whole."""
    project = echo_project(tmp_path)
    (project / "hotswap.toml").write_text('[plugins]\nenabled = ["echo", "noisy"]\n', "utf-8")
    write_plugin(project / "plugins", "noisy", NOISY, python={"class_name": "Own"})
    done = call(project, "run", "echo", "hello", "--json")
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["stats"] == {"read": 1}
    assert "imported\nstarted\n" in done.stderr


def test_names_that_no_file_can_have(tmp_path: Path) -> None:
    """A name that is too long for a file, and an option without its value, are mistakes that are named."""
    project = echo_project(tmp_path)
    long = call(project, "run", "echo", "--output", "x" * 300)
    assert (long.exit_code, "error[PLUG-027]" in long.stderr) == (1, True)
    nothing = call(project, "plan", "--set")
    assert (nothing.exit_code, "KEY=VALUE" in nothing.stderr) == (2, True)


TELLING = """
    from hotswap_ports import Plugin

    class Own(Plugin):
        async def initialize(self, context):
            raise ValueError("the key " + context.config.get("api_key") + " is wrong")
"""


def test_a_traceback_shows_no_secret(tmp_path: Path) -> None:
    """With --debug the traceback of a plugin's error is printed, and a secret of its settings is masked in it."""
    project = echo_project(tmp_path)
    tables = {"python": {"class_name": "Own"}, "capabilities": {"config_access": True}}
    write_plugin(project / "plugins", "telling", TELLING, **tables)
    (project / "hotswap.toml").write_text(
        '[plugins]\nenabled = ["echo", "telling"]\n[config.telling]\napi_key = "s3cr3t-value"\n', "utf-8"
    )
    done = call(project, "run", "echo", "hello", "--debug")
    assert "Traceback" in done.stderr
    assert "ValueError: the key *** is wrong" in done.stderr
    assert "s3cr3t-value" not in done.stderr + done.stdout
