"""A swap of the plugin that most others depend on, among few and among many."""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.benchmarks.rows import Row
from tests.benchmarks.swap.peers import DISTRIBUTIONS, present
from tests.benchmarks.swap.section import Bound, Section, Table, shown

FEW, MANY, MOST = 10, 1_000, 5_000

TITLE = "A swap among many plugins"
TEXT = """\
Plugins with random acyclic dependencies, three on average; each provides a port of its own, with four methods, as
hotswap's own ports have on average; a method is a hook in pluggy. The one swapped is the hub, on which most others
depend; one of its dependants is asked before and after the measurement, and must answer from the new one. Select goes
from one open provider of the hub's port to another; a new generation is opened for other settings, and the old one is
drained and closed; disable and enable change the other provider; reload reads the hub's code anew. CPU time in a
process of its own for each number of plugins and each library, by that of a neighbouring run among 10 plugins;
medians. Loop held: the longest step of the event loop during the change, in CPU time of its thread. pluggy
unregisters the hub's plugin and registers another; iPOPO kills the hub's component and instantiates it again."""

FLAT = {
    "select": Bound("select on a hub among {} plugins / among 10", 1.5, quick=3.0),
    "generation": Bound("a new generation of a hub among {} plugins / among 10", 1.5, quick=3.0),
    "change": Bound("disable and enable beside a hub among {} plugins / among 10", 1.5, quick=3.0),
    "reload": Bound("reload of a hub among {} plugins / among 10", 1.5, quick=3.0),
}
"""Case -> the bound on what it costs."""
PEERS = {
    "pluggy": Bound("select on a hub among 1,000 plugins / the same swap in pluggy", 1 / 50),
    "ipopo": Bound("select on a hub among 1,000 plugins / the same swap in iPOPO", 1 / 1_000),
}
"""Module -> the bound on a select by the same in a peer."""


def bounds() -> list[Bound]:
    """Return what is promised."""
    flat = [FLAT[case].of(f"{size:,}") for size in (MANY, MOST) for case in FLAT]
    return [*flat, *PEERS.values()]


class Worker:
    """A process that holds a kernel, or a peer, with so many plugins."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._answer()

    def run(self, case: str) -> tuple[float, float]:
        """Return the CPU seconds of a case, and the longest step of the loop."""
        assert self._process.stdin is not None
        print(case, file=self._process.stdin, flush=True)
        spent, longest = self._answer().split()
        return float(spent), float(longest)

    def _answer(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise AssertionError(f"{self._process.args!r} ended with {self._process.wait()}")
        return line


@contextmanager
def worker(what: str, size: int) -> Iterator[Worker]:
    """Start a worker, and end it."""
    command = [sys.executable, "-m", "tests.benchmarks.swap.hub", what, str(size)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=Path(__file__).parents[3]) as process:
        yield Worker(process)


def ratio(worker: Worker, base: Worker, case: str, base_case: str, rounds: int) -> tuple[float, float]:
    """Return the median of the case's CPU time by its two neighbouring base runs, and the median of longest steps."""
    worker.run(case)
    base.run(base_case)
    found, steps = [], []
    for _ in range(rounds):
        before, _ = base.run(base_case)
        middle, longest = worker.run(case)
        after, _ = base.run(base_case)
        found.append(2 * middle / (before + after))
        steps.append(longest)
    return statistics.median(found), statistics.median(steps)


def measure(quick: bool) -> Section:
    """Measure the kernel, and the peers that can replace what others depend on."""
    rounds = 3 if quick else 9
    rows: list[Row] = []
    lines: list[list[str]] = []
    against: dict[str, float] = {}
    with worker("hotswap", FEW) as few:
        for size in (200,) if quick else (MANY, MOST):
            with worker("hotswap", size) as many:
                for case in FLAT:
                    found, held = ratio(many, few, case, case, rounds)
                    rows.append(FLAT[case].of(f"{size:,}").row(found, quick))
                    lines.append([rows[-1].name, shown(found), shown(held * 1e3)])
                if size == MANY:
                    against = {each: _against(many, each, rounds) for each in PEERS if each in present()}
    rows += [PEERS[each].row(found) for each, found in against.items()]
    tables = [Table(("", "ratio", "loop held, ms"), lines)]
    if against:
        peers = [[DISTRIBUTIONS[each], shown(1 / found)] for each, found in against.items()]
        tables.append(Table(("the hub among 1,000", "times as long as a select"), peers))
    return Section(TITLE, TEXT, rows, tables)


def _against(many: Worker, module: str, rounds: int) -> float:
    with worker(module, MANY) as peer:
        return ratio(many, peer, "select", "select", rounds)[0]
