"""From what a person names to addresses, and secrets kept out of sight."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotswap_plugins.research.secrets import masked, redact
from hotswap_plugins.research.sources import Target, anonymous, by_path, canonical, inside, locate, signed_in, site
from hotswap_ports import InvalidRequest, NotFound


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "README.md").write_text("Hello.")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a b#c?.md").write_text("Hello.")
    return Path(os.getcwd())


def test_paths_are_relative_to_the_working_directory(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files and folders become file URLs, ``~`` is home, and dots are resolved."""
    for name in ("README.md", "./docs/../README.md", str(here / "README.md")):
        given = locate(name)
        assert given.error is None
        assert given.target == Target.of((here / "README.md").as_uri())
        assert given.name == name
    monkeypatch.setenv("HOME", str(here))
    monkeypatch.setenv("USERPROFILE", str(here))
    assert locate("~/docs/").target == Target.of((here / "docs").as_uri())
    odd = locate("docs/a b#c?.md").target
    assert odd is not None
    assert odd.url.endswith("/docs/a%20b%23c%3F.md")


def test_a_file_that_looks_like_an_address_is_a_file(here: Path) -> None:
    """What exists in the working directory is meant, also with a colon or a dot in its name."""
    (here / "mailto:x").write_text("Hello.")
    (here / "example.org").write_text("Hello.")
    for name in ("mailto:x", "example.org"):
        target = locate(name).target
        assert target is not None
        assert target.scheme == "file"


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("REDME.md", "README.md'?"),
        ("doc", "docs'?"),
        ("dosc/a/b/c.md", "docs'?"),
        ("docs.example.org", "https://docs.example.org"),
        ("localhost.localdomain:8000/x", "http://localhost.localdomain:8000/x"),
        ("localhost:8000", "http://localhost:8000"),
        ("xyzzy", "working directory"),
    ],
)
def test_what_is_not_there_comes_with_what_was_meant(here: Path, name: str, hint: str) -> None:
    """The nearest names that exist, or how a web page is written."""
    given = locate(name)
    assert isinstance(given.error, NotFound)
    assert repr(name) in str(given.error)
    assert hint in given.error.hint
    assert given.target is not None


def test_a_folder_that_may_not_be_listed_has_no_suggestions(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The search for what was meant is no reason to fail."""

    def refuse(folder: object) -> list[str]:
        raise PermissionError

    monkeypatch.setattr(os, "listdir", refuse)
    assert "working directory" in str(getattr(locate("xyzzy").error, "hint", ""))


@pytest.mark.parametrize(
    "name", ["a\0b", "x" * 5000, "https://[bad", "https://x.example:99999/", "http:///x", "https://u:pw@"]
)
def test_what_cannot_be_an_address_or_a_name_is_an_error(here: Path, name: str) -> None:
    """Malformed input is InvalidRequest or NotFound, never a traceback, and shows no password."""
    given = locate(name)
    assert isinstance(given.error, InvalidRequest | NotFound)
    assert "pw" not in repr(given)


def test_other_schemes_are_left_to_the_scrapers(here: Path) -> None:
    """``javascript:`` and ``data:`` are addresses; whether one reads them is not decided here."""
    for name in ("javascript:alert(1)", "data:text/plain,x", "gopher://x.example/"):
        target = locate(name).target
        assert target is not None
        assert target.scheme == name.partition(":")[0]


@pytest.mark.parametrize(
    ("url", "same"),
    [
        ("HTTPS://Example.ORG", "https://example.org/"),
        ("https://example.org:443/a#b", "https://example.org/a"),
        ("http://example.org:443/", "http://example.org:443/"),
        ("http://u:p@Example.org:80/?q=1", "http://u:p@example.org/?q=1"),
        ("http://[::1]:8080/x", "http://[::1]:8080/x"),
        ("file:///srv/docs/", "file:///srv/docs"),
        ("file:///", "file:///"),
        ("file:/srv", "file:///srv"),
    ],
)
def test_one_spelling_for_one_address(url: str, same: str) -> None:
    """Case, default ports, fragments and a folder's last slash make no difference."""
    assert canonical(url) == same
    assert canonical(same) == same
    assert Target.of(url).key == Target.of(same).key


def test_a_site_is_scheme_host_and_port() -> None:
    """A login does not change the site; files have none."""
    assert site("https://u:p@x.example/a") == site("https://X.example:443/b") == "https://x.example"
    assert len({site("http://x.example/"), site("https://x.example/"), site("http://x.example:8080/")}) == 3
    assert site("file:///srv/x") == ""


def test_a_folder_holds_what_lies_below_it() -> None:
    """Neither a sibling with the same beginning nor a path that climbs out lies inside."""
    assert inside("file:///a/b/c", "file:///a/b")
    assert inside("file:///a", "file:///")
    for url in ("file:///a/bc", "file:///a/b", "file:///a/b/../c", "file:///a/b/%2E%2e/c", "https://x/a/b/c"):
        assert not inside(url, "file:///a/b")


def test_a_login_goes_along_within_its_site() -> None:
    """Links of a page are asked for with the login that was given for it, elsewhere without."""
    given = "https://u:p@x.example/"
    assert signed_in("https://x.example/a", given) == "https://u:p@x.example/a"
    assert signed_in("https://y.example/a", given) == "https://y.example/a"
    assert signed_in("https://x.example/a", "https://x.example/") == "https://x.example/a"
    assert anonymous("https://evil:x@x.example/a") == "https://x.example/a"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://u:secret@x.example/", "https://***@x.example/"),
        ("https://token@x.example/", "https://***@x.example/"),
        ("https://x.example/?access_token=a&b=c", "https://x.example/?access_token=***&b=c"),
        ("https://x.example/?X-Amz-Signature=abc&key=1", "https://x.example/?X-Amz-Signature=***&key=***"),
        ("https://x.example/?apiKey=a&sessionid=b&pwd=c", "https://x.example/?apiKey=***&sessionid=***&pwd=***"),
        ("https://x.example/?monkey=a&token=&auth", "https://x.example/?monkey=a&token=&auth"),
        ("file:///a/b", "file:///a/b"),
    ],
)
def test_secrets_are_masked(url: str, shown: str) -> None:
    """Logins, and parameters whose names say that they are secret."""
    assert masked(url) == shown
    assert masked(shown) == shown
    assert by_path(shown) in repr(Target.of(url))
    assert url == shown or url not in repr(Target.of(url))


@settings(max_examples=100, deadline=None)
@given(st.text("abcXYZ019%-_.", min_size=4, max_size=20))
def test_a_message_that_quotes_a_secret_is_redacted(secret: str) -> None:
    """Neither the address nor the secret alone gets through, encoded or not."""
    url = f"https://user:{secret}@h.test/?token={secret}&q=1"
    assert secret not in redact(f"{url} and '{secret}' failed", url).replace("user", "")


def test_a_short_secret_does_not_hide_the_message() -> None:
    """A secret of a letter or two is masked in its address alone."""
    assert redact("a bad day at https://u:a@h.test/", "https://u:a@h.test/") == "a bad day at https://***@h.test/"


def test_a_name_that_is_no_text_is_told_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file name of bytes that are no UTF-8 is found, and what stands for it can be stored and printed."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / os.fsdecode(b"a\xff.md")).touch()
    found = locate(os.fsdecode(b"a\xff.md"))
    assert found.error is None
    assert found.name == "a\ufffd.md"
    assert found.target is not None
    assert found.target.url.endswith("/a%FF.md")
    missing = locate(os.fsdecode(b"b\xff.md"))
    assert "b\ufffd.md" in str(missing.error)
    assert str(missing.error.hint if missing.error else "").encode("utf-8")


def test_a_file_is_shown_by_its_path() -> None:
    """Errors, notes and progress name a file as people do; an address on the web stays one, without its secrets."""
    assert Target.of("file:///srv/a%20%C3%BC.md").shown == "/srv/a ü.md"
    assert Target.of("https://h.example/a%20b?token=abc").shown.startswith("https://h.example/a%20b")
