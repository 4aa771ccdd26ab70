"""The port ``workflow``: inputs in, a report out; what ``hotswap run NAME`` runs."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal

from attrs import field, frozen

from hotswap_ports.formatter import Rendered, Report
from hotswap_ports.port import Port


@frozen
class InputSpec:
    """One input of a workflow; the command line makes an argument or an option of it."""

    name: str
    """snake_case; ``max_pages`` becomes ``--max-pages``."""
    type: Literal["text", "integer", "number", "flag"] = "text"
    help: str = ""
    default: Any = None
    """What stands for the input where it is left out."""
    positional: bool = False
    """Arguments without a name; there is at most one such input, and it takes a tuple of texts."""
    required: bool = False
    choices: tuple[str, ...] = ()


@frozen
class WorkflowFeatures:
    """What a workflow takes."""

    summary: str = ""
    """One sentence for ``hotswap run --help``."""
    inputs: tuple[InputSpec, ...] = ()


@frozen
class ProgressEvent:
    """How far a workflow is."""

    step: str
    """What is being done now: ``read``, ``embed``."""
    done: int
    """Grows, within a step, and does not pass ``total``."""
    total: int | None = None
    """None: not known yet."""
    item: str = ""
    """What is being worked on: a URL."""


Progress = Callable[[ProgressEvent], None]


@frozen
class SourceProblem:
    """An input that could not be used; the others went on."""

    source: str
    code: str
    message: str
    hint: str = ""


@frozen
class WorkflowResult:
    """What a run came to."""

    report: Report
    rendered: Rendered
    stats: Mapping[str, int] = field(factory=dict)
    """Counts: ``read``, ``unchanged``, ``embedded``, ``removed`` ..."""
    problems: tuple[SourceProblem, ...] = ()


class Workflow(Port):
    """A job that is made of calls to other ports.

    A run that is cancelled ends as cancelled, and no other run with it.
    """

    PORT: ClassVar[str] = "workflow"
    VERSION: ClassVar[str] = "1.0.0"

    features: WorkflowFeatures = WorkflowFeatures()

    @abstractmethod
    async def run(self, inputs: Mapping[str, Any], *, progress: Progress | None = None) -> WorkflowResult:
        """Do the job. ``progress`` is called on the event loop, often and only during the run, and must return at once.

        Raises:
            InvalidRequest: an input is missing, unknown, of the wrong type or none of its ``choices``.
            PortError: nothing of what was asked for could be done.
        """
