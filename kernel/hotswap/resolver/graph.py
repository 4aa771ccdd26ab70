"""Circles in a graph of ids: what waits for what."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping


def components(edges: Mapping[str, Iterable[str]]) -> list[tuple[str, ...]]:
    """Return the strongly connected components, each after all those it points to (Tarjan, without recursion).

    Edges to ids that are no key are left out. Starts are taken in the order of the keys.
    """
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    inside: set[str] = set()
    found: list[tuple[str, ...]] = []
    for root in edges:
        if root in number:
            continue
        work: list[tuple[str, Iterator[str]]] = [(root, iter(edges[root]))]
        _enter(root, number, low, stack, inside)
        while work:
            node, targets = work[-1]
            for target in targets:
                if target not in edges:
                    continue
                if target not in number:
                    _enter(target, number, low, stack, inside)
                    work.append((target, iter(edges[target])))
                    break
                if target in inside:
                    low[node] = min(low[node], number[target])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == number[node]:
                    found.append(_cut(stack, inside, node))
    return found


def _enter(node: str, number: dict[str, int], low: dict[str, int], stack: list[str], inside: set[str]) -> None:
    number[node] = low[node] = len(number)
    stack.append(node)
    inside.add(node)


def _cut(stack: list[str], inside: set[str], node: str) -> tuple[str, ...]:
    position = stack.index(node)
    part = tuple(stack[position:])
    del stack[position:]
    inside.difference_update(part)
    return part


def circle(edges: Mapping[str, Iterable[str]], start: str) -> tuple[str, ...]:
    """Return a circle met on the way from ``start`` along each node's first edge, smallest id first.

    Every node reached has an edge.
    """
    path: list[str] = []
    node = start
    while node not in path:
        path.append(node)
        node = next(iter(edges[node]))
    found = path[path.index(node) :]
    first = found.index(min(found))
    return tuple(found[first:] + found[:first])
