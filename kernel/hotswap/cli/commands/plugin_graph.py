"""``hotswap plugin graph``: who needs whom in the solution, as a tree, Mermaid or DOT."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from hotswap.cli.completing import plugin_ids
from hotswap.cli.failures import DONE, FAILED
from hotswap.cli.invocation import Invocation
from hotswap.cli.root import Command

if TYPE_CHECKING:
    from hotswap.cli.solving import Solved

Edge = tuple[str, str, str]
"""From, to, and what for: the port's name, empty for a dependency by id."""


@click.command(cls=Command)
@click.argument("plugin", metavar="[ID]", required=False, shell_complete=plugin_ids)
@click.option(
    "--format", "form", type=click.Choice(["tree", "mermaid", "dot"]), default="tree", help="Tree by default."
)
@click.pass_obj
def graph(invocation: Invocation, plugin: str | None, form: str) -> int:
    """Draw who needs whom.

    It shows the solution: each plugin, what it depends on, and who fills the ports it asks for. With an ID, that
    plugin and what it needs.
    """
    from hotswap.cli.output import print_document, print_text, warn
    from hotswap.cli.solving import solve
    from hotswap.errors import PluginNotFound

    solved = solve(invocation, invocation.settings())
    for key, error in solved.left_out.items():
        warn(invocation, error, about=f"{key} is left out")
    nodes = {key: manifest.raw_version for key, manifest in solved.manifests.items()}
    edges = list(edges_of(solved))
    if plugin is not None:
        if plugin not in nodes:
            raise PluginNotFound(plugin, nodes, looked_in=["the solution"])
        kept = reachable(plugin, edges)
        nodes = {key: version for key, version in nodes.items() if key in kept}
        edges = [each for each in edges if each[0] in kept]
    if invocation.json:
        content = {
            "nodes": [{"id": key, "version": version} for key, version in nodes.items()],
            "edges": [{"from": start, "to": end, "port": port or None} for start, end, port in edges],
        }
        print_document(invocation, "plugin-graph/1", content)
    else:
        draw = {"tree": tree, "mermaid": mermaid, "dot": dot}[form]
        print_text("\n".join(draw(nodes, edges)))
    return FAILED if solved.left_out else DONE


def edges_of(solved: Solved) -> Iterator[Edge]:
    """Yield who needs whom: first by id, then for a port."""
    manifests = solved.manifests
    for each in solved.solution.plugins:
        for dependency in manifests[each.id].dependencies:
            if dependency.id in manifests:
                yield each.id, dependency.id, ""
        for port, provider in sorted(each.ports.items()):
            if provider is not None:
                yield each.id, provider, port


def reachable(start: str, edges: list[Edge]) -> set[str]:
    """Return ``start`` and everything it needs, however far."""
    found, todo = {start}, [start]
    while todo:
        each = todo.pop()
        fresh = {end for begin, end, _ in edges if begin == each} - found
        found |= fresh
        todo += fresh
    return found


def tree(nodes: dict[str, str], edges: list[Edge]) -> Iterator[str]:
    """Yield a tree from those that nobody needs; what was drawn before is marked ``(*)`` and not drawn again."""
    needed = {end for _, end, _ in edges}
    drawn: set[str] = set()

    def draw(node: str, label: str, lead: str, below: str) -> Iterator[str]:
        children = [(end, port) for begin, end, port in edges if begin == node]
        again = node in drawn and bool(children)
        drawn.add(node)
        suffix = f" [{label}]" if label else ""
        yield f"{lead}{node} {nodes[node]}{suffix}{' (*)' if again else ''}"
        for position, (end, port) in enumerate([] if again else children):
            last = position == len(children) - 1
            yield from draw(end, port, f"{below}{'└── ' if last else '├── '}", f"{below}{'    ' if last else '│   '}")

    for node in nodes:
        if node not in needed:
            yield from draw(node, "", "", "")


def mermaid(nodes: dict[str, str], edges: list[Edge]) -> Iterator[str]:
    """Yield a Mermaid flowchart."""
    numbers = {node: f"n{number}" for number, node in enumerate(nodes)}  # an id could be a word of Mermaid: end
    yield "flowchart LR"
    for node, version in nodes.items():
        yield f'    {numbers[node]}["{node} {version}"]'
    for begin, end, port in edges:
        yield f"    {numbers[begin]} -->{f'|{port}|' if port else ''} {numbers[end]}"


def dot(nodes: dict[str, str], edges: list[Edge]) -> Iterator[str]:
    """Yield a graph for Graphviz."""
    yield "digraph hotswap {"
    yield "    rankdir=LR;"
    for node, version in nodes.items():
        yield f'    "{node}" [label="{node} {version}"];'
    for begin, end, port in edges:
        yield f'    "{begin}" -> "{end}"{f" [label={chr(34)}{port}{chr(34)}]" if port else ""};'
    yield "}"
