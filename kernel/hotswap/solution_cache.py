"""What was solved, kept for the next start: where nothing that it depends on is another, nothing is solved again.

It is a cache and never the truth. A solution is found by a digest over all that the resolver can look at: which
manifests there are and what they say (by place, size and times, as the catalog trusts them), the settings, the lock,
the ports with their versions, the host, the interpreter, and the code that solves. The Python distributions that the
resolver asked for are asked for again, and have to be there as they were.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import zlib
from collections.abc import Iterable, Mapping
from typing import Any

import packaging
from packaging.version import Version

from hotswap.cache_file import CacheFile, cache_path, program
from hotswap.found import Found
from hotswap.lock import parse
from hotswap.manifest.model import Manifest
from hotswap.planner import HOSTS, PYTHON, Planner, installed
from hotswap.resolver.model import Chosen, Solution
from hotswap.settings import Settings

FORMAT = 1
_MOST = 64 * 1024 * 1024
_KEPT = 4
"""Solutions in the file: of the projects, or the settings, that were started last."""


class Distributions:
    """Which Python distributions are installed, and which of them were asked for."""

    def __init__(self) -> None:
        self.answers: dict[str, str | None] = {}

    def __call__(self, name: str) -> Version | None:
        version = installed(name)
        self.answers[name] = None if version is None else str(version)
        return version


class SolutionCache:
    """What is known of one question: to solve for these settings.

    Args:
        lock: what stands in the project's lock; None where there is none.
    """

    def __init__(self, planner: Planner, settings: Settings, lock: bytes | None, environ: Mapping[str, str]) -> None:
        self._planner = planner
        self._settings = settings
        self._lock = lock
        code = program(__name__, Solution.__module__, Manifest.__module__)
        self._file = CacheFile(cache_path(environ, "solutions"), [FORMAT, *code])
        self._question = self._digest()

    def _digest(self) -> str | None:
        """Return a digest of all that is asked; None where a part of it may change unseen."""
        settings, catalog = self._settings, self._planner.catalog.identity()
        if catalog is None:
            return None
        asked = [
            catalog,
            [settings.enabled, settings.disabled, list(settings.ports.items()), list(settings.selected.items())],
            None if self._lock is None else hashlib.sha256(self._lock).hexdigest(),
            sorted((each.PORT, each.VERSION) for each in self._planner.ports),
            {dialect: str(version) for dialect, version in HOSTS.items()},
            [str(PYTHON), sys.platform, sys.implementation.name, _machine(), packaging.__version__],
        ]
        return hashlib.sha256(json.dumps(asked).encode()).hexdigest()

    def get(self) -> tuple[Solution, list[Found]] | None:
        """Return the solution, and where its plugins were found; None where it is not known."""
        content = self._file.read() if self._question is not None else None
        if content is None:
            return None
        index, body = content
        try:
            for question, answers, start, middle, end in reversed(index):
                if question == self._question and all(_installed(each) == answers[each] for each in answers):
                    return self._solution(bytes(body[start:middle]), bytes(body[middle:end]))
        except (TypeError, ValueError, LookupError, AttributeError, RecursionError) as error:
            self._file.log("it has another shape", error)
        return None

    def _solution(self, numbers: bytes, rest: bytes) -> tuple[Solution, list[Found]]:
        """Return what was kept: plugins by their place in the catalog. ValueError and others for what is none."""
        found, places = list(self._planner.catalog), json.loads(numbers)
        founds = [found[each] for each in places]
        if len({each.id for each in founds}) != len(founds) or min(places, default=0) < 0:
            raise ValueError("it is no solution")
        return Solution.later(lambda: self._chosen(founds, rest)), founds

    def _chosen(self, founds: Iterable[Found], rest: bytes) -> tuple[Chosen, ...]:
        try:
            return tuple(_decoded(founds, json.loads(zlib.decompressobj().decompress(rest, _MOST))))
        except (zlib.error, TypeError, ValueError, AttributeError, RecursionError) as error:
            self._file.log("a solution cannot be decoded", error)
            lock = None if self._lock is None else parse(self._lock, "hotswap.lock")
            return self._planner.solve_most(self._settings, lock, Distributions())[0].plugins

    def put(self, solution: Solution, answers: Mapping[str, str | None]) -> None:
        """Keep a solution of this question, with what was answered about Python distributions on the way."""
        if self._question is None or self._digest() != self._question:  # a manifest had to be read anew meanwhile
            return
        place = {id(each): number for number, each in enumerate(self._planner.catalog)}
        numbers = [place[id(each)] for each in self._planner.founds_of(solution)]
        rest = [[each.reason, each.required_by, dict(each.ports)] for each in solution.plugins]
        new = (self._question, dict(answers), json.dumps(numbers).encode(), zlib.compress(json.dumps(rest).encode(), 1))
        index: list[Any] = []
        parts: list[bytes] = []
        end = 0
        for question, known, *data in (*self._others(), new):
            start, middle, end = end, end + len(data[0]), end + len(data[0]) + len(data[1])
            index.append([question, known, start, middle, end])
            parts += data
        self._file.write(index, b"".join(parts))

    def _others(self) -> list[tuple[str, Any, bytes, bytes]]:
        """Return the solutions of other questions that are in the file."""
        content = self._file.read()
        if content is None:
            return []
        index, body = content
        try:
            rows = [
                (q, known, bytes(body[s:m]), bytes(body[m:e])) for q, known, s, m, e in index if q != self._question
            ]
            return rows[1 - _KEPT :]
        except (TypeError, ValueError, LookupError) as error:
            self._file.log("it has another shape", error)
            return []


def _machine() -> list[str]:
    """Return what the markers of requirements can ask about the machine."""
    system = os.uname() if hasattr(os, "uname") else None
    return [os.name] if system is None else [os.name, system.sysname, system.release, system.version, system.machine]


def _installed(distribution: str) -> str | None:
    version = installed(distribution)
    return None if version is None else str(version)


def _decoded(founds: Iterable[Found], rows: Any) -> Iterable[Chosen]:
    for found, (reason, required_by, ports) in zip(founds, rows, strict=True):
        "".join([reason, *required_by, *ports, *filter(None, ports.values())])
        yield Chosen(found.id, found.version, reason, tuple(required_by), ports)
