"""Sentences and paragraphs of plain text and Markdown."""

from __future__ import annotations

import pytest

from hotswap_adapters.ai.sentences import LONGEST, is_prose, split

WRAPPED = """Herons stand in shallow water for a long time, and they wait there without any movement until a fish
comes near. Nests are built of sticks, high in trees, and used again year after year by the same pair of
Herons that built them."""


def texts(text: str) -> list[str]:
    return [each.text for each in split(text)]


def prose(text: str) -> list[str]:
    return [each.text for each in split(text) if each.prose]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One is here. Two is there.", ["One is here.", "Two is there."]),
        ("It cost 3.50 dollars. Mr. Smith paid.", ["It cost 3.50 dollars.", "Mr. Smith paid."]),
        ("He lives in the U.S. The rest do not.", ["He lives in the U.S.", "The rest do not."]),
        ("He lives in the U.S. Virgin Islands.", ["He lives in the U.S. Virgin Islands."]),
        ("J. R. R. Tolkien wrote it. I did not.", ["J. R. R. Tolkien wrote it.", "I did not."]),
        ("See plugin.toml for more. Use v1.2 here.", ["See plugin.toml for more.", "Use v1.2 here."]),
        ("Shown before (Smith et al. 2004). Also later.", ["Shown before (Smith et al. 2004).", "Also later."]),
        ("It was so.[12] Then it was not.", ["It was so.[12]", "Then it was not."]),
        ('"Go!" he said. "Why?" She left.', ['"Go!" he said.', '"Why?"', "She left."]),
        ("Wait... and see. Really?! Yes.", ["Wait... and see.", "Really?!", "Yes."]),
        ("Am 3. Mai kam er. Am 12. Dezember ging er.", ["Am 3. Mai kam er.", "Am 12. Dezember ging er."]),
        ("In 2011. The year was good.", ["In 2011.", "The year was good."]),
        ("一つ目です。二つ目です。", ["一つ目です。", "二つ目です。"]),
        ("", []),
        (" \n\n ", []),
    ],
)
def test_full_stops_that_end_a_sentence_are_told_from_those_that_do_not(text: str, expected: list[str]) -> None:
    """Numbers, titles, initials, file names, ordinals and quotations keep their sentence whole."""
    assert texts(text) == expected


def test_soft_wraps_join_and_paragraphs_do_not() -> None:
    """Lines broken to a width are one paragraph; a heading above or a short line below is not of it."""
    found = texts(f"A short heading\n{WRAPPED}\n\nAnother paragraph. It is here.\nShort line\nNext short line")
    assert found[0] == "A short heading"
    assert found[1].endswith("until a fish comes near.")
    assert found[2].endswith("by the same pair of Herons that built them.")
    assert found[3:] == ["Another paragraph.", "It is here.", "Short line", "Next short line"]


def test_long_lines_are_paragraphs_each() -> None:
    """Text with one line a paragraph, as extracted from a page, joins nothing."""
    first, second = "Herons stand " * 20 + "in water", "Trains run " * 20 + "on rails"
    assert texts(f"{first}\n{second}") == [first, second]


@pytest.mark.parametrize(
    "text",
    [
        "# A heading that looks like a sentence, does it not.",
        "A heading that is underlined, with a full stop.\n===============",
        "A heading that is underlined too, with a full stop.\n---",
        "| a | table row with words in it. |",
        "```\nthis is code with some words in it.\n```",
        "~~~ text\nthis is code with some words in it.\n~~~",
        "text:\n\n    x = call(this); code with words in it.",
        "Home > Docs > Guides > This is where you are.",
        "Home | Docs | Guides | This is where you are.",
        "[one link](/a) [another link](/b) [and a third link](/c).",
        "Too short here.",
        "no end to this line of words",
        "fragment that begins in lower case and ends.",
        "All Rights Reserved By Somebody In Particular.",
        "We use cookies to improve your visit.",
        "x = {a: 1}; y => f(); g(h()); i->j; k::l;.",
        "1234 5678 9012 3456 7890 1234 (56) and so.",
        ">",
        "- ",
    ],
)
def test_what_is_no_prose_is_known(text: str) -> None:
    """Headings, tables, code, crumbs, link lists, boilerplate and fragments do not read as sentences."""
    assert prose(text) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("- Both parents bring sticks for the nest.", "Both parents bring sticks for the nest."),
        ("2. Both parents bring sticks for the nest.", "Both parents bring sticks for the nest."),
        ("> Both parents bring sticks for the nest.", "Both parents bring sticks for the nest."),
        ("- Both parents bring sticks\n  for the nest.", "Both parents bring sticks for the nest."),
        ("iPhones have sold well for many years.", "iPhones have sold well for many years."),
        ("`hotswap` swaps [plugins](/p) while it runs.", "`hotswap` swaps [plugins](/p) while it runs."),
        ("Cookies are baked until they are brown at the edges, and then they are left to cool on a rack for a while.",)
        * 2,
    ],
)
def test_sentences_in_lists_and_quotes_are_prose(text: str, expected: str) -> None:
    """The mark of the item is no part of the sentence."""
    assert prose(text) == [expected]


def test_offsets_lead_back_to_the_source() -> None:
    """``start`` is where the sentence stands, and its words are those of the source."""
    for sentence in split(WRAPPED):
        assert " ".join(WRAPPED[sentence.start :].split()).startswith(" ".join(sentence.text.split()))


def test_a_run_without_full_stops_is_cut_at_a_space() -> None:
    """No piece is longer than LONGEST, none is prose, and no word is lost or broken."""
    text = " ".join(f"word{at}" for at in range(1000))
    pieces = list(split(text))
    assert all(len(each.text) <= LONGEST and not each.prose for each in pieces)
    assert " ".join(each.text for each in pieces) == text


def test_prose_has_a_bound() -> None:
    """A sentence without end is none."""
    assert not is_prose("Word and " * 100 + "end.")
