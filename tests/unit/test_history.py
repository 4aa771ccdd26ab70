"""The states of the two files are kept to the byte, read with suspicion, and the last 50 of them."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotswap.errors import StateNotFound
from hotswap.history import KEPT, Entry, History, state_before
from hotswap.project_files import Contents, ProjectFiles, digest
from hotswap.record import FOUND, MAX_BYTES, Record, read_bytes

RECORD = Record("2025-01-31T12:00:00Z", "plugin enable kept", Contents(b"[plugins]\n", b"version = 1\n", 0o640), was="")
CONTENT = st.none() | st.binary() | st.text().map(str.encode)


def sealed(body: bytes) -> bytes:
    """Return what a record looks like that somebody else made of this body."""
    return b"hotswap-state 1 " + digest(body).encode() + b"\n" + body


@settings(max_examples=200, deadline=None, database=None)
@given(CONTENT, CONTENT, st.none() | st.integers(0, 0o777))
def test_any_bytes_come_back(toml: bytes | None, lock: bytes | None, mode: int | None) -> None:
    """Whatever stood in the files, or that one was not there, is read again to the byte: line ends, no UTF-8, NULs."""
    record = attrs.evolve(RECORD, contents=Contents(toml, lock, mode), was=digest(b""), home=7)
    assert Record.decode(record.encode()) == record
    assert Record.decode(record.encode()).contents.mode == mode


def test_a_record_that_was_cut_off_is_refused() -> None:
    """However much of a record reached the disk: only the whole is one."""
    data = RECORD.encode()
    for length in range(len(data)):
        with pytest.raises(ValueError, match="damaged"):
            Record.decode(data[:length])
    for position in range(0, len(data), 7):
        spoilt = bytearray(data)
        spoilt[position] ^= 1
        with pytest.raises(ValueError, match="damaged"):
            Record.decode(bytes(spoilt))


GOOD = {
    "time": "2025-01-31T12:00:00Z",
    "command": "apply",
    "settings_id": "",
    "was": "",
    "home": 1,
    "mode": None,
    "settings": "",
    "lock": None,
}


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (b"{", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b"\xff", "is not JSON"),
        (b"[]", "no JSON object"),
        *[
            (json.dumps({**GOOD, key: value}).encode(), f"@ $.{key}")
            for key, value in [
                ("time", "yesterday"),
                ("time", None),
                ("time", "2025-01-31T12:00:00Z\n"),
                ("command", "two\nlines"),
                ("command", "\x1b[31m"),
                ("command", ""),
                ("settings_id", "../../etc"),
                ("was", "sha256:"),
                ("home", True),
                ("home", -1),
                ("home", None),
                ("mode", "0600"),
                ("settings", 1),
                ("settings", "\ud800"),
                ("lock", ["x"]),
            ]
        ],
    ],
)
def test_what_is_no_record_is_refused(body: bytes, complaint: str) -> None:
    """Whatever is off, also under a right digest, is a ValueError that names the place."""
    with pytest.raises(ValueError) as caught:
        Record.decode(sealed(body))
    assert complaint in str(caught.value)


def test_a_mode_gives_no_more_than_permissions() -> None:
    """A record cannot make a file that runs as its owner."""
    assert Record.decode(sealed(json.dumps({**GOOD, "mode": 0o4755}).encode())).contents.mode == 0o755


def test_what_is_too_large_is_neither_written_nor_read(tmp_path: Path) -> None:
    """Files whose record could not be read again are refused when it is made; a file without end is not read."""
    with pytest.raises(OSError, match="more than"):
        attrs.evolve(RECORD, contents=Contents(None, b"\xff" * (MAX_BYTES // 6))).encode()
    path = tmp_path / "big"
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(ValueError, match="more than"):
        read_bytes(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_only_ordinary_files_are_records(tmp_path: Path) -> None:
    """A folder, a link and a named pipe (which would be waited for) are none."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("nowhere")
    for path in (tmp_path, tmp_path / "pipe", tmp_path / "link"):
        with pytest.raises(ValueError, match="it is "):
            read_bytes(path)


@pytest.fixture
def history(tmp_path: Path) -> History:
    history = History(ProjectFiles.of(tmp_path, {}))
    history.prepare()
    return history


def numbered(number: int) -> Record:
    return attrs.evolve(RECORD, contents=Contents(str(number).encode(), None))


def test_the_last_fifty_are_kept(history: History) -> None:
    """Numbers go up and are not given twice; of more than 50 states the oldest go."""
    assert [history.add(numbered(each)) for each in range(1, KEPT + 6)] == list(range(1, KEPT + 6))
    entries, damaged = history.entries()
    assert [each.number for each in entries] == list(range(KEPT + 5, 5, -1))
    assert [each.record.contents.settings for each in entries] == [str(each.number).encode() for each in entries]
    assert damaged == []
    assert KEPT == 50


def test_states_are_their_owners_alone(history: History) -> None:
    """What may hold a secret is for its owner only, and is kept out of repositories."""
    history.add(RECORD)
    history.announce(RECORD)
    modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in history.folder.parent.rglob("*")}
    assert modes.pop("history") == 0o700
    assert modes.pop(".gitignore")
    assert set(modes.values()) == {0o600}
    assert (history.folder / ".gitignore").read_text() == "*\n"
    assert "[plugins]" not in repr(RECORD)


def test_a_damaged_state_is_named_and_the_others_stay(history: History) -> None:
    """One bad file in the history is an error of its own; the rest is as it was."""
    for each in range(3):
        history.add(numbered(each))
    path = history.folder / "000003.state"
    path.write_bytes(path.read_bytes()[:-1])
    (history.folder / "000004.state").mkdir()
    (history.folder / "notes.txt").touch()
    entries, damaged = history.entries()
    assert [each.number for each in entries] == [2, 1]
    assert [each.number for each in damaged] == [4, 3]
    assert all(isinstance(each, StateNotFound) for each in damaged)
    assert "000003.state cannot be used: it is damaged" in str(damaged[1])
    assert history.newest() == entries[0]
    assert history.add(RECORD) == 5


def test_states_of_another_settings_file_are_not_shown(tmp_path: Path, history: History) -> None:
    """Where HOTSWAP_CONFIG_FILE names another file, each has its own states; the numbers are shared."""
    other = ProjectFiles.of(tmp_path, {"HOTSWAP_CONFIG_FILE": str(tmp_path / "other.toml")})
    history.add(numbered(1))
    History(other).add(attrs.evolve(numbered(2), settings_id=other.settings_id))
    assert [each.number for each in history.entries()[0]] == [1]
    assert [each.number for each in History(other).entries()[0]] == [2]
    assert str(tmp_path) not in other.settings_id


def entries(*states: tuple[str, str, str]) -> list[Entry]:
    """Return a history, given oldest first: command, hotswap.toml and hotswap.lock."""
    records = [
        attrs.evolve(RECORD, command=command, contents=Contents(toml.encode(), lock.encode()))
        for command, toml, lock in states
    ]
    return [Entry(number, record) for number, record in reversed(list(enumerate(records, 1)))]


@pytest.mark.parametrize(
    ("states", "now", "leads_to"),
    [
        ([], "T1 L1", None),
        ([("apply", "T1", "L1")], "T1 L1", None),
        ([("apply", "T1", "L1"), ("plugin enable x", "T2", "L2")], "T2 L2", 1),
        ([("apply", "T1", "L1"), ("plugin enable x", "T2", "L2"), ("rollback 1", "T1", "L1")], "T1 L1", 2),
        ([("apply", "T1", "L1"), ("apply", "T2", "L2")], "edited L2", 2),
        ([("apply", "T1", "L1"), (FOUND, "T2", "L1"), ("apply", "T2", "L2")], "T2 L2", 1),
        ([(FOUND, "T1", ""), ("apply", "T1", "L1")], "T1 L1", None),
        ([("apply", "T1", "L1"), (FOUND, "T2", "L1"), ("plugin enable x", "T3", "L3")], "T3 L3", 2),
        ([("apply", "T1", "L1"), ("apply", "T1", "L2")], "T1 L2", 1),
    ],
)
def test_the_state_before(states: list[tuple[str, str, str]], now: str, leads_to: int | None) -> None:
    """It is the newest other one; an edit with the apply after it is one change, an edit before an enable is kept."""
    toml, lock = now.split()
    found = state_before(entries(*states), Contents(toml.encode(), lock.encode()))
    assert (found and found.number) == leads_to
