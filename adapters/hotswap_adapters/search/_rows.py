"""Documents and filters as rows of the index, checked."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

from attrs import frozen

from hotswap_ports import Document, Scalar, Vector, check_documents


@frozen
class Row:
    """One document as it is stored."""

    id: str
    text: str
    metadata: str
    """A JSON object."""
    facts: tuple[tuple[str, str], ...]
    """Key and value of the metadata, as filters compare them."""
    vector: Vector | None


def rows_of(documents: Sequence[Document]) -> list[Row]:
    """Return ``documents`` as rows; raises InvalidRequest where ``check_documents`` does."""
    check_documents(documents)
    return [_row(each) for each in documents]


def fact(value: Scalar) -> str:
    """Return a value as filters compare it: as Python does, but for truth values, which equal themselves alone."""
    if isinstance(value, bool):
        return f"b{value:d}"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)  # without a NUL, at which json_each() would end
    if isinstance(value, float):
        return f"n{int(value)}" if value.is_integer() else f"n{value!r}"
    return f"n{value}"


def filter_values(filters: Mapping[str, Scalar | tuple[Scalar, ...]]) -> list[tuple[str, str]]:
    """Return keys with a JSON array each of the values that pass."""
    found = []
    for key, wanted in filters.items():
        values: Iterable[Scalar] = wanted if isinstance(wanted, tuple | list) else (wanted,)
        found.append((key, json.dumps([fact(each) for each in values])))
    return found


def _row(document: Document) -> Row:
    facts = tuple((key, fact(value)) for key, value in document.metadata.items())
    metadata = json.dumps(dict(document.metadata), ensure_ascii=False)
    return Row(document.id, document.text, metadata, facts, document.vector)
