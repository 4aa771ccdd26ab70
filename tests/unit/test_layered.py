"""Large mappings that share what they have in common."""

from __future__ import annotations

import pytest

from hotswap.layered import Layered


def test_what_a_mapping_was_made_from_stays_as_it_is() -> None:
    """A change is seen in what came of it alone, however many changes there are."""
    first = Layered({each: each for each in range(5)})
    states = [(first, first.to_dict())]
    for number in range(300):
        after = states[-1][0].changed({number: -number, number + 1000: 0}, [number - 1, number + 999])
        states.append((after, {**states[-1][1]}))
        for gone in (number - 1, number + 999):
            states[-1][1].pop(gone, None)
        states[-1][1].update({number: -number, number + 1000: 0})
    for found, expected in states:
        assert found == expected
        assert dict(found) == found.to_dict() == expected
        assert len(found) == len(expected)
    with pytest.raises(KeyError):
        _ = first.changed({}, [3])[3]
    assert 3 not in first.changed({}, [3])
    assert first.changed({3: 4}, [3])[3] == 4
    assert repr(Layered({1: 2})) == "{1: 2}"
    assert Layered.over(first) is first
