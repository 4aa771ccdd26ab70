"""What solving costs, as ratios to one pass over the requirements, taken in one run.

Run it with ``python -m tests.benchmarks.resolving``; ``--quick`` takes fewer rounds and seeds. CPU seconds of this
process throughout, garbage collection off while the clock runs.

- *The pass*: a plain loop over every requirement of every version in the catalog (1,000 plugins x 5 versions x 3 on
  average = 15,000 edges); for each one lookup of the chosen version, a small integer, in a dict and one test whether it
  is in a frozenset that was made before. Nothing that reads all requirements can be cheaper.
- *easy*: every requirement holds the newest version. *hard*: a planted solution that is not the newest, windows one to
  three versions wide, three requirements on average, everything enabled.
- Solving starts from the manifests and ends with reasons, start order and verification. It is timed twice: with the
  answers of ``packaging`` remembered, as in a kernel that runs (the bound), and with nothing remembered at all.
- The lock was written to a file and read back; verifying it evaluates every rule and trusts no digest.
"""

from __future__ import annotations

import gc
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from hotswap.lock import Lock, read, write
from hotswap.manifest import Dependency, HostRange, Manifest
from hotswap.resolver import Request, matching, resolve, verify
from tests.benchmarks.rows import Row, print_rows

VERSIONS = 5
_HOST = HostRange(Version("0.1.0"))


def request(plugins: Mapping[str, list[Manifest]], wanted: Iterable[str]) -> Request:
    """Return a request for the newest of everything wanted."""
    return Request(
        versions=plugins,
        wanted={each: SpecifierSet() for each in wanted},
        ports={},
        hosts={"hotswap": Version("0.1.0")},
        python=Version("3.11"),
        distributions={}.get,
    )


def easy(count: int, seed: int = 0) -> Request:
    """Return ``count`` plugins of five versions, where the newest of all go together."""
    source = random.Random(seed)

    def window(asker: int, version: int, target: int) -> str:
        return f">={source.randint(1, VERSIONS)}"

    return _catalog(count, source, window)


def hard(count: int, seed: int = 0) -> Request:
    """Return ``count`` plugins of five versions with one solution planted that is never the newest."""
    source = random.Random(seed)
    planted = [source.randint(1, VERSIONS - 1) for _ in range(count)]

    def window(asker: int, version: int, target: int) -> str:
        width = source.randint(1, 3)
        first = source.randint(1, VERSIONS - width + 1)
        if version == planted[asker]:
            first = max(1, planted[target] - source.randint(0, width - 1))
        return f">={first},<{first + width}"

    return _catalog(count, source, window)


def _catalog(count: int, source: random.Random, window: Callable[[int, int, int], str]) -> Request:
    plugins: dict[str, list[Manifest]] = {}
    for number in range(count):
        name = f"plugin-{number}"
        plugins[name] = []
        for version in range(1, VERSIONS + 1):
            targets = source.sample(range(number), min(number, source.choice((2, 3, 4))))
            depends = tuple(
                Dependency(f"plugin-{each}", SpecifierSet(window(number, version, each))) for each in targets
            )
            raw = f"{version}.0.0"
            plugins[name].insert(
                0,  # newest first, as a catalog has them
                Manifest(
                    id=name, name=name, version=Version(raw), raw_version=raw, type="utility", host=_HOST,
                    dependencies=depends,
                )
            )  # fmt: skip
    return request(plugins, plugins)


def the_pass(asked: Request) -> Callable[[], int]:
    """Return the pass over all requirements of ``asked``; it counts those that the newest versions break."""
    chosen = {plugin: len(manifests) for plugin, manifests in asked.versions.items()}
    edges = [
        (each.id, frozenset(v.version.major for v in asked.versions[each.id] if v.version in each.specifier))
        for manifests in asked.versions.values()
        for manifest in manifests
        for each in manifest.dependencies
    ]

    def run() -> int:
        broken = 0
        for plugin, allowed in edges:
            if chosen[plugin] not in allowed:
                broken += 1
        return broken

    return run


def seconds(work: Callable[[], object], rounds: int, prepare: Callable[[], object] = lambda: None) -> float:
    """Return the least CPU time of ``rounds`` runs."""
    best = float("inf")
    for _ in range(rounds):
        prepare()
        gc.collect()
        gc.disable()
        try:
            start = time.process_time()
            work()
            best = min(best, time.process_time() - start)
        finally:
            gc.enable()
    return best


def measure(quick: bool) -> list[Row]:
    """Return the rows; ``quick`` with fewer rounds and two hard sets of each size instead of seven."""
    rounds = 15 if quick else 40
    asked = easy(1_000)
    one_pass = the_pass(asked)
    base = seconds(one_pass, rounds)
    solution = resolve(asked)
    solving = seconds(lambda: resolve(asked), rounds)
    cold = seconds(lambda: resolve(asked), rounds, matching.forget)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "hotswap.lock"
        write(path, Lock.from_solution(solution, asked))
        versions = read(path).versions()
    matching.forget()  # a start that takes up a lock has asked what verifying asks, and nothing else
    verifying = seconds(lambda: verify(asked, versions), rounds)
    for _ in range(10):  # the machine's speed moves: both get their best moment
        verifying = min(verifying, seconds(lambda: verify(asked, versions), rounds))
        base = min(base, seconds(one_pass, rounds))
    rows = [
        Row("solving 1,000 x 5 easy / one pass over its edges", solving / base, 10),
        Row("the same, packaging's answers not remembered (no goal; watched)", cold / base, 40),
        Row("verifying a lock of 1,000 / the same pass", verifying / base, 2),
    ]
    for count in (100, 200):
        worst = max(_solved(hard(count, seed)) for seed in range(2 if quick else 7))
        rows.append(Row(f"hard {count} x 5, the slowest seed / 1 s", worst, 1))
    return rows


def _solved(asked: Request) -> float:
    """Return the CPU seconds that a hard set takes, with nothing remembered; it has a solution, so a refusal raises."""
    return seconds(lambda: resolve(asked), 1, matching.forget)


def main() -> int:
    """Print the rows; 1 when a bound broke."""
    return 0 if print_rows(measure("--quick" in sys.argv[1:])) else 1


if __name__ == "__main__":
    sys.exit(main())
