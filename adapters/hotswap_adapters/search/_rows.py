"""Documents and filters as rows of the index, checked."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence

from attrs import frozen

from hotswap_ports import Document, InvalidRequest, Scalar, Vector


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
    """Return ``documents`` as rows.

    Raises:
        InvalidRequest: an id is empty or twice, a text is no valid Unicode, a value of the metadata is no finite
            scalar, or a vector is not made of finite float32 values.
    """
    rows = [_row(each) for each in documents]
    if len({each.id for each in rows}) != len(rows):
        raise InvalidRequest("An id stands twice in one call; the later one would replace the earlier.")
    return rows


def fact(key: str, value: Scalar) -> str:
    """Return a value as filters compare it: as Python does, but for truth values, which equal themselves alone."""
    if isinstance(value, bool):
        return f"b{value:d}"
    if isinstance(value, str):
        return json.dumps(_unicode(value), ensure_ascii=False)  # without a NUL, at which json_each() would end
    if isinstance(value, float) and math.isfinite(value):
        return f"n{int(value)}" if value.is_integer() else f"n{value!r}"
    if isinstance(value, int):
        try:
            return f"n{value}"
        except ValueError as error:  # more digits than Python writes out
            raise InvalidRequest(f"The number under {key!r} is too long.") from error
    raise InvalidRequest(f"Metadata are texts, finite numbers and truth values; what is under {key!r} is none.")


def filter_values(filters: Mapping[str, Scalar | tuple[Scalar, ...]]) -> list[tuple[str, str]]:
    """Return keys with a JSON array each of the values that pass."""
    found = []
    for key, wanted in filters.items():
        values: Iterable[Scalar] = wanted if isinstance(wanted, tuple | list) else (wanted,)
        found.append((_unicode(key), json.dumps([fact(key, each) for each in values])))
    return found


def _row(document: Document) -> Row:
    if not document.id:
        raise InvalidRequest("A document needs an id.")
    facts = tuple((_unicode(key), fact(key, value)) for key, value in document.metadata.items())
    metadata = json.dumps(dict(document.metadata), ensure_ascii=False)
    if (vector := document.vector) is not None:
        check_vector(vector)
    return Row(_unicode(document.id), _unicode(document.text), metadata, facts, vector)


def check_vector(vector: Vector) -> None:
    """Raise InvalidRequest for what is not made of finite float32 values."""
    _unicode(vector.model)
    if not vector.data or len(vector.data) % 4 or not math.isfinite(sum(vector)):
        raise InvalidRequest("A vector holds float32 values, at least one, and all of them finite.")


def _unicode(text: str) -> str:
    if not isinstance(text, str):
        raise InvalidRequest(f"A text is wanted, not {type(text).__name__}.")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidRequest("Documents and filters must be valid Unicode.") from error
    return text
