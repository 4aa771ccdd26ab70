"""Cutting a page's text into passages."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from hotswap_plugins.research.passages import passage_id, pieces, size, split
from tests.research_twins import paragraphs


def test_short_paragraphs_are_packed_together() -> None:
    """Paragraphs share a passage until it is two thirds full; none is cut."""
    text = paragraphs(*"ABCDEF", words=40)
    passages = split(text, 120)
    assert [each.count("\n\n") + 1 for each in passages] == [2, 2, 2]
    assert "\n\n".join(passages) == text


def test_a_heading_stays_with_what_it_heads() -> None:
    """A heading opens the next passage; it never closes one."""
    text = f"{paragraphs('A', words=60)}\n\nThe second part\n\n{paragraphs('B', words=60)}"
    passages = split(text, 100)
    assert [each.split("\n\n")[0].split()[0] for each in passages] == ["A", "The"]
    text = f"{paragraphs('A', words=90)}\n\nThe second part\n\n{paragraphs('B', words=300)}"
    assert split(text, 100)[1].startswith("The second part\n\nB 0")


def test_a_long_paragraph_is_cut_between_sentences_and_overlaps() -> None:
    """Inside a paragraph the last sentence of a passage is the first of the next; elsewhere nothing is repeated."""
    passages = split(paragraphs("Alpha", words=500), 100)
    assert len(passages) > 4
    for before, after in pairwise(passages):
        assert before.endswith(".")
        assert after.startswith(before[before.rindex("Alpha") :].split(".")[0])
    assert all(size(each) <= 100 for each in passages)


def test_text_without_sentences_or_blanks_is_cut() -> None:
    """A minified file and Chinese text come in passages of a bounded length, and nothing is lost."""
    for text in ("x" * 50_000, "\u4f60\u597d\u3002" * 5_000, "word " * 5_000, "a,b;" * 10_000):
        passages = split(text, 100)
        assert all(size(each) <= 101 for each in passages)
        assert len("".join(passages).replace(" ", "")) >= len(text.replace(" ", ""))


def test_an_edit_moves_the_bounds_near_it_only() -> None:
    """After a paragraph is put in, most passages are the same as before."""
    sections = [f"Heading {n}\n\n{paragraphs(f'Topic{n}', words=70)}" for n in range(30)]
    before = split("\n\n".join(sections), 180)
    sections.insert(2, paragraphs("New", words=50))
    after = split("\n\n".join(sections), 180)
    assert len(set(after) - set(before)) <= 3


def test_ids_depend_on_page_and_text() -> None:
    """A passage has the same id in every run, another on another page, and is there once if it comes twice."""
    text = "Same. " * 30
    twice = pieces("page", f"{text}\n\n{text}", 30)
    assert len(twice) == 1
    assert twice[0].id == passage_id("page", twice[0].text) != passage_id("other", twice[0].text)


def test_nothing_gives_nothing() -> None:
    """Blank text has no passages."""
    assert split("", 100) == split(" \n\n \n", 100) == []


@settings(max_examples=200, deadline=None)
@given(st.text(st.sampled_from("ab .!\n\u3002#"), max_size=400), st.integers(20, 60))
def test_every_word_is_in_a_passage(text: str, words: int) -> None:
    """Whatever the text, no passage is empty or too long, and all words are there in their order."""
    passages = split(text, words)
    assert all(each.strip() for each in passages)
    assert all(size(each) <= words + 12 for each in passages)
    rest = iter("".join("".join(passages).split()))
    assert all(character in rest for character in "".join(text.split()))
