"""Whether one version of a plugin can be used on this host at all, and if not, why and what to type."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import frozen

from hotswap.manifest.model import HostRange, Manifest
from hotswap.resolver.matching import applies, holds, requirement
from hotswap.resolver.model import Request


@frozen
class Obstacle:
    """One reason why a manifest cannot be used here."""

    text: str
    """Continues ``storage 1.0.0 ...``."""
    install: str = ""
    """The Python requirement whose installation would take it away."""
    port: str = ""
    """The port that this host does not know."""


def obstacles(manifest: Manifest, request: Request) -> list[Obstacle]:
    """Return why ``manifest`` cannot be used on the host that ``request`` describes; an empty list when it can."""
    host = request.hosts.get(manifest.dialect)
    span = manifest.host
    found: list[Obstacle] = []
    if host is None or host < span.min_version or (span.max_version is not None and host > span.max_version):
        found.append(_host(manifest.dialect, span, None if host is None else str(host)))
    python = manifest.python
    if python is not None:
        if not holds(python.python_version, request.python):
            found.append(Obstacle(f"needs Python {python.python_version} (this is {request.python})"))
        for line in python.dependencies:
            found.extend(_distribution(line, request))
    if manifest.provides or manifest.requires:
        found.extend(_ports(manifest, request))
    return found


def _host(dialect: str, span: HostRange, here: str | None) -> Obstacle:
    upper = f",<={span.max_version}" if span.max_version is not None else ""
    return Obstacle(f"needs {dialect} >={span.min_version}{upper} (this is {here or 'not such a host'})")


def _distribution(line: str, request: Request) -> Iterator[Obstacle]:
    parsed = requirement(line)
    if parsed is None:
        yield Obstacle(f"names {line!r}, which is not a Python requirement")
        return
    if not applies(line, request.python):
        return
    installed = request.distributions(parsed.name)
    wanted = line.partition(";")[0].strip()
    if installed is None:
        yield Obstacle(f"needs the Python distribution {wanted}, which is not installed", install=wanted)
    elif not holds(parsed.specifier, installed):
        yield Obstacle(f"needs the Python distribution {wanted} (installed is {installed})", install=wanted)


def _ports(manifest: Manifest, request: Request) -> Iterator[Obstacle]:
    for provide in manifest.provides:
        if provide.port not in request.ports:
            yield Obstacle(f"provides the port {provide.port}, which this host does not have", port=provide.port)
    for require in manifest.requires:
        if require.optional:
            continue
        version = request.ports.get(require.port)
        if version is None:
            yield Obstacle(f"requires the port {require.port}, which this host does not have", port=require.port)
        elif not holds(require.specifier, version):
            yield Obstacle(f"requires the port {require.port} {require.specifier} (this host's is {version})")
